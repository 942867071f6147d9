"""What one uncalibrated camera leaves open: focal length, gravity. Each is given, found, or assumed, and told.

A single view never tells how large things are or where down is; the figures here are what the result rests on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import intrinsics_from_focal, intrinsics_from_fov
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.options import Options
from mocaplift.rotations import from_two_vectors, to_matrix
from mocaplift.values import Camera, Clip, Motion3D
from mocaplift.windows import runs

# Angle (degrees) that the longer side of an unknown camera's picture covers. Phones' main cameras film with 60
# to 70, after stabilisation 55 to 65; webcams with 55 to 78; a 50 mm lens with 40.
USUAL_FOV = 60.0

# Standing people lean by this much about the vertical (radians), one stance differing from the next.
LEAN = np.radians(5.0)
# And a person's own habit, or the guard of a fighter, leans all through a clip: it does not average out.
HABIT = np.radians(3.0)
# A photographer holds a camera level within this (radians), before anything was seen.
USUAL_PITCH, USUAL_ROLL = np.radians(10.0), np.radians(3.0)
# Error of a planted foot's place along the line of sight, metres: what a floor's slope is worth.
STANCE_ERROR = 0.15
# Upright: hips over the ankles by at least this share of the leg's length, so that floor moves do not vote.
UPRIGHT_SHARE = 0.85
# Independent evidence comes at this rate at most (per second): neighbouring frames lean alike.
VOTES_PER_SECOND = 1.0
MOST_TILT = np.radians(45.0)  # evidence for a steeper camera than this is a mistake


@dataclass(frozen=True)
class Gravity:
    """Where down is, as a turn of the world that makes it level; and its source: `given`, `contacts`, `prior`."""

    level_from_world: Float[np.ndarray, "4 4"]
    source: str


def assumed_camera(clip: Clip, options: Options) -> tuple[Camera, str]:
    """Return the camera of a clip at the world's origin, level or pitched as given, and where its focal came from.

    The source is `given`, `metadata` or `prior`. Frames of slow motion have the same lens.
    """
    focal = clip.facts.get("focal_px")
    if options.focal is not None:
        intrinsics, source = intrinsics_from_focal(options.focal, clip.size), "given"
    elif options.fov is not None:
        intrinsics, source = intrinsics_from_fov(options.fov, clip.size), "given"
    elif focal is not None:
        intrinsics, source = intrinsics_from_focal(float(focal), clip.size), "metadata"
    else:
        intrinsics, source = intrinsics_from_fov(USUAL_FOV, clip.size), "prior"
    return Camera(
        name=clip.path.stem,
        intrinsics=intrinsics,
        distortion=np.zeros(5),
        cam_from_world=_looking_ahead(np.radians(options.pitch or 0.0)),
        size=clip.size,
    ), source


def pitch_and_roll(camera: Camera) -> tuple[float, float]:
    """Return a camera's angles in degrees: pitch is positive when it looks down, roll when it leans right."""
    right, down, forward = camera.cam_from_world[:3, :3]
    pitch = np.degrees(np.arcsin(np.clip(-forward[1], -1, 1)))
    return float(pitch), float(np.degrees(np.arctan2(-right[1], -down[1])))


def find_gravity(keypoints: Motion3D, contacts: Bool[np.ndarray, "T F"], camera: Camera) -> Gravity:
    """Return where down is, from how the person stands and from the floor that the planted feet make.

    A Gaussian estimate of two small angles: the world's slopes along the camera's forward and right. Every
    second of upright standing votes for its own lean, the stances' plane for its slope, the camera's usual
    attitude for the rest.
    """
    forward = camera.cam_from_world[2, :3] * [1.0, 0.0, 1.0]
    forward /= max(float(np.linalg.norm(forward)), 1e-9)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    axes = np.stack([forward, right])
    precision = np.diag([1 / USUAL_PITCH**2, 1 / USUAL_ROLL**2])
    pull = np.zeros(2)
    lean = _leans(keypoints, contacts)
    if len(lean):
        # Up leans along an axis by the tangent of the angle; the median is safe against bows and kicks.
        slopes = np.median(lean @ axes.T / lean[:, 1:2], axis=0)
        votes = max(1.0, len(lean) / keypoints.fps * VOTES_PER_SECOND)
        weight = 1 / (HABIT**2 + LEAN**2 / votes)
        precision += np.eye(2) * weight
        pull += slopes * weight
    floor = _floor_evidence(keypoints, contacts, axes)
    if floor is not None:
        precision += floor[0]
        pull += floor[1]
    if not len(lean) and floor is None:
        return Gravity(np.eye(4), "prior")
    slopes = np.clip(np.linalg.solve(precision, pull), -np.tan(MOST_TILT), np.tan(MOST_TILT))
    up = np.array([0.0, 1.0, 0.0]) + slopes @ axes
    turn = np.eye(4)
    turn[:3, :3] = to_matrix(from_two_vectors(up, np.array([0.0, 1.0, 0.0])))
    return Gravity(turn, "contacts")


def _looking_ahead(pitch: float) -> Float[np.ndarray, "4 4"]:
    """Return `cam_from_world` of a camera at the origin that looks along -Z, turned down by `pitch` radians."""
    cos, sin = np.cos(pitch), np.sin(pitch)
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = [[1.0, 0.0, 0.0], [0.0, -cos, sin], [0.0, -sin, -cos]]
    return cam_from_world


def _leans(keypoints: Motion3D, contacts: Bool[np.ndarray, "T F"]) -> Float[np.ndarray, "N 3"]:
    """Return the directions from the ankles to the shoulders in the frames in which the person stands upright."""
    layout, xyz = keypoints.layout, keypoints.xyz
    middle = {
        part: xyz[:, layout.index(f"left_{part}", f"right_{part}")].mean(axis=1)
        for part in ("shoulder", "hip", "knee", "ankle")
    }
    up = middle["shoulder"] - middle["ankle"]
    leg = np.linalg.norm(middle["hip"] - middle["knee"], axis=-1)
    leg = leg + np.linalg.norm(middle["knee"] - middle["ankle"], axis=-1)
    reach = np.linalg.norm(middle["hip"] - middle["ankle"], axis=-1)
    body = np.linalg.norm(middle["shoulder"] - middle["hip"], axis=-1) + leg
    straight = (reach > UPRIGHT_SHARE * leg) & (np.linalg.norm(up, axis=-1) > UPRIGHT_SHARE * body)
    standing = straight & contacts.any(axis=1) & (up[:, 1] > np.cos(MOST_TILT) * np.linalg.norm(up, axis=-1))
    return up[standing]


def _floor_evidence(
    keypoints: Motion3D, contacts: Bool[np.ndarray, "T F"], axes: Float[np.ndarray, "2 3"]
) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, "2"]] | None:
    """Return precision and pull of the slopes of the plane through the planted feet; None with too few."""
    points = []
    for column, name in enumerate(CONTACT_POINTS):
        here = keypoints.xyz[:, keypoints.layout.at(name)]
        points += [np.median(here[a:b], axis=0) for a, b in runs(contacts[:, column])]
    if len(points) < 3:
        return None
    place = np.array(points) - np.median(points, axis=0)
    along = place @ axes.T
    # height = -slope . place: up leans towards where the floor sinks.
    square = along.T @ along / STANCE_ERROR**2
    return square, -along.T @ place[:, 1] / STANCE_ERROR**2
