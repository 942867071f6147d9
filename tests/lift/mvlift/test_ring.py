"""The ring's geometry: where its cameras stand, what they see, lines and triangulation."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.lift.mvlift.ring import RING_RADIUS, Ring
from tests.lift.mvlift.tiny import windows

# A level camera at the origin that looks along -Z: right is +X, down is -Y.
LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
QUARTERS = (np.pi / 2, np.pi, 3 * np.pi / 2)


def ring(distance: float = 4.0, azimuths: tuple[float, ...] = QUARTERS, radius: float = RING_RADIUS) -> Ring:
    return Ring.around(LEVEL, np.asarray(distance), azimuths, radius)


def test_cameras_stand_where_they_should() -> None:
    """By hand: the middle is (0, 0, -4); a quarter turn about +Y takes the camera from +Z of it to +X."""
    np.testing.assert_allclose(ring().centre, [[0, 0, 0], [6, 0, -4], [0, 0, -10], [-6, 0, -4]], atol=1e-12)
    np.testing.assert_allclose(ring().axes[0], LEVEL)
    np.testing.assert_allclose(ring().axes[1, 2], [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(ring().axes[1, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(ring().axes[1:, 1], [[0, -1, 0]] * 3, atol=1e-12)


def test_pictures_are_in_metres_at_the_middle() -> None:
    """By hand: 0.3 m right of the middle, 0.5 m above it and 1 m nearer, for a camera 4 m and others 6 m away."""
    point = np.array([[[0.3, 0.5, -3.0]]])
    expected = [[0.3 * 4 / 3, -0.5 * 4 / 3], [-1 / 0.95, -0.5 / 0.95], [-0.3 * 6 / 7, -0.5 * 6 / 7]]
    expected.append([1 / 1.05, -0.5 / 1.05])
    np.testing.assert_allclose(ring().see(point)[:, 0, 0], expected, atol=1e-12)


def test_a_camera_that_looks_down_has_a_level_ring() -> None:
    down = np.array([[1.0, 0.0, 0.0], [0.0, -0.8, 0.6], [0.0, -0.6, -0.8]])
    found = Ring.around(down, np.asarray(5.0), (np.pi,))
    np.testing.assert_allclose(found.centre[1], [0.0, -3.0, -10.0], atol=1e-12)
    np.testing.assert_allclose(found.axes[1, 2], [0.0, 0.0, 1.0], atol=1e-12)


def test_points_behind_a_camera_are_seen_as_if_before_it() -> None:
    assert np.isfinite(ring().see(np.array([[[0.0, 0.0, 3.0]]]))).all()


def test_what_all_see_is_where_it_is() -> None:
    """Four views of the truth give the truth back within a millimetre; so do two."""
    _, truth, around = windows()
    plane = around.see(truth)
    weight = np.ones(plane.shape[:-1])
    assert np.abs(around.triangulated(plane, weight) - truth).max() < 1e-5
    weight[:, 2:] = 0.0
    assert np.abs(around.triangulated(plane, weight) - truth).max() < 1e-4


def test_what_nobody_sees_is_in_the_middle() -> None:
    found = ring().triangulated(np.zeros((4, 1, 1, 2)), np.zeros((4, 1, 1)))
    np.testing.assert_allclose(found[0, 0], [0.0, 0.0, -4.0])


@pytest.mark.parametrize("view", [0, 2])
def test_lines_go_through_what_the_others_see(view: int) -> None:
    _, truth, around = windows()
    plane = around.see(truth)
    lines = around.lines(plane[:, view], view)
    distance = np.abs((lines[..., :2] * plane).sum(-1) + lines[..., 2])
    assert distance.max() < 1e-5
    others = [each for each in range(4) if each != view]
    np.testing.assert_allclose(np.linalg.norm(lines[:, others, ..., :2], axis=-1), 1.0)
    assert (lines[:, view] == 0).all()


@pytest.mark.parametrize(("gap", "expected"), [(12, 9.91), (60, 1.80), (90, 1.04), (120, 0.60), (180, 0.0)])
def test_epipoles_of_a_level_ring_are_those_of_the_paper(gap: float, expected: float) -> None:
    """All lines meet at |x| = cot(gap / 2) in units of the focal length; the paper's unit is 960 / 1000 of it."""
    around = ring(3.0, (np.radians(gap),), 3.0)
    points = np.array([[[0.4, 0.7, -2.5], [-0.3, -0.6, -3.4]]])
    lines = around.lines(around.see(points)[0], 0)[1, 0]
    meeting = np.cross(*lines)
    epipole = meeting[:2] / meeting[2] / 3.0 * (1000 / 960)
    np.testing.assert_allclose(np.abs(epipole), [expected, 0.0], atol=6e-3)
