"""How well two calibrated cameras' rays meet when one clock is shifted, and the shift at which they do.

Two rays and the line between the cameras lie in one plane if both see the same point at the same moment. The angle
by which they miss it needs neither the unit nor the axes of the calibration's world.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import centre, rays
from mocaplift.values import Camera, Keypoints2D
from mocaplift.views.lags import CAUCHY

# Expected error of a keypoint, in shares of the body's spread in the picture (near 0.45 m): 4 to 5 cm.
ERROR_SHARE = 0.1
# Rays nearer (sine) than this to the line between the cameras lie in every plane with it.
LEAST_PARALLAX = 0.1
# Moments looked at for a coarse answer.
MOST_MOMENTS = 400
# Steps of the estimate of a shift, and the largest one (ticks): past it the slope says nothing.
STEPS, LONGEST_STEP = 8, 2.0
# How a miss changes with the lag is taken this far to both sides (ticks): nearer, noise is taken for movement.
SLOPE_REACH = 2.0
# Errors are alike for this long (ticks of 1/60 s): what a shift's own error is counted from.
BLOCK = 30
# A joint's constant offset between two views (detectors see another point of the body from behind) is expected to
# be as large as its error.
OFFSET_SHARE = 1.0


class Rays(NamedTuple):
    """What one camera saw of one person: unit directions in the world, at an even rate."""

    place: Float[np.ndarray, "3"]
    directions: Float[np.ndarray, "T J 3"]
    conf: Float[np.ndarray, "T J"]
    spread: float


class Shift(NamedTuple):
    """By how much a lag must grow (ticks) for the rays to meet, its expected error, and its growth with time.

    `drift` is ticks a tick, `drift_error` its expected error.
    """

    ticks: float
    error: float
    drift: float
    drift_error: float


def rays_of(view: Keypoints2D, camera: Camera) -> Rays:
    """Return the rays to a person's joints; those not seen are 0 with confidence 0."""
    seen = view.conf > 0
    directions = np.where(seen[..., None], rays(camera, np.where(seen[..., None], view.xy, 0.0)), 0.0)
    total = np.maximum(view.conf.sum(axis=1), 1e-9)[:, None]
    middle = (view.conf[..., None] * directions).sum(axis=1) / total
    off = (view.conf * ((directions - middle[:, None]) ** 2).sum(axis=-1)).sum(axis=1) / total[:, 0]
    off = np.sqrt(off[view.conf.any(axis=1)])
    return Rays(centre(camera), directions, view.conf, float(np.median(off)) if len(off) else np.nan)


def meeting(first: Rays, second: Rays, lag: float, every: int | None = None) -> tuple[float, float]:
    """Return the share of rays that meet (0 to 1) at a lag (ticks), and how many were compared (joint-ticks)."""
    if every is None:
        every = max(1, len(first.directions) // MOST_MOMENTS)
    miss, weight = _misses(first, second, lag, every)
    total = float(weight.sum())
    if not total:
        return 0.0, 0.0
    sigma = ERROR_SHARE * np.hypot(first.spread, second.spread)
    return float((weight * np.exp(-0.5 * (miss / sigma) ** 2)).sum() / total), float(
        (weight > 0).sum() * every
    )


def shift(first: Rays, second: Rays, lag: float) -> Shift | None:
    """Return how much to add to a lag so that the rays meet best, or None where nothing tells.

    Each joint may be seen at another place of the body in each view (a constant offset of its own); what moves
    with time is put down to the clock. Robust: rays that miss by far count little.
    """
    start, drift = lag, 0.0
    for _ in range(STEPS):
        step = _step(first, second, lag)
        if step is None or abs(lag - start) > 3 * LONGEST_STEP:
            return None
        lag += float(np.clip(step.ticks, -LONGEST_STEP, LONGEST_STEP))
        drift, error, drift_error = step.drift, step.error, step.drift_error
        if abs(step.ticks) < 1e-3:
            break
    return Shift(lag - start, error, drift, drift_error)


def _step(first: Rays, second: Rays, lag: float) -> Shift | None:
    """Return one step of the estimate: weighted least squares of misses on how they change with the lag."""
    miss, weight = _misses(first, second, lag, 1)
    later, weight_later = _misses(first, second, lag + SLOPE_REACH, 1)
    earlier, weight_earlier = _misses(first, second, lag - SLOPE_REACH, 1)
    weight = np.where((weight_later > 0) & (weight_earlier > 0), weight, 0.0)
    slope = np.where(weight > 0, (later - earlier) / (2 * SLOPE_REACH), 0.0)
    if (weight > 0).sum() < BLOCK:
        return None
    sigma = ERROR_SHARE * np.hypot(first.spread, second.spread)
    scale = max(1.48 * float(np.median(np.abs(miss[weight > 0]))), 0.1 * sigma)
    robust = weight / (1 + (miss / (CAUCHY * scale)) ** 2)
    # Each joint's own offset is taken out of misses and slopes, as far as there is evidence for one.
    prior = (scale / (OFFSET_SHARE * sigma)) ** 2
    total = robust.sum(axis=0) + prior
    miss = miss - (robust * miss).sum(axis=0) / total
    slope = slope - (robust * slope).sum(axis=0) / total
    information = float((robust * slope**2).sum())
    if not information > 0:
        return None
    ticks = -float((robust * slope * miss).sum()) / information
    time = (
        np.arange(len(miss))[:, None]
        - float((robust * slope**2 * np.arange(len(miss))[:, None]).sum()) / information
    )
    rest = np.where(robust > 0, miss + ticks * slope, 0.0)
    turning = robust * slope**2 * time**2
    drift = -float((robust * slope * time * rest).sum()) / max(float(turning.sum()), 1e-12)
    blocks = np.arange(0, len(miss), BLOCK)
    pulls = np.add.reduceat((robust * slope * rest).sum(axis=1), blocks)
    turns = np.add.reduceat((robust * slope * time * rest).sum(axis=1), blocks)
    return Shift(
        ticks,
        float(np.sqrt((pulls**2).sum())) / information,
        drift,
        float(np.sqrt((turns**2).sum())) / max(float(turning.sum()), 1e-12),
    )


def _misses(
    first: Rays, second: Rays, lag: float, every: int
) -> tuple[Float[np.ndarray, "N J"], Float[np.ndarray, "N J"]]:
    """Return by how much rays miss each other's plane (rad) at a lag (ticks), and how much each counts.

    Row n is tick `n * every` of the first.
    """
    ticks = np.arange(0, len(first.directions), every)
    shape = (len(ticks), first.directions.shape[1])
    between = second.place - first.place
    length = np.linalg.norm(between)
    whole = int(np.floor(lag))
    share = lag - whole
    before = ticks + whole
    inside = (before >= 0) & (before + 1 < len(second.directions))
    if not length or not inside.any():
        return np.zeros(shape), np.zeros(shape)
    before = before[inside]
    own, other = first.directions[ticks[inside]], second.directions[before]
    other = other + share * (second.directions[before + 1] - other)
    conf = np.minimum(second.conf[before], second.conf[before + 1]) * first.conf[ticks[inside]]
    across_own, across_other = np.cross(between / length, own), np.cross(between / length, other)
    parallax = np.maximum(np.linalg.norm(across_own, axis=-1), np.linalg.norm(across_other, axis=-1))
    usable = (conf > 0) & (parallax > LEAST_PARALLAX)
    miss, weight = np.zeros(shape), np.zeros(shape)
    miss[inside] = np.where(usable, (across_own * other).sum(axis=-1) / np.where(usable, parallax, 1.0), 0.0)
    weight[inside] = np.where(usable, np.sqrt(conf), 0.0)
    return miss, weight
