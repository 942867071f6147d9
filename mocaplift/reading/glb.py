"""Reading GLB: the skeleton and the first animation, as our own writer and others' write them.

glTF 2.0 (Khronos): metres, +Y up, quaternions xyzw. Nodes without scale and shear, keys with linear steps;
anything else that moves a bone is refused, not guessed. Keys are brought to the rate that the file tells (`extras`
of ours), or that most of its keys have.
"""

from __future__ import annotations

import json
import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.export.rigged import Rigged
from mocaplift.export.timing import exact_rate
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.reading.rates import KNOWN_RATES
from mocaplift.reading.text import read_bytes
from mocaplift.rotations import make_continuous, normalize, slerp

MOST_BYTES = 512 << 20
MOST_JSON = 16 << 20  # takes up to 30 times as much when it is read
MOST_CHUNKS = 16  # two are the format's own
MOST_NODES = 5000
MOST_FRAMES = 1_000_000
MOST_VALUES = 20_000_000  # rotations of bones over frames, and keys: three hours at 30 fps of 60 bones
HIGHEST_FPS = 10_000.0
LARGEST = 1e6  # m and s: beyond it a number is damage
_CHUNK_JSON, _CHUNK_BINARY = 0x4E4F534A, 0x004E4942
_FLOAT = 5126
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
_PATHS = {"rotation": 4, "translation": 3}
_SCALE_TOLERANCE = 1e-3
# A key so shortly (share of a frame) after a frame is on it.
ON_FRAME = 0.02


def read_glb(path: Path) -> Rigged:
    """Return the motion of the file's bones; `joints` are those that a file of ours names.

    Raises:
        InvalidData: the file is damaged, too large, or holds no bones in motion that can be read.
    """
    document, binary = _chunks(read_bytes(path, MOST_BYTES))
    nodes = _list(document, "nodes")
    if not nodes or len(nodes) > MOST_NODES:
        raise InvalidData(f"holds {len(nodes)} nodes; a skeleton has up to {MOST_NODES}")
    tracks = _tracks(document, _Numbers(document, binary), len(nodes))
    bones, parents = _bones(document, nodes, tracks)
    animation = _list(document, "animations")[0]
    extras = _extras(animation)
    times, fps = _frames([times for times, _, _ in tracks.values()], extras)
    if len(times) * len(bones) > MOST_VALUES:
        raise InvalidData(f"{len(times)} frames of {len(bones)} bones are more than one file should hold")
    offsets, rest = np.zeros((len(bones), 3)), np.zeros((len(bones), 4))
    turns, places = np.zeros((len(times), len(bones), 4)), {}
    for bone, number in enumerate(bones):
        node = nodes[number]
        offsets[bone] = _vector(node, "translation", (0.0, 0.0, 0.0))
        rest[bone] = normalize(np.roll(_vector(node, "rotation", (0.0, 0.0, 0.0, 1.0)), 1))
        if np.abs(_vector(node, "scale", (1.0, 1.0, 1.0)) - 1.0).max() > _SCALE_TOLERANCE or "matrix" in node:
            raise InvalidData(
                f"bone {_name(node, number)!r} is scaled, or placed by a matrix: that is not read"
            )
        turned = tracks.get((number, "rotation"))
        turns[:, bone] = rest[bone] if turned is None else _turns_at(turned, times)
        placed = tracks.get((number, "translation"))
        if placed is not None or bone == 0:
            places[bone] = (
                np.tile(offsets[bone], (len(times), 1)) if placed is None else _places_at(placed, times)
            )
    notes = [_extras(node) for node in nodes]
    return Rigged(
        names=tuple(_name(nodes[number], number) for number in bones),
        parents=parents,
        offsets=offsets,
        rest=rest,
        rotations=make_continuous(turns),
        places=places,
        fps=fps,
        joints=tuple(_text(notes[number].get("joint")) for number in bones),
        tips={
            bone: _vector(notes[number], "tip", (0.0, 0.0, 0.0))
            for bone, number in enumerate(bones)
            if "tip" in notes[number]
        },
        contacts=_contacts(extras.get("contacts"), len(times)),
    )


_Track = tuple[Float[np.ndarray, "K"], Float[np.ndarray, "K C"], str]


def _chunks(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the JSON and the numbers."""
    if len(content) < 20:
        raise InvalidData("is cut off")
    magic, version, length = struct.unpack_from("<4sII", content)
    if magic != b"glTF" or version != 2 or length > len(content):
        raise InvalidData(
            f"is no whole GLB file of version 2 (it says {length} bytes, but has {len(content)})"
        )
    parts: dict[int, memoryview] = {}
    at = 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > length:
            break
        size, kind = struct.unpack_from("<II", content, at)
        if at + 8 + size > length:
            raise InvalidData("is cut off: a chunk is longer than the file")
        parts.setdefault(kind, memoryview(content)[at + 8 : at + 8 + size])
        at += 8 + size
    text = parts.get(_CHUNK_JSON, b"")
    if not text or len(text) > MOST_JSON:
        raise InvalidData("holds no description, or one too large")
    try:
        document = json.loads(bytes(text).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidData(f"its description is damaged: {error}") from error
    if not isinstance(document, dict):
        raise InvalidData("its description is no table")
    return document, parts.get(_CHUNK_BINARY, memoryview(b""))


def _list(table: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = table.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidData(f"{name} of its description is no list of tables")
    return found


def _extras(table: dict[str, Any]) -> dict[str, Any]:
    found = table.get("extras")
    return found if isinstance(found, dict) else {}


def _at(items: list[dict[str, Any]], number: Any, what: str) -> dict[str, Any]:
    if type(number) is not int or not 0 <= number < len(items):
        raise InvalidData(f"its description names {what} {number!r}, which is not there")
    return items[number]


def _whole(table: dict[str, Any], name: str, default: int | None = None) -> int:
    value = table.get(name, default)
    if type(value) is not int or not 0 <= value < 2**40:
        raise InvalidData(f"{name} of its description is no whole number")
    return value


def _vector(table: dict[str, Any], name: str, default: tuple[float, ...]) -> np.ndarray:
    value = table.get(name, default)
    is_plain = isinstance(value, list | tuple) and all(type(each) in (int, float) for each in value)
    if not is_plain or len(value) != len(default) or not all(abs(each) < LARGEST for each in value):
        raise InvalidData(f"{name} of its description is not {len(default)} numbers")
    return np.array(value, dtype=float)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _name(node: dict[str, Any], number: int) -> str:
    return _text(node.get("name")) or f"node{number}"


class _Numbers:
    """The arrays of the file, found by their numbers; counts are checked before anything is read."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self._accessors, self._views = _list(document, "accessors"), _list(document, "bufferViews")
        self._binary = binary

    def count(self, number: Any) -> int:
        """Return how many rows an array is said to have."""
        return _whole(_at(self._accessors, number, "accessor"), "count")

    def array(self, number: Any) -> np.ndarray:
        """Return an array of floats [count, width], as it lies in the file.

        Raises:
            InvalidData: it lies elsewhere, holds other numbers than floats, or some that are not finite.
        """
        accessor = _at(self._accessors, number, "accessor")
        width = _WIDTHS.get(str(accessor.get("type")))
        if accessor.get("componentType") != _FLOAT or width is None or "sparse" in accessor:
            raise InvalidData("keys of an animation are no plain floats: that is not read")
        view, count = _at(self._views, accessor.get("bufferView"), "bufferView"), self.count(number)
        begin = _whole(view, "byteOffset", 0) + _whole(accessor, "byteOffset", 0)
        stride = _whole(view, "byteStride", 0) or 4 * width
        end = begin + stride * max(count - 1, 0) + 4 * width
        if _whole(view, "buffer", 0) != 0 or stride < 4 * width or count < 1 or end > len(self._binary):
            raise InvalidData("an array of keys lies outside of the file, or in another one")
        rows = np.ndarray((count, width), "<f4", self._binary, begin, (stride, 4))
        if not (np.abs(rows) < LARGEST).all():
            raise InvalidData("an array of keys holds NaN or infinity")
        return rows


def _tracks(document: dict[str, Any], numbers: _Numbers, num_nodes: int) -> dict[tuple[int, str], _Track]:
    """Return times, values and kind of steps by node and property, of the first animation."""
    animations = _list(document, "animations")
    if not animations:
        raise InvalidData("holds no animation")
    samplers = _list(animations[0], "samplers")
    times: dict[int, np.ndarray] = {}
    tracks: dict[tuple[int, str], _Track] = {}
    keys = 0
    for channel in _list(animations[0], "channels"):
        target = channel.get("target")
        if not isinstance(target, dict) or _text(target.get("path")) not in _PATHS:
            continue
        node, path = target.get("node"), target["path"]
        if type(node) is not int or not 0 <= node < num_nodes or (node, path) in tracks:
            continue
        sampler = _at(samplers, channel.get("sampler"), "sampler")
        steps = str(sampler.get("interpolation", "LINEAR"))
        if steps not in ("LINEAR", "STEP"):
            raise InvalidData(f"its keys are joined by {steps}: only LINEAR and STEP are read")
        keys += numbers.count(sampler.get("output"))
        if keys > MOST_VALUES:
            raise InvalidData(f"more than {MOST_VALUES} keys are more than one file should hold")
        source = _whole(sampler, "input")
        if source not in times:
            times[source] = _moments(numbers.array(source))
        moments, values = times[source], numbers.array(sampler.get("output"))
        if len(values) != len(moments) or values.shape[1] != _PATHS[path]:
            raise InvalidData(f"keys of a {path} are {list(values.shape)} numbers at {len(moments)} moments")
        tracks[node, path] = moments, values, steps
    if not tracks:
        raise InvalidData("its animation moves no bone")
    return tracks


def _moments(rows: Float[np.ndarray, "K C"]) -> Float[np.ndarray, "K"]:
    """Return the times of keys in seconds."""
    if rows.shape[1] != 1 or (np.diff(rows[:, 0]) <= 0).any():
        raise InvalidData("its keys do not follow each other in time")
    return rows[:, 0].astype(float)


def _bones(
    document: dict[str, Any], nodes: list[dict[str, Any]], tracks: dict[tuple[int, str], _Track]
) -> tuple[list[int], tuple[int, ...]]:
    """Return the nodes of the skeleton, parents first, and their parents: what is skinned or moves, and above."""
    above: dict[int, int] = {}
    for number, node in enumerate(nodes):
        children = node.get("children", [])
        for child in children if isinstance(children, list) else []:
            _at(nodes, child, "node")
            if child in above:
                raise InvalidData(f"node {child} hangs below two others")
            above[child] = number
    skins = _list(document, "skins")
    listed = skins[0].get("joints") if skins else None
    skinned = {each for each in listed if type(each) is int} if isinstance(listed, list) else set()
    wanted = skinned & set(range(len(nodes))) | {node for node, _ in tracks}
    order: list[int] = []
    placed: dict[int, int] = {}
    for number in sorted(wanted):
        chain = [number]
        while chain[-1] in above and chain[-1] not in placed:
            chain.append(above[chain[-1]])
            if len(chain) > len(nodes):
                raise InvalidData(f"node {number} hangs below itself")
        for each in reversed(chain):
            if each not in placed:
                placed[each] = len(order)
                order.append(each)
    parents = tuple(placed[above[number]] if number in above else -1 for number in order)
    if parents.count(-1) != 1:
        raise InvalidData(f"holds {parents.count(-1)} skeletons; one is read")
    return order, parents


def _frames(
    stamps: list[Float[np.ndarray, "K"]], extras: dict[str, Any]
) -> tuple[Float[np.ndarray, "T"], Fraction | float]:
    """Return the time of every frame, and the rate."""
    longest = max(stamps, key=len)
    first = min(float(times[0]) for times in stamps)
    length = max(float(times[-1]) for times in stamps) - first
    fps = _stated_rate(extras.get("fps")) or _likely_rate(longest)
    frames = int(np.floor(length * float(fps) + ON_FRAME)) + 1
    if frames > MOST_FRAMES:
        raise InvalidData(f"{length:g} s at {float(fps):g} fps are more frames than one file should hold")
    return first + np.arange(frames) / float(fps), fps


def _stated_rate(value: Any) -> Fraction | float | None:
    try:
        # Not every text that Fraction takes: "1e999999999" would ask for all memory.
        is_text = isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}/[0-9]{1,18}", value)
        rate = Fraction(value) if is_text else Fraction(float(value))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not 0 < rate < HIGHEST_FPS:
        return None
    return rate if isinstance(value, str) else exact_rate(float(rate))


def _likely_rate(times: Float[np.ndarray, "K"]) -> Fraction | float:
    """Return the known rate that the keys lie on, or that of the usual step between two of them."""
    if len(times) < 2:
        return Fraction(30)
    passed = times - times[0]
    step = float(np.median(np.diff(times)))
    for rate in sorted(KNOWN_RATES, key=lambda rate: abs(float(rate) * step - 1)):
        places = passed * float(rate)
        if np.abs(places - np.round(places)).max() < ON_FRAME:
            return rate
    return min(1 / step, HIGHEST_FPS)


def _turns_at(track: _Track, times: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 4"]:
    stamps, values, steps = track
    turns = normalize(np.roll(values.astype(float), 1, axis=1))
    before, after, part = _between(stamps, times, steps)
    return slerp(turns[before], turns[after], part)


def _places_at(track: _Track, times: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 3"]:
    stamps, values, steps = track[0], track[1].astype(float), track[2]
    before, after, part = _between(stamps, times, steps)
    return values[before] + part[:, None] * (values[after] - values[before])


def _between(
    stamps: Float[np.ndarray, "K"], times: Float[np.ndarray, "T"], steps: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the keys around every moment and how far (0 to 1) it is between them; on a key it is that key."""
    early = ON_FRAME * (times[1] - times[0]) if len(times) > 1 else 0.0
    before = np.clip(np.searchsorted(stamps, times + early, side="right") - 1, 0, len(stamps) - 1)
    if steps == "STEP":
        return before, before, np.zeros(len(times))
    after = np.minimum(before + 1, len(stamps) - 1)
    span = np.maximum(stamps[after] - stamps[before], np.finfo(float).tiny)
    return before, after, np.clip((times - stamps[before]) / span, 0.0, 1.0)


def _contacts(spans: Any, frames: int) -> Bool[np.ndarray, "T F"] | None:
    """Return when each point of the feet stands, where the file is one of ours and tells it."""
    if not isinstance(spans, dict) or set(spans) != set(CONTACT_POINTS):
        return None
    contacts = np.zeros((frames, len(CONTACT_POINTS)), dtype=bool)
    for column, point in enumerate(CONTACT_POINTS):
        free = 0
        for span in spans[point] if isinstance(spans[point], list) else []:
            is_plain = isinstance(span, list) and len(span) == 2 and all(type(each) is int for each in span)
            if not is_plain or not free <= span[0] <= span[1] < frames:
                raise InvalidData(f"contacts of {point} do not follow each other in frames 0 to {frames - 1}")
            contacts[span[0] : span[1] + 1, column] = True
            free = span[1] + 1
    return contacts
