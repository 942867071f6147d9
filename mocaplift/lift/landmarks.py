"""Lifting by the detector's own 3D landmarks, where it has any: put on their rays at the size of a body.

A detector such as MediaPipe guesses a pose in metres about the hips, without a place in the world. Its scale is
made that of the body model, its place is the one that meets the keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mocaplift.body import load_body
from mocaplift.cameras import normalized
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.values import Camera, Keypoints2D, Motion3D

# What a landmark is worth (m), its path in depth counted: a start of the fit, and hardly more (measured).
LANDMARK_SIGMA = 0.5
# Bones whose lengths set the scale.
SCALE_BONES = (
    ("left_hip", "left_knee"), ("right_hip", "right_knee"), ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
)  # fmt: skip
FARTHEST = 200.0  # m
NEAREST = 0.3  # m


def lift(views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> Motion3D:
    """Return the detector's own pose of one person seen by one camera, in body21, world metres.

    Frames without landmarks, or with too few keypoints to place them, are missing.

    Raises:
        InvalidData: not exactly one view, or a view without landmarks.
    """
    if len(views) != 1 or len(cameras) != 1:
        raise InvalidData(f"landmarks are lifted from one view, but {len(views)} were given")
    if views[0].landmarks is None:
        raise InvalidData("this detector gives no 3D landmarks of its own; choose another lifter")
    keypoints, camera = remap_keypoints(views[0], BODY21), cameras[0]
    assert keypoints.landmarks is not None
    pose = keypoints.landmarks * _scale(keypoints.landmarks)
    place = _place(pose, keypoints, camera)
    in_camera = pose + place[:, None]
    rotation, offset = camera.cam_from_world[:3, :3], camera.cam_from_world[:3, 3]
    xyz = (in_camera - offset) @ rotation
    seen = np.isfinite(xyz).all(axis=-1)
    return Motion3D(
        xyz=np.where(seen[..., None], xyz, np.nan),
        sigma=np.where(seen, LANDMARK_SIGMA, np.inf),
        layout=BODY21,
        fps=keypoints.fps,
    )


def _scale(landmarks: Float[np.ndarray, "T 21 3"]) -> float:
    """Return the factor that gives the landmarks the mean body's size: the median over bones and frames."""
    body = load_body()
    rest = body.rest_keypoints(np.zeros(body.num_shape))
    ratios = []
    for a, b in SCALE_BONES:
        length = np.linalg.norm(landmarks[:, BODY21.at(a)] - landmarks[:, BODY21.at(b)], axis=-1)
        usual = np.linalg.norm(rest[BODY21.at(a)] - rest[BODY21.at(b)])
        ratios.append(usual / np.where(length > 0, length, np.nan))
    ratio = np.array(ratios)
    if not np.isfinite(ratio).any():
        raise InvalidData("the detector's 3D landmarks are empty in every frame")
    return float(np.nanmedian(ratio))


def _place(
    pose: Float[np.ndarray, "T 21 3"], keypoints: Keypoints2D, camera: Camera
) -> Float[np.ndarray, "T 3"]:
    """Return the translation that meets the rays: (X + tx) - u (Z + tz) = 0 for every keypoint, least squares."""
    plane = normalized(camera, np.nan_to_num(keypoints.xy))
    spread = confidence_sigma(keypoints)
    seen = np.isfinite(pose).all(-1) & np.isfinite(spread)
    weight = np.where(seen, 1 / spread, 0.0)[..., None]
    pose = np.nan_to_num(pose)
    frames, points = pose.shape[:2]
    rows = np.zeros((frames, points, 2, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -plane
    right = plane * pose[..., 2:] - pose[..., :2]
    flat = (rows * weight[..., None]).reshape(frames, -1, 3)
    pull = np.swapaxes(flat, 1, 2) @ (right * weight).reshape(frames, -1, 1)
    square = np.swapaxes(flat, 1, 2) @ flat
    solvable = seen.sum(axis=1) >= 4
    square = np.where(solvable[:, None, None], square, np.eye(3))
    place = np.linalg.solve(square, pull)[..., 0]
    sane = solvable & (place[:, 2] > NEAREST) & (place[:, 2] < FARTHEST)
    return np.where(sane[:, None], place, np.nan)
