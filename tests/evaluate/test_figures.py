"""Errors of figures of any joints and of rigid things, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocaplift.cameras import intrinsics_from_focal, project
from mocaplift.evaluate.figures import flat, made_rigid, object_scores, pose_scores, rigid_pose, size_of
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.values import Camera, Keypoints2D, Layout

SNAKE = Figure(
    Layout("snake", ("head", "neck", "middle", "back", "tail")),
    root=("middle",),
    bones=(("head", "neck", 0.5), ("neck", "middle", 0.5), ("middle", "back", 0.5), ("back", "tail", 0.5)),
)
SHAPE = np.array([[0.2, 0.1, 0.0], [-0.2, 0.1, 0.0], [0.2, -0.1, 0.1], [-0.2, -0.1, -0.1], [0.0, 0.0, 0.3]])


def snake(frames: int = 6) -> np.ndarray:
    xyz = np.random.default_rng(0).normal(size=(frames, 5, 3)) * 0.05
    xyz[..., 0] += 0.5 * np.arange(5)
    xyz[..., 2] -= 5.0
    return xyz


def moved(frames: int = 40) -> tuple[np.ndarray, Rotation, np.ndarray]:
    """Return points of the shape, the turns and places that it has."""
    turns = Rotation.random(frames, random_state=1)
    places = np.random.default_rng(1).normal(size=(frames, 3))
    points = np.einsum("tij,kj->tki", turns.as_matrix(), SHAPE) + places[:, None]
    return points, turns, places


def test_errors_by_hand() -> None:
    """The root wanders off by 3 cm a frame along x; one joint of four is 8 cm off."""
    truth = snake()
    found = truth.copy()
    found[..., 0] += 0.03 * np.arange(6)[:, None]
    found[:, 4, 1] += 0.08
    scores = pose_scores(found, truth, SNAKE, ("head", "neck", "back", "tail"))
    assert scores["t_root"] == pytest.approx(30 * np.mean(np.arange(6)))
    assert scores["t_root_released"] == pytest.approx(scores["t_root"] / 3)
    assert scores["mpjpe"] == pytest.approx(20.0)
    # A turn and a scale cost only what no similarity is allowed in.
    turned = 1.3 * truth @ Rotation.from_euler("y", 40, degrees=True).as_matrix()
    scores = pose_scores(turned, truth, SNAKE, SNAKE.layout.joints)
    assert scores["pa_mpjpe"] == pytest.approx(0.0, abs=1e-6) and scores["mpjpe"] > 200
    assert scores["pa_mpjpe_sequence"] == pytest.approx(0.0, abs=1e-6)


def test_sizes_are_those_of_bones() -> None:
    straight = np.zeros((3, 5, 3))
    straight[..., 0] = 0.6 * np.arange(5)
    assert size_of(straight, SNAKE) == pytest.approx(1.2)


class TestRigid:
    def test_rigid_points_give_their_pose_exactly(self) -> None:
        points, turns, places = moved()
        pose = rigid_pose(points, SHAPE)
        np.testing.assert_allclose(pose.rotation, turns.as_matrix(), atol=1e-9)
        np.testing.assert_allclose(pose.shift, places, atol=1e-9)
        np.testing.assert_allclose(made_rigid(points, SHAPE), points, atol=1e-9)

    def test_noise_is_averaged_as_scipy_does(self) -> None:
        points, turns, _ = moved()
        noisy = points + np.random.default_rng(2).normal(0.0, 0.02, points.shape)
        pose = rigid_pose(noisy, SHAPE)
        for frame in range(len(noisy)):
            about = noisy[frame] - noisy[frame].mean(axis=0)
            theirs, _ = Rotation.align_vectors(about, SHAPE - SHAPE.mean(axis=0))
            np.testing.assert_allclose(pose.rotation[frame], theirs.as_matrix(), atol=1e-6)
        off = np.degrees((Rotation.from_matrix(pose.rotation) * turns.inv()).magnitude())
        assert off.mean() < 6.0
        rest = np.linalg.norm(made_rigid(noisy, SHAPE) - points, axis=-1).mean()
        assert rest < 0.8 * np.linalg.norm(noisy - points, axis=-1).mean()

    def test_a_missing_point_is_no_harm_and_three_are_too_few(self) -> None:
        points, turns, _ = moved(2)
        points[0, 3] = np.nan
        points[1, :2] = np.nan
        pose = rigid_pose(points, SHAPE)
        np.testing.assert_allclose(pose.rotation[0], turns.as_matrix()[0], atol=1e-9)
        assert np.isnan(pose.rotation[1]).all()

    def test_errors_by_hand(self) -> None:
        """The thing is turned by 10 degrees about its middle and 5 cm too high; the root started 2 cm too high."""
        points, _, _ = moved()
        root = np.zeros((40, 3))
        higher = root + np.array([0.0, 0.02, 0.0])
        turn = Rotation.from_euler("x", 10, degrees=True).as_matrix()
        middle = points.mean(axis=1, keepdims=True)
        found = (points - middle) @ turn + middle + [0.0, 0.05, 0.0]
        scores = object_scores(found, points, SHAPE, higher, root)
        assert scores["t_object"] == pytest.approx(30.0)
        assert scores["object_turn"] == pytest.approx(10.0, abs=1e-6)
        assert 0 < scores["object_mpjpe"] < 60


def test_the_flat_floor_is_on_what_was_seen_and_has_no_depth() -> None:
    """A snake across the line of sight is as far away as its bones say, whatever it really does in depth."""
    xyz = np.zeros((4, 5, 3))
    xyz[..., 0], xyz[..., 2] = 0.5 * np.arange(5) - 1.0, -5.0
    cam_from_world = np.diag([1.0, -1.0, -1.0, 1.0])
    size = (1000, 1000)
    camera = Camera("c", intrinsics_from_focal(1000.0, size), np.zeros(5), cam_from_world, size)
    view = Keypoints2D(project(camera, xyz), np.ones((4, 5)), SNAKE.layout, 30.0, size)
    np.testing.assert_allclose(flat(view, camera, SNAKE), xyz, atol=1e-6)
