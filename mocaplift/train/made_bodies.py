"""What stage 3 keeps of the bodies that it fits, of people and of other figures alike, and at which rate."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

from mocaplift.lift.mvlift.conditions import Observed
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.train.data.motion_bank import BANK_FPS

# What was made lasts as long as a window: nothing is left to be faster.
MADE_SPEEDS = (0.7, 0.95)
WORST_PICTURE = 0.08  # units, mean: bodies further off what was observed are no good examples


def is_near(
    body: Float[np.ndarray, "T J 3"], seen: Observed, points: Float[np.ndarray, "T J 3"], farthest: float
) -> bool:
    """Return whether a body is near one window's picture, and its points to so much (units, mean)."""
    is_seen = np.isfinite(seen.sigma[0])
    looks = Ring.around(seen.axes, seen.distance, ()).see(body[None])[0, 0]
    missed = np.linalg.norm(looks - seen.plane[0], axis=-1)[is_seen]
    moved = np.linalg.norm(body - points, axis=-1)
    return bool(missed.mean() < WORST_PICTURE and moved.mean() < farthest)


def at_bank_rate(body: Float[np.ndarray, "T J 3"], fps: float) -> Float[np.ndarray, "F J 3"]:
    """Return points at the rate of a bank of motions."""
    frames = len(body)
    at = np.arange(0, frames - 1 + 1e-9, fps / BANK_FPS)
    xyz: Float[np.ndarray, "F J 3"] = make_interp_spline(np.arange(frames), body, k=3)(at)
    return xyz
