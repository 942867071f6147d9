"""Clocks of several cameras that tick together but not at the same moment: found from how the person moves.

A picture taken `offset` seconds late shows every point `offset` times its velocity away. Cameras that started on
one signal are often some milliseconds apart; a foot of a dancer moves 5 cm in 10 ms.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mocaplift.lift.view_rays import TAIL, ViewRays

# Cameras of one take on one clock: AIST++'s nine are within 17 ms before and 30 ms behind their mean.
USUAL_OFFSET = 0.02  # s
# Errors of neighbouring frames and joints are alike: so many observations tell as much as one.
OBSERVATIONS_AS_ONE = 20.0
# A smaller offset is not worth a second look.
SMALLEST_OFFSET = 0.002  # s


def clock_offsets(rays: ViewRays, xyz: Float[np.ndarray, "T 21 3"], fps: float) -> Float[np.ndarray, "V"]:
    """Return how late (s) each view's pictures are taken, around a mean of zero.

    The most likely offsets of the points as they are, Student-t weighted, with offsets usually small.
    """
    if len(xyz) < 2:
        return np.zeros(len(rays.centre))
    velocity = rays.across(np.gradient(xyz, 1 / fps, axis=0))
    misses = rays.misses(xyz)
    seen = np.isfinite(rays.sigma)
    weight = np.where(seen, 1 / np.where(seen, rays.sigma, 1.0) ** 2, 0.0)
    weight *= (TAIL + 2) / (TAIL + np.square(misses).sum(axis=-1) * weight) / OBSERVATIONS_AS_ONE
    information = (weight * np.square(velocity).sum(axis=-1)).sum(axis=(1, 2)) + 1 / USUAL_OFFSET**2
    late = -(weight * (velocity * misses).sum(axis=-1)).sum(axis=(1, 2)) / information
    return np.asarray(late - late.mean())


def on_time(rays: ViewRays, late: Float[np.ndarray, "V"], fps: float) -> ViewRays:
    """Return the rays at the moments of the frames, of pictures that were taken `late` seconds after them.

    Between two pictures the direction is interpolated; where one of them does not show the point, the nearer
    counts.
    """
    frames = rays.direction.shape[1]
    if frames < 2:
        return rays
    at = np.clip(np.arange(frames) - late[:, None] * fps, 0, frames - 1)
    before = np.minimum(at.astype(int), frames - 2)
    part = (at - before)[..., None]
    view = np.arange(len(late))[:, None]
    first, second = rays.sigma[view, before], rays.sigma[view, before + 1]
    # Of a gap's edge only the nearer picture is known.
    share = np.where(np.isfinite(first) & np.isfinite(second), part, np.round(part))
    with np.errstate(invalid="ignore"):
        sigma = np.where(
            share == 0, first, np.where(share == 1, second, (1 - share) * first + share * second)
        )
    share = share[..., None]
    direction = (1 - share) * rays.direction[view, before] + share * rays.direction[view, before + 1]
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), np.finfo(float).tiny)
    return replace(rays, direction=direction, sigma=sigma)
