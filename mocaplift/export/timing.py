"""Motions at another rate: rates are exact fractions, and every new frame is taken at its exact moment."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from mocaplift import rotations
from mocaplift.errors import ConfigError
from mocaplift.values import SkeletonMotion

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


def resample(
    motion: SkeletonMotion, contacts: Bool[np.ndarray, "T F"] | None, fps: Fraction | float
) -> tuple[SkeletonMotion, Bool[np.ndarray, "N F"] | None]:
    """Return the motion, and when feet stand, at another rate.

    Frame k is what was at k / fps seconds, by a cubic through the four frames around it; one at the very time
    of a frame is that frame. The last frame is the one nearest to the end. A contact is that of the nearest
    frame.
    """
    have = Fraction(exact_rate(motion.fps))
    want = Fraction(fps)
    if have == want or len(motion.root) < 2:
        return motion, contacts
    first, part = _moments(len(motion.root), have, want)
    turns = _cubic(rotations.make_continuous(motion.rotations), first, part)
    turns = rotations.normalize(turns)
    wide = rotations.angle_between(motion.rotations[:-1], motion.rotations[1:]) > WIDEST_CUBIC
    frame, joint = np.nonzero(wide[first])
    before = motion.rotations[first[frame], joint]
    after = motion.rotations[first[frame] + 1, joint]
    turns[frame, joint] = rotations.slerp(before, after, part[frame])
    moved = SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=rotations.make_continuous(turns),
        root=_cubic(motion.root, first, part),
        fps=float(want),
    )
    return moved, None if contacts is None else contacts[first + (part >= 0.5)]


def _moments(frames: int, have: Fraction, want: Fraction) -> tuple[np.ndarray, np.ndarray]:
    """Return for every new frame the old one before it, and how far (0 to 1) it is from there to the next.

    In whole numbers, so that a rate of 1000/1001 is as exact after hours as in the first second.
    """
    step = have / want
    last = (2 * (frames - 1) * step.denominator + step.numerator) // (2 * step.numerator)
    passed = np.arange(int(last) + 1, dtype=np.int64) * step.numerator
    passed = np.minimum(passed, (frames - 1) * step.denominator)
    first = np.minimum(passed // step.denominator, frames - 2)
    return first, (passed - first * step.denominator) / step.denominator


def _cubic(
    values: Float[np.ndarray, "T *rest"], first: np.ndarray, part: np.ndarray
) -> Float[np.ndarray, "N *rest"]:
    """Return values between frames by Catmull and Rom's cubic; at the ends the motion goes straight on."""
    ends = 2 * values[:1] - values[1:2], 2 * values[-1:] - values[-2:-1]
    padded = np.concatenate([ends[0], values, ends[1]])
    t = part.reshape(-1, *[1] * (values.ndim - 1))
    weights = (
        t * (-1 + t * (2 - t)) / 2,
        1 + t * t * (3 * t - 5) / 2,
        t * (1 + t * (4 - 3 * t)) / 2,
        t * t * (t - 1) / 2,
    )
    return sum(weight * padded[first + k] for k, weight in enumerate(weights))
