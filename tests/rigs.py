"""Rings of cameras around the dancer, and what detectors see of a motion: exact, or wrong as confidences tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mocaplift.cameras import cam_points, intrinsics_from_fov, look_at, project
from mocaplift.confidence import SIGMA_PER_MEDIAN, expected_error
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D, Motion3D

SIZE = (1280, 720)
AIM = np.array([0.0, 0.95, 0.0])
# How long (s) a detector's error lasts.
LASTING = 0.15


def ring(
    count: int, *, radius: float = 4.0, span: float = 2 * np.pi, start: float = 0.4, fov: float = 60.0
) -> tuple[Camera, ...]:
    """Return cameras that look at the dancer from places spread evenly over a part of a circle, at 1.6 m."""
    # Two cameras of a full ring would face each other: they stand a third of it apart.
    apart = span / max(count, 3) if span == 2 * np.pi else span / max(count - 1, 1)
    return tuple(
        at(start + apart * place, f"cam{place + 1}", radius=radius, fov=fov) for place in range(count)
    )


def facing_pair(start: float = 0.4) -> tuple[Camera, ...]:
    """Return two cameras that look at each other, the dancer between them."""
    return at(start, "front"), at(start + np.pi, "back")


def at(azimuth: float, name: str, *, radius: float = 4.0, fov: float = 60.0) -> Camera:
    """Return a camera that looks at the dancer from an azimuth (rad from +Z towards +X)."""
    eye = np.array([radius * np.sin(azimuth), 1.6, radius * np.cos(azimuth)])
    return Camera(name, intrinsics_from_fov(fov, SIZE), np.zeros(5), look_at(eye, AIM), SIZE)


def watched(
    truth: Motion3D, cameras: Sequence[Camera], rng: np.random.Generator | None = None
) -> tuple[Keypoints2D, ...]:
    """Return what each camera sees: exactly, or with confidences at random and the errors that they tell.

    Errors are Gaussian in the picture, of the size that the confidence table has at the person's depth, and last.
    """
    return tuple(_watched(truth, camera, rng) for camera in cameras)


def _watched(truth: Motion3D, camera: Camera, rng: np.random.Generator | None) -> Keypoints2D:
    xy, conf = project(camera, truth.xyz), np.full(truth.xyz.shape[:2], 0.9)
    if rng is not None:
        conf = rng.uniform(0.25, 0.95, conf.shape[1:]) * np.ones_like(conf)
        sigma = expected_error(conf, BODY21) * SIGMA_PER_MEDIAN
        scale = camera.intrinsics[0, 0] / cam_points(camera, truth.xyz)[..., 2]
        xy = xy + lasting(rng, xy.shape, truth.fps) * (sigma * scale)[..., None]
    return Keypoints2D(xy, conf, BODY21, truth.fps, camera.size)


def lasting(rng: np.random.Generator, shape: tuple[int, ...], fps: float) -> np.ndarray:
    """Return noise of variance 1 that forgets itself within `LASTING` seconds along the first axis."""
    keep = np.exp(-1 / (LASTING * fps))
    out = rng.normal(size=shape)
    for frame in range(1, len(out)):
        out[frame] = keep * out[frame - 1] + np.sqrt(1 - keep**2) * out[frame]
    return out


def hidden(view: Keypoints2D, frames: slice | list[int], joints: slice | list[int]) -> Keypoints2D:
    """Return a view in which some points of some frames were not seen."""
    xy, conf = view.xy.copy(), view.conf.copy()
    chosen = np.ix_(np.arange(len(xy))[frames], np.arange(xy.shape[1])[joints])
    xy[chosen], conf[chosen] = np.nan, 0.0
    return replace(view, xy=xy, conf=conf)


def away(found: Motion3D, truth: Motion3D) -> np.ndarray:
    """Return the distance (m) of every point from its true place."""
    return np.linalg.norm(found.xyz - truth.xyz, axis=-1)
