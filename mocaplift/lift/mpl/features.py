"""What the MPL network is told, and in which units: used by training and inference alike.

Everything is relative to the triangulated body: its own centre, its own heading, metres. So the network knows
no room and no rig, and views may come in any number and order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.lift.point_prior import about_vertical, heading

# Lengths over which misses of rays and spreads of points are told apart (m).
MISS_SCALE = 0.04
SPREAD_SCALE = 0.05
USUAL_DISTANCE = 4.0  # m, of a camera
USUAL_SIGMA = 0.03  # m
# Direction 3, miss of the triangulated point 3, the ray's point nearest to it 3, and one each: expected error,
# miss in units of it, distance of the camera.
NUM_OBSERVATION = 12
# Place 3 and covariance 6.
NUM_POINT = 9
_UPPER = (np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 1, 2, 2]))
# Signs of the features under a mirror image, left exchanged with right: x of every vector.
MIRROR_OBSERVATION = np.array([-1, 1, 1, -1, 1, 1, -1, 1, 1, 1, 1, 1], dtype=np.float32)
MIRROR_POINT = np.array([-1, 1, 1, 1, -1, -1, 1, 1, 1], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Features:
    """What is told of each observation and of each triangulated point; where the person's own axes lie.

    `turn` takes the person's axes (X to the left, Y up, Z ahead) to the world's.
    """

    observation: Float[np.ndarray, "*lead T V 21 F"]
    seen: Bool[np.ndarray, "*lead T V 21"]
    point: Float[np.ndarray, "*lead T 21 G"]
    turn: Float[np.ndarray, "*lead T 3 3"]

    @property
    def view_seen(self) -> Bool[np.ndarray, "*lead T V"]:
        """Which views see anything of the person."""
        return np.asarray(self.seen.any(axis=-1))


def features(
    direction: Float[np.ndarray, "*lead V T 21 3"],
    centre: Float[np.ndarray, "*lead V 3"],
    sigma: Float[np.ndarray, "*lead V T 21"],
    xyz: Float[np.ndarray, "*lead T 21 3"],
    covariance: Float[np.ndarray, "*lead T 21 3 3"],
) -> Features:
    """Return the features of rays (as in `ViewRays`) and of what was triangulated from them."""
    turn = about_vertical(heading(xyz))
    seen = np.isfinite(sigma)
    away = xyz[..., None, :, :, :] - centre[..., :, None, None, :]
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    miss = away - (away * direction).sum(-1, keepdims=True) * direction
    middle = xyz.mean(axis=-2, keepdims=True)
    nearest = (xyz - middle)[..., None, :, :, :] - miss
    spread = np.where(seen, sigma, USUAL_SIGMA)[..., None]
    local = [_turned(each, turn[..., None, :, :, :]) for each in (direction, miss, nearest)]
    local[1] = np.arcsinh(local[1] / MISS_SCALE)
    length = np.linalg.norm(miss, axis=-1, keepdims=True)
    told = np.concatenate(
        [
            *local,
            np.log(spread / USUAL_SIGMA),
            np.arcsinh(length / spread),
            np.log(distance / USUAL_DISTANCE),
        ],
        axis=-1,
    )
    told = np.where(seen[..., None], told, 0.0)
    inward = np.swapaxes(turn, -1, -2)[..., None, :, :]
    around = np.arcsinh((inward @ covariance @ np.swapaxes(inward, -1, -2)) / SPREAD_SCALE**2)
    point = np.concatenate([_turned(xyz - middle, turn), around[..., _UPPER[0], _UPPER[1]]], axis=-1)
    return Features(
        observation=np.moveaxis(told, -4, -3).astype(np.float32),
        seen=np.moveaxis(seen, -3, -2),
        point=point.astype(np.float32),
        turn=turn,
    )


def _turned(
    vectors: Float[np.ndarray, "*lead T 21 3"], turn: Float[np.ndarray, "*#lead T 3 3"]
) -> Float[np.ndarray, "*lead T 21 3"]:
    """Return world vectors in the person's axes: R^T v, as rows v R."""
    return vectors @ turn
