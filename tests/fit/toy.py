"""A body and a prior with made-up numbers, so that the fit's algebra is tested without any weight file."""

import numpy as np

from mocaplift.body import Body
from mocaplift.fit.linearize import SOLVED_JOINTS, Pose
from mocaplift.fit.prior import PosePrior
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import from_rotvec

# Rest offsets (m) of an asymmetric toy: no number repeats, so that no exchange of joints goes unseen.
OFFSETS = {
    "left_hip": (0.09, -0.08, 0.01), "right_hip": (-0.091, -0.081, 0.0), "spine1": (0.0, 0.11, -0.02),
    "left_knee": (0.01, -0.40, 0.0), "right_knee": (-0.01, -0.41, 0.005), "spine2": (0.0, 0.13, 0.01),
    "left_ankle": (0.0, -0.42, -0.03), "right_ankle": (0.0, -0.43, -0.02), "spine3": (0.0, 0.06, 0.02),
    "left_foot": (0.02, -0.06, 0.12), "right_foot": (-0.02, -0.061, 0.121), "neck": (0.0, 0.21, -0.03),
    "left_collar": (0.08, 0.12, -0.01), "right_collar": (-0.081, 0.12, -0.02), "head": (0.0, 0.09, 0.05),
    "left_shoulder": (0.10, 0.04, -0.01), "right_shoulder": (-0.101, 0.041, 0.0),
    "left_elbow": (0.26, 0.0, -0.02), "right_elbow": (-0.27, 0.0, -0.01), "left_wrist": (0.25, 0.0, 0.0),
    "right_wrist": (-0.251, 0.0, 0.0), "left_hand": (0.08, 0.0, 0.0), "right_hand": (-0.08, 0.0, 0.0),
}  # fmt: skip
HOLDERS = {
    "nose": "head", "eye": "head", "ear": "head", "shoulder": "", "elbow": "", "wrist": "", "hip": "",
    "knee": "", "ankle": "", "big_toe": "ankle", "heel": "ankle",
}  # fmt: skip


def body() -> Body:
    """Return the toy body: two shape coefficients, stature and width."""
    rng = np.random.default_rng(3)
    offsets = np.array([OFFSETS.get(joint, (0.0, 0.0, 0.0)) for joint in SMPL24.joints])
    bones = []
    for joint in BODY21.joints:
        side, _, part = joint.rpartition("_") if "_" in joint else ("", "", joint)
        part = joint.split("_", 1)[1] if "_" in joint else joint
        side = joint.split("_", 1)[0] if "_" in joint else ""
        holder = HOLDERS[part]
        name = "head" if holder == "head" else f"{side}_{holder or part}"
        bones.append(SMPL24.at(name))
    attachments = rng.normal(0, 0.05, (len(BODY21), 3))
    basis = np.stack([offsets * 0.04, offsets * [0.05, 0.0, 0.0]], axis=-1)
    return Body(
        mean_offsets=offsets,
        offset_basis=basis,
        bones=tuple(bones),
        mean_attachments=attachments,
        attachment_basis=np.stack([attachments * 0.04, attachments * [0.05, 0.0, 0.0]], axis=-1),
        attachment_sigma=np.full(len(BODY21), 0.01),
        stature_mean=1.72,
        stature_basis=np.array([0.068, 0.0]),
        sole_drop=0.03,
    )


def prior() -> PosePrior:
    """Return a mixture of two broad Gaussians over every solved joint but the pelvis."""
    joints = SOLVED_JOINTS[1:]
    size = 3 * len(joints)
    rng = np.random.default_rng(5)
    means = rng.normal(0, 0.1, (2, size))
    factor = rng.normal(0, 0.3, (2, size, size)) + 3 * np.eye(size)
    return PosePrior(
        joints=joints,
        weights=np.array([0.6, 0.4]),
        means=means,
        limits=(np.full(size, -0.5), np.full(size, 0.4)),
        precisions=factor @ factor.transpose(0, 2, 1),
    )


def smooth_pose(frames: int, size: float = 0.4, shape: np.ndarray | None = None, seed: int = 0) -> Pose:
    """Return a smooth made-up motion: every solved joint swings by about `size` radians, the root walks."""
    rng = np.random.default_rng(seed)
    phase, reach = rng.uniform(0, 6, (24, 3)), rng.normal(0, size, (24, 3))
    time = np.arange(frames)[:, None, None] / 30
    turns = reach * np.sin(2 * np.pi * 0.7 * time + phase)
    unsolved = [at for at, joint in enumerate(SMPL24.joints) if joint not in SOLVED_JOINTS]
    turns[:, unsolved] = 0
    root = np.stack([np.linspace(0, frames / 12, frames), np.full(frames, 0.95), np.zeros(frames)], axis=1)
    return Pose(from_rotvec(turns), root, np.array([0.5, -0.3]) if shape is None else shape)
