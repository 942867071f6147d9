"""From CMU's skeletons to ours: rotations of bones, not positions of joints.

All of them rest in a T-pose facing +Z, but not in the same one: an ASF thigh rests 20 degrees outward, a Daz elbow
is drawn bent. A bone of ours turns as theirs does, after a constant turn between the two rests. For ASF that turn
follows from the rest directions. For the BVH files it was measured: takes that exist in both forms differ by
constants (0 to 2 degrees of spread) that are not those of the drawn rest directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.kinematics import rest_positions
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.legs import usual_leg_length
from mocaplift.reading.bvh import Bvh
from mocaplift.rotations import (
    about_axis,
    conjugate,
    from_rotvec,
    from_two_vectors,
    make_continuous,
    multiply,
    rotate,
    slerp,
)
from mocaplift.train.data.asf import Amc, Asf
from mocaplift.values import Skeleton, SkeletonMotion

CM = 0.01
SIDES = (("left", 1.0), ("right", -1.0))
FORWARD, DOWN = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
# An ASF elbow bends about an axis that is rolled about the arm by this much from the vertical of the T-pose
# (degrees, from the `axis` of humerus and radius); ours bends about the vertical.
ELBOW_ROLL = -30.0
# Turns from the rest of our bone to that of the BVH skeleton (degrees about X and, for the left side, Z): medians
# over 02_01, 02_05, 01_08 and 03_02, which exist as BVH and as ASF. Where none is given it was under 2 degrees.
BVH_ARM_DROP, BVH_LEG_LEAN, BVH_HEAD_NOD = -8.0, 6.0, 16.0
# Where our spine joints are on the trunk's chain of turns (see `Source.spine`). ASF: so that the line from hips to
# collars leans as much as the source's when the trunk bends (regression slope 1.00 forward and sideways over
# seven takes; evenly spread bends would give 1.13). BVH: the same places on its shorter chain.
BVH_SPINE, ASF_SPINE = (0.33, 1.0, 2.0), (0.5, 1.5, 3.0)
# People who walk would lean 5 degrees forward without this turn of the trunk (degrees about X): CMU's rest pelvis
# and chest stand a little further forward over the hips than our body's.
TRUNK_LEAN = -3.0
TRUNK = ("pelvis", "spine1", "spine2", "spine3")
# The arm at the height of the A-pose in which the body was modelled needs no help of the collar bone; above, the
# collar takes a share of the arm's rise (V. Inman, J. Saunders, L. Abbott, "Observations on the function of the
# shoulder joint", 1944: about 4 degrees of 10 in the first half of the rise, 30 to 40 in all) and of its
# swing forward. CMU's solver keeps collars still.
COLLAR_REST_RISE = np.radians(-45.0)
COLLAR_RISE_SHARE, COLLAR_SWING_SHARE = 0.22, 0.10


@dataclass(frozen=True, eq=False)
class Source:
    """A recorded motion on any skeleton: joints in the world (m) and turns of bones relative to rest.

    `joints` names, for ours, the bone that moves it; `trunk` the bones from the pelvis to the chest.
    """

    names: tuple[str, ...]
    xyz: Float[np.ndarray, "T J 3"]
    turned: Float[np.ndarray, "T J 4"]
    joints: Mapping[str, str]
    trunk: tuple[str, ...]
    # How far along the trunk's chain of turns each of our spine joints is, as the number of bones passed.
    spine: tuple[float, float, float]
    # Turns from the rest of our bone to that of theirs; where none is given, the two agree.
    alignment: Mapping[str, Float[np.ndarray, "4"]]
    leg_length: float  # m, thigh and shin

    def at(self, name: str) -> int:
        """Return the position of a joint of the source."""
        return self.names.index(name)


def _both_sides(names: Mapping[str, str], template: Mapping[str, str]) -> dict[str, str]:
    sided = {
        f"{side}_{joint}": theirs.replace("*", side[0])
        for side, _ in SIDES
        for joint, theirs in template.items()
    }
    return {**names, **sided}


BVH_JOINTS = _both_sides(
    {"pelvis": "hip", "head": "head"},
    {"collar": "*Collar", "shoulder": "*Shldr", "elbow": "*ForeArm", "wrist": "*Hand", "hand": "*Hand",
     "hip": "*Thigh", "knee": "*Shin", "ankle": "*Foot", "foot": "*Foot"},
)  # fmt: skip
ASF_JOINTS = _both_sides(
    {"pelvis": "root", "head": "head"},
    {"collar": "*clavicle", "shoulder": "*humerus", "elbow": "*radius", "wrist": "*hand", "hand": "*hand",
     "hip": "*femur", "knee": "*tibia", "ankle": "*foot", "foot": "*toes"},
)  # fmt: skip


def source_of_bvh(bvh: Bvh) -> Source:
    """Return a motion on CMU's Daz-friendly BVH skeleton, as a source.

    Raises:
        InvalidData: the file has another skeleton.
    """
    for name in set(BVH_JOINTS.values()):
        bvh.index(name)
    turned = bvh.rotations.copy()
    xyz = np.zeros((*turned.shape[:2], 3))
    xyz[:, 0] = bvh.root * CM
    for child, parent in enumerate(bvh.parents):
        if parent >= 0:
            xyz[:, child] = xyz[:, parent] + rotate(turned[:, parent], bvh.offsets[child] * CM)
            turned[:, child] = multiply(turned[:, parent], turned[:, child])
    leg = bvh.offsets[[bvh.index("lShin"), bvh.index("lFoot")]] * CM
    return Source(
        names=bvh.names, xyz=xyz, turned=turned, joints=BVH_JOINTS,
        trunk=("hip", "abdomen", "chest"), spine=BVH_SPINE,
        alignment=_bvh_alignment(), leg_length=float(np.linalg.norm(leg, axis=1).sum()),
    )  # fmt: skip


def source_of_amc(skeleton: Asf, motion: Amc) -> Source:
    """Return a motion on a CMU subject's own ASF skeleton, as a source."""
    turned = motion.rotations.copy()
    begin, end = np.zeros((*turned.shape[:2], 3)), np.zeros((*turned.shape[:2], 3))
    begin[:, 0] = end[:, 0] = motion.root
    for bone, parent in enumerate(skeleton.parents):
        if parent >= 0:
            turned[:, bone] = multiply(turned[:, parent], turned[:, bone])
            begin[:, bone] = end[:, parent]
            end[:, bone] = begin[:, bone] + rotate(turned[:, bone], skeleton.vectors[bone])
    leg = skeleton.vectors[[skeleton.names.index("lfemur"), skeleton.names.index("ltibia")]]
    return Source(
        names=skeleton.names, xyz=begin, turned=turned, joints=ASF_JOINTS,
        trunk=("root", "lowerback", "upperback", "thorax"), spine=ASF_SPINE,
        alignment=_asf_alignment(skeleton), leg_length=float(np.linalg.norm(leg, axis=1).sum()),
    )  # fmt: skip


def _bvh_alignment() -> dict[str, np.ndarray]:
    found = {"head": about_axis("X", np.radians(BVH_HEAD_NOD))}
    for side, sign in SIDES:
        drop = about_axis("Z", np.radians(sign * BVH_ARM_DROP))
        lean = about_axis("X", np.radians(BVH_LEG_LEAN))
        arm = multiply(drop, about_axis("X", np.radians(ELBOW_ROLL)))
        turns = {"shoulder": arm, "elbow": arm, "wrist": drop, "hand": drop, "hip": lean, "knee": lean}
        found |= {f"{side}_{joint}": turn for joint, turn in turns.items()}
    return found


def _asf_alignment(skeleton: Asf) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for side, sign in SIDES:
        vector = {b: skeleton.vectors[skeleton.names.index(side[0] + b)] for b in ("humerus", "radius", "femur", "tibia", "foot")}  # fmt: skip  # noqa: E501
        outward, roll = np.array([sign, 0.0, 0.0]), about_axis("X", np.radians(ELBOW_ROLL))
        shin = from_two_vectors(DOWN, vector["tibia"])
        # The foot rests square to the shin, which leans outward: turn its toes ahead in the shin's axes.
        foot = multiply(shin, _toes_ahead(rotate(conjugate(shin), vector["foot"])))
        turns = {
            "shoulder": multiply(from_two_vectors(outward, vector["humerus"]), roll),
            "elbow": multiply(from_two_vectors(outward, vector["radius"]), roll),
            "hip": from_two_vectors(DOWN, vector["femur"]), "knee": shin, "ankle": foot, "foot": foot,
        }  # fmt: skip
        found |= {f"{side}_{joint}": turn for joint, turn in turns.items()}
    return found


def _toes_ahead(toes: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4"]:
    """Return the turn about the vertical from +Z to where the toes point: both soles are flat at rest."""
    return from_two_vectors(FORWARD, toes * np.array([1.0, 0.0, 1.0]))


def retarget(source: Source, skeleton: Skeleton, fps: float) -> SkeletonMotion:
    """Return a recorded motion on our skeleton, in metres; the path is scaled with the length of the legs."""
    ours = np.zeros((len(source.xyz), len(SMPL24), 4))
    for place, joint in enumerate(SMPL24.joints):
        if joint.startswith("spine"):
            ours[:, place] = _along_trunk(source, source.spine[int(joint[-1]) - 1])
        elif joint != "neck":
            ours[:, place] = source.turned[:, source.at(source.joints[joint])]
        if joint in TRUNK:
            ours[:, place] = multiply(ours[:, place], about_axis("X", np.radians(TRUNK_LEAN)))
        if joint in source.alignment:
            ours[:, place] = multiply(ours[:, place], source.alignment[joint])
    # The files share neck and head out differently; what they agree on is how the head is turned to the chest.
    chest, head = SMPL24.index("spine3", "head")
    ours[:, SMPL24.at("neck")] = slerp(ours[:, chest], ours[:, head], 0.5)
    for side, sign in SIDES:
        _help_with_collar(ours, side, sign)
    local = ours.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            local[:, child] = multiply(conjugate(ours[:, parent]), ours[:, child])

    middle = source.xyz[:, [source.at(source.joints[f"{side}_hip"]) for side, _ in SIDES]].mean(axis=1)
    hips = rest_positions(skeleton)[SMPL24.index("left_hip", "right_hip")].mean(axis=0)
    scale = usual_leg_length(skeleton) / source.leg_length
    root = middle * scale - rotate(ours[:, SMPL24.at("pelvis")], hips)
    return SkeletonMotion(skeleton=skeleton, rotations=make_continuous(local), root=root, fps=fps)


def _along_trunk(source: Source, passed: float) -> Float[np.ndarray, "T 4"]:
    """Return the turn of the trunk after so many of its bones."""
    below = min(int(passed), len(source.trunk) - 2)
    a, b = (source.turned[:, source.at(source.trunk[k])] for k in (below, below + 1))
    return slerp(a, b, passed - below)


def _help_with_collar(ours: Float[np.ndarray, "T 24 4"], side: str, sign: float) -> None:
    """Turn the collar bone, in place, with the rise and the forward swing of the arm it carries."""
    chest = ours[:, SMPL24.at("spine3")]
    arm = rotate(ours[:, SMPL24.at(f"{side}_shoulder")], np.array([sign, 0.0, 0.0]))
    x, y, z = rotate(conjugate(chest), arm).T
    rise = np.arcsin(np.clip(y, -1.0, 1.0)) - COLLAR_REST_RISE
    level = np.hypot(x, z)
    # The heading of a hanging or raised arm is undefined: its swing fades out with its level part.
    swing = np.arctan2(z, np.maximum(sign * x, 1e-6)) * level
    lift = np.maximum(rise, 0.0) * COLLAR_RISE_SHARE
    turn = np.stack([np.zeros_like(lift), -sign * swing * COLLAR_SWING_SHARE, sign * lift], axis=-1)
    ours[:, SMPL24.at(f"{side}_collar")] = multiply(chest, from_rotvec(turn))
