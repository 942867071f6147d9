"""The cameras' offsets from the sound that they recorded: claps, steps, voices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mocaplift import sound
from mocaplift.errors import InvalidData
from mocaplift.values import Clip
from mocaplift.views.lags import Correlation, correlation, reconciled
from mocaplift.views.shared_clock import Timing

# Least correlation of sudden noises that is no coincidence, ...
LEAST_ALIKE = 0.1
# ... and how many times that of any other lag it must be: music repeats itself.
LEAST_LEAD = 1.25
# Sound needs 2.9 ms for a metre: cameras that stand 3 m nearer or farther hear 9 ms earlier or later (s).
SOUND_ERROR = 0.01


def offsets_by_sound(clips: Sequence[Clip]) -> Timing:
    """Return the offsets at which the cameras heard the same, to some milliseconds.

    Of the pairs of clips, those that clearly heard the same are reconciled; a clip needs one such partner.

    Raises:
        VideoError: a file has gone.
        InvalidData: a clip has no sound, or it has nothing in common with that of the others.
    """
    curves = [sound.sudden_noises(clip) for clip in clips]
    silent = [str(clip.path) for clip, curve in zip(clips, curves, strict=True) if curve is None]
    if silent:
        raise InvalidData(f"there is no sound in {', '.join(silent)} to set its clock by; use --sync motion")
    signals = [
        (curve[None] - curve.mean(), np.ones((1, len(curve)))) for curve in curves if curve is not None
    ]
    keys, lags, alike = [], [], []
    for i, j in itertools.combinations(range(len(clips)), 2):
        heard = correlation(signals[i], signals[j], sound.RATE, events=True)
        peak = _clear_peak(heard)
        if peak is not None:
            keys.append((i, j))
            lags.append(peak)
            alike.append(heard.at(peak))
    alone = _unconnected(keys, len(clips))
    if alone:
        raise InvalidData(
            f"{clips[alone[0]].path}: what it recorded has nothing in common with the sound of the others; clap "
            "where all cameras hear it, use --sync motion, or give the offsets in seconds"
        )
    sigmas = np.full(len(keys), SOUND_ERROR * float(sound.RATE))
    zeros, errors = reconciled(keys, np.array(lags), sigmas, len(clips))
    offsets = zeros / float(sound.RATE) - [clip.start for clip in clips]
    offsets -= offsets[0]
    error = errors / float(sound.RATE)
    return Timing(tuple(offsets.tolist()), tuple(error.tolist()), "sound", float(np.mean(alike)))


def _clear_peak(heard: Correlation) -> float | None:
    """Return the lag (ticks) that stands out, or None."""
    peaks = heard.peaks(2)
    heights = [heard.at(peak) for peak in peaks]
    if not peaks or heights[0] < LEAST_ALIKE:
        return None
    return None if len(peaks) > 1 and heights[0] < LEAST_LEAD * heights[1] else peaks[0]


def _unconnected(keys: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Return who cannot be reached from the first over the pairs; of two halves, the smaller."""
    groups = list(range(count))
    for i, j in keys:
        old, new = groups[j], groups[i]
        groups = [new if group == old else group for group in groups]
    largest = max(groups, key=groups.count)
    return [place for place in range(count) if groups[place] != largest]
