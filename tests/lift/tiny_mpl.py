"""A small MPL network for tests: untrained, or with heads that say something."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from mocaplift.lift.mpl.network import MplNetwork
from mocaplift.lift.mpl.shapes import MplConfig, expected_shapes

SIZES = MplConfig(
    spatial_width=8, spatial_depth=1, spatial_heads=2, width=16, fusion_depth=1, temporal_depth=1, heads=2,
    frames=8,
)  # fmt: skip
HEADS = ("out", "view_error", "joint_error")


def tiny_arrays(seed: int = 0, *, heads: float = 0.0) -> dict[str, np.ndarray]:
    """Return random weights of the tiny network; those of its heads have this standard deviation."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in expected_shapes(SIZES).items():
        scale = heads if name.split(".")[0] in HEADS else 0.3
        arrays[name] = (scale * rng.normal(size=shape)).astype(np.float32)
        if "norm" in name and name.endswith("weight"):
            arrays[name] += 1.0
    return arrays


def tiny_network(seed: int = 0, *, heads: float = 0.0) -> MplNetwork:
    """Return the tiny network. With heads at zero it corrects nothing and expects the usual errors."""
    return MplNetwork.of(tiny_arrays(seed, heads=heads), {"network": asdict(SIZES)})
