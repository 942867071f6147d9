"""Which bone of a foreign skeleton is which joint of ours, told by its name and its place in the tree."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mocaplift.export.templates import TEMPLATES
from mocaplift.layouts import SMPL24

SIDES = ("left", "right")
# What programs put before a name: namespaces, makers, kinds of bones.
_PREFIX = re.compile(
    r"^(?:.*:|mixamorig\d*_?|bip\d+[ _]|character\d*_|cc_base_|def-|org-|valvebiped\.bip\d+_|j_bip_(?:c_)?)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDE_WORDS = {"l": "left", "left": "left", "r": "right", "right": "right"}
# The names of each joint, the surest first. A name that a joint nearer to the body has taken is not given twice: a
# "shoulder" is a collar bone where there is an "arm" as well, a "foot" is a toe where there is an "ankle".
_LIMBS: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("knee", "lowerleg", "lowleg", "shin", "calf", "tibia", "leg"),
    "ankle": ("ankle", "foot", "talus"),
    "foot": ("toebase", "toe", "toes", "ball", "foottoe", "toe0", "foot"),
    "shoulder": ("uparm", "upperarm", "shldr", "humerus", "arm", "shoulder"),
    "collar": ("collar", "clavicle", "shoulder"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "ulna", "radius"),
    "wrist": ("wrist", "hand"),
    "hand": ("fingers", "hand", "handend", "middle1", "handmiddle1", "fingermiddle1", "finger2"),
}
_PELVIS = ("hips", "pelvis", "hip")
_NECK, _HEAD = re.compile(r"(?:lower|upper)?neck\d*"), ("head",)
# Of a word that this share of all names begins with, nothing can be told.
MOST_OF_ALL = 0.8
# Without these a body cannot be told.
NEEDED = tuple(
    f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in SIDES
)


def match_joints(names: Sequence[str], parents: Sequence[int]) -> dict[str, int]:
    """Return the bone of every joint of ours that is found; joints that the skeleton lacks are left out.

    A skeleton with the names of one of our templates is known exactly; of others, limbs are found by their
    names and the spine by what lies between pelvis and neck.
    """
    known = _by_template(names)
    if known is not None:
        return known
    names = _without_actor(names)
    parts = [_part(name) for name in names]
    found: dict[str, int] = {}
    for side in SIDES:
        taken: set[int] = set()
        for joint, words in _LIMBS.items():
            bone = _first(parts, side, words, taken)
            if bone is not None:
                found[f"{side}_{joint}"] = bone
                taken.add(bone)
    _find_trunk(found, parts, parents)
    return {joint: found[joint] for joint in SMPL24.joints if joint in found}


def missing_joints(joints: dict[str, int]) -> list[str]:
    """Return which joints that every body has were not found."""
    return [joint for joint in NEEDED if joint not in joints]


def _by_template(names: Sequence[str]) -> dict[str, int] | None:
    """Return the bones of the template whose every name is there, None if there is none."""
    have = {name: bone for bone, name in enumerate(names)}
    for template in TEMPLATES.values():
        pairs = [(bone.name, bone.joint) for bone in template.bones if bone.joint is not None]
        pairs += [(name, joint) for joint, name in (template.names or {}).items()]
        found = {joint: have[name] for name, joint in pairs if name in have}
        if len(pairs) == len(found) > len(NEEDED):
            return {joint: found[joint] for joint in SMPL24.joints if joint in found}
    return None


def _without_actor(names: Sequence[str]) -> list[str]:
    """Return the names without the word before the first mark that nearly all of them begin with: Neo_LeftLeg."""
    words = [name.partition("_")[0] for name in names]
    usual = max(words, key=words.count)
    if words.count(usual) < MOST_OF_ALL * len(names):
        return list(names)
    return [name.removeprefix(f"{usual}_") for name in names]


def _part(name: str) -> tuple[str | None, str]:
    """Return the side and the part of the body that a name tells, in small letters without marks."""
    words = [word.lower() for word in _WORDS.findall(_PREFIX.sub("", name.strip()))]
    sides = [_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS]
    part = "".join(word for word in words if word not in _SIDE_WORDS)
    if not sides and part[:1] in _SIDE_WORDS and any(part[1:] in each for each in _LIMBS.values()):
        return _SIDE_WORDS[part[0]], part[1:]
    return (sides[0] if sides else None), part


def _first(
    parts: Sequence[tuple[str | None, str]], side: str | None, words: Sequence[str], taken: set[int]
) -> int | None:
    """Return the first bone of that side with the surest of these names."""
    for word in words:
        for bone, part in enumerate(parts):
            if part == (side, word) and bone not in taken:
                return bone
    return None


def _find_trunk(
    found: dict[str, int], parts: Sequence[tuple[str | None, str]], parents: Sequence[int]
) -> None:
    """Add pelvis, spine, neck and head."""
    if not all(f"{side}_{joint}" in found for side in SIDES for joint in ("hip", "shoulder")):
        return
    hips = _shared(found["left_hip"], found["right_hip"], parents)
    chest = _shared(found["left_shoulder"], found["right_shoulder"], parents)
    head = _first(parts, None, _HEAD, set())
    if hips is None or chest is None:
        return
    named = _first(parts, None, _PELVIS, set())
    found["pelvis"] = named if named is not None and named in _above(found["left_hip"], parents) else hips
    if head is not None:
        found["head"] = head
        necks = [bone for bone in _above(head, parents)[1:] if _NECK.fullmatch(parts[bone][1])]
        if necks:
            found["neck"] = necks[-1]
    way = _above(chest, parents)
    start = next((bone for bone in way if bone in (found["pelvis"], hips)), None)
    if start is None:
        return
    chain = way[: way.index(start)][::-1]
    if chain:
        found["spine3"] = chain[-1]
    if len(chain) > 1:
        found["spine1"] = chain[0]
    if len(chain) > 2:
        found["spine2"] = chain[len(chain) // 2]


def _above(bone: int, parents: Sequence[int]) -> list[int]:
    """Return the bone and all above it, the root last."""
    out = [bone]
    while parents[out[-1]] >= 0:
        out.append(parents[out[-1]])
    return out


def _shared(a: int, b: int, parents: Sequence[int]) -> int | None:
    """Return the lowest bone that both hang on."""
    other = set(_above(b, parents))
    return next((bone for bone in _above(a, parents)[1:] if bone in other and bone not in (a, b)), None)
