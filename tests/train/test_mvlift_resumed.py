"""Training of MVLift that is cut off and taken up again ends where it would have ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, WeightsError
from mocaplift.lift.mvlift.lifter import load_network
from mocaplift.train.data.motion_bank import MotionBank, save_bank
from tests.lift.mvlift.tiny import SIZES
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train.loop import LoopConfig  # noqa: E402 - needs torch
from mocaplift.train.mvlift import MultiviewTraining, train_multiview  # noqa: E402
from mocaplift.train.mvlift_lines import LineTraining, train_lines  # noqa: E402
from mocaplift.train.mvlift_people import People  # noqa: E402

LOOP = LoopConfig(
    steps=9, rate=3e-3, warmup=2, report_every=9, save_every=4, threads=1, bf16=False, device="cpu"
)
STAGES = {
    1: (
        train_lines,
        LineTraining(batch=4, validation=2, steps=50, network=replace(SIZES, views=1), loop=LOOP),
    ),
    4: (train_multiview, MultiviewTraining(batch=2, validation=2, steps=50, network=SIZES, loop=LOOP)),
}
RUNS = {1: "run-lines", 4: "run-mocap"}


class CutOff(Exception):
    pass


def cut(stage: str, done: int, total: int) -> None:
    """Stop two steps after the first state that was kept."""
    if done == 6:
        raise CutOff


def work_folder(folder: Path) -> Path:
    xyz = walker(frames=400, fps=60.0).keypoints.xyz.astype(np.float32)
    bank = MotionBank(xyz, np.array([0]), np.array([400]), np.array([1.0]))
    for split in ("train", "validation"):
        save_bank(folder / f"motions-1-{split}.npz", bank)
    return folder


@pytest.mark.parametrize("stage", STAGES)
def test_the_weights_are_those_of_a_run_that_was_left_alone(stage: int, tmp_path: Path) -> None:
    train, config = STAGES[stage]
    people, paths = People(Path("none")), []
    for name in ("whole", "cut"):
        work, out = work_folder(tmp_path / name), tmp_path / name / "out"
        if name == "cut":
            with pytest.raises(CutOff):
                train(config, people, out, work=work, progress=cut)
            assert not out.exists()
        paths.append(train(config, people, out, work=work))
    whole, resumed = (load_network(str(path)).weights for path in paths)
    for name, weight in whole.items():
        np.testing.assert_allclose(resumed[name], weight, atol=1e-3, err_msg=name)

    # A state of other settings or a damaged one is told, never taken up.
    state = tmp_path / "cut" / RUNS[stage] / "state.safetensors"
    with pytest.raises(ConfigError, match="is of another run"):
        train(replace(config, seed=1), people, tmp_path, work=tmp_path / "cut")
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"state\.safetensors: damaged"):
        train(config, people, tmp_path, work=tmp_path / "cut")
