"""BVH: numbers computed by hand, a reader of our own making, and what animators expect of the curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import kinematics, rotations
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.export import ExportOptions, bvh, rig
from mocaplift.export.templates import bones_in, rest_height, template_named, tip_offsets
from mocaplift.layouts import SMPL24
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.export.bvh_reader import positions, read
from tests.walker import skeleton, walker

METRES = {"cm": 0.01, "m": 1.0}


def _encoded(motion, **said) -> bytes:
    options = ExportOptions(**said)
    return bvh.encode(rig(motion, options), options)


def _names(template: str, body: Skeleton) -> tuple[str, ...]:
    return tuple(bone.name for bone in bones_in(template_named(template), body))


def _motion(turns, root=None, fps=30.0) -> SkeletonMotion:
    turns = np.asarray(turns, dtype=float)
    root = np.zeros((len(turns), 3)) if root is None else root
    return SkeletonMotion(skeleton=skeleton(), rotations=turns, root=root, fps=fps)


def _still(frames=1) -> np.ndarray:
    return np.tile(rotations.IDENTITY, (frames, len(SMPL24), 1))


def _worst_distance(motion, content: bytes, unit: str, skip: int = 0) -> float:
    """Return the largest distance (m) between a joint in the file and in the motion."""
    nodes, _, table = read(content.decode())
    xyz, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    names = _names("native", motion.skeleton)
    worst = 0.0
    for frame, row in enumerate(table[skip:]):
        found = positions(nodes, row)
        read_back = np.array([found[name] for name in names]) * METRES[unit]
        worst = max(worst, float(np.abs(read_back - xyz[frame]).max()))
    return worst


def test_a_quarter_turn_of_the_left_arm_is_the_number_one_computes_by_hand():
    turns = _still()
    # The left arm, which rests along +X, hangs straight down: minus 90 degrees about Z.
    turns[0, SMPL24.at("left_shoulder")] = [np.sqrt(0.5), 0, 0, -np.sqrt(0.5)]
    nodes, frame_time, table = read(_encoded(_motion(turns, np.array([[1.0, 2.0, 3.0]]))).decode())
    assert frame_time == pytest.approx(1 / 30, abs=1e-12)
    assert table[0, :6].tolist() == [100, 200, 300, 0, 0, 0]
    assert sorted(table[0, 6:].tolist()) == [-90.0] + [0.0] * (table.shape[1] - 7)
    found = positions(nodes, table[0])
    # Upper arm of 0.28 m, with its rest direction (0.28, -0.01, 0) turned to (-0.01, -0.28, 0).
    np.testing.assert_allclose(found["LeftForeArm"] - found["LeftArm"], [-1, -28, 0], atol=1e-5)


def test_left_is_at_positive_x_and_the_toes_point_forward():
    nodes, _, table = read(_encoded(_motion(_still())).decode())
    found = positions(nodes, table[0])
    assert found["LeftHand"][0] > 0 > found["RightHand"][0]
    assert found["LeftToeBase end"][2] > found["LeftFoot"][2]
    assert found["Head end"][1] > found["Head"][1] > found["Hips"][1] > found["LeftFoot"][1]


@pytest.mark.parametrize("unit", ["cm", "m"])
@pytest.mark.parametrize("order", [*bvh.ORDERS, "auto"])
def test_every_joint_of_every_frame_is_where_the_motion_has_it(unit, order):
    walk = walker(40, heading=2.0).motion
    content = _encoded(walk, unit=unit, order=order)
    assert _worst_distance(walk, content, unit) < 1e-6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.sampled_from([*bvh.ORDERS, "auto"]))
def test_any_pose_survives(seed, order):
    rng = np.random.default_rng(seed)
    turns = rotations.normalize(rng.normal(size=(3, len(SMPL24), 4)))
    motion = _motion(turns, rng.normal(size=(3, 3)) * 10)
    assert _worst_distance(motion, _encoded(motion, order=order), "cm") < 1e-6


@pytest.mark.parametrize("fps", [23.976023976, 24000 / 1001, 25, 30000 / 1001, 30, 59.94, 120, 1000 / 7])
def test_frame_time_keeps_ten_hours_in_step(fps):
    _, frame_time, _ = read(_encoded(_motion(_still(), fps=fps)).decode())
    frames = 10 * 3600 * fps
    assert abs(frames * frame_time - frames / fps) < 1e-4


def test_the_header_says_what_blender_looks_for():
    lines = _encoded(walker(7).motion).decode().splitlines()
    assert "Frames: 7" in lines
    assert [line.split()[:2] for line in lines if line.startswith("Frame Time")] == [["Frame", "Time:"]]
    assert lines[0] == "HIERARCHY" and lines[1] == "ROOT Hips"
    assert sum(line.strip() == "End Site" for line in lines) == 5


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), turns_per_second=st.floats(0.2, 1.5))
def test_angles_never_jump_however_often_the_body_turns(seed, turns_per_second):
    """A body that turns round and round about any axis: no channel steps more than its neighbours in time do."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    # Away from the pole of the order (X in the middle), where outer angles must turn fast.
    axis[0] *= 0.2
    angle = 2 * np.pi * turns_per_second * np.arange(90) / 30
    turns = _still(90)
    turns[:, 0] = rotations.from_rotvec(angle[:, None] * axis / np.linalg.norm(axis))
    _, _, table = read(_encoded(_motion(turns)).decode())
    assert np.abs(np.diff(table[:, 3:6], axis=0)).max() < 180


def test_a_pirouette_counts_past_a_full_turn():
    turns = _still(61)
    turns[:, 0] = rotations.about_axis("Y", np.linspace(0, 4 * np.pi, 61))
    _, _, table = read(_encoded(_motion(turns)).decode())
    np.testing.assert_allclose(table[:, 5], np.linspace(0, 720, 61), atol=1e-5)


def test_a_quaternion_of_the_other_sign_changes_nothing():
    walk = walker(20).motion
    flipped = walk.rotations.copy()
    flipped[::2] *= -1
    assert _encoded(walk) == _encoded(_motion(flipped, walk.root))


def test_the_rest_frame_stands_on_the_floor_and_the_motion_follows_whole():
    walk = walker(10).motion
    content = _encoded(walk, rest_frame=True)
    nodes, _, table = read(content.decode())
    assert len(table) == 11
    found = positions(nodes, table[0])
    assert found["Hips"].tolist() == pytest.approx([0, 100 * rest_height(walk.skeleton), 0])
    # The balls of the feet are 9 mm above the floor: their soles are on it.
    assert found["LeftToeBase"][1] == pytest.approx(0.9, abs=1e-5)
    assert np.all(table[0, 3:] == 0)
    assert _worst_distance(walk, content, "cm", skip=1) < 1e-6


def test_auto_leaves_the_pole_and_says_so_per_joint():
    turns = _still(50)
    # The spine bends to 100 degrees about X, the middle axis of ZXY, while it sways a little.
    bend = rotations.about_axis("X", np.radians(np.linspace(0, 100, 50)))
    sway = rotations.about_axis("Z", 0.1 * np.sin(np.arange(50)))
    turns[:, SMPL24.at("spine1")] = rotations.multiply(bend, sway)
    motion = _motion(turns)
    usual, auto = _encoded(motion).decode(), _encoded(motion, order="auto").decode()
    assert usual.count("Zrotation Xrotation Yrotation") == 24
    assert auto.count("Zrotation Xrotation Yrotation") == 23
    steps = [np.abs(np.diff(read(text)[2][:, 3:], axis=0)).max() for text in (usual, auto)]
    assert steps[1] < 15 < steps[0]


def test_end_sites_have_length_and_follow_the_size_of_the_person():
    small, large = skeleton(0.5), skeleton(2.0)
    for tips in (tip_offsets(small), tip_offsets(large)):
        assert {SMPL24.joints[joint] for joint in tips} == {
            "head", "left_hand", "right_hand", "left_foot", "right_foot",
        }  # fmt: skip
        assert min(np.linalg.norm(tip) for tip in tips.values()) > 0.02
    for joint, tip in tip_offsets(small).items():
        np.testing.assert_allclose(4 * tip, tip_offsets(large)[joint])


def test_a_foreign_skeleton_keeps_its_names_and_gets_tips():
    layout = Layout("chain", ("base", "middle", "tip"))
    body = Skeleton(layout=layout, parents=(-1, 0, 1), offsets=np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0.0]]))
    motion = SkeletonMotion(
        skeleton=body, rotations=np.tile(rotations.IDENTITY, (2, 3, 1)), root=np.zeros((2, 3)), fps=25.0
    )
    nodes, _, table = read(_encoded(motion, unit="m").decode())
    assert [node["name"] for node in nodes] == ["base", "middle", "tip", "Site"]
    assert positions(nodes, table[0])["tip end"].tolist() == pytest.approx([0, 1.02, 0])


def test_names_without_spaces_twins_or_unknown_templates():
    body = skeleton()
    for template in ("native", "smpl"):
        names = _names(template, body)
        assert len(set(names)) == len(SMPL24) and not any(" " in name for name in names)
    assert _names("smpl", body) == SMPL24.joints
    with pytest.raises(ConfigError, match=r"unknown skeleton template 'ue9'; known: .*native, .*smpl"):
        _names("ue9", body)
    spaced = Skeleton(layout=Layout("bad", ("left hip",)), parents=(-1,), offsets=np.zeros((1, 3)))
    with pytest.raises(InvalidData, match="holds a space"):
        _names("native", spaced)
    twins = Skeleton(layout=Layout("twins", ("pelvis", "Hips")), parents=(-1, 0), offsets=np.zeros((2, 3)))
    with pytest.raises(InvalidData, match="two joints the name 'Hips'"):
        _names("native", twins)


def test_what_makes_no_sense_is_refused():
    walk = walker(3).motion
    with pytest.raises(ConfigError, match="unknown unit 'inch'"):
        _encoded(walk, unit="inch")
    with pytest.raises(ConfigError, match="unknown rotation order 'ZXZ'"):
        _encoded(walk, order="ZXZ")
    empty = SkeletonMotion(
        skeleton=skeleton(), rotations=np.zeros((0, 24, 4)), root=np.zeros((0, 3)), fps=30.0
    )
    with pytest.raises(InvalidData, match="at least one frame"):
        _encoded(empty)


@pytest.mark.parametrize("order", bvh.ORDERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_curve_passes_the_very_pole_without_a_step(order, sign):
    """The middle angle goes through 90 degrees exactly, one degree a frame; the outer ones stay."""
    angles = np.stack([np.full(21, 20.0), sign * np.arange(80.0, 101.0), np.full(21, 30.0)], axis=-1)
    turns = _still(21)
    turns[:, 0] = rotations.from_euler_deg(order, angles)
    _, _, table = read(_encoded(_motion(turns), order=order).decode())
    np.testing.assert_allclose(table[:, 3:6], angles, atol=1e-5)
