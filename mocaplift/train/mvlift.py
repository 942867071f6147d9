"""Training of MVLift's networks on pictures of CMU motions.

    mocaplift train mvlift --stage 4 CMU_DIR --work DIR --out weights

Windows are drawn while it trains, by the step's number (`train.data.mvlift_windows`): nothing but the motions and
the state is kept in the work folder, and the same command goes on with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.lift.diffusion import Schedule, clean_loss
from mocaplift.lift.mvlift.conditions import encoded
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.network import KIND, DenoiserConfig, told_step
from mocaplift.lift.mvlift.sampling import AZIMUTHS, Network, ring_of, sampled, told_observed
from mocaplift.train.data.mvlift_windows import Seen
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.mvlift_network import DenoiserModule
from mocaplift.train.mvlift_source import Source
from mocaplift.train.transformer import weights_of
from mocaplift.weights import save_arrays

# Settings of a rehearsal: everything happens, in two minutes with the bank of motions, and little is learnt.
REHEARSAL = (
    "batch=8", "validation=8", "network.width=64", "network.depth=2", "loop.steps=60", "loop.report_every=30",
)  # fmt: skip
# Windows shorter than the network's longest, for clips that are.
SHORT_SHARE = 0.15


@dataclass(frozen=True)
class MultiviewTraining:
    """How the network of several views (stage 4) is trained."""

    motions: str = "mocap"  # or "made": those that stage 3 left in the work folder
    batch: int = 32  # windows of `network.frames`
    validation: int = 96  # windows of recordings as they are
    steps: int = 1000  # of the noise schedule
    root_weight: float = 6.0  # of the two channels of the root against the many of the pose
    speed_weight: float = 1.0  # of changes from frame to frame
    seed: int = 13
    network: DenoiserConfig = field(default_factory=DenoiserConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=8000, rate=1e-3, warmup=200, report_every=500)
    )


def train_multiview(
    config: MultiviewTraining,
    source: Source,
    out: Path,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Train the network of several views on projections of motions and return its weight file.

    Raises:
        InvalidData: the recordings or clips are missing or damaged, or stage 3 has made nothing.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    path = out / f"{source.weights_name(config.motions)}.safetensors"
    draw, draw_held_out = source.windows(config.motions, work)
    device, network, figure = device_of(config.loop), config.network, source.figure(work)
    schedule = Schedule.cosine(config.steps)
    rng = np.random.default_rng((config.seed, config.loop.steps))
    validation = draw_held_out(rng, config.validation, network.frames, network.fps)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((config.seed, step))
        frames = network.frames // 2 if rng.random() < SHORT_SHARE else network.frames
        seen = draw(rng, config.batch, frames, network.fps)
        return multiview_losses(module, seen, schedule, rng, config, figure, device)

    torch.manual_seed(config.seed)
    module = DenoiserModule(network, figure).to(device)
    module = train(
        module,
        losses,
        lambda averaged: measure(averaged, validation, schedule, figure, device),
        config.loop,
        work / f"run-{config.motions}",
        config,
        progress=lambda done, total: progress("training", done, total),
    )
    figures = measure(module, validation, schedule, figure, device)
    made_by = {"made_by": "mocaplift train mvlift --stage 4", "windows": config.batch * config.loop.steps}
    facts = {**source.facts, **made_by}
    save_denoiser(path, module, figure, config, figures, time.monotonic() - started, facts)
    return path


def save_denoiser(
    path: Path,
    module: DenoiserModule,
    figure: Figure,
    config: Any,
    figures: Mapping[str, float],
    seconds: float,
    facts: Mapping[str, object],
) -> None:
    """Write the weight file of a network of this training.

    Raises:
        OutputError: the file cannot be written.
    """
    device = device_of(config.loop)
    header = {
        "network": asdict(config.network),
        "figure": figure.as_header(),
        "steps": config.steps,
        "config": asdict(config),
        "validation": {name: round(value, 3) for name, value in figures.items()},
        "minutes": round(seconds / 60, 1),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        **facts,
    }
    # Half precision: half the size, and rounding to a thousandth is far below what training leaves.
    halved = {name: array.astype(np.float16) for name, array in weights_of(module).items()}
    save_arrays(path, KIND, halved, header)


def multiview_losses(
    module: nn.Module,
    seen: Seen,
    schedule: Schedule,
    rng: np.random.Generator,
    config: MultiviewTraining,
    figure: Figure,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return what the network is to make small: the distance to the clean views, and of their changes."""
    clean = encoded(seen.pictures(AZIMUTHS), figure).astype(np.float32)
    step = drawn_steps(rng, schedule, len(clean))
    noise = rng.standard_normal(clean.shape).astype(np.float32)
    noisy = schedule.noised(clean, noise, step)
    told = told_observed(seen.observed, ring_of(seen.observed))
    arrays = (noisy, told_step(step, schedule.steps), told, clean)
    inputs = [torch.from_numpy(array).to(device) for array in arrays]
    predicted, clean_views = module(*inputs[:3]), inputs[3]
    weight = torch.ones(clean.shape[-1], device=device)
    weight[-2:] = config.root_weight
    place = clean_loss(predicted, clean_views, weight.expand(clean_views.shape))
    change, clean_change = torch.diff(predicted, dim=2), torch.diff(clean_views, dim=2)
    speed = clean_loss(change, clean_change, weight.expand(change.shape))
    return {"loss": place + config.speed_weight * speed, "place": place, "speed": speed}


def drawn_steps(rng: np.random.Generator, schedule: Schedule, count: int) -> np.ndarray:
    """Return random steps to train at, the noisy ones more often: where little is seen, much is to be learnt.

    The chance grows with the step; all are drawn.
    """
    return np.ceil(schedule.steps * np.sqrt(1 - rng.random(count))).astype(int)


def as_network(module: nn.Module, steps: int, device: torch.device) -> Network:
    """Return a network in training as sampling knows networks."""

    @torch.no_grad()
    def network(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        arrays = (noisy, told_step(np.full(len(noisy), step), steps), told)
        clean: np.ndarray = module(*(torch.from_numpy(each).to(device) for each in arrays)).cpu().numpy()
        return clean

    return network


def measure(
    module: nn.Module, seen: Seen, schedule: Schedule, figure: Figure, device: torch.device
) -> dict[str, float]:
    """Return the mean error of sampled points about the root, of the root, and of its way from the start (mm)."""
    ring = ring_of(seen.observed)
    told = told_observed(seen.observed, ring)
    network = as_network(module, schedule.steps, device)
    rng = np.random.default_rng(0)
    found = sampled(network, schedule, seen.observed, ring, told, figure, rng).points
    root = figure.layout.index(*figure.root)
    middle, true = found[..., root, :].mean(axis=-2), seen.truth[..., root, :].mean(axis=-2)
    pose = (found - middle[..., None, :]) - (seen.truth - true[..., None, :])
    way = (middle - middle[:, :1]) - (true - true[:, :1])
    errors = {"mpjpe": pose, "root": middle - true, "way": way}
    mm = 1000 * figure.unit
    return {name: mm * float(np.linalg.norm(each, axis=-1).mean()) for name, each in errors.items()}
