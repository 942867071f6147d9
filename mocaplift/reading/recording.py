"""What a file of motion holds, brought to metres and +Y up, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mocaplift.errors import ConfigError
from mocaplift.export.rigged import Rigged
from mocaplift.layouts import SMPL24
from mocaplift.reading.names import match_joints, missing_joints
from mocaplift.rotations import Y_UP_FROM_Z_UP, from_matrix, multiply, rotate
from mocaplift.values import Capture, SkeletonMotion

# Metres of a unit. CMU's first files count in 1/0.45 of an inch.
UNITS = {"cm": 0.01, "m": 1.0, "mm": 0.001, "in": 0.0254, "CMU": 0.0254 / 0.45}
# In this order a unit is guessed by the size of the body: inches are too near to CMU's unit to be told from it.
_GUESSED = ("cm", "m", "mm", "CMU")
UPS = ("y", "z")
# Thigh and shin, as a share of the height (Drillis and Contini, in Winter, Biomechanics of Human Movement,
# table 4.1).
LEG_SHARE = 0.491
# Between a child of six and the tallest of grown-ups.
SMALLEST_BODY, LARGEST_BODY = 1.05, 2.3  # m
# A body whose unit cannot be told is taken for a grown-up of this height: the mean over both sexes, worldwide.
LIKELY_HEIGHT = 1.68  # m
# A trunk this near (cosine) to an axis in the median of the frames stands along it.
LEAST_UPRIGHT = 0.7
_LEGS = (("hip", "knee"), ("knee", "ankle"))


@dataclass(frozen=True, eq=False)
class Recording:
    """The motion of a file on the bones that it has there, in metres and with +Y up.

    `joints` are the bones of those of our joints that were found. `unit` and `up` are what was taken for the
    file's own; `is_stated` tells whether the format fixes them, else they were guessed from the body, or given.
    `value` is what the file holds where it is one of ours. `jumps` are the frames at which an angle as written
    jumps, by bone. `notes` are sentences about what was assumed.
    """

    rigged: Rigged
    format: str
    unit: str = "m"
    up: str = "y"
    is_stated: bool = True
    value: Capture | SkeletonMotion | None = None
    jumps: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    joints: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        known = {joint: bone for bone, joint in enumerate(self.rigged.joints) if joint in SMPL24.joints}
        found = known or match_joints(self.rigged.names, self.rigged.parents)
        object.__setattr__(self, "joints", {str(joint): bone for joint, bone in found.items()})

    @property
    def is_body(self) -> bool:
        """Whether the joints were found that every body has."""
        return not missing_joints(dict(self.joints)) and "pelvis" in self.joints


def settled(
    recording: Recording, *, unit: str | None = None, up: str | None = None, height: float | None = None
) -> Recording:
    """Return a recording whose format tells neither unit nor axes in metres and +Y up.

    What is not given is guessed from the body: from the length of its legs, and from where its trunk points.
    `height` (m) is the person's, and fixes the scale.

    Raises:
        ConfigError: the unit or the axis is unknown.
    """
    if unit is not None and unit not in UNITS:
        raise ConfigError(f"unknown unit {unit!r}; known: {', '.join(UNITS)}")
    if up is not None and up not in UPS:
        raise ConfigError(f"unknown axis {up!r}; known: {', '.join(UPS)}")
    tall = stature(recording.rigged, recording.joints) if recording.is_body else None
    notes: list[str] = []
    if height is not None and tall:
        scale, name = height / tall, f"{height / tall:.4g} m"
    elif unit is None and tall:
        name, scale = _guessed_unit(tall, notes)
    else:
        name = unit or "cm"
        scale = UNITS[name]
    axis = up or (_guessed_up(recording) if recording.is_body else "y")
    if up is None and axis != "y":
        notes.append("the body stands along +Z: the file is taken as +Z up")
    moved = scaled(recording.rigged, scale)
    return replace(
        recording,
        rigged=_standing(y_up(moved) if axis == "z" else moved),
        unit=name,
        up=axis,
        is_stated=False,
        notes=(*recording.notes, *notes),
    )


def stature(rigged: Rigged, joints: Mapping[str, int]) -> float:
    """Return how tall the body stands, told by its legs, in the unit of the rig."""
    rest, _ = rigged.rest_world()
    legs = [
        float(np.linalg.norm(rest[joints[f"{side}_{end}"]] - rest[joints[f"{side}_{joint}"]]))
        for side in ("left", "right")
        for joint, end in _LEGS
    ]
    return sum(legs) / 2 / LEG_SHARE


def uprightness(rigged: Rigged, joints: Mapping[str, int]) -> Float[np.ndarray, "3"]:
    """Return where the trunk points in the median of the frames, from the hips to the shoulders."""
    xyz, _ = rigged.world()
    top, bottom = (
        xyz[:, [joints[f"{side}_{joint}"] for side in ("left", "right")]].mean(axis=1)
        for joint in ("shoulder", "hip")
    )
    trunk = top - bottom
    return np.median(trunk / np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-12), axis=0)


def _guessed_unit(tall: float, notes: list[str]) -> tuple[str, float]:
    for name in _GUESSED:
        if SMALLEST_BODY <= tall * UNITS[name] <= LARGEST_BODY:
            return name, UNITS[name]
    scale = LIKELY_HEIGHT / tall
    notes.append(
        f"no usual unit makes this body a person ({tall:.4g} units tall): it was scaled to {LIKELY_HEIGHT} m; say "
        "--height or --from-unit if you know better"
    )
    return f"{scale:.4g} m", scale


def _guessed_up(recording: Recording) -> str:
    _, y, z = uprightness(recording.rigged, recording.joints)
    return "z" if z > LEAST_UPRIGHT and z > abs(y) else "y"


def _standing(rigged: Rigged) -> Rigged:
    """Return the same motion, its rest pose on the floor: BVH files do not tell where it is."""
    rest, _ = rigged.rest_world()
    offsets = rigged.offsets.copy()
    offsets[0, 1] -= rest[:, 1].min()
    return replace(rigged, offsets=offsets)


def scaled(rigged: Rigged, scale: float) -> Rigged:
    """Return the same motion with all lengths multiplied."""
    if scale == 1.0:
        return rigged
    return replace(
        rigged,
        offsets=rigged.offsets * scale,
        places={bone: place * scale for bone, place in rigged.places.items()},
        tips={bone: tip * scale for bone, tip in rigged.tips.items()},
    )


def y_up(rigged: Rigged) -> Rigged:
    """Return a motion of a world with +Z up in ours: a vector (x, y, z) becomes (x, z, -y)."""
    turn = from_matrix(Y_UP_FROM_Z_UP)
    rest, turns, offsets = rigged.rest.copy(), rigged.rotations.copy(), rigged.offsets.copy()
    rest[0], turns[:, 0] = multiply(turn, rest[0]), multiply(turn, turns[:, 0])
    offsets[0] = rotate(turn, offsets[0])
    places = {bone: rotate(turn, place) if bone == 0 else place for bone, place in rigged.places.items()}
    return replace(rigged, rest=rest, rotations=turns, offsets=offsets, places=places)
