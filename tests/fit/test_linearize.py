"""Keypoints of the fit and their derivatives: against forward kinematics and central differences."""

import numpy as np
import pytest

from mocaplift.body import body_keypoints, load_body
from mocaplift.fit.linearize import (
    NUM_UNKNOWNS,
    SOLVED_JOINTS,
    Pose,
    Tree,
    jacobian,
    keypoints_of,
    shape_jacobian,
)
from mocaplift.fit.skeleton import motion_of, pose_of
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import about_axis
from tests.fit import toy

STEP = 1e-6


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(toy.body())


def nudged(column: int, frames: int, size: float = STEP) -> np.ndarray:
    step = np.zeros((frames, NUM_UNKNOWNS))
    step[:, column] = size
    return step


def test_a_keypoint_by_hand(tree: Tree) -> None:
    """Half a turn of the pelvis about +Y takes the left wrist from +X to -X, at its height."""
    rotations = np.zeros((1, 24, 4))
    rotations[..., 0] = 1.0
    rotations[0, 0] = about_axis("Y", np.pi)
    pose = Pose(rotations, np.array([[1.0, 2.0, 3.0]]), np.zeros(2))
    wrist = BODY21.at("left_wrist")
    found = keypoints_of(pose, tree).xyz[0, wrist]
    chain = ("spine1", "spine2", "spine3", "left_collar", "left_shoulder", "left_elbow", "left_wrist")
    rest = sum(np.array(toy.OFFSETS[joint]) for joint in chain) + tree.body.mean_attachments[wrist]
    np.testing.assert_allclose(found, [1 - rest[0], 2 + rest[1], 3 - rest[2]], atol=1e-12)


@pytest.mark.parametrize("make", [toy.body, load_body], ids=["toy", "shipped"])
def test_both_kinematics_agree(make) -> None:
    body = make()
    shape = np.linspace(-1, 1, body.num_shape)
    pose = toy.smooth_pose(9, shape=shape)
    found = keypoints_of(pose, Tree(body))
    motion = motion_of(pose, body, 30.0)
    np.testing.assert_allclose(found.xyz, body_keypoints(motion, body).xyz, atol=1e-12)
    again = pose_of(motion)
    np.testing.assert_array_equal(again.root, pose.root)
    np.testing.assert_array_equal(again.shape, shape)
    np.testing.assert_allclose(keypoints_of(again, Tree(body)).xyz, found.xyz, atol=1e-12)


def test_derivatives_by_turns_and_place(tree: Tree) -> None:
    pose, frames = toy.smooth_pose(4), 4
    exact = jacobian(keypoints_of(pose, tree), tree)
    for column in range(NUM_UNKNOWNS):
        ahead = keypoints_of(pose.moved(nudged(column, frames), np.zeros(2), tree), tree).xyz
        behind = keypoints_of(pose.moved(nudged(column, frames, -STEP), np.zeros(2), tree), tree).xyz
        np.testing.assert_allclose(exact[..., column], (ahead - behind) / 2 / STEP, atol=1e-8)


def test_derivatives_by_shape(tree: Tree) -> None:
    pose = toy.smooth_pose(4)
    exact = shape_jacobian(keypoints_of(pose, tree), tree)
    for column in range(2):
        change = STEP * np.eye(2)[column]
        still = np.zeros((4, NUM_UNKNOWNS))
        ahead = keypoints_of(pose.moved(still, change, tree), tree).xyz
        behind = keypoints_of(pose.moved(still, -change, tree), tree).xyz
        np.testing.assert_allclose(exact[..., column], (ahead - behind) / 2 / STEP, atol=1e-8)


def test_a_step_moves_only_what_it_names(tree: Tree) -> None:
    pose = toy.smooth_pose(3)
    column = 3 + 3 * SOLVED_JOINTS.index("left_knee")
    moved = pose.moved(nudged(column, 3, 0.2), np.zeros(2), tree)
    others = [joint for joint in SMPL24.joints if joint != "left_knee"]
    np.testing.assert_allclose(
        moved.rotations[:, SMPL24.index(*others)], pose.rotations[:, SMPL24.index(*others)], atol=1e-15
    )
    before, after = (keypoints_of(each, tree).xyz for each in (pose, moved))
    apart = np.linalg.norm(after - before, axis=-1).max(axis=0)
    below = {"left_knee", "left_ankle", "left_heel", "left_big_toe"}  # the knee's own point lies on its skin
    assert {joint for joint, far in zip(BODY21.joints, apart, strict=True) if far > 1e-6} == below
    np.testing.assert_array_equal(moved.part(slice(1, 3)).rotations, moved.rotations[1:])
