"""Rows: weighting, missing figures, JSON that any reader takes."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from mocaplift.errors import OutputError
from mocaplift.evaluate import report
from mocaplift.evaluate.report import Row


def row(sequence: str, value: float, frames: int, lifter: str = "a", metric: str = "mpjpe") -> Row:
    return Row("aist", sequence, 1, lifter, metric, value, "mm", frames)


def test_merged_is_weighted_by_frames_and_leaves_out_what_is_missing():
    rows = [row("x", 10, 100), row("x", 40, 50), row("x", math.nan, 1000), row("y", 1, 7)]
    assert report.merged(rows) == [row("x", 20, 150), row("y", 1, 7)]


def test_nothing_known_stays_missing():
    (only,) = report.merged([row("x", math.nan, 10)])
    assert math.isnan(only.value) and only.frames == 0


def test_all_is_the_mean_over_sequences_for_each_lifter():
    rows = [row("x", 10, 100), row("y", 40, 50), row("y", 3, 50, lifter="b")]
    assert report.with_all(rows)[3:] == [row("all", 20, 150), row("all", 3, 50, lifter="b")]


def test_json_is_flat_and_strict(tmp_path: Path):
    path = tmp_path / "new" / "rows.json"
    report.write_json([row("x", math.nan, 0), row("y", 1.5, 2)], path)
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read[0]["value"] is None
    assert read[1] == {
        "benchmark": "aist", "sequence": "y", "views": 1, "lifter": "a", "metric": "mpjpe",
        "value": 1.5, "unit": "mm", "frames": 2,
    }  # fmt: skip
    with pytest.raises(OutputError):
        report.write_json([], path / "below-a-file.json")


def test_tables_have_a_column_for_each_lifter():
    rows = [row("x", 123.45, 10), row("x", 0.0123, 10, lifter="b"), row("all", math.nan, 0)]
    console = Console(width=100, record=True, file=io.StringIO())
    shown = report.tables(rows)
    for table in shown:
        console.print(table)
    text = console.export_text()
    assert len(shown) == 2 and "aist: x, 1 view" in text
    assert "123.5" in text or "123.4" in text
    assert "0.0123" in text and " - " in text


def test_tables_of_many_lifters_have_a_line_for_each():
    rows = [row("x", number, 10, lifter=f"lifter{number}") for number in range(3)]
    rows += [row("x", 1e-17, 10, lifter="lifter2", metric="depth_gain")]
    console = Console(width=100, record=True, file=io.StringIO())
    (table,) = report.tables(rows)
    console.print(table)
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines()]
    assert ["lifter0", "0", ""] in lines and ["lifter2", "2", "0"] in lines
    assert [column.header for column in table.columns] == ["lifter", "mpjpe, mm", "depth_gain, mm"]
