"""The sizes of the MPL network, and the names and shapes of its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mocaplift.errors import ConfigError
from mocaplift.lift.mpl.features import NUM_OBSERVATION, NUM_POINT

# Correction 3 and log sigma.
NUM_OUT = 4
# No size is larger: what a file says of itself must not make us count for hours.
LARGEST_SIZE = 1024


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
        for name, value in asdict(self).items():
            if type(value) not in (int, float) or not 0 < value <= LARGEST_SIZE:
                raise ConfigError(f"{name} must be a number from 1 to {LARGEST_SIZE}, not {value!r}")
            if name != "fps" and type(value) is not int:
                raise ConfigError(f"{name} must be a whole number, not {value!r}")
        if self.width % self.heads or self.spatial_width % self.spatial_heads:
            raise ConfigError("the widths of the network must be multiples of their heads")


def expected_shapes(config: MplConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight by its name."""
    c = config
    shapes: dict[str, tuple[int, ...]] = {
        "joint": (c.joints, c.spatial_width),
        "time": (c.frames, c.width),
        **_linear("observation", NUM_OBSERVATION, c.spatial_width),
        **_linear("point", NUM_POINT, c.spatial_width),
        **_norm("spatial_norm", c.spatial_width),
        **_linear("view", c.joints * c.spatial_width, c.width),
        **_linear("ask", c.joints * NUM_POINT, c.width),
        **_norm("view_norm", c.width),
        **_linear("view_error", c.width, c.joints),
        **_linear("joint_error", c.spatial_width, 1),
        **_norm("out_norm", c.width),
        **_linear("out", c.width, c.joints * NUM_OUT),
    }
    for name, depth, width in (
        ("spatial", c.spatial_depth, c.spatial_width),
        ("fusion", c.fusion_depth, c.width),
        ("temporal", c.temporal_depth, c.width),
    ):
        for block in range(depth):
            shapes |= _block(f"{name}.{block}", width)
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _block(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {
        **_norm(f"{name}.norm1", width),
        **_linear(f"{name}.qkv", width, 3 * width),
        **_linear(f"{name}.proj", width, width),
        **_norm(f"{name}.norm2", width),
        **_linear(f"{name}.up", width, 2 * width),
        **_linear(f"{name}.down", 2 * width, width),
    }
