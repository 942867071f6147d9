"""Flags of the verbs; those of a capture are made from the fields of `Options`, which define them."""

import re
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mocaplift.errors import ConfigError
from mocaplift.options import Options, flag_of

if TYPE_CHECKING:
    from mocaplift.export import ExportOptions

Command = TypeVar("Command", bound=Callable[..., Any])

_FEET = re.compile(r"""(\d+)\s*(?:ft|'|feet|foot)\s*(?:(\d+(?:\.\d+)?)\s*(?:in|"|'')?)?""")
_METRIC = re.compile(r"(\d+(?:\.\d+)?)\s*(m|cm|mm|in)?")
_METRES = {None: 1.0, "m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
_FOOT, _INCH = 0.3048, 0.0254  # m, by definition


class Height(click.ParamType):
    """A height as people write it: 1.78, 1.78m, 178cm, 5ft10, 5'10"."""

    name = "height"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the height in metres."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower().replace(",", ".")
        if match := _FEET.fullmatch(text):
            return int(match[1]) * _FOOT + float(match[2] or 0) * _INCH
        if match := _METRIC.fullmatch(text):
            return float(match[1]) * _METRES[match[2]]
        self.fail(f"{value!r} is no height; write 1.78, 178cm or 5ft10", param, ctx)


class Moment(click.ParamType):
    """A time in a video: 62.5, 62.5s, 1:02.5 or 0:01:02.5."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time in seconds."""
        if isinstance(value, int | float):
            return float(value)
        parts = str(value).strip().lower().removesuffix("s").split(":")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) > 3 or min(numbers) < 0:
            self.fail(
                f"{value!r} is no time; write seconds (62.5) or minutes and seconds (1:02.5)", param, ctx
            )
        return sum(number * 60**power for power, number in enumerate(reversed(numbers)))


class Names(click.ParamType):
    """One or several names with commas between them."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in small letters, without leading dots."""
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip().lower().removeprefix(".") for part in str(value).split(","))
        if not all(names):
            self.fail(
                f"{value!r} has an empty name; write names with commas between, as in bvh,smpl", param, ctx
            )
        return names


# What a user may say of one unknown camera, and a calibration says of every camera.
_CALIBRATION_SAYS = ("focal", "fov", "pitch")

_TYPES: dict[str, click.ParamType] = {"height": Height(), "start": Moment(), "end": Moment()}


def capture_flags(*names: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the flags of these fields of `Options`.

    No names mean all of them but `--sync`, which `camera_flags` adds.
    """
    chosen = [each for each in fields(Options) if (each.name in names if names else each.name != "sync")]

    def decorate(command: Command) -> Command:
        for each in reversed(chosen):
            command = _flag(each)(command)
        return command

    return decorate


def _flag(each: Field) -> Callable[[Command], Command]:
    choices = each.metadata["choices"]
    kind = _TYPES.get(each.name) or (click.Choice(choices) if choices else _plain_type(each))
    return click.option(
        flag_of(each.name),
        each.name,
        type=kind,
        default=each.default,
        metavar=_metavar(each),
        help=_help(each),
    )


def _plain_type(each: Field) -> click.ParamType:
    return click.FLOAT if "float" in str(each.type) else click.STRING


def _metavar(each: Field) -> str | None:
    return each.metadata["metavar"] or None


def _help(each: Field) -> str:
    """Return the field's sentence with its unit and default."""
    unit, default = each.metadata["unit"], each.default
    shown = (
        ""
        if default is None
        else f"default {default:g}"
        if isinstance(default, float)
        else f"default {default}"
    )
    note = ", ".join(part for part in (unit, shown) if part)
    return each.metadata["help"] + (f"  [{note}]" if note else "")


# What `ExportOptions` may be told on the command line, by field: the flag and how it is typed. Without one, the
# preset decides.
_ENCODING: dict[str, tuple[str, dict[str, Any]]] = {
    "mesh": (
        "--mesh/--no-mesh",
        {"help": "Put a body with the person's proportions on the skeleton, in fbx and glb.  [default no]"},
    ),
    "template": (
        "--template",
        {
            "metavar": "NAME",
            "help": "Names, hierarchy, rest pose and axes of the bones: native, smpl, humanik, mixamo, ue5, "
            "unity, rigify, cmu or opensim.  [default native, or the preset's]",
        },
    ),
    "proportions": (
        "--proportions",
        {
            "type": click.Choice(["actor", "template"]),
            "help": "Whose bone lengths: the person's, or those of the template's own figure.  [default actor]",
        },
    ),
    "root": (
        "--root",
        {
            "type": click.Choice(["hips", "floor"]),
            "help": "Which bone carries the path: the hips, or a bone on the floor.  "
            "[default hips, or the preset's]",
        },
    ),
    "in_place": (
        "--in-place/--no-in-place",
        {"help": "Keep the body on the spot: only the height of its path remains.  [default no]"},
    ),
    "fps": (
        "--fps",
        {
            "metavar": "RATE",
            "help": "Frames per second of the file: source, 23.976, 24, 25, 29.97 (exactly 30000/1001), 30, 50, "
            "59.94, 60 or 120.  [default source]",
        },
    ),
    "rest_frame": (
        "--rest-frame/--no-rest-frame",
        {"help": "Put one frame of the rest pose before the motion.  [default no, or the preset's]"},
    ),
    "unit": (
        "--units",
        {
            "type": click.Choice(["cm", "m"]),
            "help": "Unit of lengths in the file.  [default cm, or the preset's]",
        },
    ),
    "up": (
        "--up",
        {
            "type": click.Choice(["y", "z"]),
            "help": "Which axis of the file points up.  [default y, or the preset's]",
        },
    ),
}


def encoding_flags(command: Command) -> Command:
    """Add the flags that say how motions are written; `encoding` reads them."""
    for name, (flag, how) in reversed(_ENCODING.items()):
        command = click.option(flag, name, default=None, **how)(command)
    return click.option(
        "--preset",
        default="standard",
        metavar="NAME",
        help="Settings that suit a program: standard, blender, unreal, unity, maya, motionbuilder, mixamo or "
        "opensim; `mocaplift presets` tells how to import.  [default standard]",
    )(command)


def output_flags(command: Command) -> Command:
    """Add the flags that say which files are written, and how."""
    for flag in (
        click.option(
            "--overwrite",
            is_flag=True,
            help="Make everything again, and replace files of the same name whoever made them.",
        ),
        encoding_flags,
        click.option(
            "--format",
            "formats",
            type=Names(),
            default=(),
            metavar="NAMES",
            help="What to write, with commas between: bvh, fbx, glb, smpl, npz, trc, c3d, angles.  [default the "
            "suffix of -o, or the preset's: bvh]",
        ),
        output_flag,
    ):
        command = flag(command)
    return command


def output_flag(command: Command) -> Command:
    """Add `-o`."""
    text = "A file, whose suffix is its format, or a folder; without it, beside each input."
    return click.option("-o", "--output", metavar="PATH", help=text)(command)


def camera_flags(command: Command) -> Command:
    """Add the flags that make several videos one take; `check_cameras` looks at both."""
    text = (
        "Several videos are one take, seen by the cameras that this file or folder describes (any common format, "
        "or cams.json from `mocaplift calibrate`); a folder of folders holds many takes."
    )
    command = capture_flags("sync")(command)
    return click.option("--calib", type=click.Path(path_type=Path), metavar="PATH", help=text)(command)


def check_cameras(options: Options, calibration: Path | None) -> None:
    """Raise if flags about cameras contradict each other.

    Raises:
        ConfigError: something that the calibration says is said again, or something needs a calibration.
    """
    if calibration is None and options.sync != Options().sync:
        raise ConfigError(
            f"--sync {options.sync} brings the videos of several cameras to one clock; give --calib as well, "
            "with the file that describes these cameras"
        )
    for name in _CALIBRATION_SAYS:
        if calibration is not None and getattr(options, name) is not None:
            raise ConfigError(f"--calib {calibration} says what {flag_of(name)} says; give one of them")


def usual_format(flags: dict[str, Any]) -> str:
    """Return the format that suits the preset.

    Raises:
        ConfigError: there is no such preset.
    """
    from mocaplift.export.guides import GUIDES
    from mocaplift.export.presets import preset_named

    preset_named(flags["preset"])
    return GUIDES[flags["preset"]].format


def encoding(flags: dict[str, Any]) -> "ExportOptions":
    """Return how motions are written, a preset and what was said beside it, and take these flags out.

    Raises:
        ConfigError: there is no such preset.
    """
    from mocaplift.export import preset_named

    preset = preset_named(flags.pop("preset"))
    said = {name: flags.pop(name) for name in _ENCODING}
    return replace(preset, **{name: value for name, value in said.items() if value is not None})


def loudness_flags(command: Command) -> Command:
    """Add the flags that say how much is printed."""
    for flag in (
        click.option("--debug", is_flag=True, help="Show the traceback of every error and all log lines."),
        click.option("-v", "--verbose", is_flag=True, help="Say more: every stage with its time."),
        click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    ):
        command = flag(command)
    return command
