"""The product on one screen, with a detector that sees a synthetic dancer exactly."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from mocaplift import pipeline, report
from mocaplift.assume import assumed_camera
from mocaplift.body import body_keypoints, load_body
from mocaplift.calibrate import Calibration
from mocaplift.cameras import intrinsics_from_fov, look_at
from mocaplift.clean.ground import sole_drops
from mocaplift.detect.people import Person
from mocaplift.errors import ConfigError, NoPersonFound
from mocaplift.evaluate.alignment import align
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.options import Options
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, Motion3D
from tests.clips import write_clip
from tests.dancer import camera, dancer, errors, part, seen

FRAMES = 36
SIZE = (320, 180)
# The assumed lens is the true one, so that only gravity and scale are left to find.
LENS = camera(eye=(0.0, 1.3, 4.5), size=SIZE)


class Seer:
    """A detector that knows what every frame shows: one reading per person and frame, None where unseen."""

    layout = BODY21
    name = "seer"
    reads_turned = True
    frames_turned = 0

    def __init__(self, *people: Keypoints2D, hidden: range = range(0)) -> None:
        self.facts = {"sight": "perfect"}
        self._people, self._hidden, self._frame = people, hidden, count()

    def fresh(self) -> Seer:
        return Seer(*self._people, hidden=self._hidden)

    def __call__(self, image: np.ndarray) -> list[Person]:
        assert image.shape == (SIZE[1], SIZE[0], 3)
        frame = next(self._frame)
        if frame in self._hidden:
            return []
        return [
            Person(
                each.xy[frame], each.conf[frame], None if each.landmarks is None else each.landmarks[frame]
            )
            for each in self._people
        ]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video with a background that stands still."""
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1] // 10, SIZE[0] // 10, 3), dtype=np.uint8)
    image = noise.repeat(10, axis=0).repeat(10, axis=1)
    return write_clip(tmp_path_factory.mktemp("video") / "dance.mp4", [image] * FRAMES, fps=30)


@pytest.fixture(scope="module")
def motion():
    return dancer(FRAMES)


@pytest.fixture(scope="module")
def made(video: Path, motion) -> tuple[Capture, list[tuple[str, int, int]]]:
    """Capture the dancer once, with everything assumed, and what was told on the way."""
    told: list[tuple[str, int, int]] = []
    (capture,) = pipeline.capture(
        [video], None, Seer(seen(motion, LENS)), progress=lambda *step: told.append(step)
    )
    return capture, told


def apart_by_shape(found: Motion3D, true: Motion3D) -> np.ndarray:
    """Return the distance (m) of each point after each frame was brought onto the truth, without scaling."""
    return np.linalg.norm(align(found.xyz, true.xyz, with_scale=False).apply(found.xyz) - true.xyz, axis=-1)


class TestCapture:
    def test_the_dancer_is_captured(self, made, motion) -> None:
        capture, _ = made
        assert capture.motion.rotations.shape == (FRAMES, 24, 4)
        assert (capture.motion.fps, capture.joints.layout) == (30.0, BODY21)
        true = body_keypoints(motion)
        assert apart_by_shape(capture.joints, true).mean() < 0.03
        assert apart_by_shape(capture.joints, true).max() < 0.2
        np.testing.assert_allclose(capture.joints.xyz, body_keypoints(capture.motion).xyz, atol=1e-9)

    def test_they_stand_on_the_floor_near_the_origin(self, made) -> None:
        points = made[0].joints.xyz
        feet = points[:, BODY21.index(*CONTACT_POINTS), 1]
        assert -0.03 < feet.min() < 0.08  # m: heels and toes are up to 5 cm above the sole
        assert np.hypot(*made[0].motion.root[0, [0, 2]]) < 0.05
        assert points[:, BODY21.at("nose"), 1].min() > 1.3

    def test_the_camera_moved_with_the_world(self, made, motion) -> None:
        """The result reprojects onto the picture through the camera that is handed out."""
        capture, _ = made
        again = seen(capture.motion, capture.cameras[0])
        apart = np.linalg.norm(again.xy - seen(motion, LENS).xy, axis=-1)
        assert np.median(apart) < 2.0  # px, of 320

    def test_the_report_tells_what_was_found_and_assumed(self, made) -> None:
        facts = made[0].report
        assert set(facts) <= set(report.KEYS) | {"detector_sight"}
        assert (facts["frames"], facts["fps"], facts["fps_exact"]) == (FRAMES, 30.0, "30")
        assert (facts["focal_source"], facts["scale_source"]) == ("prior", "prior")
        assert facts["focal_px"] == pytest.approx(LENS.intrinsics[0, 0])
        assert facts["gravity_source"] in ("contacts", "prior")
        assert facts["person_height_m"] == pytest.approx(load_body().stature_mean, abs=0.01)
        assert facts["lifter"] == "smplify+mvlift"
        assert facts["people"] == 1 and facts["person"] == 1 and facts["seen_share"] == 1.0
        assert facts["complete"] is True and facts["camera_is_moving"] is False
        assert facts["reprojection_px"] < 3.0
        assert set(facts["seconds"]) == {"detect", "match", "repair", "lift", "fit", "clean"}
        assert all(value >= 0 for value in facts["seconds"].values())

    def test_progress_is_told_stage_by_stage(self, made) -> None:
        told = made[1]
        assert [step for step in told if step[0] == "detect"] == [
            ("detect", done + 1, FRAMES) for done in range(FRAMES)
        ]
        assert told[-1] == ("fit", 1, 1)

    def test_the_same_again_is_the_same(self, motion) -> None:
        short = part(motion, slice(0, 10))
        clip = Clip(Path("dance.mp4"), Fraction(30), 10, SIZE)
        one, two = (
            pipeline.reconstruct((clip,), (seen(short, LENS),), (LENS,), Options()).motion for _ in range(2)
        )
        np.testing.assert_array_equal(one.rotations, two.rotations)
        np.testing.assert_array_equal(one.root, two.root)

    def test_what_is_known_is_not_assumed(self, video: Path) -> None:
        """A camera in a level world, a height and a part of the video."""
        tall = dancer(FRAMES, height=1.9)
        options = Options(height=1.9, start=0.2, end=1.0, lifter="landmarks")
        (capture,) = pipeline.capture([video], [LENS], Seer(_late(seen(tall, LENS), 6)), options)
        facts = capture.report
        assert (facts["focal_source"], facts["gravity_source"]) == ("given", "given")
        assert (facts["scale_source"], facts["lifter"]) == ("given", "landmarks")
        assert facts["person_height_m"] == pytest.approx(1.9, abs=0.005)
        assert facts["frames"] == len(capture.motion.root) == 24
        assert facts["start_s"] == pytest.approx(0.2)
        # 0.35 m down over 4.5 m.
        assert facts["camera_pitch_deg"] == pytest.approx(np.degrees(np.arctan2(0.35, 4.5)), abs=0.01)
        true = replace(body_keypoints(tall), xyz=body_keypoints(tall).xyz[6:30], sigma=np.zeros((24, 21)))
        assert apart_by_shape(capture.joints, true).mean() < 0.05
        height = [np.ptp(each.xyz[..., 1], axis=1) for each in (capture.joints, true)]
        assert height[0] == pytest.approx(height[1], abs=0.1)

    def test_a_pitch_that_was_given_is_kept(self, video: Path, motion) -> None:
        (capture,) = pipeline.capture(
            [video], None, Seer(seen(motion, LENS)), Options(pitch=5.0, lifter="landmarks")
        )
        assert capture.report["gravity_source"] == "given"
        assert capture.report["camera_pitch_deg"] == pytest.approx(
            5.0 - capture.report["floor_tilt_deg"], abs=3.0
        )

    def test_everybody_is_captured_on_their_own(self, video: Path, motion) -> None:
        far = replace(motion, root=motion.root + np.array([1.6, 0.0, -1.0]))
        both = Seer(seen(motion, LENS), seen(far, LENS))
        options = Options(person="all", lifter="landmarks")
        captures = pipeline.capture([video], [LENS], both, options)
        assert sorted(each.report["person"] for each in captures) == [1, 2]
        assert {each.report["people"] for each in captures} == {2}
        assert not np.array_equal(captures[0].views[0].xy, captures[1].views[0].xy)

    def test_a_late_arrival_starts_when_they_come(self, video: Path, motion) -> None:
        seer = Seer(seen(motion, LENS), hidden=range(10))
        (capture,) = pipeline.capture([video], [LENS], seer, Options(lifter="landmarks"))
        assert len(capture.motion.root) == FRAMES - 10
        assert capture.report["start_s"] == pytest.approx(10 / 30)
        assert capture.report["frames_empty"] == 10

    def test_nobody_is_an_error(self, video: Path, motion) -> None:
        with pytest.raises(NoPersonFound):
            pipeline.capture([video], None, Seer(seen(motion, LENS), hidden=range(FRAMES)))

    def test_every_video_needs_its_camera(self, video: Path, motion) -> None:
        for paths, lenses, said in (
            ([video, video], None, "2 videos of one take need calibrated cameras"),
            ([video], [LENS, LENS], "one camera for each video, but there are 2 for 1"),
            ([], None, "there is no video"),
        ):
            with pytest.raises(ConfigError, match=said):
                pipeline.capture(paths, lenses, Seer(seen(motion, LENS)))

    def test_an_unknown_lifter_is_named(self, video: Path, motion) -> None:
        with pytest.raises(ConfigError, match="unknown lifter 'magic'"):
            pipeline.capture([video], None, Seer(seen(motion, LENS)), Options(lifter="magic"))


@pytest.fixture(scope="module")
def videos(video: Path) -> list[Path]:
    """Return three videos, named after their cameras."""
    return [Path(shutil.copy(video, video.with_name(f"cam{number}.mp4"))) for number in (1, 2, 3)]


class RigSeer(Seer):
    """A detector that sees the views of one camera after the other, one for each video."""

    def __init__(self, *views: Keypoints2D | None) -> None:
        super().__init__()
        self._views = iter(views)

    def fresh(self) -> Seer:
        view = next(self._views)
        return Seer() if view is None else Seer(view)


def around(*azimuths_deg: float) -> tuple[Camera, ...]:
    """Return cameras on a circle about the dancer, named after the videos."""
    made = []
    for number, angle in enumerate(np.radians(azimuths_deg), start=1):
        lens = camera(eye=(4.5 * np.sin(angle), 1.3, 4.5 * np.cos(angle)), size=SIZE)
        made.append(replace(lens, name=f"cam{number}"))
    return tuple(made)


class TestSeveralCameras:
    RIG = around(20, -70, 140)
    OPTIONS = Options(lifter="dlt")

    def test_the_dancer_is_captured_in_the_world(self, videos, motion) -> None:
        """Absolute size and shape, without any alignment but of the start: rotation and place are the cameras'."""
        rig = Calibration(self.RIG[::-1], "test", Path("rig.json"), "m", "y")
        told: list[tuple[str, int, int]] = []
        seer = RigSeer(*(seen(motion, lens) for lens in self.RIG))
        (capture,) = pipeline.capture(videos, rig, seer, self.OPTIONS, lambda *step: told.append(step))
        assert [lens.name for lens in capture.cameras] == ["cam1", "cam2", "cam3"]
        assert [clip.path.name for clip in capture.clips] == ["cam1.mp4", "cam2.mp4", "cam3.mp4"]
        true = body_keypoints(motion)
        assert apart_by_shape(capture.joints, true).mean() < 0.015
        facts = capture.report
        assert set(facts) <= set(report.KEYS) | {"detector_sight"}
        assert (facts["focal_source"], facts["gravity_source"]) == ("given", "given")
        assert (facts["scale_source"], facts["person"], facts["people"]) == ("cameras", 1, 1)
        assert facts["camera_seen_share"] == {"cam1": 1.0, "cam2": 1.0, "cam3": 1.0}
        assert max(facts["camera_reprojection_px"].values()) < 2.0
        assert "focal_px" not in facts and "camera_pitch_deg" not in facts
        stages = [f"detect cam{number}" for number in (1, 2, 3)]
        assert list(dict.fromkeys(stage for stage, _, _ in told)) == [*stages, "fit"]
        for number, lens in enumerate(capture.cameras):
            again = seen(capture.motion, lens)
            apart = np.linalg.norm(again.xy - seen(motion, self.RIG[number]).xy, axis=-1)
            assert np.median(apart) < 2.0  # px, of 320

    def test_one_camera_may_be_blind_and_one_late(self, videos, motion) -> None:
        """The third camera sees nobody; the second comes 12 frames late and the first ends 6 frames early."""
        first, second, _ = (seen(motion, lens) for lens in self.RIG)
        views = _within(first, range(4, FRAMES - 6)), _within(second, range(12, FRAMES)), None
        (capture,) = pipeline.capture(videos, self.RIG, RigSeer(*views), self.OPTIONS)
        assert len(capture.motion.root) == FRAMES - 4
        assert capture.report["start_s"] == pytest.approx(4 / 30)
        assert [clip.start for clip in capture.clips] == pytest.approx([4 / 30] * 3)
        shares = [(FRAMES - 10) / (FRAMES - 4), (FRAMES - 12) / (FRAMES - 4), 0.0]
        assert list(capture.report["camera_seen_share"].values()) == pytest.approx(shares)
        assert capture.report["calibration_unchecked"] == ["cam3"]
        true = body_keypoints(motion)
        true = replace(true, xyz=true.xyz[4:], sigma=true.sigma[4:])
        assert apart_by_shape(capture.joints, true).mean() < 0.06

    def test_one_video_of_a_calibrated_camera(self, videos, motion) -> None:
        rig = Calibration(self.RIG, "test", Path("rig.json"), "m", "y")
        options = Options(lifter="landmarks")
        (capture,) = pipeline.capture(videos[1:2], rig, RigSeer(seen(motion, self.RIG[1])), options)
        assert capture.cameras[0].name == "cam2"
        assert (capture.report["focal_source"], capture.report["scale_source"]) == ("given", "prior")
        assert capture.report["gravity_source"] == "given" and "camera_seen_share" not in capture.report


def _within(view: Keypoints2D, frames: range) -> Keypoints2D:
    """Return what is seen in some of the frames."""
    away = ~np.isin(np.arange(len(view.xy)), frames)[:, None]
    return replace(
        view,
        xy=np.where(away[..., None], np.nan, view.xy),
        conf=np.where(away, 0.0, view.conf),
        landmarks=None,
    )


def _late(view: Keypoints2D, frames: int) -> Keypoints2D:
    """Return what is seen from a later frame on."""
    assert view.landmarks is not None
    return replace(view, xy=view.xy[frames:], conf=view.conf[frames:], landmarks=view.landmarks[frames:])


def test_lift_and_fit_stays_in_the_world_of_the_camera(motion) -> None:
    found = pipeline.lift_and_fit([seen(motion, LENS)], [LENS])
    assert np.linalg.norm(body_keypoints(found).xyz - body_keypoints(motion).xyz, axis=-1).mean() < 0.12
    assert errors(body_keypoints(found), motion).mean() < 0.035
    with pytest.raises(ConfigError, match="unknown lifter"):
        pipeline.lift_and_fit([seen(motion, LENS)], [LENS], ["magic"])


class TestRepair:
    def test_gaps_are_filled_up_to_the_longest(self, motion) -> None:
        view = seen(motion, LENS)
        xy, conf = view.xy.copy(), view.conf.copy()
        wrist, ankle = BODY21.index("left_wrist", "right_ankle")
        xy[10:14, wrist], conf[10:14, wrist] = np.nan, 0.0
        xy[5:25, ankle], conf[5:25, ankle] = np.nan, 0.0
        (out,), counts = pipeline.repair([replace(view, xy=xy, conf=conf)], 0.5)
        assert counts == {"swaps_repaired": 0, "outliers_repaired": 0, "gaps_filled": 4, "gaps_left": 20}
        assert np.abs(out.xy[10:14, wrist] - view.xy[10:14, wrist]).max() < 3.0
        assert (out.conf[10:14, wrist] < 0.9).all() and (out.conf[10:14, wrist] > 0).all()
        assert (out.conf[5:25, ankle] == 0).all()

    def test_what_is_exchanged_or_jumps_is_put_right_and_views_add_up(self, motion) -> None:
        view = seen(motion, LENS)
        xy = view.xy.copy()
        xy[15:17] = xy[15:17][:, list(BODY21.mirror)]
        xy[25, BODY21.at("left_knee")] += 90.0
        bad = replace(view, xy=xy, landmarks=None)
        (first, second), counts = pipeline.repair([bad, bad], 0.5)
        (_,), alone = pipeline.repair([bad], 0.5)
        assert alone["swaps_repaired"] == 2 and alone["outliers_repaired"] >= 1
        assert counts == {key: 2 * value for key, value in alone.items()}
        legs = BODY21.index("left_knee", "right_knee", "left_ankle", "right_ankle")
        assert np.abs(first.xy[15:17, legs] - view.xy[15:17, legs]).max() < 5.0
        np.testing.assert_array_equal(first.xy, second.xy)
        assert first.conf[25, BODY21.at("left_knee")] < 0.5

    def test_perfect_keypoints_are_left_alone(self, motion) -> None:
        view = seen(motion, LENS)
        (out,), counts = pipeline.repair([view], 0.5)
        assert set(counts.values()) == {0}
        np.testing.assert_array_equal(out.xy, view.xy)


def test_auto_is_what_measures_best(motion) -> None:
    view = seen(motion, LENS)
    assert pipeline.lifters_for("auto", [view]) == ["smplify", "mvlift"]
    assert pipeline.lifters_for("landmarks", [view]) == ["landmarks"]


def test_a_camera_that_looks_down_steeply_is_given_its_floor(motion) -> None:
    """Seen from 3 m high by a camera whose world is known: feet stand level on y = 0."""
    view = look_at(np.array([0.0, 3.0, 3.5]), np.array([0.0, 0.9, 0.0]))
    lens = Camera("high", intrinsics_from_fov(60.0, SIZE), np.zeros(5), view, SIZE)
    clip = Clip(Path("dance.mp4"), Fraction(30), FRAMES, SIZE)
    made = pipeline.reconstruct((clip,), (seen(motion, lens),), (lens,), Options(), gravity="given")
    assert apart_by_shape(made.joints, body_keypoints(motion)).mean() < 0.04
    drops = sole_drops(
        made.motion.skeleton, pipeline.attachments_of(made.motion.skeleton), load_body().sole_drop
    )
    feet = made.joints.xyz[:, BODY21.index(*CONTACT_POINTS), 1] - drops
    if made.contacts.any():
        assert np.abs(np.median(feet[made.contacts])) < 0.02
    assert np.percentile(feet.min(axis=1), 10) > -0.05
    assert made.report["camera_pitch_deg"] == pytest.approx(np.degrees(np.arctan2(2.1, 3.5)), abs=3.0)


def test_a_pitch_that_nobody_told_is_found_and_feet_settle_in_the_levelled_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Someone who stands for one and a half seconds, filmed 13 degrees from above by a camera taken for level."""
    walk = dancer(45, poses=(0, 0))
    true = replace(
        walk, rotations=walk.rotations[:1].repeat(45, axis=0), root=walk.root[:1].repeat(45, axis=0)
    )
    lens = camera(eye=(0.0, 2.0, 4.5), size=SIZE)
    clip = Clip(Path("stand.mp4"), Fraction(30), 45, SIZE)
    assumed, _ = assumed_camera(clip, Options())
    settled: list[np.ndarray] = []
    settle = pipeline.settle

    def watched(motion, views, cameras, contacts, fitter):
        settled.append(contacts)
        return settle(motion, views, cameras, contacts, fitter)

    monkeypatch.setattr(pipeline, "settle", watched)
    made = pipeline.reconstruct((clip,), (seen(true, lens),), (assumed,), Options())
    assert made.report["gravity_source"] == "contacts"
    tilt = np.degrees(np.arctan2(2.0 - 0.95, 4.5))
    assert tilt > 13
    # Photographers' habits hold it back, and nobody stands quite straight.
    assert 0.5 * tilt < made.report["camera_pitch_deg"] < 1.4 * tilt
    (contacts,) = settled
    assert contacts.mean() > 0.8
    feet = made.joints.xyz[:, BODY21.index(*CONTACT_POINTS)]
    assert np.ptp(feet, axis=0).max() < 0.02
