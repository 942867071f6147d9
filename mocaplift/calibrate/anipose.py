"""anipose's TOML and two dialects of it: FreeMoCap's and caliscope's. See `tables` for what they share.

* anipose, aniposelib: lengths are whatever the board's squares were measured in and no axis is up, so neither is
  known here. `name` is mostly a part of the video's name, and the tables' keys are cam_0, cam_1, ...
* FreeMoCap: `[metadata]` tells `charuco_square_size` in mm, so lengths are mm; unless it was left at 1. With
  `groundplane_calibration = true` the board lay on the floor at the start and +Z is up.
* caliscope (`camera_array.toml`, older `config.toml`): metres. Tables have no name but `port` or `cam_id`, from
  which their videos are named. `rotation_count` turns the picture for display and for the tracker only: matrix
  and pose are those of the frames as they are stored.
"""

from __future__ import annotations

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.tables import Table, camera_of, camera_tables, metadata
from mocaplift.errors import CalibrationError

# Squares of a board in mm. FreeMoCap's own default of 1 means that nobody measured, smaller that it was in metres.
SMALLEST_SQUARE, LARGEST_SQUARE = 5.0, 500.0
_FREEMOCAP_KEYS = {
    "charuco_square_size",
    "charuco_board_object",
    "path_to_recorded_videos",
    "groundplane_calibration",
}
_CALISCOPE_KEYS = {"port", "cam_id", "rotation_count"}


def is_caliscope(table: Table) -> bool:
    """Tell whether a camera's table was written by caliscope."""
    return bool(_CALISCOPE_KEYS & set(table))


def _recognizes_anipose(source: Source) -> bool:
    return bool(camera_tables(source))


def _recognizes_freemocap(source: Source) -> bool:
    return bool(_FREEMOCAP_KEYS & set(metadata(source))) and bool(camera_tables(source))


def _recognizes_caliscope(source: Source) -> bool:
    return any(is_caliscope(table) for table in camera_tables(source).values())


def _read_anipose(source: Source) -> Calibration:
    cameras = tuple(
        camera_of(source, key, table, unit=None, up=None) for key, table in camera_tables(source).items()
    )
    return Calibration(cameras, "anipose", source.path, unit=None, up=None)


def _read_freemocap(source: Source) -> Calibration:
    facts = metadata(source)
    square = facts.get("charuco_square_size")
    is_measured = isinstance(square, int | float) and SMALLEST_SQUARE <= square <= LARGEST_SQUARE
    has_floor = facts.get("groundplane_calibration") is True
    cameras = tuple(
        camera_of(source, key, table, unit="mm" if is_measured else None, up="z" if has_floor else None)
        for key, table in camera_tables(source).items()
    )
    return Calibration(
        cameras,
        "freemocap",
        source.path,
        unit="m" if is_measured else None,
        up="y" if has_floor else None,
    )


def _read_caliscope(source: Source) -> Calibration:
    tables = {key: table for key, table in camera_tables(source).items() if table.get("ignore") is not True}
    if not tables:
        raise CalibrationError(f"{source.path}: caliscope was told to ignore all its cameras")
    cameras = tuple(
        camera_of(source, key, table, name=_name(key, table), unit="m", up=None)
        for key, table in tables.items()
    )
    return Calibration(cameras, "caliscope", source.path, unit="m", up=None)


def _name(key: str, table: Table) -> str:
    """Return the name by which caliscope calls a camera's video: port_0.mp4, in newer versions cam_0.mp4."""
    for kind, word in (("port", "port"), ("cam_id", "cam")):
        if kind in table:
            return f"{word}_{table[kind]}"
    return f"cam_{key}" if key.isdecimal() else key


FORMAT = Format("anipose", _recognizes_anipose, _read_anipose)
FREEMOCAP = Format("freemocap", _recognizes_freemocap, _read_freemocap)
CALISCOPE = Format("caliscope", _recognizes_caliscope, _read_caliscope)
