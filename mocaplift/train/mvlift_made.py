"""Stages 2 and 3 of MVLift: motions made from pictures of single cameras, for stage 4 to learn from.

    mocaplift train mvlift --stage 2 CMU_DIR --work DIR --out weights
    mocaplift train mvlift --stage 3 CMU_DIR --work DIR --out weights

Stage 2 makes other views of the pictures that stage 1 learnt from, with its network (`lift.mvlift.line_views`).
Stage 3 fits the body to the best of them and keeps the motions as a bank (`made-1.npz`), which
`--stage 4 --set 'motions="made"'` trains on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

from mocaplift.body import body_keypoints
from mocaplift.confidence import confidence_of_error
from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.fit import Fitter, fit_skeleton
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift.conditions import Observed, observed
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.lifter import load_network
from mocaplift.lift.mvlift.line_views import AZIMUTHS, made
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import Sampling, ring_of
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank, save_bank
from mocaplift.train.data.mvlift_pictures import Pictures
from mocaplift.train.mvlift import MADE_BANK
from mocaplift.train.mvlift_lines import LineTraining, filmed
from mocaplift.values import Camera, Keypoints2D, Motion3D

FORMAT = 1  # in the files' names
ARRAYS = ("points", "badness")
# Settings of rehearsals: everything happens, in two minutes.
VIEWS_REHEARSAL = ("windows=32", "samples=1", "steps=4")
BODIES_REHEARSAL = ("kept=0.2",)
# The made views that a body is fitted to, beside the real one: 60 degrees to each side.
FITTED_VIEWS = (0, 1, 5)
# What a made view is worth in the fit (m), and the picture that its points are put in.
MADE_ERROR = 0.05
FOCAL_PX, SIZE_PX = 1000.0, (2000, 2000)
# Bodies further off (m, mean) what was observed, or what was made, are no good examples.
WORST_PICTURE, WORST_BODY = 0.08, 0.15
LOWEST_SHARE = 5.0  # per cent of the feet's heights that lie below the floor
# Errors (m) between which confidences are interpolated.
ERRORS = np.linspace(0.005, 0.2, 64)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ViewMaking:
    """How stage 2 makes views."""

    network: str = "mvlift-lines"  # of stage 1: a name, or a path
    windows: int = 1 << 20  # at most
    per_shard: int = 16
    samples: int = 3  # of every window, of which the best is kept
    steps: int = 16  # of the sampling
    seed: int = 19


@dataclass(frozen=True)
class BodyFitting:
    """How stage 3 chooses among what stage 2 made."""

    kept: float = 0.6  # share of the windows, those with the least badness


def make_views(
    config: ViewMaking,
    cmu: Path,
    out: Path,
    *,
    work: Path,
    progress: Progress = lambda stage, done, total: None,
) -> Path:
    """Make the points that six views of every picture agree on, in shards, and return their folder.

    Shards that are there are kept: the same command goes on. `out` is where stage 1 put its network.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        WeightsError: the network of stage 1 is missing.
        OutputError: the folder cannot be written.
    """
    path = out / f"{config.network}.safetensors"
    network = load_network(str(path) if path.is_file() else config.network)
    pictures, _ = filmed(LineTraining(network=network.config), cmu, work)
    count = min(config.windows, len(pictures.plane))
    folder = work / "views"
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, config.per_shard)
    for number, start in enumerate(starts):
        path = shard_path(folder, number)
        if not path.exists():
            seen = seen_again(pictures, slice(start, min(start + config.per_shard, count)))
            rng = np.random.default_rng((config.seed, number))
            found, badness = made(
                network, Schedule.cosine(network.steps), seen, PERSON, rng, count=config.samples,
                sampling=Sampling(steps=config.steps),
            )  # fmt: skip
            with whole_file(path) as temporary, temporary.open("wb") as file:
                points = found.points.astype(np.float32)
                np.savez(file, allow_pickle=False, points=points, badness=badness.astype(np.float32))
        progress("views", number + 1, len(starts))
    return folder


def fit_bodies(
    config: BodyFitting,
    cmu: Path,
    out: Path,
    *,
    work: Path,
    progress: Progress = lambda stage, done, total: None,
) -> Path:
    """Fit the body to the best of what stage 2 made and return the bank of motions.

    Raises:
        InvalidData: stage 2 has not made anything yet, or nothing good; or a shard is damaged.
        OutputError: the folder cannot be written.
    """
    paths = sorted((work / "views").glob(f"views-{FORMAT}-*.npz"))
    if not paths:
        raise InvalidData(f"{work / 'views'}: no views; run stage 2 with the same work folder first")
    shards = [read_shard(path) for path in paths]
    points, badness = (np.concatenate([shard[name] for shard in shards]) for name in ARRAYS)
    network = LineTraining().network
    pictures, _ = filmed(LineTraining(), cmu, work)
    chosen = np.flatnonzero(badness <= np.quantile(badness, config.kept))
    fitter, motions = Fitter.for_views(1), []
    for done, window in enumerate(chosen):
        seen = seen_again(pictures, slice(window, window + 1))
        body = fitted(seen, points[window], network.fps, fitter)
        if body is not None:
            motions.append(as_motion(body, network.fps))
        progress("bodies", done + 1, len(chosen))
    if not motions:
        raise InvalidData(f"{work / 'views'}: no body fits what stage 2 made; train stage 1 longer")
    length = np.array([len(motion) for motion in motions])
    bank = MotionBank(
        xyz=np.concatenate(motions),
        first=np.concatenate([[0], np.cumsum(length)[:-1]]),
        length=length,
        chance=np.full(len(motions), 1 / len(motions)),
    )
    save_bank(work / MADE_BANK, bank)
    return work / MADE_BANK


def seen_again(pictures: Pictures, which: slice) -> Observed:
    """Return pictures as what a camera saw that stands level at the origin."""
    plane, sigma = pictures.plane[which].astype(float), pictures.sigma[which].astype(float)
    ring = Ring.around(pictures.axes[which].astype(float), pictures.distance[which].astype(float), ())
    return observed(ring.directions(plane[:, None])[:, 0], sigma, PERSON)


def fitted(
    seen: Observed, points: Float[np.ndarray, "T 21 3"], fps: float, fitter: Fitter
) -> Float[np.ndarray, "T 21 3"] | None:
    """Return the points of a body fitted to one window's points and picture, or None if it is far from either."""
    ring = ring_of(seen, AZIMUTHS).part(FITTED_VIEWS)
    plane = ring.see(points[None].astype(float))[0]
    sigma = np.full(plane.shape[:-1], MADE_ERROR)
    plane[0], sigma[0] = seen.plane[0], seen.sigma[0]
    start = Motion3D(points.astype(float), np.full(points.shape[:2], MADE_ERROR), BODY21, fps)
    views = [
        _keypoints(*pair, ring.radius[0, view], fps)
        for view, pair in enumerate(zip(plane, sigma, strict=True))
    ]
    body = body_keypoints(fit_skeleton([start], views, _cameras(ring), fitter)).xyz
    is_seen = np.isfinite(seen.sigma[0])
    missed = np.linalg.norm(ring.part([0]).see(body[None])[0, 0] - seen.plane[0], axis=-1)[is_seen]
    moved = np.linalg.norm(body - points, axis=-1)
    return body if missed.mean() < WORST_PICTURE and moved.mean() < WORST_BODY else None


def as_motion(body: Float[np.ndarray, "T 21 3"], fps: float) -> Float[np.ndarray, "F 21 3"]:
    """Return points at the rate of a bank, their feet on the floor and their middle over (0, 0)."""
    frames = len(body)
    at = np.arange(0, frames - 1 + 1e-9, fps / BANK_FPS)
    xyz = make_interp_spline(np.arange(frames), body, k=3)(at)
    feet = xyz[:, BODY21.index(*CONTACT_POINTS), 1]
    middle = xyz[len(xyz) // 2].mean(axis=0)
    moved: Float[np.ndarray, "F 21 3"] = xyz - [middle[0], np.percentile(feet, LOWEST_SHARE), middle[2]]
    return moved.astype(np.float32)


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard of made points lies."""
    return folder / f"views-{FORMAT}-{number:05d}.npz"


def read_shard(path: Path) -> dict[str, np.ndarray]:
    """Return the points and the badness of a shard.

    Raises:
        InvalidData: the file is no such shard.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            shard = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InvalidData(f"{path}: no shard of made views ({error}); delete it") from error
    points, badness = shard["points"], shard["badness"]
    if points.ndim != 4 or points.shape[2:] != (len(BODY21), 3) or badness.shape != points.shape[:1]:
        raise InvalidData(f"{path}: the parts of this shard do not fit together; delete it")
    return shard


def _keypoints(
    plane: Float[np.ndarray, "T 21 2"], sigma: Float[np.ndarray, "T 21"], radius: np.floating, fps: float
) -> Keypoints2D:
    """Return a picture as keypoints of `_cameras`, with the confidences that go with the expected errors."""
    conf = np.stack(
        [
            np.interp(sigma[:, place], ERRORS, [confidence_of_error(each, joint) for each in ERRORS])
            for place, joint in enumerate(BODY21.joints)
        ],
        axis=-1,
    )
    is_seen = np.isfinite(sigma)
    xy = plane / radius * FOCAL_PX + (np.array(SIZE_PX) - 1) / 2
    return Keypoints2D(
        xy=np.where(is_seen[..., None], xy, np.nan),
        conf=np.where(is_seen, conf, 0.0),
        layout=BODY21,
        fps=fps,
        size=SIZE_PX,
    )


def _cameras(ring: Ring) -> list[Camera]:
    """Return the cameras of one window's ring."""
    middle = (np.array(SIZE_PX) - 1) / 2
    intrinsics = np.array([[FOCAL_PX, 0.0, middle[0]], [0.0, FOCAL_PX, middle[1]], [0.0, 0.0, 1.0]])
    cameras = []
    for view, (axes, centre) in enumerate(zip(ring.axes[0], ring.centre[0], strict=True)):
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3], cam_from_world[:3, 3] = axes, -axes @ centre
        cameras.append(Camera(f"view {view}", intrinsics, np.zeros(5), cam_from_world, SIZE_PX))
    return cameras
