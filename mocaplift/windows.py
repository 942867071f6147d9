"""Clips in pieces: windows that overlap, to be cross-faded, and the stretches in which something holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float


def windows(frames: int, size: int, overlap: int) -> list[slice]:
    """Return slices that cover all frames, each at most `size` long, neighbours sharing at least `overlap`."""
    if frames <= size:
        return [slice(0, frames)]
    count = -(-(frames - overlap) // (size - overlap))
    starts = np.linspace(0, frames - size, count).round().astype(int)
    return [slice(int(start), int(start) + size) for start in starts]


def runs(flags: Bool[np.ndarray, "T"]) -> list[tuple[int, int]]:
    """Return the stretches where the flags are set, as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def crossfaded_points(
    pieces: Sequence[Float[np.ndarray, "W *rest"]], spans: Sequence[slice]
) -> Float[np.ndarray, "T *rest"]:
    """Return one array over all frames: where two pieces overlap, the weight moves linearly to the later one."""
    joined = np.zeros((spans[-1].stop, *pieces[0].shape[1:]))
    joined[spans[0]] = pieces[0]
    for (before, span), piece in zip(pairwise(spans), pieces[1:], strict=True):
        shared = before.stop - span.start
        weight = ((np.arange(shared) + 1) / (shared + 1)).reshape(-1, *(1,) * (piece.ndim - 1))
        fade = slice(span.start, before.stop)
        joined[fade] += weight * (piece[:shared] - joined[fade])
        joined[before.stop : span.stop] = piece[shared:]
    return joined
