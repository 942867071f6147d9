"""The walker as a detector sees it: keypoints of a camera that stands anywhere around, with noise."""

from __future__ import annotations

import numpy as np

from mocaplift.cameras import cam_points, intrinsics_from_fov, look_at, project
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D
from tests.walker import walker

SIZE = (1280, 720)


def camera(azimuth_deg: float, distance: float = 5.0) -> Camera:
    """Return a camera at chest height; 0 sees the walker, who comes along +Z, from the front, 90 from his left."""
    angle = np.radians(azimuth_deg)
    middle = np.array([0.0, 0.9, 1.5])
    eye = middle + distance * np.array([np.sin(angle), 0.1, np.cos(angle)])
    return Camera("one", intrinsics_from_fov(60, SIZE), np.zeros(5), look_at(eye, middle), SIZE)


def seen_walker(
    azimuth_deg: float = 0.0, *, frames: int = 90, fps: float = 30.0, noise: float = 0.012, conf: float = 0.6
) -> Keypoints2D:
    """Return a walker's keypoints, off by `noise` metres at his depth, with exact landmarks."""
    walk = walker(frames, fps)
    eye = camera(azimuth_deg)
    rng = np.random.default_rng(7)
    points = cam_points(eye, walk.keypoints.xyz)
    hips = points[:, BODY21.index("left_hip", "right_hip")].mean(axis=1, keepdims=True)
    xyz = walk.keypoints.xyz + rng.normal(0, noise, walk.keypoints.xyz.shape)
    return Keypoints2D(
        project(eye, xyz), np.full(xyz.shape[:2], conf), BODY21, fps, SIZE, landmarks=points - hips
    )


def changed(keypoints: Keypoints2D, **parts: np.ndarray) -> Keypoints2D:
    """Return the keypoints with other xy, conf or landmarks; points of confidence 0 become NaN."""
    xy, conf = parts.get("xy", keypoints.xy), parts.get("conf", keypoints.conf)
    landmarks = parts.get("landmarks", keypoints.landmarks)
    xy = np.where(conf[..., None] > 0, xy, np.nan)
    return Keypoints2D(xy, conf, keypoints.layout, keypoints.fps, keypoints.size, landmarks=landmarks)


def joints(*parts: str) -> list[int]:
    """Return the places of the left and right joints of some parts."""
    return BODY21.index(*(f"{side}_{part}" for part in parts for side in ("left", "right")))
