"""`mocaplift train ...`: make the weight files that come with the package."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from mocaplift.cli.flags import Command, loudness_flags

_cmu = click.argument("cmu", type=click.Path(path_type=Path), metavar="CMU_DIR")
_out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("weights"),
    metavar="DIR",
    help="Where the weight file goes.  [default weights]",
)
_set = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting; may be repeated. `--set help` lists them.",
)


def _work(kept: str) -> Callable[[Command], Command]:
    """Return the option of the folder in which a long training keeps what it needs to go on."""
    return click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        metavar="DIR",
        help=f"Where {kept} are kept; the same command goes on with them.",
    )


@click.group()
def train() -> None:
    """Make weight files from motion capture: the body model first, then the pose prior."""


@train.command()
@_cmu
@_out
@_set
@loudness_flags
def body(cmu: Path, out: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Make the body model of the fit from the Anny body and the CMU archives in CMU_DIR."""
    from mocaplift.train.body import BodyConfig, train_body

    _run(train_body, BodyConfig(), cmu, out, settings, loudness)


@train.command()
@_cmu
@_out
@_set
@loudness_flags
def prior(cmu: Path, out: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Make the pose prior and pose library of the fit from the CMU archives in CMU_DIR."""
    from mocaplift.train.prior import PriorConfig, train_prior

    _run(train_prior, PriorConfig(), cmu, out, settings, loudness)


@train.command()
@_cmu
@_out
@_set
@loudness_flags
def points(cmu: Path, out: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Make the point prior of triangulation from the CMU archives in CMU_DIR."""
    from mocaplift.train.points import PointPriorConfig, train_points

    _run(train_points, PointPriorConfig(), cmu, out, settings, loudness)


@train.command()
@_out
@_set
@loudness_flags
def mesh(out: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Make the surface of the body (`--mesh`) from the Anny body; the body model must be there."""
    from mocaplift.train.body_mesh import BodyMeshConfig, train_body_mesh

    _run(
        lambda config, _, folder: train_body_mesh(config, folder),
        BodyMeshConfig(),
        None,
        out,
        settings,
        loudness,
    )


@train.command()
@_cmu
@_out
@_work("windows and the state of the training")
@_set
@loudness_flags
def mpl(cmu: Path, out: Path, work: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Train the network of several cameras on synthetic views of the CMU archives in CMU_DIR."""
    from mocaplift.train.mpl import MplTraining, train_mpl

    _run(partial(train_mpl, work=work), MplTraining(), cmu, out, settings, loudness, is_long=True)


@train.command()
@_cmu
@_out
@_work("motions and the state of the training")
@_set
@loudness_flags
def direct(cmu: Path, out: Path, work: Path, settings: tuple[str, ...], **loudness: bool) -> None:
    """Train the network of one camera on synthetic views of the CMU archives in CMU_DIR."""
    from mocaplift.train.direct import DirectTraining, train_direct

    _run(partial(train_direct, work=work), DirectTraining(), cmu, out, settings, loudness, is_long=True)


@train.command("mpl-paper")
@_cmu
@_work("motions, the state of the training and the result")
@click.option(
    "--calib",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The rig to train for; without it, a random one.",
)
@_set
@loudness_flags
def mpl_paper(cmu: Path, work: Path, calib: Path | None, settings: tuple[str, ...], **loudness: bool) -> None:
    """Train the network as the MPL paper has it, for one rig, and compare it there and elsewhere.

    An experiment: it makes a table, not a weight file.
    """
    from mocaplift.cli.tables import show_rows
    from mocaplift.evaluate.report import Row
    from mocaplift.train.mpl_paper import RESULT, PaperTraining, train_mpl_paper

    rows: list[Row] = []

    def stage(config: PaperTraining, cmu: Path, work: Path, progress: Any) -> Path:
        rows.extend(train_mpl_paper(config, cmu, work, calib=calib, progress=progress))
        return work / RESULT

    _run(stage, PaperTraining(), cmu, work, settings, loudness, is_long=True)
    show_rows(rows)


@train.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="SOURCE")
@_out
@click.option(
    "--stage",
    type=click.Choice(["1", "2", "3", "4"]),
    required=True,
    help="What to do: 1 trains a network of one view and its lines, from pictures alone; 2 makes other views of "
    "the pictures with it; 3 fits bodies to them; 4 trains the network that lifts, from motions or those bodies.",
)
@_work("motions, pictures and the state of the training")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings as TOML, such as the config.toml of a run; `--set` wins over them.",
)
@click.option(
    "--rehearse", is_flag=True, help="Do everything, small and in two minutes, to see that it works."
)
@click.option(
    "--layout",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    help="Another figure than a person: SOURCE is then a folder of your own clips, .npz files of 2D keypoints.",
)
@_set
@loudness_flags
def mvlift(
    source: Path,
    out: Path,
    stage: str,
    work: Path,
    config: Path | None,
    rehearse: bool,
    layout: Path | None,
    settings: tuple[str, ...],
    **loudness: bool,
) -> None:
    """Train the diffusion networks of one camera, or make what they learn from.

    SOURCE is the folder of the CMU archives, or with --layout one of your own clips.
    """
    from mocaplift.train import mvlift as views
    from mocaplift.train import mvlift_lines as lines
    from mocaplift.train import mvlift_made as made
    from mocaplift.train.config import override, read_settings
    from mocaplift.train.mvlift_people import People
    from mocaplift.train.mvlift_source import MADE

    stages: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
        "1": (lines.train_lines, lines.LineTraining(), lines.REHEARSAL),
        "2": (made.make_views, made.ViewMaking(), made.VIEWS_REHEARSAL),
        "3": (made.fit_bodies, made.BodyFitting(), made.BODIES_REHEARSAL),
        "4": (views.train_multiview, views.MultiviewTraining(), views.REHEARSAL),
    }
    function, asked, rehearsal = stages[stage]
    learnt: Any = People(source)
    if layout:
        from mocaplift.lift.mvlift.figure_file import read_figure
        from mocaplift.train.mvlift_clips import Clips

        learnt = Clips(source, read_figure(layout))
        if stage == "4":
            asked = dataclasses.replace(asked, motions=MADE)
    if rehearse:
        asked = override(asked, rehearsal)
    if config:
        asked = read_settings(asked, config)
    _run(partial(function, work=work), asked, learnt, out, settings, loudness, is_long=True)


def _run(
    stage: Any,
    config: Any,
    source: Any,
    out: Path,
    settings: tuple[str, ...],
    loudness: dict[str, bool],
    is_long: bool = False,
) -> None:
    """Run a training stage with changed settings, or list the settings; a long one shows its progress."""
    from mocaplift.cli.screen import Screen, start_logging
    from mocaplift.train.config import override

    if "help" in settings:
        for each in dataclasses.fields(config):
            click.echo(f"{each.name} = {each.default}")
        return
    screen = Screen(is_quiet=loudness["quiet"], is_verbose=True, is_debug=loudness["debug"])
    start_logging(screen)
    asked = override(config, settings)
    if is_long:
        screen.open("training")
        stage = partial(stage, progress=screen.progress)
    try:
        written = stage(asked, source, out)
    finally:
        screen.close()
    click.echo(f"wrote {written}")
