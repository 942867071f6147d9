"""The floor: found under stances whatever else is in the clip; corrections that move everything together."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import cameras, kinematics, rotations
from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.clean import ground
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.values import Camera, Motion3D
from tests.walker import FOOT_POINTS, keypoints_of, skeleton, walker

SOLE = ground.SOLE_DROP
FEET = BODY21.index(*CONTACT_POINTS)


def _tilted(degrees: float, height: float = 0.0, axis: str = "X") -> np.ndarray:
    transform = np.eye(4)
    transform[:3, :3] = rotations.to_matrix(rotations.about_axis(axis, np.radians(degrees)))
    transform[1, 3] = height
    return transform


def _stances(heights, spread=2.0) -> tuple[Motion3D, np.ndarray]:
    """Return points and contacts: one short stance of the left heel per height, scattered over the floor."""
    rng = np.random.default_rng(0)
    xyz = np.full((5 * len(heights), 21, 3), np.nan)
    contacts = np.zeros((len(xyz), 4), dtype=bool)
    for k, height in enumerate(heights):
        x, z = rng.uniform(-spread, spread, size=2)
        xyz[5 * k : 5 * k + 4, BODY21.at("left_heel")] = (x, height, z)
        contacts[5 * k : 5 * k + 4, 0] = True
    sigma = np.where(np.isfinite(xyz).all(-1), 0.01, np.inf)
    return Motion3D(xyz, sigma, BODY21, 30.0), contacts


def test_the_walker_stands_where_it_stands():
    walk = walker(90)
    floor = ground.find_floor(walk.keypoints, walk.contacts)
    assert floor.height == pytest.approx(0, abs=1e-9) and floor.tilt_deg == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(floor.transform, np.eye(4), atol=1e-8)
    assert floor.stances == sum(len(ground.runs(walk.contacts[:, k])) for k in range(4))


@pytest.mark.parametrize("height", [-1.3, 0.4, 12.0])
def test_a_floor_at_another_height_is_brought_to_zero(height):
    walk = walker(90)
    moved = ground.move_points(walk.keypoints, _tilted(0, height))
    floor = ground.find_floor(moved, walk.contacts)
    assert floor.height == pytest.approx(height, abs=1e-6)
    back = ground.move_points(moved, floor.transform)
    np.testing.assert_allclose(back.xyz, walk.keypoints.xyz, atol=1e-6)


def test_a_small_tilt_is_the_cameras_and_is_taken_out():
    walk = walker(300)
    moved = ground.move_points(walk.keypoints, _tilted(2.0))
    floor = ground.find_floor(moved, walk.contacts)
    assert floor.tilt_deg == pytest.approx(2.0, abs=0.2)
    feet = ground.move_points(moved, floor.transform).xyz[:, FEET, 1]
    assert np.ptp(feet[walk.contacts]) < 0.05


def test_a_ramp_stays_a_ramp():
    walk = walker(300)
    moved = ground.move_points(walk.keypoints, _tilted(-6.0))
    floor = ground.find_floor(moved, walk.contacts)
    assert floor.tilt_deg > ground.LARGEST_TILT
    np.testing.assert_array_equal(floor.transform[:3, :3], np.eye(3))


def test_steps_to_one_side_say_nothing_about_the_slope_across():
    """Left feet 1 cm higher than right ones, 20 cm apart, are noise and no floor of 3 degrees."""
    walk = walker(150)
    xyz = walk.keypoints.xyz.copy()
    xyz[:, BODY21.index("left_heel", "left_big_toe"), 1] += 0.01
    floor = ground.find_floor(dataclasses.replace(walk.keypoints, xyz=xyz), walk.contacts)
    assert floor.tilt_deg < 0.8


def test_one_outlier_below_does_not_sink_the_clip():
    """A global minimum would put the floor half a metre too low."""
    points, contacts = _stances([SOLE + 0.002 * (k % 5) for k in range(40)] + [-0.5])
    assert ground.find_floor(points, contacts).height == pytest.approx(0.004, abs=0.003)


def test_a_stool_and_stairs_are_not_the_floor():
    points, contacts = _stances([SOLE] * 12 + [0.45] * 20)
    assert ground.find_floor(points, contacts).height == pytest.approx(0.0, abs=0.005)
    points, contacts = _stances([SOLE] * 4 + [SOLE + 0.17 * k for k in range(1, 9)], spread=0.1)
    assert ground.find_floor(points, contacts).height == pytest.approx(0.0, abs=0.02)


def test_a_jump_stays_a_jump():
    walk = walker(60)
    motion = dataclasses.replace(walk.motion, root=walk.motion.root + np.array([0, 3.0, 0]))
    motion.root[20:30, 1] += 0.4
    contacts = walk.contacts.copy()
    contacts[20:30] = False
    out = ground.move_motion(motion, ground.find_floor(keypoints_of(motion), contacts).transform)
    np.testing.assert_allclose(np.diff(out.root[:, 1]), np.diff(motion.root[:, 1]), atol=1e-6)


def test_without_contacts_the_lowest_points_decide():
    walk = walker(60)
    moved = ground.move_points(walk.keypoints, _tilted(0, 0.8))
    floor = ground.find_floor(moved, np.zeros_like(walk.contacts))
    assert floor.stances == 0 and floor.height == pytest.approx(0.8, abs=0.01)
    nowhere = Motion3D(np.full((3, 21, 3), np.nan), np.full((3, 21), np.inf), BODY21, 30.0)
    with pytest.raises(InvalidData, match="no floor to find"):
        ground.find_floor(nowhere, np.zeros((3, 4), dtype=bool))


def test_missing_points_within_a_stance_are_left_out():
    walk = walker(60)
    xyz, sigma = walk.keypoints.xyz.copy(), walk.keypoints.sigma.copy()
    xyz[::2, FEET], sigma[::2, FEET] = np.nan, np.inf
    points = dataclasses.replace(walk.keypoints, xyz=xyz, sigma=sigma)
    assert ground.find_floor(points, walk.contacts).height == pytest.approx(0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(heading=st.floats(-3.1, 3.1), x=st.floats(-5, 5), z=st.floats(-5, 5))
def test_every_clip_starts_over_the_origin_facing_forward(heading, x, z):
    walk = walker(30, heading=heading).motion
    walk = dataclasses.replace(walk, root=walk.root + np.array([x, 0, z]))
    out = ground.move_motion(walk, ground.start_transform(walk))
    np.testing.assert_allclose(out.root[0, [0, 2]], 0, atol=1e-9)
    np.testing.assert_allclose(out.root[:, 1], walk.root[:, 1], atol=1e-9)
    forward = rotations.rotate(out.rotations[:15, 0], np.array([0.0, 0.0, 1.0])).mean(axis=0)
    # The walker's hips sway a few degrees about the way it goes.
    assert np.degrees(np.arctan2(forward[0], forward[2])) == pytest.approx(0, abs=0.5)


def test_someone_who_bends_or_lies_on_the_back_still_faces_forward():
    for pitch in (80.0, 100.0, -90.0):
        turns = np.tile(rotations.IDENTITY, (20, 24, 1))
        bent = rotations.multiply(
            rotations.about_axis("Y", 0.8), rotations.about_axis("X", np.radians(pitch))
        )
        turns[:, 0] = bent
        motion = dataclasses.replace(walker(20).motion, rotations=turns)
        out = ground.move_motion(motion, ground.start_transform(motion))
        left = rotations.rotate(out.rotations[0, 0], np.array([1.0, 0.0, 0.0]))
        np.testing.assert_allclose(left, [1, 0, 0], atol=1e-9)


def test_the_camera_sees_the_same_picture_after_the_move():
    walk = walker(20, heading=1.0)
    view = look_at(np.array([3.0, 1.6, 2.0]), np.array([0.0, 1.0, 0.0]))
    camera = Camera("a", intrinsics_from_fov(60.0, (640, 480)), np.zeros(5), view, (640, 480))
    move = ground.start_transform(walk.motion) @ _tilted(1.5, 0.3, "Z")
    motion, moved = ground.move_motion(walk.motion, move), cameras.moved(camera, move)
    before = project(camera, kinematics.joints_of(walk.motion).xyz)
    np.testing.assert_allclose(project(moved, kinematics.joints_of(motion).xyz), before, atol=1e-8)
    points = ground.move_points(walk.keypoints, move)
    np.testing.assert_allclose(points.xyz, keypoints_of(motion).xyz, atol=1e-9)


def test_drops_by_hand():
    """The walker's heel and toe rest at one height, so both are one sole above the floor."""
    assert ground.sole_drops(skeleton(), FOOT_POINTS).tolist() == pytest.approx([SOLE] * 4)
    higher = FOOT_POINTS | {"left_heel": ("left_ankle", np.array([0, -0.03, -0.05]))}
    assert ground.sole_drops(skeleton(), higher).tolist() == pytest.approx([SOLE + 0.03, SOLE, SOLE, SOLE])
    with pytest.raises(InvalidData, match="where right_heel is"):
        ground.sole_drops(skeleton(), {k: v for k, v in FOOT_POINTS.items() if k != "right_heel"})
