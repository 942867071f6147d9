"""The parts of triangulation against numbers worked out by hand and dense solves of the same problem."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.body import body_keypoints, usual_accelerations
from mocaplift.cameras import project
from mocaplift.errors import WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.bone_lengths import (
    FRAMES_AS_ONE,
    LENGTH_SIGMA,
    MEASURED_SIGMA,
    length_terms,
    measured_lengths,
    settled_lengths,
)
from mocaplift.lift.point_prior import (
    BONES,
    NUM_COORDINATES,
    about_vertical,
    heading,
    load_point_prior,
)
from mocaplift.lift.triangulate import (
    UNKNOWN,
    Belief,
    _band,
    bridged,
    expected_errors,
    over_time,
    own_covariances,
    per_frame,
)
from mocaplift.lift.view_rays import TAIL, ViewRays
from mocaplift.values import Keypoints2D
from mocaplift.weights import save_arrays
from tests.dancer import dancer
from tests.rigs import hidden, ring, watched

NOSE = BODY21.at("nose")
FRAMES = 4


def one_point(directions: list, centres: list, sigmas: list) -> ViewRays:
    """Return rays of one frame that all joints share."""
    count = len(directions)
    direction = np.array(directions, dtype=float)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return ViewRays(
        np.broadcast_to(direction[:, None, None], (count, 1, 21, 3)),
        np.array(centres, dtype=float),
        np.broadcast_to(np.array(sigmas, dtype=float)[:, None, None], (count, 1, 21)),
    )


def noisy_rays(frames: int = FRAMES, num_views: int = 3) -> tuple[ViewRays, np.ndarray]:
    true, cameras = body_keypoints(dancer(30)), ring(num_views)
    views = watched(true, cameras, np.random.default_rng(0))
    return ViewRays.of(views, cameras).part(slice(0, frames)), true.xyz[:frames]


class TestViewRays:
    def test_two_rays_that_cross_meet_where_they_cross(self) -> None:
        """One comes down +X at z = 1, one down +Z at x = 2: they cross at (2, 0, 1)."""
        rays = one_point([[1, 0, 0], [0, 0, 1]], [[0, 0, 1], [2, 0, 0]], [0.1, 0.1])
        across, pull = rays.quadratic(None)
        np.testing.assert_allclose(across[0, NOSE], np.diag([100.0, 200.0, 100.0]))
        np.testing.assert_allclose(pull[0, NOSE], [200.0, 0.0, 100.0])
        np.testing.assert_allclose(np.linalg.solve(across[0, NOSE], pull[0, NOSE]), [2, 0, 1])

    def test_rays_that_miss_meet_nearer_to_the_surer_one(self) -> None:
        """One metre apart in height; the lower has a third of the other's error: a tenth of the way."""
        rays = one_point([[1, 0, 0], [0, 0, 1]], [[0, 0, 1], [2, 1, 0]], [0.1, 0.3])
        across, pull = rays.quadratic(None)
        np.testing.assert_allclose(np.linalg.solve(across[0, NOSE], pull[0, NOSE]), [2, 0.1, 1])

    def test_misses_are_vectors_across_the_ray(self) -> None:
        rays = one_point([[1, 0, 0]], [[0, 0, 1]], [0.1])
        points = np.broadcast_to([5.0, 2.0, 4.0], (1, 21, 3))
        np.testing.assert_allclose(rays.misses(points)[0, 0, NOSE], [0.0, 2.0, 3.0])

    def test_rays_far_off_count_less(self) -> None:
        """Two standard deviations off: (6 + 2) / (6 + 4) of the weight; the other ray is met."""
        rays = one_point([[1, 0, 0], [0, 0, 1]], [[0, 0, 1], [2, 0.2, 0]], [0.1, 0.1])
        across, _ = rays.quadratic(np.broadcast_to([2.0, 0.0, 1.0], (1, 21, 3)))
        full, less = 100 * (TAIL + 2) / TAIL, 100 * (TAIL + 2) / (TAIL + 4)
        np.testing.assert_allclose(across[0, NOSE], np.diag([less, full + less, full]))

    def test_what_is_not_seen_counts_nothing(self) -> None:
        rays = one_point([[1, 0, 0], [0, 0, 1]], [[0, 0, 1], [2, 0, 0]], [0.1, np.inf])
        across, pull = rays.quadratic(np.full((1, 21, 3), 7.0))
        assert across[0, NOSE, 0, 0] == 0.0 and pull[0, NOSE, 0] == 0.0

    def test_rays_pass_through_what_was_seen(self) -> None:
        true, cameras = body_keypoints(dancer(3)), ring(3)
        rays = ViewRays.of(watched(true, cameras), cameras)
        np.testing.assert_allclose(rays.misses(true.xyz), 0.0, atol=1e-9)
        views = [hidden(view, [1], [NOSE]) for view in watched(true, cameras)]
        told = ViewRays.of(views, cameras)
        assert np.isinf(told.sigma[:, 1, NOSE]).all() and np.isfinite(told.direction).all()
        np.testing.assert_array_equal(told.part(slice(1, 2)).sigma, told.sigma[:, 1:2])

    def test_distortion_is_removed(self) -> None:
        true, cameras = body_keypoints(dancer(3)), ring(2)
        bent = [type(c)(c.name, c.intrinsics, np.array([0.1, -0.02, 1e-3, 0, 0]), c.cam_from_world, c.size) for c in cameras]  # fmt: skip  # noqa: E501
        views = [Keypoints2D(project(c, true.xyz), np.full((3, 21), 0.9), BODY21, 30.0, c.size) for c in bent]
        np.testing.assert_allclose(ViewRays.of(views, bent).misses(true.xyz), 0.0, atol=1e-6)


class TestPointPrior:
    @pytest.mark.parametrize(
        ("left", "angle"),
        [([1, 0, 0], 0.0), ([0, 0, -1], np.pi / 2), ([0, 0, 1], -np.pi / 2), ([-1, 0, 0], np.pi)],
    )
    def test_who_faces_z_has_the_left_side_at_x(self, left: list, angle: float) -> None:
        """A quarter turn about +Y takes +Z to +X and +X to -Z: facing +X, the left side is at -Z."""
        xyz = np.zeros((1, 21, 3))
        xyz[:, BODY21.index("left_hip", "left_shoulder")] = left
        assert np.cos(heading(xyz)[0] - angle) == pytest.approx(1.0)
        turn = about_vertical(heading(xyz))[0]
        np.testing.assert_allclose(turn @ [1.0, 0.0, 0.0], left, atol=1e-12)
        np.testing.assert_allclose(turn @ [0.0, 0.0, 1.0], np.cross(left, [0, 1, 0]), atol=1e-12)

    def test_a_turn_about_y_takes_z_to_x(self) -> None:
        turn = about_vertical(np.array([np.pi / 2]))[0]
        np.testing.assert_allclose(turn @ [0, 0, 1], [1, 0, 0], atol=1e-12)
        np.testing.assert_allclose(turn @ [0, 1, 0], [0, 1, 0], atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0)

    def test_the_shipped_prior_is_a_person(self) -> None:
        prior = load_point_prior()
        names = [f"{a}-{b}" for a, b in BONES]
        lengths = dict(zip(names, prior.bone_mean, strict=True))
        assert 0.35 < lengths["left_hip-left_knee"] < 0.5 and 0.2 < lengths["right_elbow-right_wrist"] < 0.32
        assert (prior.bone_sigma > 0).all() and (prior.bone_sigma < 0.05).all()
        mean = prior.mean_ahead
        assert mean[BODY21.at("left_hip"), 0] > 0.05 > -0.05 > mean[BODY21.at("right_hip"), 0]
        assert mean[NOSE, 2] > 0 and mean[NOSE, 1] > mean[BODY21.at("left_hip"), 1] + 0.3
        assert abs(heading(mean[None])[0]) < 0.05
        spread = [np.trace(each) for each in (prior.covariance_ahead, prior.covariance_anywhere)]
        assert spread[0] < 0.8 * spread[1]

    def test_the_prior_of_a_heading_turns_with_it(self) -> None:
        prior = load_point_prior()
        mean = prior.mean_ahead[None]
        turn = about_vertical(np.array([0.8]))
        ahead, pull = prior.facing(mean)
        turned, turned_pull = prior.facing(mean @ np.swapaxes(turn, 1, 2))
        whole = np.kron(np.eye(21), turn[0])
        np.testing.assert_allclose(turned[0], whole @ ahead[0] @ whole.T, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(turned_pull[0], whole @ pull[0], rtol=1e-6, atol=1e-6)
        # The most likely pose, wherever it stands, is the mean.
        best = np.linalg.solve(turned[0], turned_pull[0]).reshape(21, 3)
        expected = (prior.mean_ahead - prior.mean_ahead.mean(axis=0)) @ turn[0].T
        np.testing.assert_allclose(best - best.mean(axis=0), expected, atol=1e-3)

    def test_where_a_person_stands_is_free(self) -> None:
        precision, _ = load_point_prior().anywhere(1)
        step = np.tile([3.0, 1.0, -5.0], 21)
        assert step @ precision[0] @ step < 0.05

    def test_weights_for_other_joints_are_refused(self, tmp_path) -> None:
        path = tmp_path / "point-prior.safetensors"
        save_arrays(path, "point-prior", {"bone_mean": np.ones(2)}, {"keypoints": ["nose"], "bones": []})
        with pytest.raises(WeightsError, match="made for other joints or bones"):
            load_point_prior(str(path))
        bones = [list(bone) for bone in BONES]
        save_arrays(path, "point-prior", {}, {"keypoints": list(BODY21.joints), "bones": bones})
        load_point_prior.cache_clear()
        with pytest.raises(WeightsError, match="lacks 'mean_anywhere'"):
            load_point_prior(str(path))


class TestBoneLengths:
    def test_the_cost_of_a_length_is_right_to_first_order(self) -> None:
        """H x - g is the gradient of sum ((|b - a| - l) / sigma)^2 / 2, by central differences."""
        xyz = body_keypoints(dancer(30)).xyz[:1]
        rng = np.random.default_rng(0)
        lengths = load_point_prior().bone_mean + rng.normal(0, 0.02, len(BONES))
        starts, ends = (BODY21.index(*names) for names in zip(*BONES, strict=True))

        def cost(flat: np.ndarray) -> float:
            points = flat.reshape(21, 3)
            found = np.linalg.norm(points[ends] - points[starts], axis=-1)
            return float(0.5 * np.square((found - lengths) / LENGTH_SIGMA).sum())

        flat, step = xyz.ravel(), 1e-6
        numeric = np.array(
            [(cost(flat + step * each) - cost(flat - step * each)) / (2 * step) for each in np.eye(63)]
        )
        square, pull = length_terms(xyz, lengths)
        np.testing.assert_allclose(square[0] @ flat - pull[0], numeric, atol=1e-3)
        np.testing.assert_allclose(square[0], square[0].T)

    def test_a_bone_is_measured_along_itself(self) -> None:
        """The knee is 40 cm under the hip: only vertical variance, of both ends, makes the length unsure."""
        xyz = np.zeros((1, 21, 3))
        xyz[0, BODY21.at("left_hip")] = [0.0, 0.9, 0.0]
        xyz[0, BODY21.at("left_knee")] = [0.0, 0.5, 0.0]
        covariance = np.zeros((1, 63, 63))
        hip, knee = 3 * BODY21.at("left_hip"), 3 * BODY21.at("left_knee")
        covariance[0, hip, hip] = 100.0  # sideways
        covariance[0, hip + 1, hip + 1], covariance[0, knee + 1, knee + 1] = 0.01, 0.02
        covariance[0, hip + 1, knee + 1] = covariance[0, knee + 1, hip + 1] = 0.004
        length, weight = measured_lengths(xyz, covariance)
        assert length[0, 0] == pytest.approx(0.4)
        assert weight[0, 0] == pytest.approx(1 / (0.03 - 0.008 + MEASURED_SIGMA**2))

    def test_lengths_settle_between_the_measured_and_the_usual(self) -> None:
        """Many sure frames outweigh the prior, none leave it; left and right get the same; the median counts."""
        prior = load_point_prior()
        length = np.tile(prior.bone_mean + 0.05, (401, 1))
        length[:150] += 1.0
        sure = settled_lengths(length, np.full(length.shape, 1 / MEASURED_SIGMA**2), prior)
        np.testing.assert_allclose(sure, _paired(prior.bone_mean) + 0.05, atol=0.02)
        none = settled_lengths(length, np.full(length.shape, 1e-9), prior)
        np.testing.assert_allclose(none, _paired(prior.bone_mean), atol=1e-4)
        # One bone, by hand: a precision of 401 / (20 x 0.03^2) against 1 / sigma^2.
        wide = BONES.index(("left_shoulder", "right_shoulder"))
        share = 401 / FRAMES_AS_ONE / MEASURED_SIGMA**2
        share /= share + 1 / prior.bone_sigma[wide] ** 2
        assert sure[wide] == pytest.approx(prior.bone_mean[wide] + 0.05 * share, abs=1e-6)


def _paired(lengths: np.ndarray) -> np.ndarray:
    paired = lengths.copy()
    for first in range(0, len(BONES) - 2, 2):
        paired[first : first + 2] = lengths[first : first + 2].mean()
    return paired


class TestOverTime:
    def test_the_band_holds_the_whole_matrix(self) -> None:
        rng = np.random.default_rng(0)
        half = rng.normal(size=(5, NUM_COORDINATES, NUM_COORDINATES))
        information = half @ np.swapaxes(half, 1, 2)
        smooth = np.zeros((5, 21))
        smooth[1:-1] = rng.uniform(1, 9, (3, 21))
        band = _band(information, smooth)
        dense = np.zeros((5 * NUM_COORDINATES, 5 * NUM_COORDINATES))
        for offset, row in enumerate(band):
            for column in range(len(dense) - offset):
                dense[column + offset, column] = dense[column, column + offset] = row[column]
        np.testing.assert_allclose(dense, _dense(information, smooth), atol=1e-9)

    @pytest.mark.parametrize("has_belief", [False, True])
    @pytest.mark.parametrize("frames", [1, 2, 5])
    def test_a_step_solves_the_dense_system(self, frames: int, has_belief: bool) -> None:
        """All that is known as one matrix: rays, prior, bones, accelerations, and what somebody else believes."""
        rays, true = noisy_rays(frames)
        prior, fps, rng = load_point_prior(), 25.0, np.random.default_rng(1)
        start = true + rng.normal(0, 0.03, true.shape)
        belief = Belief(true + 0.1, np.full(true.shape[:2], 50.0)) if has_belief else None
        found = over_time(start, rays, prior, prior.bone_mean, fps, steps=1, belief=belief)

        across, toward = rays.quadratic(start)
        precision, pull = prior.facing(start)
        bones, bone_pull = length_terms(start, prior.bone_mean)
        information, right = 0.5 * precision + bones, 0.5 * pull + bone_pull + toward.reshape(frames, -1)
        for frame in range(frames):
            for joint in range(21):
                own = slice(3 * joint, 3 * joint + 3)
                information[frame, own, own] += across[frame, joint]
                if belief is not None:
                    squared = 50 * np.square(start[frame, joint] - belief.xyz[frame, joint]).sum()
                    weight = 50 * (4 + 3) / (4 + squared)
                    information[frame, own, own] += weight * np.eye(3)
                    right[frame, own] += weight * belief.xyz[frame, joint]
        rate = 30 / fps
        smooth = np.zeros((frames, 21))
        for frame in range(1, frames - 1):
            bend = (start[frame - 1] - 2 * start[frame] + start[frame + 1]) * fps**2
            usual = 2 * usual_accelerations()
            ratio = np.square(bend).sum(axis=-1) / usual**2
            smooth[frame] = (3 + 3) / (3 + ratio) * (fps**2 / usual) ** 2 * rate
        whole = _dense(information * (rate / 2), smooth)
        expected = np.linalg.solve(whole, (right * (rate / 2)).ravel()).reshape(found.shape)
        np.testing.assert_allclose(found, expected, atol=1e-7)

    def test_every_frame_has_the_prior_and_the_rays_only(self) -> None:
        rays, true = noisy_rays(30)
        xyz, covariance = per_frame(rays, load_point_prior())
        few, _ = per_frame(rays.part(slice(7, 9)), load_point_prior())
        np.testing.assert_allclose(few, xyz[7:9], atol=1e-9)
        assert np.linalg.norm(xyz - true, axis=-1).mean() < 0.03
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        own = own_covariances(covariance)
        np.testing.assert_array_equal(
            own[3, NOSE], covariance[3, 3 * NOSE : 3 * NOSE + 3, 3 * NOSE : 3 * NOSE + 3]
        )

    def test_the_expected_error_is_that_of_one_axis(self) -> None:
        assert expected_errors(np.diag([0.01, 0.02, 0.06])[None])[0] == pytest.approx(np.sqrt(0.03))

    def test_frames_in_which_nobody_is_seen_are_bridged(self) -> None:
        xyz = np.arange(5.0)[:, None, None] * np.ones((5, 21, 3))
        xyz[2] = 99.0
        sigma = np.full((5, 21), 0.02)
        np.testing.assert_array_equal(bridged(xyz, sigma), xyz)
        sigma[2] = UNKNOWN + 1
        np.testing.assert_allclose(bridged(xyz, sigma)[2], 2.0)
        np.testing.assert_array_equal(bridged(xyz, np.full((5, 21), 9.0)), xyz)

    def test_hands_may_turn_faster_than_hips(self) -> None:
        usual = dict(zip(BODY21.joints, usual_accelerations(), strict=True))
        assert usual["left_wrist"] > usual["left_elbow"] > usual["left_shoulder"]
        assert usual["left_wrist"] == usual["right_wrist"]
        assert len(usual) == len(BODY21) and min(usual.values()) > 0


def _dense(information: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return the frames' blocks and D^T W D, D the second differences of each coordinate, as one matrix."""
    frames, size = information.shape[:2]
    whole = np.zeros((frames * size, frames * size))
    for frame in range(frames):
        own = slice(frame * size, (frame + 1) * size)
        whole[own, own] = information[frame]
    for frame in range(1, frames - 1):
        row = np.zeros((size, frames * size))
        for step, factor in ((-1, 1.0), (0, -2.0), (1, 1.0)):
            row[:, (frame + step) * size : (frame + step + 1) * size] = factor * np.eye(size)
        whole += row.T @ (np.repeat(smooth[frame], 3)[:, None] * row)
    return whole
