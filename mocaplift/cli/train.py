"""`mocaplift train ...`: make the weight files that come with the package."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from mocaplift.cli.flags import loudness_flags

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


def _run(
    stage: Any, config: Any, cmu: Path, out: Path, settings: tuple[str, ...], loudness: dict[str, bool]
) -> None:
    """Run a training stage with changed settings, or list the settings."""
    from mocaplift.cli.screen import Screen, start_logging
    from mocaplift.train.config import override

    if "help" in settings:
        for each in dataclasses.fields(config):
            click.echo(f"{each.name} = {each.default}")
        return
    start_logging(Screen(is_verbose=not loudness["quiet"], is_debug=loudness["debug"]))
    click.echo(f"wrote {stage(override(config, settings), cmu, out)}")
