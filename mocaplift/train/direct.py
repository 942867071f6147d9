"""Training of the direct lifter: depth from what one camera sees, learnt from synthetic views of CMU motions.

    mocaplift train direct CMU_DIR --work DIR --out weights

Windows of one random camera with the detectors' errors are drawn while it trains (`train.data.one_view`), by
the step's number, so that nothing but the motions and the state is kept in the work folder; the same command goes
on with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.lift.direct.network import DirectConfig
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.motion_bank import load_banks
from mocaplift.train.data.one_view import HIPS, OneView, OneViewSampler
from mocaplift.train.direct_network import DirectModule, points
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.mpl_network import student_log_likelihood
from mocaplift.train.transformer import weights_of
from mocaplift.weights import save_arrays

KIND = "direct"
FEWEST_FRAMES = 4  # of a short window
TINY = 1e-6  # m, keeps the slope of a length at zero finite


@dataclass(frozen=True)
class DirectTraining:
    """How the direct lifter is trained."""

    batch: int = 32  # windows of `network.frames`
    short_share: float = 0.08  # of the batches: shorter windows
    validation: int = 384  # windows of recordings as they are
    speed_weight: float = 0.5
    depth_weight: float = 0.4
    course_weight: float = 1.5  # of the depth's error about the window's mean
    pace_weight: float = 2.0  # of the depth's error from frame to frame
    across_weight: float = 0.5  # of the hips' place across the line of sight
    sigma_weight: float = 0.02
    tail: float = 4.0
    seed: int = 11
    network: DirectConfig = field(default_factory=DirectConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=8000, rate=1e-3, warmup=200))


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows as tensors: see `lift.direct.features.Features` and `train.data.one_view.OneView`."""

    told: Tensor
    plane: Tensor
    scale: Tensor
    truth: Tensor

    @classmethod
    def of(cls, drawn: OneView, device: torch.device) -> Batch:
        """Return drawn windows on a device."""
        arrays = (drawn.told.told, drawn.told.plane, drawn.told.scale, drawn.truth)
        return cls(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))


def train_direct(
    config: DirectTraining,
    cmu: Path,
    out: Path,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Train the direct lifter and return its weight file.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    banks = load_banks(cmu, work)
    device, network = device_of(config.loop), config.network
    sampler, held_out = (OneViewSampler.of(bank, is_varied=bank is banks[0]) for bank in banks)
    rng = np.random.default_rng((config.seed, config.loop.steps))
    validation = [
        Batch.of(held_out.draw(rng, config.batch, network.frames, network.fps), device)
        for _ in range(0, config.validation, config.batch)
    ]

    def draw(step: int) -> Batch:
        rng = np.random.default_rng((config.seed, step))
        is_short = rng.random() < config.short_share
        frames = int(rng.integers(FEWEST_FRAMES, network.frames)) if is_short else network.frames
        return Batch.of(sampler.draw(rng, config.batch, frames, network.fps), device)

    torch.manual_seed(config.seed)
    module = DirectModule(network).to(device)
    module = train(
        module,
        lambda step: losses(module, draw(step), config),
        lambda averaged: measure(averaged, validation),
        config.loop,
        work / "run",
        config,
        progress=lambda done, total: progress("training", done, total),
    )
    header = {
        "network": asdict(network),
        "config": asdict(config),
        "validation": {name: round(value, 3) for name, value in measure(module, validation).items()},
        "made_by": "mocaplift train direct",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "windows": config.batch * config.loop.steps,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "source": CMU_ACKNOWLEDGEMENT,
        "licence": "Apache-2.0",
    }  # fmt: skip
    path = out / "direct.safetensors"
    # Half precision halves the file and moves no joint by a millimetre.
    halves = {name: array.astype(np.float16) for name, array in weights_of(module).items()}
    save_arrays(path, KIND, halves, header)
    return path


def losses(module: nn.Module, batch: Batch, config: DirectTraining) -> dict[str, Tensor]:
    """Return what the network is to make small, lengths in metres."""
    offset, log_sigma, log_depth = module(batch.told)
    xyz = points(batch.plane, batch.scale, offset, log_depth)
    hips, true_hips = xyz[..., HIPS, :].mean(-2), batch.truth[..., HIPS, :].mean(-2)
    away = (xyz - hips[..., None, :]) - (batch.truth - true_hips[..., None, :])
    joint = _length(away).mean()
    speed = _length(away[:, 1:] - away[:, :-1]).mean()
    ratio = torch.log(hips[..., 2]) - torch.log(true_hips[..., 2])
    course = (ratio - ratio.mean(dim=1, keepdim=True)).abs().mean()
    pace = (ratio[:, 1:] - ratio[:, :-1]).abs().mean()
    depth = ratio.abs().mean()
    shown = hips[..., :2] / hips[..., 2:] * true_hips[..., 2:].detach() - true_hips[..., :2]
    across = _length(shown).mean()
    sigma = -student_log_likelihood(away.detach().square().sum(-1), log_sigma, 3, config.tail).mean()
    total = joint + config.speed_weight * speed + config.across_weight * across
    total = total + config.depth_weight * depth + config.course_weight * course + config.pace_weight * pace
    return {
        "loss": total + config.sigma_weight * sigma, "joint": joint, "speed": speed, "depth": depth,
        "course": course, "pace": pace, "across": across, "sigma": sigma,
    }  # fmt: skip


@torch.no_grad()
def measure(module: nn.Module, validation: list[Batch]) -> dict[str, float]:
    """Return errors on held-out windows: joints about the hips, the hips' path, and the slope of its depth.

    `mpjpe` and `t_root` in mm (path less its mean, length of the error), `away` is the depth's error in per cent,
    `gain` the slope of the found on the true depth about each window's mean.
    """
    joint, path, depth, product, square = [], [], [], 0.0, 0.0
    for batch in validation:
        offset, _, log_depth = module(batch.told)
        xyz = points(batch.plane, batch.scale, offset, log_depth)
        hips, true_hips = xyz[..., HIPS, :].mean(-2), batch.truth[..., HIPS, :].mean(-2)
        away = (xyz - hips[..., None, :]) - (batch.truth - true_hips[..., None, :])
        joint.append(_length(away).mean())
        course, true_course = (each - each.mean(dim=1, keepdim=True) for each in (hips, true_hips))
        path.append(_length(course - true_course).mean())
        depth.append((hips[..., 2] / true_hips[..., 2] - 1).abs().mean())
        product += float((course[..., 2] * true_course[..., 2]).sum())
        square += float(true_course[..., 2].square().sum())
    means = [float(torch.stack(each).mean()) for each in (joint, path, depth)]
    return {
        "mpjpe": 1000 * means[0], "t_root": 1000 * means[1], "away": 100 * means[2], "gain": product / square,
    }  # fmt: skip


def _length(away: Tensor) -> Tensor:
    return torch.sqrt(away.square().sum(-1) + TINY**2)
