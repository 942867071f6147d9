"""What a confidence is worth: the expected error of a keypoint, in metres at the person's depth.

The reference scale is that of a COCO top-down detector, measured against a nine-camera triangulation of the same
detections (two AIST++ sequences, every frame). A detector whose scores mean something else maps them onto this
scale in its own adapter, so that everything behind it needs one table.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.values import Keypoints2D, Layout

_KNOTS = np.array([0.0, 0.035, 0.075, 0.15, 0.275, 0.425, 0.575, 0.725, 0.85, 1.05])
# Median error in metres at the knots.
_FACE = np.array([0.060, 0.039, 0.036, 0.032, 0.025, 0.022, 0.017, 0.016, 0.020, 0.021])
_TORSO = np.array([0.070, 0.066, 0.062, 0.049, 0.035, 0.027, 0.020, 0.015, 0.013, 0.013])
_LIMBS = np.array([0.160, 0.118, 0.095, 0.056, 0.029, 0.022, 0.019, 0.016, 0.012, 0.012])
# The median length of a 2D Gaussian error is 1.18 sigma.
SIGMA_PER_MEDIAN = 1 / 1.18

_FACE_JOINTS = ("nose", "eye", "ear")
_TORSO_JOINTS = ("shoulder", "hip")


def _table(joint: str) -> Float[np.ndarray, "N"]:
    if any(part in joint for part in _FACE_JOINTS):
        return _FACE
    return _TORSO if any(part in joint for part in _TORSO_JOINTS) else _LIMBS


def expected_error(conf: Float[np.ndarray, "*lead J"], layout: Layout) -> Float[np.ndarray, "*lead J"]:
    """Return the median error in metres of keypoints with these confidences; a person of adult size."""
    return np.stack(
        [np.interp(conf[..., j], _KNOTS, _table(joint)) for j, joint in enumerate(layout.joints)], axis=-1
    )


def confidence_of_error(error: float, joint: str) -> float:
    """Return the confidence on the reference scale whose expected error (m) this is, clipped to the scale."""
    table = np.minimum.accumulate(_table(joint))
    return float(np.clip(np.interp(-error, -table, _KNOTS), 0.01, 1.0))


def sigma(keypoints: Keypoints2D) -> Float[np.ndarray, "T J"]:
    """Return the standard deviation per axis in metres at the person's depth; infinite where nothing was seen."""
    spread = expected_error(keypoints.conf, keypoints.layout) * SIGMA_PER_MEDIAN
    return np.where(keypoints.conf > 0, spread, np.inf)
