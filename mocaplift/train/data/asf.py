"""Reading ASF/AMC: a skeleton of one's own per subject, and the angles of its joints over time.

Format: "Acclaim ASF/AMC" as J. Lander describes it ("Working with Motion Capture File Formats", Game Developer,
January 1998). A bone's angles are given in its own axes C: its rotation relative to rest is C M C^-1, with
M = Rz Ry Rx for the axis order XYZ. Lengths are in the file's unit; CMU's are inches divided by 0.45.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.rotations import conjugate, from_euler_deg, multiply

METRES_PER_INCH = 0.0254
MAX_BONES = 200
MAX_FRAMES = 1_000_000
ANGLES = {"rx": 0, "ry": 1, "rz": 2}
ROOT = "root"


@dataclass(frozen=True, eq=False)
class Asf:
    """A skeleton: bones in an order where parents come first, `root` at 0; rest vectors in metres.

    `vectors` [J 3] lead from a bone's beginning to its end, where its children begin.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    vectors: Float[np.ndarray, "J 3"]
    axes: Float[np.ndarray, "J 4"]
    angles: tuple[tuple[str, ...], ...]
    metres: float


@dataclass(frozen=True, eq=False)
class Amc:
    """Rotations of each bone relative to its parent and its rest, and the root's path in metres."""

    rotations: Float[np.ndarray, "T J 4"]
    root: Float[np.ndarray, "T 3"]


def parse_asf(text: str, *, name: str = "asf") -> Asf:
    """Return the skeleton of an ASF text; `name` begins the messages of errors.

    Raises:
        InvalidData: not an ASF text, or its parts contradict each other.
    """
    sections = _sections(text)
    if not {"units", "bonedata", "hierarchy"} <= set(sections):
        raise InvalidData(f"{name}: not an ASF file (units, bonedata or hierarchy are missing)")
    try:
        units = dict(line.split()[:2] for line in sections["units"])
        metres = METRES_PER_INCH / float(units["length"])
        bones = _bones(sections["bonedata"], name)
        order = [(ROOT, -1)]
        place = {ROOT: 0}
        for line in sections["hierarchy"]:
            words = line.split()
            if words[0] in ("begin", "end"):
                continue
            for child in words[1:]:
                if child in place or child not in bones:
                    raise InvalidData(f"{name}: hierarchy names {child!r} twice, or no such bone")
                place[child] = len(order)
                order.append((child, place[words[0]]))
    except (KeyError, ValueError, IndexError) as error:
        raise InvalidData(f"{name}: damaged ASF ({error})") from error
    empty: dict[str, list[str]] = {}
    records = [bones.get(bone, empty) for bone, _ in order]
    vectors = [_vector(record) * metres for record in records]
    if not np.isfinite(vectors).all():
        raise InvalidData(f"{name}: a bone's direction or length is not finite")
    return Asf(
        names=tuple(bone for bone, _ in order),
        parents=tuple(parent for _, parent in order),
        vectors=np.stack(vectors),
        axes=np.stack([_axis(record, name) for record in records]),
        angles=tuple(tuple(record.get("dof", [])) for record in records),
        metres=metres,
    )


def parse_amc(text: str, skeleton: Asf, *, name: str = "amc") -> Amc:
    """Return the motion of an AMC text on its skeleton.

    Raises:
        InvalidData: not an AMC text, or one of another skeleton; the message names the line.
    """
    place = {bone: number for number, bone in enumerate(skeleton.names)}
    frames: list[np.ndarray] = []
    roots: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            if len(frames) >= MAX_FRAMES:
                raise InvalidData(f"{name}: more than {MAX_FRAMES} frames")
            frames.append(np.zeros((len(skeleton.names), 3)))
            continue
        try:
            bone, values = place[words[0]], [float(word) for word in words[1:]]
            if bone == 0:
                roots.append(values[:3])
                frames[-1][0] = values[3:6]
            else:
                for angle, value in zip(skeleton.angles[bone], values, strict=True):
                    frames[-1][bone, ANGLES[angle]] = value
        except (KeyError, ValueError, IndexError) as error:
            raise InvalidData(f"{name}: line {number} does not belong to this skeleton ({error})") from error
    if not frames or len(roots) != len(frames):
        raise InvalidData(f"{name}: {len(frames)} frames with {len(roots)} places of the root")
    degrees, root = np.stack(frames), np.array(roots) * skeleton.metres
    if not (np.isfinite(degrees).all() and np.isfinite(root).all()):
        raise InvalidData(f"{name}: holds a value that is not finite")
    turned = from_euler_deg("ZYX", degrees[..., ::-1])
    return Amc(rotations=multiply(multiply(skeleton.axes, turned), conjugate(skeleton.axes)), root=root)


def _sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each `:section`, without comments."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(":"):
            current = found.setdefault(stripped[1:].split()[0] if stripped[1:].split() else "", [])
        elif stripped and not stripped.startswith("#"):
            current.append(stripped)
    return found


def _bones(lines: list[str], name: str) -> dict[str, dict[str, list[str]]]:
    bones: dict[str, dict[str, list[str]]] = {}
    record: dict[str, list[str]] = {}
    for line in lines:
        key, *rest = line.split()
        if key == "begin":
            record = {}
        elif key == "end":
            bones[record["name"][0]] = record
        else:
            record[key] = rest
    if not bones or len(bones) > MAX_BONES:
        raise InvalidData(f"{name}: {len(bones)} bones make no skeleton")
    return bones


def _vector(record: dict[str, list[str]]) -> Float[np.ndarray, "3"]:
    if "direction" not in record:
        return np.zeros(3)
    return np.array([float(word) for word in record["direction"]]) * float(record["length"][0])


def _axis(record: dict[str, list[str]], name: str) -> Float[np.ndarray, "4"]:
    words = record.get("axis", ["0", "0", "0", "XYZ"])
    degrees = np.array([float(word) for word in words[:3]])
    if words[3:] != ["XYZ"] or not all(map(math.isfinite, degrees)):
        raise InvalidData(f"{name}: bone axis {' '.join(words)!r} is not in the order XYZ")
    unknown = set(record.get("dof", [])) - set(ANGLES)
    if unknown:
        raise InvalidData(f"{name}: degrees of freedom {sorted(unknown)} are not understood")
    return from_euler_deg("ZYX", degrees[::-1])
