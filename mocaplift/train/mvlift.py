"""Training of MVLift's networks on pictures of CMU motions.

    mocaplift train mvlift --stage 4 CMU_DIR --work DIR --out weights

Windows are drawn while it trains, by the step's number (`train.data.mvlift_windows`): nothing but the motions and
the state is kept in the work folder, and the same command goes on with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.errors import ConfigError
from mocaplift.lift.diffusion import Schedule, clean_loss
from mocaplift.lift.mvlift.conditions import encoded
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.network import KIND, DenoiserConfig, told_step
from mocaplift.lift.mvlift.sampling import AZIMUTHS, Network, ring_of, sampled, told_observed
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.motion_bank import MotionBank, load_banks, read_bank
from mocaplift.train.data.mvlift_windows import Seen, draw, one_camera
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.mvlift_network import DenoiserModule
from mocaplift.train.transformer import weights_of
from mocaplift.weights import save_arrays

# Settings of a rehearsal: everything happens, in two minutes with the bank of motions, and little is learnt.
REHEARSAL = (
    "batch=8", "validation=8", "network.width=64", "network.depth=2", "loop.steps=60", "loop.report_every=30",
)  # fmt: skip
# What is learnt from: recordings, or what stage 3 made of single pictures; where that is, and at which speeds.
MOCAP, MADE = "mocap", "made"
MADE_BANK, MADE_SPEEDS = "made-1.npz", (0.7, 0.95)
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
    cmu: Path,
    out: Path,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Train the network of several views on projections of mocap and return its weight file.

    Raises:
        InvalidData: the CMU archives are missing or damaged, or stage 3 has made nothing.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    banks = banks_of(config.motions, cmu, work)
    device, network = device_of(config.loop), config.network
    schedule = Schedule.cosine(config.steps)
    sampler = one_camera(banks[0], is_varied=config.motions == MOCAP)
    held_out = one_camera(banks[1], is_varied=False)
    rng = np.random.default_rng((config.seed, config.loop.steps))
    validation = draw(held_out, rng, config.validation, network.frames, network.fps)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((config.seed, step))
        frames = network.frames // 2 if rng.random() < SHORT_SHARE else network.frames
        seen = draw(sampler, rng, config.batch, frames, network.fps)
        return multiview_losses(module, seen, schedule, rng, config, device)

    torch.manual_seed(config.seed)
    module = DenoiserModule(network, PERSON).to(device)
    module = train(
        module,
        losses,
        lambda averaged: measure(averaged, validation, schedule, device),
        config.loop,
        work / f"run-{config.motions}",
        config,
        progress=lambda done, total: progress("training", done, total),
    )
    figures = measure(module, validation, schedule, device)
    path = out / ("mvlift.safetensors" if config.motions == MOCAP else "mvlift-2d.safetensors")
    facts = {"made_by": "mocaplift train mvlift --stage 4", "windows": config.batch * config.loop.steps}
    save_denoiser(path, module, PERSON, config, figures, time.monotonic() - started, facts)
    return path


def banks_of(motions: str, cmu: Path, work: Path) -> tuple[MotionBank, MotionBank]:
    """Return the motions to learn from and those of held-out recordings to measure on.

    Raises:
        InvalidData: the CMU archives are missing or damaged, or stage 3 has made nothing.
        ConfigError: there are no such motions.
        OutputError: the folder cannot be written.
    """
    if motions not in (MOCAP, MADE):
        raise ConfigError(f"motions are {MOCAP!r} or {MADE!r}, not {motions!r}")
    recorded, held_out = load_banks(cmu, work)
    if motions == MOCAP:
        return recorded, held_out
    # What was made lasts as long as a window: nothing is left to be faster.
    return replace(read_bank(work / MADE_BANK), speeds=MADE_SPEEDS), held_out


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
        "source": CMU_ACKNOWLEDGEMENT,
        "licence": "Apache-2.0",
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
    device: torch.device,
) -> dict[str, Tensor]:
    """Return what the network is to make small: the distance to the clean views, and of their changes."""
    clean = encoded(seen.pictures(AZIMUTHS), PERSON).astype(np.float32)
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


def measure(module: nn.Module, seen: Seen, schedule: Schedule, device: torch.device) -> dict[str, float]:
    """Return the mean error of sampled points about the root, of the root, and of its way from the start (mm)."""
    ring = ring_of(seen.observed)
    told = told_observed(seen.observed, ring)
    network = as_network(module, schedule.steps, device)
    rng = np.random.default_rng(0)
    found = sampled(network, schedule, seen.observed, ring, told, PERSON, rng).points
    root = PERSON.layout.index(*PERSON.root)
    middle, true = found[..., root, :].mean(axis=-2), seen.truth[..., root, :].mean(axis=-2)
    pose = (found - middle[..., None, :]) - (seen.truth - true[..., None, :])
    way = (middle - middle[:, :1]) - (true - true[:, :1])
    errors = {"mpjpe": pose, "root": middle - true, "way": way}
    return {name: 1000 * float(np.linalg.norm(each, axis=-1).mean()) for name, each in errors.items()}
