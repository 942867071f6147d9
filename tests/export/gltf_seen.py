"""What pygltflib, a reader that we did not write, finds in a GLB file; scipy's rotations place the bones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pygltflib
from scipy.spatial.transform import Rotation

_TYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Seen(NamedTuple):
    """A file: bones in the skin's order, places in metres, matrices [T J 4 4] from a bone to the world."""

    names: list[str]
    parents: list[str | None]
    rest: np.ndarray
    world: np.ndarray
    moments: np.ndarray
    mesh: dict[str, np.ndarray]
    binds: np.ndarray
    file: pygltflib.GLTF2


def seen(path: Path) -> Seen:
    """Return what is in the file: every channel is taken to have a key in every frame."""
    file = pygltflib.GLTF2().load(str(path))
    (animation,) = file.animations
    (skin,) = file.skins
    (inputs,) = {sampler.input for sampler in animation.samplers}
    moments = array(file, inputs)[:, 0]
    above = {child: number for number, node in enumerate(file.nodes) for child in node.children or []}
    tracks = {
        (channel.target.node, channel.target.path): array(file, animation.samplers[channel.sampler].output)
        for channel in animation.channels
    }
    still, moved = {}, {}
    for joint in skin.joints:
        node = file.nodes[joint]
        still[joint] = _matrices(np.array([node.translation]), np.array([node.rotation]))
        places = tracks.get((joint, "translation"), np.tile(node.translation, (len(moments), 1)))
        moved[joint] = _matrices(places, tracks[joint, "rotation"])
        if joint in above:
            still[joint] = still[above[joint]] @ still[joint]
            moved[joint] = moved[above[joint]] @ moved[joint]
    (primitive,) = file.meshes[0].primitives
    kinds = {"POSITION": "vertices", "NORMAL": "normals", "JOINTS_0": "joints", "WEIGHTS_0": "weights"}
    mesh = {
        ours: array(file, getattr(primitive.attributes, name))
        for name, ours in kinds.items()
        if getattr(primitive.attributes, name) is not None
    }
    return Seen(
        names=[file.nodes[joint].name for joint in skin.joints],
        parents=[file.nodes[above[joint]].name if joint in above else None for joint in skin.joints],
        rest=np.stack([still[joint][0] for joint in skin.joints]),
        world=np.stack([moved[joint] for joint in skin.joints], axis=1),
        moments=moments,
        mesh=mesh | {"triangles": array(file, primitive.indices).reshape(-1, 3)},
        # Matrices are stored column by column.
        binds=array(file, skin.inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2),
        file=file,
    )


def posed(found: Seen, frame: int) -> np.ndarray:
    """Return the vertices of the surface in one frame, by the format's formula."""
    matrices = found.world[frame] @ found.binds
    points = np.concatenate([found.mesh["vertices"], np.ones((len(found.mesh["vertices"]), 1))], axis=1)
    moved = np.einsum("nkij,nj->nki", matrices[found.mesh["joints"]], points)
    return np.einsum("nk,nki->ni", found.mesh["weights"], moved)[:, :3]


def array(file: pygltflib.GLTF2, number: int) -> np.ndarray:
    """Return the numbers of an accessor, [count, width]."""
    accessor = file.accessors[number]
    view = file.bufferViews[accessor.bufferView]
    count = accessor.count * _WIDTHS[accessor.type]
    values = np.frombuffer(file.binary_blob(), _TYPES[accessor.componentType], count, view.byteOffset)
    return values.reshape(accessor.count, -1)


def _matrices(places: np.ndarray, xyzw: np.ndarray) -> np.ndarray:
    out = np.tile(np.eye(4), (len(places), 1, 1))
    out[:, :3, :3] = Rotation.from_quat(xyzw).as_matrix()
    out[:, :3, 3] = places
    return out
