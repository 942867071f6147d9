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
from jaxtyping import Bool, Float
from scipy.special import erf

from mocaplift.errors import ConfigError, WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import Features
from mocaplift.lift.mpl.shapes import MplConfig, expected_shapes

# A correction is bounded (m), in units of tanh.
FARTHEST = 0.5
TANH_SCALE = 0.4
# The logs of expected errors stay in a range (m: 2 mm to 1 m).
LOG_SIGMA_RANGE = (-6.2, 0.0)
# What an error is taken for before anything is learnt: 3 cm.
USUAL_LOG_ERROR = float(np.log(0.03))
_EPSILON = 1e-6


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
        for name, shape in expected_shapes(config).items():
            if name not in arrays or arrays[name].shape != shape:
                found = arrays[name].shape if name in arrays else "nothing"
                raise WeightsError(f"the MPL weights hold {found} for {name!r} where {shape} is needed")
        return cls(config, {name: array.astype(np.float32) for name, array in arrays.items()})

    def __call__(self, told: Features) -> Told:
        """Return what the network makes of windows [N, T <= frames, ...]."""
        c = self.config
        seen_views = told.view_seen
        count, frames, views, joints = told.seen.shape
        spatial = self._linear("observation", told.observation) * told.seen[..., None]
        spatial = spatial + self._linear("point", told.point)[:, :, None] + self.weights["joint"]
        spatial = spatial.reshape(count * frames * views, joints, c.spatial_width)
        for block in range(c.spatial_depth):
            spatial = self._block(f"spatial.{block}", spatial, c.spatial_heads, None)
        spatial = self._norm("spatial_norm", spatial).reshape(count * frames, views, -1)
        tokens = self._linear("view", spatial)
        asked = self._linear("ask", told.point.reshape(count * frames, 1, -1))
        tokens = np.concatenate([asked, tokens], axis=1)
        present = np.concatenate(
            [np.ones((count * frames, 1), dtype=bool), seen_views.reshape(count * frames, views)], axis=1
        )
        for block in range(c.fusion_depth):
            tokens = self._block(f"fusion.{block}", tokens, c.heads, present)
        by_view = self._linear("view_error", self._norm("view_norm", tokens[:, 1:]))
        by_joint = self._linear("joint_error", spatial.reshape(count * frames, views, joints, -1))[..., 0]
        path = tokens[:, 0].reshape(count, frames, -1) + self.weights["time"][:frames]
        for block in range(c.temporal_depth):
            path = self._block(f"temporal.{block}", path, c.heads, None)
        out = self._linear("out", self._norm("out_norm", path)).reshape(count, frames, joints, 4)
        return Told(
            correction=FARTHEST * np.tanh(TANH_SCALE * out[..., :3]),
            log_sigma=np.clip(out[..., 3] + USUAL_LOG_ERROR, *LOG_SIGMA_RANGE),
            log_error=np.clip(
                (by_view + by_joint).reshape(count, frames, views, joints) + USUAL_LOG_ERROR, *LOG_SIGMA_RANGE
            ),
        )

    def _block(
        self, name: str, x: Float[np.ndarray, "N S D"], heads: int, present: Bool[np.ndarray, "N S"] | None
    ) -> Float[np.ndarray, "N S D"]:
        """Return x after self-attention and a two-layer perceptron, both on normalised input (pre-norm)."""
        count, length, width = x.shape
        joined = self._linear(f"{name}.qkv", self._norm(f"{name}.norm1", x))
        q, k, v = joined.reshape(count, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        score = (q @ k.swapaxes(-1, -2)) / np.float32(np.sqrt(width // heads))
        if present is not None:
            score = np.where(present[:, None, None], score, np.float32(-1e9))
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        score /= score.sum(axis=-1, keepdims=True)
        mixed = (score @ v).transpose(0, 2, 1, 3).reshape(count, length, width)
        x = x + self._linear(f"{name}.proj", mixed)
        hidden = self._linear(f"{name}.up", self._norm(f"{name}.norm2", x))
        hidden = hidden * (0.5 * (1 + erf(hidden / np.float32(np.sqrt(2)))))  # GELU
        return x + self._linear(f"{name}.down", hidden)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        away = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(away).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        return away / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
