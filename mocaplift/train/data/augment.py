"""More poses than were recorded: mirror images, blends of two people, turned limbs, tilted bodies.

Half an hour of motion capture leaves most combinations of arms and legs unseen; what these functions add is
anatomically as plausible as their ranges. Ranges: a trial on real video found them worth having.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.layouts import SMPL24
from mocaplift.rotations import about_axis, conjugate, from_rotvec, multiply, normalize, rotate

LOWER_BODY = (
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot",
)  # fmt: skip
# Standard deviation (rad) of the random turn of a limb or the trunk. Knees and elbows are hinges and stay.
TURN_SIGMA = {
    "spine1": 0.10, "spine2": 0.10, "spine3": 0.10, "neck": 0.15, "head": 0.15,
    "left_hip": 0.20, "right_hip": 0.20, "left_ankle": 0.12, "right_ankle": 0.12,
    "left_collar": 0.06, "right_collar": 0.06, "left_shoulder": 0.30, "right_shoulder": 0.30,
}  # fmt: skip
LARGEST_TILT = np.radians(150.0)


def mirrored(rotations: Float[np.ndarray, "T 24 4"]) -> Float[np.ndarray, "T 24 4"]:
    """Return the poses' mirror images: left and right exchanged, x flipped.

    A reflection x -> -x turns a rotation (w, x, y, z) into (w, x, -y, -z).
    """
    return rotations[:, list(SMPL24.mirror)] * np.array([1.0, 1.0, -1.0, -1.0])


def blended(rotations: Float[np.ndarray, "T 24 4"], rng: np.random.Generator) -> Float[np.ndarray, "T 24 4"]:
    """Return the poses with the legs of other poses, upright ones only exchanged with upright ones.

    The pelvis stays: it carries the trunk.
    """
    up = rotate(rotations[:, 0], np.array([0.0, 1.0, 0.0]))[:, 1]
    out = rotations.copy()
    legs = SMPL24.index(*LOWER_BODY)
    for group in (up > 0.8, up <= 0.8):
        members = np.flatnonzero(group)
        out[members[:, None], legs] = rotations[rng.permutation(members)[:, None], legs]
    return out


def limbs_turned(
    rotations: Float[np.ndarray, "T 24 4"], rng: np.random.Generator
) -> Float[np.ndarray, "T 24 4"]:
    """Return the poses with every ball joint turned a little at random (`TURN_SIGMA`)."""
    out = rotations.copy()
    for joint, sigma in TURN_SIGMA.items():
        place = SMPL24.at(joint)
        turn = from_rotvec(rng.normal(0.0, sigma, (len(rotations), 3)))
        out[:, place] = multiply(out[:, place], turn)
    return out


def tilted(rotations: Float[np.ndarray, "T 24 4"], rng: np.random.Generator) -> Float[np.ndarray, "T 24 4"]:
    """Return the poses with the whole body tilted about random horizontal axes, up to `LARGEST_TILT`."""
    heading = rng.uniform(0, 2 * np.pi, len(rotations))
    axis = np.stack([np.cos(heading), np.zeros_like(heading), np.sin(heading)], axis=-1)
    turn = from_rotvec(axis * rng.uniform(np.radians(30), LARGEST_TILT, len(rotations))[:, None])
    out = rotations.copy()
    out[:, 0] = multiply(turn, out[:, 0])
    return without_yaw(out)


def without_yaw(rotations: Float[np.ndarray, "T 24 4"]) -> Float[np.ndarray, "T 24 4"]:
    """Return the poses turned about the vertical so that they face +Z.

    The heading is the twist of the pelvis about the vertical axis (swing-twist decomposition); where the pelvis
    is upside down it is undefined and left alone.
    """
    pelvis = rotations[:, 0]
    twist = np.arctan2(pelvis[:, 2], pelvis[:, 0])
    undefined = np.hypot(pelvis[:, 2], pelvis[:, 0]) < 1e-6
    yaw = about_axis("Y", np.where(undefined, 0.0, 2 * twist))
    out = rotations.copy()
    out[:, 0] = normalize(multiply(conjugate(yaw), pelvis))
    return out
