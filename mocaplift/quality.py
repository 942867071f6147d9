"""How good a result is, in numbers that need no ground truth. Every report carries them.

They say what a viewer would see: does the body cover the person in the picture, do feet slide, does it shake,
does anything snap, does it sink into the floor. None says that the depth is right: one camera cannot know; several
that agree do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from mocaplift import cameras as cams
from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import Camera, Keypoints2D, Motion3D, SkeletonMotion

MM = 1000.0
# Points that the detector is less sure of than this (of 1) do not say whether the body is in the right place.
LEAST_CONFIDENCE = 0.3
# Lengths of limbs that do not change in a person; the lifted points' deviation from that is the lifter's noise.
_BONES = (
    ("hip", "knee"),
    ("knee", "ankle"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
)


def measure(
    motion: SkeletonMotion,
    keypoints: Motion3D,
    contacts: Bool[np.ndarray, "T F"],
    views: Sequence[Keypoints2D] = (),
    cameras: Sequence[Camera] = (),
    *,
    joints: Motion3D | None = None,
) -> dict[str, float]:
    """Return the figures of a result; `keypoints` are those that ride on the motion's bones, world metres.

    `joints` are the points before the fit; with them, the constancy of their bone lengths is told as well.
    A figure that nothing speaks for (no view, no contact) is NaN.

    Raises:
        InvalidData: the parts have different lengths.
    """
    lengths = {len(motion.root), len(keypoints.xyz), len(contacts), *(len(view.xy) for view in views)}
    if len(lengths) > 1 or len(views) != len(cameras):
        raise InvalidData(f"parts of one result have different lengths: {sorted(lengths)}")
    feet = keypoints.xyz[:, keypoints.layout.index(*CONTACT_POINTS)]
    found = reprojection(keypoints, views, cameras)
    found |= {
        "contact_share": float(contacts.any(axis=1).mean()) if len(contacts) else np.nan,
        "foot_slide_mm": foot_slide(feet, contacts),
        "foot_slide_p95_mm": foot_slide(feet, contacts, percentile=95.0),
        "jitter_m_s3": jitter(kinematics.joints_of(motion)),
        "largest_turn_deg": largest_turn(motion),
        "floor_penetration_mm": floor_penetration(feet),
        "amplitude_m": amplitude(motion),
    }
    if joints is not None:
        found["bone_length_spread"] = bone_length_spread(joints)
    return found


def reprojection(
    keypoints: Motion3D, views: Sequence[Keypoints2D], cameras: Sequence[Camera]
) -> dict[str, float]:
    """Return how far the body is from what the detector saw: median and 95th percentile in px, and by size.

    `reprojection_share` is the median as a share of the person's height in the picture (the larger side of the
    keypoints' box): 0.01 is 1.7 cm on an adult, at any distance.
    """
    distances, shares = [np.zeros(0)], [np.zeros(0)]
    for view, camera in zip(views, cameras, strict=True):
        columns = keypoints.layout.index(*view.layout.joints)
        ours = cams.project(camera, keypoints.xyz[:, columns])
        sure = (view.conf >= LEAST_CONFIDENCE) & np.isfinite(ours).all(axis=-1)
        distance = np.where(sure, np.linalg.norm(ours - view.xy, axis=-1), np.nan)
        box = np.where(sure[..., None], view.xy, np.nan)
        with np.errstate(invalid="ignore"):
            extent = np.fmax.reduce(box, axis=1) - np.fmin.reduce(box, axis=1)
            size = extent.max(axis=-1, initial=0.0)[:, None]
            share = distance / np.where(size > 0, size, np.nan)
        distances.append(distance[sure])
        shares.append(share[sure & np.isfinite(share)])
    pixels, relative = np.concatenate(distances), np.concatenate(shares)
    return {
        "reprojection_px": _percentile(pixels, 50.0),
        "reprojection_p95_px": _percentile(pixels, 95.0),
        "reprojection_share": _percentile(relative, 50.0),
    }


def by_camera(
    keypoints: Motion3D, views: Sequence[Keypoints2D], cameras: Sequence[Camera]
) -> dict[str, dict[str, float]]:
    """Return how far the body is from what each camera's detector saw (median, px), and how often that saw it.

    A camera whose figure is far above the others' was moved after it was calibrated, or runs on another clock.
    """
    errors, shares = {}, {}
    for view, camera in zip(views, cameras, strict=True):
        errors[camera.name] = reprojection(keypoints, [view], [camera])["reprojection_px"]
        shares[camera.name] = float((view.conf > 0).any(axis=1).mean()) if len(view.conf) else np.nan
    return {"camera_reprojection_px": errors, "camera_seen_share": shares}


def foot_slide(
    feet: Float[np.ndarray, "T F 3"],
    contacts: Bool[np.ndarray, "T F"],
    *,
    percentile: float | None = None,
) -> float:
    """Return how far planted points move along the floor, mm per frame: the mean, or a percentile.

    A step counts between two frames in both of which the point is planted; NaN if there is none.
    """
    steps = MM * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    planted = steps[contacts[1:] & contacts[:-1]]
    planted = planted[np.isfinite(planted)]
    if percentile is not None:
        return _percentile(planted, percentile)
    return float(planted.mean()) if len(planted) else np.nan


def jitter(points: Motion3D) -> float:
    """Return the mean jerk of all points, m/s^3: third differences times fps^3; NaN below four frames.

    Walking has about 50 to 100; what a filter leaves of noise adds to it, what a filter takes of life subtracts.
    """
    jerk = np.linalg.norm(np.diff(points.xyz, n=3, axis=0), axis=-1) * float(points.fps) ** 3
    jerk = jerk[np.isfinite(jerk)]
    return float(jerk.mean()) if len(jerk) else np.nan


def largest_turn(motion: SkeletonMotion) -> float:
    """Return the largest turn of any joint from one frame to the next, degrees: a pop is seen above 20."""
    if len(motion.rotations) < 2:
        return 0.0
    return float(np.degrees(rotations.angle_between(motion.rotations[:-1], motion.rotations[1:]).max()))


def floor_penetration(feet: Float[np.ndarray, "T F 3"]) -> float:
    """Return how far the lowest foot point is below y = 0, mm, in the mean of all frames; above counts as 0."""
    below = np.clip(-np.fmin.reduce(feet[..., 1], axis=1), 0.0, None)
    below = below[np.isfinite(below)]
    return float(MM * below.mean()) if len(below) else np.nan


def amplitude(motion: SkeletonMotion) -> float:
    """Return how much the body moves, metres: the spread of all joints about their mean, relative to the root.

    The root mean square over time and joints. Falls where smoothing takes life out of a motion.
    """
    xyz = kinematics.joints_of(motion).xyz
    relative = xyz[:, 1:] - xyz[:, :1]
    return float(np.sqrt(((relative - relative.mean(axis=0)) ** 2).sum(axis=-1).mean()))


def bone_length_spread(points: Motion3D) -> float:
    """Return the spread of the limbs' lengths over time as a share of the length: 0 for a fitted skeleton.

    The median over limbs of half the range between the 16th and 84th percentile, divided by the median.
    """
    spreads = []
    for side in ("left", "right"):
        for top, end in _BONES:
            a, b = points.layout.index(f"{side}_{top}", f"{side}_{end}")
            length = np.linalg.norm(points.xyz[:, a] - points.xyz[:, b], axis=-1)
            length = length[np.isfinite(length)]
            if len(length):
                low, middle, high = np.percentile(length, (16, 50, 84))
                spreads.append((high - low) / 2 / max(middle, 1e-9))
    return float(np.median(spreads)) if spreads else np.nan


def _percentile(values: Float[np.ndarray, "N"], percentile: float) -> float:
    return float(np.percentile(values, percentile)) if len(values) else np.nan
