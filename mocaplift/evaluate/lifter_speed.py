"""How fast lifters are: of one view on a window of four seconds, of several on a whole clip and on one new frame.

The clip is made here: a body that swings its limbs before a ring of cameras, seen with noise. Time does not
depend on what it does, and nobody needs a video. Reading weights is left out: each lifter runs once before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from mocaplift import rotations
from mocaplift.body import body_keypoints, load_body
from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.errors import ConfigError
from mocaplift.evaluate import several, single
from mocaplift.evaluate.report import Row
from mocaplift.evaluate.solvers import RAW, Solve, by_lifter
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.lift import AUTO
from mocaplift.values import Camera, Keypoints2D, SkeletonMotion

FPS = 30.0
FRAMES = 600  # 20 s
WINDOW = 120  # 4 s: what one view is timed on
SIZE = (1280, 720)
FOV_DEG = 60.0
RADIUS, HEIGHT = 4.0, 1.5  # m, of the ring
NOISE = 3.0  # px, sigma
CONFIDENCE = 0.8
SEED = 17
# The machine does other things, too: the fastest of so many runs of the clip, the median of so many single frames.
RUNS, CALLS = 3, 21
# What a lifter that uses time is given to see a new frame in its course: the last second.
PAST = 30  # frames
_SWINGING = (
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_hip",
    "right_hip",
    "spine1",
)


def lifter_speed(
    views: int,
    *,
    lifters: Sequence[str] | None = None,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of each lifter.

    * `fps_batch`: frames per second of a whole clip;
    * one view: `s_window`: seconds for a clip of `WINDOW` frames;
    * several: `ms_frame`: milliseconds for a clip of one frame; `ms_frame_with_past`: for the last second up to
      that frame.

    Args:
        views: number of cameras.
        lifters: names to time, as `solve` understands them; None: all there are of so many views, those of one
            view without the product's fit and with it.
        solve: what turns views into points.
        progress: told (lifters done, all lifters).

    Raises:
        ConfigError: no view, or an unknown lifter.
    """
    if views < 1:
        raise ConfigError(f"lifters are timed with one or more views, not {views}")
    names = lifters_of(views) if lifters is None else tuple(lifters)
    frames = WINDOW if views == 1 else FRAMES
    seen, rig = made_clip(views, frames)
    made: list[Row] = []
    for done, lifter in enumerate(names, start=1):
        solve(_last(seen, PAST), rig, lifter)
        whole = min(_seconds(solve, seen, rig, lifter) for _ in range(RUNS))
        row = Row("speed", "made clip", views, lifter, "fps_batch", frames / whole, "frames/s", frames)
        made += _of_window(row, whole) if views == 1 else _of_frames(row, solve, seen, rig)
        if progress is not None:
            progress(done, len(names))
    return made


def lifters_of(views: int) -> tuple[str, ...]:
    """Return what is timed where nobody says otherwise."""
    if views > 1:
        return several.default_lifters()
    return tuple(
        name + how for name in single.default_lifters() for how in (RAW, "") if (name, how) != (AUTO, RAW)
    )


def _of_window(row: Row, seconds: float) -> list[Row]:
    return [row._replace(metric="s_window", value=seconds, unit="s"), row]


def _of_frames(row: Row, solve: Solve, seen: Sequence[Keypoints2D], rig: Sequence[Camera]) -> list[Row]:
    """Return the row of a whole clip, and those of single frames."""
    made = [row]
    for metric, frames in (("ms_frame", 1), ("ms_frame_with_past", PAST)):
        part = _last(seen, frames)
        took = [_seconds(solve, part, rig, row.lifter) for _ in range(CALLS)]
        made.append(row._replace(metric=metric, value=1000 * float(np.median(took)), unit="ms", frames=CALLS))
    return made


def made_clip(views: int, frames: int = FRAMES) -> tuple[tuple[Keypoints2D, ...], tuple[Camera, ...]]:
    """Return what a ring of cameras sees, with noise, of a body that swings its limbs on the spot."""
    body, rng = load_body(), np.random.default_rng(SEED)
    turns = np.zeros((frames, len(SMPL24), 4))
    turns[:] = rotations.IDENTITY
    phase = 2 * np.pi * np.arange(frames) / FPS
    for number, joint in enumerate(_SWINGING):
        turns[:, SMPL24.at(joint)] = rotations.about_axis("X", 0.5 * np.sin(phase + number))
    root = np.tile([0.0, 1.0, 0.0], (frames, 1))
    xyz = body_keypoints(SkeletonMotion(body.skeleton(np.zeros(body.num_shape)), turns, root, FPS)).xyz
    rig = tuple(_camera(f"cam{number + 1}", 2 * np.pi * number / views) for number in range(views))
    conf = np.full(xyz.shape[:2], CONFIDENCE)
    seen = tuple(
        Keypoints2D(project(camera, xyz) + rng.normal(0.0, NOISE, (*conf.shape, 2)), conf, BODY21, FPS, SIZE)
        for camera in rig
    )
    return seen, rig


def _camera(name: str, azimuth: float) -> Camera:
    place = np.array([RADIUS * np.sin(azimuth), HEIGHT, RADIUS * np.cos(azimuth)])
    pose = look_at(place, np.array([0.0, 1.0, 0.0]))
    return Camera(name, intrinsics_from_fov(FOV_DEG, SIZE), np.zeros(5), pose, SIZE)


def _last(views: Sequence[Keypoints2D], frames: int) -> tuple[Keypoints2D, ...]:
    """Return the last frames of every view."""
    return tuple(
        Keypoints2D(view.xy[-frames:], view.conf[-frames:], view.layout, view.fps, view.size)
        for view in views
    )


def _seconds(solve: Solve, views: Sequence[Keypoints2D], rig: Sequence[Camera], lifter: str) -> float:
    begun = time.perf_counter()
    solve(views, rig, lifter)
    return time.perf_counter() - begun
