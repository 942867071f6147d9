"""From one format of motion to another: foreign skeletons stay as they are, unless a rig of ours is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mocaplift.errors import InvalidData
from mocaplift.export import ExportOptions, Rigged
from mocaplift.export.rigged import Exportable, without_rest_axes
from mocaplift.reading.ours import on_our_skeleton
from mocaplift.reading.recording import Recording
from mocaplift.rotations import make_continuous
from mocaplift.values import Layout, Skeleton, SkeletonMotion

# Formats that need the joints of a person, whatever else is asked for.
NEED_OUR_JOINTS = (".smpl.npz", ".angles.csv")
BONES_OR_POINTS = (".bvh", ".fbx", ".glb", ".trc", ".c3d")
# A bone whose length changes by less than this (m) over time does not change: text files round.
SAME_LENGTH = 1e-4
# Options that need a motion and not bones as they are.
_CHANGES: Mapping[str, object] = {"fps": "source", "in_place": False, "root": "hips"}


def converted(
    recording: Recording, suffix: str, options: ExportOptions, *, keep: bool
) -> tuple[Exportable, ExportOptions]:
    """Return what is exported for a format, and with which options.

    With `keep` a foreign skeleton keeps its names, hierarchy and rest pose; without, it is brought onto the rig
    that the options name, by its joints. Motions of ours are on every rig already.

    Raises:
        InvalidData: the format or the rig needs joints that were not found by name, or bones change their length
            where the format cannot say so.
    """
    if recording.value is not None:
        return recording.value, options
    if suffix in NEED_OUR_JOINTS or not keep or options.proportions == "template" or options.mesh:
        return on_our_skeleton(recording.rigged, recording.joints), options
    rigged = with_distinct_names(recording.rigged)
    is_as_it_is = all(getattr(options, name) == usual for name, usual in _CHANGES.items())
    if suffix in BONES_OR_POINTS and is_as_it_is:
        return rigged, options
    return own_motion(rigged), replace(options, template="smpl")


def with_distinct_names(rigged: Rigged) -> Rigged:
    """Return the same bones with a number behind every name that was there before."""
    taken: set[str] = set()
    names = []
    for name in rigged.names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        names.append(free)
    return replace(rigged, names=tuple(names))


def own_motion(rigged: Rigged) -> SkeletonMotion:
    """Return the motion as a value of ours, on a skeleton with the rig's own names and hierarchy.

    A root that only carries the path of the one bone below it goes into that bone.

    Raises:
        InvalidData: a bone changes its length.
    """
    rigged = without_rest_axes(_without_carrier(rigged))
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
    """Return the rig without a root whose only child moves away from it."""
    if 1 not in rigged.places or rigged.parents.count(0) != 1:
        return rigged
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
