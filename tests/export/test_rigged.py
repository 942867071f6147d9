"""Motions on target rigs: bones where our joints are, names and rest poses as the targets have them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import kinematics, rotations
from mocaplift.body import load_body
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.export import PRESETS, TEMPLATES, ExportOptions, rig
from mocaplift.export.guides import GUIDES, guide_to
from mocaplift.export.rigged import without_rest_axes, z_up
from mocaplift.layouts import SMPL24
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import skeleton, walker

# Names and parents as each target's own files have them.
TREES = {
    "mixamo": """Hips<- Spine<Hips Spine1<Spine Spine2<Spine1 Neck<Spine2 Head<Neck HeadTop_End<Head
        LeftShoulder<Spine2 LeftArm<LeftShoulder LeftForeArm<LeftArm LeftHand<LeftForeArm
        RightShoulder<Spine2 RightArm<RightShoulder RightForeArm<RightArm RightHand<RightForeArm
        LeftUpLeg<Hips LeftLeg<LeftUpLeg LeftFoot<LeftLeg LeftToeBase<LeftFoot LeftToe_End<LeftToeBase
        RightUpLeg<Hips RightLeg<RightUpLeg RightFoot<RightLeg RightToeBase<RightFoot RightToe_End<RightToeBase""",
    "ue5": """root<- pelvis<root spine_01<pelvis spine_02<spine_01 spine_03<spine_02 spine_04<spine_03
        spine_05<spine_04 neck_01<spine_05 neck_02<neck_01 head<neck_02
        clavicle_l<spine_05 upperarm_l<clavicle_l lowerarm_l<upperarm_l hand_l<lowerarm_l
        clavicle_r<spine_05 upperarm_r<clavicle_r lowerarm_r<upperarm_r hand_r<lowerarm_r
        thigh_l<pelvis calf_l<thigh_l foot_l<calf_l ball_l<foot_l
        thigh_r<pelvis calf_r<thigh_r foot_r<calf_r ball_r<foot_r""",
    "unity": """Hips<- Spine<Hips Chest<Spine UpperChest<Chest Neck<UpperChest Head<Neck
        LeftShoulder<UpperChest LeftUpperArm<LeftShoulder LeftLowerArm<LeftUpperArm LeftHand<LeftLowerArm
        RightShoulder<UpperChest RightUpperArm<RightShoulder RightLowerArm<RightUpperArm RightHand<RightLowerArm
        LeftUpperLeg<Hips LeftLowerLeg<LeftUpperLeg LeftFoot<LeftLowerLeg LeftToes<LeftFoot
        RightUpperLeg<Hips RightLowerLeg<RightUpperLeg RightFoot<RightLowerLeg RightToes<RightFoot""",
    "rigify": """spine<- spine.001<spine spine.002<spine.001 spine.003<spine.002 spine.004<spine.003
        spine.005<spine.004 spine.006<spine.005
        shoulder.L<spine.003 upper_arm.L<shoulder.L forearm.L<upper_arm.L hand.L<forearm.L
        shoulder.R<spine.003 upper_arm.R<shoulder.R forearm.R<upper_arm.R hand.R<forearm.R
        thigh.L<spine shin.L<thigh.L foot.L<shin.L toe.L<foot.L
        thigh.R<spine shin.R<thigh.R foot.R<shin.R toe.R<foot.R""",
    "cmu": """Hips<- LHipJoint<Hips LeftUpLeg<LHipJoint LeftLeg<LeftUpLeg LeftFoot<LeftLeg LeftToeBase<LeftFoot
        RHipJoint<Hips RightUpLeg<RHipJoint RightLeg<RightUpLeg RightFoot<RightLeg RightToeBase<RightFoot
        LowerBack<Hips Spine<LowerBack Spine1<Spine Neck<Spine1 Neck1<Neck Head<Neck1
        LeftShoulder<Spine1 LeftArm<LeftShoulder LeftForeArm<LeftArm LeftHand<LeftForeArm LeftFingerBase<LeftHand
        RightShoulder<Spine1 RightArm<RightShoulder RightForeArm<RightArm RightHand<RightForeArm
        RightFingerBase<RightHand""",
    "opensim": """pelvis<- lumbar5<pelvis lumbar1<lumbar5 torso<lumbar1 neck<torso head<neck
        femur_l<pelvis tibia_l<femur_l talus_l<tibia_l calcn_l<talus_l toes_l<calcn_l
        femur_r<pelvis tibia_r<femur_r talus_r<tibia_r calcn_r<talus_r toes_r<calcn_r
        clavicle_l<torso humerus_l<clavicle_l ulna_l<humerus_l radius_l<ulna_l hand_l<radius_l
        clavicle_r<torso humerus_r<clavicle_r ulna_r<humerus_r radius_r<ulna_r hand_r<radius_r""",
}  # fmt: skip
# Bones whose own axis points along them, and which way: (bone, child, axis, sign left, sign right).
ALONG = {
    "ue5": [("upperarm_{}", "lowerarm_{}", 0, 1, -1), ("lowerarm_{}", "hand_{}", 0, 1, -1),
            ("thigh_{}", "calf_{}", 0, -1, 1)],
    "rigify": [("upper_arm.{}", "forearm.{}", 1, 1, 1), ("shin.{}", "foot.{}", 1, 1, 1),
               ("foot.{}", "toe.{}", 1, 1, 1)],
    "mixamo": [("mixamorig:{}Arm", "mixamorig:{}ForeArm", 1, 1, 1),
               ("mixamorig:{}UpLeg", "mixamorig:{}Leg", 1, 1, 1)],
    "opensim": [("humerus_{}", "ulna_{}", 1, -1, -1), ("femur_{}", "tibia_{}", 1, -1, -1)],
}  # fmt: skip
SIDES = {"ue5": "lr", "rigify": "LR", "mixamo": ("Left", "Right"), "opensim": "lr"}


def _person(seed: int, frames: int = 4, scale: float = 1.0) -> SkeletonMotion:
    """Return a body model's person in random poses."""
    rng = np.random.default_rng(seed)
    body = load_body().skeleton(rng.normal(size=load_body().num_shape) * scale)
    turns = rotations.from_rotvec(rng.normal(size=(frames, len(SMPL24), 3)) * 0.6)
    return SkeletonMotion(body, rotations.make_continuous(turns), rng.normal(size=(frames, 3)), 30.0)


def _worst(motion: SkeletonMotion, rigged, skip: int = 0) -> float:
    """Return the largest distance (m) of a bone from the joint that it is."""
    xyz, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    found, _ = rigged.world()
    pairs = [(bone, motion.skeleton.layout.at(joint)) for bone, joint in enumerate(rigged.joints) if joint]
    assert len(pairs) >= 22
    return max(np.abs(found[skip:, bone] - xyz[:, joint]).max() for bone, joint in pairs)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    template=st.sampled_from(sorted(TEMPLATES)),
    root=st.sampled_from(["hips", "floor"]),
)
def test_every_joint_is_where_it_was_in_any_pose_of_anyone(seed, template, root):
    motion = _person(seed)
    rigged = rig(motion, ExportOptions(template=template, root=root))
    assert _worst(motion, rigged) < 1e-9
    plain = without_rest_axes(rigged)
    np.testing.assert_allclose(plain.world()[0], rigged.world()[0], atol=1e-9)
    np.testing.assert_allclose(plain.rest_world()[0], rigged.rest_world()[0], atol=1e-9)
    assert np.all(plain.rest == rotations.IDENTITY)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_rest_pose_stands_on_the_floor_and_is_the_first_frame_if_asked(name):
    walk = walker(5).motion
    rigged = rig(walk, ExportOptions(template=name, rest_frame=True))
    rest, turned = rigged.rest_world()
    joints = [bone for bone, joint in enumerate(rigged.joints) if joint]
    assert rest[joints, 1].min() == pytest.approx(0.009, abs=1e-12)
    assert rest[[0]][:, [0, 2]] == pytest.approx(0)
    xyz, turns = rigged.world()
    np.testing.assert_allclose(xyz[0], rest, atol=1e-12)
    assert np.degrees(rotations.angle_between(turns[0], turned)).max() < 1e-5
    assert len(rigged) == 6 and _worst(walk, rigged, skip=1) < 1e-9


@pytest.mark.parametrize("name", sorted(TREES))
def test_names_and_hierarchy_are_the_targets(name):
    rigged = rig(walker(2).motion, ExportOptions(template=name))
    prefix = "mixamorig:" if name == "mixamo" else ""
    expected = dict(pair.split("<") for pair in TREES[name].split())
    assert set(rigged.names) == {prefix + bone for bone in expected} and len(set(rigged.names)) == len(
        rigged.names
    )
    for bone, parent in zip(rigged.names, rigged.parents, strict=True):
        above = expected[bone.removeprefix(prefix)]
        assert (parent == -1 and above == "-") or rigged.names[parent] == prefix + above


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_left_is_left_and_the_person_faces_forward(name):
    rigged = rig(walker(2).motion, ExportOptions(template=name))
    rest, _ = rigged.rest_world()
    at = {joint: rest[bone] for bone, joint in enumerate(rigged.joints) if joint}
    lefts = [joint for joint in at if joint.startswith("left_")]
    assert len(lefts) >= 8
    for joint in lefts:
        assert at[joint][0] > 0 > at["right" + joint[4:]][0]
        bone = rigged.names[rigged.joints.index(joint)]
        assert bone.endswith(("_l", ".L")) or "eft" in bone or bone == joint
    assert at["left_foot"][2] > at["left_ankle"][2] and at["head"][1] > at["pelvis"][1]


@pytest.mark.parametrize("name", ["humanik", "mixamo", "unity", "cmu"])
def test_a_t_pose_is_exactly_a_t(name):
    """Of anyone: arms level along X, legs upright, in the T-pose that characterisers demand."""
    rigged = rig(_person(3), ExportOptions(template=name))
    rest, _ = rigged.rest_world()
    at = {joint: rest[bone] for bone, joint in enumerate(rigged.joints) if joint}
    for side, sign in (("left", 1), ("right", -1)):
        for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist")):
            line = at[f"{side}_{lower}"] - at[f"{side}_{upper}"]
            np.testing.assert_allclose(line / np.linalg.norm(line), [sign, 0, 0], atol=1e-12)
        for upper, lower in (("hip", "knee"), ("knee", "ankle")):
            line = at[f"{side}_{lower}"] - at[f"{side}_{upper}"]
            np.testing.assert_allclose(line / np.linalg.norm(line), [0, -1, 0], atol=1e-12)


@pytest.mark.parametrize(("name", "degrees"), [("ue5", 40.0), ("rigify", 28.0), ("opensim", 90.0)])
def test_arms_hang_at_rest_where_the_target_has_them_so(name, degrees):
    rigged = rig(_person(4), ExportOptions(template=name))
    rest, _ = rigged.rest_world()
    at = {joint: rest[bone] for bone, joint in enumerate(rigged.joints) if joint}
    for side, sign in (("left", 1), ("right", -1)):
        arm = at[f"{side}_wrist"] - at[f"{side}_shoulder"]
        below = np.degrees(np.arctan2(-arm[1], sign * arm[0]))
        assert below == pytest.approx(degrees, abs=1e-9) and arm[2] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", sorted(ALONG))
def test_bones_lie_along_the_axis_that_the_target_has(name):
    rigged = rig(_person(5), ExportOptions(template=name))
    for upper, lower, axis, *signs in ALONG[name]:
        for side, sign in zip(SIDES[name], signs, strict=True):
            offset = rigged.offsets[rigged.names.index(lower.format(side))]
            assert rigged.parents[rigged.names.index(lower.format(side))] == rigged.names.index(
                upper.format(side)
            )
            np.testing.assert_allclose(offset / np.linalg.norm(offset), sign * np.eye(3)[axis], atol=1e-9)


def test_unreals_root_has_no_rotation_in_its_own_world():
    """In a file with Z up that is how it is stored; the person then faces -Y, and left is at +X."""
    turned = z_up(rig(walker(2).motion, ExportOptions(template="ue5", root="floor")))
    np.testing.assert_allclose(turned.rest[0], rotations.IDENTITY, atol=1e-12)
    rest, axes = turned.rest_world()
    assert rest[turned.names.index("head")][2] > 1.3
    assert rest[turned.names.index("ball_l")][1] < rest[turned.names.index("foot_l")][1]
    assert rest[turned.names.index("hand_l")][0] > 0
    pelvis = rotations.to_matrix(axes[turned.names.index("pelvis")])
    # Its pelvis: x up, y to the back (Unreal mirrors it to the front), z to the right.
    np.testing.assert_allclose(pelvis, [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-12)


def test_a_neck_of_two_bones_shares_the_turn_of_the_head():
    turns = np.tile(rotations.IDENTITY, (1, len(SMPL24), 1))
    line = skeleton().offsets[SMPL24.at("head")]
    turns[0, SMPL24.at("head")] = rotations.from_rotvec(np.radians(60.0) * line / np.linalg.norm(line))
    rigged = rig(SkeletonMotion(skeleton(), turns, np.zeros((1, 3)), 30.0), ExportOptions(template="cmu"))
    for bone in ("Neck1", "Head"):
        turn = rigged.rotations[0, rigged.names.index(bone)]
        assert np.degrees(rotations.angle_between(turn, rotations.IDENTITY)) == pytest.approx(30.0)


def test_a_shared_turn_does_not_jump_when_the_head_goes_past_half_a_turn():
    frames = 120
    turns = np.tile(rotations.IDENTITY, (frames, len(SMPL24), 1))
    line = skeleton().offsets[SMPL24.at("head")]
    angle = np.linspace(0, 3 * np.pi, frames)[:, None]
    turns[:, SMPL24.at("head")] = rotations.from_rotvec(angle * line / np.linalg.norm(line))
    motion = SkeletonMotion(skeleton(), turns, np.zeros((frames, 3)), 30.0)
    rigged = rig(motion, ExportOptions(template="rigify"))
    steps = rotations.angle_between(rigged.rotations[1:], rigged.rotations[:-1])
    assert np.degrees(steps).max() < 5


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_root_on_the_floor_carries_the_path(name):
    walk = walker(30, heading=0.5).motion
    rigged = rig(walk, ExportOptions(template=name, root="floor"))
    assert rigged.parents[:2] == (-1, 0) and set(rigged.places) == {0, 1} and rigged.joints[0] is None
    np.testing.assert_allclose(rigged.places[0], walk.root * [1, 0, 1], atol=1e-12)
    assert _worst(walk, rigged) < 1e-9
    assert np.degrees(rotations.angle_between(rigged.rotations[:, 0], rigged.rest[0])).max() < 1e-6
    # Blender glues a bone to the end of the one above it, along whose +Y it begins.
    along = rigged.offsets[1] / np.linalg.norm(rigged.offsets[1])
    assert np.abs(along - [0, 1, 0]).max() > 5e-5


@pytest.mark.parametrize("root", ["hips", "floor"])
def test_in_place_keeps_the_height_only(root):
    walk = walker(30, heading=0.5).motion
    rigged = rig(walk, ExportOptions(root=root, in_place=True))
    hips = rigged.world()[0][:, rigged.names.index("Hips")]
    np.testing.assert_allclose(hips, walk.root * [0, 1, 0], atol=1e-12)


def test_rotations_stay_in_one_hemisphere_and_are_unit():
    rigged = rig(walker(60).motion, ExportOptions(template="ue5"))
    assert np.sum(rigged.rotations[1:] * rigged.rotations[:-1], axis=-1).min() > 0
    np.testing.assert_allclose(np.linalg.norm(rigged.rotations, axis=-1), 1.0, atol=1e-12)


def test_z_up_turns_the_whole_world():
    rigged = rig(walker(6).motion, ExportOptions(template="mixamo", root="floor"))
    before, after = rigged.world()[0], z_up(rigged).world()[0]
    np.testing.assert_allclose(
        after, np.stack([before[..., 0], -before[..., 2], before[..., 1]], -1), atol=1e-12
    )


def test_a_template_needs_its_joints_and_options_must_be_known():
    layout = Layout("stick", ("base", "tip"))
    stick = Skeleton(layout, (-1, 0), np.array([[0, 0, 0], [0, 1.0, 0]]))
    motion = SkeletonMotion(stick, np.tile(rotations.IDENTITY, (2, 2, 1)), np.zeros((2, 3)), 30.0)
    with pytest.raises(InvalidData, match="'ue5' needs the joint pelvis, but the skeleton stick has none"):
        rig(motion, ExportOptions(template="ue5"))
    for field, value in (
        ("template", "ue9"),
        ("root", "head"),
        ("fps", "31"),
        ("up", "x"),
        ("proportions", "me"),
    ):
        with pytest.raises(ConfigError, match=f"unknown .*'{value}'; known: "):
            ExportOptions(**{field: value})
    with pytest.raises(InvalidData, match="at least one frame"):
        rig(replace(motion, rotations=motion.rotations[:0], root=motion.root[:0]), ExportOptions())


@settings(max_examples=30, deadline=None)
@given(
    template=st.sampled_from(sorted(TEMPLATES)),
    root=st.sampled_from(["hips", "floor"]),
    proportions=st.sampled_from(["actor", "template"]),
    fps=st.sampled_from(["source", "24", "29.97", "120"]),
    in_place=st.booleans(),
    rest_frame=st.booleans(),
    frames=st.integers(1, 5),
)
def test_any_choice_makes_whole_bones(frames, **said):
    rigged = rig(walker(frames).motion, ExportOptions(**said))
    count = len(rigged.names)
    assert all(parent < bone for bone, parent in enumerate(rigged.parents)) and rigged.parents.count(-1) == 1
    assert (
        rigged.offsets.shape == (count, 3) and rigged.rest.shape == (count, 4) and len(rigged.joints) == count
    )
    assert rigged.rotations.shape == (len(rigged), count, 4)
    assert {place.shape for place in rigged.places.values()} == {(len(rigged), 3)}
    assert set(rigged.tips) <= set(range(count)) - set(rigged.parents)
    np.testing.assert_allclose(np.linalg.norm(rigged.rotations, axis=-1), 1.0, atol=1e-9)
    assert np.isfinite(rigged.world()[0]).all()


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_bones_without_length_are_no_trouble(name):
    walk = walker(3).motion
    offsets = walk.skeleton.offsets.copy()
    offsets[SMPL24.index("head", "left_hand", "right_hand", "left_wrist", "spine2")] = 0.0
    motion = replace(walk, skeleton=replace(walk.skeleton, offsets=offsets))
    assert _worst(motion, rig(motion, ExportOptions(template=name))) < 1e-9


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_has_its_steps_and_writes(name):
    assert set(GUIDES) == set(PRESETS)
    text = guide_to(name)
    assert PRESETS[name].template in text and "  1. " in text and "  2. " in text
    walk = walker(4).motion
    assert _worst(walk, rig(walk, PRESETS[name]), skip=int(PRESETS[name].rest_frame)) < 1e-9
