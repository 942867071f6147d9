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
_NOTHING = 1e-9  # what rounding leaves of a zero, in any unit here


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
    """Return one table for each sequence and view count: a line for each metric, a column for each lifter.

    Where there are more lifters than metrics, lines and columns are exchanged.
    """
    shown = []
    for sequence, views in dict.fromkeys((row.sequence, row.views) for row in rows):
        part = [row for row in rows if (row.sequence, row.views) == (sequence, views)]
        word = "view" if views == 1 else "views"
        table = Table(title=f"{part[0].benchmark}: {sequence}, {views} {word}", title_justify="left")
        lifters, metrics = ({getattr(row, name): None for row in part} for name in ("lifter", "metric"))
        (_by_lifter if len(lifters) > len(metrics) else _by_metric)(table, part)
        shown.append(table)
    return shown


def _by_metric(table: Table, rows: Sequence[Row]) -> None:
    """Fill a table with a line for each metric."""
    lifters = list(dict.fromkeys(row.lifter for row in rows))
    table.add_column("metric", no_wrap=True)
    for lifter in lifters:
        table.add_column(lifter, justify="right")
    table.add_column("unit")
    table.add_column("frames", justify="right")
    for metric in dict.fromkeys(row.metric for row in rows):
        line = {row.lifter: row for row in rows if row.metric == metric}
        first = next(iter(line.values()))
        cells = [_number(line[lifter].value) if lifter in line else "" for lifter in lifters]
        table.add_row(metric, *cells, first.unit, str(max(row.frames for row in line.values())))


def _by_lifter(table: Table, rows: Sequence[Row]) -> None:
    """Fill a table with a line for each lifter."""
    units = {row.metric: row.unit for row in rows}
    table.add_column("lifter", no_wrap=True)
    for metric, unit in units.items():
        table.add_column(f"{metric}, {unit}", justify="right")
    for lifter in dict.fromkeys(row.lifter for row in rows):
        line = {row.metric: row for row in rows if row.lifter == lifter}
        table.add_row(lifter, *(_number(line[metric].value) if metric in line else "" for metric in units))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    if abs(value) < _NOTHING:
        return "0"
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
