"""Where the body ends beyond its last joints, and how high it stands."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.kinematics import rest_positions
from mocaplift.values import Skeleton

# How far the body goes on after its last joints, as a share of the two leg bones (thigh + shin), which are 0.491
# of the height (Drillis and Contini, in Winter, Biomechanics of Human Movement, table 4.1). Of the height, the
# crown is 0.087 above the head joint of the free body model, fingers end 0.055 and toes 0.04 beyond theirs.
_TIPS: dict[str, tuple[tuple[float, float, float], float]] = {
    "head": ((0.0, 1.0, 0.0), 0.087 / 0.491),
    "left_hand": ((1.0, 0.0, 0.0), 0.055 / 0.491),
    "right_hand": ((-1.0, 0.0, 0.0), 0.055 / 0.491),
    "left_foot": ((0.0, 0.0, 1.0), 0.04 / 0.491),
    "right_foot": ((0.0, 0.0, 1.0), 0.04 / 0.491),
}
# Height of the lowest joint (the ball of the foot) above the sole of the free body: 8 to 10 mm over its shapes.
SOLE_BELOW_JOINT = 0.009  # m
# A tip of unknown kind goes on along its bone by half of its length, but never less than this: Blender gives
# a bone without length a direction of its own.
SHORTEST_TIP = 0.02  # m


def tip_offsets(skeleton: Skeleton) -> dict[int, Float[np.ndarray, "3"]]:
    """Return, for every joint without children, the vector in metres from it to the end of its body part."""
    scale = _leg_length(skeleton)
    with_children = set(skeleton.parents)
    tips = {}
    for position, joint in enumerate(skeleton.layout.joints):
        if position in with_children:
            continue
        if joint in _TIPS and scale is not None:
            direction, share = _TIPS[joint]
            tips[position] = np.array(direction) * share * scale
        else:
            tips[position] = continued(skeleton.offsets[position])
    return tips


def rest_height(skeleton: Skeleton) -> float:
    """Return how high (m) the root of the T-pose is when the person stands on the floor."""
    return float(SOLE_BELOW_JOINT - rest_positions(skeleton)[:, 1].min())


def _leg_length(skeleton: Skeleton) -> float | None:
    """Return thigh + shin in metres, the mean of both sides; None for a skeleton without such legs."""
    legs = [joint for joint in skeleton.layout.joints if joint.endswith(("_knee", "_ankle"))]
    lengths = np.linalg.norm(skeleton.offsets[skeleton.layout.index(*legs)], axis=-1)
    return float(lengths.sum() / 2) if len(legs) == 4 and lengths.min() > 0 else None


def continued(offset: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """Return where a bone of unknown kind ends that begins at this offset from its parent (m, same axes)."""
    length = float(np.linalg.norm(offset))
    direction = offset / length if length > 0 else np.array([0.0, 1.0, 0.0])
    return direction * max(length / 2, SHORTEST_TIP)
