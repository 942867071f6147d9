"""Marker files (`.trc`, the text format of OpenSim and Motion Analysis) as points in metres, in the file's axes.

Five lines of head: path and type; names of the facts; the facts; the markers' names, each over three columns;
the columns' names. Then a line for each frame: number, time, and x y z of every marker, separated by tabs. A
marker that was not seen has empty fields or `nan`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData

# An hour of a hundred markers at 100 Hz is 400 MB; what is compared with videos here is minutes long.
MOST_BYTES = 128 << 20
TITLE_LINES = 5
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}


class Markers(NamedTuple):
    """The markers of a file. Metres, in the axes of the file; NaN where a marker is missing."""

    names: tuple[str, ...]
    xyz: Float[np.ndarray, "T M 3"]
    fps: float


def read(path: str | Path) -> Markers:
    """Return the markers of a file.

    Raises:
        InvalidData: the file is missing, too large, or not such a file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidData(
                f"{path} is larger than {MOST_BYTES >> 20} MB: too long to compare a video with"
            )
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InvalidData(f"cannot read {path}: {error.strerror}") from error
    if len(lines) <= TITLE_LINES or not lines[0].startswith("PathFileType"):
        raise InvalidData(f"{path} is no .trc file: it must begin with PathFileType and hold frames")
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = tuple(name.strip() for name in lines[3].split("\t")[2:] if name.strip())
    try:
        fps, scale = float(facts["DataRate"]), _METRES[facts["Units"].strip()]
    except (KeyError, ValueError) as error:
        raise InvalidData(f"{path}: its third line lacks a DataRate, or Units of m, cm or mm") from error
    if not names or not 0 < fps < np.inf:
        raise InvalidData(f"{path}: no marker is named, or the rate {fps:g} is none")
    frames = [
        _frame(path, number, line, len(names))
        for number, line in enumerate(lines[TITLE_LINES:], start=TITLE_LINES + 1)
        if line.strip()
    ]
    if not frames:
        raise InvalidData(f"{path} holds no frame")
    return Markers(names, np.array(frames) * scale, fps)


def _frame(path: Path, number: int, line: str, markers: int) -> Float[np.ndarray, "M 3"]:
    fields = line.rstrip("\r\n").split("\t")[2:]
    fields = [*fields, *[""] * (3 * markers - len(fields))]
    if any(field.strip() for field in fields[3 * markers :]):
        raise InvalidData(f"{path}: line {number} holds more than {markers} markers")
    try:
        values = [float(field) if field.strip() else np.nan for field in fields[: 3 * markers]]
    except ValueError as error:
        raise InvalidData(f"{path}: line {number} holds a field that is no number") from error
    points = np.array(values).reshape(markers, 3)
    points[~np.isfinite(points).all(-1)] = np.nan
    return points
