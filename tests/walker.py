"""A synthetic person who walks, with known stance phases: the oracle of the clean-up and export tests.

The skeleton is breadth-first (smpl24); left and right differ, so that a swapped order or side shows. Feet
are planted exactly: the heel lands and turns, the foot lies flat, the toe stays while the heel rises. The
legs follow by a construction of their own (bone directions to frames), not by the code under test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mocaplift import kinematics, rotations
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.values import Motion3D, Skeleton, SkeletonMotion

THIGH, SHIN = 0.42, 0.41  # m
ANKLE_HEIGHT = 0.088  # m, above the sole: heel and toe points, 6 cm below the ankle, are 2.8 cm above it
PERIOD = 1.1  # s, of one stride (two steps)
# Shares of the stride, from the moment the heel lands: whole foot down, heel up, toe off.
FOOT_FLAT, HEEL_OFF, TOE_OFF = 0.08, 0.40, 0.62

# Metres from the parent, at rest. The left arm is longer than the right.
_OFFSETS = {
    "pelvis": (0, 0, 0),
    "left_hip": (0.09, -0.08, 0), "right_hip": (-0.10, -0.08, 0), "spine1": (0, 0.11, -0.02),
    "left_knee": (0, -THIGH, 0), "right_knee": (0, -THIGH, 0), "spine2": (0, 0.13, 0.01),
    "left_ankle": (0, -SHIN, 0), "right_ankle": (0, -SHIN, 0), "spine3": (0, 0.06, 0.01),
    "left_foot": (0.02, -0.06, 0.12), "right_foot": (-0.02, -0.06, 0.12),
    "neck": (0, 0.21, -0.03), "left_collar": (0.08, 0.12, -0.02), "right_collar": (-0.08, 0.12, -0.02),
    "head": (0, 0.09, 0.05), "left_shoulder": (0.10, 0.03, -0.01), "right_shoulder": (-0.10, 0.03, -0.01),
    "left_elbow": (0.28, -0.01, 0), "right_elbow": (-0.26, -0.01, 0),
    "left_wrist": (0.26, 0, 0), "right_wrist": (-0.25, 0, 0),
    "left_hand": (0.08, 0, 0), "right_hand": (-0.08, 0, 0),
}  # fmt: skip

# Where body21 points ride: joint, metres from it at rest. The others are the joints of the same name.
ATTACHMENTS = {
    "nose": ("head", (0, 0.05, 0.11)),
    "left_eye": ("head", (0.03, 0.08, 0.09)), "right_eye": ("head", (-0.03, 0.08, 0.09)),
    "left_ear": ("head", (0.075, 0.06, 0.01)), "right_ear": ("head", (-0.075, 0.06, 0.01)),
    "left_heel": ("left_ankle", (0, -0.06, -0.05)), "right_heel": ("right_ankle", (0, -0.06, -0.05)),
    "left_big_toe": ("left_foot", (-0.02, 0, 0.07)), "right_big_toe": ("right_foot", (0.02, 0, 0.07)),
}  # fmt: skip
FOOT_POINTS = {name: (joint, np.array(offset, float)) for name, (joint, offset) in ATTACHMENTS.items()
               if name in CONTACT_POINTS}  # fmt: skip


class Walk(NamedTuple):
    """A motion and what is true of it."""

    motion: SkeletonMotion
    contacts: np.ndarray  # [T 4] bool, columns CONTACT_POINTS
    keypoints: Motion3D  # body21


def skeleton(scale: float = 1.0) -> Skeleton:
    offsets = np.array([_OFFSETS[joint] for joint in SMPL24.joints], dtype=float) * scale
    return Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=offsets)


def keypoints_of(motion: SkeletonMotion) -> Motion3D:
    """Return the body21 points that ride on the skeleton."""
    xyz, turned = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    out = np.zeros((len(xyz), len(BODY21), 3))
    for column, name in enumerate(BODY21.joints):
        joint, offset = ATTACHMENTS.get(name, (name, (0, 0, 0)))
        place = SMPL24.at(joint)
        out[:, column] = xyz[:, place] + rotations.rotate(turned[:, place], np.array(offset, float))
    return Motion3D(xyz=out, sigma=np.full(out.shape[:2], 0.01), layout=BODY21, fps=motion.fps)


def walker(frames: int = 90, fps: float = 30.0, speed: float = 1.0, heading: float = 0.0) -> Walk:
    """Return a person walking straight ahead (towards +Z turned by `heading` radians about +Y)."""
    t = np.arange(frames) / fps
    body = skeleton()
    turns = np.zeros((frames, len(SMPL24), 4))
    turns[:] = rotations.IDENTITY
    swing = 2 * np.pi * t / PERIOD
    _pose_upper_body(turns, swing)
    turns[:, 0] = rotations.from_rotvec(
        np.stack([0.05 + 0 * t, 0.08 * np.sin(swing), 0.03 * np.sin(swing)], -1)
    )
    root = np.stack([0.02 * np.sin(swing), 0.845 + 0.012 * np.cos(2 * swing), speed * t], axis=-1)
    contacts = np.zeros((frames, len(CONTACT_POINTS)), dtype=bool)
    for side, lag in (("left", 0.0), ("right", 0.5)):
        ankle, pitch, down = _foot_path(t / PERIOD + lag, lag, speed * PERIOD, _OFFSETS[f"{side}_hip"][0])
        _place_leg(body, turns, root, side, ankle, pitch)
        for part in ("heel", "big_toe"):
            contacts[:, CONTACT_POINTS.index(f"{side}_{part}")] = down[part]
    turn = rotations.about_axis("Y", heading)
    turns[:, 0] = rotations.multiply(turn, turns[:, 0])
    motion = SkeletonMotion(
        skeleton=body,
        rotations=rotations.make_continuous(turns),
        root=rotations.rotate(turn, root),
        fps=fps,
    )
    return Walk(motion, contacts, keypoints_of(motion))


def _smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * x * (10 - 15 * x + 6 * x * x)


def _foot_path(stride: np.ndarray, lag: float, length: float, side: float):
    """Return the ankle [T 3], the foot's pitch (rad, toe up negative about +X) and what is down."""
    number = np.floor(stride)
    phase = stride - number
    # The ankle above its own flat stance, ahead of the body by what half a flat phase travels.
    flat_z = (number - lag + (FOOT_FLAT + HEEL_OFF) / 2) * length
    heel, toe = np.array([-0.06, -0.05]), np.array([-0.06, 0.19])  # (y, z) from the ankle
    landing, leaving = -0.25, 0.60  # rad

    def pivoted(z, pivot, angle):
        """Return (y, z) of the ankle when the flat foot at z turns about one of its points."""
        cos, sin = np.cos(angle), np.sin(angle)
        y = ANKLE_HEIGHT + pivot[0] - (pivot[0] * cos - pivot[1] * sin)
        return y, z + pivot[1] - (pivot[0] * sin + pivot[1] * cos)

    pitch_in = landing * (1 - _smoothstep(phase / FOOT_FLAT))
    pitch_out = leaving * _smoothstep((phase - HEEL_OFF) / (TOE_OFF - HEEL_OFF))
    pitch = np.where(phase < FOOT_FLAT, pitch_in, pitch_out)
    y, z = np.where(phase < FOOT_FLAT, pivoted(flat_z, heel, pitch_in), pivoted(flat_z, toe, pitch_out))
    share = _smoothstep((phase - TOE_OFF) / (1 - TOE_OFF))
    start = pivoted(flat_z, toe, np.full_like(phase, leaving))
    end = pivoted(flat_z + length, heel, np.full_like(phase, landing))
    arc = 0.03 * np.sin(np.pi * share) ** 2
    in_air = phase >= TOE_OFF
    y = np.where(in_air, start[0] + (end[0] - start[0]) * share + arc, y)
    z = np.where(in_air, start[1] + (end[1] - start[1]) * share, z)
    pitch = np.where(in_air, leaving + (landing - leaving) * share, pitch)
    down = {"heel": phase <= HEEL_OFF, "big_toe": (phase >= FOOT_FLAT) & (phase <= TOE_OFF)}
    return np.stack([np.full_like(y, side), y, z], axis=-1), pitch, down


def _place_leg(body, turns, root, side, ankle, pitch) -> None:
    """Write the leg's rotations: the knee bends in the plane of the hip's forward axis and the leg."""
    names = [f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]
    hip, knee, foot = SMPL24.index(*names)
    pelvis = rotations.to_matrix(turns[:, 0])
    start = root + pelvis @ body.offsets[hip]
    reach = ankle - start
    distance = np.linalg.norm(reach, axis=-1)
    assert distance.max() < THIGH + SHIN - 0.002, f"the leg is {distance.max() - THIGH - SHIN} m too short"
    along = reach / distance[:, None]
    left = pelvis[:, :, 0] - np.sum(pelvis[:, :, 0] * along, axis=-1, keepdims=True) * along
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    forward = np.cross(along, left) * -1.0
    cosine = (THIGH**2 + distance**2 - SHIN**2) / (2 * THIGH * distance)
    middle = start + THIGH * (cosine[:, None] * along + np.sqrt(1 - cosine**2)[:, None] * forward)

    def frame(bone):
        down = bone / np.linalg.norm(bone, axis=-1, keepdims=True)
        return np.stack([left, -down, np.cross(left, -down)], axis=-1)

    upper, lower = frame(middle - start), frame(ankle - middle)
    cos, sin, zero, one = np.cos(pitch), np.sin(pitch), np.zeros_like(pitch), np.ones_like(pitch)
    sole = np.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], axis=-1).reshape(-1, 3, 3)
    for joint, parent, own in ((hip, pelvis, upper), (knee, upper, lower), (foot, lower, sole)):
        turns[:, joint] = rotations.from_matrix(np.swapaxes(parent, -1, -2) @ own)


def _pose_upper_body(turns, swing) -> None:
    """Write arms that swing against the legs, the left one farther, and a head that looks to the left."""
    for side, sign, size in (("left", 1.0, 0.5), ("right", -1.0, 0.3)):
        shoulder, elbow, wrist = SMPL24.index(
            *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist"))
        )
        hang = rotations.about_axis("Z", -sign * 1.25)
        sway = rotations.about_axis("X", sign * size * np.cos(swing))
        turns[:, shoulder] = rotations.multiply(sway, hang)
        turns[:, elbow] = rotations.about_axis("Y", -sign * (0.4 + 0.2 * np.sin(swing)))
        turns[:, wrist] = rotations.about_axis("X", 0.2 * np.sin(swing))
    turns[:, SMPL24.at("head")] = rotations.about_axis("Y", 0.35)
    turns[:, SMPL24.at("spine2")] = rotations.about_axis("Y", -0.1 * np.sin(swing))
