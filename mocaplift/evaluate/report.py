"""Rows of figures: joined, averaged, shown as tables, written as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from mocaplift.files import write_whole

ALL = "all"


class Row(NamedTuple):
    """One figure. `frames` is what it was measured on, and its weight in means."""

    benchmark: str
    sequence: str
    views: int
    lifter: str
    metric: str
    value: float
    unit: str
    frames: int


def merged(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each sequence, view count, lifter and metric: the frame-weighted mean of its rows.

    Rows without a value (NaN) do not count, neither in the mean nor in the frames.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault((row.benchmark, row.sequence, row.views, row.lifter, row.metric), []).append(row)
    return [_mean(group) for group in groups.values()]


def with_all(rows: Sequence[Row]) -> list[Row]:
    """Return the rows and, after them, a row "all" for each metric: the frame-weighted mean."""
    return [*rows, *merged(row._replace(sequence=ALL) for row in rows)]


def _mean(group: Sequence[Row]) -> Row:
    known = [row for row in group if math.isfinite(row.value)]
    frames = sum(row.frames for row in known)
    if frames == 0:
        return group[0]._replace(value=math.nan, frames=0)
    value = sum(row.value * row.frames for row in known) / frames
    return group[0]._replace(value=value, frames=frames)


def tables(rows: Sequence[Row]) -> list[Table]:
    """Return one table for each sequence and view count: a line for each metric, a column for each lifter."""
    shown = []
    for sequence, views in dict.fromkeys((row.sequence, row.views) for row in rows):
        part = [row for row in rows if (row.sequence, row.views) == (sequence, views)]
        lifters = list(dict.fromkeys(row.lifter for row in part))
        word = "view" if views == 1 else "views"
        table = Table(title=f"{part[0].benchmark}: {sequence}, {views} {word}", title_justify="left")
        table.add_column("metric")
        for lifter in lifters:
            table.add_column(lifter, justify="right")
        table.add_column("unit")
        table.add_column("frames", justify="right")
        for metric in dict.fromkeys(row.metric for row in part):
            line = {row.lifter: row for row in part if row.metric == metric}
            first = next(iter(line.values()))
            cells = [_number(line[lifter].value) if lifter in line else "" for lifter in lifters]
            frames = max(row.frames for row in line.values())
            table.add_row(metric, *cells, first.unit, str(frames))
        shown.append(table)
    return shown


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def to_json(rows: Sequence[Row]) -> str:
    """Return the rows as a flat JSON list of objects; a figure that does not exist is null."""
    plain = [row._asdict() | {"value": row.value if math.isfinite(row.value) else None} for row in rows]
    return json.dumps(plain, indent=1) + "\n"


def write_json(rows: Sequence[Row], path: str | Path) -> None:
    """Write the rows as JSON, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(Path(path), to_json(rows).encode())
