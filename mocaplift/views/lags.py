"""Lags between what two recorders took of the same moments, and one clock for many of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Recordings that share less than this (s) tell nothing about their clocks, ...
SHORTEST_OVERLAP = 1.0
# ... nor, for longer ones, do those that share less than this part of the shorter.
LEAST_OVERLAP = 0.2
# Two peaks nearer than this (s) are one.
PEAK_WIDTH = 0.1
# Tuning of Cauchy's weights: 95 % efficient for normal errors (Holland and Welsch, 1977).
CAUCHY = 2.385
# Tuning of Huber's weights, in expected errors (Huber, 1964).
HUBER = 1.345
# Rounds of weighting lags by how well they fit the others, until one that contradicts all of them counts nothing.
ROUNDS = 30

# Values [C T] of several channels at an even rate, and how much each counts; weight 0 is missing.
Signals = tuple[np.ndarray, np.ndarray]


class Correlation(NamedTuple):
    """How alike two recordings are (-1 to 1) at lags of whole ticks, the earliest first.

    A lag is the place of a moment in the second recording minus that in the first.
    """

    first_lag: int
    values: Float[np.ndarray, "L"]
    rate: Fraction

    def at(self, lag: float) -> float:
        """Return the value at the tick nearest to a lag (ticks), 0 outside."""
        place = int(np.rint(lag)) - self.first_lag
        return float(self.values[place]) if 0 <= place < len(self.values) else 0.0

    def peaks(self, most: int) -> list[float]:
        """Return the lags (ticks) of the highest peaks, the highest first, to a fraction of a tick."""
        width = float(PEAK_WIDTH * self.rate)
        found: list[float] = []
        values = self.values.copy()
        while len(found) < most and values.max(initial=0.0) > 0:
            place = int(values.argmax())
            # The shoulder of a peak that was taken is none.
            if self.values[place] >= self.values[max(0, place - 1) : place + 2].max():
                found.append(place + self.first_lag + self._fraction(place))
            values[max(0, place - int(width)) : place + int(width) + 1] = 0.0
        return found

    def _fraction(self, place: int) -> float:
        """Return how far (ticks) from a place the parabola through it and its neighbours peaks."""
        if not 0 < place < len(self.values) - 1:
            return 0.0
        low, middle, high = self.values[place - 1 : place + 2]
        bend = low - 2 * middle + high
        return float(np.clip((low - high) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def correlation(first: Signals, second: Signals, rate: Fraction, *, events: bool = False) -> Correlation:
    """Return how alike two recordings are at every lag, all channels together.

    Movement goes on all the time: it is normalised over what both hold, and shrunk towards 0 where that is short
    (alike for a second may be by chance). Events (`events`) are rare: a lag at which one of them coincides tells
    less than one at which six do, so they are normalised over all that each recording holds.
    """
    (values_1, weights_1), (values_2, weights_2) = first, second
    length_1, length_2 = values_1.shape[1], values_2.shape[1]
    size = 1 << (length_1 + length_2 - 2).bit_length()

    def across(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        both = np.zeros(size // 2 + 1, complex)
        for one, other in zip(a, b, strict=True):
            both += np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size)
        lagged = np.fft.irfft(both, size)
        # Negative lags lie at the end.
        return np.concatenate([lagged[size - length_1 + 1 :], lagged[:length_2]])

    energy_1 = across(weights_1 * values_1**2, weights_2)
    energy_2 = across(weights_1, weights_2 * values_2**2)
    shared = across((weights_1 > 0).astype(float), (weights_2 > 0).astype(float)) / len(values_1)
    least = max(SHORTEST_OVERLAP * float(rate), LEAST_OVERLAP * min(length_1, length_2))
    # What the transform leaves of nothing is not 0.
    nothing = 1e-9 * max(energy_1.max(initial=0.0), energy_2.max(initial=0.0))
    usable = (shared >= least) & (energy_1 > nothing) & (energy_2 > nothing)
    energy = np.where(usable, energy_1, 1.0) * np.where(usable, energy_2, 1.0)
    if events:
        energy[:] = max((weights_1 * values_1**2).sum() * (weights_2 * values_2**2).sum(), 1e-30)
    alike = across(weights_1 * values_1, weights_2 * values_2) / np.sqrt(energy)
    alike *= shared / (shared + SHORTEST_OVERLAP * float(rate))
    return Correlation(1 - length_1, np.where(usable, alike, 0.0), rate)


def reconciled(
    keys: Sequence[tuple[int, int]],
    lags: Float[np.ndarray, "N"],
    sigmas: Float[np.ndarray, "N"],
    count: int,
) -> tuple[Float[np.ndarray, "V"], Float[np.ndarray, "V"]]:
    """Return the values, the first being 0, whose differences are the lags, and their expected errors.

    Lag n is that of recordings `keys[n]`: the first's value minus the second's. Those that contradict the others
    count little; where even the rest agrees less than its errors say, the expected errors grow.
    """
    design = np.zeros((len(keys), count))
    for row, (i, j) in enumerate(keys):
        design[row, [i, j]] = (1.0, -1.0)
    design = design[:, 1:]
    weights = 1 / sigmas**2
    values, left = np.zeros(count - 1), np.zeros(len(keys))
    for _ in range(ROUNDS):
        values = np.linalg.solve(design.T @ (weights[:, None] * design), design.T @ (weights * lags))
        left = np.abs(lags - design @ values) / sigmas
        weights = 1 / sigmas**2 / np.maximum(1.0, left / HUBER)
    covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
    spare = len(keys) - (count - 1)
    if spare > 0:
        covariance *= max(1.0, (1.48 * float(np.median(left))) ** 2 * len(keys) / spare)
    return np.concatenate([[0.0], values]), np.concatenate([[0.0], np.sqrt(np.diag(covariance))])
