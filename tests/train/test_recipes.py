"""The recipes beside the weights: complete, read as the commands read them, and what made the files."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mocaplift.train.config import read_settings
from mocaplift.weights import read_header

torch = pytest.importorskip("torch")
from mocaplift.train.mvlift import MultiviewTraining  # noqa: E402 - needs torch
from mocaplift.train.mvlift_lines import LineTraining  # noqa: E402
from mocaplift.train.mvlift_made import BodyFitting, ViewMaking  # noqa: E402

WEIGHTS = Path(__file__).parents[2] / "weights"
# What a recipe is for, and the weight file that it makes.
RECIPES: dict[str, tuple[Any, str | None]] = {
    "mvlift-stage4": (MultiviewTraining(), "mvlift"),
    "mvlift-2d-stage1": (LineTraining(), "mvlift-lines"),
    "mvlift-2d-stage2": (ViewMaking(), None),
    "mvlift-2d-stage3": (BodyFitting(), None),
    "mvlift-2d-stage4": (MultiviewTraining(), "mvlift-2d"),
}


def names(settings: dict[str, Any]) -> set[str]:
    """Return the names of all settings, those of tables after their table's."""
    found = set()
    for name, value in settings.items():
        found |= {f"{name}.{each}" for each in names(value)} if isinstance(value, dict) else {name}
    return found


def test_every_recipe_is_known() -> None:
    assert {path.stem for path in (WEIGHTS / "recipes").iterdir()} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_no_setting_to_the_defaults_and_tells_its_cost(name: str) -> None:
    path = WEIGHTS / "recipes" / f"{name}.toml"
    config, _ = RECIPES[name]
    text = path.read_text(encoding="utf-8")
    read = read_settings(config, path)
    assert names(tomllib.loads(text)) == names(dataclasses.asdict(read))
    assert f"--stage {name[-1]}" in text and "# Cost: " in text


@pytest.mark.parametrize("name", [name for name, (_, made) in RECIPES.items() if made])
def test_a_weight_file_was_made_by_its_recipe(name: str) -> None:
    config, made = RECIPES[name]
    path = WEIGHTS / f"{made}.safetensors"
    if not path.is_file():
        pytest.skip(f"{made} does not come with this version")
    told = read_header(path)["config"]
    asked = dataclasses.asdict(read_settings(config, WEIGHTS / "recipes" / f"{name}.toml"))
    assert {key: asked[key] for key in told} == told
