"""C3D: markers as biomechanics programs read them, written by the library ezc3d.

Millimetres and +Z up (the usual lab frame; `POINT:Y_SCREEN` says so): a vector (x, y, z) of ours is (x, -z, y)
there. Frame 1 is at time 0. The format keeps the rate and the points as 32-bit floats.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.export.markers import MM, Markers
from mocaplift.rotations import Y_UP_FROM_Z_UP

# The header counts frames in 16 bits; what is longer has the count elsewhere, which readers disagree about.
MOST_FRAMES = 65535


def encode(markers: Markers) -> bytes:
    """Return the markers as a C3D file.

    Raises:
        MissingDependency: the package ezc3d is not installed.
        InvalidData: the motion is longer than the format can count.
    """
    try:
        import ezc3d
    except ImportError as error:
        raise MissingDependency(
            "C3D needs the package ezc3d; pip install 'mocaplift[c3d]', or write .trc, which needs nothing"
        ) from error
    if len(markers.xyz) > MOST_FRAMES:
        raise InvalidData(
            f"C3D counts up to {MOST_FRAMES} frames, but the motion has {len(markers.xyz)}; lower the rate with "
            "--fps, or write .trc"
        )
    points = np.ones((4, len(markers.names), len(markers.xyz)))
    points[:3] = np.moveaxis(markers.xyz @ Y_UP_FROM_Z_UP * MM, -1, 0).swapaxes(1, 2)
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [float(markers.fps)]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(markers.names)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["data"]["points"] = points
    for name, text in (("X_SCREEN", "+X"), ("Y_SCREEN", "+Z")):
        file.add_parameter("POINT", name, [text])
    # ezc3d writes to paths only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "markers.c3d"
        file.write(str(path))
        return path.read_bytes()
