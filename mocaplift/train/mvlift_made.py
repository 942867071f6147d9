"""Stages 2 and 3 of MVLift: motions made from pictures of single cameras, for stage 4 to learn from.

    mocaplift train mvlift --stage 2 CMU_DIR --work DIR --out weights
    mocaplift train mvlift --stage 3 CMU_DIR --work DIR --out weights

Stage 2 makes other views of the pictures that stage 1 learnt from, with its network (`lift.mvlift.line_views`).
Stage 3 fits the body to the best of them and keeps the motions as a bank (`made-1.npz`), which
`--stage 4 --set 'motions="made"'` trains on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift.conditions import Observed, observed
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.lifter import load_network
from mocaplift.lift.mvlift.line_views import made
from mocaplift.lift.mvlift.network import Denoiser, told_step
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import Network, Sampling
from mocaplift.train.data.motion_bank import MotionBank, save_bank
from mocaplift.train.data.mvlift_pictures import Pictures
from mocaplift.train.mvlift_lines import LineTraining
from mocaplift.train.mvlift_network import DenoiserModule
from mocaplift.train.mvlift_source import MADE_BANK, Source
from mocaplift.train.transformer import set_weights

FORMAT = 1  # in the files' names
ARRAYS = ("points", "badness")
# Settings of rehearsals: everything happens, in two minutes.
VIEWS_REHEARSAL = ("windows=32", "samples=1", "steps=4")
BODIES_REHEARSAL = ("kept=0.2", "farthest=0.5")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ViewMaking:
    """How stage 2 makes views."""

    network: str = ""  # of stage 1: a name or a path; none means what stage 1 has written
    windows: int = 1 << 20  # at most
    per_shard: int = 32
    samples: int = 2  # of every window, of which the best is kept
    steps: int = 4  # of the sampling: more gain 1 mm on held-out windows
    seed: int = 19


@dataclass(frozen=True)
class BodyFitting:
    """How stage 3 chooses among what stage 2 made."""

    kept: float = 0.6  # share of the windows, those with the least badness
    fps: float = 15.0  # of the windows, as stage 1's network has it
    farthest: float = 0.15  # m, mean: bodies further off what stage 2 made are no good examples


def make_views(
    config: ViewMaking,
    source: Source,
    out: Path,
    *,
    work: Path,
    progress: Progress = lambda stage, done, total: None,
) -> Path:
    """Make the points that six views of every picture agree on, in shards, and return their folder.

    Shards that are there are kept: the same command goes on. `out` is where stage 1 put its network.

    Raises:
        InvalidData: the recordings or clips are missing or damaged.
        WeightsError: the network of stage 1 is missing.
        OutputError: the folder cannot be written.
    """
    name = config.network or source.weights_name(None)
    path = out / f"{name}.safetensors"
    network = load_network(str(path) if path.is_file() else name)
    figure, usual, asked = source.figure(work), LineTraining(), in_torch(network)
    pictures, _ = source.pictures(work, network.config, usual.pictures, usual.validation)
    count = min(config.windows, len(pictures.plane))
    folder = work / "views"
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, config.per_shard)
    for number, start in enumerate(starts):
        path = shard_path(folder, number)
        if not path.exists():
            seen = seen_again(pictures, slice(start, min(start + config.per_shard, count)), figure)
            rng = np.random.default_rng((config.seed, number))
            found, badness = made(
                asked, Schedule.cosine(network.steps), seen, figure, rng, count=config.samples,
                sampling=Sampling(steps=config.steps),
            )  # fmt: skip
            with whole_file(path) as temporary, temporary.open("wb") as file:
                points = found.points.astype(np.float32)
                np.savez(file, allow_pickle=False, points=points, badness=badness.astype(np.float32))
        progress("views", number + 1, len(starts))
    return folder


def fit_bodies(
    config: BodyFitting,
    source: Source,
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
    figure, usual = source.figure(work), LineTraining()
    shards = [read_shard(path, figure) for path in paths]
    if len({shard["points"].shape[1] for shard in shards}) > 1:
        raise InvalidData(f"{work / 'views'}: shards of several settings; delete them and run stage 2 again")
    points, badness = (np.concatenate([shard[name] for shard in shards]) for name in ARRAYS)
    network = replace(usual.network, frames=points.shape[1], per_token=1, fps=config.fps)
    pictures, _ = source.pictures(work, network, usual.pictures, usual.validation)
    if len(points) > len(pictures.plane):
        raise InvalidData(
            f"{work / 'views'}: {len(points)} windows were made of {len(pictures.plane)} pictures; delete them "
            "and run stage 2 again"
        )
    chosen = np.flatnonzero(badness <= np.quantile(badness, config.kept))
    fit_body, motions = source.fit_body(work, config.farthest), []
    for done, window in enumerate(chosen):
        seen = seen_again(pictures, slice(window, window + 1), figure)
        motion = fit_body(seen, points[window], config.fps)
        if motion is not None:
            motions.append(motion)
        progress("bodies", done + 1, len(chosen))
    if not motions:
        raise InvalidData(f"{work / 'views'}: no body fits what stage 2 made; train stage 1 longer")
    length = np.array([len(motion) for motion in motions])
    bank = MotionBank(
        xyz=np.concatenate(motions),
        first=np.concatenate([[0], np.cumsum(length)[:-1]]),
        length=length,
        chance=np.full(len(motions), 1 / len(motions)),
        figure=figure,
    )
    save_bank(work / MADE_BANK, bank)
    return work / MADE_BANK


def in_torch(network: Denoiser) -> Network:
    """Return the network as torch runs it with half-precision products, several times as fast."""
    module = DenoiserModule(network.config, network.figure).eval()
    set_weights(module, network.weights)

    @torch.no_grad()
    def asked(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        arrays = (noisy, told_step(np.full(len(noisy), step), network.steps), told)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            clean = module(*(torch.from_numpy(np.asarray(each, dtype=np.float32)) for each in arrays))
        found: np.ndarray = clean.float().numpy()
        return found

    return asked


def seen_again(pictures: Pictures, which: slice, figure: Figure) -> Observed:
    """Return pictures as what a camera saw that stands level at the origin."""
    plane, sigma = pictures.plane[which].astype(float), pictures.sigma[which].astype(float)
    ring = Ring.around(pictures.axes[which].astype(float), pictures.distance[which].astype(float), ())
    return observed(ring.directions(plane[:, None])[:, 0], sigma, figure)


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard of made points lies."""
    return folder / f"views-{FORMAT}-{number:05d}.npz"


def read_shard(path: Path, figure: Figure) -> dict[str, np.ndarray]:
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
    if points.ndim != 4 or points.shape[2:] != (len(figure.layout), 3) or badness.shape != points.shape[:1]:
        raise InvalidData(f"{path}: the parts of this shard do not fit together; delete it")
    return shard
