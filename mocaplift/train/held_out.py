"""Motion capture that training never saw, as a benchmark of lifters: random rigs, random detections.

It scores as `evaluate.aist` does. It lies here and not in `evaluate` because its motions, rigs and detectors are
training's own. The motions are recordings as they are (those of training are also blended and
turned), each on a random body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mocaplift.body import body_keypoints, load_body
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.evaluate import pooled, several, single
from mocaplift.evaluate.report import Row
from mocaplift.evaluate.solvers import Solve, by_lifter
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.reading.bvh import read_bvh
from mocaplift.train.data.cmu import BVH_ARCHIVES, clean_stretches, on_floor, read_takes
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank
from mocaplift.train.data.motions import resample, transfer
from mocaplift.train.data.retarget import retarget, source_of_bvh
from mocaplift.train.data.view_windows import Sampler
from mocaplift.values import Skeleton, SkeletonMotion
from mocaplift.weights import load_arrays, locate

BENCHMARK = "mocap"
FPS = 30.0
# As long as the windows of AIST++ with one view: 4 s.
WINDOW = 120
# Differences of a few per cent are seen in so many: one take more or less changes a mean by half a per cent.
WINDOWS = 200
SEED = 31


def mocap(
    folder: str | Path,
    *,
    views: int,
    lifters: Sequence[str] | None = None,
    windows: int = WINDOWS,
    focal: str = single.KNOWN,
    fit: bool = False,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each kind of detector, then "all"; see `evaluate.pooled` and `single`.

    Errors are of COCO's 17 joints: toes and heels, which most COCO detectors lack, do not count.

    Args:
        folder: CMU's archives, of which the takes that training leaves out are used, or BVH files on CMU's
            skeleton.
        views: cameras of every rig.
        lifters: names to score, as `solve` understands them; None: all there are of so many views.
        windows: how many are drawn; always the same.
        focal: what lifters of one view are told of the lens, as in `single.told`.
        fit: with several views, score each lifter also with the product's fit after it.
        jobs: processes that share the work.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows scored, all windows).

    Raises:
        InvalidData: the folder holds no motions, damaged ones, or none long enough.
        ConfigError: too few views or windows, an unknown lifter, or what is of one view only.
    """
    if views < 1 or windows < 1:
        raise ConfigError(f"one or more views and windows are needed, not {views} and {windows}")
    if views > 1 and focal != single.KNOWN:
        raise ConfigError(f"unknown focal lengths are of one view, not of {views}")
    drawn = scenes(bank_of(recordings(folder)), views, windows)
    if views == 1:
        names = single.default_lifters() if lifters is None else lifters
        met = [single.Window(each.name, 0, each.views[0], each.cameras[0], each.truth) for each in drawn]
        return single.table(
            single.scored(met, names, BENCHMARK, focal=focal, jobs=jobs, solve=solve, progress=progress)
        )
    names = several.default_lifters() if lifters is None else lifters
    names = several.with_fit(names) if fit else names
    return pooled.table(several.scored(drawn, names, jobs=jobs, solve=solve, progress=progress), BENCHMARK)


def scenes(bank: MotionBank, views: int, windows: int) -> list[several.Scene]:
    """Return random windows of a bank before random rigs, named by the kind of detector; always the same.

    Raises:
        InvalidData: no motion is long enough, or a rig cannot have so many cameras.
        WeightsError: the table of the embedded detector's errors is missing.
    """
    sampler = Sampler(bank)
    drawn = []
    for number in range(windows):
        take = sampler.take(np.random.default_rng([SEED, number]), views, WINDOW, FPS)
        truth = remap(take.truth.xyz, BODY21, COCO17)
        drawn.append(
            several.Scene(take.detector, take.views, take.cameras, truth, COCO17, without=number % views)
        )
    return drawn


def recordings(folder: str | Path) -> Iterator[SkeletonMotion]:
    """Yield the motions of a folder on our skeleton, floor at y = 0: CMU's held-out takes, or all BVH files.

    Raises:
        InvalidData: there is no motion in the folder, or a damaged one, or one on another skeleton than CMU's.
        WeightsError: the body model is missing.
    """
    folder, body = Path(folder), load_body()
    skeleton = body.skeleton(np.zeros(body.num_shape))
    sole_y = -float(load_arrays(locate("body"), "body")[0]["pelvis_height"][0])
    if (folder / BVH_ARCHIVES[0]).is_file():
        for take in read_takes(folder, skeleton, sole_y=sole_y):
            if take.is_validation:
                yield take.motion
        return
    files = sorted(folder.rglob("*.bvh")) if folder.is_dir() else []
    if not files:
        raise InvalidData(f"{folder} holds neither CMU's archives ({', '.join(BVH_ARCHIVES)}) nor BVH files")
    for path in files:
        yield from _of_bvh(path, skeleton, sole_y)


def bank_of(motions: Iterator[SkeletonMotion]) -> MotionBank:
    """Return a bank of the motions, each on a random body and drawn as often as it is long.

    Raises:
        InvalidData: there is no motion.
    """
    rng, body = np.random.default_rng(SEED), load_body()
    parts = []
    for motion in motions:
        performed = transfer(resample(motion, BANK_FPS), body.skeleton(rng.normal(size=body.num_shape)))
        parts.append(body_keypoints(performed, body).xyz.astype(np.float32))
    if not parts:
        raise InvalidData("the folder holds no motion that training never saw")
    length = np.array([len(part) for part in parts])
    return MotionBank(
        xyz=np.concatenate(parts),
        first=np.cumsum(length) - length,
        length=length,
        chance=length / length.sum(),
    )


def _of_bvh(path: Path, skeleton: Skeleton, sole_y: float) -> Iterator[SkeletonMotion]:
    """Yield the clean stretches of one BVH file."""
    bvh = read_bvh(path)
    try:
        motion = retarget(source_of_bvh(bvh), skeleton, 1 / bvh.frame_time)
    except InvalidData as error:
        raise InvalidData(f"{path} is not on the skeleton of CMU's BVH files: {error}") from error
    for stretch in clean_stretches(motion):
        yield on_floor(stretch, sole_y)
