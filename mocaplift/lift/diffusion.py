"""Diffusion: noise schedules, the loss on the clean signal, and sampling with guidance. Knows no network.

A noisy signal at step t is sqrt(a_t) clean + sqrt(1 - a_t) noise, where a_t falls from 1 at step 0 to 0 at the
last step (Ho et al. 2020, Song et al. 2021). Networks here predict the clean signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError

# (noisy signal, step) -> what the clean signal is thought to be.
Denoise = Callable[[np.ndarray, int], np.ndarray]
# (predicted clean signal, step) -> the prediction, put right by what else is known.
Guide = Callable[[np.ndarray, int], np.ndarray]
# Shape -> noise of variance 1.
Draw = Callable[[tuple[int, ...]], np.ndarray]

COSINE_OFFSET = 0.008  # Nichol and Dhariwal 2021
LARGEST_BETA = 0.999  # of one step, there too


@dataclass(frozen=True, eq=False)
class Schedule:
    """The share a_t of the clean signal's variance at steps 0 (clean) to S (noise)."""

    share: Float[np.ndarray, "L"]

    @classmethod
    def cosine(cls, steps: int = 1000) -> Schedule:
        """Return the cosine schedule: a_t = cos^2(pi / 2 (t / S + s) / (1 + s)), scaled to begin at 1.

        Raises:
            ConfigError: there must be at least one step.
        """
        if steps < 1:
            raise ConfigError(f"a diffusion needs at least one step, not {steps}")
        course = (np.arange(steps + 1) / steps + COSINE_OFFSET) / (1 + COSINE_OFFSET)
        ideal = np.cos(np.pi / 2 * course) ** 2
        kept = np.maximum(ideal[1:] / ideal[:-1], 1 - LARGEST_BETA)
        return cls(np.concatenate([[1.0], np.cumprod(kept)]))

    @property
    def steps(self) -> int:
        """The last step, at which (almost) nothing of the signal is left."""
        return len(self.share) - 1

    def noised(self, clean: np.ndarray, noise: np.ndarray, step: np.ndarray | int) -> np.ndarray:
        """Return the signal at a step: one for all, or one for each row of the first axis."""
        share = np.asarray(self.share[step], dtype=clean.dtype)
        share = share.reshape(*share.shape, *(1,) * (clean.ndim - share.ndim))
        noisy: np.ndarray = np.sqrt(share) * clean + np.sqrt(1 - share) * noise
        return noisy

    def noise_in(self, noisy: np.ndarray, clean: np.ndarray, step: int) -> np.ndarray:
        """Return the noise that makes this clean signal that noisy one."""
        share = self.share[step]
        noise: np.ndarray = (noisy - np.sqrt(share) * clean) / np.sqrt(1 - share)
        return noise

    def spaced(self, count: int, start: int | None = None) -> list[int]:
        """Return so many steps from `start` (the last one if not given) down, evenly spaced, to sample at.

        Raises:
            ConfigError: the start is no step, or there are not so many steps.
        """
        start = self.steps if start is None else start
        if not 1 <= count <= start <= self.steps:
            raise ConfigError(f"cannot take {count} of the steps {start} to 1 of a schedule of {self.steps}")
        return [round(start * (count - number) / count) for number in range(count)]


def clean_loss(predicted: Any, clean: Any, weight: Any) -> Any:
    """Return the weighted mean absolute error of predictions, of arrays and tensors alike."""
    return (abs(predicted - clean) * weight).sum() / weight.sum()


def sample(
    schedule: Schedule,
    denoise: Denoise,
    noisy: np.ndarray,
    steps: Sequence[int],
    *,
    guide: Guide | None = None,
    churn: float = 0.0,
    draw: Draw | None = None,
) -> np.ndarray:
    """Return a clean signal made from a noisy one, step by step.

    Args:
        schedule: of the noise that the network was trained with.
        denoise: predicts the clean signal.
        noisy: the signal at the first of the steps: at the schedule's last step, pure noise.
        steps: falling, ending above 0. All of them with churn 1 is ancestral sampling (DDPM).
        guide: puts every prediction right before the next step is taken; None believes the network.
        churn: how much of the noise is drawn anew at each step: 0 is DDIM (none, deterministic), 1 is as much as
            the process itself has.
        draw: makes the new noise; needed where there is churn.

    Raises:
        ConfigError: the steps do not fall, or are not the schedule's, or churn has no generator.
    """
    ladder = [*steps, 0]
    if not steps or ladder[0] > schedule.steps or any(a <= b for a, b in pairwise(ladder)):
        raise ConfigError(f"steps must fall from at most {schedule.steps} to above 0, not {list(steps)}")
    if churn > 0 and draw is None:
        raise ConfigError("noise cannot be drawn anew without a generator")
    clean = noisy
    for step, following in pairwise(ladder):
        clean = denoise(noisy, step)
        if guide is not None:
            clean = guide(clean, step)
        noise = schedule.noise_in(noisy, clean, step)
        now, then = schedule.share[step], schedule.share[following]
        fresh = churn * np.sqrt((1 - then) / (1 - now) * (1 - now / then))
        noisy = np.sqrt(then) * clean + np.sqrt(np.maximum(1 - then - fresh**2, 0.0)) * noise
        if draw is not None and fresh > 0:
            noisy = noisy + fresh * draw(noisy.shape)
        noisy = noisy.astype(clean.dtype)
    return clean
