"""Where a top-down network looks, with and without the packages that find people."""

from __future__ import annotations

import importlib.util
import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mocaplift.detect import boxes, stand_ins
from mocaplift.detect.boxes import (
    LEAST_SCORE,
    MARGIN,
    FollowedBoxes,
    MMDetBoxes,
    grown,
    load_boxes,
    without_repeats,
)
from mocaplift.detect.people import Person
from mocaplift.errors import MissingDependency
from tests.detect.figure import canvas, draw
from tests.detect.test_turned import standing


def test_without_a_finder_the_whole_picture_comes_first_then_the_points() -> None:
    source = FollowedBoxes(None)
    assert source.name.startswith("whole picture")
    (whole,) = source.of(canvas((640, 480)))
    assert np.array_equal(whole, [0, 0, 639, 479])
    person = standing(at=(300, 200))
    assert source.remember([person]) == [person]
    (followed,) = source.of(canvas((640, 480)))
    assert np.array_equal(followed, grown(person))
    (again,) = source.fresh().of(canvas((640, 480)))
    assert np.array_equal(again, whole)


def test_a_margin_is_left_around_the_points() -> None:
    person = Person(np.array([[100.0, 100.0], [200.0, 400.0]]), np.array([0.5, 0.5]))
    assert np.allclose(grown(person), [100 - 15, 100 - 300 * MARGIN, 200 + 15, 400 + 300 * MARGIN])


def test_a_body_that_is_hardly_seen_is_not_followed() -> None:
    source = FollowedBoxes(None)
    weak = standing(at=(300, 200), conf=0.05)
    assert source.remember([weak]) == [weak]
    assert len(source.of(canvas((640, 480)))) == 1
    assert source.of(canvas((640, 480)))[0][2] == 639


def test_two_boxes_that_slid_onto_one_body_give_one_person() -> None:
    source = FollowedBoxes(None)
    person = standing(at=(300, 200))
    assert source.remember([person, person._replace(xy=person.xy + 2)]) == [person]


def test_repeats_by_hand() -> None:
    a = np.array([0.0, 0, 100, 200])
    kept = without_repeats([a, a + 5, np.array([-60.0, -20, 160, 220]), a + np.array([150, 0, 150, 0])])
    assert len(kept) == 2


def test_the_finder_of_mediapipe_gives_first_boxes() -> None:
    source = load_boxes("cpu")
    (box,) = source.of(draw(canvas(), 320, 60))
    assert box[0] < 260 and box[2] > 380 and box[1] < 80 and box[3] > 410
    assert "mediapipe" in source.name


class FakeTensor(np.ndarray):
    def cpu(self) -> np.ndarray:
        return np.asarray(self)


@pytest.fixture
def mmdet(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put a module in mmdet's place that finds four boxes: a person twice, a dog, and a doubtful person."""
    seen: dict[str, Any] = {}
    found = SimpleNamespace(
        bboxes=np.array([[10.0, 10, 60, 110], [11, 11, 61, 111], [200, 50, 260, 90], [300, 20, 350, 120]]),
        scores=np.array([0.7, 0.9, 0.95, LEAST_SCORE - 0.1]),
        labels=np.array([0, 0, 16, 0]),
    )
    vars(found).update({key: value.view(FakeTensor) for key, value in vars(found).items()})

    def inference_detector(network: object, image: np.ndarray) -> SimpleNamespace:
        seen["image"] = image
        return SimpleNamespace(pred_instances=found)

    package, apis = ModuleType("mmdet"), ModuleType("mmdet.apis")
    apis.inference_detector = inference_detector  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mmdet", package)
    monkeypatch.setitem(sys.modules, "mmdet.apis", apis)
    return seen


def test_mmdet_gives_people_only_and_once(mmdet: dict[str, Any]) -> None:
    image = np.zeros((150, 400, 3), np.uint8)
    image[..., 0] = 200
    source = MMDetBoxes("network")
    (box,) = source.of(image)
    assert np.array_equal(box, [11, 11, 61, 111])
    assert (mmdet["image"][..., 2] == 200).all(), "mmdet takes blue first"
    people = [standing()]
    assert source.remember(people) is people
    assert source.fresh() is source


def test_an_mmdet_that_does_not_work_is_told_and_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(device: str) -> None:
        raise AssertionError("MMCV==2.2.0 is used but incompatible")

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: SimpleNamespace() if name == "mmdet" else real(name)
    )
    monkeypatch.setattr(stand_ins, "is_stand_in", lambda name: False)
    monkeypatch.setattr(boxes, "_mmdet_network", broken)
    with caplog.at_level(logging.WARNING):
        source = load_boxes("cpu")
    assert "mediapipe" in source.name
    assert "incompatible" in caplog.text


def test_nothing_to_find_people_with_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> None:
        raise MissingDependency("mediapipe is not installed")

    monkeypatch.setattr(stand_ins, "is_stand_in", lambda name: True)
    monkeypatch.setattr(boxes, "BlazePose", missing)
    with caplog.at_level(logging.WARNING):
        source = load_boxes("cpu")
    assert source.name.startswith("whole picture")
    assert "whole picture" in caplog.text
