"""What costs nothing: the results that any method has to beat."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.values import Keypoints2D

# The row of the truth's first known frame, held: a root that never moves, a pose that never changes.
STATIC = "static"
# The row of the detector's own 3D landmarks.
DETECTOR = "detector"


def static(truth: Float[np.ndarray, "T J 3"]) -> Float[np.ndarray, "T J 3"]:
    """Return the truth's first complete frame for all frames; NaN where no frame is complete."""
    known = np.flatnonzero(np.isfinite(truth).all((1, 2)))
    first = truth[known[0]] if known.size else np.full(truth.shape[1:], np.nan)
    return np.broadcast_to(first, truth.shape).copy()


def detector(view: Keypoints2D) -> Float[np.ndarray, "T J 3"] | None:
    """Return the detector's own 3D of a view (camera axes, hips at the origin), None where it has none."""
    if view.landmarks is None or not np.isfinite(view.landmarks).any():
        return None
    return view.landmarks
