"""The MPL network as inference runs it: numpy, so that nobody needs a training library to lift.

A Spatial Pose Transformer looks at the joints of each view, a Fusion Pose Transformer at the views of each frame
(both after MPL), a third at the frames of a window. It tells how far the triangulated points are off, how sure it
is of that, and how wrong each observation is. `train.mpl_network` is the same network for training; a test
holds them against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError, WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import Features
from mocaplift.lift.mpl.shapes import MplConfig, expected_shapes
from mocaplift.lift.transformer import block, fitting, linear, norm

# A correction is bounded (m), in units of tanh.
FARTHEST = 0.5
TANH_SCALE = 0.4
# The logs of expected errors stay in a range (m: 2 mm to 1 m).
LOG_SIGMA_RANGE = (-6.2, 0.0)
# What an error is taken for before anything is learnt: 3 cm.
USUAL_LOG_ERROR = float(np.log(0.03))


@dataclass(frozen=True, eq=False)
class Told:
    """What the network says: corrections in the person's axes (m), and expected errors as logs of metres."""

    correction: Float[np.ndarray, "N T 21 3"]
    log_sigma: Float[np.ndarray, "N T 21"]
    log_error: Float[np.ndarray, "N T V 21"]


@dataclass(frozen=True, eq=False)
class MplNetwork:
    """Weights by name, and their sizes."""

    config: MplConfig
    weights: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> MplNetwork:
        """Return the network of a weight file.

        Raises:
            WeightsError: sizes are missing, or weights do not fit them.
        """
        try:
            config = MplConfig(**header["network"])
        except (KeyError, TypeError, ConfigError) as error:
            raise WeightsError(f"the MPL weights do not say what network they are for ({error})") from error
        if config.joints != len(BODY21):
            raise WeightsError(f"the MPL weights are for {config.joints} joints, not {len(BODY21)}")
        return cls(config, fitting(arrays, expected_shapes(config), "MPL"))

    def __call__(self, told: Features) -> Told:
        """Return what the network makes of windows [N, T <= frames, ...]."""
        c, weights = self.config, self.weights
        seen_views = told.view_seen
        count, frames, views, joints = told.seen.shape
        spatial = linear(weights, "observation", told.observation) * told.seen[..., None]
        spatial = spatial + linear(weights, "point", told.point)[:, :, None] + weights["joint"]
        spatial = spatial.reshape(count * frames * views, joints, c.spatial_width)
        for number in range(c.spatial_depth):
            spatial = block(weights, f"spatial.{number}", spatial, c.spatial_heads)
        spatial = norm(weights, "spatial_norm", spatial).reshape(count * frames, views, -1)
        tokens = linear(weights, "view", spatial)
        asked = linear(weights, "ask", told.point.reshape(count * frames, 1, -1))
        tokens = np.concatenate([asked, tokens], axis=1)
        present = np.concatenate(
            [np.ones((count * frames, 1), dtype=bool), seen_views.reshape(count * frames, views)], axis=1
        )
        for number in range(c.fusion_depth):
            tokens = block(weights, f"fusion.{number}", tokens, c.heads, present)
        by_view = linear(weights, "view_error", norm(weights, "view_norm", tokens[:, 1:]))
        by_joint = linear(weights, "joint_error", spatial.reshape(count * frames, views, joints, -1))[..., 0]
        path = tokens[:, 0].reshape(count, frames, -1) + weights["time"][:frames]
        for number in range(c.temporal_depth):
            path = block(weights, f"temporal.{number}", path, c.heads)
        out = linear(weights, "out", norm(weights, "out_norm", path)).reshape(count, frames, joints, 4)
        return Told(
            correction=FARTHEST * np.tanh(TANH_SCALE * out[..., :3]),
            log_sigma=np.clip(out[..., 3] + USUAL_LOG_ERROR, *LOG_SIGMA_RANGE),
            log_error=np.clip(
                (by_view + by_joint).reshape(count, frames, views, joints) + USUAL_LOG_ERROR, *LOG_SIGMA_RANGE
            ),
        )
