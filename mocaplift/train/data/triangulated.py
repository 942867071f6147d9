"""Windows of several cameras with what triangulation makes of them: what the MPL network learns from.

Kept in shards (`windows-00012.npz`), so that making them can be stopped and taken up again, and so that training
can begin while more are made. A shard depends on the seed and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mocaplift.confidence import SIGMA_PER_MEDIAN, expected_error
from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.layouts import BODY21
from mocaplift.lift.point_prior import load_point_prior
from mocaplift.lift.triangulate import triangulate
from mocaplift.lift.view_rays import ViewRays
from mocaplift.train.data.view_windows import Sampler

FPS = 30.0
FRAMES = 64  # of a window: 2 s
PER_SHARD = 32  # windows
# How often so many views are drawn. Two are the commonest and the hardest.
VIEW_CHANCES = {2: 0.45, 3: 0.23, 4: 0.17, 5: 0.09, 6: 0.06}

ARRAYS = ("rays", "centres", "conf", "truth", "error", "xyz", "covariance")


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard lies."""
    return folder / f"windows-{number:05d}.npz"


def make_shards(
    sampler: Sampler,
    folder: Path,
    count: int,
    seed: int,
    *,
    first: int = 0,
    step: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Make the shards that are not there yet and return all; every `step`-th from `first`, to share the work.

    Raises:
        InvalidData: no motion is long enough.
        OutputError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(first, count, step):
        path = shard_path(folder, number)
        if not path.exists():
            arrays = make_shard(sampler, seed, number)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        paths.append(path)
        if progress is not None:
            progress(number + 1, count)
    return paths


def make_shard(sampler: Sampler, seed: int, number: int) -> dict[str, np.ndarray]:
    """Return a shard: the sampler's arrays, and `xyz` [N T 21 3] and `covariance` [N T 21 3 3] triangulated.

    The rays are those that were triangulated, their clocks' offsets taken out; so are the errors.
    """
    rng = np.random.default_rng((seed, number))
    views = int(rng.choice(list(VIEW_CHANCES), p=list(VIEW_CHANCES.values())))
    drawn = sampler.batch(rng, PER_SHARD, views, FRAMES, FPS)
    prior = load_point_prior()
    found = [triangulate(rays_of(drawn, window), prior, FPS) for window in range(PER_SHARD)]
    drawn["rays"] = np.stack([each.rays.direction for each in found])
    missed = [
        each.rays.misses(truth) for each, truth in zip(found, drawn["truth"].astype(float), strict=True)
    ]
    drawn["error"] = np.where(drawn["conf"] > 0, np.linalg.norm(missed, axis=-1), 0.0)
    drawn["xyz"] = np.stack([each.xyz for each in found])
    drawn["covariance"] = np.stack([each.covariance for each in found])
    return {name: drawn[name].astype(np.float32) for name in ARRAYS}


def rays_of(drawn: dict[str, np.ndarray], window: int) -> ViewRays:
    """Return what the views of one drawn window say."""
    conf = drawn["conf"][window].astype(float)
    sigma = expected_error(conf, BODY21) * SIGMA_PER_MEDIAN
    return ViewRays(
        direction=drawn["rays"][window].astype(float),
        centre=drawn["centres"][window].astype(float),
        sigma=np.where(conf > 0, sigma, np.inf),
    )


def read_shard(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a shard.

    Raises:
        InvalidData: the file is no such shard.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InvalidData(f"{path} is no shard of training windows ({error}); delete it") from error
