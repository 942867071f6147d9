"""From one format of motion to another: foreign skeletons stay as they are, unless a rig of ours is asked for."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from mocaplift.errors import InvalidData
from mocaplift.export import Exportable, ExportOptions, Rigged
from mocaplift.export.rigged import adapted, is_carried, without_rest_axes
from mocaplift.export.templates.tips import continued
from mocaplift.layouts import SMPL24
from mocaplift.reading.ours import on_our_skeleton
from mocaplift.reading.recording import Recording
from mocaplift.rotations import conjugate, make_continuous, rotate
from mocaplift.values import Capture, Layout, Skeleton, SkeletonMotion

# Formats that need the joints of a person, whatever else is asked for.
NEED_OUR_JOINTS = (".smpl.npz", ".angles.csv")
# A bone whose length changes by less than this (m) over time does not change: text files round.
SAME_LENGTH = 1e-4
# What no format of text can hold in a name: blanks end it, braces open and close a joint.
_MARKS = re.compile(r"[\s{}\x00-\x1f]+")


def converted(recording: Recording, suffix: str, options: ExportOptions, *, keep: bool) -> Exportable:
    """Return what is exported for a format.

    With `keep` a foreign skeleton keeps its names, hierarchy and rest pose; without, it is brought onto the rig
    that the options name, by its joints. Motions of ours are on every rig already.

    Raises:
        InvalidData: the format or the rig needs joints that were not found by name, or bones change their length
            where the format cannot say so.
    """
    value = recording.value
    if value is not None and _skeleton(value).layout.joints == SMPL24.joints:
        return value
    if suffix in NEED_OUR_JOINTS or not keep or options.proportions == "template" or options.mesh:
        return on_our_skeleton(recording.rigged, recording.joints)
    known = {bone: joint for joint, bone in recording.joints.items()}
    joints = tuple(known.get(bone) for bone in range(len(recording.rigged.names)))
    rigged = with_tips(with_plain_names(replace(recording.rigged, joints=joints)))
    return own_motion(adapted(rigged, replace(options, root="hips"))) if suffix == ".npz" else rigged


def _skeleton(value: Capture | SkeletonMotion) -> Skeleton:
    return (value.motion if isinstance(value, Capture) else value).skeleton


def with_plain_names(rigged: Rigged) -> Rigged:
    """Return the same bones with _ for blanks and braces, and a number behind every name that was there before."""
    taken: set[str] = set()
    names = []
    for name in rigged.names:
        plain, number = _MARKS.sub("_", name.strip()) or "bone", 1
        free = plain
        while free in taken:
            number += 1
            free = f"{plain}_{number}"
        taken.add(free)
        names.append(free)
    return replace(rigged, names=tuple(names))


def with_tips(rigged: Rigged) -> Rigged:
    """Return the same bones; those without children and without a tip go on straight, as BVH wants an end."""
    tips = dict(rigged.tips)
    for bone in set(range(len(rigged.names))) - set(rigged.parents) - set(tips):
        tips[bone] = rotate(conjugate(rigged.rest[bone]), continued(rigged.offsets[bone]))
    return replace(rigged, tips=tips)


def own_motion(rigged: Rigged) -> SkeletonMotion:
    """Return the motion as a value of ours, on a skeleton with the rig's own names and hierarchy.

    A root that only carries the path of the one bone below it goes into that bone.

    Raises:
        InvalidData: a bone changes its length.
    """
    rigged = without_rest_axes(_without_carrier(rigged) if is_carried(rigged) else rigged)
    offsets = rigged.offsets.copy()
    offsets[0] = 0.0
    for bone, place in rigged.places.items():
        if bone == 0:
            continue
        spread = np.abs(place - place[0]).max(axis=-1)
        if spread.max() > SAME_LENGTH:
            raise InvalidData(
                f"bone {rigged.names[bone]!r} moves away from its parent (frame {int(spread.argmax())}), which "
                "this format cannot say; write .bvh, .fbx or .glb, or bring the motion onto a rig with --template"
            )
        offsets[bone] = place[0]
    skeleton = Skeleton(Layout("foreign", rigged.names), rigged.parents, offsets)
    return SkeletonMotion(skeleton, make_continuous(rigged.rotations), rigged.places[0], float(rigged.fps))


def _without_carrier(rigged: Rigged) -> Rigged:
    """Return the rig without its root, whose only child moves away from it."""
    xyz, turned = rigged.world()
    rest, axes = rigged.rest_world()
    bones = range(1, len(rigged.names))
    return replace(
        rigged,
        names=rigged.names[1:],
        parents=tuple(rigged.parents[bone] - 1 for bone in bones),
        offsets=np.concatenate([rest[1:2], rigged.offsets[2:]]),
        rest=np.concatenate([axes[1:2], rigged.rest[2:]]),
        rotations=np.concatenate([turned[:, 1:2], rigged.rotations[:, 2:]], axis=1),
        places={0: xyz[:, 1]} | {bone - 1: place for bone, place in rigged.places.items() if bone > 1},
        joints=rigged.joints[1:],
        tips={bone - 1: tip for bone, tip in rigged.tips.items()},
    )
