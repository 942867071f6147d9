"""TRC: markers as a table of text, which OpenSim and Motion Analysis read.

Millimetres and +Y up, as OpenSim has it; our axes are kept, so that a person who faces +Z in other files does so
here. Frame 1 is at time 0. Five lines of head, then a line for each frame, tabs between fields.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mocaplift.export.markers import MM, Markers

# 5 decimals of a millimetre; 9 of a second keep rates of 1000/1001 in step for a day.
_NUMBER, _TIME = "%.5f", "%.9f"


def encode(markers: Markers, name: str = "markers.trc") -> bytes:
    """Return the markers as a TRC file; `name` is what its first line calls it."""
    frames, rate = len(markers.xyz), f"{float(markers.fps):.12g}"
    titles = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
              "OrigDataStartFrame", "OrigNumFrames")  # fmt: skip
    facts = (rate, rate, str(frames), str(len(markers.names)), "mm", rate, "1", str(frames))
    axes = [f"{axis}{marker}" for marker in range(1, len(markers.names) + 1) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "\t".join(titles),
        "\t".join(facts),
        "Frame#\tTime\t" + "\t\t\t".join(markers.names) + "\t\t",
        "\t\t" + "\t".join(axes),
    ]
    # Adding zero turns -0.0 into 0.0 after rounding.
    table = np.round(markers.xyz.reshape(frames, -1) * MM, 5) + 0.0
    row = "\t".join([_NUMBER] * table.shape[1])
    step = 1 / Fraction(markers.fps)
    lines.extend(
        f"{frame + 1}\t{_TIME % float(frame * step)}\t{row % tuple(numbers)}"
        for frame, numbers in enumerate(table.tolist())
    )
    return ("\n".join(lines) + "\n").encode("utf-8")
