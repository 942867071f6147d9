"""Pieces of tracks put together into people: what speaks for and against every pair, and the best division.

Correlation clustering with pairs that may not meet (two pieces of one view at one time): the pieces that agree
most are joined first, then single pieces move or change places while that makes the whole better.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

# A change must better the division by more than rounding does.
_LEAST_GAIN = 1e-9
# Rounds of moves before the division is taken as it is; each one betters it, and two or three are usual.
_MOST_ROUNDS = 50


def divide(agreement: Float[np.ndarray, "N N"], excluded: Bool[np.ndarray, "N N"]) -> Int[np.ndarray, "N"]:
    """Return the number of the group of every piece.

    Args:
        agreement: symmetric; positive for pieces that belong together, negative for those that do not.
        excluded: symmetric; pairs that are never in one group.
    """
    groups = _joined(agreement, excluded)
    for _ in range(_MOST_ROUNDS):
        num_moved = sum(_moved(piece, groups, agreement, excluded) for piece in range(len(groups)))
        if not num_moved:
            break
    return np.unique(groups, return_inverse=True)[1]


def _joined(agreement: Float[np.ndarray, "N N"], excluded: Bool[np.ndarray, "N N"]) -> Int[np.ndarray, "N"]:
    """Return groups made by joining, time and again, the two that agree most."""
    groups = np.arange(len(agreement))
    sums, barred = agreement.astype(float), excluded.copy()
    np.fill_diagonal(barred, True)
    while len(groups):
        open_sums = np.where(barred, -np.inf, sums)
        a, b = np.unravel_index(int(open_sums.argmax()), open_sums.shape)
        if not open_sums[a, b] > _LEAST_GAIN:
            break
        sums[a] += sums[b]
        sums[:, a] += sums[:, b]
        barred[a] |= barred[b]
        barred[:, a] |= barred[:, b]
        barred[b], barred[:, b] = True, True
        groups[groups == b] = a
    return groups


def _moved(
    piece: int,
    groups: Int[np.ndarray, "N"],
    agreement: Float[np.ndarray, "N N"],
    excluded: Bool[np.ndarray, "N N"],
) -> bool:
    """Move one piece to where it agrees most, whoever stands there in its way taking its place; tell if it did."""
    own = groups[piece]
    free = np.setdiff1d(np.arange(len(groups)), groups)
    best, choice = _LEAST_GAIN, None
    for other in [*np.unique(groups[groups != own]), *free[:1]]:
        changed = groups.copy()
        changed[(groups == other) & excluded[piece]] = own
        changed[piece] = other
        if (excluded & (changed[:, None] == changed) & (changed == own)).any():
            continue
        touched = np.flatnonzero(changed != groups)
        gain = _held(changed, touched, agreement) - _held(groups, touched, agreement)
        if gain > best:
            best, choice = gain, changed
    if choice is None:
        return False
    groups[:] = choice
    return True


def _held(
    groups: Int[np.ndarray, "N"], touched: Int[np.ndarray, "M"], agreement: Float[np.ndarray, "N N"]
) -> float:
    """Return the agreement of some pieces with those in their groups, each pair once."""
    together = groups[touched, None] == groups
    together[np.arange(len(touched)), touched] = False
    among = together[:, touched] * agreement[np.ix_(touched, touched)]
    return float((together * agreement[touched]).sum() - among.sum() / 2)
