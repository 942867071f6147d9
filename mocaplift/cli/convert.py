"""`mocaplift convert`: a file of motion in another format."""

from pathlib import Path
from typing import Any

import click

from mocaplift.cli.flags import Height, encoding, encoding_flags


def reading_flags(command: Any) -> Any:
    """Add the flags that tell what a file does not tell itself."""
    for flag in (
        click.option(
            "--from-fps",
            type=click.FloatRange(min=0, min_open=True, max=10_000),
            metavar="RATE",
            help="Frames per second of an SMPL file that tells none.",
        ),
        click.option(
            "--height",
            type=Height(),
            metavar="HEIGHT",
            help="How tall the person is, as 1.78 or 178cm: the scale of a BVH file of unknown unit.",
        ),
        click.option(
            "--from-up",
            type=click.Choice(["y", "z"]),
            help="Which axis of a BVH file points up.  [default: told by the body]",
        ),
        click.option(
            "--from-unit",
            type=click.Choice(["cm", "m", "mm", "in"]),
            help="Unit of lengths of a BVH file.  [default: told by the size of the body]",
        ),
    ):
        command = flag(command)
    return command


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="IN")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT",
    help="The file to write; its suffix is its format.",
)  # fmt: skip
@reading_flags
@encoding_flags
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there already.")
def convert(
    file: Path,
    output: Path,
    from_unit: str | None,
    from_up: str | None,
    height: float | None,
    from_fps: float | None,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Write the motion in IN in the format that OUT ends in.

    IN is BVH, FBX (binary, as mocaplift writes it), GLB, SMPL or AMASS parameters, or our own .npz. OUT is .bvh,
    .fbx, .glb, .npz, .smpl.npz, .trc, .c3d or .angles.csv. A foreign skeleton keeps its names, hierarchy and
    rest pose; --template, or a preset that has one, brings it onto another rig if its joints are known by name.
    """
    keep = flags["template"] is None and flags["preset"] == "standard"
    options = encoding(flags)
    from mocaplift.conversion import converted
    from mocaplift.export import export, format_of
    from mocaplift.reading import read_recording

    suffix = format_of(output)
    if not overwrite:
        _check_free(output)
    recording = read_recording(file, unit=from_unit, up=from_up, height=height, fps=from_fps)
    value = converted(recording, suffix, options, keep=keep)
    export(value, output, options, inputs=[file])
    rigged = recording.rigged
    guessed = "" if recording.is_stated else f", unit {recording.unit}, +{recording.up.upper()} up"
    click.echo(
        f"read {file}: {recording.format}, {len(rigged)} frames at {float(rigged.fps):.6g} fps, "
        f"{len(rigged.names)} bones{guessed}"
    )
    for note in recording.notes:
        click.echo(f"note: {note}")
    click.echo(f"wrote {output}")


def _check_free(output: Path) -> None:
    from mocaplift.errors import OutputError

    if output.exists():
        raise OutputError(f"{output} is there already; give --overwrite to replace it, or another -o")
