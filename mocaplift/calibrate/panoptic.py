"""CMU Panoptic Studio: `calibration_<sequence>.json`; centimetres, +Y down.

{"cameras": [{"name": "00_01", "type": "hd", "resolution" [w, h], "K" 3 x 3, "distCoef" k1 k2 p1 p2 k3,
"R" 3 x 3 and "t" 3 x 1 (cm), world to camera}, ...]}, with the 480 VGA and 31 HD cameras of the dome and its
Kinects.
"""

from __future__ import annotations

from typing import Any

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.assemble import assemble, field
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

NAME = "panoptic"
_KEYS = {"K", "R", "t"}


def recognizes(source: Source) -> bool:
    """Tell whether a file lists cameras with `K`, `R` and `t`."""
    found = source.json
    entries = found.get("cameras") if isinstance(found, dict) else None
    return isinstance(entries, list) and any(
        isinstance(entry, dict) and entry.keys() >= _KEYS for entry in entries
    )


def read(source: Source) -> Calibration:
    """Return the cameras, in metres and +Y up.

    Raises:
        CalibrationError: an entry is missing or makes no sense; the message names file and camera.
    """
    entries = source.json["cameras"]
    cameras = tuple(_camera(source, place, entry) for place, entry in enumerate(entries, 1))
    return Calibration(cameras, NAME, source.path, unit="m", up="y")


def _camera(source: Source, place: int, entry: Any) -> Camera:
    if not isinstance(entry, dict):
        raise CalibrationError(f"{source.path}: entry {place} of its cameras is no camera")
    name = str(entry.get("name", f"number {place}"))
    return assemble(
        source.path,
        name,
        matrix=field(entry, ["K"], source.path, name),
        distortion=entry.get("distCoef"),
        rotation=field(entry, ["R"], source.path, name),
        translation=field(entry, ["t"], source.path, name),
        size=field(entry, ["resolution"], source.path, name),
        unit="cm",
        up="-y",
    )


FORMAT = Format(NAME, recognizes, read)
