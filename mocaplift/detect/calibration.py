"""What MediaPipe's visibility is worth, on the reference scale of `mocaplift.confidence`.

Visibility is the network's probability that a point is in the picture and not hidden. It stays near 1 while a
point is centimetres off, so it must not be read as a confidence of the place.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.confidence import confidence_of_error
from mocaplift.values import Layout

# Median error in metres at the person's depth, by visibility.
VISIBILITY = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0])
FACE_ERROR = np.array([0.06, 0.05, 0.045, 0.04, 0.035, 0.03, 0.025])
TORSO_ERROR = np.array([0.08, 0.07, 0.06, 0.05, 0.04, 0.035, 0.03])
LIMB_ERROR = np.array([0.16, 0.11, 0.075, 0.055, 0.035, 0.028, 0.025])
# A point outside the picture is the network's guess of a body it cannot see (m).
OUTSIDE_ERROR = 0.15
GRID = np.linspace(0.0, 1.0, 41)

_FACE = ("nose", "eye", "ear", "mouth")
_TORSO = ("shoulder", "hip")


def error_of(visibility: Float[np.ndarray, "N"], joint: str) -> Float[np.ndarray, "N"]:
    """Return the median error (m at the person's depth) of a joint with these visibilities."""
    if any(part in joint for part in _FACE):
        table = FACE_ERROR
    else:
        table = TORSO_ERROR if any(part in joint for part in _TORSO) else LIMB_ERROR
    return np.interp(visibility, VISIBILITY, table)


def reference_confidence(
    visibility: Float[np.ndarray, "J"], is_inside: Bool[np.ndarray, "J"], layout: Layout
) -> Float[np.ndarray, "J"]:
    """Return confidences on the reference scale; points outside the picture are worth little."""
    inside, outside = _tables(layout)
    conf = [np.interp(seen, GRID, row) for seen, row in zip(visibility, inside, strict=True)]
    return np.where(is_inside, conf, np.minimum(conf, outside))


@lru_cache(maxsize=4)
def _tables(layout: Layout) -> tuple[Float[np.ndarray, "J G"], Float[np.ndarray, "J"]]:
    """Return the confidence of each joint by visibility on the grid, and outside the picture."""
    inside = [
        [confidence_of_error(float(error), joint) for error in error_of(GRID, joint)]
        for joint in layout.joints
    ]
    outside = [confidence_of_error(OUTSIDE_ERROR, joint) for joint in layout.joints]
    return np.array(inside), np.array(outside)
