"""AIST++ as a benchmark: score lifters on a real detector's keypoints against the published 3D.

One view: windows of four seconds, the product's lift and fit, the metrics of the MVLift paper. Several views:
whole takes seen by many sets of the nine cameras, the lifter itself, absolute errors as in the MPL paper
(`several`, `pooled`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import cam_points
from mocaplift.errors import ConfigError
from mocaplift.evaluate import aist_takes, pooled, several
from mocaplift.evaluate.aist_takes import FPS, Take
from mocaplift.evaluate.floors import STATIC, static
from mocaplift.evaluate.metrics import depth_gain, hip_midpoint, joint_errors, spread
from mocaplift.evaluate.report import ALL, Row, merged, with_all
from mocaplift.evaluate.scores import image_scores, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.solvers import Solve, by_lifter, shared_out
from mocaplift.layouts import COCO17, remap
from mocaplift.lift import AUTO
from mocaplift.values import Camera, Keypoints2D

# The MVLift paper cuts 120 frames at 30 fps: 4 s.
WINDOW = 120
BENCHMARK = "aist"


@dataclass(frozen=True, eq=False)
class Window:
    """Four seconds of one sequence seen by one camera, and the truth.

    The pixels are undistorted and the camera has no distortion. `start` counts frames at `FPS`.
    """

    sequence: str
    start: int
    view: Keypoints2D
    camera: Camera
    truth: Float[np.ndarray, "T 17 3"]


def windows(
    folder: str | Path,
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
) -> list[Window]:
    """Return the non-overlapping windows of the sequences in a folder, each seen by every camera.

    Args:
        folder: where the sequences lie.
        sequences: names, or parts of names, of the sequences wanted.
        cameras: names of the cameras wanted ("c01" to "c09").
        every: keep every n-th window only, for a quick look; windows of one camera follow each other, so an odd
            number meets all parts of a sequence.

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: a camera file is missing or unreadable, or lacks a wanted camera.
        ConfigError: no sequence has such a name, or `every` makes no sense.
    """
    _check(every)
    found = []
    for path in aist_takes.find(folder, sequences):
        take = aist_takes.read(path)
        for chosen in aist_takes.positions_of(take, cameras):
            for start in range(0, len(take.truth) - WINDOW + 1, WINDOW):
                found.append(_cut(take, chosen, start))
    return found[::every]


def scenes(
    folder: str | Path,
    views: int,
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    *,
    fps: float = FPS,
) -> list[several.Scene]:
    """Return the whole takes of a folder, each seen by every set of cameras that `aist_takes.view_sets` names.

    Args:
        folder: where the sequences lie.
        views: cameras in a set.
        sequences: as in `windows`.
        cameras: as in `windows`.
        every: keep every n-th set only, for a quick look.
        fps: frames per second of the takes: 30, or the 60 of the source.

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: a camera file is missing or unreadable, or lacks a wanted camera.
        ConfigError: no sequence has such a name, `every` makes no sense, or there are fewer cameras than views.
    """
    _check(every)
    found = []
    for path in aist_takes.find(folder, sequences):
        take = aist_takes.read(path, fps)
        sets = aist_takes.view_sets(aist_takes.positions_of(take, cameras), views)
        for number, chosen in enumerate(sets):
            found.append(
                several.Scene(
                    name=take.name,
                    views=tuple(take.views[v] for v in chosen),
                    cameras=tuple(take.cameras[v] for v in chosen),
                    truth=take.truth,
                    layout=COCO17,
                    without=number % views,
                )
            )
    return found[::every]


def aist(
    folder: str | Path,
    *,
    views: int = 1,
    lifters: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    fps: float = FPS,
    fit: bool = False,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each sequence, then "all".

    One view: the static floor beside the lifters. The truth is `keypoints3d_optim`. MPJPE is of COCO's 17 joints,
    hips at the origin, in the true camera's frame: no alignment of yaw, scale or rotation. Rows `yaw_*` follow the
    MVLift paper (first frame's hips decide the yaw). Released T_root is in the world's axes. Percentiles and
    depth gain are of all windows. Several views: the rows of `pooled`.

    Args:
        folder: where the sequences lie.
        views: cameras that see the person together.
        lifters: names to score, as `solve` understands them; None: auto, or all there are of several views.
        sequences: as in `windows`.
        cameras: as in `windows`.
        every: as in `windows` and `scenes`.
        fps: as in `scenes`; one view is scored at 30.
        fit: with several views, score each lifter also with the product's fit after it.
        jobs: processes that share the work.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows or scenes done, all of these).

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: cameras are missing or unreadable.
        ConfigError: an unknown name.
    """
    if views > 1:
        met = scenes(folder, views, sequences, cameras, every, fps=fps)
        names = several.default_lifters() if lifters is None else lifters
        names = several.with_fit(names) if fit else names
        found = several.scored(met, names, jobs=jobs, solve=solve, progress=progress)
        return pooled.table(found, BENCHMARK)
    if fps != FPS:
        raise ConfigError(
            f"one view is scored at {FPS:g} frames per second, as in the MVLift paper, not {fps:g}"
        )
    cut = windows(folder, sequences, cameras, every)
    names = (AUTO,) if lifters is None else lifters
    score = functools.partial(_score, lifters=tuple(names), solve=solve)
    scored: list[_Scored] = []
    for done, part in enumerate(shared_out(score, cut, jobs), start=1):
        scored.extend(part)
        if progress is not None:
            progress(done, len(cut))
    each = [row for part in scored for row in part.rows]
    return [*with_all(merged(each)), *_pooled(scored)]


def _check(every: int) -> None:
    if every < 1:
        raise ConfigError(f"every must be at least 1, but is {every}")


def _cut(take: Take, chosen: int, start: int) -> Window:
    span, view = slice(start, start + WINDOW), take.views[chosen]
    part = Keypoints2D(view.xy[span], view.conf[span], view.layout, view.fps, view.size)
    return Window(take.name, start, part, take.cameras[chosen], take.truth[span])


class _Scored(NamedTuple):
    """One window under one lifter."""

    rows: list[Row]
    absolute: Float[np.ndarray, "N"]
    gain: tuple[float, float]


def _score(window: Window, lifters: tuple[str, ...], solve: Solve) -> list[_Scored]:
    """Return the floor and every lifter on one window."""
    scored = [_measure(window, static(window.truth), STATIC)]
    for lifter in lifters:
        motion = solve([window.view], [window.camera], lifter)
        scored.append(_measure(window, remap(motion.xyz, motion.layout, COCO17), lifter))
    return scored


def _measure(window: Window, found: Float[np.ndarray, "T 17 3"], lifter: str) -> _Scored:
    truth = window.truth
    scores = pose_scores(found, truth, COCO17) | world_scores(found, truth, COCO17)
    scores |= motion_scores(found, truth, COCO17, FPS)
    absolute = joint_errors(found, truth)
    scores |= image_scores(found, COCO17, window.view, window.camera)
    gain = depth_gain(*(cam_points(window.camera, hip_midpoint(xyz, COCO17))[:, 2] for xyz in (found, truth)))
    scores["missing"] = 100.0 * float(1 - np.isfinite(absolute).mean())
    made = rows(
        scores,
        benchmark=BENCHMARK,
        sequence=window.sequence,
        views=1,
        lifter=lifter,
        frames=len(truth),
    )
    return _Scored(made, absolute[np.isfinite(absolute)], gain)


def _pooled(scored: Sequence[_Scored]) -> list[Row]:
    """Return absolute errors and depth gain over all windows of a sequence, and over all sequences."""
    made = []
    names = list(dict.fromkeys(part.rows[0].sequence for part in scored))
    for name in [*names, ALL]:
        for lifter in dict.fromkeys(part.rows[0].lifter for part in scored):
            group = [p for p in scored if p.rows[0].lifter == lifter and name in (ALL, p.rows[0].sequence)]
            errors = np.concatenate([part.absolute for part in group])
            weights = np.array([part.gain[1] for part in group])
            slopes = np.array([part.gain[0] for part in group])
            used = weights > 0
            pooled = spread(errors)
            if used.any():
                pooled["depth_gain"] = float(np.average(slopes[used], weights=weights[used]))
            made += rows(
                pooled,
                benchmark=BENCHMARK,
                sequence=name,
                views=1,
                lifter=lifter,
                frames=sum(part.rows[0].frames for part in group),
            )
    return made
