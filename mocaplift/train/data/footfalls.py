"""Where and when the paws of a walking creature stand, and how its legs reach them: no paw slides while it stands.

A gait is when in a stride each leg lands, and for how much of the stride it stands. A creature that stands goes on
stepping in place, without lifting a paw: so paws follow it when it turns, sits down or sets off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData

# Height of a paw's keypoint over the floor while it stands, and how high a full step lifts it (m).
PAW_HEIGHT, LIFT = 0.02, 0.07
# A step this long (m) is a full one; shorter ones lift less.
FULL_STEP = 0.2
# A leg reaches this share of its length, and folds to no less than that of the difference of its bones.
LONGEST_REACH, SHORTEST_REACH = 0.99, 1.02
LEGS = ("left_fore", "right_fore", "left_hind", "right_hind")


@dataclass(frozen=True)
class Gait:
    """When each of `LEGS` lands, the share of a stride that it stands, and between which speeds (m/s) it is used.

    `cadence` (strides per second) goes with the speeds. `bounce` (m) is how far the body goes up and down,
    `rocking` (rad) how far its front and its back do so in turn.
    """

    landings: tuple[float, float, float, float]
    stands: float
    speeds: tuple[float, float]
    cadence: tuple[float, float]
    bounce: float
    rocking: float


# Phases of dogs: walk and trot as in any textbook of gaits; the bound is a rotary gallop without its long flight.
GAITS = {
    "stand": Gait((0.25, 0.75, 0.0, 0.5), 0.75, (0.0, 0.0), (1.4, 1.4), 0.0, 0.0),
    "walk": Gait((0.25, 0.75, 0.0, 0.5), 0.62, (0.35, 1.2), (1.1, 1.7), 0.01, 0.01),
    "trot": Gait((0.5, 1.0, 0.0, 0.5), 0.46, (1.1, 2.0), (1.9, 2.4), 0.02, 0.01),
    "bound": Gait((0.5, 0.62, 0.0, 0.1), 0.38, (1.7, 2.6), (2.2, 2.7), 0.0225, 0.12),
}


def paw_path(
    phase: Float[np.ndarray, "T"],
    stands: Float[np.ndarray, "T"],
    below: Float[np.ndarray, "T 2"],
    lift: float = LIFT,
) -> Float[np.ndarray, "T 3"]:
    """Return where a paw is (m, world).

    Args:
        phase: of the leg, in strides, never falling: the paw lands at whole numbers.
        stands: the share of a stride that the paw stands.
        below: the place (x, z) on the floor at which the paw wants to be.
        lift: how high a full step goes, metres.
    """
    frames = np.arange(len(phase))
    # One more at both ends: the paw stands somewhere before it first lands and after it last leaves.
    strides = np.arange(np.ceil(phase[0]) - 1, np.floor(phase[-1]) + 2)
    left = np.maximum.accumulate(phase - stands)
    lands = np.interp(strides, phase, frames)
    leaves = np.maximum(np.interp(strides, left, frames), lands)
    middle = 0.5 * (lands + leaves)
    place = np.stack([np.interp(middle, frames, axis) for axis in below.T], axis=-1)
    out = np.zeros((len(phase), 3))
    which = np.clip(np.searchsorted(lands, frames, side="right") - 1, 0, len(strides) - 1)
    following = np.minimum(which + 1, len(strides) - 1)
    share = (frames - leaves[which]) / np.maximum(lands[following] - leaves[which], 1e-6)
    share = np.clip(np.where(following > which, share, 0.0), 0.0, 1.0)[:, None]
    step = place[following] - place[which]
    out[:, [0, 2]] = place[which] + step * share**3 * (10 - 15 * share + 6 * share**2)
    height = np.minimum(np.linalg.norm(step, axis=-1) / FULL_STEP, 1.0) * lift
    out[:, 1] = PAW_HEIGHT + height * 16 * (share * (1 - share))[:, 0] ** 2
    return out


def missing_reach(
    start: Float[np.ndarray, "T 3"], paw: Float[np.ndarray, "T 3"], length: float
) -> Float[np.ndarray, "T"]:
    """Return by how much (m) the start of a leg of that length must sink for the paw to be within reach.

    Raises:
        InvalidData: the paw is too far to the side in some frame: no sinking helps.
    """
    aside = np.square((paw - start)[:, [0, 2]]).sum(axis=-1)
    highest = (LONGEST_REACH * length) ** 2 - aside
    if (highest < 0).any():
        raise InvalidData(f"frame {int(np.argmin(highest))}: no leg of {length:.2f} m reaches its paw")
    return np.maximum((start - paw)[:, 1] - np.sqrt(highest), 0.0)


def bent(
    start: Float[np.ndarray, "T 3"],
    end: Float[np.ndarray, "T 3"],
    towards: Float[np.ndarray, "T 3"],
    lengths: tuple[float | Float[np.ndarray, "T 1"], float | Float[np.ndarray, "T 1"]],
) -> Float[np.ndarray, "T 3"]:
    """Return the joint in the middle of a leg of two bones, on the side that `towards` points to.

    Raises:
        InvalidData: the end is out of reach in some frame.
    """
    upper, lower = lengths
    along = end - start
    distance = np.linalg.norm(along, axis=-1, keepdims=True)
    if (distance > upper + lower).any() or (distance < SHORTEST_REACH * np.abs(upper - lower)).any():
        raise InvalidData("a paw is out of its leg's reach")
    along = along / distance
    aside = towards - (towards * along).sum(axis=-1, keepdims=True) * along
    aside = aside / np.linalg.norm(aside, axis=-1, keepdims=True)
    ahead = (upper**2 + distance**2 - lower**2) / (2 * distance)
    return start + ahead * along + np.sqrt(np.maximum(upper**2 - ahead**2, 0.0)) * aside
