"""Training of MPL: how far triangulated points are off, learnt from synthetic views of CMU motions.

    mocaplift train mpl CMU_DIR --work DIR --out weights

Makes windows of random rigs with the detectors' errors (`train.data.view_windows`), triangulates them, and
trains on what is left. Windows and state are kept in the work folder; the same command goes on with them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mocaplift.confidence import SIGMA_PER_MEDIAN, expected_error
from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import MIRROR_OBSERVATION, MIRROR_POINT, features
from mocaplift.lift.mpl.shapes import MplConfig
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.motion_bank import load_banks
from mocaplift.train.data.triangulated import FRAMES, VIEW_CHANCES, make_shards, read_shard
from mocaplift.train.data.view_windows import Sampler
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.mpl_network import MplModule, robust_length, student_log_likelihood
from mocaplift.train.transformer import weights_of
from mocaplift.weights import save_arrays

log = logging.getLogger(__name__)

KIND = "mpl"
_MIRROR = list(BODY21.mirror)


@dataclass(frozen=True)
class MplTraining:
    """How MPL is trained."""

    shards: int = 560  # of 32 windows of 64 frames
    validation_shards: int = 24
    batch: int = 48  # windows of `network.frames`
    soft: float = 0.06  # m, errors below it count by their square
    sigma_weight: float = 0.05
    error_weight: float = 0.05
    speed_weight: float = 0.5
    hinge_weight: float = 0.25  # on being worse than triangulation
    tail: float = 4.0
    mirror: bool = True
    seed: int = 7
    network: MplConfig = field(default_factory=MplConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=2800))


@dataclass(frozen=True, eq=False)
class Windows:
    """Shards of one number of views: features and what is to be learnt, half precision."""

    observation: Tensor  # [N T V J F]
    seen: Tensor  # [N T V J]
    point: Tensor  # [N T J G]
    away: Tensor  # [N T J 3] m, from the triangulated point to the true one, person's axes
    error: Tensor  # [N T V J] m, how far the true point is from the ray

    @classmethod
    def of(cls, shard: Mapping[str, np.ndarray]) -> Windows:
        """Return what training needs of a shard."""
        conf = shard["conf"].astype(float)
        sigma = np.where(conf > 0, expected_error(conf, BODY21) * SIGMA_PER_MEDIAN, np.inf)
        told = features(shard["rays"], shard["centres"], sigma, shard["xyz"], shard["covariance"])
        away = (shard["truth"] - shard["xyz"]) @ told.turn
        return cls(
            observation=_half(told.observation),
            seen=torch.from_numpy(np.ascontiguousarray(told.seen)),
            point=_half(told.point),
            away=torch.from_numpy(away.astype(np.float32)),
            error=_half(np.moveaxis(shard["error"], 1, 2)),
        )

    def part(self, which: np.ndarray, starts: np.ndarray, frames: int, device: torch.device) -> Windows:
        """Return some windows, each cut to so many frames from its start."""
        rows = torch.from_numpy(which)[:, None]
        at = torch.from_numpy(starts)[:, None] + torch.arange(frames)
        arrays = (self.observation, self.seen, self.point, self.away, self.error)
        return Windows(*(array[rows, at].to(device) for array in arrays)).in_single()

    def in_single(self) -> Windows:
        """Return the windows in single precision."""
        return Windows(self.observation.float(), self.seen, self.point.float(), self.away, self.error.float())

    def mirrored(self) -> Windows:
        """Return the mirror images: left and right exchanged, x flipped."""
        device = self.point.device
        flip = torch.tensor([-1.0, 1.0, 1.0], device=device)
        return Windows(
            self.observation[..., _MIRROR, :] * torch.from_numpy(MIRROR_OBSERVATION).to(device),
            self.seen[..., _MIRROR],
            self.point[..., _MIRROR, :] * torch.from_numpy(MIRROR_POINT).to(device),
            self.away[..., _MIRROR, :] * flip,
            self.error[..., _MIRROR],
        )


def train_mpl(
    config: MplTraining,
    cmu: Path,
    out: Path,
    *,
    work: Path,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Path:
    """Train MPL and return its weight file.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    bank, held_out = load_banks(cmu, work)
    paths = make_shards(
        Sampler(held_out),
        work / "validation",
        config.validation_shards,
        config.seed + 1,
        progress=lambda done, total: progress("validation windows", done, total),
    )
    validation = [Windows.of(read_shard(path)) for path in paths]
    paths = make_shards(
        Sampler(bank),
        work / "train",
        config.shards,
        config.seed,
        progress=lambda done, total: progress("training windows", done, total),
    )
    log.info("reading %d shards", len(paths))
    pool = _pool(Windows.of(read_shard(path)) for path in paths)
    torch.manual_seed(config.seed)
    device = device_of(config.loop)
    module = MplModule(config.network).to(device)
    module = train(
        module,
        lambda step: losses(module, _batch(pool, config, step, device), config),
        lambda averaged: measure(averaged, validation, config, device),
        config.loop,
        work / "run",
        config,
        progress=lambda done, total: progress("training", done, total),
    )
    header = {
        "network": asdict(config.network),
        "config": asdict(config),
        "validation": {k: round(v, 2) for k, v in measure(module, validation, config, device).items()},
        "made_by": "mocaplift train mpl",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "windows": sum(len(part.seen) for part in pool.values()),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "source": CMU_ACKNOWLEDGEMENT,
        "licence": "Apache-2.0",
    }  # fmt: skip
    path = out / "mpl.safetensors"
    save_arrays(path, KIND, weights_of(module), header)
    return path


def losses(module: nn.Module, batch: Windows, config: MplTraining) -> dict[str, Tensor]:
    """Return what the network is to make small."""
    correction, log_sigma, log_error = module(batch.observation, batch.seen, batch.point)
    left = batch.away - correction
    before, after = batch.away.norm(dim=-1), left.norm(dim=-1)
    length = robust_length(left, config.soft).mean()
    speed = robust_length(left[:, 1:] - left[:, :-1], config.soft / 4).mean()
    hinge = torch.relu(after - before).mean()
    sigma = -student_log_likelihood(left.square().sum(-1), log_sigma, 3, config.tail).mean()
    seen = batch.seen.float()
    likely = student_log_likelihood(batch.error.square(), log_error, 2, config.tail)
    error = -(likely * seen).sum() / seen.sum().clamp(min=1)
    total = length + config.speed_weight * speed + config.hinge_weight * hinge
    total = total + config.sigma_weight * sigma + config.error_weight * error
    return {
        "loss": total, "length": length, "speed": speed, "hinge": hinge, "sigma": sigma, "error": error,
        "mm_before": 1000 * before.mean(), "mm": 1000 * after.mean(),
    }  # fmt: skip


@torch.no_grad()
def measure(
    module: nn.Module, shards: list[Windows], config: MplTraining, device: torch.device
) -> dict[str, float]:
    """Return mean and 95th percentile (mm) before and after the correction, by number of views."""
    lengths: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    middle = (FRAMES - config.network.frames) // 2
    for shard in shards:
        count = len(shard.seen)
        part = shard.part(np.arange(count), np.full(count, middle), config.network.frames, device)
        correction, _, _ = module(part.observation, part.seen, part.point)
        pair = [1000 * each.norm(dim=-1).cpu().numpy() for each in (part.away, part.away - correction)]
        lengths.setdefault(shard.seen.shape[2], []).append((pair[0].ravel(), pair[1].ravel()))
    figures = {}
    for views, pairs in sorted(lengths.items()):
        for name, each in zip(("before", "after"), zip(*pairs, strict=True), strict=True):
            joined = np.concatenate(each)
            figures[f"v{views}_{name}"] = float(joined.mean())
            figures[f"v{views}_{name}_p95"] = float(np.percentile(joined, 95))
    return figures


def _pool(shards) -> dict[int, Windows]:
    """Return the shards joined, by number of views."""
    groups: dict[int, list[Windows]] = {}
    for shard in shards:
        groups.setdefault(shard.seen.shape[2], []).append(shard)
    names = ("observation", "seen", "point", "away", "error")
    return {
        views: Windows(*(torch.cat([getattr(each, name) for each in group]) for name in names))
        for views, group in groups.items()
    }


def _batch(pool: Mapping[int, Windows], config: MplTraining, step: int, device: torch.device) -> Windows:
    """Return the batch of a step: windows of one number of views, cut anywhere, half of the time mirrored."""
    rng = np.random.default_rng((config.seed, step))
    views = sorted(pool)
    chances = np.array([VIEW_CHANCES[each] for each in views])
    chosen = pool[int(rng.choice(views, p=chances / chances.sum()))]
    which = rng.integers(len(chosen.seen), size=config.batch)
    starts = rng.integers(FRAMES - config.network.frames + 1, size=config.batch)
    batch = chosen.part(which, starts, config.network.frames, device)
    return batch.mirrored() if config.mirror and rng.random() < 0.5 else batch


def _half(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).astype(np.float16))
