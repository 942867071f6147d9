"""The direct network as inference runs it, in numpy: a transformer over time, a token for a few frames.

`train.direct_network` is the same network for training; a test holds them against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError, WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import NUM_FEATURES
from mocaplift.lift.transformer import (
    Shapes,
    block,
    block_shapes,
    check_sizes,
    fitting,
    linear,
    linear_shapes,
    norm,
    norm_shapes,
)

# Of each joint: an offset 3 and the log of its expected error. Of each frame: the log of the hips' depth.
NUM_JOINT_OUT = 4
NUM_OUT = NUM_JOINT_OUT * len(BODY21) + 1
# The logs of expected errors stay in a range (m: 5 mm to 1 m); 8 cm before anything is learnt.
LOG_SIGMA_RANGE = (-5.3, 0.0)
USUAL_LOG_SIGMA = float(np.log(0.08))


@dataclass(frozen=True)
class DirectConfig:
    """The sizes of the network."""

    width: int = 320
    depth: int = 6
    heads: int = 5
    frames: int = 64  # of a window, at most
    per_token: int = 2  # frames
    fps: float = 15.0  # at which the frames of a window follow each other

    def __post_init__(self) -> None:
        """Refuse sizes that no network has.

        Raises:
            ConfigError: a size is no number, too small, too large, or no multiple of what it must be one of.
        """
        check_sizes(self)
        if self.width % self.heads or self.frames % self.per_token:
            raise ConfigError("width must be a multiple of heads, and frames one of per_token")


def expected_shapes(config: DirectConfig) -> Shapes:
    """Return the shape of every weight by its name."""
    c = config
    shapes: Shapes = {
        "time": (c.frames // c.per_token, c.width),
        **linear_shapes("told", c.per_token * NUM_FEATURES, c.width),
        **norm_shapes("out_norm", c.width),
        **linear_shapes("out", c.width, c.per_token * NUM_OUT),
    }
    for number in range(c.depth):
        shapes |= block_shapes(f"blocks.{number}", c.width)
    return shapes


@dataclass(frozen=True, eq=False)
class Told:
    """What the network says: see `features.points`; `log_sigma` is of the joints about the hips, log metres."""

    offset: Float[np.ndarray, "N T 21 3"]
    log_sigma: Float[np.ndarray, "N T 21"]
    log_depth: Float[np.ndarray, "N T"]


@dataclass(frozen=True, eq=False)
class DirectNetwork:
    """Weights by name, and their sizes."""

    config: DirectConfig
    weights: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> DirectNetwork:
        """Return the network of a weight file.

        Raises:
            WeightsError: sizes are missing, or weights do not fit them.
        """
        try:
            config = DirectConfig(**header["network"])
        except (KeyError, TypeError, ConfigError) as error:
            raise WeightsError(
                f"the direct weights do not say what network they are for ({error})"
            ) from error
        return cls(config, fitting(arrays, expected_shapes(config), "direct"))

    def __call__(self, told: Float[np.ndarray, "N T F"]) -> Told:
        """Return what the network makes of windows of at most `config.frames` frames."""
        c, weights = self.config, self.weights
        count, frames, _ = told.shape
        # Frames after the end are frames that show nothing.
        told = np.pad(told, ((0, 0), (0, -frames % c.per_token), (0, 0)))
        x = linear(weights, "told", told.reshape(count, -1, c.per_token * NUM_FEATURES))
        x = x + weights["time"][: x.shape[1]]
        for number in range(c.depth):
            x = block(weights, f"blocks.{number}", x, c.heads)
        out = linear(weights, "out", norm(weights, "out_norm", x)).reshape(count, -1, NUM_OUT)[:, :frames]
        joints = out[..., :-1].reshape(count, frames, len(BODY21), NUM_JOINT_OUT)
        return Told(
            offset=joints[..., :3],
            log_sigma=np.clip(joints[..., 3] + USUAL_LOG_SIGMA, *LOG_SIGMA_RANGE),
            log_depth=out[..., -1],
        )
