"""Is motion in depth shrunk? The slope of found on true root depth, for one camera at several distances.

The same passages of held-out motion, turned so that they go towards the camera and away, are filmed from every
distance: without noise, and as a detector would see them. It lies here and not in `evaluate` because motions and
noise are training's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.evaluate import single
from mocaplift.evaluate.floors import STATIC
from mocaplift.evaluate.metrics import hip_midpoint
from mocaplift.evaluate.report import Row, merged
from mocaplift.evaluate.solvers import Solve, by_lifter
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.noise import Detector
from mocaplift.train.data.topdown_noise import TopDown
from mocaplift.train.held_out import FPS, SEED, WINDOW, bank_of, recordings
from mocaplift.values import Camera, Keypoints2D, Motion3D

BENCHMARK = "depth"
DISTANCES = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)  # m, of the middle of the path
# What sees the person: the geometry alone, or a COCO network with its fitted noise.
EXACT, COCO = "exact", "coco"
WINDOWS = 16
# m between the nearest and the furthest place of the hips: enough to measure, and at 2 m still in the picture.
WAY = (0.6, 1.0)
# A phone held upright on a tripod.
FOV_DEG, SIZE, HEIGHT = 65.0, (1080, 1920), 1.2  # degrees, px, m
AIM_HEIGHT = 0.9  # m
_DRAWN, _MOST_DRAWS = 64, 50  # passages at once; how often before there seem to be none


def depth_curve(
    folder: str | Path,
    *,
    lifters: Sequence[str] | None = None,
    windows: int = WINDOWS,
    focal: str = single.KNOWN,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the curve: for each kind of noise, depth gain, T_root and MPJPE at every distance.

    `depth_gain_furthest` is the gain that is furthest from 1. An unknown lens multiplies all gains by the ratio of
    the assumed to the true focal length: 1.10.

    Args:
        folder: as in `held_out.mocap`.
        lifters: names to score, as `solve` understands them; None: all there are of one view.
        windows: passages at every distance; always the same.
        focal: what lifters are told of the lens, as in `single.told`.
        jobs: processes that share the work.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows done, all windows).

    Raises:
        InvalidData: the folder holds no motions, damaged ones, or none that go far enough.
        ConfigError: too few windows, or an unknown lifter.
    """
    if windows < 1:
        raise ConfigError(f"one or more windows are needed, not {windows}")
    names = single.default_lifters() if lifters is None else lifters
    met = list(filmed(passages(bank_of(recordings(folder)), windows)))
    found = single.scored(met, names, BENCHMARK, focal=focal, jobs=jobs, solve=solve, progress=progress)
    found = [each for each in found if each.lifter != STATIC]  # no curve: it never moves
    return [row for kind in (EXACT, COCO) for row in _curve(found, kind)]


def passages(bank: MotionBank, count: int) -> Float[np.ndarray, "N T 21 3"]:
    """Return passages of a bank whose hips go a `WAY`, most of it along Z, their middle over (0, 0).

    Raises:
        InvalidData: no motion is long enough, or none goes so far.
    """
    rng = np.random.default_rng(SEED)
    kept: list[np.ndarray] = []
    for _ in range(_MOST_DRAWS):
        for xyz in along_z(bank.windows(rng, _DRAWN, WINDOW, FPS).astype(float)):
            if WAY[0] <= np.ptp(hip_midpoint(xyz, BODY21)[:, 2]) <= WAY[1]:
                kept.append(xyz)
        if len(kept) >= count:
            return np.stack(kept[:count])
    raise InvalidData(f"only {len(kept)} passages go {WAY[0]:g} to {WAY[1]:g} m, {count} are needed")


def along_z(xyz: Float[np.ndarray, "N T 21 3"]) -> Float[np.ndarray, "N T 21 3"]:
    """Return passages moved so that their path has its middle over (0, 0), and turned so that it follows Z."""
    hips = hip_midpoint(xyz, BODY21)
    middle = hips.mean(axis=1, keepdims=True) * [1.0, 0.0, 1.0]
    path = (hips - middle)[..., [0, 2]]
    axis = np.linalg.eigh(path.transpose(0, 2, 1) @ path)[1][:, :, -1]  # of the largest spread
    sine, cosine = axis[:, :1, None], axis[:, 1:, None]
    x, y, z = np.moveaxis(xyz - middle[:, :, None], -1, 0)
    return np.stack([cosine * x - sine * z, y, sine * x + cosine * z], axis=-1)


def filmed(passages: Float[np.ndarray, "N T 21 3"]) -> Iterator[single.Window]:
    """Yield every passage at every distance with every kind of noise."""
    for distance in DISTANCES:
        camera = camera_at(distance)
        for number, xyz in enumerate(passages):
            truth = Motion3D(xyz, np.zeros(xyz.shape[:2]), BODY21, FPS)
            # The same seed at every distance: what differs is the distance.
            (noisy,) = Detector(TopDown()).see(np.random.default_rng([SEED, number]), truth, (camera,))
            for kind, view in ((EXACT, seen(truth, camera)), (COCO, noisy)):
                yield single.Window(name_of(kind, distance), 0, view, camera, remap(xyz, BODY21, COCO17))


def camera_at(distance: float) -> Camera:
    """Return the camera that stands so far (m) from the world's vertical axis."""
    pose = look_at(np.array([0.0, HEIGHT, distance]), np.array([0.0, AIM_HEIGHT, 0.0]))
    return Camera("phone", intrinsics_from_fov(FOV_DEG, SIZE), np.zeros(5), pose, SIZE)


def seen(truth: Motion3D, camera: Camera) -> Keypoints2D:
    """Return the projections of a motion, those outside the picture missing."""
    xy = project(camera, truth.xyz)
    is_inside: Bool[np.ndarray, "T 21"] = np.all((xy > 0) & (xy < np.array(camera.size) - 1), axis=-1)
    return Keypoints2D(
        np.where(is_inside[..., None], xy, np.nan), is_inside.astype(float), BODY21, truth.fps, camera.size
    )


def name_of(kind: str, distance: float) -> str:
    """Return the name of the windows of one kind of noise at one distance (m)."""
    return f"{kind} at {distance:g} m"


def _curve(found: Sequence[single.Scored], kind: str) -> list[Row]:
    """Return the rows of one kind of noise, all lifters."""
    made: list[Row] = []
    for lifter in dict.fromkeys(each.lifter for each in found):
        gains = []
        for distance in DISTANCES:
            part = [e for e in found if (e.lifter, e.sequence) == (lifter, name_of(kind, distance))]
            gains.append(single.pooled_gain(part))
            means = [row._replace(sequence=kind) for row in merged(row for each in part for row in each.rows)]
            gain = means[0]._replace(metric="depth_gain", value=gains[-1], unit="m/m")
            for row in (gain, *(row for row in means if row.metric in ("t_root", "mpjpe"))):
                made.append(row._replace(metric=f"{row.metric}_at_{distance:g}_m"))
        furthest = max(gains, key=lambda gain: abs(gain - 1))
        frames = sum(row.frames for row in made if row.lifter == lifter and row.metric.startswith("depth"))
        made.append(
            made[-1]._replace(metric="depth_gain_furthest", value=furthest, unit="m/m", frames=frames)
        )
    return sorted(made, key=lambda row: row.metric.startswith(("t_root", "mpjpe")))
