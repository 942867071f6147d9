"""Our own camera file, `cams.json`: what `mocaplift calibrate` writes and every other format can be converted to.

    {"units": "m", "up": "y",
     "cameras": [
       {"name": "left",
        "size": [1920, 1080],
        "intrinsics": [[1500.0, 0.0, 959.5], [0.0, 1500.0, 539.5], [0.0, 0.0, 1.0]],
        "distortion": [0.0, 0.0, 0.0, 0.0, 0.0],
        "cam_from_world": [[1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, -1.0, 4.0],
                           [0.0, 0.0, 0.0, 1.0]]}]}

* `size`: width and height in px of the displayed picture. Pixel centres are at integers: 1920 px have their middle
  at 959.5.
* `intrinsics`: [fx s cx; 0 fy cy; 0 0 1], px. `distortion`: OpenCV's k1 k2 p1 p2 k3; may be left out.
* `cam_from_world`: x_cam = cam_from_world @ x_world, camera x right, y down, z forward; the fourth row may be left
  out.
* `units`: "m" (the default), "cm" or "mm", of the translations. `up`: the world's axis that points up, "y" (the
  default), "-y", "z" or "-z". The world is right-handed.

The camera of the example stands 4 m in front of the origin along +Z, 1 m high, and looks along -Z.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mocaplift.calibrate import Calibration, Format, Source, checked
from mocaplift.calibrate.assemble import METRES, Y_UP_FROM, any_numbers, assemble, field, numbers
from mocaplift.errors import CalibrationError
from mocaplift.files import write_whole
from mocaplift.values import Camera

NAME = "cams.json"
_LAST_ROW = [0.0, 0.0, 0.0, 1.0]


def recognizes(source: Source) -> bool:
    """Tell whether a file holds cameras with `cam_from_world`."""
    found = source.json
    entries = found.get("cameras") if isinstance(found, dict) else None
    return isinstance(entries, list) and any(
        isinstance(entry, dict) and "cam_from_world" in entry for entry in entries
    )


def read(source: Source) -> Calibration:
    """Return the cameras of a file of ours.

    Raises:
        CalibrationError: an entry is missing or makes no sense; the message names file and camera.
    """
    unit = _choice(source, "units", "m", tuple(METRES))
    up = _choice(source, "up", "y", tuple(Y_UP_FROM))
    entries = source.json["cameras"]
    cameras = tuple(_camera(source.path, place, entry, unit, up) for place, entry in enumerate(entries, 1))
    return Calibration(cameras, NAME, source.path, unit="m", up="y")


def write(cameras: Sequence[Camera], path: str | Path) -> None:
    """Write cameras (metres, +Y up), whole or not at all.

    Raises:
        CalibrationError: they make no sense as a rig; nothing is written.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    entries = [
        {
            "name": camera.name,
            "size": list(camera.size),
            "intrinsics": camera.intrinsics.tolist(),
            "distortion": camera.distortion.tolist(),
            "cam_from_world": camera.cam_from_world.tolist(),
        }
        for camera in checked(cameras, path)
    ]
    text = json.dumps({"units": "m", "up": "y", "cameras": entries}, indent=1, allow_nan=False)
    write_whole(path, (text + "\n").encode())


def _camera(path: Path, place: int, entry: Any, unit: str, up: str) -> Camera:
    name = str(field(entry, ["name"], path, f"number {place}"))
    pose = field(entry, ["cam_from_world"], path, name)
    matrix = any_numbers(pose, "cam_from_world", path, name)
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, _LAST_ROW])
    matrix = numbers(matrix, (4, 4), "cam_from_world", path, name)
    if matrix[3].tolist() != _LAST_ROW:
        raise CalibrationError(f"{path}, camera {name!r}: the last row of cam_from_world must be 0 0 0 1")
    return assemble(
        path,
        name,
        matrix=field(entry, ["intrinsics"], path, name),
        distortion=entry.get("distortion"),
        rotation=matrix[:3, :3],
        translation=matrix[:3, 3],
        size=field(entry, ["size"], path, name),
        unit=unit,
        up=up,
    )


def _choice(source: Source, key: str, default: str, known: tuple[str, ...]) -> str:
    value = source.json.get(key, default)
    if value not in known:
        raise CalibrationError(f"{source.path}: {key} is {value!r}; it can be {', '.join(known)}")
    return str(value)


FORMAT = Format(NAME, recognizes, read)
