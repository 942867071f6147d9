"""Motions out of GLB files that this project wrote.

Files of other programs are read as far as they say the same with the same means: one animation, a key at every
frame of one rate, no scale. What would be read wrongly is refused, and no number in the file is trusted.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.export.gltf import BINARY_CHUNK, FLOAT32, JSON_CHUNK, MAGIC, VERSION
from mocaplift.export.rigged import Rigged
from mocaplift.export.timing import exact_rate
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.rotations import IDENTITY, make_continuous, normalize

HEADER_BYTES, CHUNK_BYTES = 12, 8
MOST_JSON = 16 << 20  # bytes
MOST_NODES = 10_000
MOST_BONES = 2_000
# Frames times bones: an hour at 60 fps of 40 bones.
MOST_ROTATIONS = 10_000_000
HIGHEST_FPS = 10_000
# Keys farther from their frames than this share of a frame are on no frames.
TIME_TOLERANCE = 0.01
SCALE_TOLERANCE = 1e-4
_RATE = re.compile(r"[0-9]{1,18}/[1-9][0-9]{0,17}")
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_ADVICE = "this reads what mocaplift writes; export the motion as BVH from the program that made it"


def decode(content: bytes) -> Rigged:
    """Return the motion of a GLB file, in metres with +Y up.

    `joints` and the exact rate are those that `gltf.encode` wrote; in other files joints are None, and the rate is
    that of the keys.

    Raises:
        InvalidData: no GLB, damaged, too large, without bones, or with what is not read (see above).
    """
    try:
        return _motion(_File(content))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        # Any entry of the JSON may be missing or of another kind.
        raise InvalidData(f"a damaged GLB file ({type(error).__name__}: {error})") from error


class _File:
    """The JSON of a GLB file and its numbers."""

    def __init__(self, content: bytes) -> None:
        text, self.binary = _chunks(content)
        try:
            self.document: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidData(f"a damaged GLB file: its JSON cannot be read ({error})") from error
        if not isinstance(self.document, dict) or len(self.nodes) > MOST_NODES:
            raise InvalidData(f"a GLB file with more than {MOST_NODES} nodes, or without any")
        if any("uri" in buffer for buffer in self.document.get("buffers", ())):
            raise InvalidData(f"this GLB file keeps its numbers in other files; {_ADVICE}")

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes as they are in the file."""
        return self.document.get("nodes", [])

    def numbers(self, accessor: int, kind: str) -> Float[np.ndarray, "N C"]:
        """Return the rows of an accessor of 32-bit floats, after a check that they are there."""
        entry = _entry(self.document["accessors"], accessor)
        view = _entry(self.document["bufferViews"], entry["bufferView"])
        width, count = _WIDTHS[kind], _whole(entry["count"])
        if entry["type"] != kind or entry["componentType"] != FLOAT32 or "sparse" in entry:
            raise InvalidData(f"this GLB file packs its numbers; {_ADVICE}")
        if view.get("byteStride", 4 * width) != 4 * width:
            raise InvalidData(f"this GLB file interleaves its numbers; {_ADVICE}")
        begin = _whole(view.get("byteOffset", 0)) + _whole(entry.get("byteOffset", 0))
        if begin + 4 * width * count > len(self.binary):
            raise InvalidData("a damaged GLB file: it declares more numbers than it holds")
        rows = np.frombuffer(self.binary, "<f4", width * count, begin).reshape(count, width).astype(float)
        if not np.isfinite(rows).all():
            raise InvalidData("a damaged GLB file: a number is NaN or infinite")
        return rows


def _chunks(content: bytes) -> tuple[bytes, bytes]:
    """Return the JSON and the numbers."""
    if len(content) < HEADER_BYTES + CHUNK_BYTES or content[:4] != MAGIC:
        raise InvalidData("no GLB file: it does not begin as one")
    version, _ = struct.unpack_from("<II", content, 4)
    if version != VERSION:
        raise InvalidData(f"a GLB file of version {version}; only {VERSION} is read")
    found: dict[bytes, bytes] = {}
    begin = HEADER_BYTES
    while begin + CHUNK_BYTES <= len(content) and len(found) < 2:
        length, kind = struct.unpack_from("<I4s", content, begin)
        begin += CHUNK_BYTES
        if begin + length > len(content):
            raise InvalidData("a damaged GLB file: it is cut off")
        if kind in (JSON_CHUNK, BINARY_CHUNK):
            found.setdefault(kind, content[begin : begin + length])
        begin += length
    if JSON_CHUNK not in found or len(found[JSON_CHUNK]) > MOST_JSON:
        raise InvalidData("a damaged GLB file: its description is missing or too long")
    return found[JSON_CHUNK], found.get(BINARY_CHUNK, b"")


def _motion(file: _File) -> Rigged:
    numbers, parents = _hierarchy(file)
    animations = file.document.get("animations", [])
    if len(animations) != 1:
        raise InvalidData(f"a GLB file with {len(animations)} animations, where one is needed; {_ADVICE}")
    tracks, times = _tracks(file, animations[0])
    extras = animations[0].get("extras") or {}
    fps = _rate(extras.get("fps"), times)
    if len(times) * len(numbers) > MOST_ROTATIONS:
        raise InvalidData(f"{len(times)} frames of {len(numbers)} bones are more than one file should hold")
    nodes = [file.nodes[number] for number in numbers]
    rest = np.stack([_quaternion(node.get("rotation", [0, 0, 0, 1])) for node in nodes])
    rotations = np.repeat(rest[None], len(times), axis=0)
    places: dict[int, np.ndarray] = {}
    offsets = np.stack([_vector(node.get("translation", [0, 0, 0])) for node in nodes])
    for bone, number in enumerate(numbers):
        if (number, "rotation") in tracks:
            rotations[:, bone] = normalize(np.roll(tracks[number, "rotation"], 1, axis=-1))
        moved = tracks.get((number, "translation"))
        # Other programs give every bone a translation track that never changes: that is no motion.
        if bone == 0 or (moved is not None and np.ptp(moved, axis=0).max() > 0):
            places[bone] = np.tile(offsets[bone], (len(times), 1)) if moved is None else moved
    tips = {
        bone: _vector(node["extras"]["tip"])
        for bone, node in enumerate(nodes)
        if bone not in parents and "tip" in (node.get("extras") or {})
    }
    return Rigged(
        names=_names(nodes),
        parents=parents,
        offsets=offsets,
        rest=rest,
        rotations=make_continuous(rotations),
        places=places,
        fps=fps,
        joints=tuple(_joint(node) for node in nodes),
        tips=tips,
        contacts=_contacts(extras.get("contacts"), len(times)),
    )


def _hierarchy(file: _File) -> tuple[list[int], tuple[int, ...]]:
    """Return the numbers of the nodes that are bones, parents first, and the position of each one's parent."""
    skins = file.document.get("skins", [])
    bones = {_whole(number) for number in skins[0]["joints"]} if skins else set()
    if not bones:
        raise InvalidData("a GLB file without bones: no skin names any")
    if len(bones) > MOST_BONES or max(bones) >= len(file.nodes):
        raise InvalidData("a damaged GLB file: it names bones that are not there, or too many")
    above: dict[int, int] = {}
    for number, node in enumerate(file.nodes):
        for child in node.get("children", ()):
            if above.setdefault(_whole(child), number) != number:
                raise InvalidData("a damaged GLB file: a node hangs on two others")
    roots = [bone for bone in sorted(bones) if above.get(bone) not in bones]
    if len(roots) != 1:
        raise InvalidData(f"{len(roots)} bones hang on no other, where one root is needed; {_ADVICE}")
    _check_world(file, roots[0], above)
    order, parents = [roots[0]], [-1]
    for position in range(MOST_BONES):
        if position == len(order):
            break
        node = file.nodes[order[position]]
        _check_node(node)
        for child in node.get("children", ()):
            if child in bones:
                order.append(child)
                parents.append(position)
    if len(order) != len(bones):
        raise InvalidData("a damaged GLB file: bones hang on each other in a ring")
    return _as_listed(order, parents, skins[0]["joints"])


def _as_listed(order: list[int], parents: list[int], listed: list[int]) -> tuple[list[int], tuple[int, ...]]:
    """Return the same bones in the order of the skin, if parents come first there as well."""
    place = {number: position for position, number in enumerate(listed)}
    above = {
        number: order[parent] if parent >= 0 else None for number, parent in zip(order, parents, strict=True)
    }
    is_fit = len(listed) == len(order) and all(
        parent is None or place[parent] < place[number] for number, parent in above.items()
    )
    if not is_fit:
        return order, tuple(parents)
    return listed, tuple(-1 if (parent := above[number]) is None else place[parent] for number in listed)


def _check_world(file: _File, root: int, above: Mapping[int, int]) -> None:
    """Raise unless the nodes over the root bone leave it where it is."""
    number, steps = above.get(root), 0
    while number is not None:
        node = file.nodes[number]
        if steps > MOST_NODES or {"matrix", "translation", "rotation", "scale"} & set(node):
            raise InvalidData(f"a node over the first bone moves it; {_ADVICE}")
        number, steps = above.get(number), steps + 1


def _check_node(node: Mapping[str, Any]) -> None:
    scale = np.abs(_vector(node.get("scale", [1, 1, 1])) - 1).max()
    if "matrix" in node or scale > SCALE_TOLERANCE:
        raise InvalidData(f"bone {node.get('name')!r} is scaled, or placed by a matrix; {_ADVICE}")


def _tracks(
    file: _File, animation: Mapping[str, Any]
) -> tuple[dict[tuple[int, str], np.ndarray], Float[np.ndarray, "T"]]:
    """Return the keys of every bone's rotation and translation, and the times (s) that all share."""
    times: np.ndarray | None = None
    tracks: dict[tuple[int, str], np.ndarray] = {}
    read: dict[int, np.ndarray] = {}
    for channel in animation["channels"][: 3 * MOST_NODES]:
        path = channel["target"]["path"]
        if path not in ("rotation", "translation"):
            continue
        sampler = _entry(animation["samplers"], channel["sampler"])
        if sampler.get("interpolation", "LINEAR") == "CUBICSPLINE":
            raise InvalidData(f"this GLB file has curves between its keys; {_ADVICE}")
        moment = _whole(sampler["input"])
        if moment not in read:
            read[moment] = file.numbers(moment, "SCALAR")[:, 0]
        times = read[moment] if times is None else times
        values = file.numbers(sampler["output"], "VEC4" if path == "rotation" else "VEC3")
        if len(values) != len(times) or not np.array_equal(read[moment], times):
            raise InvalidData(f"the bones of this GLB file have keys at different times; {_ADVICE}")
        target = _whole(channel["target"]["node"]), path
        if target in tracks:
            raise InvalidData(f"a damaged GLB file: node {target[0]} has two tracks of {path}")
        tracks[target] = values
        if len(times) * len(tracks) > 2 * MOST_ROTATIONS:
            raise InvalidData("this GLB file holds more keys than one file should hold")
    if times is None or not len(times):
        raise InvalidData("a GLB file whose animation moves no bone")
    return tracks, times


def _rate(stated: Any, times: Float[np.ndarray, "T"]) -> Fraction | float:
    """Return the frames per second: as the file tells them if the keys agree, else those of the keys."""
    steps = len(times) - 1
    if steps < 1:
        return _stated(stated) or Fraction(30)
    length = float(times[-1] - times[0])
    if not 0 < steps / HIGHEST_FPS <= length:
        raise InvalidData(
            "a damaged GLB file: the times of its keys do not grow, or the rate is beyond all cameras"
        )
    given = _stated(stated)
    rate = (
        given if given is not None and abs(float(given) * length - steps) < TIME_TOLERANCE * steps else None
    )
    fps = rate or exact_rate(_rounded(steps / length))
    # Float32 seconds are this far apart at the end.
    slack = TIME_TOLERANCE + float(np.spacing(np.float32(times[-1]))) * float(fps)
    if np.abs((times - times[0]) * float(fps) - np.arange(steps + 1)).max() > slack:
        raise InvalidData(f"the keys of this GLB file are not at one rate; {_ADVICE}")
    return fps


def _stated(value: Any) -> Fraction | None:
    """Return the rate in the words of `gltf.encode`: "30000/1001", or a number."""
    is_text = isinstance(value, str) and _RATE.fullmatch(value) is not None
    if not is_text and not (isinstance(value, float) and np.isfinite(value)):
        return None
    rate = Fraction(value)
    return rate if 0 < rate <= HIGHEST_FPS else None


def _rounded(fps: float) -> float:
    """Return the usual rate that float32 times stand for, if one is near."""
    near = [base * part for base in (24, 25, 30, 50, 60, 120) for part in (Fraction(1), Fraction(1000, 1001))]
    best = min(near, key=lambda rate: abs(float(rate) - fps))
    return float(best) if abs(float(best) / fps - 1) < 1e-4 else fps


def _contacts(spans: Any, frames: int) -> Bool[np.ndarray, "T F"] | None:
    if not isinstance(spans, dict) or set(spans) != set(CONTACT_POINTS):
        return None
    contacts = np.zeros((frames, len(CONTACT_POINTS)), dtype=bool)
    for column, point in enumerate(CONTACT_POINTS):
        after = 0
        for first, last in spans[point]:
            # In order, so that a short file cannot ask for the same frames again and again.
            if not after <= _whole(first) <= _whole(last) < frames:
                raise InvalidData(f"a damaged GLB file: contacts of {point} at frames that are not there")
            after = last + 1
            contacts[first:after, column] = True
    return contacts


def _names(nodes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    names = tuple(str(node.get("name", f"bone{position}")) for position, node in enumerate(nodes))
    if len(set(names)) < len(names):
        raise InvalidData("two bones of this GLB file share a name")
    return names


def _joint(node: Mapping[str, Any]) -> str | None:
    joint = (node.get("extras") or {}).get("joint")
    return joint if joint in SMPL24.joints else None


def _quaternion(xyzw: Sequence[float]) -> Float[np.ndarray, "4"]:
    values = np.roll(np.asarray(xyzw, dtype=float), 1)
    if values.shape != IDENTITY.shape:
        raise InvalidData("a damaged GLB file: a rotation is no four numbers")
    return normalize(values)


def _vector(values: Sequence[float]) -> Float[np.ndarray, "3"]:
    vector = np.asarray(values, dtype=float)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise InvalidData("a damaged GLB file: a place is no three numbers")
    return vector


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidData(f"a damaged GLB file: {value!r} is no number of a thing")
    return value


def _entry(entries: Sequence[Any], number: Any) -> Any:
    if _whole(number) >= len(entries):
        raise InvalidData(f"a damaged GLB file: it names a thing {number} that is not there")
    return entries[number]
