"""Motions out of FBX files that this project wrote.

Files of other programs are read as far as they say the same with the same means: bones without scale and without
pivots, one root, one take, a key on every frame. What would be read wrongly is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift import rotations
from mocaplift.errors import InvalidData
from mocaplift.export.fbx.parsing import Record, parse
from mocaplift.export.fbx.scene import AXES, TICKS, TIME_MODES, Space
from mocaplift.export.fbx.skeleton import CONTACT_PREFIX
from mocaplift.export.rigged import Rigged
from mocaplift.export.timing import exact_rate
from mocaplift.layouts import CONTACT_POINTS

# Frames times bones: an hour at 60 fps of 40 bones.
MOST_ROTATIONS = 10_000_000
MOST_BONES = 2_000
HIGHEST_FPS = 10_000
# FBX's rotation orders by number (EFbxRotationOrder), as ours: theirs name the turn that comes first first.
_ORDERS = ("ZYX", "YZX", "XZY", "ZXY", "YXZ", "XYZ")
# The order of numbers in a property, which is X, Y, Z whatever the order of turning.
_AXES = "XYZ"
_BONE_KINDS = {"LimbNode", "Limb", "Root"}
# What a node may have that moves it, and that we do not write: any of it must be zero.
_UNREAD = ("PostRotation", "RotationOffset", "RotationPivot", "ScalingOffset", "ScalingPivot")
_LARGEST_ZERO = 1e-6
# Scale that Maya and others leave behind from matrices.
_SCALE_TOLERANCE = 1e-4
# Keys farther from their frames than this share of a frame are on no frames.
_TIME_TOLERANCE = 0.01
_ADVICE = "this reads what mocaplift writes; export the motion as BVH from the program that made it"


@dataclass(frozen=True, eq=False)
class _Curve:
    times: Int[np.ndarray, "K"]
    values: Float[np.ndarray, "K"]


# Curves by the object and the property that they move, then by part.
_Curves = Mapping[tuple[int, str], Mapping[str, _Curve]]


def decode(content: bytes) -> Rigged:
    """Return the motion of an FBX file, in metres with +Y up; `joints` are all None, as no file tells them.

    Raises:
        InvalidData: no binary FBX, damaged, too large, without bones, or with what is not read (see above).
    """
    file = parse(content)
    objects = {_number(record): record for record in file.first("Objects").children if record.values}
    space, metre, fps = _settings(file)
    bones, parents = _hierarchy(file, objects)
    curves = _curves(file, objects)
    times = _frames(curves, bones, fps)
    if len(times) * len(bones) > MOST_ROTATIONS:
        raise InvalidData(f"{len(times)} frames of {len(bones)} bones are more than one file should hold")
    back = rotations.conjugate(space.turn)
    offsets, rest = np.zeros((len(bones), 3)), np.zeros((len(bones), 4))
    turns, places = np.zeros((len(times), len(bones), 4)), {}
    for bone, number in enumerate(bones):
        rows = _Rows(objects[number])
        rows.check()
        here = back if bone == 0 else rotations.IDENTITY
        before = rotations.multiply(here, rows.before())
        still, angles = rows.numbers("Lcl Translation", 0.0), rows.numbers("Lcl Rotation", 0.0)
        offsets[bone] = rotations.rotate(here, still) * metre
        rest[bone] = rotations.multiply(before, rows.turned(angles))
        moved = _sampled(curves.get((number, "Lcl Rotation"), {}), angles, times)
        turns[:, bone] = rotations.multiply(before, rows.turned(moved))
        if bone == 0 or (number, "Lcl Translation") in curves:
            path = _sampled(curves.get((number, "Lcl Translation"), {}), still, times)
            places[bone] = rotations.rotate(here, path) * metre
    return Rigged(
        names=tuple(_name(objects[number]) for number in bones),
        parents=parents,
        offsets=offsets,
        rest=rest,
        rotations=rotations.make_continuous(turns),
        places=places,
        fps=fps,
        joints=(None,) * len(bones),
        contacts=_contacts(curves, times),
    )


class _Rows:
    """The properties of one bone."""

    def __init__(self, record: Record) -> None:
        self.name = _name(record)
        rows = record.first("Properties70").all("P")
        self.rows = {row.values[0]: row.values[4:] for row in rows if len(row.values) >= 4}

    def numbers(self, name: str, default: float) -> Float[np.ndarray, "3"]:
        """Return a property of three numbers.

        Raises:
            InvalidData: it is something else.
        """
        found = self.rows.get(name, (default,) * 3)
        if len(found) != 3 or not all(isinstance(value, int | float) for value in found):
            raise InvalidData(f"{name} of FBX bone {self.name!r} is no three numbers")
        vector = np.array(found, dtype=float)
        if not np.isfinite(vector).all():
            raise InvalidData(f"{name} of FBX bone {self.name!r} holds NaN or infinity")
        return vector

    def whole(self, name: str, default: int) -> int:
        """Return a property that is a whole number.

        Raises:
            InvalidData: it is something else.
        """
        found = self.rows.get(name, (default,))
        if len(found) != 1 or not isinstance(found[0], int):
            raise InvalidData(f"{name} of FBX bone {self.name!r} is no whole number")
        return found[0]

    def check(self) -> None:
        """Refuse a bone that is moved by what is not read.

        Raises:
            InvalidData: it has pivots, a rotation behind its own, or a scale.
        """
        for name in _UNREAD:
            if np.abs(self.numbers(name, 0.0)).max() > _LARGEST_ZERO:
                raise InvalidData(f"FBX bone {self.name!r} has a {name}: {_ADVICE}")
        if np.abs(self.numbers("Lcl Scaling", 1.0) - 1.0).max() > _SCALE_TOLERANCE:
            raise InvalidData(f"FBX bone {self.name!r} is scaled: {_ADVICE}")

    def before(self) -> Float[np.ndarray, "4"]:
        """Return what a bone is turned by before its own rotation."""
        is_active = self.whole("RotationActive", 0) != 0
        angles = self.numbers("PreRotation", 0.0) if is_active else np.zeros(3)
        return _turns(_ORDERS[0], angles)

    def turned(self, angles: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 4"]:
        """Return the rotations of the bone for angles (degrees) that are listed as X, Y, Z.

        Raises:
            InvalidData: the order of rotation is unknown.
        """
        order = self.whole("RotationOrder", 0) if self.whole("RotationActive", 0) else 0
        if not 0 <= order < len(_ORDERS):
            raise InvalidData(f"FBX bone {self.name!r} has the unknown rotation order {order}")
        return _turns(_ORDERS[order], angles)


def _turns(order: str, angles: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 4"]:
    """Return the quaternions of angles (degrees) that are listed as X, Y, Z."""
    return rotations.from_euler_deg(order, angles[..., [_AXES.index(letter) for letter in order]])


def _settings(file: Record) -> tuple[Space, float, Fraction]:
    """Return the axes, metres per unit, and the rate of frames."""
    rows: dict[object, float] = {}
    for row in file.first("GlobalSettings").first("Properties70").all("P"):
        if len(row.values) == 5 and isinstance(row.values[4], int | float):
            rows[row.values[0]] = row.values[4]
    triple = tuple((rows.get(name), rows.get(f"{name}Sign")) for name in ("UpAxis", "FrontAxis", "CoordAxis"))
    up = next((name for name, axes in AXES.items() if axes == triple), None)
    scale, mode, custom = (rows.get(name, 0) for name in ("UnitScaleFactor", "TimeMode", "CustomFrameRate"))
    if up is None:
        raise InvalidData(f"the FBX file has axes (up, front, right, each with its sign) {triple}: {_ADVICE}")
    if not 1e-6 < scale < 1e6:
        raise InvalidData(f"the FBX file's UnitScaleFactor is {scale}, which is no size of a unit")
    for rate, number in TIME_MODES.items():
        if mode == number:
            return Space("cm", up), scale / 100.0, rate
    if not 0 < custom < HIGHEST_FPS:
        raise InvalidData(
            f"the FBX file has time mode {mode} and {custom} frames per second, which is no rate"
        )
    return Space("cm", up), scale / 100.0, Fraction(exact_rate(custom))


def _hierarchy(file: Record, objects: Mapping[int, Record]) -> tuple[list[int], tuple[int, ...]]:
    """Return the numbers of the bones, parents first and otherwise in the file's order, and their parents."""
    bones = [
        number
        for number, record in objects.items()
        if record.name == "Model" and _kind(record) in _BONE_KINDS
    ]
    if not bones:
        raise InvalidData("the FBX file holds no bones")
    if len(bones) > MOST_BONES:
        raise InvalidData(f"the FBX file holds {len(bones)} bones, more than any body has")
    names = [_name(objects[number]) for number in bones]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InvalidData(f"the FBX file has two bones of the name {min(twice)!r}")
    above: dict[int, int] = {}
    for link in file.first("Connections").all("C"):
        child, parent = _ends(link)
        is_model = parent == 0 or (parent in objects and objects[parent].name == "Model")
        if link.values[0] == "OO" and is_model:
            above.setdefault(child, parent)
    places: dict[int, int] = {}
    order: list[int] = []
    parents: list[int] = []
    waiting = bones
    while waiting:
        later = []
        for number in waiting:
            parent = above.get(number, 0)
            if parent and parent not in places:
                later.append(number)
                continue
            places[number] = len(order)
            order.append(number)
            parents.append(places[parent] if parent else -1)
        if len(later) == len(waiting):
            name = _name(objects[later[0]])
            raise InvalidData(
                f"FBX bone {name!r} hangs below something that is no bone, or below itself: {_ADVICE}"
            )
        waiting = later
    if parents.count(-1) > 1:
        roots = [_name(objects[number]) for number, parent in zip(order, parents, strict=True) if parent < 0]
        raise InvalidData(f"the FBX file has {len(roots)} skeletons ({', '.join(roots[:5])}); one is read")
    return order, tuple(parents)


def _curves(file: Record, objects: Mapping[int, Record]) -> _Curves:
    """Return the curves of the only take."""
    takes = sum(record.name == "AnimationStack" for record in objects.values())
    if takes > 1:
        raise InvalidData(f"the FBX file holds {takes} takes; one is read")
    owners: dict[int, tuple[int, str]] = {}
    links = []
    for link in file.first("Connections").all("C"):
        child, parent = _ends(link)
        if link.values[0] != "OP" or child not in objects or len(link.values) < 4:
            continue
        kind, target = objects[child].name, str(link.values[3])
        if kind == "AnimationCurveNode":
            owners[child] = (parent, target)
        elif kind == "AnimationCurve":
            links.append((child, parent, target))
    curves: dict[tuple[int, str], dict[str, _Curve]] = {}
    for child, parent, target in links:
        if parent in owners:
            curves.setdefault(owners[parent], {})[target.removeprefix("d|")] = _curve(objects[child])
    return curves


def _curve(record: Record) -> _Curve:
    times, values = (record.first(name).values[:1] for name in ("KeyTime", "KeyValueFloat"))
    if not times or not values:
        raise InvalidData("an FBX curve has no keys")
    t, v = times[0], values[0]
    if (
        not isinstance(t, np.ndarray)
        or not isinstance(v, np.ndarray)
        or t.dtype != "<i8"
        or v.dtype.kind != "f"
    ):
        raise InvalidData("an FBX curve has keys of another type than times and numbers")
    if len(t) != len(v) or len(t) == 0 or not np.isfinite(v).all():
        raise InvalidData(
            f"an FBX curve has {len(t)} times for {len(v)} values, or values that are no numbers"
        )
    if t.min() < -(2**62) or t.max() > 2**62 or (np.diff(t) <= 0).any():
        raise InvalidData("an FBX curve has keys that do not follow each other in time")
    return _Curve(t, v.astype(float))


def _frames(curves: _Curves, bones: list[int], fps: Fraction) -> Int[np.ndarray, "T"]:
    """Return the times of the frames: those of the curve with the most keys, which must lie on frames."""
    wanted = set(bones)
    of_bones = [curve for (owner, _), parts in curves.items() if owner in wanted for curve in parts.values()]
    if not of_bones:
        raise InvalidData("the FBX file holds bones, but no curve that moves one")
    times = max(of_bones, key=lambda curve: len(curve.times)).times
    step = TICKS / fps
    passed = (times - times[0]) / float(step)
    if np.abs(passed - np.arange(len(times))).max() > _TIME_TOLERANCE:
        raise InvalidData(f"the keys of the FBX file are not one a frame at {float(fps):g} fps: {_ADVICE}")
    return times


def _sampled(
    parts: Mapping[str, _Curve], still: Float[np.ndarray, "3"], times: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T 3"]:
    """Return a property in every frame; parts without a curve stand still."""
    out = np.tile(still, (len(times), 1))
    for column, part in enumerate(_AXES):
        if part in parts:
            out[:, column] = np.interp(times, parts[part].times, parts[part].values)
    return out


def _contacts(curves: _Curves, times: Int[np.ndarray, "T"]) -> Bool[np.ndarray, "T F"] | None:
    """Return which points of the feet are on the floor: the last key so far counts. None if a point is untold."""
    named = {target: parts.get(target) for (_, target), parts in curves.items()}
    found = [named.get(CONTACT_PREFIX + point) for point in CONTACT_POINTS]
    columns = []
    for curve in found:
        if curve is None:
            return None
        last = np.searchsorted(curve.times, times, side="right") - 1
        columns.append(curve.values[np.maximum(last, 0)] > 0.5)
    return np.stack(columns, axis=1)


def _number(record: Record) -> int:
    number = record.values[0]
    if not isinstance(number, int):
        raise InvalidData(f"an FBX object of kind {record.name!r} has no number")
    return number


def _name(record: Record) -> str:
    return str(record.values[1]).partition("\0")[0] if len(record.values) > 1 else ""


def _kind(record: Record) -> str:
    return str(record.values[2]) if len(record.values) > 2 else ""


def _ends(link: Record) -> tuple[int, int]:
    """Return what a connection joins: child, parent."""
    ends = link.values[1:3]
    if len(ends) != 2 or not all(isinstance(end, int) for end in ends):
        raise InvalidData("an FBX connection does not say what it joins")
    return int(ends[0]), int(ends[1])
