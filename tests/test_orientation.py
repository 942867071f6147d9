from __future__ import annotations

import struct

import numpy as np
import pytest

from mocaplift.orientation import Orientation, from_display_matrix, upright

ONE = 1 << 16


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("<9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)


def corners(image: np.ndarray) -> list[int]:
    """Return the red of the corners: top left, top right, bottom left, bottom right."""
    return [int(image[row, column, 0]) for row in (0, -1) for column in (0, -1)]


# A stored point (x, y), y down, is displayed at (a x + c y, b x + d y). By hand: where do the corners go?
@pytest.mark.parametrize(
    ("abcd", "expected"),
    [
        ((1, 0, 0, 1), [1, 2, 3, 4]),
        ((0, 1, -1, 0), [3, 1, 4, 2]),  # x goes down, y goes left: clockwise
        ((-1, 0, 0, -1), [4, 3, 2, 1]),
        ((0, -1, 1, 0), [2, 4, 1, 3]),  # x goes up, y goes right: counter-clockwise
        ((-1, 0, 0, 1), [2, 1, 4, 3]),  # left to right
        ((1, 0, 0, -1), [3, 4, 1, 2]),  # upside down by mirroring
        ((0, 1, 1, 0), [1, 3, 2, 4]),  # transposed
        ((0, -1, -1, 0), [4, 2, 3, 1]),  # the other diagonal
    ],
)
def test_all_eight_ways_to_hold_a_camera(abcd: tuple[int, int, int, int], expected: list[int]) -> None:
    image = np.zeros((4, 6, 3), dtype=np.uint8)
    image[0, 0], image[0, -1], image[-1, 0], image[-1, -1] = 1, 2, 3, 4
    orientation = from_display_matrix(matrix(*abcd))
    shown = upright(image, orientation)
    assert corners(shown) == expected
    assert shown.shape[1::-1] == orientation.displayed_size((6, 4))


def test_a_slant_is_the_nearest_quarter_turn_and_damage_is_upright() -> None:
    slant = struct.pack("<9i", 10000, 64000, 0, -64000, 10000, 0, 0, 0, 1 << 30)
    assert from_display_matrix(slant) == Orientation(quarter_turns=1)
    assert from_display_matrix(b"") == Orientation()
    assert from_display_matrix(bytes(36)) == Orientation()
