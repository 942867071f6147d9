"""One person before one camera: what a lifter is told of it, and every metric of what it makes of a window.

Pose and path are judged where they were found, without any alignment; rows `yaw_*` follow the MVLift paper (the
first frame's hips decide the yaw). The static floor stands beside the lifters. Percentiles and depth gain are of
all windows of a name together, all else are frame-weighted means.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.assume import USUAL_FOV
from mocaplift.cameras import cam_points, intrinsics_from_fov
from mocaplift.errors import ConfigError
from mocaplift.evaluate.floors import STATIC, static
from mocaplift.evaluate.metrics import depth_gain, hip_midpoint, joint_errors, spread
from mocaplift.evaluate.report import ALL, Row, merged, with_all
from mocaplift.evaluate.scores import image_scores, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.solvers import Solve, by_lifter, shared_out
from mocaplift.layouts import COCO17, remap
from mocaplift.lift import AUTO, LIFTERS
from mocaplift.values import Camera, Keypoints2D

# What is compared where nobody says otherwise: each alone, then what users get.
LIFTERS_OF_VIEW = ("smplify", "direct", "mvlift", "mvlift-2d")
# What a lifter is told of the lens.
KNOWN, UNKNOWN = "known", "unknown"
FOCALS = (KNOWN, UNKNOWN)
# After a lifter's name in rows: it was not told the focal length.
FOCAL_UNKNOWN = " (focal unknown)"


@dataclass(frozen=True, eq=False)
class Window:
    """A few seconds of one person seen by one camera, and the truth in metres, in the camera's world.

    The pixels are undistorted and the camera has no distortion. `start` counts frames of the whole take.
    """

    sequence: str
    start: int
    view: Keypoints2D
    camera: Camera
    truth: Float[np.ndarray, "T 17 3"]


class Scored(NamedTuple):
    """One window under one lifter: its rows, its absolute errors (mm), its depth gain and that one's weight."""

    sequence: str
    lifter: str
    rows: list[Row]
    absolute: Float[np.ndarray, "N"]
    gain: tuple[float, float]


def default_lifters() -> tuple[str, ...]:
    """Return the lifters of one view that there are, in the order of the tables."""
    return (*(name for name in LIFTERS_OF_VIEW if name in LIFTERS), AUTO)


def told(camera: Camera, focal: str) -> Camera:
    """Return what a lifter is told of a camera: all, or without its lens, as a video without metadata would be.

    Where the camera stands and how it is held, both know: what differs is the focal length alone.

    Raises:
        ConfigError: `focal` is none of `FOCALS`.
    """
    if focal not in FOCALS:
        raise ConfigError(f"the focal length is {' or '.join(FOCALS)}, not {focal!r}")
    if focal == KNOWN:
        return camera
    return replace(camera, intrinsics=intrinsics_from_fov(USUAL_FOV, camera.size))


def scored(
    windows: Sequence[Window],
    lifters: Sequence[str],
    benchmark: str,
    *,
    focal: str = KNOWN,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Scored]:
    """Return the static floor and every lifter on every window.

    Args:
        windows: what to lift.
        lifters: names to score, as `solve` understands them.
        benchmark: the name of the rows.
        focal: what the lifters are told of the lens, one of `FOCALS`.
        jobs: processes that share the windows.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows done, all windows).

    Raises:
        ConfigError: an unknown lifter or `focal`, or `jobs` is below 1.
    """
    work = functools.partial(_score, lifters=tuple(lifters), benchmark=benchmark, focal=focal, solve=solve)
    found: list[Scored] = []
    for done, part in enumerate(shared_out(work, windows, jobs), start=1):
        found += part
        if progress is not None:
            progress(done, len(windows))
    return found


def table(results: Sequence[Scored]) -> list[Row]:
    """Return the rows of scored windows: each sequence, then "all"."""
    return [*with_all(merged(row for part in results for row in part.rows)), *_pooled(results)]


def pooled_gain(results: Sequence[Scored]) -> float:
    """Return the depth gain of several windows together, each about its own mean; NaN where nothing moves."""
    weights = np.array([part.gain[1] for part in results])
    slopes = np.array([part.gain[0] for part in results])
    used = weights > 0
    return float(np.average(slopes[used], weights=weights[used])) if used.any() else float("nan")


def _score(
    window: Window, lifters: tuple[str, ...], benchmark: str, focal: str, solve: Solve
) -> list[Scored]:
    """Return the floor and every lifter on one window."""
    found = [_measure(window, static(window.truth), STATIC, benchmark, window.camera)]
    given, suffix = told(window.camera, focal), FOCAL_UNKNOWN if focal == UNKNOWN else ""
    for lifter in lifters:
        motion = solve([window.view], [given], lifter)
        xyz = remap(motion.xyz, motion.layout, COCO17)
        found.append(_measure(window, xyz, lifter + suffix, benchmark, given))
    return found


def _measure(
    window: Window, found: Float[np.ndarray, "T 17 3"], lifter: str, benchmark: str, given: Camera
) -> Scored:
    """Return every metric of one result; it is projected by the camera that it was made for."""
    truth = window.truth
    scores = pose_scores(found, truth, COCO17) | world_scores(found, truth, COCO17)
    scores |= motion_scores(found, truth, COCO17, window.view.fps)
    scores |= image_scores(found, COCO17, window.view, given)
    absolute = joint_errors(found, truth)
    gain = depth_gain(*(cam_points(window.camera, hip_midpoint(xyz, COCO17))[:, 2] for xyz in (found, truth)))
    scores["missing"] = 100.0 * float(1 - np.isfinite(absolute).mean())
    made = rows(
        scores, benchmark=benchmark, sequence=window.sequence, views=1, lifter=lifter, frames=len(truth)
    )
    return Scored(window.sequence, lifter, made, absolute[np.isfinite(absolute)], gain)


def _pooled(results: Sequence[Scored]) -> list[Row]:
    """Return absolute errors and depth gain over all windows of a sequence, and over all sequences."""
    made = []
    for name in [*dict.fromkeys(part.sequence for part in results), ALL]:
        for lifter in dict.fromkeys(part.lifter for part in results):
            group = [p for p in results if p.lifter == lifter and name in (ALL, p.sequence)]
            figures = spread(np.concatenate([part.absolute for part in group]))
            figures["depth_gain"] = pooled_gain(group)
            made += rows(
                figures,
                benchmark=group[0].rows[0].benchmark,
                sequence=name,
                views=1,
                lifter=lifter,
                frames=sum(part.rows[0].frames for part in group),
            )
    return made
