"""Plain triangulation: the confidence-weighted direct linear transform, joint by joint and frame by frame.

The baseline of the literature (Hartley and Zisserman, Multiple View Geometry, section 12.2), lens distortion
removed. No prior, no time, no outlier rejection: it is here to be compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import cam_points, normalized
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.lift.view_rays import check_views
from mocaplift.values import Camera, Keypoints2D, Motion3D

# Rays closer to parallel than this (ratio of singular values) meet nowhere.
LEAST_RATIO = 1e-6


def lift(views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> Motion3D:
    """Return the points that two or more views see, in body21, world metres; others are missing.

    Raises:
        InvalidData: fewer than two views, not one camera for each, or views of different lengths.
    """
    check_views(views, cameras)
    seen = [remap_keypoints(view, BODY21) for view in views]
    conf = np.stack([view.conf for view in seen])
    rows = np.concatenate(
        [
            _rows(view, camera) * view.conf[..., None, None]
            for view, camera in zip(seen, cameras, strict=True)
        ],
        axis=-2,
    )
    _, singular, vectors = np.linalg.svd(rows)
    point = vectors[..., -1, :]
    solvable = ((conf > 0).sum(axis=0) >= 2) & (singular[..., 2] > LEAST_RATIO * singular[..., 0])
    solvable &= np.abs(point[..., 3]) > 1e-12
    xyz = point[..., :3] / np.where(solvable, point[..., 3], 1.0)[..., None]
    return Motion3D(
        xyz=np.where(solvable[..., None], xyz, np.nan),
        sigma=np.where(solvable, _spread(xyz, seen, cameras), np.inf),
        layout=BODY21,
        fps=views[0].fps,
    )


def _rows(view: Keypoints2D, camera: Camera) -> Float[np.ndarray, "T 21 2 4"]:
    """Return x P3 - P1 and y P3 - P2 in normalised coordinates; zero where nothing was seen."""
    plane = np.nan_to_num(normalized(camera, view.xy))
    pose = camera.cam_from_world[:3]
    return plane[..., None] * pose[2] - pose[:2]


def _spread(
    xyz: Float[np.ndarray, "T 21 3"], views: Sequence[Keypoints2D], cameras: Sequence[Camera]
) -> Float[np.ndarray, "T 21"]:
    """Return the expected error (m): that of the detections, or the distance to their rays where it is larger."""
    total = np.zeros(xyz.shape[:2])
    count = np.zeros(xyz.shape[:2])
    for view, camera in zip(views, cameras, strict=True):
        near = cam_points(camera, xyz)
        plane = np.nan_to_num(normalized(camera, view.xy))
        miss = np.linalg.norm(near[..., :2] - plane * near[..., 2:], axis=-1)
        known = view.conf > 0
        total += np.where(known, np.square(np.where(known, confidence_sigma(view), 0.0)) + miss**2, 0.0)
        count += known
    return np.sqrt(total / np.maximum(count, 1))
