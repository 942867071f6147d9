"""Turned pictures: points come back exactly, and a second look replaces the first only where it is better."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.detect.people import Person
from mocaplift.detect.turned import (
    SEARCH_FRAMES,
    TurnedDetector,
    landmarks_back,
    points_back,
    torso_turn,
    turn_image,
    upright_turns,
)
from mocaplift.layouts import BODY21
from mocaplift.values import Layout

WIDTH, HEIGHT = 7, 5


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5])
def test_every_pixel_comes_back(turns: int) -> None:
    """Each pixel of the picture holds its own place; so do the pixels of the turned picture, after points_back."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)
    turned = turn_image(image, turns)
    rows, columns = np.mgrid[: turned.shape[0], : turned.shape[1]]
    back = points_back(np.stack([columns, rows], axis=-1).astype(float), turns, (WIDTH, HEIGHT))
    assert np.array_equal(back, turned[..., :2])


def test_a_quarter_turn_to_the_left_by_hand() -> None:
    # The top right pixel of a picture goes to the top left.
    assert np.array_equal(points_back(np.array([0.0, 0.0]), 1, (WIDTH, HEIGHT)), [WIDTH - 1, 0])
    # What is to the right in the turned picture is downwards in the picture.
    assert np.array_equal(landmarks_back(np.array([1.0, 0.0, 5.0]), 1), [0.0, 1.0, 5.0])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_landmarks_turn_with_points(turns: int) -> None:
    rng = np.random.default_rng(turns)
    landmarks = rng.normal(size=(6, 3))
    points = landmarks[:, :2] * 10 + 100
    back = points_back(points, turns, (640, 480))
    expected = (landmarks_back(landmarks, turns)[:, :2]) * 10
    assert np.allclose(back - back[0], expected - expected[0])
    assert np.array_equal(landmarks_back(landmarks, turns)[:, 2], landmarks[:, 2])


def standing(turn_deg: float = 0.0, conf: float = 0.5, at: tuple[float, float] = (300.0, 200.0)) -> Person:
    """Return a body whose torso is turned clockwise in the picture."""
    xy = np.zeros((len(BODY21), 2))
    for place, joint in enumerate(BODY21.joints):
        side = 20 if joint.startswith("left") else -20 if joint.startswith("right") else 0
        height = {"hip": 0, "shoulder": -60, "knee": 60, "ankle": 120, "heel": 125, "toe": 130, "elbow": -30,
                  "wrist": 0}  # fmt: skip
        xy[place] = side, next((height[part] for part in height if part in joint), -90)
    angle = np.radians(turn_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Person(xy @ rotation.T + at, np.full(len(BODY21), conf))


@pytest.mark.parametrize("turn", [0, 30, 89, -90, 135, -170])
def test_torso_turn_is_clockwise(turn: float) -> None:
    assert torso_turn(standing(turn), BODY21) == pytest.approx(turn)


def test_torso_turn_of_half_a_body_is_unknown() -> None:
    person = standing()
    conf = person.conf.copy()
    conf[BODY21.index("left_hip", "right_hip")] = 0
    assert np.isnan(torso_turn(person._replace(conf=conf), BODY21))


@pytest.mark.parametrize(
    ("turn", "turns"), [(0, 0), (44, 0), (60, 1), (90, 1), (-90, 3), (180, 2), (-170, 2)]
)
def test_turns_that_bring_a_body_upright(turn: float, turns: int) -> None:
    assert upright_turns(turn) == turns
    # Turning the picture to the left by a quarter takes a quarter off the body's clockwise turn.
    assert abs((turn - 90 * turns + 180) % 360 - 180) <= 45.0


class Scripted:
    """A detector that sees a lying body badly, and well once the picture is turned; None is nobody."""

    layout: Layout = BODY21
    name = "scripted"
    reads_turned = False
    frames_turned = 0

    def __init__(self, truth: Person, upright: float | None, turned: float | None) -> None:
        self.truth, self.upright, self.turned = truth, upright, turned
        self.facts: dict[str, str] = {}
        self.calls: list[int] = []

    def fresh(self) -> Scripted:
        other = Scripted(self.truth, self.upright, self.turned)
        other.calls = self.calls
        return other

    def __call__(self, image: np.ndarray) -> list[Person]:
        # The picture's first pixel tells how it was turned: its corners are numbered.
        turns = [0, 1, 3, 2].index(int(image[0, 0, 0]))
        self.calls.append(turns)
        conf = self.turned if turns == upright_turns(torso_turn(self.truth, BODY21)) else self.upright
        if conf is None:
            return []
        size = (640, 480) if turns % 2 == 0 else (480, 640)
        # Into the turned picture: as many turns as are left to a whole one bring points back from it.
        return [Person(points_back(self.truth.xy, -turns, size), np.full(len(BODY21), conf))]


def numbered() -> np.ndarray:
    image = np.zeros((480, 640, 3), np.uint8)
    image[0, -1], image[-1, 0], image[-1, -1] = 1, 2, 3
    return image


def test_upright_people_cost_one_look() -> None:
    inner = Scripted(standing(20), 0.5, 0.5)
    detector = TurnedDetector(inner)
    detector(numbered())
    detector(numbered())
    assert inner.calls == [0, 0]
    assert detector.frames_turned == 0


@pytest.mark.parametrize("turn", [90.0, -90.0, 170.0])
def test_lying_people_are_read_on_the_turned_picture_in_the_same_place(turn: float) -> None:
    truth = standing(turn)
    inner = Scripted(truth, 0.2, 0.6)
    detector = TurnedDetector(inner)
    (person,) = detector(numbered())
    assert inner.calls == [0, upright_turns(turn)]
    assert np.allclose(person.xy, truth.xy)
    assert person.conf[0] == 0.6
    assert detector.frames_turned == 1


def test_a_worse_second_look_is_not_taken() -> None:
    detector = TurnedDetector(Scripted(standing(90), 0.6, 0.3))
    (person,) = detector(numbered())
    assert person.conf[0] == 0.6
    assert detector.frames_turned == 0


def test_equal_looks_do_not_alternate() -> None:
    """Once the turned reading was taken it stays, although the upright one gets a little better for a frame."""
    inner = Scripted(standing(90), 0.50, 0.60)
    detector = TurnedDetector(inner)
    detector(numbered())
    inner.upright = 0.61
    (person,) = detector(numbered())
    assert person.conf[0] == 0.60
    inner.upright = 0.80
    (person,) = detector(numbered())
    assert person.conf[0] == 0.80


def test_somebody_lost_is_searched_at_all_turns_and_given_up() -> None:
    truth = standing(-90)
    inner = Scripted(truth, 0.5, 0.5)
    detector = TurnedDetector(inner)
    detector(numbered())
    inner.upright = None
    for each in detector._turned.values():
        each.upright = None
    found = [len(detector(numbered())) for _ in range(4)]
    assert 1 in found, "one of the turns shows the body"
    for each in (inner, *detector._turned.values()):
        each.upright = each.turned = None
    for _ in range(SEARCH_FRAMES + 5):
        detector(numbered())
    inner.calls.clear()
    detector(numbered())
    assert inner.calls == [0], "an empty picture costs one look again"


def test_people_are_not_doubled() -> None:
    detector = TurnedDetector(Scripted(standing(100), 0.3, 0.31))
    for _ in range(3):
        assert len(detector(numbered())) == 1


def test_fresh_remembers_nothing() -> None:
    detector = TurnedDetector(Scripted(standing(90), 0.2, 0.6))
    detector(numbered())
    assert detector.fresh().frames_turned == 0
    assert detector.fresh()._active == {}
