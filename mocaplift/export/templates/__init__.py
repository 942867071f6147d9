"""What exported bones are called, how they hang together, and how they rest.

A template is data: its bones, parents first, each one of our joints or a bone between two of them. Bones that
we have no joint for share the twist of their neighbours; they never move one of our joints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.kinematics import rest_positions
from mocaplift.rotations import from_matrix
from mocaplift.values import Skeleton

# Axes of a bone that rests like the world: x to the left of the person, y up, z forward.
WORLD_AXES = "+x+y+z"
ACTOR, T_POSE = "actor", "t"


@dataclass(frozen=True)
class Between:
    """A bone on the way from a joint to the next: `place` and `twist` are shares of the way and of the turn.

    The twist is that of the second joint about the line between both.
    """

    start: str
    end: str
    place: float = 0.5
    twist: float = 0.5


@dataclass(frozen=True)
class Bone:
    """A bone of a template: `joint` is the one of ours that it is, `between` where it is if it is none of ours.

    `parent` is a bone before it (None: the first one). `axes` are the directions in the world, of the person in
    a T-pose, in which its own x, y and z point. `end_of` makes it the end of a joint's bone.
    """

    name: str
    parent: str | None
    joint: str | None = None
    axes: str = WORLD_AXES
    between: Between | None = None
    end_of: str | None = None


@dataclass(frozen=True)
class Template:
    """A target rig. Without `bones` it has every joint of the skeleton, under the name that `names` gives it.

    `rest` is "actor" (the rest pose of the motion), or the angle in degrees by which straight arms hang below a
    T-pose with straight legs: 0 is an exact T. `aim` is the axis ("x", "y", "z") of every bone that points along
    it, None where the axes are as they are written. `root` is the bone that `has_root` or `--root floor` puts
    on the floor, with its axes. `lengths` (m, from the parent, by our joint) are those of its own figure.
    """

    name: str
    bones: tuple[Bone, ...] = ()
    names: Mapping[str, str] | None = None
    rest: str | float = ACTOR
    aim: str | None = None
    root: str = "Root"
    has_root: bool = False
    root_axes: str = WORLD_AXES
    lengths: Mapping[str, float] | None = None


def rest_axes(directions: str) -> Float[np.ndarray, "4"]:
    """Return the rotation (wxyz) of a bone whose x, y and z point in these directions: "+x+y+z" is none."""
    columns = np.zeros((3, 3))
    for axis, (sign, letter) in enumerate(zip(directions[::2], directions[1::2], strict=True)):
        columns["xyz".index(letter), axis] = 1.0 if sign == "+" else -1.0
    return from_matrix(columns)


_SIDES = {"left": "Left", "right": "Right"}

# The names that MotionBuilder's characteriser, Rokoko's, Auto-Rig's and most retargeters find by themselves:
# those of the CMU and Truebones BVH files, without spaces and without a prefix.
_NATIVE_MIDDLE = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
}
_NATIVE_LIMBS = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hand": "Fingers",
}

_NATIVE_NAMES = _NATIVE_MIDDLE | {
    f"{side}_{joint}": title + bone for side, title in _SIDES.items() for joint, bone in _NATIVE_LIMBS.items()
}

TEMPLATES: dict[str, Callable[[], Template]] = {
    "native": lambda: Template("native", names=_NATIVE_NAMES),
    "smpl": lambda: Template("smpl"),
}

# How far the body goes on after its last joints, as a share of the two leg bones (thigh + shin), which are 0.491
# of the height (Drillis and Contini, in Winter, Biomechanics of Human Movement, table 4.1). Of the height, the
# crown is 0.087 above the head joint of the free body model, fingers end 0.055 and toes 0.04 beyond theirs.
_TIPS: dict[str, tuple[tuple[float, float, float], float]] = {
    "head": ((0.0, 1.0, 0.0), 0.087 / 0.491),
    "left_hand": ((1.0, 0.0, 0.0), 0.055 / 0.491),
    "right_hand": ((-1.0, 0.0, 0.0), 0.055 / 0.491),
    "left_foot": ((0.0, 0.0, 1.0), 0.04 / 0.491),
    "right_foot": ((0.0, 0.0, 1.0), 0.04 / 0.491),
}
# Height of the lowest joint (the ball of the foot) above the sole of a standing person.
SOLE_BELOW_JOINT = 0.02  # m
# A tip of unknown kind goes on along its bone by half of its length, but never less than this: Blender gives
# a bone without length a direction of its own.
SHORTEST_TIP = 0.02  # m


def template_named(name: str) -> Template:
    """Return a template.

    Raises:
        ConfigError: no such template; the message lists the known ones.
    """
    if name not in TEMPLATES:
        raise ConfigError(f"unknown skeleton template {name!r}; known: {', '.join(sorted(TEMPLATES))}")
    return TEMPLATES[name]()


def bones_in(template: Template, skeleton: Skeleton) -> tuple[Bone, ...]:
    """Return the bones of a template for a skeleton.

    Raises:
        InvalidData: the skeleton lacks a joint, two bones would share a name, or a name holds a space.
    """
    joints, names = skeleton.layout.joints, dict(template.names or {})
    bones = template.bones or tuple(
        Bone(
            names.get(joint, joint), None if parent < 0 else names.get(joints[parent], joints[parent]), joint
        )
        for joint, parent in zip(joints, skeleton.parents, strict=True)
    )
    for bone in bones:
        _check(bone, template, skeleton)
    for name in (each := [bone.name for bone in bones]):
        if each.count(name) > 1:
            raise InvalidData(f"template {template.name!r} gives two joints the name {name!r}")
    return bones


def _check(bone: Bone, template: Template, skeleton: Skeleton) -> None:
    if not bone.name or any(character.isspace() for character in bone.name):
        raise InvalidData(
            f"joint name {bone.name!r} is empty or holds a space, which programs read differently"
        )
    ends = () if bone.between is None else (bone.between.start, bone.between.end)
    for joint in (bone.joint, bone.end_of, *ends):
        if joint is not None and joint not in skeleton.layout.joints:
            raise InvalidData(
                f"template {template.name!r} needs the joint {joint}, but the skeleton {skeleton.layout.name} has "
                "none; choose the template native"
            )


def tip_offsets(skeleton: Skeleton) -> dict[int, Float[np.ndarray, "3"]]:
    """Return, for every joint without children, the vector in metres from it to the end of its body part."""
    scale = _leg_length(skeleton)
    with_children = set(skeleton.parents)
    tips = {}
    for position, joint in enumerate(skeleton.layout.joints):
        if position in with_children:
            continue
        if joint in _TIPS and scale is not None:
            direction, share = _TIPS[joint]
            tips[position] = np.array(direction) * share * scale
        else:
            tips[position] = _continued(skeleton.offsets[position])
    return tips


def rest_height(skeleton: Skeleton) -> float:
    """Return how high (m) the root of the T-pose is when the person stands on the floor."""
    return float(SOLE_BELOW_JOINT - rest_positions(skeleton)[:, 1].min())


def _leg_length(skeleton: Skeleton) -> float | None:
    """Return thigh + shin in metres, the mean of both sides; None for a skeleton without such legs."""
    legs = [joint for joint in skeleton.layout.joints if joint.endswith(("_knee", "_ankle"))]
    lengths = np.linalg.norm(skeleton.offsets[skeleton.layout.index(*legs)], axis=-1)
    return float(lengths.sum() / 2) if len(legs) == 4 and lengths.min() > 0 else None


def _continued(offset: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    length = float(np.linalg.norm(offset))
    direction = offset / length if length > 0 else np.array([0.0, 1.0, 0.0])
    return direction * max(length / 2, SHORTEST_TIP)
