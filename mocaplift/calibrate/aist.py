"""AIST++ cameras: a JSON list, one entry a camera; centimetres, +Y up.

[{"name", "size" [w, h], "matrix" 3 x 3, "distortions" k1 k2 p1 p2 k3, "rotation" (rotation vector),
"translation" (cm)}, ...], world to camera, as the `setting` files of the AIST++ annotations have them.
"""

from __future__ import annotations

from typing import Any

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.assemble import assemble, field
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

NAME = "aist"
_KEYS = {"matrix", "rotation", "translation"}


def recognizes(source: Source) -> bool:
    """Tell whether a file is a JSON list of such cameras."""
    found = source.json
    return isinstance(found, list) and any(
        isinstance(entry, dict) and entry.keys() >= _KEYS for entry in found
    )


def read(source: Source) -> Calibration:
    """Return the cameras, in metres.

    Raises:
        CalibrationError: an entry is missing or makes no sense; the message names file and camera.
    """
    cameras = tuple(_camera(source, place, entry) for place, entry in enumerate(source.json, 1))
    return Calibration(cameras, NAME, source.path, unit="m", up="y")


def _camera(source: Source, place: int, entry: Any) -> Camera:
    if not isinstance(entry, dict):
        raise CalibrationError(f"{source.path}: entry {place} of its list is no camera")
    name = str(entry.get("name", f"number {place}"))
    return assemble(
        source.path,
        name,
        matrix=field(entry, ["matrix"], source.path, name),
        distortion=entry.get("distortions"),
        rotation=field(entry, ["rotation"], source.path, name),
        translation=field(entry, ["translation"], source.path, name),
        size=field(entry, ["size"], source.path, name),
        unit="cm",
        up="y",
    )


FORMAT = Format(NAME, recognizes, read)
