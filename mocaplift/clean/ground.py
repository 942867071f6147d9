"""Where the floor is, and moving the whole clip onto it: one rigid correction, so that a jump stays a jump.

What moves the motion must move the cameras and every other point of the same world, or nothing reprojects any
more: the corrections are returned as transforms [4 4], and `move_*` apply them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import Motion3D, Skeleton, SkeletonMotion
from mocaplift.windows import runs

# Big toe keypoints are on the skin, this much above the sole of a foot that stands flat; heels a little more
# (m, the mean body of `weights/body.safetensors`; a caller that has the body model passes its own).
SOLE_DROP = 0.028
# The floor is sought upwards from the low end of the stances: a foot on a step or a stool is not on it.
LOW_SHARE = 5.0  # percentile
# A stance this far from the floor has no say in where the floor is (Tukey's biweight). Lower than a step.
STANCE_REACH = 0.12  # m
# One stance's height is this uncertain (m), and cameras are this level (rad): together they decide how much of
# a slope in the stances is believed. Stances along a line say nothing about the slope across it.
STANCE_ERROR = 0.02
LEVEL_ERROR = np.radians(1.5)
# A tilt below this is the camera's error and is taken out; above it, a ramp or stairs, and stays.
LARGEST_TILT = 3.0  # degrees
# The body's first direction is averaged over this long: one frame's would be noise.
HEADING_WINDOW = 0.5  # s
_ROUNDS = 20


class Floor(NamedTuple):
    """A floor found in a clip: `transform` [4 4] takes the clip's world to one whose floor is y = 0."""

    transform: Float[np.ndarray, "4 4"]
    tilt_deg: float  # of what the stances suggest, also where it was not taken out
    height: float  # m, above the old world's y = 0, at the middle of the stances
    stances: int  # how many there were; 0: the lowest points of the body decided


def find_floor(
    keypoints: Motion3D,
    contacts: Bool[np.ndarray, "T F"],
    drop: float | Float[np.ndarray, "F"] = SOLE_DROP,
) -> Floor:
    """Return the floor under the planted points, and the rigid transform that brings it to y = 0, level.

    `drop` is how far (m) each point of `layouts.CONTACT_POINTS` is above the sole of a flat foot. Without any
    contact the floor is under the lowest points of the body.

    Raises:
        InvalidData: no point of the clip is finite.
    """
    stances = _stances(keypoints, contacts, np.broadcast_to(np.asarray(drop, float), (len(CONTACT_POINTS),)))
    if len(stances) == 0:
        lowest = keypoints.xyz[np.isfinite(keypoints.xyz).all(axis=-1).any(axis=1), :, 1]
        if len(lowest) == 0:
            raise InvalidData("no point of the clip is known, so there is no floor to find")
        height = float(np.percentile(np.nanmin(lowest, axis=1), LOW_SHARE) - np.min(drop))
        return Floor(_translation(np.array([0.0, -height, 0.0])), 0.0, height, 0)
    middle = np.median(stances, axis=0)
    height, slope = _robust_plane(stances - middle * (1, 0, 1))
    normal = np.array([-slope[0], 1.0, -slope[1]]) / np.sqrt(1 + slope @ slope)
    tilt_deg = float(np.degrees(np.arccos(normal[1])))
    transform = _translation(np.array([0.0, -height, 0.0]))
    if tilt_deg <= LARGEST_TILT:
        turn = np.eye(4)
        turn[:3, :3] = rotations.to_matrix(rotations.from_two_vectors(normal, np.array([0.0, 1.0, 0.0])))
        on_floor = np.array([middle[0], height, middle[2]])
        transform = transform @ _translation(on_floor) @ turn @ _translation(-on_floor)
    return Floor(transform, tilt_deg, height, len(stances))


def start_transform(motion: SkeletonMotion) -> Float[np.ndarray, "4 4"]:
    """Return the turn about +Y and the shift along the floor with which a clip starts over the origin, facing +Z.

    The direction is the hips' over the first half second. The height stays.
    """
    first = motion.rotations[: max(round(HEADING_WINDOW * motion.fps), 1), 0]
    # Both tell where the hips face: their own forward axis, and what is left of "left" seen from above. Bent
    # forward or lying, the first points into the floor and the second decides.
    forward = rotations.rotate(first, np.array([0.0, 0.0, 1.0]))
    left = rotations.rotate(first, np.array([1.0, 0.0, 0.0]))
    x, z = (forward[:, 0] - left[:, 2]).sum(), (forward[:, 2] + left[:, 0]).sum()
    turn = np.eye(4)
    turn[:3, :3] = rotations.to_matrix(rotations.about_axis("Y", -np.arctan2(x, z)))
    return turn @ _translation(-motion.root[0] * (1, 0, 1))


def move_motion(motion: SkeletonMotion, transform: Float[np.ndarray, "4 4"]) -> SkeletonMotion:
    """Return the motion in the world that a rigid transform leads to."""
    turn = rotations.from_matrix(transform[:3, :3])
    turned = motion.rotations.copy()
    turned[:, 0] = rotations.multiply(turn, turned[:, 0])
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=rotations.make_continuous(rotations.normalize(turned)),
        root=_moved(motion.root, transform),
        fps=motion.fps,
    )


def move_points(points: Motion3D, transform: Float[np.ndarray, "4 4"]) -> Motion3D:
    """Return the points in the world that a rigid transform leads to."""
    return Motion3D(_moved(points.xyz, transform), points.sigma, points.layout, points.fps)


def sole_drops(
    skeleton: Skeleton, attachments: Mapping[str, tuple[str, Float[np.ndarray, "3"]]], sole: float = SOLE_DROP
) -> Float[np.ndarray, "F"]:
    """Return how far (m) each of `layouts.CONTACT_POINTS` is above the sole of the foot at rest.

    `attachments` tells which joint each rides on, and where. The lowest of a foot's points is `sole` above it.

    Raises:
        InvalidData: a point is missing, or rides on a joint that the skeleton lacks.
    """
    rest = kinematics.rest_positions(skeleton)
    heights = []
    for name in CONTACT_POINTS:
        if name not in attachments:
            raise InvalidData(f"no attachment tells where {name} is on the skeleton")
        joint, offset = attachments[name]
        heights.append(rest[skeleton.layout.at(joint), 1] + offset[1])
    sides = np.array([name.split("_", 1)[0] for name in CONTACT_POINTS])
    lowest = np.array(
        [min(h for h, side in zip(heights, sides, strict=True) if side == own) for own in sides]
    )
    return np.array(heights) - lowest + sole


def _moved(
    xyz: Float[np.ndarray, "*lead 3"], transform: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "*lead 3"]:
    return xyz @ transform[:3, :3].T + transform[:3, 3]


def _translation(shift: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    transform = np.eye(4)
    transform[:3, 3] = shift
    return transform


def _stances(
    keypoints: Motion3D, contacts: Bool[np.ndarray, "T F"], drop: Float[np.ndarray, "F"]
) -> Float[np.ndarray, "N 3"]:
    """Return the middle of the sole in every stance: a stance is one observation, however long it lasts."""
    found = []
    for column, point in enumerate(keypoints.layout.index(*CONTACT_POINTS)):
        for first, end in runs(contacts[:, column]):
            here = keypoints.xyz[first:end, point]
            here = here[np.isfinite(here).all(axis=-1)]
            if len(here):
                found.append(np.median(here, axis=0) - (0.0, drop[column], 0.0))
    return np.array(found).reshape(-1, 3)


def _robust_plane(points: Float[np.ndarray, "N 3"]) -> tuple[float, Float[np.ndarray, "2"]]:
    """Return height and slopes (dy/dx, dy/dz) at x = z = 0 of the plane that most of the low points share.

    Iteratively reweighted least squares with Tukey's biweight from a level plane at the low end, and a prior
    that the plane is level.
    """
    height, slope = float(np.percentile(points[:, 1], LOW_SHARE)), np.zeros(2)
    design = np.column_stack([np.ones(len(points)), points[:, 0], points[:, 2]])
    prior = np.diag([0.0, 1 / LEVEL_ERROR**2, 1 / LEVEL_ERROR**2])
    for _ in range(_ROUNDS):
        residual = points[:, 1] - design @ np.array([height, *slope])
        weights = np.clip(1 - (residual / STANCE_REACH) ** 2, 0, None) ** 2 / STANCE_ERROR**2
        if weights.sum() == 0:
            break
        normal = design.T @ (weights[:, None] * design) + prior
        height, *rest = np.linalg.solve(normal, design.T @ (weights * points[:, 1]))
        slope = np.array(rest)
    return float(height), slope
