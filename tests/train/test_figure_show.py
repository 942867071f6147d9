"""Other figures shown: clips, four stages and scores, small and from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift import store
from mocaplift.errors import InvalidData
from mocaplift.evaluate.figures import FLAT, RIGID
from mocaplift.evaluate.floors import STATIC
from mocaplift.evaluate.report import ALL
from mocaplift.evaluate.solvers import RAW
from mocaplift.train.data.motion_bank import MotionBank, save_bank
from mocaplift.train.figure_clips import HELD_OUT, SUBJECTS, TRAIN, TRUTH, ClipMaking, make_clips
from mocaplift.values import Keypoints2D
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train.config import override  # noqa: E402 - needs torch
from mocaplift.train.figure_show import (  # noqa: E402
    PUBLISHED,
    REHEARSAL,
    STAGE_2,
    STAGE_4,
    Showing,
    show,
)

TINY = override(
    Showing(),
    (
        *REHEARSAL,
        *(
            f"{part}.{setting}"
            for part in ("lines", "lifting")
            for setting in ("network.width=16", "network.depth=1", "loop.steps=4", "loop.bf16=false")
        ),
    ),
)
CLIPS = ClipMaking(clips=3, seconds=2.0, held_out=2, held_out_seconds=1.0)


def test_clips_are_made_once_and_the_truth_is_kept_aside(tmp_path: Path) -> None:
    folder = make_clips("creature", CLIPS, tmp_path / "clips", work=tmp_path)
    assert {path.name for path in folder.iterdir()} == {TRAIN, HELD_OUT, TRUTH}
    assert len(list((folder / TRAIN).iterdir())) == 3
    for path in (folder / HELD_OUT).iterdir():
        view = store.load(path)
        truth, camera = store.load(folder / TRUTH / path.name)
        assert (
            isinstance(view, Keypoints2D)
            and view.layout == truth.layout == SUBJECTS["creature"].figure.layout
        )
        assert len(view.xy) == len(truth.xyz) == 30 and view.size == camera.size
    first = folder / TRAIN / "00000.npz"
    kept = first.stat().st_mtime_ns
    (folder / TRAIN / "00001.npz").unlink()
    make_clips("creature", CLIPS, folder, work=tmp_path)
    assert first.stat().st_mtime_ns == kept and (folder / TRAIN / "00001.npz").is_file()


def test_a_box_needs_the_recordings(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="need the folder of the CMU archives"):
        make_clips("box", CLIPS, tmp_path / "clips", work=tmp_path)


@pytest.mark.slow
def test_a_creature_is_shown_from_clips_to_figures(tmp_path: Path) -> None:
    rows = show("creature", TINY, tmp_path)
    means = {(row.lifter, row.metric): row.value for row in rows if row.sequence == ALL}
    assert {lifter for lifter, _ in means} == {STATIC, FLAT, STAGE_2, STAGE_4, STAGE_2 + RAW, STAGE_4 + RAW}
    assert {metric for _, metric in means} == {
        "t_root", "t_root_released", "mpjpe", "pa_mpjpe", "pa_mpjpe_sequence",
    }  # fmt: skip
    assert all(np.isfinite(value) for value in means.values())
    # Again: everything is there, and so are the same figures.
    again = {
        (row.lifter, row.metric): row.value for row in show("creature", TINY, tmp_path) if row.sequence == ALL
    }
    assert again == means


@pytest.mark.slow
def test_a_box_is_lifted_and_made_rigid(tmp_path: Path) -> None:
    xyz = walker(frames=900, fps=60.0).keypoints.xyz.astype(np.float32)
    for split in ("train", "validation"):
        bank = MotionBank(xyz, np.array([0]), np.array([900]), np.array([1.0]))
        save_bank(tmp_path / f"motions-1-{split}.npz", bank)
    rows = show("box", replace(TINY, clips=replace(TINY.clips, clips=6)), tmp_path, Path("none"))
    means = {(row.lifter, row.metric): row.value for row in rows if row.sequence == ALL}
    assert means[PUBLISHED, "t_object"] == 172.9
    for name in (STAGE_2, STAGE_4):
        assert means[name, "object_turn"] == pytest.approx(means[name + RIGID, "object_turn"], abs=1e-6)
        assert means[name, "mpjpe"] == means[name + RIGID, "mpjpe"]
        assert np.isfinite(means[name + RIGID, "object_mpjpe"])
