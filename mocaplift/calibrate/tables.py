"""Cameras in a TOML file, as anipose began it and Pose2Sim, FreeMoCap and caliscope took it over.

A table a camera: `name`, `size` [w, h], `matrix` 3 x 3, `distortions`, `rotation` (OpenCV's rotation vector; in
old caliscope files a matrix) and `translation`, world to camera, `fisheye`; beside them `[metadata]`,
`[capture_volume]`, `[charuco]` and the like, which are no cameras. The dialects differ in unit, axes and
in what else they write: `pose2sim` and `anipose` tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mocaplift.calibrate.assemble import assemble, field
from mocaplift.calibrate.source import Source
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

Table = Mapping[str, Any]

# A table with two of these is meant to be a camera, so that a camera with a part missing is an error.
_PARTS = {"matrix", "distortions", "rotation", "translation"}
_FEWEST_PARTS = 2


def camera_tables(source: Source) -> dict[str, Table]:
    """Return the tables of a TOML file that describe cameras, in natural order of their keys; empty if none.

    Caliscope puts them below one table `cameras`; the others at the top.
    """
    top = source.toml or {}
    below = top.get("cameras")
    tables = {**top, **(below if isinstance(below, dict) else {})}
    found = [
        key
        for key, table in tables.items()
        if isinstance(table, dict) and len(_PARTS & set(table)) >= _FEWEST_PARTS
    ]
    return {key: tables[key] for key in sorted(found, key=_natural)}


def metadata(source: Source) -> Table:
    """Return the file's table `metadata`, empty if there is none."""
    found = (source.toml or {}).get("metadata")
    return found if isinstance(found, dict) else {}


def camera_of(
    source: Source, key: str, table: Table, *, name: str | None = None, unit: str | None, up: str | None
) -> Camera:
    """Return the camera that a table describes; `unit` and `up` are those of `assemble`.

    Raises:
        CalibrationError: a part is missing or makes no sense.
    """
    name = name or str(table.get("name") or key)
    if "rotation" not in table or "translation" not in table:
        raise CalibrationError(
            f"{source.path}, camera {name!r}: it has no rotation and translation; it was not calibrated together "
            "with the others: calibrate it again or take its table out"
        )
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise CalibrationError(
            f"{source.path}, camera {name!r}: fisheye must be true or false, not {fisheye!r}"
        )
    return assemble(
        source.path,
        name,
        matrix=field(table, ["matrix"], source.path, name),
        distortion=table.get("distortions"),
        rotation=table["rotation"],
        translation=table["translation"],
        size=field(table, ["size"], source.path, name),
        fisheye=fisheye,
        unit=unit,
        up=up,
    )


def _natural(key: str) -> list[tuple[int, str]]:
    """Return a key for sorting in which cam_2 precedes cam_10."""
    return [
        (int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d{1,18})", key) if part
    ]
