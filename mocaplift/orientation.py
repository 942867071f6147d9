"""How a stored picture is turned for display: quarter turns and mirroring from a file's display matrix."""

from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

_CLOCKWISE = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}


class Orientation(NamedTuple):
    """What to do with a stored picture: mirror it left to right, then turn it clockwise."""

    quarter_turns: int = 0
    is_mirrored: bool = False

    def displayed_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size (width, height) that a stored picture has when displayed."""
        return (size[1], size[0]) if self.quarter_turns % 2 else size


def from_display_matrix(matrix: bytes) -> Orientation:
    """Return the orientation nearest to a display matrix, as containers store it.

    Nine little-endian 32-bit integers a b u c d v x y w; a stored point (x, y) is displayed at
    (a x + c y, b x + d y), y downwards (ISO 14496-12, track header). Anything too short is upright.
    """
    if len(matrix) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack_from("<5i", matrix)
    is_mirrored = a * d - b * c < 0
    # Where the stored picture's rightward direction goes, once the mirroring is undone.
    right = (-a, -b) if is_mirrored else (a, b)
    turns = np.arctan2(right[1], right[0]) / (np.pi / 2)
    return Orientation(quarter_turns=int(np.rint(turns)) % 4, is_mirrored=is_mirrored)


def upright(image: UInt8[np.ndarray, "H W 3"], orientation: Orientation) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Return the picture as it is meant to be displayed."""
    if orientation.is_mirrored:
        image = cv2.flip(image, 1)
    if orientation.quarter_turns:
        image = cv2.rotate(image, _CLOCKWISE[orientation.quarter_turns])
    return image
