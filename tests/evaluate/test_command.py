"""The verbs of `mocaplift evaluate`, as they are typed."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift.cli import cli
from tests.evaluate.test_aist import folder  # noqa: F401 - a fixture
from tests.train.recordings import daz_bvh


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *(str(each) for each in arguments)], prog_name="mocaplift")


def test_aist_with_two_views_prints_tables_and_writes_rows(folder: Path, tmp_path: Path):  # noqa: F811
    out = tmp_path / "rows.json"
    done = call("aist", folder, "--views", "2", "--lifter", "dlt", "--rate", "60", "--json", out)
    assert done.exit_code == 0, done.output
    assert "aist: gXX_walk, 2 views" in done.output and "limbs_p95" in done.output
    rows = json.loads(out.read_text())
    assert {row["frames"] for row in rows if row["metric"] == "missing"} == {3 * 500}


def test_aist_with_one_view_and_an_unknown_lens(folder: Path, tmp_path: Path):  # noqa: F811
    out = tmp_path / "rows.json"
    options = ("--first", "--every", "3", "--focal", "unknown", "--lifter", "direct+raw", "--published")
    done = call("aist", folder, *options, "--json", out)
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())
    ours = [row for row in rows if row["sequence"] == "all"]
    assert {row["lifter"] for row in ours} == {"static", "direct+raw (focal unknown)"}
    assert {row["frames"] for row in ours if row["metric"] == "yaw_mpjpe"} == {120}
    assert "WHAM" in {row["lifter"] for row in rows}


def test_depth_and_mocap_with_one_view(tmp_path: Path):
    way = np.linspace(0.0, 200.0, 1200)  # cm in ten seconds
    (tmp_path / "one.bvh").write_text(daz_bvh(1200, {("hip", "Zposition"): way}))
    done = call("depth", tmp_path, "--windows", "1", "--lifter", "direct+raw")
    assert done.exit_code == 0, done.output
    assert "depth: coco, 1 view" in done.output and "depth_gain_at_8_m" in done.output
    done = call("mocap", tmp_path, "--views", "1", "--windows", "2", "--lifter", "direct+raw")
    assert done.exit_code == 0, done.output
    assert "mocap: all, 1 view" in done.output and "depth_gain" in done.output


def test_mocap_draws_windows_of_bvh_files(tmp_path: Path):
    (tmp_path / "one.bvh").write_text(daz_bvh(1200, {}))
    done = call("mocap", tmp_path, "--views", "3", "--windows", "2", "--lifter", "dlt")
    assert done.exit_code == 0, done.output
    assert "mocap: all, 3 views" in done.output and "negative_view_joints" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("aist", "{}", "--views", "4", "--lifter", "dlt"), "4 views were asked for, but there are only 3"),
        (("aist", "{}", "--views", "2", "--lifter", "best"), "unknown lifter 'best'"),
        (("aist", "{}", "--views", "2", "--rate", "50"), "no multiple of 50"),
        (("mocap", "{}", "--lifter", "dlt"), "neither CMU's archives"),
        (("pose2sim", "{}", "--views", "4"), "holds no video"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(folder: Path, arguments: tuple[str, ...], message: str):  # noqa: F811
    done = call(*(each.format(folder) for each in arguments))
    assert done.exit_code != 0
    assert message in " ".join(done.output.split())


def test_speed_without_a_video_times_lifters_of_several_views():
    done = call("speed", "--views", "2", "--lifter", "dlt")
    assert done.exit_code == 0, done.output
    assert "made clip, 2 views" in done.output and "ms_frame_with_past" in done.output
