"""At which lags two cameras may have seen the same motion: how fast each joint moves, correlated.

Nothing here needs the cameras' calibration: a joint that is lifted rises in every upright picture, and one that
moves fast moves in most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.detect.track import Track
from mocaplift.values import Clip, Keypoints2D
from mocaplift.views.lags import Correlation, correlation
from mocaplift.views.shared_clock import seen_at

# Everybody is compared at this rate (Hz): twice the fastest human movement that detectors follow, and more.
RATE = Fraction(60)
# The people compared in each view: those seen longest.
MOST_PEOPLE = 3
# Speed is the slope over this time (s): one noisy frame is not a movement.
SLOPE_SPAN = 1 / 15
# A body's size in the picture changes no faster than over this time (s).
SIZE_SPAN = 1.0
# Jumps of a detector are no speeds (body sizes a second; a fast kick has 8).
FASTEST = 8.0


class Watched(NamedTuple):
    """One person in one view on an even clock of `RATE`; place 0 is the clip's first frame."""

    view: Keypoints2D
    signals: Float[np.ndarray, "C T"]
    weights: Float[np.ndarray, "C T"]


def watched(tracks: Sequence[Track], clip: Clip) -> list[Watched]:
    """Return the people of a view who are seen longest, on the even clock, with their speeds."""
    places = np.arange(0, (clip.frames - 1) / float(clip.fps) + 1e-9, 1 / float(RATE)) * float(clip.fps)
    longest = sorted(tracks, key=lambda track: -int(track.is_seen.sum()))[:MOST_PEOPLE]
    return [_speeds(seen_at(track.keypoints, places, RATE)) for track in longest]


def correlate(first: Watched, second: Watched) -> Correlation:
    """Return how alike two people's speeds are at every lag, all joints together."""
    return correlation((first.signals, first.weights), (second.signals, second.weights), RATE)


def _speeds(view: Keypoints2D) -> Watched:
    """Return a person with the speed upwards and in any direction of every joint, in even units."""
    reach = max(1, round(SLOPE_SPAN * RATE / 2))
    size = _sizes(view)
    velocity = np.full_like(view.xy, np.nan)
    if len(view.xy) > 2 * reach:
        velocity[reach:-reach] = (view.xy[2 * reach :] - view.xy[: -2 * reach]) / (2 * reach / float(RATE))
    velocity = velocity / size[:, None, None]
    speed = np.linalg.norm(velocity, axis=-1)
    conf = np.where(speed < FASTEST, view.conf, 0.0)
    signals = np.concatenate([velocity[..., 1].T, speed.T])
    weights = np.concatenate([conf.T, conf.T])
    weights[~np.isfinite(signals)] = 0.0
    signals = np.where(weights > 0, signals, 0.0)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    signals = signals - (weights * signals).sum(axis=1, keepdims=True) / total
    return Watched(view, np.where(weights > 0, signals, 0.0), weights)


def _sizes(view: Keypoints2D) -> Float[np.ndarray, "T"]:
    """Return the spread of a person's joints (px), slowly changing; NaN where never seen."""
    weight = view.conf[..., None]
    total = weight.sum(axis=1)
    xy = np.where(weight > 0, view.xy, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (weight * xy).sum(axis=1) / total
        spread = np.sqrt((weight * (xy - middle[:, None]) ** 2).sum(axis=(1, 2)) / total[:, 0])
    span = max(1, round(SIZE_SPAN * RATE / 2))
    slow = np.full(len(spread), np.nan)
    for tick in range(len(spread)):
        near = spread[max(0, tick - span) : tick + span + 1]
        if np.isfinite(near).any():
            slow[tick] = np.nanmedian(near)
    return slow
