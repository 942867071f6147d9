"""Reading BVH files: every joint's own CHANNELS, in whatever order the file names them.

Format: "Biovision Hierarchy", J. Thingvold's description in M. Meredith and S. Maddock, "Motion Capture File
Formats Explained" (2001). A rotation `Zrotation Xrotation Yrotation` multiplies in the order written,
R = Rz Rx Ry, and acts on column vectors: the first named axis is turned last about a fixed axis.

Files in the wild differ from the description: names hold spaces, words are in small letters, joints have one
rotation or three positions, rates are rounded to four digits. All of that is read; what is damaged is named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.reading.rates import rate_of_frame_time
from mocaplift.reading.text import read_text
from mocaplift.rotations import about_axis, from_euler_deg, make_continuous, multiply

MOST_BYTES = 512 << 20  # an hour at 120 fps of a hundred channels
MOST_TREE = 4 << 20  # letters before the numbers: a thousand joints have half of it
CHUNK = 1 << 18  # letters of numbers that are read at once
MOST_ROTATIONS = 30_000_000  # joints times frames: an hour at 120 fps of 70 joints
MAX_JOINTS = 1000  # a skeleton with fingers and face has under 200; more is a damaged or hostile file
MAX_DEPTH = 200  # nesting of joints
MOST_CHANNELS = 6  # of one joint
MOST_NAME = 200  # letters
# Every number takes a digit and a blank: a header that promises more numbers than that lies.
LEAST_LETTERS = 2
LONGEST_FRAME = 10.0  # s
# Largest coordinate and angle that are taken for a motion's: sums of larger ones overflow.
LARGEST_NUMBER = 1e9
# A position that stays this near (share of the offset) to the offset is the offset.
SAME_PLACE = 1e-6
# A step of an angle from one frame to the next (degrees) that no body makes: the curve has passed 180 and jumped.
ANGLE_JUMP = 180.0
ROTATIONS = {"xrotation": "X", "yrotation": "Y", "zrotation": "Z"}
POSITIONS = {"xposition": 0, "yposition": 1, "zposition": 2}

_BLANK = re.compile(r"\s")
_MOTION = re.compile(r"^[ \t]*+MOTION[ \t]*+$", re.MULTILINE | re.IGNORECASE)
_FRAMES = re.compile(r"\s*Frames[ \t]*:?[ \t]*(\S+)[ \t]*(?:\n|$)", re.IGNORECASE)
_FRAME_TIME = re.compile(r"\s*Frame[ \t]+Time[ \t]*:?[ \t]*(\S+)[ \t]*(?:\n|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Bvh:
    """A BVH file's content in the file's own unit (CMU's files: centimetres) and axes.

    `tips` maps a joint to the offset of its End Site. `places` are joints other than the root whose place
    relative to their parent changes. `jumps` are the frames, by joint, at which an angle jumps by half a turn or
    more: a curve that programs cannot blend.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]
    rotations: Float[np.ndarray, "T J 4"]
    root: Float[np.ndarray, "T 3"]
    frame_time: float  # seconds
    fps: Fraction | float  # exact where the frame time is that of a known rate, rounded
    tips: Mapping[int, Float[np.ndarray, "3"]] = field(default_factory=dict)
    places: Mapping[int, Float[np.ndarray, "T 3"]] = field(default_factory=dict)
    jumps: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def index(self, name: str) -> int:
        """Return the position of the named joint.

        Raises:
            InvalidData: no joint of that name.
        """
        if name not in self.names:
            raise InvalidData(f"BVH has no joint {name!r}; it has {', '.join(self.names)}")
        return self.names.index(name)


@dataclass
class _Tree:
    """The hierarchy as far as it is read; `open` are the joints around the line, None for an End Site."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    tips: dict[int, np.ndarray] = field(default_factory=dict)
    open: list[int | None] = field(default_factory=list)


def read_bvh(path: Path) -> Bvh:
    """Return the content of a BVH file.

    Raises:
        InvalidData: not a BVH file, or its parts contradict each other; the message says where.
    """
    return parse_bvh(read_text(Path(path), MOST_BYTES), name=str(path))


def parse_bvh(text: str, *, name: str = "bvh") -> Bvh:
    """Return the content of a BVH text; `name` begins the messages of errors.

    Raises:
        InvalidData: not a BVH text, or its parts contradict each other.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    marker = _MOTION.search(text)
    if marker is None:
        raise InvalidData(f"{name}: not a BVH file (no MOTION part)")
    if marker.start() > MOST_TREE:
        raise InvalidData(f"{name}: HIERARCHY is larger than {MOST_TREE >> 20} MB, which no skeleton needs")
    tree = _parse_hierarchy(text[: marker.start()], name)
    frames, stated, begin = _motion_header(text, marker.end(), name)
    frame_time = float(stated)
    width = sum(len(channels) for channels in tree.channels)
    if frames * width > (len(text) - begin + 1) // LEAST_LETTERS:
        raise InvalidData(
            f"{name}: the header promises {frames} frames of {width} values, more than the file can hold; it is "
            "cut off or damaged"
        )
    if frames * len(tree.names) > MOST_ROTATIONS:
        raise InvalidData(
            f"{name}: {frames} frames of {len(tree.names)} joints are more than one file should hold"
        )
    values = _motion_values(text[begin:], frames, width, name)
    return _assemble(tree, values, frame_time, rate_of_frame_time(stated))


def _parse_hierarchy(text: str, name: str) -> _Tree:
    """Walk the HIERARCHY part with an explicit stack, so that nesting cannot exhaust Python's."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines or lines[0][1].split()[0].upper() != "HIERARCHY":
        raise InvalidData(f"{name}: not a BVH file (it does not begin with HIERARCHY)")
    tree = _Tree()
    waiting: list[int | None] = []  # a joint or End Site whose brace is not open yet
    statements = [(lines[0][0], lines[0][1][len("HIERARCHY") :]), *lines[1:]]
    for number, line in statements:
        for statement in _statements(line):
            try:
                _take(tree, waiting, statement)
            except InvalidData as error:
                raise InvalidData(f"{name}: line {number}: {error}") from error
            except (IndexError, ValueError) as error:
                raise InvalidData(
                    f"{name}: HIERARCHY is damaged in line {number}: {statement[:60]!r}"
                ) from error
    if tree.open or waiting or not tree.names:
        raise InvalidData(f"{name}: HIERARCHY ends with {len(tree.open) + len(waiting)} open braces")
    without = [joint for joint, offset in zip(tree.names, tree.offsets, strict=True) if not offset]
    if without:
        raise InvalidData(f"{name}: joint {without[0]!r} has no OFFSET")
    return tree


def _statements(line: str) -> list[str]:
    """Return a line's statements: braces and keywords may share a line, and names may hold spaces."""
    parts = re.split(r"([{}]|\b(?:OFFSET|CHANNELS)\b)", line, flags=re.IGNORECASE)
    out: list[str] = []
    for part in parts:
        words = part.strip()
        if not words:
            continue
        if out and out[-1].upper() in ("OFFSET", "CHANNELS") and words not in "{}":
            out[-1] += " " + words
        else:
            out.append(words)
    return out


def _take(tree: _Tree, waiting: list[int | None], statement: str) -> None:
    """Add one statement to the tree."""
    word, _, rest = statement.partition(" ") if " " in statement else statement.partition("\t")
    kind = word.upper()
    if kind in ("ROOT", "JOINT"):
        _open_joint(tree, waiting, kind, rest.strip())
    elif kind == "END":
        waiting.append(None)
        if not tree.open or tree.open[-1] is None:
            raise InvalidData("an End Site outside of a joint")
    elif kind == "{":
        if not waiting:
            raise InvalidData("a brace opens that belongs to no joint")
        tree.open.append(waiting.pop())
        if len(tree.open) > MAX_DEPTH:
            raise InvalidData(f"joints nested deeper than {MAX_DEPTH}")
    elif kind == "}":
        tree.open.pop()
    elif kind == "OFFSET":
        _store_offset(tree, [float(number) for number in rest.split()])
    elif kind == "CHANNELS":
        _store_channels(tree, rest.split())
    else:
        raise InvalidData(f"unexpected word {word[:60]!r} in HIERARCHY")


def _open_joint(tree: _Tree, waiting: list[int | None], kind: str, name: str) -> None:
    parent = tree.open[-1] if tree.open else -1
    if kind == "ROOT" and tree.names:
        raise InvalidData("a second ROOT; only files of one skeleton are read")
    if not name or len(name) > MOST_NAME:
        raise InvalidData(f"{kind} has no name, or one longer than {MOST_NAME} letters")
    if parent is None or waiting or (kind == "JOINT" and not tree.open):
        raise InvalidData(f"JOINT {name!r} has no parent")
    tree.names.append(name)
    tree.parents.append(parent)
    tree.offsets.append([])
    tree.channels.append([])
    waiting.append(len(tree.names) - 1)
    if len(tree.names) > MAX_JOINTS:
        raise InvalidData(f"more than {MAX_JOINTS} joints")


def _store_offset(tree: _Tree, numbers: list[float]) -> None:
    if len(numbers) != 3 or not all(abs(number) <= LARGEST_NUMBER for number in numbers):
        raise InvalidData("an OFFSET is not three finite numbers")
    if tree.open[-1] is None:
        owner = tree.open[-2]
        assert owner is not None
        tree.tips.setdefault(owner, np.array(numbers))
    else:
        tree.offsets[tree.open[-1]][:] = numbers


def _store_channels(tree: _Tree, words: list[str]) -> None:
    joint, count, named = tree.open[-1], int(words[0]), [word.lower() for word in words[1:]]
    known = all(channel in ROTATIONS or channel in POSITIONS for channel in named)
    if joint is None or not known or len(named) != count:
        raise InvalidData(f"CHANNELS {' '.join(words)[:100]} not understood")
    if tree.channels[joint]:
        raise InvalidData(f"joint {tree.names[joint]!r} has CHANNELS twice")
    if len(set(named)) != len(named) or count > MOST_CHANNELS:
        raise InvalidData(f"joint {tree.names[joint]!r} names a channel twice, or has more than three axes")
    tree.channels[joint].extend(named)


def _motion_header(text: str, begin: int, name: str) -> tuple[int, str, int]:
    """Return the number of frames, the frame time as written, and where the numbers begin."""
    first = _FRAMES.match(text, begin)
    second = _FRAME_TIME.match(text, first.end()) if first else None
    try:
        if first is None or second is None:
            raise ValueError
        frames, frame_time = int(first[1]), float(second[1])
    except ValueError as error:
        raise InvalidData(f"{name}: MOTION does not begin with 'Frames:' and 'Frame Time:'") from error
    if frames < 1 or not 0 < frame_time < LONGEST_FRAME:
        raise InvalidData(f"{name}: {frames} frames of {frame_time:g} s make no sense")
    return frames, second[1], second.end()


def _motion_values(numbers: str, frames: int, width: int, name: str) -> Float[np.ndarray, "T C"]:
    """Return the numbers of all frames; a frame may run over several lines."""
    if width == 0:
        raise InvalidData(f"{name}: no joint has channels")
    values = np.zeros(frames * width)
    found = begin = 0
    while begin < len(numbers):
        end = _next_blank(numbers, begin + CHUNK)
        block = _numbers_in(numbers[begin:end], name)
        kept = block[: len(values) - found]
        values[found : found + len(kept)] = kept
        found, begin = found + len(block), end
        if found > len(values):
            break
    if found != len(values):
        more = "more than " if found > len(values) else ""
        held = min(found, len(values)) / width
        raise InvalidData(
            f"{name}: MOTION holds {more}{held:.6g} frames of {width} values, the header promises {frames}"
        )
    bad = ~(np.abs(values) <= LARGEST_NUMBER)
    if bad.any():
        frame = int(np.flatnonzero(bad)[0]) // width
        raise InvalidData(
            f"{name}: frame {frame} holds a value that is not finite, or beyond {LARGEST_NUMBER:g}"
        )
    return values.reshape(frames, width)


def _next_blank(text: str, begin: int) -> int:
    """Return where a number may be cut from the next, from here on."""
    blank = _BLANK.search(text, begin)
    return len(text) if blank is None else blank.start()


def _numbers_in(text: str, name: str) -> Float[np.ndarray, "N"]:
    try:
        return np.array(text.split(), dtype=np.float64)
    except ValueError as error:
        raise InvalidData(f"{name}: MOTION is damaged: {error}"[:MOST_NAME]) from error


def _assemble(tree: _Tree, values: np.ndarray, frame_time: float, fps: Fraction | float) -> Bvh:
    frames, joints = len(values), len(tree.names)
    rotations = np.zeros((frames, joints, 4))
    rotations[..., 0] = 1.0
    places: dict[int, np.ndarray] = {}
    jumps: dict[int, tuple[int, ...]] = {}
    column = 0
    for joint, channels in enumerate(tree.channels):
        block = values[:, column : column + len(channels)]
        column += len(channels)
        turning = [k for k, channel in enumerate(channels) if channel in ROTATIONS]
        order = "".join(ROTATIONS[channels[k]] for k in turning)
        if turning:
            rotations[:, joint] = _turned(order, block[:, turning])
            steps = (np.abs(np.diff(block[:, turning], axis=0)) > ANGLE_JUMP).any(axis=1)
            if steps.any():
                jumps[joint] = tuple((np.flatnonzero(steps) + 1).tolist())
        moving = {POSITIONS[channel]: k for k, channel in enumerate(channels) if channel in POSITIONS}
        if moving or joint == 0:
            places[joint] = _places(np.array(tree.offsets[joint]), block, moving, is_root=joint == 0)
    root = places.pop(0)
    offsets = np.array(tree.offsets)
    return Bvh(
        names=tuple(tree.names),
        parents=tuple(tree.parents),
        offsets=offsets,
        rotations=make_continuous(rotations),
        root=root,
        frame_time=frame_time,
        fps=fps,
        tips=tree.tips,
        places={joint: place for joint, place in places.items() if not _stays(place, offsets[joint])},
        jumps=jumps,
    )


def _turned(order: str, degrees: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T 4"]:
    """Return the turns about the axes in the order written: three of them, or fewer."""
    if len(order) == 3:
        return from_euler_deg(order, degrees)
    turn = np.zeros((len(degrees), 4))
    turn[:, 0] = 1.0
    for k, axis in enumerate(order):
        turn = multiply(turn, about_axis(axis, np.radians(degrees[:, k])))
    return turn


def _places(
    offset: Float[np.ndarray, "3"],
    block: Float[np.ndarray, "T C"],
    moving: Mapping[int, int],
    *,
    is_root: bool,
) -> Float[np.ndarray, "T 3"]:
    """Return where a joint is, relative to its parent, in every frame.

    Programs disagree whether positions are added to the offset or stand for it. The root's stand for it in
    all that matter (Blender, MotionBuilder); other joints' are added if they are nearer to zero than to it.
    """
    place = np.tile(offset, (len(block), 1))
    written = np.array([offset[axis] if axis not in moving else np.nan for axis in range(3)])
    written = np.where(np.isnan(written), 0.0, written) + np.zeros_like(place)
    for axis, k in moving.items():
        written[:, axis] = block[:, k]
    axes = list(moving)
    apart = np.median(np.linalg.norm(written[:, axes] - offset[axes], axis=1))
    is_added = not is_root and apart > np.median(np.linalg.norm(written[:, axes], axis=1))
    place[:, axes] = written[:, axes] + (offset[axes] if is_added else 0.0)
    return place


def _stays(place: Float[np.ndarray, "T 3"], offset: Float[np.ndarray, "3"]) -> bool:
    size = max(float(np.linalg.norm(offset)), math.ulp(1.0))
    return bool(np.abs(place - offset).max() <= SAME_PLACE * size)
