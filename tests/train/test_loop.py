"""The training loop on two numbers: what it averages, what decays, and what it makes of a damaged state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import WeightsError
from mocaplift.weights import load_arrays, save_arrays

torch = pytest.importorskip("torch")
from mocaplift.train.loop import LoopConfig, device_of, train  # noqa: E402 - needs torch
from mocaplift.train.transformer import weights_of  # noqa: E402

LOOP = LoopConfig(
    steps=10, rate=0.1, warmup=1, decay=0.0, report_every=4, save_every=4, bf16=False, device="cpu"
)


@dataclass(frozen=True)
class Asked:
    loop: LoopConfig = field(default_factory=lambda: LOOP)


def line() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(1, 1)


def run(folder: Path, loop: LoopConfig, seen: list[float] | None = None) -> torch.nn.Linear:
    """Fit y = 3 x + 1; `seen` collects the slope of the network before each step."""
    module, x = line(), torch.linspace(-1, 1, 20)[:, None]

    def losses(step: int) -> dict[str, torch.Tensor]:
        if seen is not None:
            seen.append(module.weight.item())
        return {"loss": (module(x) - 3 * x - 1).square().mean()}

    return train(
        module, losses, lambda averaged: {"slope": averaged.weight.item()}, loop, folder, Asked(loop)
    )


def test_what_is_returned_and_measured_is_the_average_over_steps(tmp_path: Path) -> None:
    own: list[float] = []
    module = run(tmp_path, LOOP, own)
    slopes, average = own[1:], own[0]
    # The last step's own slope is not among those seen: take it from the state.
    slopes.append(load_arrays(tmp_path / "state.safetensors", "training-state")[0]["own.weight"].item())
    for step, slope in enumerate(slopes):
        average += (1 - min(LOOP.average, (step + 1) / (step + 10))) * (slope - average)
    assert module.weight.item() == pytest.approx(average, rel=1e-5)
    lines = [json.loads(each) for each in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [each["step"] for each in lines] == [4, 8, 10]
    assert lines[-1]["slope"] == pytest.approx(average, abs=1e-4)
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_matrices_decay_and_biases_do_not(tmp_path: Path) -> None:
    module, before = line(), weights_of(line())
    loop = replace(LOOP, steps=1, decay=0.5)
    zero = lambda step: {"loss": 0 * module(torch.ones(1, 1)).sum()}  # noqa: E731 - nothing to learn
    train(module, zero, lambda averaged: {}, loop, tmp_path, Asked(loop))
    after, _ = load_arrays(tmp_path / "state.safetensors", "training-state")
    np.testing.assert_allclose(after["own.weight"], before["weight"] * (1 - 0.1 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(after["own.bias"], before["bias"])


def test_measuring_the_average_leaves_the_training_alone(tmp_path: Path) -> None:
    slopes: list[list[float]] = [[], []]
    for every, seen in zip((1, 100), slopes, strict=True):
        run(tmp_path / str(every), replace(LOOP, report_every=every), seen)
    assert slopes[0] == slopes[1]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_state_is_told(tmp_path: Path, share: float) -> None:
    run(tmp_path, LOOP)
    path = tmp_path / "state.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"state\.safetensors"):
        run(tmp_path, LOOP)


def test_weights_of_another_kind_are_no_state(tmp_path: Path) -> None:
    save_arrays(tmp_path / "state.safetensors", "mpl", {"weight": np.zeros((1, 1))}, {})
    with pytest.raises(WeightsError, match="'training-state' is needed"):
        run(tmp_path, LOOP)


def test_the_device_is_the_one_asked_for() -> None:
    assert device_of(LOOP).type == "cpu"
    assert device_of(LoopConfig()).type == ("cuda" if torch.cuda.is_available() else "cpu")
