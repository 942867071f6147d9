"""What is told to the networks: frames of reference, sizes, masks, signs."""

from __future__ import annotations

import numpy as np

from mocaplift.lift.mvlift.conditions import (
    FREE,
    NUM_FRAME,
    NUM_LINE,
    NUM_LINE_FRAME,
    NUM_SEEN,
    PAPER,
    POSE_SPREAD,
    ROOT_SPREAD,
    decoded,
    encoded,
    num_channels,
    num_told_lines,
    num_told_seen,
    observed,
    told_lines,
)
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.rotations import about_axis, rotate
from tests.lift.mvlift.tiny import windows

JOINTS = len(PERSON.layout)


def rays_of(truth: np.ndarray) -> np.ndarray:
    return truth / np.linalg.norm(truth, axis=-1, keepdims=True)


def test_pictures_go_through_channels() -> None:
    plane = np.random.default_rng(0).normal(size=(2, 3, JOINTS, 2))
    channels = encoded(plane, PERSON)
    assert channels.shape == (2, 3, num_channels(PERSON))
    np.testing.assert_allclose(decoded(channels, PERSON), plane, atol=1e-12)


def test_channels_are_pose_and_root_in_their_units() -> None:
    """By hand: hips at (1, 2) and (3, 2), so the root is (2, 2) and the left hip 1 m to its left."""
    plane = np.zeros((JOINTS, 2))
    hips = PERSON.layout.index("left_hip", "right_hip")
    plane[hips] = [[1.0, 2.0], [3.0, 2.0]]
    channels = encoded(plane, PERSON)
    np.testing.assert_allclose(channels[-2:], [2 / ROOT_SPREAD, 2 / ROOT_SPREAD])
    np.testing.assert_allclose(channels[2 * hips[0] : 2 * hips[0] + 2], [-1 / POSE_SPREAD, 0.0])


def test_the_bones_tell_the_distance() -> None:
    told, truth, _ = windows()
    hips = truth[..., PERSON.layout.index(*PERSON.root), :].mean(axis=-2)
    assert abs(told.distance[0] / np.median(hips @ told.axes[0, 2]) - 1) < 0.1


def test_the_camera_is_turned_to_the_person_and_upright() -> None:
    told, truth, ring = windows()
    np.testing.assert_allclose(told.axes[0] @ told.axes[0].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(told.axes[0]) > 0
    assert abs(told.axes[0, 0, 1]) < 1e-12 and told.axes[0, 1, 1] < 0
    np.testing.assert_allclose(told.plane, ring.see(truth)[:, 0], atol=1e-9)


def test_a_world_that_turns_about_the_vertical_tells_the_same() -> None:
    told, truth, _ = windows()
    turned = observed(rotate(about_axis("Y", 1.1), rays_of(truth)), told.sigma, PERSON)
    np.testing.assert_allclose(turned.told, told.told, atol=1e-5)
    np.testing.assert_allclose(turned.distance, told.distance)


def test_twice_as_large_and_far_is_told_as_twice_as_far() -> None:
    """Half the picture, nearly: the person at twice the distance has the same shape and half the scale."""
    told, truth, _ = windows()
    ahead = told.distance[0] * told.axes[0, 2]
    far = observed(rays_of(truth + ahead), told.sigma, PERSON)
    assert abs(far.distance[0] / told.distance[0] - 2) < 0.15


def test_what_was_not_seen_is_told_as_nothing() -> None:
    told, truth, _ = windows()
    sigma = told.sigma.copy()
    wrist = PERSON.layout.at("left_wrist")
    sigma[:, 5:9, wrist] = np.inf
    sigma[:, 12] = np.inf
    direction = rays_of(truth)
    direction[:, 12] = 0.0
    some = observed(direction, sigma, PERSON)
    assert np.isfinite(some.told).all() and np.isfinite(some.plane).all()
    assert some.told.shape[-1] == num_told_seen(PERSON)
    joints = some.told[..., :-NUM_FRAME].reshape(1, 16, JOINTS, NUM_SEEN)
    assert (joints[:, 5:9, wrist] == 0).all() and (joints[:, 12] == 0).all()
    assert (joints[:, :5, wrist, -1] == 1).all()
    assert (some.told[:, 12, -1] == 0).all() and (some.told[:, 11, -1] == 1).all()


def test_a_window_that_shows_nothing_is_told_as_nothing() -> None:
    some = observed(np.zeros((1, 4, JOINTS, 3)), np.full((1, 4, JOINTS), np.inf), PERSON)
    assert np.isfinite(some.told).all() and some.distance[0] == 4.0


def test_lines_have_no_sign() -> None:
    lines = np.random.default_rng(0).normal(size=(1, 3, JOINTS, 3))
    wanted = np.ones((1, 3, JOINTS), dtype=bool)
    axes, distance = np.eye(3)[None], np.array([4.0])
    told = told_lines(lines, wanted, axes, distance)
    assert told.shape == (1, 3, num_told_lines(PERSON))
    np.testing.assert_array_equal(told, told_lines(-lines, wanted, axes, distance))


def test_the_signs_of_the_paper_jump_where_lines_are_horizontal() -> None:
    """A line that tilts by a hair the other way is told with all its numbers turned round."""
    lines = np.zeros((1, 2, JOINTS, 3))
    lines[..., 1], lines[..., 2] = 1.0, -0.5
    lines[:, 0, :, 0], lines[:, 1, :, 0] = 1e-6, -1e-6
    wanted, axes, distance = np.ones((1, 2, JOINTS), dtype=bool), np.eye(3)[None], np.array([4.0])

    def told(signs: str) -> np.ndarray:
        some = told_lines(lines, wanted, axes, distance, signs=signs)[..., :-NUM_LINE_FRAME]
        return some.reshape(2, JOINTS, NUM_LINE)

    paper, free = told(PAPER), told(FREE)
    np.testing.assert_allclose(paper[0, 0], [0, 1, -0.5, 0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(paper[1, 0], [0, -1, 0.5, 0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(free[0], free[1], atol=1e-5)
