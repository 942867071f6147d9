"""Poses that were never recorded: mirror images, blends, turned limbs, tilted bodies."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.kinematics import forward
from mocaplift.layouts import SMPL24
from mocaplift.rotations import about_axis, angle_between, from_rotvec, multiply, rotate
from mocaplift.train.data.augment import LOWER_BODY, blended, limbs_turned, mirrored, tilted, without_yaw
from mocaplift.values import Skeleton
from tests.train.test_retarget import straight_skeleton
from tests.walker import walker

UP = np.array([0.0, 1.0, 0.0])


@pytest.fixture(name="poses")
def _poses() -> np.ndarray:
    return walker().motion.rotations[:40]


def test_a_mirror_image_has_its_joints_mirrored(poses):
    person, swap, nowhere = straight_skeleton(), list(SMPL24.mirror), np.zeros((len(poses), 3))
    offsets = person.offsets[swap] * [-1, 1, 1]
    other = Skeleton(layout=SMPL24, parents=person.parents, offsets=offsets)
    seen = forward(other, mirrored(poses), nowhere)[0]
    truth = forward(person, poses, nowhere)[0]
    np.testing.assert_allclose(seen, truth[:, swap] * [-1, 1, 1], atol=1e-9)
    assert np.abs(truth[:, swap] * [-1, 1, 1] - truth).max() > 0.1
    np.testing.assert_allclose(mirrored(mirrored(poses)), poses, atol=1e-12)


def test_blends_exchange_legs_and_nothing_else(poses):
    other = blended(poses, np.random.default_rng(0))
    legs = SMPL24.index(*LOWER_BODY)
    rest = [place for place in range(len(SMPL24)) if place not in legs]
    np.testing.assert_array_equal(other[:, rest], poses[:, rest])
    assert (angle_between(other[:, legs], poses[:, legs]).max(axis=1) > 0.05).mean() > 0.5
    # Every blended pair of legs is somebody's.
    distance = np.abs(other[:, None, legs] - poses[None][:, :, legs]).max(axis=(2, 3)).min(axis=1)
    np.testing.assert_allclose(distance, 0.0, atol=1e-12)


def test_hinges_stay_when_limbs_are_turned(poses):
    turned = limbs_turned(poses, np.random.default_rng(0))
    hinges = SMPL24.index("left_knee", "right_knee", "left_elbow", "right_elbow", "pelvis")
    np.testing.assert_array_equal(turned[:, hinges], poses[:, hinges])
    shoulders = angle_between(turned, poses)[:, SMPL24.at("left_shoulder")]
    assert np.degrees(np.median(shoulders)) == pytest.approx(np.degrees(0.30 * 1.54), rel=0.35)


def test_poses_without_yaw_face_ahead_however_they_lean():
    lean = from_rotvec(np.random.default_rng(0).normal(0, 0.3, (50, 3)) * [1, 0, 1])
    yaw = about_axis("Y", np.random.default_rng(1).uniform(-3, 3, 50))
    poses = np.tile([1.0, 0.0, 0.0, 0.0], (50, len(SMPL24), 1))
    poses[:, 0] = multiply(yaw, lean)
    back = without_yaw(poses)[:, 0]
    np.testing.assert_allclose(angle_between(back, lean), 0.0, atol=1e-7)


def test_tilted_poses_reach_the_floor(poses):
    many = np.concatenate([poses] * 10)
    up = rotate(tilted(many, np.random.default_rng(0))[:, 0], UP)[:, 1]
    angle = np.degrees(np.arccos(np.clip(up, -1, 1)))
    assert angle.min() > 25 and angle.max() < 160
    assert (angle > 80).mean() > 0.4
    np.testing.assert_array_equal(tilted(many, np.random.default_rng(0))[:, 1:], many[:, 1:])
