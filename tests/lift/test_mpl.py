"""What the MPL network is told and says: the same in every room, rig and order of views."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.errors import WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import (
    MIRROR_OBSERVATION,
    MIRROR_POINT,
    MISS_SCALE,
    NUM_OBSERVATION,
    NUM_POINT,
    SPREAD_SCALE,
    USUAL_DISTANCE,
    USUAL_SIGMA,
    Features,
    features,
)
from mocaplift.lift.mpl.lifter import KIND, ask, corrected, load_network
from mocaplift.lift.mpl.network import FARTHEST, USUAL_LOG_ERROR, MplNetwork, Told
from mocaplift.lift.mpl.shapes import MplConfig, expected_shapes
from mocaplift.lift.point_prior import about_vertical, load_point_prior
from mocaplift.lift.triangulate import triangulate
from mocaplift.lift.view_rays import ViewRays
from mocaplift.weights import save_arrays
from tests.dancer import dancer
from tests.lift.tiny_mpl import SIZES, tiny_arrays, tiny_network
from tests.rigs import hidden, ring, watched

HEADER = {"network": asdict(SIZES)}
MIRROR = list(BODY21.mirror)
FLIP = np.array([-1.0, 1.0, 1.0])
NOSE = BODY21.at("nose")


def scene(frames: int = 8, num_views: int = 3, fps: float = 30.0):
    """Return rays, points near the truth and covariances."""
    true, cameras = body_keypoints(dancer(frames, fps=fps)), ring(num_views)
    rng = np.random.default_rng(0)
    views = [*watched(true, cameras, rng)]
    views[1] = hidden(views[1], [0], slice(None))
    views[0] = hidden(views[0], slice(None), [NOSE])
    half = rng.normal(0, 0.03, (frames, 21, 3, 3))
    xyz = true.xyz + rng.normal(0, 0.03, true.xyz.shape)
    return ViewRays.of(views, cameras), xyz, half @ np.swapaxes(half, -1, -2)


def told_of(rays: ViewRays, xyz: np.ndarray, covariance: np.ndarray) -> Features:
    return features(rays.direction, rays.centre, rays.sigma, xyz, covariance)


def windowed(told: Features) -> Features:
    """Return the features as one window."""
    return Features(told.observation[None], told.seen[None], told.point[None], told.turn[None])


def changed(told: Features, **arrays) -> Features:
    return replace(told, **arrays)


def check_equal(one: Told, other: Told, views: list[int] | slice = slice(None), atol: float = 1e-5) -> None:
    np.testing.assert_allclose(other.correction, one.correction, atol=atol)
    np.testing.assert_allclose(other.log_sigma, one.log_sigma, atol=atol)
    np.testing.assert_allclose(other.log_error, one.log_error[:, :, views], atol=atol)


class TestFeatures:
    def test_numbers_of_one_point(self) -> None:
        """A body that faces +X; a camera 4 m off along +X looks along -X and sees the nose 3 cm too far up."""
        xyz = np.zeros((1, 21, 3))
        xyz[0, BODY21.index("left_hip", "left_shoulder")] = [0.0, 0.0, -0.2]
        xyz[0, BODY21.index("right_hip", "right_shoulder")] = [0.0, 0.0, 0.2]
        xyz[0, NOSE] = [0.0, 0.5, 0.0]
        covariance = np.zeros((1, 21, 3, 3))
        covariance[0, NOSE] = np.diag([0.01, 0.0025, 0.04])
        direction = np.broadcast_to([-1.0, 0.0, 0.0], (1, 1, 21, 3))
        told = features(direction, np.array([[4.0, 0.53, 0.0]]), np.full((1, 1, 21), 0.06), xyz, covariance)
        np.testing.assert_allclose(told.turn[0] @ [0, 0, 1], [1, 0, 0], atol=1e-12)
        middle = np.array([0.0, 0.5 / 21, 0.0])
        distance = np.hypot(4.0, 0.03)
        expected = [
            *[0, 0, -1],  # towards the person's back
            *[0, np.arcsinh(-0.03 / MISS_SCALE), 0],
            *[0, 0.5 - middle[1] + 0.03, 0],
            np.log(0.06 / USUAL_SIGMA),
            np.arcsinh(0.03 / 0.06),
            np.log(distance / USUAL_DISTANCE),
        ]  # fmt: skip
        np.testing.assert_allclose(told.observation[0, 0, NOSE], expected, atol=1e-6)
        around = np.arcsinh(np.array([0.04, 0, 0, 0.0025, 0, 0.01]) / SPREAD_SCALE**2)
        np.testing.assert_allclose(told.point[0, NOSE], [0, 0.5 - middle[1], 0, *around], atol=1e-6)
        assert told.observation.shape[-1] == NUM_OBSERVATION and told.point.shape[-1] == NUM_POINT

    @pytest.mark.parametrize("angle", [0.9, -2.4])
    def test_rooms_do_not_matter(self, angle: float) -> None:
        rays, xyz, covariance = scene()
        turn, shift = about_vertical(np.array([angle]))[0], np.array([5.0, -0.3, 80.0])
        moved = replace(rays, direction=rays.direction @ turn.T, centre=rays.centre @ turn.T + shift)
        here, there = (
            told_of(rays, xyz, covariance),
            told_of(moved, xyz @ turn.T + shift, turn @ covariance @ turn.T),
        )
        np.testing.assert_allclose(there.observation, here.observation, atol=1e-5)
        np.testing.assert_allclose(there.point, here.point, atol=1e-5)
        np.testing.assert_allclose(there.turn, turn @ here.turn, atol=1e-9)

    def test_mirror_images_are_told_as_mirror_images(self) -> None:
        rays, xyz, covariance = scene()
        mirrored = ViewRays(rays.direction[:, :, MIRROR] * FLIP, rays.centre * FLIP, rays.sigma[:, :, MIRROR])
        here = told_of(rays, xyz, covariance)
        there = told_of(mirrored, xyz[:, MIRROR] * FLIP, covariance[:, MIRROR] * FLIP[:, None] * FLIP[None])
        np.testing.assert_allclose(
            there.observation, here.observation[..., MIRROR, :] * MIRROR_OBSERVATION, atol=1e-5
        )
        np.testing.assert_allclose(there.point, here.point[..., MIRROR, :] * MIRROR_POINT, atol=1e-5)
        np.testing.assert_array_equal(there.seen, here.seen[..., MIRROR])

    def test_what_is_not_seen_tells_nothing(self) -> None:
        rays, xyz, covariance = scene()
        told = told_of(rays, xyz, covariance)
        assert not told.seen[:, 0, NOSE].any() and not told.observation[:, 0, NOSE].any()
        assert not told.view_seen[0, 1] and told.view_seen.sum() == told.view_seen.size - 1
        elsewhere = replace(rays, direction=np.where(np.isfinite(rays.sigma)[..., None], rays.direction, 0.6))
        np.testing.assert_array_equal(told_of(elsewhere, xyz, covariance).observation, told.observation)

    def test_many_windows_are_told_as_one_by_one(self) -> None:
        rays, xyz, covariance = scene()
        one = told_of(rays, xyz, covariance)
        many = features(*(np.stack([each, each]) for each in (rays.direction, rays.centre, rays.sigma, xyz, covariance)))  # fmt: skip  # noqa: E501
        for name in ("observation", "seen", "point", "turn"):
            np.testing.assert_array_equal(getattr(many, name)[1], getattr(one, name))


class TestNetwork:
    def test_the_order_of_the_views_does_not_matter(self) -> None:
        told, network, order = windowed(told_of(*scene())), tiny_network(heads=0.3), [2, 0, 1]
        shuffled = changed(told, observation=told.observation[:, :, order], seen=told.seen[:, :, order])
        check_equal(network(told), network(shuffled), order)

    def test_views_that_see_nothing_change_nothing(self) -> None:
        told, network = windowed(told_of(*scene())), tiny_network(heads=0.3)
        blind = np.zeros_like(told.observation[:, :, :2])
        more = changed(
            told,
            observation=np.concatenate([told.observation, blind], axis=2),
            seen=np.concatenate([told.seen, np.zeros_like(told.seen[:, :, :2])], axis=2),
        )
        said, again = network(told), network(more)
        check_equal(said, replace(again, log_error=again.log_error[:, :, :3]))

    def test_what_hides_behind_an_unseen_point_does_not_matter(self) -> None:
        told, network = windowed(told_of(*scene())), tiny_network(heads=0.3)
        other = changed(told, observation=np.where(told.seen[..., None], told.observation, 9.0))
        check_equal(network(told), network(other))

    def test_it_says_something_and_stays_in_bounds(self) -> None:
        said = tiny_network(heads=3.0)(windowed(told_of(*scene())))
        assert said.correction.std() > 0.05 and np.abs(said.correction).max() <= FARTHEST
        assert said.log_error.min() >= np.log(0.002) and said.log_error.max() <= 0.0
        silent = tiny_network()(windowed(told_of(*scene())))
        assert not silent.correction.any()
        np.testing.assert_allclose(silent.log_sigma, USUAL_LOG_ERROR)
        np.testing.assert_allclose(silent.log_error, USUAL_LOG_ERROR)

    @pytest.mark.parametrize("name", ["out.weight", "joint", "fusion.0.qkv.bias"])
    def test_weights_that_are_missing_or_misshapen_are_refused(self, name: str) -> None:
        arrays = tiny_arrays()
        misshapen = {**arrays, name: arrays[name][..., :-1]}
        with pytest.raises(WeightsError, match=f"hold .* for {name!r} where"):
            MplNetwork.of(misshapen, HEADER)
        del arrays[name]
        with pytest.raises(WeightsError, match=f"hold nothing for {name!r}"):
            MplNetwork.of(arrays, HEADER)

    @pytest.mark.parametrize(
        "network",
        [
            None, [], "small", {"width": 16}, {"layers": 3}, {**asdict(SIZES), "width": "16"},
            {**asdict(SIZES), "heads": 0}, {**asdict(SIZES), "heads": 3}, {**asdict(SIZES), "joints": -21},
            {**asdict(SIZES), "frames": 0}, {**asdict(SIZES), "fps": 0.0},
            {**asdict(SIZES), "temporal_depth": 10**9}, {**asdict(SIZES), "joints": 17},
        ],
    )  # fmt: skip
    def test_headers_of_other_networks_are_refused(self, network) -> None:
        with pytest.raises(WeightsError):
            MplNetwork.of(tiny_arrays(), {} if network is None else {"network": network})

    def test_a_weight_file_gives_the_network(self, tmp_path) -> None:
        path = tmp_path / "mpl.safetensors"
        save_arrays(path, KIND, tiny_arrays(heads=0.3), HEADER)
        told = windowed(told_of(*scene()))
        check_equal(tiny_network(heads=0.3)(told), load_network(str(path))(told), atol=0.0)
        save_arrays(tmp_path / "other.safetensors", "pose-prior", tiny_arrays(), HEADER)
        with pytest.raises(WeightsError, match="holds 'pose-prior'"):
            load_network(str(tmp_path / "other.safetensors"))

    def test_the_full_network_is_small_enough_to_ship(self) -> None:
        numbers = sum(int(np.prod(shape)) for shape in expected_shapes(MplConfig()).values())
        assert numbers * 4 < 40e6


class TestAsking:
    @pytest.mark.parametrize(("fps", "frames"), [(25.0, 1), (30.0, 9), (30.0, 41), (60.0, 33), (120.0, 3)])
    def test_every_frame_is_answered_once(self, fps: float, frames: int) -> None:
        told = told_of(*scene(max(frames, 1), fps=fps))
        correction, log_sigma, log_error = ask(tiny_network(heads=0.3), told, fps)
        assert correction.shape == (frames, 21, 3) and log_error.shape == (frames, 3, 21)
        assert (np.abs(correction).max(axis=(1, 2)) > 0).all() and np.isfinite(log_sigma).all()

    def test_faster_clips_are_asked_at_the_networks_rate(self) -> None:
        """Every other frame of a clip at 60 frames a second is answered as the same frames at 30 are."""
        told = told_of(*scene(20, fps=60.0))
        half = Features(*(getattr(told, name)[::2] for name in ("observation", "seen", "point", "turn")))
        network = tiny_network(heads=0.3)
        fast, slow = ask(network, told, 60.0), ask(network, half, 30.0)
        for a, b in zip(fast, slow, strict=True):
            np.testing.assert_allclose(a[::2], b, atol=1e-6)


class TestSecondSolve:
    def test_who_says_nothing_changes_little(self) -> None:
        rays, _, _ = scene(20)
        prior = load_point_prior()
        found = triangulate(rays, prior, 30.0)
        again = corrected(found, prior, tiny_network(), 30.0)
        assert np.linalg.norm(again - found.xyz, axis=-1).mean() < 0.01

    def test_sure_corrections_are_believed(self) -> None:
        """A network that says 10 cm to the left, surely, moves the points there most of the way."""
        rays, _, _ = scene(20)
        prior, arrays = load_point_prior(), tiny_arrays()
        arrays["out.bias"] = np.tile([np.arctanh(0.1 / FARTHEST) / 0.4, 0.0, 0.0, -3.0], 21).astype(
            np.float32
        )
        arrays["view_error.bias"] = np.full(21, 3.0, dtype=np.float32)
        found = triangulate(rays, prior, 30.0)
        moved = corrected(found, prior, MplNetwork.of(arrays, HEADER), 30.0) - found.xyz
        left = found.xyz[:, BODY21.at("left_hip")] - found.xyz[:, BODY21.at("right_hip")]
        left /= np.linalg.norm(left, axis=-1, keepdims=True)
        along = np.einsum("tji,ti->tj", moved, left)
        assert 0.06 < along.mean() < 0.11
