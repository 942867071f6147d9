"""Training of MVLift's stage 1 on pictures of single cameras: how people look who lie on given lines.

    mocaplift train mvlift --stage 1 CMU_DIR --work DIR --out weights

No motion in space is ever shown to the network: the motions of the archives are filmed once each
(`train.data.mvlift_pictures`), and the pictures are kept in the work folder. Clips of a user are pictures already.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.errors import ConfigError
from mocaplift.lift.diffusion import Schedule, clean_loss
from mocaplift.lift.mvlift.conditions import FREE, PAPER, POSE_SPREAD, ROOT_SPREAD
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.network import DenoiserConfig, told_step
from mocaplift.train.data.mvlift_pictures import LineBatch
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.mvlift import SHORT_SHARE, drawn_steps, save_denoiser
from mocaplift.train.mvlift_network import DenoiserModule
from mocaplift.train.mvlift_source import Source

# Settings of a rehearsal: everything happens, in two minutes with the bank of motions, and little is learnt.
REHEARSAL = (
    "batch=8", "validation=16", "pictures=256", "network.width=64", "network.depth=2", "loop.steps=100",
    "loop.report_every=50",
)  # fmt: skip
# Steps of the schedule, as shares of it, at which validation looks.
LOOKED_AT = (0.3, 0.6, 0.9)


@dataclass(frozen=True)
class LineTraining:
    """How the network of one view and its lines (stage 1) is trained."""

    batch: int = 64  # windows of `network.frames`
    pictures: int = 1 << 20  # at most, of all that the motions give
    validation: int = 192
    steps: int = 1000  # of the noise schedule
    root_weight: float = 6.0  # of the two channels of the root against the many of the pose
    line_weight: float = 1.0  # of the distance from the lines, in spreads of the pose
    signs: str = "free"  # of the lines; "paper" is an experiment: the lifter refuses such a network
    seed: int = 17
    network: DenoiserConfig = field(default_factory=lambda: DenoiserConfig(views=1, depth=6))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=8000, rate=1e-3, warmup=200, report_every=500)
    )

    def __post_init__(self) -> None:
        """Refuse signs that lines cannot have.

        Raises:
            ConfigError: they are neither of the two.
        """
        if self.signs not in (FREE, PAPER):
            raise ConfigError(f"signs are {FREE!r} or {PAPER!r}, not {self.signs!r}")


def train_lines(
    config: LineTraining,
    source: Source,
    out: Path,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Train the network of one view on pictures alone and return its weight file.

    Raises:
        InvalidData: the recordings or clips are missing or damaged.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    network, device = config.network, device_of(config.loop)
    figure = source.figure(work)
    pictures, held_out = source.pictures(work, network, config.pictures, config.validation)
    schedule = Schedule.cosine(config.steps)
    rng = np.random.default_rng((config.seed, config.loop.steps))
    count = min(config.validation, len(held_out.plane))
    validation = held_out.batch(rng, count, network.frames, figure, signs=config.signs)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((config.seed, step))
        frames = network.frames // 2 if rng.random() < SHORT_SHARE else network.frames
        batch = pictures.batch(rng, config.batch, frames, figure, signs=config.signs)
        at = drawn_steps(rng, schedule, config.batch)
        return line_losses(module, batch, schedule, at, rng, config, figure, device)

    torch.manual_seed(config.seed)
    module = DenoiserModule(network, figure).to(device)
    module = train(
        module,
        losses,
        lambda averaged: measure_lines(averaged, validation, schedule, config, figure, device),
        config.loop,
        work / "run-lines",
        config,
        progress=lambda done, total: progress("training", done, total),
    )
    figures = measure_lines(module, validation, schedule, config, figure, device)
    path = out / f"{source.weights_name(None)}.safetensors"
    made_by = {"made_by": "mocaplift train mvlift --stage 1", "pictures": len(pictures.plane)}
    facts = {**source.facts, **made_by, "signs": config.signs}
    save_denoiser(path, module, figure, config, figures, time.monotonic() - started, facts)
    return path


def line_losses(
    module: nn.Module,
    batch: LineBatch,
    schedule: Schedule,
    step: np.ndarray,
    rng: np.random.Generator,
    config: LineTraining,
    figure: Figure,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return what the network is to make small: the distance to the clean picture, and that from the lines."""
    noise = rng.standard_normal(batch.clean.shape).astype(np.float32)
    noisy = schedule.noised(batch.clean, noise, step)
    arrays = (noisy, told_step(step, schedule.steps), batch.told, batch.clean, batch.weight, batch.lines)
    inputs = [torch.from_numpy(each).to(device) for each in arrays]
    predicted, (clean, weight, lines) = module(*inputs[:3]), inputs[3:]
    channels = torch.ones(clean.shape[-1], device=device)
    channels[-2:] = config.root_weight
    place = clean_loss(predicted, clean, weight * channels)
    line = line_distance(predicted, lines, figure)
    return {"loss": place + config.line_weight * line / POSE_SPREAD, "place": place, "line_mm": 1000 * line}


def line_distance(channels: Tensor, lines: Tensor, figure: Figure) -> Tensor:
    """Return the mean distance (m) of joints from their lines, of those that have one."""
    pose = channels[..., :-2].unflatten(-1, (len(figure.layout), 2)) * POSE_SPREAD
    plane = pose + channels[..., None, -2:] * ROOT_SPREAD
    away = ((plane * lines[..., :2]).sum(-1) + lines[..., 2]).abs()
    known = lines[..., :2].abs().sum(-1) > 0
    return (away * known).sum() / known.sum().clamp(min=1)


@torch.no_grad()
def measure_lines(
    module: nn.Module,
    batch: LineBatch,
    schedule: Schedule,
    config: LineTraining,
    figure: Figure,
    device: torch.device,
) -> dict[str, float]:
    """Return the loss's parts on held-out pictures, at a few levels of noise."""
    figures = {}
    for share in LOOKED_AT:
        rng, step = np.random.default_rng(0), np.full(len(batch.clean), int(share * schedule.steps))
        parts = line_losses(module, batch, schedule, step, rng, config, figure, device)
        for name in ("place", "line_mm"):
            figures[f"{name}_{share:g}"] = float(parts[name])
    return figures
