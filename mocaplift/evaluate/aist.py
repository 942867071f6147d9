"""AIST++ as a benchmark: read a folder of sequences, cut windows, score lifters against the published 3D.

A sequence is `<name>.npz` (`keypoints2d` [view, frame, 17, x y confidence] of a real detector at 60 fps and
`keypoints3d_optim` [frame, 17, 3] in centimetres) beside `<name>.cameras.json` (OpenCV cameras, translation
in centimetres, world +Y up). The floor of that world is not at y = 0: its origin lies decimetres below it.
"""

from __future__ import annotations

import functools
import itertools
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.cameras import cam_points, undistort
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.evaluate.floors import STATIC, static
from mocaplift.evaluate.metrics import depth_gain, hip_midpoint, joint_errors, spread
from mocaplift.evaluate.report import ALL, Row, merged, with_all
from mocaplift.evaluate.scores import image_scores, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.solvers import Solve, by_pipeline, shared_out
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.values import Camera, Keypoints2D

# The MVLift paper halves AIST's 60 fps and cuts 120 frames: 4 s.
FPS = 30.0
WINDOW = 120
CM = 0.01
# Above two views all combinations of nine cameras are too many: this many are drawn, always the same.
MOST_VIEW_SETS = 36
VIEW_SET_SEED = 20

_ARRAYS = ("keypoints2d", "keypoints3d_optim", "timestamps")


@dataclass(frozen=True, eq=False)
class Window:
    """Four seconds of one sequence seen by one or several cameras, and the truth.

    The pixels are undistorted and the cameras have no distortion. `start` counts frames at `FPS`.
    """

    sequence: str
    start: int
    views: tuple[Keypoints2D, ...]
    cameras: tuple[Camera, ...]
    truth: Float[np.ndarray, "T 17 3"]


@dataclass(frozen=True, eq=False)
class Take:
    """A whole sequence at `FPS`: undistorted views in BODY21, their cameras, and the truth in metres."""

    name: str
    views: tuple[Keypoints2D, ...]
    cameras: tuple[Camera, ...]
    truth: Float[np.ndarray, "T 17 3"]


def windows(
    folder: str | Path,
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    *,
    views: int = 1,
) -> list[Window]:
    """Return the non-overlapping windows of the sequences in a folder, each seen by every set of cameras.

    Args:
        folder: where the sequences lie.
        sequences: names, or parts of names, of the sequences wanted.
        cameras: names of the cameras wanted ("c01" to "c09").
        every: keep every n-th window only, for a quick look; windows of one camera follow each other, so an odd
            number meets all parts of a sequence.
        views: cameras in a set: 1 takes each alone, 2 all pairs, more a fixed sample of `MOST_VIEW_SETS`.

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: a camera file is missing or unreadable, or lacks a wanted camera.
        ConfigError: no sequence has such a name, or `every` or `views` make no sense.
    """
    if every < 1 or views < 1:
        raise ConfigError(f"every and views must be at least 1, but are {every} and {views}")
    found = []
    for path in _wanted(Path(folder), sequences):
        take = read(path)
        rig = _chosen(take, cameras)
        for chosen in view_sets(rig, views):
            for start in range(0, len(take.truth) - WINDOW + 1, WINDOW):
                found.append(_cut(take, chosen, start))
    return found[::every]


def read(path: str | Path) -> Take:
    """Return one sequence at `FPS`, in metres, lens distortion removed.

    Raises:
        InvalidData: the file is not such a sequence.
        CalibrationError: the cameras beside it are missing, unreadable or too few.
    """
    path = Path(path)
    arrays = _arrays(path)
    rig = read_cameras(path.with_suffix("").with_suffix(".cameras.json"))
    seen, truth = arrays["keypoints2d"], arrays["keypoints3d_optim"]
    if len(rig) != len(seen):
        raise CalibrationError(f"{path.name}: {len(seen)} views, but {len(rig)} cameras in its .cameras.json")
    step = _step(path, arrays["timestamps"])
    views = tuple(_keypoints(view[::step], camera) for view, camera in zip(seen, rig, strict=True))
    return Take(
        name=path.stem,
        views=views,
        cameras=tuple(_ideal(camera) for camera in rig),
        truth=truth[::step].astype(float) * CM,
    )


def read_cameras(path: str | Path) -> tuple[Camera, ...]:
    """Return the cameras of a sequence, in metres, with their lens distortion.

    Raises:
        CalibrationError: the file is missing or does not hold such cameras.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_camera(entry) for entry in entries)
    except OSError as error:
        raise CalibrationError(f"cannot read the cameras {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, InvalidData) as error:
        raise CalibrationError(f"{path} does not hold AIST++ cameras: {error}") from error


def view_sets(count: int | Sequence[int], views: int) -> list[tuple[int, ...]]:
    """Return the sets of cameras to score: all of them up to two views, a fixed sample above.

    Args:
        count: the number of cameras, or their positions.
        views: cameras in a set.

    Raises:
        ConfigError: fewer cameras than views.
    """
    positions = range(count) if isinstance(count, int) else count
    sets = list(itertools.combinations(positions, views))
    if not sets:
        raise ConfigError(f"{views} views were asked for, but there are only {len(positions)} cameras")
    if views <= 2 or len(sets) <= MOST_VIEW_SETS:
        return sets
    drawn = np.random.default_rng(VIEW_SET_SEED).choice(len(sets), MOST_VIEW_SETS, replace=False)
    return [sets[position] for position in sorted(drawn)]


def _wanted(folder: Path, names: Sequence[str] | None) -> list[Path]:
    if not folder.is_dir():
        raise InvalidData(
            f"no such folder: {folder}; it should hold AIST++ sequences (.npz and .cameras.json)"
        )
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InvalidData(f"{folder} holds no AIST++ sequence (.npz)")
    if names is None:
        return paths
    for name in names:
        if not any(name in path.stem for path in paths):
            raise ConfigError(
                f"no sequence {name!r} in {folder}; there are {', '.join(p.stem for p in paths)}"
            )
    return [path for path in paths if any(name in path.stem for name in names)]


def _chosen(take: Take, names: Sequence[str] | None) -> list[int]:
    known = [camera.name for camera in take.cameras]
    if names is None:
        return list(range(len(known)))
    for name in names:
        if name not in known:
            raise CalibrationError(f"{take.name} has no camera {name!r}; it has {', '.join(known)}")
    return [known.index(name) for name in names]


def _cut(take: Take, chosen: tuple[int, ...], start: int) -> Window:
    span = slice(start, start + WINDOW)
    views = tuple(
        Keypoints2D(
            xy=take.views[v].xy[span],
            conf=take.views[v].conf[span],
            layout=take.views[v].layout,
            fps=take.views[v].fps,
            size=take.views[v].size,
        )
        for v in chosen
    )
    return Window(take.name, start, views, tuple(take.cameras[v] for v in chosen), take.truth[span])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
    except OSError as error:
        raise InvalidData(f"cannot read {path}: {error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidData(f"{path} is not an AIST++ sequence: {error}") from error
    seen, truth = arrays["keypoints2d"], arrays["keypoints3d_optim"]
    joints = len(COCO17)
    if seen.ndim != 4 or seen.shape[2:] != (joints, 3) or truth.shape != (seen.shape[1], joints, 3):
        raise InvalidData(
            f"{path}: keypoints2d must be [view, frame, {joints}, 3] and keypoints3d_optim "
            f"[frame, {joints}, 3], but they are {list(seen.shape)} and {list(truth.shape)}"
        )
    if arrays["timestamps"].shape != (seen.shape[1],):
        raise InvalidData(f"{path}: there must be one timestamp for each of the {seen.shape[1]} frames")
    return arrays


def _step(path: Path, timestamps: np.ndarray) -> int:
    """Return how many source frames make one frame at `FPS`; timestamps are in microseconds."""
    length = float(timestamps[-1] - timestamps[0]) if len(timestamps) > 1 else 0.0
    if length <= 0:
        raise InvalidData(f"{path}: its timestamps do not grow")
    rate = (len(timestamps) - 1) * 1e6 / length
    step = max(round(rate / FPS), 1)
    if abs(rate / FPS - step) > 1e-3 * step:
        raise InvalidData(f"{path}: {rate:.3f} fps is no multiple of {FPS:g}")
    return step


def _keypoints(seen: Float[np.ndarray, "T 17 3"], camera: Camera) -> Keypoints2D:
    """Return one view in BODY21, undistorted. The detector's scores reach 1.01: cut at 1."""
    known = np.isfinite(seen).all(-1) & (seen[..., 2] > 0)
    xy = np.where(known[..., None], undistort(camera, seen[..., :2].astype(float)), np.nan)
    conf = np.where(known, np.clip(seen[..., 2].astype(float), 0.0, 1.0), 0.0)
    return Keypoints2D(
        xy=remap(xy, COCO17, BODY21),
        conf=np.nan_to_num(remap(conf[..., None], COCO17, BODY21)[..., 0]),
        layout=BODY21,
        fps=FPS,
        size=camera.size,
    )


def _camera(entry: dict) -> Camera:
    cam_from_world = np.eye(4)
    rotvec = np.asarray(entry["rotation"], dtype=float)
    cam_from_world[:3, :3] = rotations.to_matrix(rotations.from_rotvec(rotvec))
    cam_from_world[:3, 3] = np.asarray(entry["translation"], dtype=float) * CM
    width, height = entry["size"]
    return Camera(
        name=str(entry["name"]),
        intrinsics=np.asarray(entry["matrix"], dtype=float),
        distortion=np.asarray(entry["distortions"], dtype=float),
        cam_from_world=cam_from_world,
        size=(int(width), int(height)),
    )


def _ideal(camera: Camera) -> Camera:
    """Return the same camera with a perfect lens."""
    return Camera(camera.name, camera.intrinsics, np.zeros(5), camera.cam_from_world, camera.size)


class _Scored(NamedTuple):
    """One window under one lifter."""

    rows: list[Row]
    absolute: Float[np.ndarray, "N"]
    gain: tuple[float, float]


def aist(
    folder: str | Path,
    *,
    views: int = 1,
    lifters: Sequence[str] = ("smplify",),
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    jobs: int = 1,
    solve: Solve = by_pipeline,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each sequence, then "all", with the static floor beside the lifters.

    The truth is `keypoints3d_optim`. MPJPE is of COCO's 17 joints, hips at the origin, in the true camera's
    frame: no alignment of yaw, scale or rotation. Rows `yaw_*` follow the MVLift paper (first frame's hips
    decide the yaw). Released T_root is in the world's axes. Percentiles and depth gain are of all windows.

    Args:
        folder: where the sequences lie.
        views: cameras that see a window together (see `windows`).
        lifters: names to score, as `solve` understands them.
        sequences: as in `windows`.
        cameras: as in `windows`.
        every: as in `windows`.
        jobs: processes that share the windows.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows done, windows in all).

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: cameras are missing or unreadable.
        ConfigError: an unknown name.
    """
    found = windows(folder, sequences, cameras, every, views=views)
    score = functools.partial(_score, lifters=tuple(lifters), solve=solve)
    scored: list[_Scored] = []
    for done, part in enumerate(shared_out(score, found, jobs), start=1):
        scored.extend(part)
        if progress is not None:
            progress(done, len(found))
    each = [row for part in scored for row in part.rows]
    return [*with_all(merged(each)), *_pooled(scored)]


def _score(window: Window, lifters: tuple[str, ...], solve: Solve) -> list[_Scored]:
    """Return the floor and every lifter on one window."""
    scored = [_measure(window, static(window.truth), STATIC)]
    for lifter in lifters:
        motion = solve(window.views, window.cameras, lifter)
        scored.append(_measure(window, remap(motion.xyz, motion.layout, COCO17), lifter))
    return scored


def _measure(window: Window, found: Float[np.ndarray, "T 17 3"], lifter: str) -> _Scored:
    truth = window.truth
    scores = pose_scores(found, truth, COCO17) | world_scores(found, truth, COCO17)
    scores |= motion_scores(found, truth, COCO17, FPS)
    absolute = joint_errors(found, truth)
    gain = (np.nan, 0.0)
    if len(window.views) == 1:
        camera = window.cameras[0]
        scores |= image_scores(found, COCO17, window.views[0], camera)
        depths = [cam_points(camera, hip_midpoint(xyz, COCO17))[:, 2] for xyz in (found, truth)]
        gain = depth_gain(*depths)
    scores["missing"] = 100.0 * float(1 - np.isfinite(absolute).mean())
    made = rows(
        scores,
        benchmark="aist",
        sequence=window.sequence,
        views=len(window.views),
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
                benchmark="aist",
                sequence=name,
                views=group[0].rows[0].views,
                lifter=lifter,
                frames=sum(part.rows[0].frames for part in group),
            )
    return made
