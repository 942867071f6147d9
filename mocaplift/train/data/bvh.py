"""Reading BVH files: every joint's own CHANNELS, in whatever order the file names them.

Format: "Biovision Hierarchy", J. Thingvold's description in M. Meredith and S. Maddock, "Motion Capture File
Formats Explained" (2001). A rotation `Zrotation Xrotation Yrotation` multiplies in the order written,
R = Rz Rx Ry, and acts on column vectors: the first named axis is turned last about a fixed axis.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.rotations import from_euler_deg

MAX_JOINTS = 1000  # a skeleton with fingers and face has under 200; more is a damaged or hostile file
MAX_DEPTH = 200  # nesting of joints
MAX_VALUES = 200_000_000  # numbers in the motion part (1.6 GB as float64): refuse before allocating
ROTATIONS = {"Xrotation": "X", "Yrotation": "Y", "Zrotation": "Z"}
POSITIONS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


@dataclass(frozen=True, eq=False)
class Bvh:
    """A BVH file's content in the file's own unit (CMU's files: centimetres) and axes.

    `end_sites` maps a leaf joint to the offset of its End Site. Translations of joints other than the root
    are not kept: they are constant bone offsets in every file that writes them.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]
    end_sites: dict[str, tuple[float, float, float]]
    rotations: Float[np.ndarray, "T J 4"]
    root: Float[np.ndarray, "T 3"]
    frame_time: float  # seconds

    def index(self, name: str) -> int:
        """Return the position of the named joint.

        Raises:
            InvalidData: no joint of that name.
        """
        if name not in self.names:
            raise InvalidData(f"BVH has no joint {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)


@dataclass(frozen=True)
class _Hierarchy:
    names: list[str]
    parents: list[int]
    offsets: list[list[float]]
    channels: list[list[str]]
    end_sites: dict[str, tuple[float, float, float]]


def read_bvh(path: Path) -> Bvh:
    """Return the content of a BVH file.

    Raises:
        InvalidData: not a BVH file, or its parts contradict each other; the message says where.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise InvalidData(f"{path}: cannot be read: {error.strerror}") from error
    return parse_bvh(text, name=str(path))


def parse_bvh(text: str, *, name: str = "bvh") -> Bvh:
    """Return the content of a BVH text; `name` begins the messages of errors.

    Raises:
        InvalidData: not a BVH text, or its parts contradict each other.
    """
    head, marker, tail = text.lstrip("\ufeff").partition("MOTION")
    if not marker:
        raise InvalidData(f"{name}: not a BVH file (no MOTION part)")
    hierarchy = _parse_hierarchy(head.split(), name)
    frames, frame_time, numbers = _motion_header(tail, name)
    width = sum(len(channels) for channels in hierarchy.channels)
    if frames * width > MAX_VALUES:
        raise InvalidData(f"{name}: {frames} frames of {width} channels are more than this reader takes")
    values = _motion_values(numbers, frames, width, name)
    return _assemble(hierarchy, values, frame_time, name)


def _parse_hierarchy(tokens: list[str], name: str) -> _Hierarchy:
    """Walk the HIERARCHY part with an explicit stack, so that nesting cannot exhaust Python's."""
    if not tokens or tokens[0] != "HIERARCHY":
        raise InvalidData(f"{name}: not a BVH file (it does not begin with HIERARCHY)")
    found = _Hierarchy([], [], [], [], {})
    stack: list[int | None] = []  # None stands for an End Site
    opened: int | None = None
    place = 1
    try:
        while place < len(tokens):
            word = tokens[place]
            if word in ("ROOT", "JOINT"):
                if word == "ROOT" and found.names:
                    raise InvalidData(f"{name}: a second ROOT; only files of one skeleton are read")
                parent = stack[-1] if stack else -1
                if parent is None or (word == "JOINT" and not stack):
                    raise InvalidData(f"{name}: JOINT {tokens[place + 1]!r} has no parent")
                found.names.append(tokens[place + 1])
                found.parents.append(parent)
                found.offsets.append([])
                found.channels.append([])
                opened = len(found.names) - 1
                if opened >= MAX_JOINTS:
                    raise InvalidData(f"{name}: more than {MAX_JOINTS} joints")
                place += 2
            elif word == "End":
                opened = None
                place += 2
            elif word == "{":
                stack.append(opened)
                if len(stack) > MAX_DEPTH:
                    raise InvalidData(f"{name}: joints nested deeper than {MAX_DEPTH}")
                place += 1
            elif word == "}":
                stack.pop()
                place += 1
            elif word == "OFFSET":
                numbers = [float(token) for token in tokens[place + 1 : place + 4]]
                _store_offset(found, stack, numbers, name)
                place += 4
            elif word == "CHANNELS":
                count = int(tokens[place + 1])
                named = tokens[place + 2 : place + 2 + count]
                joint = stack[-1]
                known = all(channel in ROTATIONS or channel in POSITIONS for channel in named)
                if joint is None or not known or len(named) != count:
                    raise InvalidData(f"{name}: CHANNELS {' '.join(named)} not understood")
                found.channels[joint].extend(named)
                place += 2 + count
            else:
                raise InvalidData(f"{name}: unexpected word {word!r} in HIERARCHY")
    except (IndexError, ValueError) as error:
        raise InvalidData(f"{name}: HIERARCHY is damaged near word {place} ({error})") from error
    if stack or not found.names:
        raise InvalidData(f"{name}: HIERARCHY ends with {len(stack)} open braces")
    if any(len(offset) != 3 for offset in found.offsets):
        raise InvalidData(f"{name}: a joint has no OFFSET")
    return found


def _store_offset(found: _Hierarchy, stack: list[int | None], numbers: list[float], name: str) -> None:
    if len(numbers) != 3 or not all(math.isfinite(number) for number in numbers):
        raise InvalidData(f"{name}: an OFFSET is not three finite numbers")
    if stack[-1] is None:
        owner = stack[-2]
        if owner is not None:
            found.end_sites[found.names[owner]] = (numbers[0], numbers[1], numbers[2])
    else:
        found.offsets[stack[-1]][:] = numbers


def _motion_header(tail: str, name: str) -> tuple[int, float, str]:
    """Return the number of frames, the frame time and the text of the numbers."""
    lines = tail.lstrip().split("\n", 2)
    try:
        frames = int(lines[0].split(":")[1])
        frame_time = float(lines[1].split(":")[1])
    except (IndexError, ValueError) as error:
        raise InvalidData(f"{name}: MOTION does not begin with 'Frames:' and 'Frame Time:'") from error
    if frames < 1 or not 0 < frame_time < 10:
        raise InvalidData(f"{name}: {frames} frames of {frame_time} s make no sense")
    return frames, frame_time, lines[2] if len(lines) > 2 else ""


def _motion_values(numbers: str, frames: int, width: int, name: str) -> np.ndarray:
    if width == 0:
        raise InvalidData(f"{name}: no joint has channels")
    try:
        values = np.loadtxt(io.StringIO(numbers), dtype=np.float64, ndmin=2, max_rows=frames, comments=None)
    except ValueError as error:
        raise InvalidData(f"{name}: MOTION is damaged: {error}") from error
    if values.shape != (frames, width):
        raise InvalidData(
            f"{name}: MOTION holds {values.shape[0]} frames of {values.shape[1]} values, "
            f"the header promises {frames} of {width}"
        )
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InvalidData(f"{name}: frame {bad} holds a value that is not finite")
    return values


def _assemble(hierarchy: _Hierarchy, values: np.ndarray, frame_time: float, name: str) -> Bvh:
    frames, joints = len(values), len(hierarchy.names)
    rotations = np.zeros((frames, joints, 4))
    rotations[..., 0] = 1.0
    root = np.tile(np.array(hierarchy.offsets[0]), (frames, 1))
    column = 0
    for joint, channels in enumerate(hierarchy.channels):
        block = values[:, column : column + len(channels)]
        column += len(channels)
        turning = [k for k, channel in enumerate(channels) if channel in ROTATIONS]
        if len(turning) not in (0, 3) or len({channels[k] for k in turning}) != len(turning):
            raise InvalidData(f"{name}: joint {hierarchy.names[joint]!r} does not turn about three axes")
        if turning:
            order = "".join(ROTATIONS[channels[k]] for k in turning)
            rotations[:, joint] = from_euler_deg(order, block[:, turning])
        if joint == 0:
            for k, channel in enumerate(channels):
                if channel in POSITIONS:
                    root[:, POSITIONS[channel]] = block[:, k]
    return Bvh(
        names=tuple(hierarchy.names),
        parents=tuple(hierarchy.parents),
        offsets=np.array(hierarchy.offsets),
        end_sites=hierarchy.end_sites,
        rotations=rotations,
        root=root,
        frame_time=frame_time,
    )
