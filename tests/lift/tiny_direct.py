"""A small direct network for tests: untrained, or with a head that says something."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from mocaplift.lift.direct.network import DirectConfig, DirectNetwork, expected_shapes

SIZES = DirectConfig(width=16, depth=1, heads=2, frames=8, per_token=2)


def tiny_arrays(seed: int = 0, *, head: float = 0.0, frames: int = SIZES.frames) -> dict[str, np.ndarray]:
    """Return random weights of the tiny network; those of its head have this standard deviation."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in expected_shapes(replace(SIZES, frames=frames)).items():
        scale = head if name.startswith("out.") else 0.2
        arrays[name] = (scale * rng.normal(size=shape)).astype(np.float32)
        if "norm" in name and name.endswith("weight"):
            arrays[name] += 1.0
    return arrays


def tiny_network(seed: int = 0, *, head: float = 0.0, frames: int = SIZES.frames) -> DirectNetwork:
    """Return the tiny network. With a head at zero it puts all joints at the depth that the bones show."""
    return DirectNetwork.of(
        tiny_arrays(seed, head=head, frames=frames), {"network": {**asdict(SIZES), "frames": frames}}
    )
