"""The direct network for training: the same weights and sums as `lift.direct.network`, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import NEAREST_DEPTH, NUM_FEATURES
from mocaplift.lift.direct.network import (
    LOG_SIGMA_RANGE,
    NUM_JOINT_OUT,
    NUM_OUT,
    USUAL_LOG_SIGMA,
    DirectConfig,
)
from mocaplift.train.transformer import EPSILON, Block


class DirectModule(nn.Module):
    """The network; its head starts at zero, so that training starts from a flat person at the shown depth."""

    def __init__(self, config: DirectConfig) -> None:
        """Make random weights of these sizes."""
        super().__init__()
        c = self.config = config
        self.time = nn.Parameter(0.02 * torch.randn(c.frames // c.per_token, c.width))
        self.told = nn.Linear(c.per_token * NUM_FEATURES, c.width)
        self.blocks = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.depth))
        self.out_norm = nn.LayerNorm(c.width, eps=EPSILON)
        self.out = nn.Linear(c.width, c.per_token * NUM_OUT)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return offset [N T J 3] (m), log sigma [N T J] and log depth [N T] of windows [N T F]."""
        c = self.config
        count, frames, _ = told.shape
        told = F.pad(told, (0, 0, 0, -frames % c.per_token))
        x = self.told(told.reshape(count, -1, c.per_token * NUM_FEATURES))
        x = x + self.time[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        out = self.out(self.out_norm(x)).float().reshape(count, -1, NUM_OUT)[:, :frames]
        joints = out[..., :-1].reshape(count, frames, len(BODY21), NUM_JOINT_OUT)
        sigma = (joints[..., 3] + USUAL_LOG_SIGMA).clamp(*LOG_SIGMA_RANGE)
        return joints[..., :3], sigma, out[..., -1]


def points(plane: Tensor, scale: Tensor, offset: Tensor, log_depth: Tensor) -> Tensor:
    """Return the joints in the virtual camera's axes, metres: `lift.direct.features.points` with gradients."""
    depth = ((torch.exp(log_depth) / scale)[..., None] + offset[..., 2]).clamp(min=NEAREST_DEPTH)
    return torch.cat([plane * depth[..., None] + offset[..., :2], depth[..., None]], dim=-1)
