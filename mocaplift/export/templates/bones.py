"""What a template is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
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
