"""MPL as its paper has it: what it is told, what it learns, and that it learns one rig and no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mocaplift.calibrate import write_calibration
from mocaplift.errors import CalibrationError
from mocaplift.layouts import BODY21
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.rigs import random_rigs
from mocaplift.train.data.view_windows import Sampler
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.cli.train import train as command  # noqa: E402 - needs torch
from mocaplift.train import mpl_paper  # noqa: E402
from mocaplift.train.loop import LoopConfig  # noqa: E402
from mocaplift.train.mpl_paper import (  # noqa: E402
    PaperModule,
    PaperNetwork,
    PaperTraining,
    compare,
    given_rig,
    in_widths,
    of_draw,
    of_views,
    train_for,
)

TINY = PaperNetwork(width=8, heads=2, spatial_depth=1, fusion_depth=1)
LOOP = LoopConfig(
    steps=150, rate=3e-3, warmup=5, decay=0.0, average=0.9, report_every=75, threads=1, bf16=False,
    device="cpu",
)  # fmt: skip
CONFIG = PaperTraining(batch=64, validation=50, windows=1, network=TINY, loop=LOOP)


@pytest.fixture(name="bank", scope="module")
def _bank() -> MotionBank:
    xyz = walker(frames=300, fps=60.0).keypoints.xyz.astype(np.float32)
    return MotionBank(xyz, np.array([0]), np.array([300]), np.array([1.0]))


def test_points_are_told_in_half_widths_from_the_middle() -> None:
    offset = np.array([[960.0, 0.0], [-480.0, 270.0], [2000.0, 900.0], [np.nan, np.nan]])
    told = in_widths(offset, np.array([1920, 1080]), np.array([1.0, 0.5, 0.5, 0.0]))
    np.testing.assert_allclose(told, [[1, 0], [-0.5, 0.28125], [1, 0.5625], [0, 0]])


def test_training_and_comparison_tell_it_the_same(bank) -> None:
    rig = random_rigs(np.random.default_rng(0), 1, 3).centred()
    sampler = Sampler(bank, rig=rig)
    draw = sampler.draw(np.random.default_rng(5), 1, 3, 8, 30.0)
    take = sampler.take(np.random.default_rng(5), 3, 8, 30.0)
    told = of_draw(draw)[0]
    assert told.shape == (8, 3, 17, 2) and (told == 0).all(-1).any() and told.std() > 0.05
    np.testing.assert_allclose(of_views(take.views), told, atol=1e-5)


def test_it_is_as_large_as_the_papers() -> None:
    """4.8 million weights with two blocks each, of which one for each view, and every one is learnt."""
    module = PaperModule(PaperNetwork(), 5)
    assert sum(each.numel() for each in module.parameters()) == pytest.approx(4.8e6, rel=0.01)
    module(torch.randn(3, 5, 17, 2)).square().mean().backward()
    assert all(each.grad is not None and each.grad.any() for each in module.parameters())
    assert module.mix.weight.numel() == 5


@pytest.mark.slow
def test_it_learns_its_own_rig_and_no_other(bank, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mpl_paper, "FRAMES", 10)
    own, other = (random_rigs(np.random.default_rng(seed), 1, 2).centred() for seed in (1, 2))
    module = train_for(own, CONFIG, bank, bank, tmp_path)
    error = {}
    for name, rig in (("own", own), ("other", other)):
        take = Sampler(bank, rig=rig).take(np.random.default_rng(0), 2, 10, 30.0)
        rows = compare(module, [take], name)
        assert [row.lifter for row in rows[::4]] == ["dlt", "triangulate", "mpl-paper"]
        assert {row.metric for row in rows} == {
            "absolute_mpjpe", "absolute_median", "absolute_p95", "pa_mpjpe"
        }  # fmt: skip
        error |= {(name, row.lifter): row.value for row in rows if row.metric == "absolute_mpjpe"}
    assert error["own", "mpl-paper"] < 0.5 * error["other", "mpl-paper"]
    assert error["own", "triangulate"] < 80 and error["other", "triangulate"] < 80
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["mm"] < lines[0]["mm"]


class TestCommand:
    def test_it_compares_before_two_rigs(self, bank, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(mpl_paper, "FRAMES", 10)
        monkeypatch.setattr(mpl_paper, "load_banks", lambda cmu, folder: (bank, bank))
        cameras = random_rigs(np.random.default_rng(3), 1, 3).cameras(0)
        write_calibration(cameras, tmp_path / "cams.json")
        line = ["mpl-paper", "cmu", "--work", str(tmp_path / "work"), "--calib", str(tmp_path / "cams.json")]
        settings = "network.width=8 network.heads=2 loop.steps=2 batch=8 validation=8 windows=1"
        for each in settings.split():
            line += ["--set", each]
        ended = CliRunner().invoke(command, line, catch_exceptions=False)
        assert ended.exit_code == 0 and "another rig, 3 views" in ended.output
        rows = json.loads((tmp_path / "work" / "mpl-paper.json").read_text())
        assert {row["sequence"] for row in rows} == {"own rig", "another rig"}
        assert all(row["value"] != 0 and row["views"] == 3 for row in rows)
        # Another rig has a run of its own.
        again = CliRunner().invoke(command, [*line[:4], *line[6:]], catch_exceptions=False)
        assert "another rig, 2 views" in again.output and len(list((tmp_path / "work").glob("rig-*"))) == 2

    def test_a_file_with_one_camera_is_refused(self, tmp_path: Path) -> None:
        write_calibration(random_rigs(np.random.default_rng(3), 1, 1).cameras(0), tmp_path / "cams.json")
        with pytest.raises(CalibrationError, match=r"cams\.json: two or more cameras in metres"):
            given_rig(tmp_path / "cams.json")


def test_joints_are_those_of_coco() -> None:
    assert [BODY21.joints[each] for each in mpl_paper._COCO] == list(mpl_paper.COCO17.joints)
