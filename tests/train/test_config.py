"""Settings from lines of TOML: typed, and a misspelt one is an error that says what was meant."""

from dataclasses import dataclass

import pytest

from mocaplift.errors import ConfigError
from mocaplift.train.config import override


@dataclass(frozen=True)
class Config:
    steps: int = 10
    rate: float = 0.5
    name: str = "a"
    is_fast: bool = False
    sizes: tuple[int, ...] = (1, 2)


def test_settings_are_set_and_the_rest_stays() -> None:
    changed = override(Config(), ["steps=20", "rate=1", 'name="b"', "is_fast=true", "sizes=[3, 4]"])
    assert changed == Config(20, 1.0, "b", True, (3, 4))
    assert isinstance(changed.rate, float)
    assert override(Config(), []) == Config()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("step=3", "there is no such setting; did you mean 'steps'"),
        ("colour=3", "there are steps, rate, name"),
        ("steps=2.5", "needs int, but 2.5 is float"),
        ("steps=true", "needs int, but True is bool"),
        ("is_fast=1", "needs bool"),
        ('rate="fast"', "needs float"),
        ("name=b", "not understood"),
        ("steps", "not understood"),
    ],
)
def test_mistakes_are_sentences(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(Config(), [line])
