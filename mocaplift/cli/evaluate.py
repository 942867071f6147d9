"""`mocaplift evaluate ...`: benchmarks with a known truth, printed as tables and written as flat JSON rows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mocaplift.cli.figures import figure
from mocaplift.options import Options

_LIFTER = Options.lifter

_json = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the rows as one flat JSON list.",
)
_lifters = click.option(
    "--lifter",
    "lifters",
    multiple=True,
    default=(_LIFTER,),
    metavar="NAME",
    help=f"What to score; may be repeated.  [default {_LIFTER}]",
)
_views = click.option(
    "--views",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Cameras that see the person together.  [default 1]",
)
_several = click.option(
    "--lifter",
    "lifters",
    multiple=True,
    metavar="NAME",
    help=f"What to score; may be repeated. NAME+raw: its points without the fit that follows one view; NAME+fit: "
    f"with the fit, for several.  [default {_LIFTER}; with several views all that there are]",
)
_all_lifters = click.option(
    "--lifter",
    "lifters",
    multiple=True,
    metavar="NAME",
    help="What to score; may be repeated.  [default all]",
)
_focal = click.option(
    "--focal",
    type=click.Choice(("known", "unknown")),
    default="known",
    help="With one view: whether the lifters are told the focal length, or assume a likely lens.  [default known]",
)
_fit = click.option(
    "--fit",
    is_flag=True,
    help="With several views: also score the skeleton that is fitted to each lifter's points.",
)
_every = click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Score every N-th window (one view) or set of cameras (several) only.  [default 1]",
)
_detector = click.option(
    "--detector",
    default=Options.detector,
    metavar="NAME",
    help=f"Which detector sees the videos.  [default {Options.detector}]",
)
_jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Processes that share the work.  [default 1]",
)


@click.group()
def evaluate() -> None:
    """Measure accuracy and speed; rows named "all" are frame-weighted means."""


evaluate.add_command(figure)


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@_views
@click.option(
    "--sequence",
    "sequences",
    multiple=True,
    metavar="NAME",
    help="Only sequences with this in their name; may be repeated.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=30.0,
    metavar="FPS",
    help="With several views: frames per second, 30 or the 60 of the data.  [default 30]",
)
@click.option("--first", is_flag=True, help="With one view: only the first window of each camera.")
@click.option(
    "--published", is_flag=True, help="With one view: also what papers report, on other sequences of AIST++."
)
@_every
@_several
@_focal
@_fit
@_jobs
@_json
def aist(
    folder: Path,
    views: int,
    sequences: tuple[str, ...],
    rate: float,
    first: bool,
    published: bool,
    every: int,
    lifters: tuple[str, ...],
    focal: str,
    fit: bool,
    jobs: int,
    json_path: Path | None,
) -> None:
    """Score single or several views of the AIST++ sequences in DIR (their own 2D, no video)."""
    from mocaplift.evaluate.aist import aist as measure

    _show(
        lambda progress: measure(
            folder,
            views=views,
            lifters=lifters or None,
            sequences=sequences or None,
            every=every,
            fps=rate,
            first=first,
            focal=focal,
            with_published=published,
            fit=fit,
            jobs=jobs,
            progress=progress,
        ),
        json_path,
    )


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@_views
@_several
@_detector
@_fit
@_json
def pose2sim(
    folder: Path, views: int, lifters: tuple[str, ...], detector: str, fit: bool, json_path: Path | None
) -> None:
    """Score the cameras of a Pose2Sim folder, alone against all, or several against its reference."""
    from mocaplift.evaluate.pose2sim import pose2sim as measure

    _show(
        lambda progress: measure(
            folder, views=views, lifters=lifters or None, detector=detector, fit=fit, progress=progress
        ),
        json_path,
    )


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--views",
    type=click.IntRange(min=1),
    default=2,
    metavar="N",
    help="Cameras of every random rig.  [default 2]",
)
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    default=200,
    metavar="N",
    help="How many windows of four seconds are drawn; always the same.  [default 200]",
)
@_all_lifters
@_focal
@_fit
@_jobs
@_json
def mocap(
    folder: Path,
    views: int,
    windows: int,
    lifters: tuple[str, ...],
    focal: str,
    fit: bool,
    jobs: int,
    json_path: Path | None,
) -> None:
    """Score lifters on motion capture that training never saw, with made-up cameras and noise.

    DIR holds CMU's archives, whose held-out takes are used, or BVH files on their skeleton.
    """
    from mocaplift.train.held_out import mocap as measure

    _show(
        lambda progress: measure(
            folder,
            views=views,
            lifters=lifters or None,
            windows=windows,
            focal=focal,
            fit=fit,
            jobs=jobs,
            progress=progress,
        ),
        json_path,
    )


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    help="How many windows are filmed from every distance; always the same.  [default 16]",
)
@_all_lifters
@_focal
@_jobs
@_json
def depth(
    folder: Path, windows: int, lifters: tuple[str, ...], focal: str, jobs: int, json_path: Path | None
) -> None:
    """Measure how much of their motion in depth is left of people 2 to 8 m from one camera.

    DIR is as for mocap. A gain of 1 is right; below, motion in depth is shrunk.
    """
    from mocaplift.train.depth_curve import depth_curve as measure

    _show(
        lambda progress: measure(
            folder, lifters=lifters or None, windows=windows, focal=focal, jobs=jobs, progress=progress
        ),
        json_path,
    )


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR]", required=False)
@_lifters
@_detector
@_json
def samples(folder: Path | None, lifters: tuple[str, ...], detector: str, json_path: Path | None) -> None:
    """Score the sample clips and takes, video to motion, against their known truth.

    DIR is a folder of clips with their truth; without it, the project's sample_videos.
    """
    from mocaplift.evaluate.samples import samples as measure

    _show(lambda progress: measure(folder, lifters=lifters, detector=detector, progress=progress), json_path)


@evaluate.command()
@click.argument("video", type=click.Path(path_type=Path), metavar="[VIDEO]", required=False)
@click.option(
    "--views",
    type=click.IntRange(min=1),
    default=4,
    metavar="N",
    help="Without VIDEO: cameras of the clip that is made up.  [default 4]",
)
@click.option(
    "--lifter",
    "lifters",
    multiple=True,
    metavar="NAME",
    help=f"What to time; may be repeated.  [default {_LIFTER}; without VIDEO all of so many views]",
)
@_json
def speed(video: Path | None, views: int, lifters: tuple[str, ...], json_path: Path | None) -> None:
    """Measure frames per second of each stage and of a whole call on VIDEO, and its peak memory.

    Without VIDEO, lifters alone: of one view a window of four seconds, without the fit (+raw) and with it; of
    several a whole clip, and one new frame.
    """
    from mocaplift.evaluate.lifter_speed import lifter_speed
    from mocaplift.evaluate.speed import speed as measure

    if video is None:
        _show(lambda progress: lifter_speed(views, lifters=lifters or None, progress=progress), json_path)
    else:
        _show(lambda progress: measure(video, lifters=lifters or (_LIFTER,), progress=progress), json_path)


@evaluate.command("export")
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=10_000,
    metavar="N",
    help="How long the motion that is made up is.  [default 10000]",
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    default=("standard",),
    metavar="NAME",
    help="What it is written for; may be repeated.  [default standard]",
)
@_json
def export_(frames: int, presets: tuple[str, ...], json_path: Path | None) -> None:
    """Measure how long a whole call takes that writes a motion in each format, and its peak memory."""
    from mocaplift.evaluate.export_speed import export_speed

    _show(lambda progress: export_speed(frames, presets=presets, progress=progress), json_path)


def _show(measure: Callable[[Callable[[int, int], None]], Sequence[Any]], json_path: Path | None) -> None:
    """Run a benchmark behind a progress bar, print its tables and write its rows."""
    from rich.console import Console
    from rich.progress import Progress

    from mocaplift.cli.tables import show_rows

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("evaluate", total=None)
        rows = measure(lambda done, total: bars.update(task, completed=done, total=total))
    show_rows(rows, json_path)
