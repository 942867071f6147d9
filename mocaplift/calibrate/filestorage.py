"""OpenCV's FileStorage, as YAML, JSON or XML, read into plain tables.

Of YAML only what OpenCV and the programs that imitate it write: tables by indentation, `[...]` over several lines,
`- ` lists of scalars, the tag `!!opencv-matrix`. No tag makes an object, no alias is followed, so no input grows.
A matrix stays a table of `rows`, `cols` and `data` until `matrix` makes an array of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from mocaplift.calibrate import Source
from mocaplift.errors import CalibrationError

# A camera file has matrices of at most 3 x 4 or 1 x 14 numbers; larger ones (points of boards) are not read.
MOST_NUMBERS = 64
# Deeper tables hold no cameras.
DEEPEST = 8
_ENTRY = re.compile(r"""^(\s*)(?:"([^"]+)"|'([^']+)'|([\w.\-/ ]+?))\s*:(?:\s+(.*))?$""")
_TAG = re.compile(r"^!!?[\w\-:/.]*\s*")


def storage_of(source: Source) -> dict[str, Any] | None:
    """Return a file's entries by name if it is a FileStorage in any of its three syntaxes, else None."""
    if source.is_folder or source.text is None:
        return None
    if isinstance(source.json, dict):
        return source.json
    if source.xml is not None:
        found = _of_xml(source.xml, 0) if source.xml.tag == "opencv_storage" else None
        return found if isinstance(found, dict) else None
    start = source.text.lstrip()
    return (
        _of_yaml(source.text)
        if start.startswith(("%YAML", "---")) or "!!opencv-matrix" in source.text
        else None
    )


def matrix(value: Any, what: str, path: Path, camera: str) -> list[Any]:
    """Return a matrix as nested lists, or a plain list of numbers as it is.

    Raises:
        CalibrationError: it has more or fewer numbers than its rows and columns say, or is no matrix at all.
    """
    where = f"{path}, camera {camera!r}: {what}"
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not {"rows", "cols", "data"} <= value.keys():
        raise CalibrationError(f"{where} is no matrix with rows, cols and data")
    data = value["data"] if isinstance(value["data"], list) else [value["data"]]
    try:
        rows, columns = int(value["rows"]), int(value["cols"])
    except (ValueError, TypeError, OverflowError):
        raise CalibrationError(f"{where}: rows and cols are no whole numbers") from None
    if not (0 <= rows <= MOST_NUMBERS and 0 <= columns <= MOST_NUMBERS) or rows * columns != len(data):
        raise CalibrationError(f"{where} should have {rows} x {columns} numbers, but has {len(data)}")
    return [data[row * columns : (row + 1) * columns] for row in range(rows)]


def _scalar(text: str) -> Any:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    try:
        return float(text)
    except ValueError:
        # OpenCV writes .nan and .inf; the readers of numbers refuse them by name.
        return {".nan": np.nan, ".inf": np.inf, "-.inf": -np.inf}.get(text.lower(), text)


def _of_yaml(text: str) -> dict[str, Any] | None:
    """Return the entries of FileStorage's YAML; None if a line is something else."""
    root: dict[str, Any] = {}
    # Open tables with the indentation of their entries; the innermost comes last.
    open_tables: list[tuple[int, dict[str, Any]]] = [(0, root)]
    pending: tuple[int, dict[str, Any], str] | None = None
    lines = iter(_without_comments(text))
    for line in lines:
        if line.lstrip().startswith("- ") or line.strip() == "-":
            if pending is None:
                return None
            items = pending[1].setdefault(pending[2], [])
            if not isinstance(items, list):
                items = pending[1][pending[2]] = []
            items.append(_scalar(line.strip()[1:]))
            continue
        entry = _ENTRY.match(line)
        if entry is None:
            return None
        indent = len(entry[1])
        if pending is not None and indent > pending[0] and pending[1].get(pending[2]) == {}:
            open_tables.append((indent, pending[1][pending[2]]))
        while len(open_tables) > 1 and indent < open_tables[-1][0]:
            open_tables.pop()
        if len(open_tables) > DEEPEST:
            return None
        table, name = open_tables[-1][1], entry[2] or entry[3] or entry[4]
        if name in table:
            return None
        value = _TAG.sub("", (entry[5] or "").strip())
        if value.startswith("["):
            while "]" not in value:
                more = next(lines, None)
                if more is None:
                    return None
                value += " " + more.strip()
            items = value[1 : value.index("]")].split(",")
            table[name] = [_scalar(item) for item in items if item.strip()]
        else:
            table[name] = _scalar(value) if value else {}
        pending = (indent, table, name)
    return root


def _without_comments(text: str) -> list[str]:
    kept = (re.sub(r"(^|\s)#.*$", "", line).rstrip() for line in text.split("\n"))
    return [line for line in kept if line.strip() and line[0] != "%" and line.strip() not in ("---", "...")]


def _of_xml(element: Element, depth: int) -> Any:
    """Return a table, a list of numbers, or a scalar; None where it is nested too deeply."""
    if depth > DEEPEST:
        return None
    children = list(element)
    if children and all(child.tag == "_" for child in children):
        return [_scalar(child.text or "") for child in children]
    if children:
        return {child.tag: _of_xml(child, depth + 1) for child in children}
    words = (element.text or "").split()
    if element.tag == "data" or len(words) > 1:
        return [_scalar(word) for word in words]
    return _scalar(words[0]) if words else {}
