"""Pose2Sim's `Calib*.toml`: metres, +Z up, rotation vectors, world to camera.

It is anipose's file (see `tables`) with `fisheye = false` in every table, which anipose never writes, and four
distortion coefficients: k1 k2 p1 p2. Pose2Sim converts everything that it reads to metres with +Z up.

Known defect, left as it is because the file does not show it: Pose2Sim divides the distortion of Qualisys cameras
by 64, but `.qca.txt` gives only lengths in subpixels (boards seen by the cameras of its example give k1 = -0.054,
its `.qca.txt` -0.047, its TOML -0.0007). That is 2 px in most of the picture and 5 to 9 px in the corners; reading
the `.qca.txt` itself avoids it.
"""

from __future__ import annotations

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.anipose import is_caliscope
from mocaplift.calibrate.tables import camera_of, camera_tables

NAME = "pose2sim"
_COEFFICIENTS = 4


def recognizes(source: Source) -> bool:
    """Tell whether a TOML file's cameras say `fisheye = false`, or have four coefficients of a plain lens."""
    tables = camera_tables(source).values()
    return any(
        table.get("fisheye") is False
        or ("fisheye" not in table and _length(table.get("distortions")) == _COEFFICIENTS)
        for table in tables
        if not is_caliscope(table)
    )


def read(source: Source) -> Calibration:
    """Return the cameras of a Pose2Sim calibration.

    Raises:
        CalibrationError: a part is missing or makes no sense; the message names file and camera.
    """
    cameras = tuple(
        camera_of(source, key, table, unit="m", up="z") for key, table in camera_tables(source).items()
    )
    return Calibration(cameras, NAME, source.path, unit="m", up="y")


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


FORMAT = Format(NAME, recognizes, read)
