"""A motion on a foreign skeleton, as a motion of ours: every joint that was found is where it was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.export.rigged import Rigged
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.reading.names import NEEDED, SIDES
from mocaplift.rotations import (
    conjugate,
    from_matrix,
    from_two_vectors,
    make_continuous,
    multiply,
    normalize,
    rotate,
)
from mocaplift.values import Skeleton, SkeletonMotion

# Which way limbs point in a T-pose (left side), by the joint that turns the limb and the one it ends in.
_LIMBS = {
    ("hip", "knee"): (0.0, -1.0, 0.0),
    ("knee", "ankle"): (0.0, -1.0, 0.0),
    ("shoulder", "elbow"): (1.0, 0.0, 0.0),
    ("elbow", "wrist"): (1.0, 0.0, 0.0),
}
# Joints that a skeleton may lack: which joint's turn they share, which joint lies beyond, and how far on the way
# to it they are (shares of an adult's trunk and shoulder girdle).
_BETWEEN = {
    "spine3": ("pelvis", "neck", 0.6),
    "spine1": ("pelvis", "spine3", 0.35),
    "spine2": ("spine1", "spine3", 0.6),
    "left_collar": ("spine3", "left_shoulder", 0.5),
    "right_collar": ("spine3", "right_shoulder", 0.5),
}
# Joints beyond the last that a skeleton may lack: metres from the joint before, in a T-pose of an adult.
_BEYOND = {
    "head": ("neck", (0.0, 0.10, 0.02)),
    "left_foot": ("left_ankle", (0.01, -0.06, 0.13)),
    "right_foot": ("right_ankle", (-0.01, -0.06, 0.13)),
    "left_hand": ("left_wrist", (0.08, 0.0, 0.0)),
    "right_hand": ("right_wrist", (-0.08, 0.0, 0.0)),
}


def on_our_skeleton(rigged: Rigged, joints: Mapping[str, int]) -> SkeletonMotion:
    """Return the motion on a skeleton of ours with the bone lengths of the source.

    `joints` are the bones of our joints. Bones between them that we have no joint for are left out; where such
    bones bend, the lengths are the mean over time.

    Raises:
        InvalidData: a joint is missing that every body has.
    """
    missing = [joint for joint in (*NEEDED, "pelvis") if joint not in joints]
    if missing:
        raise InvalidData(
            f"this skeleton cannot be matched with ours: no bone is known by its name as {', '.join(missing)}; "
            "write a format of bones (.bvh, .fbx, .glb) without --template and --preset, which keeps the skeleton"
        )
    xyz, world = _found(rigged, joints)
    _fill(xyz, world, rigged, joints)
    offsets, local = np.zeros((len(SMPL24), 3)), world.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            back = conjugate(world[:, parent])
            offsets[child] = rotate(back, xyz[:, child] - xyz[:, parent]).mean(axis=0)
            local[:, child] = multiply(back, world[:, child])
    return SkeletonMotion(
        skeleton=Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=offsets),
        rotations=make_continuous(normalize(local)),
        root=xyz[:, 0],
        fps=float(rigged.fps),
    )


def _found(
    rigged: Rigged, joints: Mapping[str, int]
) -> tuple[Float[np.ndarray, "T 24 3"], Float[np.ndarray, "T 24 4"]]:
    """Return where our joints are and how they are turned from our T-pose; zero for those that are missing."""
    places, turned = rigged.world()
    rest, axes = rigged.rest_world()
    free = multiply(turned, conjugate(axes))
    if not _stands(rest, joints):
        # A rest pose that is no pose of a body (all bones along one axis): the first frame serves instead.
        rest, free = places[0], multiply(free, conjugate(free[:1]))
    body = body_axes(rest, joints)
    aims = dict.fromkeys(joints, body)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for (joint, end), along in _LIMBS.items():
            direction = rest[joints[f"{side}_{end}"]] - rest[joints[f"{side}_{joint}"]]
            if np.linalg.norm(direction) > 0:
                straight = rotate(body, np.array(along) * (sign, 1.0, 1.0))
                aims[f"{side}_{joint}"] = multiply(from_two_vectors(straight, direction), body)
        for joint in ("wrist", "hand"):
            aims[f"{side}_{joint}"] = aims[f"{side}_elbow"]
    xyz, world = np.zeros((len(rigged), len(SMPL24), 3)), np.zeros((len(rigged), len(SMPL24), 4))
    for joint, bone in joints.items():
        xyz[:, SMPL24.at(joint)] = places[:, bone]
        world[:, SMPL24.at(joint)] = multiply(free[:, bone], aims[joint])
    return xyz, world


def body_axes(xyz: Float[np.ndarray, "*lead J 3"], joints: Mapping[str, int]) -> Float[np.ndarray, "*lead 4"]:
    """Return how a body is turned (wxyz): the axes left, up and forward of its trunk."""
    left_hip, right_hip, left_shoulder, right_shoulder = (
        xyz[..., joints[f"{side}_{joint}"], :] for joint in ("hip", "shoulder") for side in SIDES
    )
    up = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    left = left_hip - right_hip + left_shoulder - right_shoulder
    forward = np.cross(left, up)
    left = np.cross(up, forward)
    columns = [
        each / np.maximum(np.linalg.norm(each, axis=-1, keepdims=True), 1e-12) for each in (left, up, forward)
    ]
    return from_matrix(np.stack(columns, axis=-1))


def _stands(rest: Float[np.ndarray, "J 3"], joints: Mapping[str, int]) -> bool:
    """Tell whether a rest pose is a body's: legs below the trunk, arms apart."""
    up = rotate(body_axes(rest, joints), np.array([0.0, 1.0, 0.0]))
    left = rotate(body_axes(rest, joints), np.array([1.0, 0.0, 0.0]))
    height = {joint: float(rest[bone] @ up) for joint, bone in joints.items()}
    across = {joint: float(rest[bone] @ left) for joint, bone in joints.items()}
    legs = all(height[f"{side}_ankle"] < height[f"{side}_knee"] < height[f"{side}_hip"] for side in SIDES)
    arms = across["left_wrist"] > across["left_shoulder"] and across["right_wrist"] < across["right_shoulder"]
    return legs and arms


def _fill(
    xyz: Float[np.ndarray, "T 24 3"],
    world: Float[np.ndarray, "T 24 4"],
    rigged: Rigged,
    joints: Mapping[str, int],
) -> None:
    """Write, in place, the joints that the skeleton lacks: fixed to a neighbour, on the way to the next."""
    have = set(joints)
    if "neck" not in have:
        shoulders = SMPL24.index("left_shoulder", "right_shoulder")
        at, chest = SMPL24.at("neck"), SMPL24.at("spine3" if "spine3" in have else "pelvis")
        world[:, at] = world[:, chest]
        xyz[:, at] = xyz[:, shoulders].mean(axis=1)
        have.add("neck")
    for joint, (before, beyond, share) in _BETWEEN.items():
        if joint not in have:
            at, start, end = SMPL24.index(joint, before, beyond)
            world[:, at] = world[:, start]
            xyz[:, at] = xyz[:, start] + share * (xyz[:, end] - xyz[:, start])
    for joint, (before, offset) in _BEYOND.items():
        if joint not in have:
            at, start = SMPL24.index(joint, before)
            world[:, at] = world[:, start]
            step = rotate(world[:, start], np.array(offset))
            bone = joints.get(before)
            if bone is not None and bone in rigged.tips:
                step = rotate(rigged.world()[1][:, bone], rigged.tips[bone])
            xyz[:, at] = xyz[:, start] + step
