"""Where to look for people in a picture that the finder network sees at 224 pixels.

A person who fills a tenth of a wide picture is too small for the finder, and found at once in a square part of
it. Looking everywhere in every frame would cost more than reading the bodies, so the parts take turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from mocaplift.detect.blazepose import Region
from mocaplift.detect.turned import QUARTER_TURNS, points_back, turn_image

# Looks cost about 6 ms each. With nobody in sight the whole picture and its squares are searched in every frame;
# with somebody, one look in so many frames finds those who walk in.
LOOK_EVERY = 4
# Neighbouring parts overlap by this share, so that nobody is cut in all of them.
PART_OVERLAP = 0.4
# Side of the small parts, in shares of the picture's short side.
SMALL_PART = 2 / 3
# Smaller squares (px) show nobody; and a panorama is not cut into more of them than this each way.
SMALLEST_PART, MOST_PARTS = 48, 8
# A picture less oblong than this is seen well enough as a whole.
OBLONG = 1.25
# The square searched around a person who was lost, in shares of the last region.
LOCAL_REACH = 1.5
# Regions are of one body when their middles are nearer than this share of the larger side.
SAME_MIDDLE = 0.25
# Finder scores below this are bushes and chairs more often than people (its own threshold is 0.5).
LEAST_SCORE = 0.6


class Part(NamedTuple):
    """A rectangle of the picture (px, right and bottom excluded) and the quarter turns to look at it with."""

    left: int
    top: int
    right: int
    bottom: int
    turns: int = 0


@runtime_checkable
class Finder(Protocol):
    """What finds people in one picture: regions with scores."""

    def find(self, image: UInt8[np.ndarray, "H W 3"]) -> list[tuple[Region, float]]:
        """Return the regions of the people with their scores."""
        ...


class Search:
    """The looks of one clip, one after the other."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._frame = 0
        self._look = 0

    def everywhere(self, image: UInt8[np.ndarray, "H W 3"], is_anybody_known: bool) -> list[Region]:
        """Return regions where people may be, from the looks that are due in this frame."""
        whole, squares, small = parts_of((image.shape[1], image.shape[0]))
        self._frame += 1
        if self._frame == 1:
            due = [whole, *squares, *small]
        elif not is_anybody_known:
            self._look += 1
            due = [whole, *squares, *_nth(small, self._look)]
        elif self._frame % LOOK_EVERY == 0:
            # One round is the whole, each square, and one of the small parts.
            self._look += 1
            round_number, step = divmod(self._look, len(squares) + 2)
            due = [whole, *squares, *_nth(small, round_number)][step : step + 1]
        else:
            due = []
        return distinct([region for part in due for region in self._find(image, part)])

    def around(
        self, image: UInt8[np.ndarray, "H W 3"], region: Region, turns: Sequence[int] = QUARTER_TURNS
    ) -> list[Region]:
        """Return regions near the one where somebody was lost, looking with each of these quarter turns."""
        height, width = image.shape[:2]
        reach = LOCAL_REACH * region.side / 2
        left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
        right, bottom = min(width, int(region.x + reach) + 1), min(height, int(region.y + reach) + 1)
        if right - left < 2 or bottom - top < 2:
            return []
        found = [each for t in turns for each in self._find(image, Part(left, top, right, bottom, t))]
        return distinct(found)

    def _find(self, image: UInt8[np.ndarray, "H W 3"], part: Part) -> list[Region]:
        crop = turn_image(image[part.top : part.bottom, part.left : part.right], part.turns)
        found = [region for region, score in self._finder.find(crop) if score >= LEAST_SCORE]
        return [region_back(region, part) for region in found]


def _nth(parts: list[Part], number: int) -> list[Part]:
    """Return one of the parts, in turn; none where there are none."""
    return [parts[number % len(parts)]] if parts else []


def region_back(region: Region, part: Part) -> Region:
    """Return a region of a turned part as one of the whole picture."""
    size = (part.right - part.left, part.bottom - part.top)
    x, y = points_back(np.array([region.x, region.y], dtype=float), part.turns, size)
    turn = (region.turn + part.turns * math.pi / 2 + math.pi) % (2 * math.pi) - math.pi
    return Region(float(x) + part.left, float(y) + part.top, region.side, turn)


def parts_of(size: tuple[int, int]) -> tuple[Part, list[Part], list[Part]]:
    """Return the whole picture, the large squares along an oblong one, and the small squares that tile it."""
    width, height = size
    whole, short = Part(0, 0, width, height), min(size)
    squares = _tiles(size, short) if max(size) > OBLONG * short else []
    return whole, squares, _tiles(size, max(1, round(short * SMALL_PART)))


def _tiles(size: tuple[int, int], side: int) -> list[Part]:
    if side < SMALLEST_PART:
        return []

    def starts(length: int) -> list[int]:
        count = min(1 + math.ceil((length - side) / (side * (1 - PART_OVERLAP))), MOST_PARTS)
        return [round(start) for start in np.linspace(0, length - side, count)]

    return [Part(x, y, x + side, y + side) for x in starts(size[0]) for y in starts(size[1])]


def is_same_body(a: Region, b: Region) -> bool:
    """Return whether two regions are about one body."""
    return math.hypot(a.x - b.x, a.y - b.y) < SAME_MIDDLE * max(a.side, b.side)


def distinct(regions: list[Region]) -> list[Region]:
    """Return the regions without those that repeat an earlier one: same body, same way up."""
    kept: list[Region] = []
    for region in regions:
        if not any(is_same_body(region, k) and angle_between(region, k) < math.pi / 4 for k in kept):
            kept.append(region)
    return kept


def angle_between(a: Region, b: Region) -> float:
    """Return the angle between the turns of two regions (rad, 0 to pi)."""
    return abs((a.turn - b.turn + math.pi) % (2 * math.pi) - math.pi)
