"""The MPL network for training: the same weights and sums as `lift.mpl.network`, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mocaplift.lift.mpl.features import NUM_OBSERVATION, NUM_POINT
from mocaplift.lift.mpl.network import FARTHEST, LOG_SIGMA_RANGE, TANH_SCALE, USUAL_LOG_ERROR
from mocaplift.lift.mpl.shapes import NUM_OUT, MplConfig
from mocaplift.train.transformer import EPSILON, Block


class MplModule(nn.Module):
    """The network; heads start at zero, so that training starts from plain triangulation."""

    def __init__(self, config: MplConfig) -> None:
        """Make random weights of these sizes."""
        super().__init__()
        c = self.config = config
        self.joint = nn.Parameter(0.02 * torch.randn(c.joints, c.spatial_width))
        self.time = nn.Parameter(0.02 * torch.randn(c.frames, c.width))
        self.observation = nn.Linear(NUM_OBSERVATION, c.spatial_width)
        self.point = nn.Linear(NUM_POINT, c.spatial_width)
        self.spatial = nn.ModuleList(Block(c.spatial_width, c.spatial_heads) for _ in range(c.spatial_depth))
        self.spatial_norm = nn.LayerNorm(c.spatial_width, eps=EPSILON)
        self.view = nn.Linear(c.joints * c.spatial_width, c.width)
        self.ask = nn.Linear(c.joints * NUM_POINT, c.width)
        self.fusion = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.fusion_depth))
        self.view_norm = nn.LayerNorm(c.width, eps=EPSILON)
        self.view_error = nn.Linear(c.width, c.joints)
        self.joint_error = nn.Linear(c.spatial_width, 1)
        self.temporal = nn.ModuleList(Block(c.width, c.heads) for _ in range(c.temporal_depth))
        self.out_norm = nn.LayerNorm(c.width, eps=EPSILON)
        self.out = nn.Linear(c.width, c.joints * NUM_OUT)
        for head in (self.out, self.view_error, self.joint_error):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, observation: Tensor, seen: Tensor, point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return correction [N T J 3] (m), log sigma [N T J] and log error [N T V J] of windows.

        Inputs are those of `lift.mpl.features.Features`.
        """
        c = self.config
        count, frames, views, joints = seen.shape
        spatial = self.observation(observation) * seen[..., None]
        spatial = (spatial + self.point(point)[:, :, None] + self.joint).flatten(0, 2)
        for block in self.spatial:
            spatial = block(spatial)
        spatial = self.spatial_norm(spatial)
        tokens = self.view(spatial.reshape(count * frames, views, joints * c.spatial_width))
        tokens = torch.cat([self.ask(point.reshape(count * frames, 1, -1)), tokens], dim=1)
        present = seen.any(dim=-1).reshape(count * frames, views)
        present = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
        for block in self.fusion:
            tokens = block(tokens, present)
        log_error = self.view_error(self.view_norm(tokens[:, 1:])).reshape(count, frames, views, joints)
        log_error = log_error + self.joint_error(spatial).reshape(count, frames, views, joints)
        path = tokens[:, 0].reshape(count, frames, c.width) + self.time[:frames]
        for block in self.temporal:
            path = block(path)
        out = self.out(self.out_norm(path)).reshape(count, frames, joints, NUM_OUT).float()
        return (
            FARTHEST * torch.tanh(TANH_SCALE * out[..., :3]),
            (out[..., 3] + USUAL_LOG_ERROR).clamp(*LOG_SIGMA_RANGE),
            (log_error.float() + USUAL_LOG_ERROR).clamp(*LOG_SIGMA_RANGE),
        )


def student_log_likelihood(squared: Tensor, log_sigma: Tensor, axes: int, tail: float) -> Tensor:
    """Return the log density of errors with these squared lengths: Student-t in so many axes, less constants."""
    return -0.5 * (tail + axes) * torch.log1p(squared / (tail * torch.exp(2 * log_sigma))) - axes * log_sigma


def robust_length(away: Tensor, soft: float) -> Tensor:
    """Return 3 (sqrt(d^2 + s^2) - s): near zero like d^2, far like d, so that hard points count more."""
    return 3 * (torch.sqrt(away.square().sum(-1) + soft**2) - soft)
