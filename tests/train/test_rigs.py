"""Random rigs: where cameras stand, what they see, and how wrong a calibration of them is."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.cameras import cam_points, centre, look_at, project
from mocaplift.errors import InvalidData
from mocaplift.train.data.rigs import (
    FOV_DEG,
    HEIGHT,
    LARGEST_ROLL,
    RADIUS,
    WORST_ANGLE,
    WORST_FOCAL,
    WORST_PLACE,
    Rigs,
    as_calibrated,
    placed,
    random_rig,
    random_rigs,
)
from mocaplift.values import Camera

COUNT = 400


@pytest.fixture(name="rigs", scope="module")
def _rigs() -> Rigs:
    return random_rigs(np.random.default_rng(0), COUNT, 3)


def pair_angles(rigs: Rigs) -> np.ndarray:
    """Return the angle between the first two cameras, seen from the origin, degrees."""
    flat = rigs.centre[:, :2, [0, 2]] / np.linalg.norm(rigs.centre[:, :2, [0, 2]], axis=-1, keepdims=True)
    return np.degrees(np.arccos(np.clip((flat[:, 0] * flat[:, 1]).sum(-1), -1, 1)))


def test_cameras_stand_and_see_within_the_ranges(rigs):
    radius = np.linalg.norm(rigs.centre[..., [0, 2]], axis=-1)
    assert radius.min() > RADIUS[0] - 1e-9 and radius.max() < RADIUS[1] + 1e-9
    assert rigs.centre[..., 1].min() >= HEIGHT[0] and rigs.centre[..., 1].max() <= HEIGHT[1]
    fov = np.degrees(2 * np.arctan(rigs.size.max(-1) / 2 / rigs.focal))
    assert fov.min() >= FOV_DEG[0] - 1e-9 and fov.max() <= FOV_DEG[1] + 1e-9
    portrait = (rigs.size[..., 1] > rigs.size[..., 0]).mean()
    assert 0.02 < portrait < 0.09
    # The camera's x axis leaves the horizontal by no more than the roll.
    assert np.abs(rigs.rotation[..., 0, 1]).max() <= np.sin(LARGEST_ROLL) + 1e-9


def test_cameras_look_as_look_at_says(rigs):
    """By hand: a camera at (0, 1, 4) that looks at (0, 1, 0) has x along +X, y down, z along -Z."""
    from mocaplift.train.data.rigs import _looking

    rotation = _looking(np.array([[[0.0, 1.0, 4.0]]]), np.array([[[0.0, 1.0, 0.0]]]), np.zeros((1, 1)))[0, 0]
    np.testing.assert_allclose(rotation, [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-12)
    eye, target = np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.9, -0.2])
    rotation = _looking(eye[None, None], target[None, None], np.array([[0.1]]))[0, 0]
    np.testing.assert_allclose(rotation, look_at(eye, target, 0.1)[:3, :3], atol=1e-12)


def test_arrays_and_cameras_are_the_same_rig(rigs):
    cameras = rigs.cameras(7)
    points = np.random.default_rng(1).normal((0, 1, 0), 0.4, (1, 5, 4, 3))
    seen = rigs.points(np.repeat(points, COUNT, axis=0))[7]
    for view, camera in enumerate(cameras):
        np.testing.assert_allclose(cam_points(camera, points[0]), seen[view], atol=1e-9)
        np.testing.assert_allclose(centre(camera), rigs.centre[7, view], atol=1e-9)
        plane = seen[view, ..., :2] / seen[view, ..., 2:]
        middle = (rigs.size[7, view] - 1) / 2
        np.testing.assert_allclose(
            project(camera, points[0]), plane * rigs.focal[7, view] + middle, atol=1e-6
        )
    back = Rigs.of(cameras)
    np.testing.assert_allclose(back.centre[0], rigs.centre[7], atol=1e-9)
    np.testing.assert_allclose(back.rotation[0], rigs.rotation[7], atol=1e-9)


def test_inside_means_inside_the_picture():
    camera = Camera("c", np.array([[100.0, 0, 99.5], [0, 100.0, 49.5], [0, 0, 1]]), np.zeros(5), np.eye(4), (200, 100))  # fmt: skip  # noqa: E501
    plane = np.array([[0.99, 0.0], [1.01, 0.0], [0.0, 0.49], [0.0, -0.51]]).reshape(1, 1, 4, 1, 2)
    assert Rigs.of((camera,)).is_inside(plane).ravel().tolist() == [True, False, True, False]


def test_pairs_that_face_each_other_are_common_but_not_the_rule():
    for num_views in (2, 4):
        angles = pair_angles(random_rigs(np.random.default_rng(2), 2000, num_views))
        assert 0.05 < (angles > 165).mean() < 0.5
        assert 0.2 < ((angles > 45) & (angles < 135)).mean() < 0.8


def test_persons_stand_off_the_middle_where_all_cameras_see_them(rigs):
    person = np.random.default_rng(3).normal((0, 0.9, 0), (0.2, 0.5, 0.2), (COUNT, 2, 21, 3))
    moved, off = placed(np.random.default_rng(4), rigs, person)
    assert np.median(off) > 0.3 and off.max() > 1.5
    step = moved.centre - rigs.centre
    np.testing.assert_allclose(np.linalg.norm(step, axis=-1), np.repeat(off[:, None], 3, axis=1), atol=1e-9)
    seen = moved.points(person)
    inside = moved.is_inside(seen[..., :2] / seen[..., 2:]) & (seen[..., 2] > 0)
    assert inside[off > 0][:, :, 1].mean(axis=-1).min() > 0.8
    assert inside.mean() > 0.9


def test_a_calibration_is_wrong_within_bounds(rigs):
    told = as_calibrated(np.random.default_rng(5), rigs)
    turn = told.rotation @ rigs.rotation.transpose(0, 1, 3, 2)
    angle = np.arccos(np.clip((np.trace(turn, axis1=2, axis2=3) - 1) / 2, -1, 1))
    assert angle.max() <= WORST_ANGLE + 1e-6 and np.median(angle) > np.radians(0.02)
    place = np.linalg.norm(told.centre - rigs.centre, axis=-1)
    assert place.max() <= WORST_PLACE + 1e-9 and 0.001 < np.median(place) < 0.01
    zoom = np.abs(told.focal / rigs.focal - 1)
    assert zoom.max() <= WORST_FOCAL + 1e-9 and zoom.max() > 0.002
    np.testing.assert_allclose(turn @ turn.transpose(0, 1, 3, 2), np.broadcast_to(np.eye(3), turn.shape), atol=1e-9)  # fmt: skip  # noqa: E501


def test_one_rig_is_a_tuple_of_cameras():
    cameras = random_rig(np.random.default_rng(6), 8)
    assert [camera.name for camera in cameras] == [f"cam{k}" for k in range(1, 9)]
    again = random_rig(np.random.default_rng(6), 8)
    np.testing.assert_array_equal(cameras[3].cam_from_world, again[3].cam_from_world)
    for count in (0, 9):
        with pytest.raises(InvalidData, match="1 to 8 cameras"):
            random_rig(np.random.default_rng(0), count)


@pytest.mark.parametrize("azimuths", [(0.0, 1.5), (0.0, 2.1, 4.2), (0.0, np.pi)])
def test_a_rig_is_moved_so_that_its_cameras_look_at_the_origin(azimuths):
    """Cameras 4 m around (10, 0, -3), looking at it; of two that face each other the middle is meant."""
    eyes = [np.array([4 * np.sin(each), 1.0, 4 * np.cos(each)]) for each in azimuths]
    middle = np.array([10.0, 0.0, -3.0])
    cameras = tuple(
        Camera(
            f"c{n}",
            np.diag([900.0, 900.0, 1.0]),
            np.zeros(5),
            look_at(eye + middle, middle + np.array([0.0, 1.0, 0.0])),
            (64, 48),
        )
        for n, eye in enumerate(eyes)
    )
    np.testing.assert_allclose(Rigs.of(cameras).centred().centre[0], eyes, atol=1e-4)
    assert Rigs.of(cameras).repeated(3).size.shape == (3, len(eyes), 2)
