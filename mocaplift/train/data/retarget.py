"""From CMU's "Daz-friendly" BVH skeleton to ours: rotations of bones, not positions of joints.

Both skeletons rest in a T-pose facing +Z, but their bones do not rest in exactly the same directions (a Daz
forearm points 17 degrees forward, its shin 6 degrees back). A bone of ours turns as its Daz bone does, after the
smallest turn that lays one rest direction onto the other; so limbs point the same way in every pose, while
bone lengths are ours (the Daz shin is 8 cm too long).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.kinematics import rest_positions
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.rotations import conjugate, from_two_vectors, make_continuous, multiply, rotate, slerp
from mocaplift.train.data.bvh import Bvh
from mocaplift.values import Skeleton, SkeletonMotion

# The Daz trunk bends at two joints, ours at three lower ones. Share of the way from the joint below to the
# joint above at which each of our spine joints turns: (lower Daz joint, upper Daz joint, share).
SPINE = {
    "spine1": ("hip", "abdomen", 0.5),
    "spine2": ("abdomen", "chest", 0.25),
    "spine3": ("chest", "chest", 0.0),
}
DAZ_JOINT = {
    "pelvis": "hip",
    "neck": "neck",
    "head": "head",
    **{
        f"{side}_{joint}": side[0] + daz
        for side in ("left", "right")
        for joint, daz in {
            "collar": "Collar", "shoulder": "Shldr", "elbow": "ForeArm", "wrist": "Hand", "hand": "Hand",
            "hip": "Thigh", "knee": "Shin", "ankle": "Foot", "foot": "Foot",
        }.items()
    },
}  # fmt: skip
# The Daz joint at the far end of a bone, where the bone's direction matters.
FAR_END = {"shoulder": "ForeArm", "elbow": "Hand", "wrist": "Mid1", "hand": "Mid1", "hip": "Shin", "knee": "Foot"}


def retarget(source: Bvh, skeleton: Skeleton, fps: float) -> SkeletonMotion:
    """Return a CMU BVH's motion on our skeleton, in metres; the path is scaled with the length of the legs.

    Raises:
        InvalidData: the file is not on CMU's Daz-friendly skeleton.
    """
    xyz, turned = world_pose(source)
    ours = np.zeros((len(xyz), len(SMPL24), 4))
    for place, joint in enumerate(SMPL24.joints):
        if joint in SPINE:
            below, above, share = SPINE[joint]
            a, b = (turned[:, source.index(name)] for name in (below, above))
            ours[:, place] = slerp(a, b, share)
        else:
            ours[:, place] = multiply(turned[:, source.index(DAZ_JOINT[joint])], _alignment(source, joint))
    local = ours.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            local[:, child] = multiply(conjugate(ours[:, parent]), ours[:, child])

    scale = _leg_length(skeleton) / _daz_leg_length(source)
    middle = 0.5 * (xyz[:, source.index("lThigh")] + xyz[:, source.index("rThigh")])
    hips = rest_positions(skeleton)[SMPL24.index("left_hip", "right_hip")].mean(axis=0)
    root = middle * scale - rotate(ours[:, SMPL24.at("pelvis")], hips)
    return SkeletonMotion(skeleton=skeleton, rotations=make_continuous(local), root=root, fps=fps)


def world_pose(source: Bvh) -> tuple[Float[np.ndarray, "T J 3"], Float[np.ndarray, "T J 4"]]:
    """Return a BVH's joints (in its own unit) and world rotations."""
    xyz = np.zeros((*source.rotations.shape[:2], 3))
    turned = source.rotations.copy()
    xyz[:, 0] = source.root
    for child, parent in enumerate(source.parents):
        if parent >= 0:
            xyz[:, child] = xyz[:, parent] + rotate(turned[:, parent], source.offsets[child])
            turned[:, child] = multiply(turned[:, parent], source.rotations[:, child])
    return xyz, turned


def _alignment(source: Bvh, joint: str) -> Float[np.ndarray, "4"]:
    """Return the smallest turn from the rest direction of our bone to that of the Daz bone."""
    side, _, kind = joint.partition("_")
    if kind in ("ankle", "foot"):
        # Both soles are flat at rest: only the toes may point elsewhere.
        toe = np.array(source.end_sites.get(side[0] + "Foot", (0.0, 0.0, 1.0)))
        return from_two_vectors(np.array([0.0, 0.0, 1.0]), toe * np.array([1.0, 0.0, 1.0]))
    if kind not in FAR_END:
        return np.array([1.0, 0.0, 0.0, 0.0])
    outward = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
    ours = np.array([0.0, -1.0, 0.0]) if kind in ("hip", "knee") else outward
    return from_two_vectors(ours, source.offsets[source.index(side[0] + FAR_END[kind])])


def _leg_length(skeleton: Skeleton) -> float:
    return float(np.linalg.norm(skeleton.offsets[SMPL24.index("left_knee", "left_ankle")], axis=1).sum())


def _daz_leg_length(source: Bvh) -> float:
    bones = [source.index("lShin"), source.index("lFoot")]
    return float(np.linalg.norm(source.offsets[bones], axis=1).sum())
