"""Joint angles of poses made by hand: every sign, both sides."""

import io

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mocaplift.errors import InvalidData
from mocaplift.export import EXPORTERS, ExportOptions
from mocaplift.export.angles import COLUMNS, joint_angles
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.rotations import IDENTITY
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import skeleton, walker

# Hanging arms of the T-pose: the turn of the shoulder about our z (forward) that lowers the arm.
HANG = {"left": [("z", -90)], "right": [("z", 90)]}


def straight() -> Skeleton:
    """Return the walker's skeleton with legs straight down and arms straight out."""
    offsets = skeleton().offsets.copy()
    for joint, direction in {
        "knee": (0, -1, 0),
        "ankle": (0, -1, 0),
        "elbow": (1, 0, 0),
        "wrist": (1, 0, 0),
    }.items():
        for side, sign in (("left", 1), ("right", -1)):
            at = SMPL24.at(f"{side}_{joint}")
            offsets[at] = np.linalg.norm(offsets[at]) * np.array(direction) * (sign, 1, 1)
    return Skeleton(SMPL24, SMPL_PARENTS, offsets)


def angles(body: Skeleton | None = None, **turns: list[tuple[str, float]]) -> dict[str, float]:
    """Return the angles of a T-pose with these turns, each a list of (our axis, degrees), first turn outermost."""
    pose = np.tile(IDENTITY, (1, 24, 1))
    for joint, steps in turns.items():
        turn = Rotation.identity()
        for axis, degrees in steps:
            turn = turn * Rotation.from_euler(axis, degrees, degrees=True)
        pose[0, SMPL24.at(joint)] = np.roll(turn.as_quat(), 1)
    motion = SkeletonMotion(body or straight(), pose, np.zeros((1, 3)), 30.0)
    return dict(zip(COLUMNS, joint_angles(motion)[0], strict=True))


def assert_only(found: dict[str, float], atol: float = 1e-6, **wanted: float) -> None:
    """Check the wanted angles, and that the legs and the named joints have no others."""
    joints = {name.rsplit("_", 1)[0] for name in wanted}
    for name, value in found.items():
        if name in wanted:
            assert value == pytest.approx(wanted[name], abs=atol), name
        elif name.rsplit("_", 1)[0] in joints or ("shoulder" not in name and "elbow" not in name):
            assert value == pytest.approx(0, abs=atol), name


def test_the_t_pose():
    """Legs neutral; arms raised sideways by 90 degrees, elbows straight, palms down."""
    found = angles()
    for side in ("left", "right"):
        assert_only(found, **{f"{side}_shoulder_elevation": 90, f"{side}_shoulder_elevation_plane": 0})
        assert_only(found, **{f"{side}_elbow_pronation": 90})
        assert found[f"{side}_shoulder_rotation"] == pytest.approx(0)


@pytest.mark.parametrize("side", ["left", "right"])
class TestLegs:
    """Our +X is to the person's left: a turn about it takes down to back."""

    def test_a_knee_bent_by_90_degrees(self, side):
        assert_only(angles(**{f"{side}_knee": [("x", 90)]}), **{f"{side}_knee_flexion": 90})

    def test_a_deep_squat(self, side):
        found = angles(
            **{f"{side}_hip": [("x", -120)], f"{side}_knee": [("x", 150)], f"{side}_ankle": [("x", -30)]}
        )
        assert_only(
            found,
            **{f"{side}_hip_flexion": 120, f"{side}_knee_flexion": 150, f"{side}_ankle_dorsiflexion": 30},
        )

    def test_a_leg_to_the_front_and_to_the_back(self, side):
        assert_only(angles(**{f"{side}_hip": [("x", -60)]}), **{f"{side}_hip_flexion": 60})
        assert_only(angles(**{f"{side}_hip": [("x", 20)]}), **{f"{side}_hip_flexion": -20})

    def test_a_leg_to_the_side(self, side):
        """A turn about +Z (forward) takes down to the left."""
        away = 35 if side == "left" else -35
        assert_only(angles(**{f"{side}_hip": [("z", away)]}), **{f"{side}_hip_adduction": -35})

    def test_toes_turned_in(self, side):
        """A turn about +Y takes forward to the left: inwards for the right leg."""
        inwards = -25 if side == "left" else 25
        assert_only(angles(**{f"{side}_hip": [("y", inwards)]}), **{f"{side}_hip_rotation": 25})
        assert_only(angles(**{f"{side}_ankle": [("y", inwards)]}), **{f"{side}_ankle_rotation": 25})

    def test_toes_up_and_on_tiptoe(self, side):
        assert_only(angles(**{f"{side}_ankle": [("x", -15)]}), **{f"{side}_ankle_dorsiflexion": 15})
        assert_only(angles(**{f"{side}_ankle": [("x", 40)]}), **{f"{side}_ankle_dorsiflexion": -40})

    def test_soles_that_face_each_other(self, side):
        inwards = -20 if side == "left" else 20
        assert_only(angles(**{f"{side}_ankle": [("z", inwards)]}), **{f"{side}_ankle_inversion": 20})

    def test_the_order_is_z_x_y(self, side):
        """Flexion about the pelvis' axis, then adduction, then rotation about the thigh itself."""
        sign = -1 if side == "left" else 1
        turn = [("x", -50), ("z", sign * 10), ("y", sign * 30)]
        wanted = {"flexion": 50, "adduction": 10, "rotation": 30}
        assert_only(
            angles(**{f"{side}_hip": turn}),
            **{f"{side}_hip_{name}": value for name, value in wanted.items()},
        )


@pytest.mark.parametrize("side", ["left", "right"])
class TestArms:
    def test_an_arm_raised_to_the_front(self, side):
        """From the T-pose, forward about the vertical: plane 90, still level."""
        inwards = -90 if side == "left" else 90
        found = angles(**{f"{side}_shoulder": [("y", inwards)]})
        assert found[f"{side}_shoulder_elevation_plane"] == pytest.approx(90)
        assert found[f"{side}_shoulder_elevation"] == pytest.approx(90)
        assert found[f"{side}_shoulder_rotation"] == pytest.approx(0, abs=1e-6)

    def test_a_hanging_arm(self, side):
        found = angles(**{f"{side}_shoulder": HANG[side]})
        assert found[f"{side}_shoulder_elevation"] == pytest.approx(0, abs=1e-5)
        total = found[f"{side}_shoulder_elevation_plane"] + found[f"{side}_shoulder_rotation"]
        assert total == pytest.approx(0, abs=1e-5)

    def test_an_arm_raised_by_150_degrees(self, side):
        up = 60 if side == "left" else -60
        found = angles(**{f"{side}_shoulder": [("z", up)]})
        assert found[f"{side}_shoulder_elevation"] == pytest.approx(150)
        assert found[f"{side}_shoulder_elevation_plane"] == pytest.approx(0, abs=1e-6)

    def test_a_throwing_arm_is_rotated_outwards(self, side):
        """Level arm, elbow bent by 90, forearm straight up: 90 degrees of external rotation."""
        bend = -90 if side == "left" else 90
        found = angles(**{f"{side}_shoulder": [("x", -90)], f"{side}_elbow": [("y", bend)]})
        assert found[f"{side}_shoulder_rotation"] == pytest.approx(-90)
        assert found[f"{side}_elbow_flexion"] == pytest.approx(90)

    def test_a_bent_elbow(self, side):
        """In the T-pose the hinge is vertical: the hand comes to the front."""
        bend = -140 if side == "left" else 140
        wanted = {f"{side}_elbow_flexion": 140, f"{side}_elbow_pronation": 90}
        assert_only(angles(**{f"{side}_elbow": [("y", bend)]}), **wanted)

    def test_a_palm_turned_up(self, side):
        """The thumb, which points forward in the T-pose, goes up and back: less pronation."""
        found = angles(**{f"{side}_elbow": [("x", -90)]})
        assert_only(found, **{f"{side}_elbow_pronation": 0})

    def test_a_hand_away_from_the_body(self, side):
        """With the arm hanging palm forward, valgus of the elbow is minus adduction."""
        up = 15 if side == "left" else -15
        found = angles(**{f"{side}_elbow": [("z", up)]})
        assert found[f"{side}_elbow_adduction"] == pytest.approx(-15)


def test_limbs_that_rest_crooked_are_straight_where_they_are_straight():
    """The walker's own arms rest with a drop; an elbow is straight when the bones are in line."""
    body = skeleton()
    found = angles(body)
    assert found["right_elbow_flexion"] == pytest.approx(0, abs=1e-6)
    drop = np.degrees(np.arctan2(0.01, 0.28))
    assert found["left_shoulder_elevation"] == pytest.approx(90 - drop)


def test_angles_do_not_jump_over_time():
    """Three turns of an arm about the vertical, and of a hip beyond 180."""
    frames = 200
    pose = np.tile(IDENTITY, (frames, 24, 1))
    spin = Rotation.from_euler("y", np.linspace(0, 3 * 360, frames)[:, None], degrees=True).as_quat()
    pose[:, SMPL24.at("left_shoulder")] = np.roll(spin.reshape(-1, 4), 1, axis=1)
    flex = Rotation.from_euler("x", -np.linspace(0, 200, frames)[:, None], degrees=True).as_quat()
    pose[:, SMPL24.at("right_hip")] = np.roll(flex.reshape(-1, 4), 1, axis=1)
    table = joint_angles(SkeletonMotion(straight(), pose, np.zeros((frames, 3)), 30.0))
    assert np.abs(np.diff(table, axis=0)).max() < 6
    assert table[-1, COLUMNS.index("right_hip_flexion")] == pytest.approx(200)
    assert table[-1, COLUMNS.index("left_shoulder_elevation_plane")] == pytest.approx(-1080)


def test_the_file_defines_its_angles_and_has_a_line_for_each_frame():
    walk = walker(6, fps=59.94005994).motion
    content = EXPORTERS[".angles.csv"](walk, ExportOptions()).decode()
    comments = [line for line in content.splitlines() if line.startswith("#")]
    assert all(
        any(joint in line for line in comments) for joint in ("hip", "knee", "ankle", "shoulder", "elbow")
    )
    table = np.genfromtxt(io.StringIO(content), delimiter=",", names=True, skip_header=len(comments))
    assert table.dtype.names == ("frame", "time_s", *(f"{name}_deg" for name in COLUMNS))
    np.testing.assert_allclose(table["time_s"], np.arange(6) * 1001 / 60000, atol=1e-9)
    np.testing.assert_allclose(table["left_knee_flexion_deg"], joint_angles(walk)[:, 6], atol=1e-4)


def test_a_skeleton_without_these_joints_is_refused():
    motion = SkeletonMotion(
        Skeleton(Layout("one", ("a",)), (-1,), np.zeros((1, 3))), IDENTITY[None, None], np.zeros((1, 3)), 30.0
    )
    with pytest.raises(InvalidData, match="has no joint 'pelvis'"):
        joint_angles(motion)
