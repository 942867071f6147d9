"""The network of both diffusions as inference runs it, in numpy: a transformer over time, and over views.

A token stands for a few frames of one view. Every layer looks along time within each view; with several views a
layer across the views at each moment follows it. `train.mvlift_network` is the same network for training; a test
holds them against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import ConfigError, InvalidData, WeightsError
from mocaplift.lift.mvlift.conditions import FREE, num_channels, num_told_lines, num_told_seen
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.transformer import (
    Shapes,
    block,
    block_shapes,
    check_sizes,
    fitting,
    gelu,
    linear,
    linear_shapes,
    norm,
    norm_shapes,
)

KIND = "mvlift"
# Numbers that tell the step to the network, and the lowest and highest of their frequencies (1 / schedule).
NUM_STEP = 64
STEP_FREQUENCIES = (1.0, 1000.0)
MOST_STEPS = 10_000  # of a schedule


@dataclass(frozen=True)
class DenoiserConfig:
    """The sizes of the network. With one view it is told lines, with several what the first one observed."""

    views: int = 4
    width: int = 256
    depth: int = 4
    heads: int = 4
    frames: int = 64  # of a window, at most
    per_token: int = 4  # frames
    fps: float = 15.0  # at which the frames of a window follow each other

    def __post_init__(self) -> None:
        """Refuse sizes that no network has.

        Raises:
            ConfigError: a size is no number, too small, too large, or no multiple of what it must be one of.
        """
        check_sizes(self)
        if self.width % self.heads or self.frames % self.per_token:
            raise ConfigError("width must be a multiple of heads, and frames one of per_token")

    def num_told(self, figure: Figure) -> int:
        """Return how many numbers are told of every frame."""
        return num_told_lines(figure) if self.views == 1 else num_told_seen(figure)


def expected_shapes(config: DenoiserConfig, figure: Figure) -> Shapes:
    """Return the shape of every weight by its name."""
    c, channels = config, num_channels(figure)
    shapes: Shapes = {
        "time": (c.frames // c.per_token, c.width),
        "view": (c.views, c.width),
        **linear_shapes("enter", c.per_token * (channels + c.num_told(figure)), c.width),
        **linear_shapes("step_in", NUM_STEP, c.width),
        **linear_shapes("step_out", c.width, c.width),
        **norm_shapes("out_norm", c.width),
        **linear_shapes("out", c.width, c.per_token * channels),
    }
    for number in range(c.depth):
        shapes |= block_shapes(f"along.{number}", c.width)
        if c.views > 1:
            shapes |= block_shapes(f"across.{number}", c.width)
    return shapes


def told_step(step: Int[np.ndarray, "N"], steps: int) -> Float[np.ndarray, "N F"]:
    """Return waves of many frequencies at a step of a schedule, by which the network knows how noisy it is."""
    frequency = np.geomspace(*STEP_FREQUENCIES, NUM_STEP // 2)
    angle = step[:, None] / steps * frequency
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Denoiser:
    """Weights by name, their sizes, and whom they know. `steps` is the length of the schedule they learnt."""

    config: DenoiserConfig
    figure: Figure
    steps: int
    weights: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Denoiser:
        """Return the network of a weight file.

        Raises:
            WeightsError: sizes or the figure are missing, or weights do not fit them.
        """
        try:
            config, figure = DenoiserConfig(**header["network"]), Figure.of_header(header["figure"])
            steps, signs = header["steps"], header.get("signs", FREE)
        except (KeyError, TypeError, ConfigError, InvalidData) as error:
            raise WeightsError(
                f"the MVLift weights do not say what network they are for ({error})"
            ) from error
        if signs != FREE:
            raise WeightsError(f"the MVLift weights learnt from lines with {signs} signs: only an experiment")
        if type(steps) is not int or not 1 <= steps <= MOST_STEPS:
            raise WeightsError(f"the MVLift weights are of a schedule of {steps!r} steps")
        return cls(config, figure, steps, fitting(arrays, expected_shapes(config, figure), "MVLift"))

    def __call__(
        self, noisy: Float[np.ndarray, "N V T C"], step: int, told: Float[np.ndarray, "N V T F"]
    ) -> Float[np.ndarray, "N V T C"]:
        """Return what the clean channels are thought to be, of windows of at most `config.frames` frames."""
        c, weights = self.config, self.weights
        count, views, frames, channels = noisy.shape
        x = np.concatenate([noisy, told], axis=-1).astype(np.float32)
        # Frames after the end are frames of which nothing is known.
        x = np.pad(x, ((0, 0), (0, 0), (0, -frames % c.per_token), (0, 0)))
        x = linear(weights, "enter", x.reshape(count, views, -1, c.per_token * x.shape[-1]))
        tokens = x.shape[2]
        hidden = gelu(linear(weights, "step_in", told_step(np.array([step]), self.steps)))
        x = (
            x
            + weights["time"][:tokens]
            + weights["view"][:views, None]
            + linear(weights, "step_out", hidden)[0]
        )
        for number in range(c.depth):
            flat = x.reshape(count * views, tokens, c.width)
            x = block(weights, f"along.{number}", flat, c.heads).reshape(count, views, tokens, c.width)
            if c.views > 1:
                flat = x.swapaxes(1, 2).reshape(count * tokens, views, c.width)
                x = block(weights, f"across.{number}", flat, c.heads)
                x = x.reshape(count, tokens, views, c.width).swapaxes(1, 2)
        out = linear(weights, "out", norm(weights, "out_norm", x))
        return out.reshape(count, views, -1, channels)[:, :, :frames]
