"""Names and rates of others: which bone is which joint, which rate a rounded number means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.export import TEMPLATES, ExportOptions, rig
from mocaplift.layouts import SMPL24
from mocaplift.reading.names import NEEDED, match_joints, missing_joints
from mocaplift.reading.rates import known_rate, rate_of_frame_time
from mocaplift.reading.text import read_text
from tests.train.recordings import DAZ
from tests.walker import walker

# The joints that every naming below has, in this order, and a parent for each by position.
PARTS = ("pelvis", "spine1", "spine3", "neck", "head", "left_collar", "left_shoulder", "left_elbow", "left_wrist",
         "right_collar", "right_shoulder", "right_elbow", "right_wrist", "left_hip", "left_knee", "left_ankle",
         "right_hip", "right_knee", "right_ankle")  # fmt: skip
PARENTS = (-1, 0, 1, 2, 3, 2, 5, 6, 7, 2, 9, 10, 11, 0, 13, 14, 0, 16, 17)
NAMINGS = {
    "Mixamo": (
        "mixamorig:Hips Spine Spine2 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder "
        "RightArm RightForeArm RightHand LeftUpLeg LeftLeg LeftFoot RightUpLeg RightLeg RightFoot"
    ),
    "3ds Max": (
        "Bip01_Pelvis Bip01_Spine Bip01_Spine1 Bip01_Neck Bip01_Head Bip01_L_Clavicle Bip01_L_UpperArm "
        "Bip01_L_Forearm Bip01_L_Hand Bip01_R_Clavicle Bip01_R_UpperArm Bip01_R_Forearm Bip01_R_Hand "
        "Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_R_Thigh Bip01_R_Calf Bip01_R_Foot"
    ),
    "Unreal": (
        "pelvis spine_01 spine_03 neck_01 head clavicle_l upperarm_l lowerarm_l hand_l clavicle_r "
        "upperarm_r lowerarm_r hand_r thigh_l calf_l foot_l thigh_r calf_r foot_r"
    ),
    "Blender": (
        "hips spine chest neck head shoulder.L upper_arm.L forearm.L hand.L shoulder.R upper_arm.R "
        "forearm.R hand.R thigh.L shin.L foot.L thigh.R shin.R foot.R"
    ),
    "old BVH": (
        "Hips Chest Chest2 Neck Head LeftCollar LeftShoulder LeftElbow LeftWrist RightCollar "
        "RightShoulder RightElbow RightWrist LeftHip LeftKnee LeftAnkle RightHip RightKnee RightAnkle"
    ),
    "CMU": (
        "hip abdomen chest neck head lCollar lShldr lForeArm lHand rCollar rShldr rForeArm rHand lThigh "
        "lShin lFoot rThigh rShin rFoot"
    ),
}


@pytest.mark.parametrize("naming", sorted(NAMINGS))
def test_common_namings_are_known(naming):
    names = NAMINGS[naming].split()
    found = match_joints(names, PARENTS)
    assert missing_joints(found) == []
    assert {joint: names[found[joint]] for joint in PARTS} == dict(zip(PARTS, names, strict=True))
    if naming != "Mixamo":
        assert match_joints([f"Neo_{name}" for name in names], PARENTS) == found


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_template_of_ours_is_known_exactly(template):
    rigged = rig(walker(2).motion, ExportOptions(template=template))
    found = match_joints(rigged.names, rigged.parents)
    own = {joint: bone for bone, joint in enumerate(rigged.joints) if joint is not None}
    assert found == {joint: own[joint] for joint in SMPL24.joints if joint in own}


def test_what_is_no_body_is_not_matched():
    found = match_joints(["a", "b", "c"], (-1, 0, 1))
    assert found == {} and set(missing_joints(found)) == set(NEEDED)


def test_the_feet_of_a_skeleton_without_toes_are_its_ankles():
    names = list(DAZ)
    parents = [-1 if parent is None else names.index(parent) for parent, _ in DAZ.values()]
    found = match_joints(names, parents)
    assert names[found["left_ankle"]] == "lFoot" and "left_foot" not in found


@pytest.mark.parametrize(
    ("stated", "fps"),
    [
        ("0.0333333", Fraction(30)),
        ("0.033333", Fraction(30)),
        (".0333", Fraction(30)),
        ("0.033366667", Fraction(30000, 1001)),
        ("0.0333667", Fraction(30000, 1001)),
        ("0.041708", Fraction(24000, 1001)),
        ("0.0416667", Fraction(24)),
        ("0.04", Fraction(25)),
        ("8.3333e-3", Fraction(120)),
        ("0.008333", Fraction(120)),
        ("0.0083333333", Fraction(120)),
        ("0.0166833", Fraction(60000, 1001)),
        ("0.01", Fraction(100)),
        ("0.03", 1 / 0.03),
        ("0.0345", 1 / 0.0345),
    ],
)
def test_a_rounded_frame_time_is_the_rate_that_was_meant(stated, fps):
    assert rate_of_frame_time(stated) == fps


def test_a_float_that_came_from_a_known_rate():
    assert known_rate(29.97003) == Fraction(30000, 1001)
    assert known_rate(29.5) is None


def test_texts_in_every_usual_encoding(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"):
        (tmp_path / "a").write_bytes("Knochen für Fuß".encode(encoding))
        assert read_text(tmp_path / "a", 999) == "Knochen für Fuß"
    with pytest.raises(InvalidData, match="larger than"):
        read_text(tmp_path / "a", 3)
    with pytest.raises(InvalidData, match="is a folder"):
        read_text(tmp_path, 3)


def test_parents_of_the_table_are_a_tree():
    assert all(parent < child for child, parent in enumerate(PARENTS)) and len(PARENTS) == len(PARTS)
    assert np.isin(PARTS, SMPL24.joints).all()
