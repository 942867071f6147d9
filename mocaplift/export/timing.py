"""Motions at another rate: rates are exact fractions, and every new frame is taken at its exact moment."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift import rotations
from mocaplift.errors import ConfigError

SOURCE = "source"
# Television's rates are 1000/1001 of a whole number (SMPTE ST 12).
RATES = {
    "23.976": Fraction(24000, 1001),
    "24": Fraction(24),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "50": Fraction(50),
    "59.94": Fraction(60000, 1001),
    "60": Fraction(60),
    "120": Fraction(120),
}
# A float this near (share) to a fraction of small numbers came from it: doubles keep 16 digits.
SAME_RATE = 1e-9
LARGEST_DENOMINATOR = 1001
FINEST_RATE = 1_000_000
# Neighbours farther apart than this are joined by the shortest arc: the cubic through their components leaves the
# sphere too far there.
WIDEST_CUBIC = np.radians(60.0)


def exact_rate(fps: float | Fraction) -> Fraction | float:
    """Return the fraction that a rate was made of (29.97002997 is 30000/1001), or the rate if there is none."""
    near = Fraction(fps).limit_denominator(LARGEST_DENOMINATOR)
    return near if near > 0 and abs(float(near) / float(fps) - 1) < SAME_RATE else fps


def rate_named(name: str, source: float | Fraction) -> Fraction | float:
    """Return the rate of frames that a name stands for; "source" keeps the motion's own.

    Raises:
        ConfigError: no such rate; the message lists the known ones.
    """
    if name == SOURCE:
        return exact_rate(source)
    if name not in RATES:
        raise ConfigError(f"unknown frame rate {name!r}; known: {SOURCE}, {', '.join(RATES)}")
    return RATES[name]


class Moments(NamedTuple):
    """Where new frames lie between old ones: the old one before, and the share (0 to 1) of the way to the next."""

    first: Int[np.ndarray, "N"]
    part: Float[np.ndarray, "N"]


def moments(frames: int, have: Fraction | float, want: Fraction | float) -> Moments | None:
    """Return where the frames of another rate lie in a motion, None where nothing changes.

    Frame k is at k / want seconds; the last one is nearest to the end. In whole numbers, so that a rate of
    1000/1001 is as exact after hours as in the first second.
    """
    if frames < 2 or float(have) == float(want):
        return None
    step = _fraction(have) / _fraction(want)
    last = (2 * (frames - 1) * step.denominator + step.numerator) // (2 * step.numerator)
    passed = np.arange(int(last) + 1, dtype=np.int64) * step.numerator
    passed = np.minimum(passed, (frames - 1) * step.denominator)
    first = np.minimum(passed // step.denominator, frames - 2)
    return Moments(first, (passed - first * step.denominator) / step.denominator)


def values_at(at: Moments, values: Float[np.ndarray, "T *rest"]) -> Float[np.ndarray, "N *rest"]:
    """Return values between frames by Catmull and Rom's cubic; at a frame it is that frame's.

    Before the first and behind the last frame the motion is taken to go straight on.
    """
    before, after = 2 * values[:1] - values[1:2], 2 * values[-1:] - values[-2:-1]
    padded = np.concatenate([before, values, after])
    t = at.part.reshape(-1, *[1] * (values.ndim - 1))
    weights = (
        t * (-1 + t * (2 - t)) / 2,
        1 + t * t * (3 * t - 5) / 2,
        t * (1 + t * (4 - 3 * t)) / 2,
        t * t * (t - 1) / 2,
    )
    parts = [weight * padded[at.first + k] for k, weight in enumerate(weights)]
    return parts[0] + parts[1] + parts[2] + parts[3]


def turns_at(at: Moments, turns: Float[np.ndarray, "T J 4"]) -> Float[np.ndarray, "N J 4"]:
    """Return rotations between frames by the same cubic, and along the shortest arc where frames are far apart."""
    turns = rotations.make_continuous(turns)
    found = rotations.normalize(values_at(at, turns))
    wide = rotations.angle_between(turns[:-1], turns[1:]) > WIDEST_CUBIC
    # The cubics on both sides of a wide step swing out before it and after it.
    beside = np.pad(wide, ((1, 1), (0, 0)))
    wide = wide | beside[2:] | beside[:-2]
    frame, joint = np.nonzero(wide[at.first])
    before, after = turns[at.first[frame], joint], turns[at.first[frame] + 1, joint]
    found[frame, joint] = rotations.slerp(before, after, at.part[frame])
    return rotations.make_continuous(found)


def contacts_at(at: Moments, contacts: Bool[np.ndarray, "T F"]) -> Bool[np.ndarray, "N F"]:
    """Return what stands at the frames before and after: between them it stands if it does at both."""
    part = at.part[:, None]
    return (contacts[at.first] | (part == 1)) & (contacts[at.first + 1] | (part == 0))


def _fraction(fps: Fraction | float) -> Fraction:
    """Return a rate as a fraction, small enough for whole numbers of 64 bits over a day of frames."""
    return Fraction(fps).limit_denominator(FINEST_RATE)
