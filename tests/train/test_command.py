"""`mocaplift train`: every stage lists its settings, refuses others, and ends in the file that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mocaplift.cli.train import train
from mocaplift.errors import ConfigError
from mocaplift.lift.point_prior import load_point_prior
from tests.train.recordings import daz_bvh, write_archives

LONG = {"mpl", "mpl-paper", "direct", "mvlift"}
STAGE = {"mvlift": ["--stage", "4"]}
WITHOUT_RECORDINGS = {"mesh"}


def line(stage: str, folder: Path) -> list[str]:
    """Return the least that a stage must be told."""
    recordings = [] if stage in WITHOUT_RECORDINGS else [str(folder / "cmu")]
    work = ["--work", str(folder / "work")] if stage in LONG else []
    return [stage, *recordings, *work, *STAGE.get(stage, [])]


@pytest.mark.parametrize("stage", sorted(train.commands))
def test_settings_are_listed_and_others_refused(stage: str, tmp_path: Path) -> None:
    if stage in LONG:
        pytest.importorskip("torch")
    listed = CliRunner().invoke(train, [*line(stage, tmp_path), "--set", "help"], catch_exceptions=False)
    assert listed.exit_code == 0 and "seed = " in listed.output
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        CliRunner().invoke(train, [*line(stage, tmp_path), "--set", "sed=3"], catch_exceptions=False)
    assert not list(tmp_path.iterdir())


def test_a_stage_ends_in_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "cmu").mkdir()
    swing = {("lThigh", "Xrotation"): 25 * np.sin(np.arange(240) / 15)}
    write_archives(tmp_path / "cmu", {"everyday/07/07_01.bvh": daz_bvh(240, swing)})
    settings = ["--set", "poses=40", "--set", "bodies=3", "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(train, [*line("points", tmp_path), *settings], catch_exceptions=False)
    path = tmp_path / "out" / "point-prior.safetensors"
    assert ended.exit_code == 0 and f"wrote {path}" in ended.output.replace("\n", "")
    assert load_point_prior(str(path)).mean_ahead.shape == (21, 3)
