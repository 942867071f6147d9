"""GLB, the binary form of glTF 2.0: bones, their motion, and a surface that follows them, in one file.

The format's world is ours: right-handed, +Y up, facing +Z, metres, seconds; only quaternions are stored xyzw.
Numbers are float32, as the format demands. A position 10 m from the origin is exact to 0.5 micrometres there, and
a moment after 10 minutes to 0.03 milliseconds: so key k is the float32 nearest to k / fps, and the exact rate is
written beside it (`extras` of the animation), where `reading.glb` takes it from.

Bones without a surface are bare nodes, which programs show as axes or not at all: without a body, sticks are the
surface. Nodes rest in the bind pose; bones are told by the skin.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.export.rigged import Rigged
from mocaplift.export.skin import Skin, inverse_binds
from mocaplift.export.sticks import stick_figure
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.rotations import from_matrix
from mocaplift.values import Camera
from mocaplift.windows import runs

MAGIC, VERSION = b"glTF", 2
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
# Numbers of the format: what an accessor's components are, and what a view of the buffer is for.
UINT8, UINT16, UINT32, FLOAT32 = 5121, 5123, 5125, 5126
_FOR_VERTICES, _FOR_INDICES = 34962, 34963
_COMPONENTS = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_TYPES = {UINT8: "<u1", UINT16: "<u2", UINT32: "<u4", FLOAT32: "<f4"}
# The largest index that fits 16 bits: the format reserves 65535.
LARGEST_SHORT = 65534
# Lengths in the file are 32 bits.
LARGEST_FILE = 2**32 - 1  # bytes
# OpenCV cameras look along +z with y down, the format's along -z with y up.
_CAMERA_AXES = np.diag([1.0, -1.0, -1.0])
NEAREST_SEEN = 0.05  # m, of the camera
MATERIAL = {
    "name": "Surface",
    "pbrMetallicRoughness": {
        "baseColorFactor": [0.52, 0.6, 0.68, 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.75,
    },
}


class _Buffer:
    """Numbers put one after another, with the views and accessors that tell where they are."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray, kind: int, *, bounds: bool = False, target: int | None = None) -> int:
        """Put an array [N] or [N C] there and return its accessor; bounds are those of the stored numbers."""
        stored = np.ascontiguousarray(values, dtype=_TYPES[kind])
        content = stored.tobytes()
        padding = -len(content) % 4
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.size, "byteLength": len(content)}
        if target is not None:
            view["target"] = target
        columns = stored.shape[1] if stored.ndim > 1 else 1
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": kind,
            "count": len(stored),
            "type": _COMPONENTS[columns],
        }
        if bounds:
            table = stored.reshape(len(stored), columns)
            accessor |= {"min": table.min(axis=0).tolist(), "max": table.max(axis=0).tolist()}
        self.parts += [content, b"\0" * padding]
        self.size += len(content) + padding
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def encode(rigged: Rigged, skin: Skin | None = None) -> bytes:
    """Return the motion as a GLB file, with a surface on the bones (sticks, if none is given).

    Raises:
        InvalidData: two bones share a name, or the motion is longer than the file's 32-bit lengths reach.
    """
    if len(set(rigged.names)) < len(rigged.names):
        raise InvalidData("two bones share a name, so that programs would rename one of them")
    buffer = _Buffer()
    nodes = _bones(rigged)
    scene = [0]
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mocaplift"},
        "scene": 0,
        "scenes": [{"name": "Scene", "nodes": scene}],
        "nodes": nodes,
        "animations": [_animation(rigged, buffer)],
    }
    surface = stick_figure(rigged) if skin is None else skin
    if len(surface.triangles):
        scene.append(len(nodes))
        name = _free_name("Skeleton" if skin is None else "Body", rigged.names)
        nodes.append({"name": name, "mesh": 0, "skin": 0})
        binds = inverse_binds(*rigged.rest_world()).swapaxes(-1, -2).reshape(-1, 16)
        document |= {
            "meshes": [{"name": name, "primitives": [_primitive(surface, buffer)]}],
            "skins": [
                {
                    "name": "Skin",
                    "joints": list(range(len(rigged.names))),
                    "skeleton": 0,
                    "inverseBindMatrices": buffer.add(binds, FLOAT32),
                }
            ],
            "materials": [MATERIAL],
        }
    if rigged.camera is not None:
        scene.append(len(nodes))
        nodes.append(_camera_node(rigged.camera, _free_name("Camera", rigged.names)))
        document["cameras"] = [_camera(rigged.camera)]
    document["bufferViews"], document["accessors"] = buffer.views, buffer.accessors
    document["buffers"] = [{"byteLength": buffer.size}]
    return _file(document, buffer.parts)


def _bones(rigged: Rigged) -> list[dict[str, Any]]:
    """Return a node for every bone, at rest; `extras` tell which of our joints it is."""
    nodes: list[dict[str, Any]] = [
        {"name": name, "translation": offset.tolist(), "rotation": _xyzw(rest).tolist()}
        for name, offset, rest in zip(rigged.names, rigged.offsets, rigged.rest, strict=True)
    ]
    for bone, (parent, joint) in enumerate(zip(rigged.parents, rigged.joints, strict=True)):
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(bone)
        extras: dict[str, Any] = {} if joint is None else {"joint": joint}
        if bone in rigged.tips:
            extras["tip"] = rigged.tips[bone].tolist()
        if extras:
            nodes[bone]["extras"] = extras
    return nodes


def _animation(rigged: Rigged, buffer: _Buffer) -> dict[str, Any]:
    """Return the motion: a key per frame for the rotation of every bone, and for the places that move."""
    times = _times(len(rigged), rigged.fps)
    if len(times) > 1 and np.diff(times).min() <= 0:
        raise InvalidData(
            f"{len(times)} frames at {float(rigged.fps):g} fps are more than GLB's 32-bit seconds can tell apart; "
            "write a shorter motion, or BVH"
        )
    moments = buffer.add(times, FLOAT32, bounds=True)
    tracks: list[tuple[int, str, np.ndarray]] = [
        (bone, "rotation", _xyzw(rigged.rotations[:, bone])) for bone in range(len(rigged.names))
    ]
    tracks += [(bone, "translation", place) for bone, place in sorted(rigged.places.items())]
    samplers = [
        {"input": moments, "output": buffer.add(values, FLOAT32), "interpolation": "LINEAR"}
        for _, _, values in tracks
    ]
    channels = [
        {"sampler": number, "target": {"node": bone, "path": path}}
        for number, (bone, path, _) in enumerate(tracks)
    ]
    rate = Fraction(rigged.fps) if isinstance(rigged.fps, Fraction | int) else None
    extras: dict[str, Any] = {
        "fps": f"{rate.numerator}/{rate.denominator}" if rate is not None else float(rigged.fps),
        "frames": len(rigged),
    }
    if rigged.contacts is not None:
        extras["contacts"] = _spans(rigged.contacts)
    return {"name": "Motion", "channels": channels, "samplers": samplers, "extras": extras}


def _times(frames: int, fps: Fraction | float) -> Float[np.ndarray, "T"]:
    """Return every frame's time in seconds, each from its number: rounding never adds up."""
    rate = Fraction(fps)
    numbers = np.arange(frames, dtype=np.float64)
    # One rounding each, as long as both products are below 2^53: they are whole numbers.
    return (numbers * rate.denominator / rate.numerator).astype(np.float32)


def _spans(contacts: Bool[np.ndarray, "T F"]) -> dict[str, list[list[int]]]:
    """Return when each point of the feet stands: the first and the last frame of every stretch."""
    spans = {}
    for point, column in zip(CONTACT_POINTS, np.asarray(contacts).T, strict=True):
        spans[point] = [[first, after - 1] for first, after in runs(column)]
    return spans


def _primitive(skin: Skin, buffer: _Buffer) -> dict[str, Any]:
    """Return the surface; vertices are in the world, on the bones at rest."""
    attributes = {
        "POSITION": buffer.add(skin.vertices, FLOAT32, bounds=True, target=_FOR_VERTICES),
        # A joint of weight 0 must be 0, or validators ask what it is for.
        "JOINTS_0": buffer.add(np.where(skin.weights > 0, skin.joints, 0), UINT16, target=_FOR_VERTICES),
        "WEIGHTS_0": buffer.add(skin.weights, FLOAT32, target=_FOR_VERTICES),
    }
    if skin.normals is not None:
        attributes["NORMAL"] = buffer.add(skin.normals, FLOAT32, target=_FOR_VERTICES)
    kind = UINT16 if len(skin.vertices) <= LARGEST_SHORT else UINT32
    indices = buffer.add(skin.triangles.reshape(-1), kind, target=_FOR_INDICES)
    return {"attributes": attributes, "indices": indices, "material": 0}


def _camera(camera: Camera) -> dict[str, Any]:
    """Return the lens. The format knows neither distortion nor a principal point: `extras` hold what was used."""
    width, height = camera.size
    return {
        "name": camera.name,
        "type": "perspective",
        "perspective": {
            "yfov": 2 * math.atan(height / 2 / float(camera.intrinsics[1, 1])),
            "aspectRatio": width / height,
            "znear": NEAREST_SEEN,
        },
        "extras": {
            "intrinsics": camera.intrinsics.tolist(),
            "distortion": camera.distortion.tolist(),
            "size": [width, height],
        },
    }


def _camera_node(camera: Camera, name: str) -> dict[str, Any]:
    """Return where the camera stands and looks."""
    world_from_cam = np.linalg.inv(camera.cam_from_world)
    return {
        "name": name,
        "camera": 0,
        "translation": world_from_cam[:3, 3].tolist(),
        "rotation": _xyzw(from_matrix(world_from_cam[:3, :3] @ _CAMERA_AXES)).tolist(),
    }


def _xyzw(q: Float[np.ndarray, "*lead 4"]) -> Float[np.ndarray, "*lead 4"]:
    """Return quaternions (wxyz) in the format's order."""
    return np.roll(q, -1, axis=-1)


def _free_name(name: str, taken: Sequence[str]) -> str:
    """Return the name, longer if a bone has it already."""
    while name in taken:
        name += "_"
    return name


def _file(document: dict[str, Any], parts: Sequence[bytes]) -> bytes:
    """Return header, JSON and numbers, each chunk a multiple of four bytes long."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    total = 12 + 8 + len(text) + 8 + len(binary)
    if total > LARGEST_FILE:
        raise InvalidData(f"a GLB file cannot hold {total / 1e9:.1f} GB; write a shorter motion")
    return b"".join(
        [
            struct.pack("<4sII", MAGIC, VERSION, total),
            struct.pack("<I4s", len(text), JSON_CHUNK),
            text,
            struct.pack("<I4s", len(binary), BINARY_CHUNK),
            binary,
        ]
    )
