"""Settings from lines of TOML: typed, and a misspelt one is an error that says what was meant."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mocaplift.errors import ConfigError
from mocaplift.train.config import override, read_settings


@dataclass(frozen=True)
class Config:
    steps: int = 10
    rate: float = 0.5
    name: str = "a"
    is_fast: bool = False
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Whole:
    seed: int = 1
    inner: Config = field(default_factory=Config)


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


def test_settings_of_settings_add_up() -> None:
    changed = override(Whole(), ["inner.steps=20", "seed=2", "inner.rate=1", 'inner={name="b"}'])
    assert changed == Whole(2, Config(steps=20, rate=1.0, name="b"))
    with pytest.raises(ConfigError, match="--set step: there is no such setting; did you mean 'steps'"):
        override(Whole(), ["inner.step=3"])
    with pytest.raises(ConfigError, match="needs Config, but 3 is int"):
        override(Whole(), ["inner=3"])


def test_a_file_sets_what_lines_can(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seed = 4\n[inner]\nsteps = 7\n")
    assert read_settings(Whole(), path) == Whole(4, Config(steps=7))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "config.toml: sed: there is no such setting; did you mean 'seed'"),
        ("seed", "not a file of"),
    ],
)
def test_mistakes_in_a_file_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_settings(Whole(), path)
    with pytest.raises(ConfigError, match="not a file of settings"):
        read_settings(Whole(), tmp_path / "none.toml")
