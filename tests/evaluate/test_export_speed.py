"""Writing is timed and weighed in processes of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mocaplift.cli import cli
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.evaluate import export_speed
from mocaplift.evaluate.speed import Run
from mocaplift.export import EXPORTERS


def test_each_format_has_its_time_its_memory_and_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []

    def measured(command):
        calls.append(command)
        Path(command[command.index("-o") + 1]).write_bytes(bytes(2_000_000))
        return Run(1.5, 120_000_000, 0, "")

    monkeypatch.setattr(export_speed, "measured", measured)
    out = tmp_path / "rows.json"
    line = [
        "evaluate",
        "export",
        "--frames",
        "5",
        "--preset",
        "unreal",
        "--preset",
        "unity",
        "--json",
        str(out),
    ]
    done = CliRunner().invoke(cli, line, prog_name="mocaplift")
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())
    assert {row["lifter"] for row in rows} == {"unreal", "unity"} and {row["frames"] for row in rows} == {5}
    assert {row["metric"] for row in rows} == {f"{kind}{suffix}" for kind in ("seconds", "memory", "size")
                                               for suffix in EXPORTERS}  # fmt: skip
    found = {row["metric"]: (row["value"], row["unit"]) for row in rows if row["lifter"] == "unity"}
    assert (found["seconds.fbx"], found["memory.fbx"], found["size.fbx"]) == (
        (1.5, "s"),
        (120, "MB"),
        (2, "MB"),
    )
    assert [command[-1] for command in calls] == ["unreal", "unity"] * len(EXPORTERS)
    assert "seconds.bvh" in done.output


def test_it_writes_the_files_that_it_measures():
    rows = export_speed.export_speed(20, formats=[".bvh"])
    value = {row.metric: row.value for row in rows}
    assert 0 < value["seconds.bvh"] < 60 and value["memory.bvh"] > 20 and value["size.bvh"] > 0.005


def test_what_fails_is_said():
    with pytest.raises(ConfigError, match=r"unknown format '\.dae'; known: \.bvh"):
        export_speed.export_speed(5, formats=[".dae"])
    with pytest.raises(InvalidData, match=r"writing nowhere\.bvh ended with exit code 2: .*'nowhere'"):
        export_speed.export_speed(5, formats=[".bvh"], presets=["nowhere"])


def test_the_motion_moves_every_joint():
    motion = export_speed.made_motion(50)
    assert np.ptp(motion.rotations, axis=0).max(axis=-1).min() > 0.1 and motion.root[:, 1].min() >= 0
