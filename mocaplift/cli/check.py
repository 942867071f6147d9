"""`mocaplift check`: what an animator would find wrong with a file of motion."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mocaplift.cli.convert import reading_flags

FOUND = 1


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@reading_flags
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, with every frame, instead of text."
)
def check(
    file: Path,
    from_unit: str | None,
    from_up: str | None,
    height: float | None,
    from_fps: float | None,
    as_json: bool,
) -> int:
    """Say what an animator would find wrong with the motion in FILE.

    Looked for are: names (twice, blanks, left and right exchanged), scale, up axis, bones that change their
    length, rate (unusual, repeated frames), flips, jitter, feet in or above the floor, and feet that slide.
    Frames count from 0. FILE is BVH, FBX (binary, as mocaplift writes it), GLB, SMPL or AMASS parameters, or our
    own .npz.

    Exit code: 0 where no problem is found (notes may be), 1 where one is, 3 where the file cannot be read.
    """
    from mocaplift.checks import NOTE, PROBLEM
    from mocaplift.checks import check as look
    from mocaplift.reading import read_recording

    recording = read_recording(file, unit=from_unit, up=from_up, height=height, fps=from_fps)
    found = look(recording)
    facts = _facts(file, recording)
    problems = [finding for finding in found if finding.level == PROBLEM]
    notes = [finding for finding in found if finding.level == NOTE]
    if as_json:
        assumed = {"assumed": list(recording.notes)}
        listed = {"problems": [asdict(each) for each in problems], "notes": [asdict(each) for each in notes]}
        click.echo(json.dumps(facts | assumed | listed, indent=2))
        return FOUND if problems else 0
    guessed = "" if recording.is_stated else f", unit {facts['unit']}, +{str(facts['up']).upper()} up"
    tall = f", a body of {facts['height_m']:.2f} m" if facts["height_m"] else ""
    click.echo(
        f"{file}: {facts['format']}, {facts['frames']} frames at {facts['fps']:.6g} fps, {facts['bones']} bones"
        f"{tall}{guessed}"
    )
    for finding in found:
        click.echo(f"{finding.level}: {finding.kind.replace('_', ' ')}: {finding.text()}")
    for note in recording.notes:
        click.echo(f"note: {note}")
    click.echo(_counted(len(problems), "problem") + (f", {_counted(len(notes), 'note')}" if notes else ""))
    return FOUND if problems else 0


def _facts(file: Path, recording: Any) -> dict[str, Any]:
    """Return what the file holds, in plain numbers."""
    from mocaplift.reading.recording import stature

    rigged = recording.rigged
    tall = stature(rigged, recording.joints) if recording.is_body else None
    return {
        "file": str(file),
        "format": recording.format,
        "frames": len(rigged),
        "fps": float(rigged.fps),
        "bones": len(rigged.names),
        "unit": recording.unit,
        "up": recording.up,
        "height_m": tall and round(tall, 4),
    }


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
