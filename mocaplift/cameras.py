"""Cameras: project, undistort, rays, triangulate, and cameras made from scratch.

OpenCV's model (its calib3d documentation): x right, y down, z forward; radial k1 k2 k3, tangential p1 p2.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

# Points nearer to the camera's plane than this (m) have no picture.
NEAREST_DEPTH = 1e-3
# Fixed-point steps of undistortion: an ordinary lens needs 5; in the corners of a 90 degree action camera 20 leave
# 0.002 px.
UNDISTORT_STEPS = 20


def cam_points(camera: Camera, xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3"]:
    """Return world points in the camera's axes, metres."""
    return xyz @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]


def project(camera: Camera, xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 2"]:
    """Return the pixels of world points; NaN behind the camera."""
    seen = cam_points(camera, xyz)
    depth = seen[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ideal = np.where(depth > NEAREST_DEPTH, seen[..., :2] / depth, np.nan)
    return _pixels(camera, _distort(camera.distortion, ideal))


def undistort(camera: Camera, xy: Float[np.ndarray, "*lead 2"]) -> Float[np.ndarray, "*lead 2"]:
    """Return where the pixels would be if the lens had no distortion, in pixels of the same intrinsics."""
    return _pixels(camera, normalized(camera, xy))


def normalized(camera: Camera, xy: Float[np.ndarray, "*lead 2"]) -> Float[np.ndarray, "*lead 2"]:
    """Return pixels as (x/z, y/z) in camera axes, distortion removed.

    Far outside of the picture a lens has no inverse: such pixels are taken as if there were no distortion.
    """
    k = camera.intrinsics
    y = (xy[..., 1] - k[1, 2]) / k[1, 1]
    x = (xy[..., 0] - k[0, 2] - k[0, 1] * y) / k[0, 0]
    distorted = np.stack([x, y], axis=-1)
    if not camera.distortion.any():
        return distorted
    ideal = distorted
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(UNDISTORT_STEPS):
            ideal = ideal + distorted - _distort(camera.distortion, ideal)
    return np.where(np.isfinite(ideal).all(axis=-1, keepdims=True), ideal, distorted)


def centre(camera: Camera) -> Float[np.ndarray, "3"]:
    """Return where the camera stands, world metres."""
    return -camera.cam_from_world[:3, :3].T @ camera.cam_from_world[:3, 3]


def rays(camera: Camera, xy: Float[np.ndarray, "*lead 2"]) -> Float[np.ndarray, "*lead 3"]:
    """Return unit directions in the world, from the camera's centre through the pixels."""
    ideal = normalized(camera, xy)
    direction = np.concatenate([ideal, np.ones_like(ideal[..., :1])], axis=-1) @ camera.cam_from_world[:3, :3]
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True)


def triangulate(
    cameras: tuple[Camera, ...] | list[Camera],
    xy: Float[np.ndarray, "V *lead 2"],
    weights: Float[np.ndarray, "V *lead"],
) -> Float[np.ndarray, "*lead 3"]:
    """Return the world points nearest to all rays, in weighted least squares of ray distance.

    sum_v w_v (I - d d^T) (x - c) = 0. Views that miss a point have weight 0 or NaN pixels; with fewer than
    two views, or parallel rays, the result is NaN.

    Raises:
        CalibrationError: the numbers of cameras and views differ.
    """
    if len(cameras) != len(xy):
        raise CalibrationError(f"{len(cameras)} cameras were given for {len(xy)} views")
    total = np.zeros((*xy.shape[1:-1], 3, 3))
    pull = np.zeros((*xy.shape[1:-1], 3))
    count = np.zeros(xy.shape[1:-1])
    for camera, pixels, weight in zip(cameras, xy, weights, strict=True):
        seen = np.isfinite(pixels).all(-1) & (weight > 0)
        direction = rays(camera, np.where(seen[..., None], pixels, 0.0))
        across = np.eye(3) - direction[..., :, None] * direction[..., None, :]
        across *= np.where(seen, weight, 0.0)[..., None, None]
        total += across
        pull += across @ centre(camera)
        count += seen
    solvable = (count >= 2) & (np.linalg.cond(total) < 1e10)
    safe = np.where(solvable[..., None, None], total, np.eye(3))
    points = np.linalg.solve(safe, pull[..., None])[..., 0]
    return np.where(solvable[..., None], points, np.nan)


def intrinsics_from_fov(fov_deg: float, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Return intrinsics of square pixels whose longer side spans this angle, centred."""
    focal = max(size) / 2 / np.tan(np.radians(fov_deg) / 2)
    return intrinsics_from_focal(focal, size)


def intrinsics_from_focal(focal_px: float, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Return intrinsics of square pixels with the principal point in the middle of the picture."""
    width, height = size
    return np.array([[focal_px, 0.0, (width - 1) / 2], [0.0, focal_px, (height - 1) / 2], [0.0, 0.0, 1.0]])


def look_at(
    eye: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"], roll: float = 0.0
) -> Float[np.ndarray, "4 4"]:
    """Return `cam_from_world` of a camera at `eye` that sees `target` in its middle.

    Roll is in radians, 0 is upright.

    Raises:
        CalibrationError: eye and target coincide, or the camera would look straight up or down.
    """
    forward = np.asarray(target, dtype=float) - eye
    length = np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    if length == 0 or np.linalg.norm(right) < 1e-9 * length:
        raise CalibrationError("a camera cannot look at its own place, nor straight up or down")
    forward = forward / length
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    rotation = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ np.stack(
        [right, down, forward]
    )
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation
    cam_from_world[:3, 3] = -rotation @ eye
    return cam_from_world


def moved(camera: Camera, new_from_world: Float[np.ndarray, "4 4"]) -> Camera:
    """Return the same camera after the world itself was moved rigidly: points map by `new_from_world`."""
    return Camera(
        name=camera.name,
        intrinsics=camera.intrinsics,
        distortion=camera.distortion,
        cam_from_world=camera.cam_from_world @ np.linalg.inv(new_from_world),
        size=camera.size,
    )


def _distort(
    distortion: Float[np.ndarray, "5"], ideal: Float[np.ndarray, "*lead 2"]
) -> Float[np.ndarray, "*lead 2"]:
    k1, k2, p1, p2, k3 = distortion
    x, y = ideal[..., 0], ideal[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )


def _pixels(camera: Camera, plane: Float[np.ndarray, "*lead 2"]) -> Float[np.ndarray, "*lead 2"]:
    return plane @ camera.intrinsics[:2, :2].T + camera.intrinsics[:2, 2]
