"""The first guess of a pose: bones point where the points do."""

import dataclasses

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.errors import InvalidData
from mocaplift.fit.ik import rotations_from_points
from mocaplift.fit.linearize import Tree, keypoints_of
from mocaplift.fit.skeleton import motion_of, pose_of
from mocaplift.fit.start import filled, pose_from_points
from mocaplift.layouts import BODY21, COCO17, SMPL24, remap
from mocaplift.rotations import IDENTITY, about_axis, angle_between, multiply, rotate
from mocaplift.values import Motion3D, SkeletonMotion
from tests.walker import keypoints_of as ridden
from tests.walker import skeleton, walker

BONES = (
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("right_hip", "left_hip"),
    ("left_heel", "left_big_toe"), ("right_heel", "right_big_toe"),
)  # fmt: skip


def t_pose(**bends: np.ndarray) -> np.ndarray:
    """Return the walker's points at rest, some joints turned. Its keypoints lie on its joints."""
    turns = np.tile(IDENTITY, (1, 24, 1))
    for joint, turn in bends.items():
        turns[0, SMPL24.at(joint)] = turn
    return ridden(SkeletonMotion(skeleton(), turns, np.zeros((1, 3)), 30.0)).xyz


def directions(xyz: np.ndarray) -> np.ndarray:
    out = np.stack([xyz[:, BODY21.at(b)] - xyz[:, BODY21.at(a)] for a, b in BONES], axis=1)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("joint", "turn"),
    [
        ("left_knee", about_axis("X", 1.2)),
        ("right_knee", about_axis("X", 1.2)),
        ("left_elbow", about_axis("Y", -1.1)),
        ("right_elbow", about_axis("Y", 1.1)),
        ("right_shoulder", about_axis("Z", 1.0)),
        ("left_hip", about_axis("X", -0.9)),
        ("pelvis", about_axis("Y", 2.5)),
    ],
)
def test_a_bent_joint_is_found_where_it_was_bent(joint: str, turn: np.ndarray) -> None:
    rest = rotations_from_points(t_pose(), SMPL24)
    found = rotations_from_points(t_pose(**{joint: turn}), SMPL24)
    change = angle_between(rest, found)[0]
    place = SMPL24.at(joint)
    asked = float(angle_between(IDENTITY, turn))
    assert change[place] == pytest.approx(asked, abs=np.radians(3))
    # The walker's arms are not quite straight at rest, where the little bend there is turns the upper arm.
    assert np.delete(change, place).max() < np.radians(17 if "elbow" in joint else 3)


def test_the_guess_points_where_the_points_do() -> None:
    body = load_body()
    walk = walker(40).keypoints
    start = pose_from_points(walk.xyz, Tree(body), np.zeros(body.num_shape))
    found = keypoints_of(start, Tree(body)).xyz
    cosine = np.sum(directions(found) * directions(walk.xyz), axis=-1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 25
    hips = BODY21.index("left_hip", "right_hip")
    np.testing.assert_allclose(found[:, hips].mean(1), walk.xyz[:, hips].mean(1), atol=1e-9)
    # Faces are where they look.
    ahead = found[:, BODY21.at("nose")] - found[:, BODY21.index("left_ear", "right_ear")].mean(1)
    true = walk.xyz[:, BODY21.at("nose")] - walk.xyz[:, BODY21.index("left_ear", "right_ear")].mean(1)
    assert (np.sum(ahead * true, axis=-1) > 0).all()


def test_a_turned_world_turns_the_pelvis_and_nothing_else() -> None:
    walk, turn = walker(12).keypoints.xyz, about_axis("Y", 2.0)
    here = rotations_from_points(walk, SMPL24)
    there = rotations_from_points(rotate(turn, walk), SMPL24)
    assert np.max(angle_between(there[:, 1:], here[:, 1:])) < 1e-6
    assert np.max(angle_between(there[:, 0], multiply(turn, here[:, 0]))) < 1e-6


def test_a_straight_limb_along_its_own_bend_axis_still_gives_rotations() -> None:
    straight = t_pose()
    for side, reach in (("left", -0.3), ("right", 0.3)):
        chain = BODY21.index(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        straight[0, chain] = straight[0, chain[0]] + np.array([[0.0, 0, 0], [0, reach, 0], [0, 2 * reach, 0]])
        chain = BODY21.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        straight[0, chain] = straight[0, chain[0]] + np.array([[0.0, 0, 0], [reach, 0, 0], [2 * reach, 0, 0]])
    found = rotations_from_points(straight, SMPL24)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-9)


def test_without_feet_and_with_only_a_nose_the_rest_is_found_all_the_same() -> None:
    """What `filled` puts in the place of points that no detector saw has no direction of its own."""
    walk = walker(12, heading=2.0).keypoints
    unseen = walk.xyz.copy()
    for side in ("left", "right"):
        unseen[:, BODY21.index(f"{side}_heel", f"{side}_big_toe")] = unseen[:, [BODY21.at(f"{side}_ankle")]]
        unseen[:, BODY21.index(f"{side}_eye", f"{side}_ear")] = unseen[:, [BODY21.at("nose")]]
    full, found = (rotations_from_points(each, SMPL24) for each in (walk.xyz, unseen))
    touched = SMPL24.index("left_ankle", "right_ankle", "neck", "head")
    np.testing.assert_allclose(np.delete(angle_between(full, found), touched, axis=1), 0.0, atol=1e-7)
    # Ankles and head stay as at rest.
    np.testing.assert_allclose(angle_between(found[:, touched], IDENTITY), 0.0, atol=1e-6)


class TestFilled:
    def test_gaps_in_time_are_bridged(self) -> None:
        walk = walker(9).keypoints
        xyz, sigma = walk.xyz.copy(), walk.sigma.copy()
        wrist = BODY21.at("left_wrist")
        xyz[3:6, wrist], sigma[3:6, wrist] = np.nan, np.inf
        xyz[:2, 0], sigma[:2, 0] = np.nan, np.inf
        out = filled(Motion3D(xyz, sigma, BODY21, 30.0))
        step = (walk.xyz[6, wrist] - walk.xyz[2, wrist]) / 4
        np.testing.assert_allclose(out[4, wrist], walk.xyz[2, wrist] + 2 * step)
        np.testing.assert_allclose(out[:2, 0], np.tile(walk.xyz[2, 0], (2, 1)))
        kept = np.isfinite(xyz)
        np.testing.assert_array_equal(out[kept], xyz[kept])

    def test_faces_and_feet_may_be_missing_altogether(self) -> None:
        walk = walker(4).keypoints
        coco = remap(remap(walk.xyz, BODY21, COCO17), COCO17, BODY21)
        coco[:, BODY21.index("left_eye", "right_eye", "right_ear")] = np.nan
        sigma = np.where(np.isfinite(coco[..., 0]), 0.1, np.inf)
        out = filled(Motion3D(coco, sigma, BODY21, 30.0))
        np.testing.assert_array_equal(out[:, BODY21.at("left_eye")], walk.xyz[:, BODY21.at("nose")])
        np.testing.assert_array_equal(out[:, BODY21.at("right_heel")], walk.xyz[:, BODY21.at("right_ankle")])
        assert np.isfinite(out).all()

    def test_a_body_without_hips_is_no_body(self) -> None:
        walk = walker(4).keypoints
        xyz, sigma = walk.xyz.copy(), walk.sigma.copy()
        gone = BODY21.index("left_hip", "right_knee")
        xyz[:, gone], sigma[:, gone] = np.nan, np.inf
        with pytest.raises(InvalidData, match="lifted in no frame: left_hip, right_knee"):
            filled(Motion3D(xyz, sigma, BODY21, 30.0))


def test_only_our_own_skeletons_carry_keypoints() -> None:
    with pytest.raises(InvalidData, match="not fitted by mocaplift"):
        pose_of(walker(3).motion)
    assert skeleton().shape is None
    body = load_body()
    pose = pose_from_points(walker(3).keypoints.xyz, Tree(body), np.zeros(body.num_shape))
    motion = motion_of(dataclasses.replace(pose, rotations=-pose.rotations), body, 24.0)
    assert motion.fps == 24.0 and motion.skeleton.shape is pose.shape
