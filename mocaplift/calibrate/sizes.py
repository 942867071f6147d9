"""Picture sizes that camera files leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mocaplift.calibrate.assemble import numbers
from mocaplift.errors import CalibrationError


def guessed_size(matrix: Any, path: Path, camera: str) -> tuple[int, int]:
    """Return the (width, height) of a picture whose middle is the principal point of these intrinsics (px).

    Calibrated lenses have it within some tens of pixels: enough to tell one size from another, not to scale by.

    Raises:
        CalibrationError: the intrinsics are malformed, or their principal point is not inside any picture.
    """
    k = numbers(matrix, (3, 3), "intrinsic matrix", path, camera)
    width, height = round(2 * k[0, 2]), round(2 * k[1, 2])
    if min(width, height) < 1:
        raise CalibrationError(
            f"{path}, camera {camera!r}: its principal point ({k[0, 2]:.6g}, {k[1, 2]:.6g}) is in no picture"
        )
    return width, height
