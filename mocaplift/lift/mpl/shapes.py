"""The sizes of the MPL network, and the names and shapes of its weights."""

from __future__ import annotations

from dataclasses import dataclass

from mocaplift.errors import ConfigError
from mocaplift.lift.mpl.features import NUM_OBSERVATION, NUM_POINT
from mocaplift.lift.transformer import Shapes, block_shapes, check_sizes, linear_shapes, norm_shapes

# Correction 3 and log sigma.
NUM_OUT = 4


@dataclass(frozen=True)
class MplConfig:
    """The sizes of the network."""

    joints: int = 21
    spatial_width: int = 32
    spatial_depth: int = 2
    spatial_heads: int = 4
    width: int = 192
    fusion_depth: int = 2
    temporal_depth: int = 3
    heads: int = 6
    frames: int = 24  # of a window
    fps: float = 30.0  # at which the frames of a window follow each other

    def __post_init__(self) -> None:
        """Refuse sizes that no network has.

        Raises:
            ConfigError: a size is no number, too small, too large, or no multiple of its heads.
        """
        check_sizes(self)
        if self.width % self.heads or self.spatial_width % self.spatial_heads:
            raise ConfigError("the widths of the network must be multiples of their heads")


def expected_shapes(config: MplConfig) -> Shapes:
    """Return the shape of every weight by its name."""
    c = config
    shapes: Shapes = {
        "joint": (c.joints, c.spatial_width),
        "time": (c.frames, c.width),
        **linear_shapes("observation", NUM_OBSERVATION, c.spatial_width),
        **linear_shapes("point", NUM_POINT, c.spatial_width),
        **norm_shapes("spatial_norm", c.spatial_width),
        **linear_shapes("view", c.joints * c.spatial_width, c.width),
        **linear_shapes("ask", c.joints * NUM_POINT, c.width),
        **norm_shapes("view_norm", c.width),
        **linear_shapes("view_error", c.width, c.joints),
        **linear_shapes("joint_error", c.spatial_width, 1),
        **norm_shapes("out_norm", c.width),
        **linear_shapes("out", c.width, c.joints * NUM_OUT),
    }
    for name, depth, width in (
        ("spatial", c.spatial_depth, c.spatial_width),
        ("fusion", c.fusion_depth, c.width),
        ("temporal", c.temporal_depth, c.width),
    ):
        for number in range(depth):
            shapes |= block_shapes(f"{name}.{number}", width)
    return shapes
