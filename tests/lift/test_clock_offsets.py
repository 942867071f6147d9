"""Clocks that are milliseconds apart: found from a dancer whose pictures were taken late, and taken out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.lift import load_lifter
from mocaplift.lift.clock_offsets import clock_offsets, on_time
from mocaplift.lift.view_rays import ViewRays
from tests.dancer import dancer
from tests.rigs import away, ring, watched

FPS = 30.0
FINE = 20  # moments in a frame
LATE = (0.015, -0.02, 0.005)  # s


def seen_late():
    """Return the truth at its frames, and what cameras see whose pictures are taken `LATE` seconds after them."""
    fine = body_keypoints(dancer(60 * FINE, fps=FPS * FINE))
    frames = np.arange(1, 58) * FINE
    true = replace(fine, xyz=fine.xyz[frames], sigma=fine.sigma[frames], fps=FPS)
    cameras = ring(len(LATE))
    views = []
    for at, seconds in enumerate(LATE):
        shown = frames + round(seconds * FPS * FINE)
        views.append(watched(replace(true, xyz=fine.xyz[shown]), cameras)[at])
    return true, views, cameras


def test_a_ray_that_moves_evenly_is_found_at_its_moment() -> None:
    direction = np.zeros((1, 4, 21, 3))
    direction[..., 2] = 1.0
    direction[0, :, :, 0] = np.arange(4)[:, None] * 0.01
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    sigma = np.full((1, 4, 21), 0.02)
    sigma[0, 3, 0] = np.inf
    rays = ViewRays(direction=direction, centre=np.zeros((1, 3)), sigma=sigma)
    # A picture taken 0.6 frames late shows at frame 1 what belongs between frames 1 and 2.
    timed = on_time(rays, np.array([0.6 / FPS]), FPS)
    slope = timed.direction[0, :, :, 0] / timed.direction[0, :, :, 2]
    np.testing.assert_allclose(slope[:, 1], [0.0, 0.004, 0.014, 0.024], atol=1e-6)
    # Beside a gap the nearer picture counts.
    np.testing.assert_allclose(slope[3, 0], 0.02, atol=1e-6)
    np.testing.assert_allclose(timed.sigma, 0.02)


def test_offsets_are_found_from_the_true_points() -> None:
    true, views, cameras = seen_late()
    late = clock_offsets(ViewRays.of(views, cameras), true.xyz, FPS)
    np.testing.assert_allclose(late, LATE, atol=0.002)


def test_a_person_who_stands_still_tells_no_offset() -> None:
    true, views, cameras = seen_late()
    still = [replace(view, xy=np.repeat(view.xy[:1], len(view.xy), axis=0)) for view in views]
    late = clock_offsets(ViewRays.of(still, cameras), np.repeat(true.xyz[:1], len(true.xyz), axis=0), FPS)
    np.testing.assert_allclose(late, 0.0, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_pass(frames: int) -> None:
    _, views, cameras = seen_late()
    rays = ViewRays.of(views, cameras).part(slice(0, frames))
    assert on_time(rays, np.array(LATE), FPS).direction.shape == rays.direction.shape


def test_late_pictures_cost_little() -> None:
    true, views, cameras = seen_late()
    late = away(load_lifter("triangulate")(views, cameras), true).mean()
    plain = away(load_lifter("dlt")(views, cameras), true).mean()
    in_time = away(load_lifter("triangulate")(watched(true, cameras), cameras), true).mean()
    assert late < 0.5 * plain
    assert late < in_time + 0.004
