"""A surface on the bones of a rig: what FBX and GLB write beside the skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import InvalidData
from mocaplift.rotations import to_matrix

# Largest deviation of a vertex's weights from a sum of 1: float32, four of them.
WEIGHT_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Skin:
    """A triangle mesh that follows a rig. Vertices are metres in the world, +Y up, on the rig at rest.

    The rig at rest is `Rigged.rest_world()`: it is the bind pose, so that inverse bind matrices follow from it
    (`inverse_binds`). `joints` are positions in `Rigged.names`; a vertex with fewer than four has weight 0 for
    the others. Triangles run counter-clockwise seen from outside. `normals` are unit vectors; without them
    formats leave the shading to the reader. `uvs` have their origin at the bottom left.
    """

    vertices: Float[np.ndarray, "N 3"]
    triangles: Int[np.ndarray, "F 3"]
    joints: Int[np.ndarray, "N 4"]
    weights: Float[np.ndarray, "N 4"]
    normals: Float[np.ndarray, "N 3"] | None = None
    uvs: Float[np.ndarray, "N 2"] | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        wanted = {"vertices": (count, 3), "joints": (count, 4), "weights": (count, 4)}
        wanted |= {"triangles": (len(self.triangles), 3), "normals": (count, 3), "uvs": (count, 2)}
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape:
                raise InvalidData(f"Skin.{name} must have shape {list(shape)}, but has {list(array.shape)}")
            if not np.isfinite(array).all():
                raise InvalidData(f"Skin.{name} holds NaN or infinity")
        if self.triangles.size and not 0 <= self.triangles.min() <= self.triangles.max() < count:
            raise InvalidData(f"Skin.triangles name vertices that do not exist (there are {count})")
        if self.joints.min(initial=0) < 0:
            raise InvalidData("Skin.joints must not be negative")
        error = np.abs(self.weights.sum(axis=1) - 1.0).max(initial=0.0)
        if self.weights.min(initial=0.0) < 0 or error > WEIGHT_TOLERANCE:
            raise InvalidData(f"Skin.weights must be positive and sum to 1 per vertex (off by {error:.2g})")


def inverse_binds(
    xyz: Float[np.ndarray, "J 3"], rotations: Float[np.ndarray, "J 4"]
) -> Float[np.ndarray, "J 4 4"]:
    """Return the matrices from the world (m) to every bone's axes, of a rig at rest (`Rigged.rest_world()`)."""
    turned = np.swapaxes(to_matrix(rotations), -1, -2)
    out = np.tile(np.eye(4), (len(xyz), 1, 1))
    out[:, :3, :3] = turned
    out[:, :3, 3] = -np.einsum("jab,jb->ja", turned, xyz)
    return out
