"""The body's keypoints as a function of the unknowns, and its derivatives.

Unknowns of a frame: the root's place (3) and one small turn (3) of each solved joint, in the joint's own axes.
Unknowns of the clip: the coefficients of the body's shape. A turn w of joint j moves a point k that hangs on it
by (R_j w) x (p_k - p_j), with R_j the joint's world rotation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mocaplift.body import Body
from mocaplift.rotations import from_rotvec, multiply, normalize, to_matrix

# Joints whose rotation body21 keypoints can tell. Wrists, hands and toes have no points beyond them: they stay
# as at rest, relative to their parents.
SOLVED_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow",
)  # fmt: skip
NUM_UNKNOWNS = 3 + 3 * len(SOLVED_JOINTS)


@dataclass(frozen=True, eq=False)
class Pose:
    """The current values of all unknowns: what the solver moves."""

    rotations: Float[np.ndarray, "T J 4"]
    root: Float[np.ndarray, "T 3"]
    shape: Float[np.ndarray, "S"]

    def moved(self, step: Float[np.ndarray, "T D"], shape_step: Float[np.ndarray, "S"], tree: Tree) -> Pose:
        """Return the pose after a solver's step."""
        rotations = self.rotations.copy()
        turns = step[:, 3:].reshape(len(step), -1, 3)
        rotations[:, tree.solved] = normalize(multiply(rotations[:, tree.solved], from_rotvec(turns)))
        return Pose(rotations, self.root + step[:, :3], self.shape + shape_step)

    def part(self, frames: slice) -> Pose:
        """Return the pose of a stretch of frames."""
        return replace(self, rotations=self.rotations[frames], root=self.root[frames])


@dataclass(frozen=True, eq=False)
class Tree:
    """Which turns move which keypoints: fixed by the body model."""

    body: Body

    @cached_property
    def solved(self) -> list[int]:
        """Positions of the solved joints in the skeleton's layout."""
        return self.body.layout.index(*SOLVED_JOINTS)

    @cached_property
    def chains(self) -> list[list[int]]:
        """For every joint, itself and its ancestors."""
        chains: list[list[int]] = []
        for joint, parent in enumerate(self.body.parents):
            chains.append([joint] if parent < 0 else [*chains[parent], joint])
        return chains

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(keypoint, joint, position of the joint among the solved) for every turn that moves a keypoint."""
        rows = [
            (point, joint, self.solved.index(joint))
            for point, bone in enumerate(self.body.bones)
            for joint in self.chains[bone]
            if joint in self.solved
        ]
        points, joints, slots = np.array(rows).T
        return points, joints, slots


@dataclass(frozen=True, eq=False)
class Points:
    """Keypoints of a pose, with what their derivatives need."""

    xyz: Float[np.ndarray, "T K 3"]
    joints: Float[np.ndarray, "T J 3"]
    world: Float[np.ndarray, "T J 3 3"]


def keypoints_of(pose: Pose, tree: Tree) -> Points:
    """Return the body's keypoints, joints (m) and the joints' world rotations."""
    body = tree.body
    offsets = body.offsets(pose.shape)
    attached = body.attachments(pose.shape)
    local = to_matrix(pose.rotations)
    world = np.zeros_like(local)
    joints = np.zeros((*local.shape[:2], 3))
    for joint, parent in enumerate(body.parents):
        if parent < 0:
            world[:, joint] = local[:, joint]
            joints[:, joint] = pose.root
        else:
            world[:, joint] = world[:, parent] @ local[:, joint]
            joints[:, joint] = joints[:, parent] + world[:, parent] @ offsets[joint]
    bones = list(body.bones)
    xyz = joints[:, bones] + (world[:, bones] @ attached[:, :, None])[..., 0]
    return Points(xyz=xyz, joints=joints, world=world)


def jacobian(points: Points, tree: Tree) -> Float[np.ndarray, "T K 3 D"]:
    """Return the derivatives of the keypoints by the frame's unknowns."""
    frames, num_points, _ = points.xyz.shape
    out = np.zeros((frames, num_points, 3, NUM_UNKNOWNS))
    out[..., :3] = np.eye(3)
    which, joints, slots = tree.pairs
    arm = points.xyz[:, which] - points.joints[:, joints]
    axes = points.world[:, joints]
    # Column i of `axes` crossed with the arm, for all pairs at once.
    x, y, z = (arm[..., i, None] for i in range(3))
    moves = np.stack(
        [
            axes[..., 1, :] * z - axes[..., 2, :] * y,
            axes[..., 2, :] * x - axes[..., 0, :] * z,
            axes[..., 0, :] * y - axes[..., 1, :] * x,
        ],
        axis=-2,
    )
    turns = out[..., 3:].reshape(frames, num_points, 3, len(SOLVED_JOINTS), 3)
    turns[:, which, :, slots] = np.moveaxis(moves, 1, 0)
    out[..., 3:] = turns.reshape(frames, num_points, 3, -1)
    return out


def shape_jacobian(points: Points, tree: Tree) -> Float[np.ndarray, "T K 3 S"]:
    """Return the derivatives of the keypoints by the body's shape."""
    body = tree.body
    basis = body.offset_basis
    moved = np.zeros((*points.joints.shape, basis.shape[-1]))
    for joint, parent in enumerate(body.parents):
        if parent >= 0:
            moved[:, joint] = moved[:, parent] + points.world[:, parent] @ basis[joint]
    bones = list(body.bones)
    return moved[:, bones] + points.world[:, bones] @ body.attachment_basis
