"""Keypoints that leave their own path: spikes, bursts, bones too long, a moment on another person.

What is merely doubtful keeps its place and loses confidence: as much as its distance from the path says it is
off. Only what no body can do becomes missing. Being wrong about a fast kick then costs little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.lib.stride_tricks import sliding_window_view

from mocaplift.clean.scale import pixels_per_metre
from mocaplift.confidence import confidence_of_error, expected_error
from mocaplift.values import Keypoints2D, Layout

# A point's path is fitted to its neighbours within this time (s), itself left out: long enough to outvote a burst
# of three frames at 30 fps, short enough for a parabola to follow a kick.
HALF_WINDOW = 0.17
# Neighbours needed on the fit, and rounds of reweighting.
FEWEST, ROUNDS = 4, 5
# A parabola misses a dancer's hand by this much over the window (m): jerk of 400 m/s^3 at the window's edges.
BEND = 0.04
# Strength of the pull towards no speed and no bend (per square metre): that of one neighbour at 18 and at 9 cm.
STANDING = (0.0, 30.0, 120.0)
# Joint-neighbours that are fitted at once: what bounds the memory (100 MB).
LARGEST_BLOCK = 400_000
# Distance from the path, in expected errors, up to which a point is ordinary. Errors of detectors have long tails:
# of good points 1 in 100 is past it.
ORDINARY = 3.0
# Farther from its path than this (m) a point is on something else, and farther than the second on somebody else.
LOST, IMPOSSIBLE = 0.35, 0.8
# A frame is on another person when half of the points are this far off their paths (m).
OTHER_PERSON = 0.4
# Bones that a detector stretches when it loses the far joint, and the longest that an adult has (m).
BONES = (
    ("left_elbow", "left_wrist", 0.25), ("right_elbow", "right_wrist", 0.25),
    ("left_shoulder", "left_elbow", 0.28), ("right_shoulder", "right_elbow", 0.28),
    ("left_knee", "left_ankle", 0.40), ("right_knee", "right_ankle", 0.40),
    ("left_hip", "left_knee", 0.41), ("right_hip", "right_knee", 0.41),
    ("left_ankle", "left_big_toe", 0.18), ("right_ankle", "right_big_toe", 0.18),
    ("left_ankle", "left_heel", 0.09), ("right_ankle", "right_heel", 0.09),
)  # fmt: skip
# Stretch (factor, and m) that perspective and a size guessed too small allow: a forearm towards a near lens looks
# half as long again.
STRETCH, SLACK = 1.6, 0.08


class _Path(NamedTuple):
    """How far points are from where their neighbours expect them (m), and how well that is known (m)."""

    distance: Float[np.ndarray, "T J"]
    spread: Float[np.ndarray, "T J"]


def repair_outliers(keypoints: Keypoints2D) -> tuple[Keypoints2D, int]:
    """Return the keypoints with outliers down-weighted or dropped, and how many there were (joint-frames).

    Points keep their places. A point that becomes missing loses its landmark in 3D as well.
    """
    scale = pixels_per_metre(keypoints)
    if not np.isfinite(scale).all():
        return keypoints, 0
    path = _paths(keypoints, scale)
    off = np.where(path.distance > ORDINARY * path.spread, path.distance, 0.0)
    off = np.maximum(off, _stretch(keypoints, scale))
    is_impossible = (path.distance > IMPOSSIBLE) & (off > 0)
    is_impossible |= _is_elsewhere(keypoints, path)[:, None] & (keypoints.conf > 0)
    conf = np.where(off > 0, np.minimum(keypoints.conf, _worth(off, keypoints.layout)), keypoints.conf)
    conf = np.where(is_impossible, 0.0, conf)
    changed = conf != keypoints.conf
    landmarks = keypoints.landmarks
    if landmarks is not None:
        landmarks = np.where(is_impossible[..., None], np.nan, landmarks)
    repaired = Keypoints2D(
        np.where(conf[..., None] > 0, keypoints.xy, np.nan),
        conf,
        keypoints.layout,
        keypoints.fps,
        keypoints.size,
        landmarks=landmarks,
    )
    return repaired, int(changed.sum())


def _paths(keypoints: Keypoints2D, scale: Float[np.ndarray, "T"]) -> _Path:
    """Return how each point lies to the parabola through its neighbours in time, fitted robustly without it."""
    half = max(2, round(HALF_WINDOW * float(keypoints.fps)))
    metres = keypoints.xy / scale[:, None, None]
    worth = expected_error(keypoints.conf, keypoints.layout)
    values = np.pad(metres, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    spread = np.pad(worth, ((half, half), (0, 0)), constant_values=np.inf)
    block = max(1, LARGEST_BLOCK // (2 * half * max(1, metres.shape[1])))
    parts = []
    for start in range(0, len(metres), block):
        rows = slice(start, min(start + block, len(metres)) + 2 * half)
        parts.append(_fit_block(values[rows], spread[rows], half))
    distance, typical = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    own = np.where(keypoints.conf > 0, worth, 1.0)
    return _Path(distance, np.sqrt(own**2 + np.maximum(typical, BEND / 2) ** 2))


def _fit_block(
    values: Float[np.ndarray, "P J 2"], spread: Float[np.ndarray, "P J"], half: int
) -> tuple[Float[np.ndarray, "N J"], Float[np.ndarray, "N J"]]:
    """Return the distance of points to their neighbours' parabola and the neighbours' own unrest about it (m).

    Both arrays reach `half` frames further on either side than what is returned.
    """
    around = [place for place in range(2 * half + 1) if place != half]
    own = values[half : len(values) - half]
    values = sliding_window_view(values, 2 * half + 1, axis=0)[..., around]
    spread = sliding_window_view(spread, 2 * half + 1, axis=0)[..., around]
    seen = np.isfinite(values).all(axis=2)
    values = np.nan_to_num(values)
    time = (np.array(around) - half) / half
    basis = np.stack([np.ones_like(time), time, time**2], axis=-1)
    weight = np.where(seen, 1 / np.maximum(spread, 1e-6) ** 2, 0.0)
    # Neighbours are as far off the parabola as it bends, too.
    bent = np.hypot(np.where(seen, spread, 1.0), BEND)
    robust = weight
    for _ in range(ROUNDS):
        square = np.einsum("...w,wi,wk->...ik", robust, basis, basis, optimize=True)
        # A weak pull to a standing point keeps one-sided neighbours from shooting off.
        square += 1e-9 * np.eye(3) + np.diag(STANDING)
        right = np.einsum("...dw,wi->...id", robust[:, :, None] * values, basis, optimize=True)
        fitted = np.linalg.solve(square, right)
        off = values - np.einsum("wi,...id->...dw", basis, fitted, optimize=True)
        residual = np.linalg.norm(off, axis=2)
        # Cauchy: what is far off speaks with little weight, and always with some.
        robust = weight / (1 + (residual / bent) ** 2)
    distance = np.linalg.norm(own - fitted[..., 0, :], axis=-1)
    enough = (seen.sum(axis=-1) >= FEWEST) & np.isfinite(distance)
    return np.where(enough, distance, 0.0), _weighted_median(residual, weight)


def _weighted_median(
    values: Float[np.ndarray, "T J W"], weights: Float[np.ndarray, "T J W"]
) -> Float[np.ndarray, "T J"]:
    """Return the weighted median of the last axis, 0 where there is no weight."""
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=-1), axis=-1)
    place = (reached < reached[..., -1:] / 2).sum(axis=-1, keepdims=True)
    median = np.take_along_axis(ordered, np.minimum(place, values.shape[-1] - 1), axis=-1)[..., 0]
    return np.where(reached[..., -1] > 0, median, 0.0)


def _stretch(keypoints: Keypoints2D, scale: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T J"]:
    """Return by how much (m) the bone that leads to each joint is longer than any bone can look."""
    layout = keypoints.layout
    excess = np.zeros(keypoints.conf.shape)
    for near, far, length in BONES:
        if near in layout.joints and far in layout.joints:
            bone = keypoints.xy[:, layout.at(far)] - keypoints.xy[:, layout.at(near)]
            longer = np.linalg.norm(bone, axis=-1) / scale - (STRETCH * length + SLACK)
            # A stretched bone is longer by its error and by all that it should have been.
            off = np.where(longer > 0, longer + length, 0.0)
            excess[:, layout.at(far)] = np.nan_to_num(off)
    return excess


def _is_elsewhere(keypoints: Keypoints2D, path: _Path) -> Bool[np.ndarray, "T"]:
    """Return the frames in which most of the body is far from all its paths: they show somebody else."""
    seen = keypoints.conf > 0
    far = (path.distance > OTHER_PERSON) & (path.distance > ORDINARY * path.spread)
    return far.sum(axis=1) > np.maximum(seen.sum(axis=1) / 2, 3)


def _worth(off: Float[np.ndarray, "T J"], layout: Layout) -> Float[np.ndarray, "T J"]:
    """Return the confidence of points that are this far (m) off, beyond what is expected of the least sure."""
    grid = np.linspace(0.0, LOST, 36)
    worth = np.zeros(off.shape)
    for column, joint in enumerate(layout.joints):
        table = [confidence_of_error(float(each), joint) for each in grid]
        worth[:, column] = np.interp(off[:, column], grid, table)
    # The reference scale ends at 7 cm for a torso; past it, confidence falls on to nearly nothing.
    return np.maximum(worth * np.minimum(1.0, LOST / np.maximum(off, LOST)) ** 2, 1e-3)
