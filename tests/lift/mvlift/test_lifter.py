"""Sampling with a network that knows the truth, and the lifter with one that knows nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import cam_points, centre, rays
from mocaplift.confidence import sigma
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.layouts import BODY21, COCO17, remap_keypoints
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift.conditions import decoded, encoded
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.lifter import SAMPLES, lift, load_person, samples, turns_of
from mocaplift.lift.mvlift.network import KIND, Denoiser
from mocaplift.lift.mvlift.sampling import Sampling, points_of, sampled, told_observed
from mocaplift.values import Keypoints2D, Layout
from mocaplift.weights import save_arrays
from tests.dancer import camera, dancer, seen
from tests.lift.mvlift.tiny import SIZES, STEPS, tiny_arrays, tiny_header, tiny_network, windows

SCHEDULE = Schedule.cosine(STEPS)


class TestSampling:
    @pytest.mark.parametrize("churn", [0.0, 1.0])
    def test_a_network_that_knows_the_truth_finds_it(self, churn: float) -> None:
        told, truth, ring = windows()
        answer = encoded(ring.see(truth), PERSON)
        found = sampled(
            lambda noisy, step, _: answer.astype(np.float32), SCHEDULE, told, ring, told_observed(told, ring),
            PERSON, np.random.default_rng(0), sampling=Sampling(steps=3, churn=churn),
        )  # fmt: skip
        assert np.abs(found.points - truth).max() < 1e-3 and found.disagreement.max() < 1e-3

    def test_views_that_disagree_are_made_to_agree(self) -> None:
        """What the network sees after a step are views of one body, under the noise that there was."""
        told, truth, ring = windows()
        answer = encoded(ring.see(truth), PERSON).astype(np.float32)
        rng = np.random.default_rng(0)
        seen_views = []

        def network(noisy: np.ndarray, step: int, _: np.ndarray) -> np.ndarray:
            seen_views.append((noisy, step))
            return answer + (0.1 * rng.normal(size=answer.shape)).astype(np.float32)

        views = told_observed(told, ring)
        sampled(network, SCHEDULE, told, ring, views, PERSON, rng, sampling=Sampling(steps=2))
        (first, start), (second, then) = seen_views
        noise = SCHEDULE.noise_in(first, answer, start)
        made = decoded(
            (second - np.sqrt(1 - SCHEDULE.share[then]) * noise) / SCHEDULE.share[then] ** 0.5, PERSON
        )
        agreed = ring.triangulated(made, np.ones(made.shape[:-1]))
        assert np.abs(ring.see(agreed) - made).max() < 1e-3
        assert 0.005 < np.linalg.norm(agreed - truth, axis=-1).mean() < 0.1

    def test_what_was_observed_counts_more_than_what_was_made(self) -> None:
        told, truth, ring = windows()
        plane = ring.see(truth)
        plane[:, 0] += 0.1
        hidden = replace(told, sigma=np.full_like(told.sigma, np.inf))
        error = [
            np.linalg.norm(points_of(each, plane, ring) - truth, axis=-1).mean() for each in (told, hidden)
        ]
        assert error[0] < 0.5 * error[1]


class TestLifter:
    @pytest.mark.parametrize(("frames", "fps"), [(1, 30.0), (3, 30.0), (70, 30.0), (40, 12.0), (50, 29.97)])
    def test_any_length_and_rate(self, frames: int, fps: float) -> None:
        motion, lens = dancer(frames, fps=fps), camera()
        found = lift([seen(motion, lens)], [lens], tiny_network())
        assert found.xyz.shape == (frames, 21, 3) and found.fps == fps
        assert np.isfinite(found.xyz).all() and (found.sigma > 0).all()

    def test_points_are_in_the_world_on_their_rays(self) -> None:
        """Against a network that says that all joints are in the middle: still at the right distance and place."""
        motion, lens = dancer(30), camera()
        found = lift([seen(motion, lens)], [lens], tiny_network())
        true = body_keypoints(motion).xyz
        flat = [cam_points(lens, points) for points in (found.xyz, true)]
        shown = [points[..., :2] / points[..., 2:] for points in flat]
        pose = shown[1] - shown[1].mean(axis=1, keepdims=True)
        assert (
            np.linalg.norm(shown[0] - shown[1], axis=-1).mean() < 0.6 * np.linalg.norm(pose, axis=-1).mean()
        )
        assert abs(flat[0][..., 2].mean() / flat[1][..., 2].mean() - 1) < 0.15

    def test_long_clips_are_one_motion(self) -> None:
        """Windows that know nothing of each other but what they share: no jump where one takes over."""
        motion, lens = dancer(60, fps=15.0), camera()
        view = seen(motion, lens)
        found = samples(
            tiny_network(head=0.05), rays(lens, view.xy), sigma(view), np.random.default_rng(0), count=2
        )
        assert found.shape == (2, 60, 21, 3)
        step = np.linalg.norm(np.diff(found, axis=1), axis=-1).mean(axis=-1)
        assert step.max() < 6 * np.median(step)
        assert SAMPLES > 1 and np.linalg.norm(found[0] - found[1], axis=-1).mean() > 1e-3

    def test_turns_share_the_frames_of_a_fast_clip(self) -> None:
        frames = np.arange(10, 21)
        for stride, expected in ((1, [10]), (2, [10, 11]), (4, [10, 12])):
            turns = turns_of(frames, stride)
            assert [turn[0] for turn in turns] == expected
            assert all((np.diff(turn) == stride).all() and turn[-1] > 20 - stride for turn in turns)
        assert [list(turn) for turn in turns_of(frames[:2], 4)] == [[10]]

    def test_the_network_of_one_view_lifts_by_lines(self) -> None:
        """It says that all joints are in the middle: what was seen still tells where that is."""
        alone = replace(SIZES, views=1)
        network = Denoiser.of(tiny_arrays(alone, head=0.0), tiny_header(alone))
        motion, lens = dancer(20), camera()
        found = lift([seen(motion, lens)], [lens], network)
        true = body_keypoints(motion).xyz
        assert np.linalg.norm(found.xyz.mean(axis=1) - true.mean(axis=1), axis=-1).mean() < 0.5

    def test_joints_that_a_detector_lacks_are_found_all_the_same(self) -> None:
        motion, lens = dancer(8), camera()
        view = remap_keypoints(seen(motion, lens), COCO17)
        found = lift([view], [lens], tiny_network())
        assert found.layout == BODY21 and np.isfinite(found.xyz).all()
        feet = BODY21.index("left_big_toe", "right_heel")
        assert found.sigma[:, feet].min() > 0.15 > found.sigma[:, BODY21.at("nose")].min()

    def test_a_person_who_leaves_and_returns_is_lifted_throughout(self) -> None:
        motion, lens = dancer(40), camera()
        view = seen(motion, lens)
        gone = (np.arange(40) >= 15) & (np.arange(40) < 25)
        away = Keypoints2D(
            xy=np.where(gone[:, None, None], np.nan, view.xy),
            conf=np.where(gone[:, None], 0.0, view.conf),
            layout=view.layout, fps=view.fps, size=view.size,
        )  # fmt: skip
        found = lift([away], [lens], tiny_network())
        assert np.isfinite(found.xyz).all()
        assert np.linalg.norm(found.xyz - centre(lens), axis=-1).max() < 10

    def test_what_it_cannot_lift_it_refuses(self) -> None:
        motion, lens = dancer(4), camera()
        view = seen(motion, lens)
        with pytest.raises(InvalidData, match="one view, but 2"):
            lift([view, view], [lens, lens], tiny_network())
        nobody = Keypoints2D(np.full_like(view.xy, np.nan), np.zeros_like(view.conf), BODY21, 30.0, view.size)
        with pytest.raises(InvalidData, match="no frame shows 5"):
            lift([nobody], [lens], tiny_network())

    def test_weights_of_another_layout_are_no_persons(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that another figure's training has left where the product looks for its own."""
        snouted = Layout("snouted", ("snout", *BODY21.joints[1:]), BODY21.pairs)
        header = tiny_header(figure=Figure(snouted, PERSON.root, PERSON.bones))
        save_arrays(tmp_path / "mvlift-snout.safetensors", KIND, tiny_arrays(), header)
        monkeypatch.setenv("MOCAPLIFT_WEIGHTS", str(tmp_path))
        with pytest.raises(WeightsError, match=r"mvlift-snout\.safetensors: lifts the layout"):
            load_person("mvlift-snout")
