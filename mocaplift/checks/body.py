"""Whether the body is one: names, size, where up is, bones that keep their length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mocaplift.checks.finding import NOTE, Finding, spans_of
from mocaplift.checks.subject import Subject
from mocaplift.reading.names import SIDES, missing_joints
from mocaplift.reading.ours import body_axes
from mocaplift.reading.recording import LARGEST_BODY, SMALLEST_BODY, UNITS, stature, uprightness
from mocaplift.rotations import rotate

# Limbs that must hang on each other, from the trunk out.
_CHAINS = (("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist", "hand"))
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
# Cosine: toes that point this far backwards belong to a body whose sides are exchanged.
BACKWARDS = -0.5
# A trunk stands along an axis that is this near (cosine) to it.
ALONG = 0.7
# Bones of one person differ by 2 to 8 % between the sides; more than this (share) is seen.
UNEVEN = 0.15
# A bone that grows or shrinks by more than this (m, and share of its length) is seen to stretch.
STRETCH, STRETCH_SHARE = 0.01, 0.03
# Units that programs ask for when they read a file that tells none.
USUAL_UNITS = ("cm", "m")
# Metres of units that files are taken for by mistake, as a factor on the height.
_FACTORS = {100.0: "metres that were written as centimetres", 0.01: "centimetres that are taken for metres",
            1000.0: "metres that were written as millimetres", 0.001: "millimetres that are taken for metres",
            2.54: "inches that were written as centimetres", 1 / 2.54: "centimetres that were written as inches",
            10.0: "centimetres that were written as millimetres",
            0.1: "millimetres that were written as centimetres"}  # fmt: skip


def find_names(subject: Subject) -> Iterator[Finding]:
    """Look for names that programs trip over, and for left bones on the right side."""
    names = subject.rigged.names
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield Finding(
            "names", f"{len(twice)} names are given twice, as {twice[0]!r}: programs rename one of them"
        )
    blank = [name for name in names if not name or any(letter.isspace() for letter in name)]
    if blank:
        yield Finding(
            "names", f"{len(blank)} names are empty or hold blanks, as {blank[0]!r}: programs cut them"
        )
    if not subject.recording.is_body:
        missing = missing_joints(dict(subject.joints))
        text = "no body is known by the names of its bones"
        if len(missing) <= len(SIDES) * 3:
            text = f"no bone is known by its name as {', '.join(missing)}"
        yield Finding("names", f"{text}: feet, size and sides cannot be judged", NOTE)
        return
    yield from _find_swapped(subject)


def _find_swapped(subject: Subject) -> Iterator[Finding]:
    joints, parents = subject.joints, subject.rigged.parents
    for side in SIDES:
        for chain in _CHAINS:
            have = [f"{side}_{joint}" for joint in chain if f"{side}_{joint}" in joints]
            for above, below in pairwise(have):
                if joints[above] not in _ancestors(joints[below], parents):
                    names = [subject.rigged.names[joints[each]] for each in (above, below)]
                    yield Finding(
                        "names", f"{names[1]!r} does not hang on {names[0]!r}: are two names exchanged?"
                    )
                    return
    across = [subject.rest[joints[f"left_{joint}"]] - subject.rest[joints[f"right_{joint}"]]
              for joint in ("hip", "shoulder")]  # fmt: skip
    if float(across[0] @ across[1]) < 0:
        yield Finding(
            "names", "left and right of the arms are not those of the legs: one of them is exchanged"
        )
    elif (toes := _toes_forward(subject)) is not None and toes < BACKWARDS:
        yield Finding(
            "names",
            "left and right are exchanged: with these names the toes point backwards",
            size=round(toes, 3),
            unit="cosine",
        )


def _ancestors(bone: int, parents: tuple[int, ...]) -> set[int]:
    out = set()
    while (bone := parents[bone]) >= 0:
        out.add(bone)
    return out


def _toes_forward(subject: Subject) -> float | None:
    """Return the cosine between the toes and where the trunk looks, None where no toe is known."""
    feet = [(subject.joints[f"{side}_ankle"], subject.joints.get(f"{side}_foot")) for side in SIDES]
    at_rest = _forwardness(subject.rest[None], subject, feet)
    # A rest pose may have no feet to speak of (all bones along one axis); then the motion tells.
    return (
        at_rest
        if at_rest is not None and abs(at_rest) > -BACKWARDS
        else _forwardness(subject.xyz, subject, feet)
    )


def _forwardness(
    xyz: Float[np.ndarray, "T J 3"], subject: Subject, feet: list[tuple[int, int | None]]
) -> float | None:
    axes = body_axes(xyz, subject.joints)
    up, forward = (rotate(axes, np.array(axis)) for axis in ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    cosines = []
    for ankle, toe in feet:
        if toe is None:
            return None
        along = xyz[:, toe] - xyz[:, ankle]
        along = along - (along * up).sum(axis=-1, keepdims=True) * up
        size = np.linalg.norm(along, axis=-1)
        cosines.append((along * forward).sum(axis=-1) / np.maximum(size, 1e-9))
    return float(np.median(np.mean(cosines, axis=0)))


def find_scale(subject: Subject) -> Iterator[Finding]:
    """Look whether the body is as large as a person, and as large on one side as on the other."""
    if not subject.recording.is_body:
        return
    tall = stature(subject.rigged, subject.joints)
    if not subject.recording.is_stated and subject.recording.unit not in USUAL_UNITS:
        unit = subject.recording.unit
        size = tall / UNITS[unit] / 100 if unit in UNITS else None
        text = f"lengths are in no unit that programs expect of this format (cm or m), but in {unit}"
        yield Finding("scale", text + (f": the body would be {size:.2f} m tall" if size else ""))
    if not SMALLEST_BODY <= tall <= LARGEST_BODY:
        likely = next(
            (why for by, why in _FACTORS.items() if SMALLEST_BODY <= tall / by <= LARGEST_BODY), None
        )
        text = f"the body is {tall:.4g} m tall" + (f": {likely}?" if likely else ", which no person is")
        yield Finding("scale", text, size=round(tall, 4), unit="m")
    for start, end in _LIMBS:
        left, right = (_length(subject, f"{side}_{start}", f"{side}_{end}") for side in SIDES)
        share = abs(left - right) / max(left, right, 1e-9)
        if share > UNEVEN:
            text = f"{start} to {end}: {100 * left:.1f} cm on the left, but {100 * right:.1f} cm on the right"
            yield Finding("scale", text, size=round(share, 3), unit="share")


def _length(subject: Subject, start: str, end: str) -> float:
    ends = subject.rest[[subject.joints[start], subject.joints[end]]]
    return float(np.linalg.norm(ends[1] - ends[0]))


def find_up_axis(subject: Subject) -> Iterator[Finding]:
    """Look whether the body stands along +Y, or where the format has its up."""
    recording = subject.recording
    if not recording.is_body:
        return
    if recording.up == "z" and not recording.is_stated:
        yield Finding(
            "up_axis", "the body stands along +Z: readers of BVH take +Y for up, so say so on import", NOTE
        )
        return
    at_rest = rotate(body_axes(subject.rest, subject.joints), np.array([0.0, 1.0, 0.0]))
    moving = uprightness(subject.rigged, subject.joints)
    moving = moving / max(float(np.linalg.norm(moving)), 1e-9)
    # Who lies, crawls or stands on the hands is upright at rest: the axis is wrong where both are.
    if at_rest[1] < ALONG and moving[1] < ALONG:
        axis = int(np.abs(moving).argmax())
        name = ("-" if moving[axis] < 0 else "+") + "XYZ"[axis]
        yield Finding("up_axis", f"the body stands along {name}, at rest and in motion, but up is +Y here")


def find_bone_lengths(subject: Subject) -> Iterator[Finding]:
    """Look for bones that change their length."""
    rigged, start = subject.rigged, subject.start
    carried = 1 if rigged.parents.count(0) == 1 else 0
    for bone, place in rigged.places.items():
        if bone <= carried:
            continue
        length = np.linalg.norm(place[start:], axis=-1)
        usual = float(np.median(length))
        change = np.abs(length - usual)
        if change.max() <= max(STRETCH, STRETCH_SHARE * usual):
            continue
        worst = int(change.argmax())
        yield Finding(
            "bone_lengths",
            f"bone {rigged.names[bone]!r} comes nearer to its parent or goes away from it, by up to "
            f"{100 * change.max():.1f} cm of {100 * usual:.1f} cm",
            frames=spans_of(change > max(STRETCH, STRETCH_SHARE * usual), start, bridge=subject.frames(0.1)),
            worst=worst + start,
            size=round(float(change.max()), 4),
            unit="m",
        )
