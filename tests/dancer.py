"""A synthetic person who moves from one recorded pose to the next: the oracle of lifting and fitting.

The poses are those of the shipped library, the body is the shipped one: what is seen can be explained exactly.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from mocaplift.body import body_keypoints, load_body
from mocaplift.cameras import cam_points, intrinsics_from_fov, look_at, project
from mocaplift.layouts import BODY21
from mocaplift.rotations import about_axis, make_continuous, multiply, slerp
from mocaplift.values import Camera, Keypoints2D, Motion3D, SkeletonMotion
from mocaplift.weights import load_arrays, locate

SIZE = (1280, 720)
HIPS = BODY21.index("left_hip", "right_hip")


@cache
def upright_poses() -> np.ndarray:
    """Return the library's upright poses as rotations [M 24 4], the most usual first."""
    arrays, _ = load_arrays(locate("pose-prior"), "pose-prior")
    upright = np.flatnonzero(~arrays["library_tilted"].astype(bool))
    usual = np.argsort(-arrays["library_share"][upright], kind="stable")
    return arrays["library_rotations"][upright[usual]].astype(float)


def dancer(
    frames: int = 30,
    *,
    fps: float = 30.0,
    heading: float = 0.5,
    poses: tuple[int, ...] = (0, 3, 6),
    height: float | None = None,
) -> SkeletonMotion:
    """Return a person who takes some of the upright poses one after the other, turning and walking a little."""
    body, recorded = load_body(), upright_poses()[list(poses)]
    place = np.linspace(0, len(poses) - 1, frames)
    first = np.minimum(place.astype(int), max(len(poses) - 2, 0))
    part = place - first
    part = (part**2 * (3 - 2 * part))[:, None]
    turns = slerp(recorded[first], recorded[np.minimum(first + 1, len(poses) - 1)], part)
    share = np.linspace(0, 1, frames)
    turns[:, 0] = multiply(about_axis("Y", heading + 0.6 * share), turns[:, 0])
    shape = np.zeros(body.num_shape) if height is None else body.shape_of_stature(height)
    root = np.stack([-0.2 + 0.5 * share, np.full(frames, 0.92), 0.4 * share], axis=1)
    return SkeletonMotion(body.skeleton(shape), make_continuous(turns), root, fps)


def part(motion: SkeletonMotion, frames: slice) -> SkeletonMotion:
    """Return a stretch of a motion."""
    return replace(motion, rotations=motion.rotations[frames], root=motion.root[frames])


def camera(eye: tuple[float, float, float] = (0.5, 1.4, 4.5), size: tuple[int, int] = SIZE) -> Camera:
    """Return a camera that looks at where the dancer is."""
    view = look_at(np.array(eye), np.array([0.0, 0.95, 0.0]))
    return Camera("view", intrinsics_from_fov(60.0, size), np.zeros(5), view, size)


def seen(motion: SkeletonMotion, lens: Camera, conf: float = 0.9, landmark_scale: float = 1.0) -> Keypoints2D:
    """Return what a detector without errors sees, with landmarks that are right but for their scale."""
    xyz = body_keypoints(motion).xyz
    xy = project(lens, xyz)
    there = cam_points(lens, xyz)
    landmarks = (there - there[:, HIPS].mean(axis=1, keepdims=True)) * landmark_scale
    return Keypoints2D(xy, np.full(xy.shape[:2], conf), BODY21, motion.fps, lens.size, landmarks=landmarks)


def errors(found: Motion3D, motion: SkeletonMotion) -> np.ndarray:
    """Return the distance (m) of every point from its true place relative to the hips."""
    true = body_keypoints(motion).xyz
    apart = (found.xyz - found.xyz[:, HIPS].mean(axis=1, keepdims=True)) - (
        true - true[:, HIPS].mean(axis=1, keepdims=True)
    )
    return np.linalg.norm(apart, axis=-1)
