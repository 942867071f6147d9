"""Figures: what they refuse, and that a weight file can tell them."""

from __future__ import annotations

import json

import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.values import Layout

WORM = Layout("worm", ("head", "middle", "tail"))


def test_the_person_goes_through_a_header() -> None:
    assert Figure.of_header(json.loads(json.dumps(PERSON.as_header()))) == PERSON


def test_bones_are_found_by_name() -> None:
    worm = Figure(WORM, ("middle",), (("head", "middle", 0.1), ("tail", "middle", 0.2)))
    assert (worm.starts, worm.ends, worm.lengths.tolist()) == ([0, 2], [1, 1], [0.1, 0.2])


@pytest.mark.parametrize(
    ("root", "bones"),
    [
        ((), (("head", "middle", 0.1),)),
        (("middle",), ()),
        (("middle",), (("head", "head", 0.1),)),
        (("middle",), (("head", "middle", 0.0),)),
        (("middle",), (("head", "middle", float("nan")),)),
    ],
)
def test_a_figure_that_cannot_be_measured_is_refused(root, bones) -> None:
    with pytest.raises(ConfigError, match="needs"):
        Figure(WORM, root, bones)


def test_unknown_joints_are_named() -> None:
    with pytest.raises(InvalidData, match="no joint 'foot'"):
        Figure(WORM, ("foot",), (("head", "middle", 0.1),))


@pytest.mark.parametrize("change", [{"joints": 3}, {"bones": [["head", "middle"]]}, {"pairs": None}])
def test_a_header_of_something_else_is_refused(change) -> None:
    with pytest.raises(ConfigError, match="not the description"):
        Figure.of_header(PERSON.as_header() | change)
