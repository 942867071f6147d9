"""The network of MVLift's diffusions for training: the sums of `lift.mvlift.network`, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocaplift.lift.mvlift.conditions import num_channels
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.network import NUM_STEP, DenoiserConfig
from mocaplift.train.transformer import EPSILON, Block


class DenoiserModule(nn.Module):
    """The network; its head starts at zero, so that training starts from a figure in the middle."""

    def __init__(self, config: DenoiserConfig, figure: Figure) -> None:
        """Make random weights of these sizes."""
        super().__init__()
        c = self.config = config
        channels = num_channels(figure)
        self.time = nn.Parameter(0.02 * torch.randn(c.frames // c.per_token, c.width))
        self.view = nn.Parameter(0.02 * torch.randn(c.views, c.width))
        self.enter = nn.Linear(c.per_token * (channels + c.num_told(figure)), c.width)
        self.step_in = nn.Linear(NUM_STEP, c.width)
        self.step_out = nn.Linear(c.width, c.width)
        self.along = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.depth))
        self.across = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.depth if c.views > 1 else 0))
        self.out_norm = nn.LayerNorm(c.width, eps=EPSILON)
        self.out = nn.Linear(c.width, c.per_token * channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, noisy: Tensor, step: Tensor, told: Tensor) -> Tensor:
        """Return the clean channels [N V T C] of noisy ones; `step` [N F] is `told_step`, `told` is [N V T F]."""
        c = self.config
        count, views, frames, channels = noisy.shape
        x = F.pad(torch.cat([noisy, told], dim=-1), (0, 0, 0, -frames % c.per_token))
        x = self.enter(x.reshape(count, views, -1, c.per_token * x.shape[-1]))
        tokens = x.shape[2]
        level = self.step_out(F.gelu(self.step_in(step)))[:, None, None]
        x = x + self.time[:tokens] + self.view[:views, None] + level
        for number, along in enumerate(self.along):
            x = along(x.reshape(count * views, tokens, c.width)).reshape(count, views, tokens, c.width)
            if c.views > 1:
                flat = x.transpose(1, 2).reshape(count * tokens, views, c.width)
                x = self.across[number](flat).reshape(count, tokens, views, c.width).transpose(1, 2)
        out = self.out(self.out_norm(x)).float()
        return out.reshape(count, views, -1, channels)[:, :, :frames]
