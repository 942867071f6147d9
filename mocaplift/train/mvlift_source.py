"""What the four stages of MVLift learn from: recordings of people, or a user's own clips of any figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mocaplift.lift.mvlift.conditions import Observed
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.network import DenoiserConfig
from mocaplift.train.data.mvlift_pictures import Pictures
from mocaplift.train.data.mvlift_windows import Seen

# What stage 4 learns from: recordings, or what stage 3 made of single pictures, and where that is.
MOCAP, MADE = "mocap", "made"
MADE_BANK = "made-1.npz"

# (rng, count, frames, fps) -> random windows.
Draw = Callable[[np.random.Generator, int, int, float], Seen]
# One window as it was seen, its points [T J 3] and rate -> a motion at the rate of a bank [F J 3]; None where no
# body is near both.
FitBody = Callable[[Observed, np.ndarray, float], np.ndarray | None]


@runtime_checkable
class Source(Protocol):
    """A figure, pictures of it, and what makes motions and windows of them."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Where the data come from and what may be done with the weights, for their header."""

    def weights_name(self, motions: str | None) -> str:
        """Return how the weight file is called that learnt from `MOCAP` or `MADE`; None: that of stage 1."""

    def figure(self, work: Path) -> Figure:
        """Return what moves."""

    def pictures(
        self, work: Path, network: DenoiserConfig, most: int, held_out: int
    ) -> tuple[Pictures, Pictures]:
        """Return at most so many pictures to learn from and to measure on, kept in the work folder."""

    def fit_body(self, work: Path, farthest: float) -> FitBody:
        """Return what fits a body to a window, at most so far (units, mean) from its points."""

    def windows(self, motions: str, work: Path) -> tuple[Draw, Draw]:
        """Return what draws the windows of stage 4 to learn from and to measure on."""
