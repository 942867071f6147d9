"""Where people are looked for: everywhere in turn, and nowhere twice."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mocaplift.detect.blazepose import Region
from mocaplift.detect.search import LOOK_EVERY, Part, Search, distinct, parts_of, region_back
from tests.detect.figure import canvas, draw

SIZE = (1280, 720)


class Finder:
    """Finds a white spot, and counts its looks."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, int]] = []

    def find(self, image: np.ndarray) -> list[tuple[Region, float]]:
        self.looks.append((image.shape[1], image.shape[0]))
        y, x = np.nonzero(image[..., 0] > 128)
        # As the real one, it misses what is small in what it is shown.
        if len(x) == 0 or np.ptp(x) + 1 < max(image.shape[:2]) / 20:
            return []
        return [(Region(float(x.mean()), float(y.mean()), 100.0, 0.0), 0.9)]


def spot(at: tuple[int, int], side: int) -> np.ndarray:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[at[1] - side // 2 : at[1] + side // 2, at[0] - side // 2 : at[0] + side // 2] = 255
    return image


@pytest.mark.parametrize(
    "size", [(1280, 720), (720, 1280), (1920, 1080), (640, 480), (1000, 1000), (2000, 500)]
)
def test_parts_cover_the_picture_and_stay_inside(size: tuple[int, int]) -> None:
    whole, squares, small = parts_of(size)
    assert whole == Part(0, 0, *size)
    for parts in (squares, small):
        covered = np.zeros((size[1], size[0]), bool)
        for part in parts:
            assert 0 <= part.left < part.right <= size[0]
            assert 0 <= part.top < part.bottom <= size[1]
            covered[part.top : part.bottom, part.left : part.right] = True
        assert covered.all() or not parts
    assert bool(squares) == (max(size) > 1.25 * min(size))


def test_tiny_pictures_have_no_parts() -> None:
    assert parts_of((2, 300)) == (Part(0, 0, 2, 300), [], [])


def test_the_first_picture_is_searched_everywhere() -> None:
    finder = Finder()
    found = Search(finder).everywhere(spot((1100, 600), 30), False)
    assert len(found) == 1
    assert (found[0].x, found[0].y) == pytest.approx((1099.5, 599.5))
    _, squares, small = parts_of(SIZE)
    assert len(finder.looks) == 1 + len(squares) + len(small)


def test_known_people_leave_one_look_in_a_few_frames() -> None:
    finder = Finder()
    search, image = Search(finder), spot((100, 100), 2)
    search.everywhere(image, True)
    finder.looks.clear()
    for _ in range(30):
        search.everywhere(image, True)
    assert len(finder.looks) == 30 // LOOK_EVERY


def test_every_part_gets_its_turn() -> None:
    """Someone small who comes in late is found although somebody else is known."""
    search, empty = Search(Finder()), spot((100, 100), 2)
    for _ in range(7):
        search.everywhere(empty, True)
    late = spot((1200, 80), 30)
    assert any(search.everywhere(late, True) for _ in range(200))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_regions_of_turned_parts_come_back(turns: int) -> None:
    part = Part(100, 50, 300, 450, turns)
    image = np.zeros((500, 400, 3), np.uint8)
    image[333, 222] = 255
    turned = np.rot90(image[part.top : part.bottom, part.left : part.right], turns)
    y, x = (int(each[0]) for each in np.nonzero(turned[..., 0]))
    # Upright in a picture that was turned to the left is turned to the right in the picture.
    back = region_back(Region(x, y, 80.0, 0.0), part)
    assert back[:3] == (222, 333, 80)
    assert math.cos(back.turn) == pytest.approx(math.cos(turns * math.pi / 2), abs=1e-9)
    assert math.sin(back.turn) == pytest.approx(math.sin(turns * math.pi / 2), abs=1e-9)


def test_around_looks_at_all_turns_near_the_place() -> None:
    finder = Finder()
    found = Search(finder).around(spot((640, 360), 60), Region(620.0, 350.0, 200.0, 0.0))
    assert len(finder.looks) == 4
    assert {round(math.degrees(region.turn)) % 360 for region in found} == {0, 90, 180, 270}
    assert all((region.x, region.y) == pytest.approx((639.5, 359.5)) for region in found)
    assert Search(finder).around(spot((1, 1), 2), Region(-900.0, 0.0, 100.0, 0.0)) == []


def test_repeats_are_one() -> None:
    a = Region(100, 100, 80, 0.0)
    assert distinct([a, a._replace(x=110), a._replace(turn=0.2)]) == [a]
    other_way_up, elsewhere = a._replace(turn=3.0), a._replace(x=300)
    assert distinct([a, other_way_up, elsewhere]) == [a, other_way_up, elsewhere]


def test_a_small_person_in_a_wide_picture_is_found_at_once() -> None:
    """At 224 pixels the whole picture shows them 24 px tall: the real finder needs the parts."""
    from mocaplift.detect import load_detector

    image = draw(canvas((1600, 700)), 1300, 330, 0.45)
    (person,) = load_detector("mediapipe")(image)
    assert person.xy[:, 0].mean() == pytest.approx(1300, abs=15)
    assert np.ptp(person.xy[:, 1]) == pytest.approx(0.45 * 340, rel=0.25)
