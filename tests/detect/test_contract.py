"""What every detector promises, by being listed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mocaplift.detect import DETECTORS, load_detector
from mocaplift.detect.people import Detector
from mocaplift.errors import ConfigError
from mocaplift.layouts import BODY21
from tests.detect.figure import canvas, draw

every_detector = pytest.mark.parametrize("detector", list(DETECTORS), indirect=True)


def check_people(people: list, detector: Detector) -> None:
    for person in people:
        assert person.xy.shape == (len(detector.layout), 2)
        assert person.conf.shape == (len(detector.layout),)
        assert ((person.conf >= 0) & (person.conf <= 1)).all()
        assert np.array_equal(np.isfinite(person.xy).all(axis=1), person.conf > 0)
        if person.landmarks is not None:
            assert person.landmarks.shape == (len(detector.layout), 3)


@every_detector
def test_people_have_the_promised_shapes(detector: Detector) -> None:
    people = detector(draw(canvas(), 320, 60))
    assert len(people) == 1
    check_people(people, detector)
    assert set(detector.layout.joints) <= set(BODY21.joints)


@every_detector
def test_an_empty_picture_holds_nobody(detector: Detector) -> None:
    assert detector(canvas()) == []
    assert detector(np.zeros((480, 640, 3), np.uint8)) == []


@every_detector
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (37, 51)])
def test_odd_pictures_hold_nobody_and_break_nothing(detector: Detector, size: tuple[int, int]) -> None:
    assert detector(canvas(size)) == []


@every_detector
def test_somebody_cut_by_the_border_is_no_crash(detector: Detector) -> None:
    for x, top in ((10, 60), (630, 60), (320, -120), (320, 300)):
        check_people(detector.fresh()(draw(canvas(), x, top)), detector)


@every_detector
def test_a_picture_that_is_not_contiguous_reads_the_same(detector: Detector) -> None:
    image = draw(canvas(), 320, 60)
    wide = np.concatenate([image, image], axis=1)[:, : image.shape[1]]
    assert not wide.flags.c_contiguous
    first, second = detector.fresh()(image), detector.fresh()(wide)
    assert np.array_equal(first[0].xy, second[0].xy, equal_nan=True)


@every_detector
def test_fresh_forgets_and_shares_the_network(detector: Detector) -> None:
    image, other = draw(canvas(), 200, 60), draw(canvas(), 420, 90, 0.8)
    alone = detector.fresh()(image)
    detector(other)
    detector(other)
    again = detector.fresh()(image)
    assert np.array_equal(alone[0].xy, again[0].xy, equal_nan=True)


@every_detector
def test_the_same_pictures_give_the_same_points(detector: Detector) -> None:
    pictures = [draw(canvas(), 200 + 10 * k, 60) for k in range(4)]
    first, second = detector.fresh(), detector.fresh()
    for picture in pictures:
        for a, b in zip(first(picture), second(picture), strict=True):
            assert np.array_equal(a.xy, b.xy, equal_nan=True)


@every_detector
def test_the_picture_is_not_changed(detector: Detector) -> None:
    image = draw(canvas(), 320, 60)
    before = image.copy()
    detector(image)
    assert np.array_equal(image, before)


@every_detector
def test_it_says_what_it_is(detector: Detector) -> None:
    assert detector.name in DETECTORS
    assert all(isinstance(value, str) and value for value in detector.facts.values())
    assert "licence" in detector.facts


def test_an_unknown_detector_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="mediapipe, mmpose"):
        load_detector("openpose")


def test_nothing_heavy_is_imported_before_a_detector_is_loaded() -> None:
    code = (
        "import sys, mocaplift.detect\n"
        "print([m for m in ('mediapipe', 'mmpose', 'torch', 'mmengine') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_mediapipe_says_nothing_on_the_terminal() -> None:
    code = (
        "import numpy as np\n"
        "from mocaplift.detect import load_detector\n"
        "from tests.detect.figure import canvas, draw\n"
        "people = load_detector('mediapipe')(draw(canvas(), 320, 60))\n"
        "print(len(people))"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "1"
    noise = [line for line in done.stderr.splitlines() if "DeprecationWarning" not in line]
    assert not [line for line in noise if "W0000" in line or "INFO:" in line or "GetPrototype" in line]
