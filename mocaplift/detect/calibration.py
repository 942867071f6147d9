"""What MediaPipe's visibility is worth, on the reference scale of `mocaplift.confidence`.

Visibility is the network's probability that a point is in the picture and not hidden. It stays near 1 while a
point is centimetres off, so it must not be read as a confidence of the place. The table of errors was measured on
rendered people (`weights/detector-noise.safetensors`, made by `train.detector_noise`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.confidence import confidence_of_error
from mocaplift.errors import WeightsError
from mocaplift.layouts import BODY21
from mocaplift.weights import load_arrays, locate

# Real footage is less sharp than renderings. On Pose2Sim's videos the median distance to another detector
# (OpenPose) is 1.06 to 1.6 times the table's error, 2.0 at the hips, and that detector has errors too.
REAL_FOOTAGE = 1.2
# Bins of visibility with fewer observations than this do not count. Below the lowest that does, the error grows
# to this at visibility 0 (m): rendered people hide few of their joints, real ones stand behind tables.
FEWEST, HIDDEN_ERROR = 60, 0.08
# A point outside the picture is the network's guess of what it cannot see (m).
OUTSIDE_ERROR = 0.15
GRID = np.concatenate([np.linspace(0.0, 0.9, 19), np.linspace(0.91, 1.0, 19)])


def error_of(visibility: Float[np.ndarray, "N"], joint: str) -> Float[np.ndarray, "N"]:
    """Return the median error (m at the person's depth) of a joint of body21 with these visibilities.

    Raises:
        WeightsError: the table is missing, damaged, or does not know the joint.
    """
    arrays, header = load_arrays(locate("detector-noise"), "detector-noise")
    for row, kinds in enumerate(header["groups"].values()):
        if any(kind in joint for kind in kinds):
            measured = arrays["count"][row] >= FEWEST
            knots, errors = arrays["visibility_knots"][row][measured], arrays["median_error"][row][measured]
            hidden = max(HIDDEN_ERROR, float(errors[0]))
            return REAL_FOOTAGE * np.interp(visibility, [0.0, *knots], [hidden, *errors])
    raise WeightsError(f"the table of detector errors does not know the joint {joint!r}")


def reference_confidence(
    visibility: Float[np.ndarray, "21"], is_inside: Bool[np.ndarray, "21"]
) -> Float[np.ndarray, "21"]:
    """Return confidences of body21 points on the reference scale; outside the picture they are worth little.

    Raises:
        WeightsError: the table is missing or damaged.
    """
    inside, outside = _tables()
    conf = [np.interp(seen, GRID, row) for seen, row in zip(visibility, inside, strict=True)]
    return np.where(is_inside, conf, np.minimum(conf, outside))


@lru_cache(maxsize=1)
def _tables() -> tuple[Float[np.ndarray, "21 G"], Float[np.ndarray, "21"]]:
    """Return the confidence of each joint by visibility on the grid, and outside the picture."""
    inside = [
        [confidence_of_error(float(error), joint) for error in error_of(GRID, joint)]
        for joint in BODY21.joints
    ]
    outside = [confidence_of_error(OUTSIDE_ERROR, joint) for joint in BODY21.joints]
    return np.array(inside), np.array(outside)
