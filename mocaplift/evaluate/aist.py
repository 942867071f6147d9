"""AIST++ as a benchmark: score lifters on a real detector's keypoints against the published 3D.

One view: windows of four seconds, the product's lift and fit, the metrics of the MVLift paper (`single`). Several
views: whole takes seen by many sets of the nine cameras, the lifter itself, absolute errors as in the MPL paper
(`several`, `pooled`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mocaplift.errors import ConfigError
from mocaplift.evaluate import aist_takes, pooled, several, single
from mocaplift.evaluate.aist_takes import FPS, Take
from mocaplift.evaluate.published import published
from mocaplift.evaluate.report import Row
from mocaplift.evaluate.single import Window
from mocaplift.evaluate.solvers import Solve, by_lifter
from mocaplift.layouts import COCO17
from mocaplift.lift import AUTO
from mocaplift.values import Keypoints2D

# The MVLift paper cuts 120 frames at 30 fps: 4 s.
WINDOW = 120
BENCHMARK = "aist"


def windows(
    folder: str | Path,
    sequences: Sequence[str] | None = None,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    *,
    first: bool = False,
) -> list[Window]:
    """Return the non-overlapping windows of the sequences in a folder, each seen by every camera.

    Args:
        folder: where the sequences lie.
        sequences: names, or parts of names, of the sequences wanted.
        cameras: names of the cameras wanted ("c01" to "c09").
        every: keep every n-th window only, for a quick look; windows of one camera follow each other, so an odd
            number meets all parts of a sequence.
        first: the first window of each camera only, as in the MVLift paper.

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
            starts = range(0, len(take.truth) - WINDOW + 1, WINDOW)
            found += [_cut(take, chosen, start) for start in (starts[:1] if first else starts)]
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
    first: bool = False,
    focal: str = single.KNOWN,
    with_published: bool = False,
    fit: bool = False,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each sequence, then "all".

    One view: the rows of `single`. The truth is `keypoints3d_optim`. MPJPE is of COCO's 17 joints, hips at the
    origin; released T_root is in the world's axes. Several views: the rows of `pooled`.

    Args:
        folder: where the sequences lie.
        views: cameras that see the person together.
        lifters: names to score, as `solve` understands them; None: auto, or all there are of several views.
        sequences: as in `windows`.
        cameras: as in `windows`.
        every: as in `windows` and `scenes`.
        fps: as in `scenes`; one view is scored at 30.
        first: as in `windows`; one view only.
        focal: what lifters of one view are told of the lens, as in `single.told`.
        with_published: with one view, also return the rows of `published`.
        fit: with several views, score each lifter also with the product's fit after it.
        jobs: processes that share the work.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (windows or scenes done, all of these).

    Raises:
        InvalidData: the folder or a sequence is missing or unreadable.
        CalibrationError: cameras are missing or unreadable.
        ConfigError: an unknown name, or what is of one view only or of several only.
    """
    if views > 1:
        if first or with_published or focal != single.KNOWN:
            raise ConfigError(f"first windows, unknown lenses, published rows: of one view, not {views}")
        met = scenes(folder, views, sequences, cameras, every, fps=fps)
        names = several.default_lifters() if lifters is None else lifters
        names = several.with_fit(names) if fit else names
        together = several.scored(met, names, jobs=jobs, solve=solve, progress=progress)
        return pooled.table(together, BENCHMARK)
    if fps != FPS:
        raise ConfigError(
            f"one view is scored at {FPS:g} frames per second, as in the MVLift paper, not {fps:g}"
        )
    cut = windows(folder, sequences, cameras, every, first=first)
    names = (AUTO,) if lifters is None else lifters
    found = single.scored(cut, names, BENCHMARK, focal=focal, jobs=jobs, solve=solve, progress=progress)
    return [*single.table(found), *(published(BENCHMARK) if with_published else [])]


def _check(every: int) -> None:
    if every < 1:
        raise ConfigError(f"every must be at least 1, but is {every}")


def _cut(take: Take, chosen: int, start: int) -> Window:
    span, view = slice(start, start + WINDOW), take.views[chosen]
    part = Keypoints2D(view.xy[span], view.conf[span], view.layout, view.fps, view.size)
    return Window(take.name, start, part, take.cameras[chosen], take.truth[span])
