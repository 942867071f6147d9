"""Options refuse nonsense with a sentence that names the flag."""

import dataclasses

import pytest

from mocaplift.errors import ConfigError
from mocaplift.options import Options, flag_of


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"person": "biggest"}, "--person knows largest"),
        ({"person": "id:"}, "--person knows"),
        ({"person": "id:two"}, "--person knows"),
        ({"person": "3"}, "--person knows"),
        ({"start": -1.0}, "--start must not be negative"),
        ({"start": 5.0, "end": 5.0}, "--end .* after --start"),
        ({"slow_motion": 0.0}, "--slowmo must be above 0"),
        ({"height": 178.0}, "--height .* write 178cm"),
        ({"focal": -100.0}, "--focal must be above 0"),
        ({"focal": float("nan")}, "--focal must be a finite number"),
        ({"fov": 180.0}, "--fov must lie between"),
        ({"fov": 60.0, "focal": 1000.0}, "give one of them"),
        ({"pitch": 95.0}, "--pitch must lie within 89"),
        ({"longest_gap": -0.1}, "--longest-gap must not be negative"),
        ({"smooth": float("inf")}, "--smooth must be a finite number"),
        ({"foot_lock": "often"}, "--foot-lock knows auto"),
    ],
)
def test_nonsense_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Options(**changes)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"person": "id:12"},
        {"person": "all"},
        {"start": 1.0, "end": 2.5},
        {"height": 1.2},
        {"smooth": 0.0},
        {"pitch": -30.0},
        {"fov": 63.0},
    ],
)
def test_sense_is_accepted(changes: dict) -> None:
    options = Options(**changes)
    assert {name: getattr(options, name) for name in changes} == changes


def test_every_option_has_one_sentence_and_a_flag_of_its_own() -> None:
    flags = set()
    for each in dataclasses.fields(Options):
        text = each.metadata["help"]
        assert text[0].isupper(), text
        assert text.endswith("."), text
        assert ". " not in text, f"one sentence: {text}"
        flags.add(flag_of(each.name))
    assert len(flags) == len(dataclasses.fields(Options))
    assert flag_of("slow_motion") == "--slowmo"
    assert flag_of("foot_lock") == "--foot-lock"
