"""One result against one truth: the metrics that every benchmark prints, by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mocaplift import cameras, quality
from mocaplift.evaluate import metrics
from mocaplift.evaluate.report import Row
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import Camera, Keypoints2D, Layout, Motion3D

UNITS = {
    "mpjpe": "mm",
    "pa_mpjpe": "mm",
    "pa_mpjpe_sequence": "mm",
    "t_root": "mm",
    "t_root_released": "mm",
    "t_root_median": "mm",
    "yaw_mpjpe": "mm",
    "yaw_t_root": "mm",
    "yaw_t_root_released": "mm",
    "w_mpjpe": "mm",
    "wa_mpjpe": "mm",
    "rte": "%",
    "absolute_mpjpe": "mm",
    "absolute_median": "mm",
    "absolute_p95": "mm",
    "depth_gain": "m/m",
    "foot_slide": "mm/frame",
    "jitter": "m/s^3",
    "acceleration_error": "m/s^2",
    "j2d": "px",
    "j2d_centred": "px",
    "pops": "count",
    "joint_pops": "count",
    "missing": "%",
}


def pose_scores(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], layout: Layout
) -> dict[str, float]:
    """Return the metrics of the pose alone: hips at the origin in every frame."""
    return {
        "mpjpe": metrics.mpjpe(found, truth, layout),
        "pa_mpjpe": metrics.pa_mpjpe(found, truth),
        "pa_mpjpe_sequence": metrics.pa_mpjpe_sequence(found, truth, layout),
    }


def world_scores(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], layout: Layout
) -> dict[str, float]:
    """Return the metrics of the path: how the person moved through a world with +Y up."""
    root, true_root = metrics.hip_midpoint(found, layout), metrics.hip_midpoint(truth, layout)
    facing = metrics.yaw_aligned(truth, found, layout)
    facing_root = metrics.hip_midpoint(facing, layout)
    return {
        "t_root": metrics.t_root(root, true_root),
        "t_root_released": metrics.t_root_released(root, true_root),
        "t_root_median": metrics.t_root_median(root, true_root),
        "yaw_mpjpe": metrics.mpjpe(found, facing, layout),
        "yaw_t_root": metrics.t_root(root, facing_root),
        "yaw_t_root_released": metrics.t_root_released(root, facing_root),
        "w_mpjpe": metrics.w_mpjpe(found, truth),
        "wa_mpjpe": metrics.wa_mpjpe(found, truth),
        "rte": metrics.rte(root, true_root),
    }


def motion_scores(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], layout: Layout, fps: float
) -> dict[str, float]:
    """Return the metrics of smoothness and of planted feet (ankles in a layout without heels and toes).

    A foot point is planted where the truth stands still.
    """
    points = [joint for joint in CONTACT_POINTS if joint in layout.joints] or ["left_ankle", "right_ankle"]
    feet = layout.index(*points)
    return {
        "foot_slide": quality.foot_slide(found[:, feet], metrics.planted(truth[:, feet], fps)),
        "jitter": jitter(found, layout, fps),
        "acceleration_error": metrics.acceleration_error(found, truth, fps),
    }


def jitter(xyz: Float[np.ndarray, "T J 3"], layout: Layout, fps: float) -> float:
    """Return the jitter of points, m/s^3, as `quality` defines it."""
    sigma = np.where(np.isfinite(xyz).all(-1), 0.0, np.inf)
    return quality.jitter(Motion3D(xyz, sigma, layout, fps))


def image_scores(
    found: Float[np.ndarray, "T J 3"], layout: Layout, view: Keypoints2D, camera: Camera
) -> dict[str, float]:
    """Return how far the result, projected, is from what the detector saw."""
    pixels = cameras.project(camera, found)
    shared = [joint for joint in layout.joints if joint in view.layout.joints]
    seen = view.xy[:, view.layout.index(*shared)]
    part = Layout("shared", tuple(shared))
    pixels = pixels[:, layout.index(*shared)]
    return {"j2d": metrics.j2d(pixels, seen, part), "j2d_centred": metrics.j2d_centred(pixels, seen, part)}


def rows(
    scores: Mapping[str, float], *, benchmark: str, sequence: str, views: int, lifter: str, frames: int
) -> list[Row]:
    """Return the scores as rows, each with its unit.

    Raises:
        KeyError: a score has no unit in `UNITS`.
    """
    return [
        Row(benchmark, sequence, views, lifter, metric, float(value), UNITS[metric], frames)
        for metric, value in scores.items()
    ]
