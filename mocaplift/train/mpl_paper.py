"""MPL as its paper has it: one network for one rig, which it learns by heart. An ablation, without weights.

    mocaplift train mpl-paper CMU_DIR --work DIR [--calib cams.json]

After OpenMPL's configuration for the CMU Panoptic studio: normalised x and y of 17 points in each view are all
that goes in, absolute metres come out. No confidences, no rays, no calibration. Views in another number or order
need another network. It is trained on pairs made up for the rig (ten minutes on one core), and then compared with
triangulation on motions that it never saw: before its own rig, and before another. With two views and 2000 steps
its mean error was 98 mm at home and 1079 mm elsewhere; `dlt` had 171 and 134, `triangulate` 79 and 63.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mocaplift.calibrate import read_calibration
from mocaplift.errors import CalibrationError
from mocaplift.evaluate.metrics import pa_mpjpe, spread
from mocaplift.evaluate.report import Row, write_json
from mocaplift.evaluate.several import charged_errors
from mocaplift.evaluate.solvers import by_lifter
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.train.data.motion_bank import MotionBank, load_banks
from mocaplift.train.data.rigs import Rigs, random_rigs
from mocaplift.train.data.view_windows import Draw, Sampler, Take
from mocaplift.train.loop import LoopConfig, device_of, train
from mocaplift.train.transformer import EPSILON, Block
from mocaplift.values import Keypoints2D

NAME = "mpl-paper"
RESULT = "mpl-paper.json"
RIVALS = ("dlt", "triangulate")
# Windows of the comparison: 2 s each, always the same.
FRAMES, FPS = 60, 30.0
_COCO = list(BODY21.index(*COCO17.joints))
# Numbers that seeds are made of: frames to train on, to validate on, windows to compare on.
_TRAIN, _VALIDATE, _COMPARE = range(3)


@dataclass(frozen=True)
class PaperNetwork:
    """Sizes. A token of the fusion holds all joints of a view, `width` numbers for each."""

    width: int = 32
    heads: int = 8
    spatial_depth: int = 2
    fusion_depth: int = 2


@dataclass(frozen=True)
class PaperTraining:
    """How it is trained."""

    views: int = 2  # of the random rig, where none is given
    rig: int = 1  # seed of the random rig; the other rig's is one more
    batch: int = 256  # single frames
    validation: int = 2000  # single frames
    windows: int = 40  # to compare on, before each of the two rigs
    seed: int = 7
    network: PaperNetwork = field(default_factory=PaperNetwork)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=3000, rate=5e-4, decay=0.0))


class PaperModule(nn.Module):
    """A Spatial Pose Transformer, shared by the views, and a Fusion Pose Transformer across them."""

    def __init__(self, config: PaperNetwork, views: int) -> None:
        """Make random weights for so many views."""
        super().__init__()
        joints, width = len(COCO17), config.width
        token = joints * width
        self.embed = nn.Linear(2, width)
        self.joint = nn.Parameter(torch.zeros(joints, width))
        self.spatial = nn.ModuleList(Block(width, config.heads) for _ in range(config.spatial_depth))
        self.spatial_norm = nn.LayerNorm(width, eps=EPSILON)
        self.joint_in_space = nn.Parameter(torch.zeros(joints, width))
        self.fusion = nn.ModuleList(Block(token, config.heads) for _ in range(config.fusion_depth))
        self.fusion_norm = nn.LayerNorm(token, eps=EPSILON)
        # One number for each view: the only thing, beside the order of its tokens, that tells views apart.
        self.mix = nn.Conv1d(views, 1, kernel_size=1)
        self.out_norm = nn.LayerNorm(token, eps=EPSILON)
        self.out = nn.Linear(token, 3 * joints)

    def forward(self, xy: Tensor) -> Tensor:
        """Return the points [N 17 3] (world, m) of single frames seen at `xy` [N V 17 2] (`in_widths`)."""
        count, views, joints, _ = xy.shape
        pose = (self.embed(xy) + self.joint).flatten(0, 1)
        for block in self.spatial:
            pose = block(pose)
        pose = self.spatial_norm(pose) + self.joint_in_space
        tokens = pose.reshape(count, views, -1)
        for block in self.fusion:
            tokens = block(tokens)
        fused = self.mix(self.fusion_norm(tokens))[:, 0]
        points: Tensor = self.out(self.out_norm(fused)).float().reshape(count, joints, 3)
        return points


def train_mpl_paper(
    config: PaperTraining,
    cmu: Path,
    work: Path,
    *,
    calib: Path | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Row]:
    """Train the network for a rig and return what it and its rivals measure before this rig and another one.

    Args:
        config: how.
        cmu: the folder of CMU's archives.
        work: motions and the states of runs are kept there, one for each rig; so is the result (`RESULT`).
        calib: the rig, its floor at y = 0; None: a random one.
        progress: told (stage, done, all).

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        CalibrationError: the file holds no rig in metres with +Y up.
        ConfigError: the work folder holds a run of other settings.
        OutputError: a folder cannot be written.
    """
    bank, held_out = load_banks(cmu, work)
    own = given_rig(calib) if calib else _random_rig(config.rig, config.views)
    views = own.focal.shape[1]
    module = train_for(own, config, bank, held_out, work / f"rig-{_mark(own)}", progress=progress)
    rows = []
    for name, rig in (("own rig", own), ("another rig", _random_rig(config.rig + 1, views))):
        sampler = Sampler(held_out, rig=rig)
        takes = [
            sampler.take(np.random.default_rng((config.seed, _COMPARE, each)), views, FRAMES, FPS)
            for each in range(config.windows)
        ]
        rows += compare(module, takes, name)
    write_json(rows, work / RESULT)
    return rows


def given_rig(path: Path) -> Rigs:
    """Return the rig of a camera file, its middle at the origin.

    Raises:
        CalibrationError: the file holds fewer than two cameras, or they are not in metres with +Y up.
    """
    found = read_calibration(path)
    if found.unit != "m" or found.up != "y" or len(found.cameras) < 2:
        raise CalibrationError(
            f"{path}: two or more cameras in metres, +Y up, are needed here; `mocaplift calibrate convert` "
            "writes such a file"
        )
    return Rigs.of(found.cameras).centred()


def train_for(
    rig: Rigs,
    config: PaperTraining,
    bank: MotionBank,
    held_out: MotionBank,
    folder: Path,
    *,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> PaperModule:
    """Return the network trained for one rig; the run's folder is as in `train.loop`.

    Raises:
        ConfigError: the folder holds a run of other settings.
        OutputError: the folder cannot be written.
    """
    torch.manual_seed(config.seed)
    device, views = device_of(config.loop), rig.focal.shape[1]
    seen, unseen = Sampler(bank, rig=rig), Sampler(held_out, rig=rig)

    def frames(sampler: Sampler, count: int, *number: int) -> tuple[Tensor, Tensor]:
        draw = sampler.draw(np.random.default_rng((config.seed, *number)), count, views, 1, FPS)
        truth = torch.from_numpy(draw.truth[:, 0, _COCO])
        return torch.from_numpy(of_draw(draw)[:, 0]).to(device), truth.to(device)

    def losses(step: int) -> dict[str, Tensor]:
        xy, truth = frames(seen, config.batch, _TRAIN, step)
        return {"loss": (module(xy) - truth).norm(dim=-1).mean()}

    @torch.no_grad()
    def validate(averaged: nn.Module) -> dict[str, float]:
        return {"mm": float(1000 * (averaged(test_xy) - test_truth).norm(dim=-1).mean())}

    test_xy, test_truth = frames(unseen, config.validation, _VALIDATE)
    module = PaperModule(config.network, views).to(device)
    return train(
        module, losses, validate, config.loop, folder, config,
        progress=lambda done, total: progress("training", done, total),
    )  # fmt: skip


def in_widths(
    offset: Float[np.ndarray, "*lead J 2"],
    size: Int[np.ndarray, "*#lead 2"],
    conf: Float[np.ndarray, "*lead J"],
) -> Float[np.ndarray, "*lead J 2"]:
    """Return points (px from the middle of a picture of this size) in half its widths; (0, 0) where missing.

    Points outside are moved to the border, as the paper's code does.
    """
    width, border = size[..., None, :1], (size / size[..., :1])[..., None, :]
    inside = np.clip(2 * offset / width, -border, border)
    return np.where(conf[..., None] > 0, inside, 0.0).astype(np.float32)


def of_draw(draw: Draw) -> Float[np.ndarray, "N T V 17 2"]:
    """Return what the network is told of training windows."""
    offset = draw.plane[..., _COCO, :] * draw.rigs.focal[:, :, None, None, None]
    told = in_widths(offset, draw.rigs.size[:, :, None], draw.conf[..., _COCO])
    return np.moveaxis(told, 1, 2)


def of_views(views: Sequence[Keypoints2D]) -> Float[np.ndarray, "T V 17 2"]:
    """Return what the network is told of keypoints in BODY21."""
    told = [
        in_widths(view.xy[:, _COCO] - (np.array(view.size) - 1) / 2, np.array(view.size), view.conf[:, _COCO])
        for view in views
    ]
    return np.stack(told, axis=1)


def compare(module: PaperModule, takes: Sequence[Take], rig: str) -> list[Row]:
    """Return the errors of all lifters in some takes, absolute and after alignment frame by frame (`pa_mpjpe`).

    A point that a lifter leaves out is charged as `evaluate.several` charges it.
    """
    rows = []
    truth = np.concatenate([take.truth.xyz[:, _COCO] for take in takes])
    for lifter in (*RIVALS, NAME):
        ask = partial(_paper, module) if lifter == NAME else partial(_rival, lifter)
        found = np.concatenate([ask(take) for take in takes])
        figures = spread(charged_errors(found, truth)) | {"pa_mpjpe": pa_mpjpe(found, truth)}
        row = Row(NAME, rig, len(takes[0].views), lifter, "", 0.0, "mm", len(truth))
        rows += [row._replace(metric=name, value=value) for name, value in figures.items()]
    return rows


def _rival(lifter: str, take: Take) -> Float[np.ndarray, "T 17 3"]:
    found = by_lifter(take.views, take.cameras, lifter)
    return remap(found.xyz, found.layout, COCO17)


@torch.no_grad()
def _paper(module: PaperModule, take: Take) -> Float[np.ndarray, "T 17 3"]:
    told = torch.from_numpy(of_views(take.views)).to(next(module.parameters()).device)
    points: np.ndarray = module(told).cpu().numpy()
    return points.astype(float)


def _random_rig(seed: int, views: int) -> Rigs:
    return random_rigs(np.random.default_rng(seed), 1, views).centred()


def _mark(rig: Rigs) -> str:
    """Return a short text that differs between rigs: a run for one is never taken up for another."""
    numbers = (rig.rotation, rig.centre, rig.focal, rig.size)
    return sha256(b"".join(np.round(each, 6).astype(float).tobytes() for each in numbers)).hexdigest()[:8]
