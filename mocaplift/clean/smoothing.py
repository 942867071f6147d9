"""Smoothing without lag that keeps the size of movements.

A Whittaker smoother: x minimises sum (x - y)^2 + lambda sum (third difference of x)^2 (Whittaker 1922; Eilers,
"A perfect smoother", 2003). It has no lag, leaves parabolas untouched and needs no padding at the ends. Applied
twice in the way of Tukey (smooth, then add the smoothed rest), its gain is 1 - (1 - h)^2 with
h = 1 / (1 + lambda (2 sin(pi f / fps))^6): 0.999 at half of the cutoff, 1/2 at it, below 0.05 at twice of it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics, rotations
from mocaplift.errors import ConfigError
from mocaplift.values import SkeletonMotion

# What walking and most sport holds up to (Winter, Biomechanics of Human Movement; also the default of Pose2Sim).
USUAL_CUTOFF = 6.0  # Hz
# Smoothing that costs more of a gesture than this is not what anybody asked for: the cutoff is raised.
LEAST_KEPT = 0.9
CUTOFF_STEP = 1.4  # how much higher the next cutoff is that is tried
# Amplitude is compared above this reference, so that jitter does not count as movement.
REFERENCE_CUTOFF = 12.0  # Hz
AMPLITUDE_WINDOW = 1.0  # s, about one gesture
SMALLEST_GESTURE = 0.10  # m; less movement in a window says nothing about amplitude
_THIRD_DIFFERENCE = np.array([-1.0, 3.0, -3.0, 1.0])
# Gain of one pass at the cutoff for which two passes have 1/2.
_HALF_OF_TWO = 1.0 - np.sqrt(0.5)


def low_pass(values: Float[np.ndarray, "T C"], fps: float, cutoff_hz: float) -> Float[np.ndarray, "T C"]:
    """Return the values without what is faster than the cutoff; unchanged where the clip cannot hold such.

    Raises:
        ConfigError: the cutoff is not above 0.
    """
    if not cutoff_hz > 0:
        raise ConfigError(f"a smoothing cutoff must be above 0 Hz, but is {cutoff_hz}")
    if cutoff_hz >= fps / 2 or len(values) <= len(_THIRD_DIFFERENCE):
        return values.copy()
    strength = (1 / _HALF_OF_TWO - 1) / (2 * np.sin(np.pi * cutoff_hz / fps)) ** 6
    once = penalised(np.ones(len(values)), values, strength)
    return once + penalised(np.ones(len(values)), values - once, strength)


def penalised(
    weights: Float[np.ndarray, "T"], pull: Float[np.ndarray, "T C"], strength: float
) -> Float[np.ndarray, "T C"]:
    """Return x of (diag(weights) + strength D'D) x = pull, D the third differences over time.

    `pull` is weights times targets; the weights must not all be zero.
    """
    # Imported here: reading and exporting motions needs no scipy.
    from scipy.linalg import solveh_banded

    band = strength * difference_band(len(weights))
    band[0] += weights
    return solveh_banded(band, pull, lower=True, check_finite=False)


def difference_band(frames: int) -> Float[np.ndarray, "4 T"]:
    """Return D'D of third differences as the lower band that scipy's banded solvers read."""
    band = np.zeros((len(_THIRD_DIFFERENCE), frames))
    rows = frames - len(_THIRD_DIFFERENCE) + 1
    for below in range(len(_THIRD_DIFFERENCE)):
        for place in range(len(_THIRD_DIFFERENCE) - below):
            product = _THIRD_DIFFERENCE[place] * _THIRD_DIFFERENCE[place + below]
            band[below, place : place + max(rows, 0)] += product
    return band


def smooth(motion: SkeletonMotion, cutoff_hz: float | None = None) -> SkeletonMotion:
    """Return the motion without movements faster than the cutoff.

    None is automatic: the usual cutoff, raised until at least 90 % of every gesture's size is kept. A number is
    an order and taken as it is; 0 leaves the motion alone.

    Raises:
        ConfigError: the cutoff is negative.
    """
    if cutoff_hz == 0:
        return motion
    if cutoff_hz is not None:
        return _smoothed(motion, cutoff_hz)
    cutoff = USUAL_CUTOFF
    while cutoff < motion.fps / 2:
        smoothed = _smoothed(motion, cutoff)
        if amplitude_kept(motion, smoothed) >= LEAST_KEPT:
            return smoothed
        cutoff *= CUTOFF_STEP
    return motion


def amplitude_kept(before: SkeletonMotion, after: SkeletonMotion) -> float:
    """Return how much of the size of movements is left: 1 is all.

    The sum, over windows of a second, joints and axes, of how far each joint went back and forth (relative to
    the root; the root itself in the world), after divided by before. Jitter above 12 Hz is no movement.
    """
    sizes_before, sizes_after = (_gesture_sizes(motion) for motion in (before, after))
    real = sizes_before > SMALLEST_GESTURE
    return float(sizes_after[real].sum() / sizes_before[real].sum()) if real.any() else 1.0


def _gesture_sizes(motion: SkeletonMotion) -> Float[np.ndarray, "W C"]:
    """Return the range of every joint's coordinates in every window, metres."""
    xyz, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    xyz[:, 1:] -= xyz[:, :1]
    flat = low_pass(xyz.reshape(len(xyz), -1), motion.fps, REFERENCE_CUTOFF)
    length = max(round(AMPLITUDE_WINDOW * motion.fps), 1)
    starts = range(0, max(len(flat) - length // 2, 1), length)
    return np.stack([np.ptp(flat[start : start + length], axis=0) for start in starts])


def _smoothed(motion: SkeletonMotion, cutoff_hz: float) -> SkeletonMotion:
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=_smoothed_rotations(motion.rotations, motion.fps, cutoff_hz),
        root=low_pass(motion.root, motion.fps, cutoff_hz),
        fps=motion.fps,
    )


def _smoothed_rotations(
    turns: Float[np.ndarray, "T J 4"], fps: float, cutoff_hz: float
) -> Float[np.ndarray, "T J 4"]:
    """Return smoothed rotations: a smooth base, then the smoothed rotation vectors of what it left.

    The base smooths quaternion components, which is exact for small turns only; the second pass works on the
    rotation vectors from the base, which are small, and restores what the first one rounded off.
    """
    if cutoff_hz >= fps / 2 or len(turns) <= len(_THIRD_DIFFERENCE):
        return rotations.make_continuous(turns)
    strength = (1 / _HALF_OF_TWO - 1) / (2 * np.sin(np.pi * cutoff_hz / fps)) ** 6
    continuous = rotations.make_continuous(turns)
    even = np.ones(len(turns))
    base = rotations.normalize(
        penalised(even, continuous.reshape(len(turns), -1), strength).reshape(turns.shape)
    )
    rest = rotations.to_rotvec(rotations.multiply(rotations.conjugate(base), continuous))
    smooth_rest = penalised(even, rest.reshape(len(turns), -1), strength).reshape(rest.shape)
    return rotations.make_continuous(rotations.multiply(base, rotations.from_rotvec(smooth_rest)))
