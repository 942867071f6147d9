"""The training loop that all networks share: AdamW, a cosine, averaged weights, checkpoints, resume, a log.

A run is a folder: `config.toml` (what was asked, complete), `metrics.jsonl` (one line per report) and
`state.safetensors` (weights, averages and the optimiser's moments: no pickle). Starting the same run again goes on
where it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.errors import ConfigError
from mocaplift.files import write_whole
from mocaplift.train.transformer import set_weights, weights_of
from mocaplift.weights import load_arrays, save_arrays

log = logging.getLogger(__name__)

STATE = "training-state"
LARGEST_GRADIENT = 1.0

Module = TypeVar("Module", bound=nn.Module)
# step -> what the loss is made of; the parts' weighted sum is under "loss".
Losses = Callable[[int], Mapping[str, Tensor]]
# the averaged network -> figures for the log.
Validate = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast."""

    steps: int = 1000
    rate: float = 1.5e-3
    warmup: int = 100
    decay: float = 0.01
    average: float = 0.998
    report_every: int = 200  # steps
    save_every: int = 200
    threads: int = 0  # 0: as many as torch likes
    bf16: bool = True  # half-precision products where the processor or the accelerator has them
    device: str = "auto"


def device_of(config: LoopConfig) -> torch.device:
    """Return where to train: the accelerator if there is one and nothing else was asked."""
    if config.device != "auto":
        return torch.device(config.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    module: Module,
    losses: Losses,
    validate: Validate,
    config: LoopConfig,
    folder: Path,
    asked: Any,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Module:
    """Train a module in a run's folder and return it with its averaged weights.

    Args:
        module: on its device already.
        losses: computes the losses of a step; draws its batch by the step's number, so that a run that was
            interrupted sees what it would have seen.
        validate: measures the averaged network.
        config: how long and how fast.
        folder: of the run; a state in it is taken up.
        asked: the whole frozen configuration, written to `config.toml`; another one in the folder is refused.
        progress: called with (step, steps).

    Raises:
        ConfigError: the folder holds a run of another configuration.
        OutputError: the folder cannot be written.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    _write_config(folder, asked)
    average = {name: array.copy() for name, array in weights_of(module).items()}
    optimiser = torch.optim.AdamW(_groups(module, config.decay), lr=config.rate)
    begun = _resume(folder, module, optimiser, average)
    started, device = time.monotonic(), device_of(config)
    running: dict[str, list[float]] = {}
    for step in range(begun, config.steps):
        for name, value in _improve(module, optimiser, losses, step, config, device).items():
            running.setdefault(name, []).append(value)
        share = min(config.average, (step + 1) / (step + 10))
        for name, array in weights_of(module).items():
            average[name] += (1 - share) * (array - average[name])
        last = step + 1 == config.steps
        if last or (step + 1) % config.report_every == 0:
            figures = {name: float(np.mean(values)) for name, values in running.items()}
            running.clear()
            figures |= _with_weights(module, average, validate)
            _report(folder, step + 1, time.monotonic() - started, figures)
        if last or (step + 1) % config.save_every == 0:
            _save(folder, step + 1, module, optimiser, average)
        if progress is not None:
            progress(step + 1, config.steps)
    set_weights(module, average)
    return module


def cosine_rate(step: int, steps: int, warmup: int) -> float:
    """Return the share of the peak learning rate at a step: linear warm-up, then half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def _improve(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    losses: Losses,
    step: int,
    config: LoopConfig,
    device: torch.device,
) -> dict[str, float]:
    """Take one step and return what the loss was made of."""
    for group in optimiser.param_groups:
        group["lr"] = config.rate * cosine_rate(step, config.steps, config.warmup)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=config.bf16):
        parts = losses(step)
    optimiser.zero_grad(set_to_none=True)
    parts["loss"].backward()
    nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
    optimiser.step()
    return {name: float(part.detach()) for name, part in parts.items()}


def _with_weights(
    module: nn.Module, weights: Mapping[str, np.ndarray], validate: Validate
) -> Mapping[str, float]:
    """Return what the network measures with other weights, which it has for as long as that takes."""
    # On the processor `weights_of` shows the weights themselves, not a copy.
    own = {name: array.copy() for name, array in weights_of(module).items()}
    set_weights(module, weights)
    figures = validate(module)
    set_weights(module, own)
    return figures


def _groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return the parameters in two groups: matrices decay; biases, norms and embeddings do not."""
    matrices = [p for name, p in module.named_parameters() if p.ndim > 1 and name.endswith("weight")]
    chosen = {id(p) for p in matrices}
    others = [p for p in module.parameters() if id(p) not in chosen]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def _write_config(folder: Path, asked: Any) -> None:
    text = as_toml(dataclasses.asdict(asked))
    path = folder / "config.toml"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{path} is of another run; choose another folder, or delete it to start afresh")
    write_whole(path, text.encode())


def as_toml(values: Mapping[str, Any]) -> str:
    """Return settings as TOML: plain values first, then one table for each nested mapping."""
    flat = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    text = "".join(f"{name} = {_toml_value(value)}\n" for name, value in flat.items())
    for name, value in values.items():
        if isinstance(value, Mapping):
            text += f"\n[{name}]\n" + "".join(f"{key} = {_toml_value(each)}\n" for key, each in value.items())
    return text


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    return json.dumps(value)


def _report(folder: Path, step: int, seconds: float, figures: Mapping[str, float]) -> None:
    rounded = {name: round(value, 5) for name, value in figures.items()}
    line = json.dumps({"step": step, "seconds": round(seconds, 1), **rounded})
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    log.info("%s", line)


def _save(
    folder: Path,
    step: int,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, np.ndarray],
) -> None:
    arrays = {f"own.{name}": array for name, array in weights_of(module).items()}
    arrays |= {f"average.{name}": array for name, array in average.items()}
    for name, parameter in module.named_parameters():
        for moment in ("exp_avg", "exp_avg_sq"):
            if parameter in optimiser.state:
                arrays[f"{moment}.{name}"] = optimiser.state[parameter][moment].float().cpu().numpy()
    save_arrays(folder / "state.safetensors", STATE, arrays, {"step": step})


def _resume(
    folder: Path, module: nn.Module, optimiser: torch.optim.Optimizer, average: dict[str, np.ndarray]
) -> int:
    """Take up the state of the folder, if it has one, and return the step to go on with."""
    path = folder / "state.safetensors"
    if not path.is_file():
        return 0
    arrays, header = load_arrays(path, STATE)
    set_weights(module, {name: arrays[f"own.{name}"] for name in average})
    for name in average:
        average[name] = arrays[f"average.{name}"].copy()
    for name, parameter in module.named_parameters():
        if f"exp_avg.{name}" in arrays:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(header["step"])),
                **{
                    moment: torch.from_numpy(arrays[f"{moment}.{name}"].copy()).to(parameter.device)
                    for moment in ("exp_avg", "exp_avg_sq")
                },
            }
    log.info("going on at step %d", header["step"])
    return int(header["step"])
