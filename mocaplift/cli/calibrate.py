"""`mocaplift calibrate ...`: cameras from pictures of a board, camera files converted and shown."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mocaplift.calibrate.pictures import Progress

_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}  # m
_LENGTH = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(mm|cm|m|in)")
_COUNTS = re.compile(r"(\d{1,3})\s*[x×*,]\s*(\d{1,3})")
_SCENE = """\b
Known points instead of a board (--scene FILE):
  {"units": "m", "up": "z",
   "points": {"a": [0, 0, 0], "b": [2, 0.6, 0], ...},
   "pixels": {"cam01": {"a": [512.3, 804.1], "b": [301, 640.5], ...}, ...}}
"""
_UPS = ("y", "-y", "z", "-z")


class Length(click.ParamType):
    """A length with its unit: 60mm, 6cm, 0.06m, 2in."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the length in metres."""
        if isinstance(value, float):
            return value
        match = _LENGTH.fullmatch(str(value).strip().lower().replace(",", "."))
        if match is None:
            self.fail(f"{value!r} is no length with a unit; write 60mm, 6cm or 2in", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Counts(click.ParamType):
    """Two counts, as 4x7."""

    name = "counts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return (columns, rows)."""
        if isinstance(value, tuple):
            return value
        match = _COUNTS.fullmatch(str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is no board; write two counts, as in 4x7", param, ctx)
        return int(match[1]), int(match[2])


_file = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
_output = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("cams.json"),
    metavar="FILE",
    help="The camera file to write.  [default cams.json]",
)
_unit = click.option(
    "--unit",
    type=click.Choice(["m", "cm", "mm", "in"]),
    default=None,
    help="Unit of the lengths in FILE, where it does not say.",
)
_up = click.option(
    "--up",
    type=click.Choice(_UPS),
    default=None,
    help="Axis of the world in FILE that points up, where it does not say.",
)
_subject = click.option(
    "--subject",
    default=None,
    metavar="NAME",
    help="Whose session, for files that hold several (Human3.6M).",
)


@click.group()
def calibrate() -> None:
    """Make the camera file of a rig from pictures of a board; convert and show camera files."""


@calibrate.command(epilog=_SCENE)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@_output
@click.option(
    "--board",
    "counts",
    type=Counts(),
    required=True,
    metavar="NxM",
    help="Corners of the chessboard where four squares meet, as 4x7; with --charuco: squares, columns first.",
)
@click.option(
    "--square", type=Length(), required=True, metavar="LENGTH", help="Side of one square, as 60mm or 2in."
)
@click.option(
    "--charuco",
    "dictionary",
    default=None,
    metavar="DICT",
    help="The board is a ChArUco board of this ArUco dictionary, as DICT_4X4_50.",
)
@click.option(
    "--marker",
    type=Length(),
    default=None,
    metavar="LENGTH",
    help="Side of a ChArUco board's markers.  [default 0.75 of the square]",
)
@click.option(
    "--floor",
    default=None,
    metavar="NAME",
    help="The picture of extrinsics (file name, or seconds of a video) with the board flat on the floor.",
)
@click.option(
    "--scene",
    "scene_path",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Known points and their pixels (JSON), to place the cameras without a board.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=4, max=500),
    default=60,
    metavar="N",
    help="Frames of each video that are looked at, evenly spaced.  [default 60]",
)
def board(
    folder: Path,
    output: Path,
    counts: tuple[int, int],
    square: float,
    dictionary: str | None,
    marker: float | None,
    floor: str | None,
    scene_path: Path | None,
    frames: int,
) -> None:
    """Make cams.json from pictures or videos of a chessboard or ChArUco board.

    DIR holds intrinsics/CAMERA/*, 10 to 30 pictures of the board by each camera alone, near and tilted in all
    directions, and extrinsics/CAMERA/*, pictures that all cameras took at once, paired by name or order; a video
    may stand for pictures. Without intrinsics, the lenses too come from extrinsics.

    The board on the floor, in floor/CAMERA.png or the picture named by --floor, makes the world: metres, +Y up,
    origin at the board's first corner. A single picture in extrinsics is taken for it.
    """
    from mocaplift.calibrate import write_calibration
    from mocaplift.calibrate.board import Board
    from mocaplift.calibrate.rig import calibrate_rig
    from mocaplift.calibrate.scene import read_scene
    from mocaplift.cli.rig_tables import show_cameras, show_rig
    from mocaplift.files import check_folder

    check_folder(output.parent)
    scene = None if scene_path is None else read_scene(scene_path)
    if dictionary is not None:
        dictionary, marker = dictionary.upper(), marker or 0.75 * square
    shown = Board(*counts, square, dictionary, marker)
    with _progress() as progress:
        rig = calibrate_rig(folder, shown, floor=floor, scene=scene, frames=frames, progress=progress)
    write_calibration(rig.cameras, output)
    show_rig(rig)
    show_cameras(rig.cameras)
    click.echo(f"wrote {output}")


@calibrate.command()
@_file
@_output
@_unit
@_up
@_subject
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there already.")
def convert(
    file: Path, output: Path, unit: str | None, up: str | None, subject: str | None, overwrite: bool
) -> None:
    """Write the cameras of FILE, of any known make, as cams.json: metres, +Y up.

    FILE may be a folder for makes that use several files. Where a make does not say its unit or which way is up,
    --unit and --up must.
    """
    from mocaplift.calibrate import read_calibration, write_calibration
    from mocaplift.calibrate.world import in_metres_and_y_up

    if not overwrite:
        _check_free(output)
    found = read_calibration(file, subject=subject)
    write_calibration(in_metres_and_y_up(found, unit, up), output)
    click.echo(f"read {len(found.cameras)} cameras ({found.format}), wrote {output}")


@calibrate.command()
@_file
@_subject
def show(file: Path, subject: str | None) -> None:
    """Show the cameras of FILE, of any known make: lenses, places, distances."""
    from mocaplift.calibrate import read_calibration
    from mocaplift.cli.rig_tables import show_cameras

    found = read_calibration(file, subject=subject)
    unit = "m" if found.unit else "unknown; the lengths below are in the file's own"
    click.echo(f"{found.path}: {found.format}, {len(found.cameras)} cameras")
    click.echo(f"unit: {unit}")
    click.echo(f"up: {'+Y' if found.up else 'unknown; the axes below are those of the file'}")
    if not found.sizes_known:
        click.echo("picture sizes: not in the file, guessed from the principal points")
    show_cameras(found.cameras, unit="m" if found.unit else "")


def _check_free(path: Path) -> None:
    from mocaplift.errors import OutputError

    if path.exists():
        raise OutputError(f"{path} is there already; choose another name with -o, or say --overwrite")


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Give a callable that draws a bar for everything that it is told of."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def move(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield move
