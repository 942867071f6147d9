"""People out of sight: what is guessed and what is a straight line, by hand and through the lifters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.cameras import moved
from mocaplift.lift.direct import lifter as direct
from mocaplift.lift.holes import guessable, interpolated, stretches
from mocaplift.lift.mvlift import lifter as mvlift
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Keypoints2D, Motion3D
from tests.dancer import camera, dancer, seen
from tests.lift import tiny_direct
from tests.lift.mvlift import tiny

LENS = camera()
LIFTERS = {
    "direct": lambda view, lens: direct.lift([view], [lens], tiny_direct.tiny_network(head=0.02, frames=32)),
    "mvlift": lambda view, lens: mvlift.lift([view], [lens], tiny.tiny_network(head=0.02)),
}


def away(frames: int, gone: slice, fps: float = 30.0) -> Keypoints2D:
    """Return a dancer who is out of sight for a while."""
    view = seen(dancer(frames, fps=fps), LENS)
    xy, conf = view.xy.copy(), view.conf.copy()
    xy[gone], conf[gone] = np.nan, 0.0
    return replace(view, xy=xy, conf=conf, landmarks=None)


def test_half_a_second_to_each_side_is_guessed() -> None:
    """By hand at 4 fps: two frames after and before one that shows the person."""
    usable = np.zeros(12, dtype=bool)
    usable[[1, 9]] = True
    near = guessable(usable, 4.0)
    assert np.flatnonzero(near).tolist() == [0, 1, 2, 3, 7, 8, 9, 10, 11]
    assert stretches(near) == [slice(0, 4), slice(7, 12)]
    assert stretches(usable & False) == []


def test_between_known_values_lies_a_line() -> None:
    values = np.array([[0.0], [3.0], [5.0]])
    found = interpolated(np.arange(8), np.array([1, 4, 6]), values)[:, 0]
    np.testing.assert_allclose(found, [0, 0, 1, 2, 3, 4, 5, 5])
    np.testing.assert_allclose(interpolated(np.arange(3), np.array([1]), values[:1]), 0.0)


@pytest.mark.parametrize("name", LIFTERS)
class TestLifters:
    """Networks that know nothing: what holds of a hole holds of every network."""

    # Longer than a window of either network.
    GONE = slice(30, 110)

    def lifted(self, name: str, yaw: float = 0.0) -> Motion3D:
        transform = np.eye(4)
        transform[:3, :3] = to_matrix(about_axis("Y", yaw))
        return LIFTERS[name](away(140, self.GONE), moved(LENS, transform))

    def test_a_long_hole_is_a_line_that_nobody_vouches_for(self, name: str) -> None:
        found = self.lifted(name)
        inside = slice(self.GONE.start + 16, self.GONE.stop - 16)
        np.testing.assert_allclose(np.diff(found.xyz[inside], n=2, axis=0), 0.0, atol=1e-9)
        assert found.sigma[inside].min() >= 0.3 > found.sigma[:20].max()

    def test_where_the_camera_looks_does_not_matter(self, name: str) -> None:
        """A window that shows nobody has no direction of its own: it once looked to -Z of the world."""
        here, there = self.lifted(name), self.lifted(name, yaw=np.pi)
        np.testing.assert_allclose(there.xyz, rotate(about_axis("Y", np.pi), here.xyz), atol=1e-6)


def test_a_still_person_is_the_same_however_short_the_clip() -> None:
    """Clips shorter than a window go on backwards: of one who stands still nothing is told that was not before."""
    view = seen(dancer(1, fps=15.0), LENS)
    still = [
        replace(
            view,
            xy=np.repeat(view.xy, frames, axis=0),
            conf=np.repeat(view.conf, frames, axis=0),
            landmarks=None,
        )
        for frames in (1, 5, tiny.SIZES.frames)
    ]
    found = [LIFTERS["mvlift"](each, LENS).xyz[0] for each in still]
    np.testing.assert_allclose(found[0], found[2], atol=1e-9)
    np.testing.assert_allclose(found[1], found[2], atol=1e-9)


@pytest.mark.parametrize("frames", [6, 40])
def test_frames_before_the_first_that_is_looked_at_are_like_it(frames: int) -> None:
    """Of a fast clip every other frame is looked at, in turns: the second turn begins late."""
    places = np.arange(frames)[1::2]
    values = np.sin(places / 3)[:, None, None] * np.ones((1, 21, 3))
    found = mvlift._at_all(values, places, np.arange(frames))
    np.testing.assert_allclose(found[:2], values[:1].repeat(2, axis=0))
    np.testing.assert_allclose(found[-1], values[-1])
