"""Forward kinematics: a quarter turn by hand, chains against matrices."""

import numpy as np
from scipy.spatial.transform import Rotation

from mocaplift import kinematics
from mocaplift.rotations import about_axis, multiply, rotate, to_matrix
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import skeleton, walker

# Breadth-first and lopsided, like SMPL: a depth-first toy would hide a wrong order of joints.
LIMBS = Layout("limbs", ("root", "a", "b", "a_end", "b_end"))
OFFSETS = np.array([[0.0, 0, 0], [1, 0, 0], [-2, 0, 0], [1, 0, 0], [0, -3, 0]])
TREE = Skeleton(layout=LIMBS, parents=(-1, 0, 0, 1, 2), offsets=OFFSETS)


def still(frames: int = 1) -> np.ndarray:
    turns = np.zeros((frames, 5, 4))
    turns[..., 0] = 1.0
    return turns


def test_quarter_turns_by_hand() -> None:
    turns = still()
    turns[0, LIMBS.at("root")] = about_axis("Y", np.pi / 2)  # x to -z, z to x
    turns[0, LIMBS.at("a")] = about_axis("Z", np.pi / 2)  # x to y
    turns[0, LIMBS.at("b")] = about_axis("X", np.pi / 2)  # y to z
    xyz, world = kinematics.forward(TREE, turns, np.array([[1.0, 2.0, 3.0]]))
    expected = {
        "root": (1, 2, 3),
        "a": (1, 2, 2),  # 1 m along the root's x, which is -z
        "b": (1, 2, 5),
        "a_end": (1, 3, 2),  # a's x is the root's y: up. In the other order it would be (1, 2, 1).
        "b_end": (-2, 2, 5),  # b's -y is the root's -z, which is -x
    }
    for joint, place in expected.items():
        np.testing.assert_allclose(xyz[0, LIMBS.at(joint)], place, atol=1e-12)
    np.testing.assert_allclose(
        rotate(world[0, LIMBS.at("b_end")], np.array([0, -1.0, 0])), [-1, 0, 0], atol=1e-12
    )


def test_at_rest_the_offsets_add_up() -> None:
    rest = kinematics.rest_positions(TREE)
    np.testing.assert_array_equal(rest, [[0, 0, 0], [1, 0, 0], [-2, 0, 0], [2, 0, 0], [-2, -3, 0]])
    xyz, _ = kinematics.forward(TREE, still(3), np.arange(9.0).reshape(3, 3))
    np.testing.assert_allclose(xyz, rest + np.arange(9.0).reshape(3, 1, 3))


def test_chains_agree_with_homogeneous_matrices() -> None:
    body = skeleton()
    local = Rotation.random(6 * 24, rng=np.random.default_rng(0))
    turns = local.as_quat(scalar_first=True).reshape(6, 24, 4)
    root = np.random.default_rng(1).normal(size=(6, 3))
    matrices = local.as_matrix().reshape(6, 24, 3, 3)
    world = np.zeros((6, 24, 4, 4))
    for frame in range(6):
        for joint, parent in enumerate(body.parents):
            here = np.eye(4)
            here[:3, :3] = matrices[frame, joint]
            here[:3, 3] = root[frame] if parent < 0 else body.offsets[joint]
            world[frame, joint] = here if parent < 0 else world[frame, parent] @ here
    xyz, turned = kinematics.forward(body, turns, root)
    np.testing.assert_allclose(xyz, world[..., :3, 3], atol=1e-12)
    np.testing.assert_allclose(to_matrix(turned), world[..., :3, :3], atol=1e-12)


def test_bones_keep_their_length_and_the_input_stays() -> None:
    walk = walker(20).motion
    before = walk.rotations.copy()
    joints = kinematics.joints_of(walk)
    np.testing.assert_array_equal(walk.rotations, before)
    parents = list(walk.skeleton.parents[1:])
    length = np.linalg.norm(joints.xyz[:, 1:] - joints.xyz[:, parents], axis=-1)
    expected = np.linalg.norm(walk.skeleton.offsets[1:], axis=-1)
    np.testing.assert_allclose(length, np.broadcast_to(expected, length.shape), atol=1e-12)
    assert joints.layout is walk.skeleton.layout and joints.fps == walk.fps
    assert (joints.sigma == 0).all()


def test_turning_the_root_turns_the_person() -> None:
    walk, turn = walker(10).motion, about_axis("Y", 1.1)
    turns = walk.rotations.copy()
    turns[:, 0] = multiply(turn, turns[:, 0])
    moved = SkeletonMotion(walk.skeleton, turns, rotate(turn, walk.root), walk.fps)
    np.testing.assert_allclose(
        kinematics.joints_of(moved).xyz, rotate(turn, kinematics.joints_of(walk).xyz), atol=1e-12
    )
