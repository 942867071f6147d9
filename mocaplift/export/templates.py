"""What exported bones are called and where the last ones end.

A template is data: our joint name -> the name in the file. A joint that it does not name keeps its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.kinematics import rest_positions
from mocaplift.values import Skeleton

_SIDES = {"left": "Left", "right": "Right"}

# The names that MotionBuilder's characteriser, Rokoko's, Auto-Rig's and most retargeters find by themselves:
# those of the CMU and Truebones BVH files, without spaces and without a prefix.
_NATIVE_MIDDLE = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "neck": "Neck",
    "head": "Head",
}
_NATIVE_LIMBS = {
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hand": "Fingers",
}

TEMPLATES: dict[str, Mapping[str, str]] = {
    "native": _NATIVE_MIDDLE
    | {
        f"{side}_{joint}": title + bone
        for side, title in _SIDES.items()
        for joint, bone in _NATIVE_LIMBS.items()
    },
    "smpl": {},
}

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
# Height of the lowest joint (the ball of the foot) above the sole of a standing person.
SOLE_BELOW_JOINT = 0.02  # m
# A tip of unknown kind goes on along its bone by half of its length, but never less than this: Blender gives
# a bone without length a direction of its own.
SHORTEST_TIP = 0.02  # m


def names_in(template: str, skeleton: Skeleton) -> tuple[str, ...]:
    """Return the name of every joint in the file, in the skeleton's order.

    Raises:
        ConfigError: no such template; the message lists the known ones.
        InvalidData: two joints would share a name, or a name holds a space.
    """
    if template not in TEMPLATES:
        raise ConfigError(f"unknown skeleton template {template!r}; known: {', '.join(sorted(TEMPLATES))}")
    names = tuple(TEMPLATES[template].get(joint, joint) for joint in skeleton.layout.joints)
    for name in names:
        if not name or any(character.isspace() for character in name):
            raise InvalidData(
                f"joint name {name!r} is empty or holds a space, which programs read differently"
            )
        if names.count(name) > 1:
            raise InvalidData(f"template {template!r} gives two joints the name {name!r}")
    return names


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
            tips[position] = _continued(skeleton.offsets[position])
    return tips


def rest_height(skeleton: Skeleton) -> float:
    """Return how high (m) the root of the T-pose is when the person stands on the floor."""
    return float(SOLE_BELOW_JOINT - rest_positions(skeleton)[:, 1].min())


def _leg_length(skeleton: Skeleton) -> float | None:
    """Return thigh + shin in metres, the mean of both sides; None for a skeleton without such legs."""
    legs = [joint for joint in skeleton.layout.joints if joint.endswith(("_knee", "_ankle"))]
    lengths = np.linalg.norm(skeleton.offsets[skeleton.layout.index(*legs)], axis=-1)
    return float(lengths.sum() / 2) if len(legs) == 4 and lengths.min() > 0 else None


def _continued(offset: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    length = float(np.linalg.norm(offset))
    direction = offset / length if length > 0 else np.array([0.0, 1.0, 0.0])
    return direction * max(length / 2, SHORTEST_TIP)
