"""How benchmarks show what they found: tables for people, flat rows for programs."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mocaplift.evaluate.report import Row, tables, write_json

# Characters: a table that goes to a file is as wide as it needs to be.
WIDEST = 1000


def show_rows(
    rows: Sequence[Row], json_path: Path | None = None, *, told: Sequence[Row] | None = None
) -> None:
    """Print the tables of rows, or of those `told` alone, and write all of them where they are wanted.

    Raises:
        OutputError: the file cannot be written.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDEST)
    for table in tables(rows if told is None else told):
        console.print(table)
    if json_path is not None:
        write_json(rows, json_path)
        console.print(f"{len(rows)} rows in {json_path}", highlight=False)
