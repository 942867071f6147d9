"""Recorded motions made ready to be filmed: clocks, bodies, floors, longer walks, planted feet."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.rotations import about_axis, angle_between, rotate
from mocaplift.train.data.anny_body import Body
from mocaplift.train.data.motions import (
    cut,
    find_true_contacts,
    grounded,
    measure_slide,
    moved,
    resample,
    transfer,
    with_level_head,
    with_more_strides,
)
from mocaplift.train.data.planting import plant_feet
from mocaplift.values import SkeletonMotion
from tests.walker import PERIOD, keypoints_of, skeleton, walker


class WalkerBody(Body):
    """The walker with the few facts of a body that the functions ask for: its mesh are its body21 points."""

    def __init__(self, scale=1.0):
        self.skeleton = skeleton(scale)
        identity = np.tile([1.0, 0, 0, 0], (1, len(SMPL24), 1))
        self.rest_vertices = self.pose(identity, np.zeros((1, 3)))[0]

    def pose(self, rotations, root):
        motion = SkeletonMotion(skeleton=self.skeleton, rotations=rotations, root=root, fps=30.0)
        return keypoints_of(motion).xyz

    pose_keypoints = pose

    def keypoints(self, vertices):
        return vertices


FEET = BODY21.index(*CONTACT_POINTS)


def changed(motion, root):
    return SkeletonMotion(skeleton=motion.skeleton, rotations=motion.rotations, root=root, fps=motion.fps)


def test_thinning_out_keeps_time_and_place():
    fine = walker(frames=481, fps=120.0).motion
    coarse = resample(fine, 30.0)
    assert coarse.fps == 30.0 and len(coarse.root) == 121
    inner = slice(2, -2)
    assert np.abs(coarse.root[inner] - fine.root[::4][inner]).max() < 2e-3
    assert np.degrees(angle_between(coarse.rotations, fine.rotations[::4])[inner].max()) < 4.0


def test_an_odd_rate_is_interpolated_between_frames():
    motion = walker(frames=31, fps=30.0).motion
    straight = changed(motion, np.linspace([0, 0, 0], [0, 0, 3.0], 31))
    faster = resample(straight, 50.0)
    # 31 frames at 30 fps last 1 s: frame k of 50 fps is at k / 50 s, 3 m/s.
    assert len(faster.root) == 51
    assert np.abs(faster.root[:, 2] - 3.0 * np.arange(51) / 50).max() < 1e-9


def test_cutting_takes_the_frames_between_two_times():
    motion = walker(frames=90).motion
    part = cut(motion, 1.0, 2.0)
    assert np.array_equal(part.root, motion.root[30:60])
    with pytest.raises(InvalidData, match=r"3\.00 s"):
        cut(motion, 2.5, 3.5)


def test_a_body_of_double_size_goes_twice_as_far_in_the_same_pose():
    motion = walker(frames=60).motion
    double = transfer(motion, skeleton(2.0))
    small, _ = forward(motion.skeleton, motion.rotations, motion.root)
    large, _ = forward(double.skeleton, double.rotations, double.root)
    assert np.abs(large - 2 * small).max() < 1e-9


def test_moving_turns_path_and_person_together():
    motion = walker(frames=30).motion
    there = moved(motion, np.pi / 2, np.array([1.0, 0.0, 0.0]))
    before, _ = forward(motion.skeleton, motion.rotations, motion.root)
    after, _ = forward(there.skeleton, there.rotations, there.root)
    expected = rotate(about_axis("Y", np.pi / 2), before) + np.array([1.0, 0.0, 0.0])
    assert np.abs(after - expected).max() < 1e-9
    # A quarter turn about +Y takes +Z to +X.
    assert after[-1, 0, 0] - after[0, 0, 0] > 0.5


@pytest.mark.parametrize(("bowed_deg", "expected_deg"), [(40.0, -12.0), (6.0, -6.0), (-30.0, 5.0)])
def test_a_head_that_hangs_is_lifted_to_a_usual_gaze(bowed_deg, expected_deg):
    motion = walker(frames=30).motion
    rotations = np.tile([1.0, 0, 0, 0], (30, len(SMPL24), 1))
    rotations[:, SMPL24.at("neck")] = about_axis("X", np.radians(bowed_deg))
    bowed = SkeletonMotion(skeleton=motion.skeleton, rotations=rotations, root=motion.root, fps=30.0)
    level = with_level_head(bowed)
    _, turned = forward(level.skeleton, level.rotations, level.root)
    gaze = np.degrees(np.arcsin(rotate(turned[:, SMPL24.at("head")], np.array([0.0, 0.0, 1.0]))[:, 1]))
    assert np.abs(gaze - expected_deg).max() < 1e-6


def test_the_floor_is_found_under_a_motion_that_hovers():
    body, motion = WalkerBody(), walker(frames=90).motion
    high = changed(motion, motion.root + np.array([0.0, 0.07, 0.0]))
    down, vertices = grounded(high, body)
    lowest = vertices[..., 1].min(axis=1)
    assert np.abs(np.median(lowest)) < 0.01
    assert np.abs(body.pose(down.rotations, down.root) - vertices).max() < 1e-9


def test_a_jump_stays_a_jump():
    body, motion = WalkerBody(), walker(frames=90).motion
    still = SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=np.repeat(motion.rotations[10:11], 90, axis=0),
        root=np.repeat(motion.root[10:11], 90, axis=0),
        fps=30.0,
    )
    height = np.zeros(90)
    height[40:55] = 0.35 * np.sin(np.linspace(0, np.pi, 15))
    _, vertices = grounded(changed(still, still.root + height[:, None] * [0, 1, 0]), body)
    lowest = vertices[..., 1].min(axis=1)
    assert lowest[47] > 0.3 and abs(lowest[20]) < 0.02


def test_true_contacts_are_those_of_the_walk():
    walk = walker(frames=120)
    found = find_true_contacts(walk.keypoints.xyz, WalkerBody(), 30.0)
    assert (found == walk.contacts).mean() > 0.85
    # Never while the foot swings: more than a frame from any stance.
    swings = ~walk.contacts
    swings[1:] &= ~walk.contacts[:-1]
    swings[:-1] &= ~walk.contacts[1:]
    assert found[swings].mean() < 0.1


def test_planted_points_do_not_slide_and_sliding_points_are_measured():
    walk = walker(frames=120)
    assert measure_slide(walk.keypoints.xyz, walk.contacts).mean() < 2e-3
    drift = walk.keypoints.xyz + np.arange(120)[:, None, None] * [0.004, 0.0, 0.003]
    # 4 mm and 3 mm per frame at right angles: 5 mm, plus what the walk itself has.
    assert abs(measure_slide(drift, walk.contacts).mean() - 0.005) < 1e-3


def test_feet_that_slide_and_hover_are_planted():
    walk, body = walker(frames=150), WalkerBody()
    frames = np.arange(150)
    wander = np.stack([0.002 * frames, 0.03 + 0.02 * np.sin(frames / 25), 0.001 * frames], axis=1)
    bad = changed(walk.motion, walk.motion.root + wander)
    good = plant_feet(bad, body)
    before, after = (body.pose(m.rotations, m.root) for m in (bad, good))
    assert measure_slide(before, walk.contacts).mean() > 2e-3
    inner = walk.contacts.copy()
    inner[:8] = inner[-8:] = False
    assert measure_slide(after, inner).mean() < 1e-3
    rest = body.rest_vertices[FEET, 1] - body.rest_vertices[:, 1].min()
    height = (after[:, FEET, 1] - rest)[inner]
    assert np.abs(height).max() < 0.02 and np.abs(np.median(height)) < 0.003
    # The rest of the body keeps its pose, and the legs stay legs: no knee turns by much.
    legs = SMPL24.index("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
    others = [joint for joint in range(len(SMPL24)) if joint not in legs]
    assert np.abs(good.rotations - bad.rotations)[:, others].max() < 1e-12
    assert np.degrees(angle_between(good.rotations, bad.rotations)[:, legs].max()) < 25


def test_a_walk_is_made_longer_without_a_seam():
    motion = walker(frames=120).motion
    longer = with_more_strides(motion, 2)
    strides = (len(longer.root) - len(motion.root)) / 30.0 / 2
    assert abs(strides - PERIOD) < 0.1
    step = np.degrees(angle_between(longer.rotations[1:], longer.rotations[:-1]).max())
    assert step < 1.3 * np.degrees(angle_between(motion.rotations[1:], motion.rotations[:-1]).max())
    assert np.abs(np.diff(longer.root[:, 2]) * 30 - 1.0).max() < 0.2
    with pytest.raises(InvalidData, match="too short"):
        with_more_strides(walker(frames=30).motion, 1)
