"""Transformers for training: the same weights and sums as `lift.transformer`, with gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6


class Block(nn.Module):
    """Self-attention and a two-layer perceptron, both on normalised input."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the weights of one block."""
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Return tokens [N S D]; `present` [N S] says which may be looked at."""
        count, length, width = x.shape
        joined = self.qkv(self.norm1(x)).reshape(count, length, 3, self.heads, width // self.heads)
        q, k, v = joined.permute(2, 0, 3, 1, 4)
        # Written out: for so few tokens the fused kernel takes twice the time on a processor.
        score = (q * (width // self.heads) ** -0.5) @ k.transpose(-1, -2)
        if present is not None:
            score = score.masked_fill(~present[:, None, None], -1e9)
        mixed = torch.softmax(score, dim=-1).to(v.dtype) @ v
        x = x + self.proj(mixed.transpose(1, 2).reshape(count, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights by the names that `lift.transformer` knows."""
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in module.state_dict().items()}


def set_weights(module: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Give the module these weights; a missing or an extra one is an error."""
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
