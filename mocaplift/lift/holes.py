"""Times in which a person is out of sight: what a network can guess of them, and straight lines over the rest."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.windows import runs

# s; networks were taught to see through shorter holes.
LONGEST_GUESS = 1.0


def guessable(usable: Bool[np.ndarray, "T"], fps: float) -> Bool[np.ndarray, "T"]:
    """Return which frames are usable, or so near to one that is that a network can guess them.

    At least one frame must be usable.
    """
    places, frames = np.flatnonzero(usable), np.arange(len(usable))
    after = np.minimum(np.searchsorted(places, frames), len(places) - 1)
    apart = np.minimum(np.abs(places[after] - frames), np.abs(frames - places[np.maximum(after - 1, 0)]))
    near: Bool[np.ndarray, "T"] = apart <= LONGEST_GUESS * fps / 2
    return near


def stretches(flags: Bool[np.ndarray, "T"]) -> list[slice]:
    """Return the stretches of frames that are flagged."""
    return [slice(*run) for run in runs(flags)]


def interpolated(
    frames: Int[np.ndarray, "T"], places: Int[np.ndarray, "S"], values: Float[np.ndarray, "S *rest"]
) -> Float[np.ndarray, "T *rest"]:
    """Return values known in some frames for all frames; before the first and after the last they stay."""
    position = np.interp(frames, places, np.arange(len(places)))
    before = np.minimum(position.astype(int), max(0, len(places) - 2))
    after = np.minimum(before + 1, len(places) - 1)
    share = (position - before).reshape(-1, *(1,) * (values.ndim - 1))
    return values[before] + share * (values[after] - values[before])
