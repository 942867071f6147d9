"""Our motion on the bones of a template: every bone that is one of our joints is where that joint is.

A bone's rest pose may differ from ours: the limb is then turned at rest, and its rotation in every frame makes
up for it. With G the world rotation of a joint of ours, C the turn from the bone's rest direction to ours and A
the bone's own axes at rest, the bone's world rotation is G C A, and what hangs on it is C^-1 times our offset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics
from mocaplift.export.templates import (
    ACTOR,
    SOLE_BELOW_JOINT,
    Between,
    Bone,
    Template,
    bones_in,
    rest_axes,
    tip_offsets,
)
from mocaplift.rotations import (
    IDENTITY,
    about_axis,
    conjugate,
    from_rotvec,
    from_two_vectors,
    make_continuous,
    multiply,
    normalize,
    rotate,
)
from mocaplift.values import Skeleton, SkeletonMotion

# Which way limbs point in an exact T-pose (left side), by the joint that turns the limb and the one it ends in.
_LIMBS = {
    ("hip", "knee"): (0.0, -1.0, 0.0),
    ("knee", "ankle"): (0.0, -1.0, 0.0),
    ("shoulder", "elbow"): (1.0, 0.0, 0.0),
    ("elbow", "wrist"): (1.0, 0.0, 0.0),
    ("wrist", "hand"): (1.0, 0.0, 0.0),
}
# A bone shorter than this (m) has no direction.
SHORTEST_BONE = 1e-9
_ARM = ("shoulder", "elbow", "wrist", "hand")


class Attached(NamedTuple):
    """Bones in motion; fields as in `rigged.Rigged`."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]
    rest: Float[np.ndarray, "J 4"]
    rotations: Float[np.ndarray, "T J 4"]
    places: dict[int, Float[np.ndarray, "T 3"]]
    joints: tuple[str | None, ...]
    tips: dict[int, Float[np.ndarray, "3"]]


class _Posed(NamedTuple):
    """Our joints, resting as the template rests: where at rest, where their tips are, how turned in each frame."""

    skeleton: Skeleton
    rest: Float[np.ndarray, "J 3"]
    tips: dict[int, Float[np.ndarray, "3"]]
    turned: Float[np.ndarray, "T J 4"]


def attach(motion: SkeletonMotion, template: Template) -> Attached:
    """Return the motion on the template's bones; the first of them is the root.

    Raises:
        InvalidData: the skeleton lacks joints that the template needs.
    """
    bones = bones_in(template, motion.skeleton)
    names = tuple(bone.name for bone in bones)
    parents = tuple(-1 if bone.parent is None else names.index(bone.parent) for bone in bones)
    posed = _posed(motion, template)
    places = np.stack([_place(bone, posed) for bone in bones])
    free = np.stack([_turned(bone, posed) for bone in bones], axis=1)
    axes = _axes(bones, parents, places, posed, template)
    world = multiply(free, axes)
    above = np.array(parents)
    rest, rotations, offsets = axes.copy(), world.copy(), places.copy()
    rest[1:] = multiply(conjugate(axes[above[1:]]), axes[1:])
    rotations[:, 1:] = multiply(conjugate(world[:, above[1:]]), world[:, 1:])
    offsets[1:] = rotate(conjugate(axes[above[1:]]), places[1:] - places[above[1:]])
    ends = {
        bone: end for bone, end in enumerate(_ends(bones, posed)) if bone not in parents and end is not None
    }
    return Attached(
        names=names,
        parents=parents,
        offsets=offsets,
        rest=rest,
        rotations=make_continuous(normalize(rotations)),
        places={0: np.array(motion.root, dtype=float)},
        joints=tuple(bone.joint for bone in bones),
        tips={bone: rotate(conjugate(axes[bone]), end - places[bone]) for bone, end in ends.items()},
    )


def _posed(motion: SkeletonMotion, template: Template) -> _Posed:
    """Return our joints with the rest pose of the template, standing on the floor above the origin."""
    skeleton = motion.skeleton
    turns = _rest_turns(skeleton, template)
    back = conjugate(turns)
    rest = np.zeros_like(skeleton.offsets)
    for child, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rest[child] = rest[parent] + rotate(back[parent], skeleton.offsets[child])
    rest[:, 1] += SOLE_BELOW_JOINT - rest[:, 1].min()
    tips = {joint: rest[joint] + rotate(back[joint], tip) for joint, tip in tip_offsets(skeleton).items()}
    _, turned = kinematics.forward(skeleton, motion.rotations, motion.root)
    return _Posed(skeleton, rest, tips, multiply(turned, turns))


def _rest_turns(skeleton: Skeleton, template: Template) -> Float[np.ndarray, "J 4"]:
    """Return, per joint, the turn (wxyz) from the template's rest direction of the limb to the skeleton's."""
    turns = np.tile(IDENTITY, (len(skeleton.layout), 1))
    if template.rest == ACTOR:
        return turns
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hang = arm_hang(template, sign)
        for (joint, end), along in _LIMBS.items():
            at, to = skeleton.layout.index(f"{side}_{joint}", f"{side}_{end}")
            direction = np.array(along) * (sign, 1.0, 1.0)
            if joint in _ARM:
                direction = rotate(hang, direction)
            if np.linalg.norm(skeleton.offsets[to]) > SHORTEST_BONE:
                turns[at] = from_two_vectors(direction, skeleton.offsets[to])
    return turns


def arm_hang(template: Template, sign: float) -> Float[np.ndarray, "4"]:
    """Return the turn (wxyz) of the left (1) or right (-1) arm from a T-pose to the template's rest pose."""
    degrees = 0.0 if isinstance(template.rest, str) else template.rest
    return about_axis("Z", -sign * np.radians(degrees))


def _place(bone: Bone, posed: _Posed) -> Float[np.ndarray, "3"]:
    """Return where a bone begins at rest."""
    layout = posed.skeleton.layout
    if bone.between is not None:
        start, end = posed.rest[layout.index(bone.between.start, bone.between.end)]
        return start + bone.between.place * (end - start)
    if bone.end_of is not None:
        return posed.tips[layout.at(bone.end_of)]
    assert bone.joint is not None
    return posed.rest[layout.at(bone.joint)]


def _ends(bones: tuple[Bone, ...], posed: _Posed) -> list[Float[np.ndarray, "3"] | None]:
    """Return where each bone would end if it had no children: at the tip of its joint, or at its next joint."""
    layout, parents = posed.skeleton.layout, posed.skeleton.parents
    ends: list[Float[np.ndarray, "3"] | None] = []
    for bone in bones:
        if bone.joint is None:
            ends.append(None)
            continue
        at = layout.at(bone.joint)
        ends.append(posed.tips[at] if at in posed.tips else posed.rest[parents.index(at)])
    return ends


def _turned(bone: Bone, posed: _Posed) -> Float[np.ndarray, "T 4"]:
    """Return how a bone is turned in every frame, relative to its rest pose (world axes)."""
    layout = posed.skeleton.layout
    if bone.between is not None:
        return _twisted(bone.between, posed)
    joint = bone.joint or bone.end_of
    assert joint is not None
    return posed.turned[:, layout.at(joint)]


def _twisted(between: Between, posed: _Posed) -> Float[np.ndarray, "T 4"]:
    """Return the turn of a bone between two joints: that of the first, and a share of the second's twist.

    The twist is about the line between both, which it leaves where it is. It is followed over time past half a
    turn, so that the share of it does not jump.
    """
    start, end = posed.skeleton.layout.index(between.start, between.end)
    before = posed.turned[:, start]
    turn = multiply(conjugate(before), posed.turned[:, end])
    line = posed.rest[end] - posed.rest[start]
    axis = line / max(float(np.linalg.norm(line)), SHORTEST_BONE)
    angle = np.unwrap(2 * np.arctan2(turn[:, 1:] @ axis, turn[:, 0]), period=2 * np.pi)
    angle -= 2 * np.pi * np.round(angle[0] / (2 * np.pi))
    return multiply(before, from_rotvec(between.twist * angle[:, None] * axis))


def _axes(
    bones: tuple[Bone, ...],
    parents: tuple[int, ...],
    places: Float[np.ndarray, "J 3"],
    posed: _Posed,
    template: Template,
) -> Float[np.ndarray, "J 4"]:
    """Return how every bone's own axes are turned at rest, in the world (wxyz)."""
    axes = np.stack([rest_axes(bone.axes) for bone in bones])
    if template.rest != ACTOR:
        for position, bone in enumerate(bones):
            side, _, part = _joint_of(bone).partition("_")
            if part in _ARM:
                axes[position] = multiply(arm_hang(template, 1.0 if side == "left" else -1.0), axes[position])
    if template.aim is None:
        return axes
    own = np.eye(3)["xyz".index(template.aim)]
    ends = _ends(bones, posed)
    for position in range(len(bones)):
        child = _next(position, bones, parents)
        end = ends[position] if child is None else places[child]
        # The end of a bone goes on as the bone does.
        line = places[position] - places[parents[position]] if end is None else end - places[position]
        if np.linalg.norm(line) > SHORTEST_BONE:
            axes[position] = multiply(from_two_vectors(rotate(axes[position], own), line), axes[position])
    return axes


def _next(position: int, bones: tuple[Bone, ...], parents: tuple[int, ...]) -> int | None:
    """Return the child in which a bone ends: of several the one that is neither left nor right."""
    children = [child for child, parent in enumerate(parents) if parent == position]
    middle = [child for child in children if not _joint_of(bones[child]).startswith(("left_", "right_"))]
    return next(iter(middle or children), None)


def _joint_of(bone: Bone) -> str:
    """Return the joint that a bone is, ends or begins at."""
    return bone.joint or bone.end_of or (bone.between.start if bone.between else "")
