"""What is known of a body's points before anybody is seen: how they usually lie to each other.

A Gaussian over the 63 coordinates of body21 about their mean, its translation free: once for a person who may
face anywhere, once in the axes of a person's own heading, where it is much tighter. Learnt from motion capture
on many bodies (`mocaplift train points`), with the lengths of the bones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float

from mocaplift.errors import WeightsError
from mocaplift.layouts import BODY21
from mocaplift.weights import load_arrays, locate

KIND = "point-prior"
# Standard deviation (m) of where a person is, before anything is known, and of one point by itself: what the
# Gaussian does not explain.
PLACE_SIGMA = 50.0
POINT_SIGMA = 0.02
NUM_COORDINATES = 3 * len(BODY21)
# Bones whose lengths stay what they are; left and right of a pair follow each other.
BONES = (
    ("left_hip", "left_knee"), ("right_hip", "right_knee"), ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
)  # fmt: skip
BONE_STARTS = BODY21.index(*(a for a, _ in BONES))
BONE_ENDS = BODY21.index(*(b for _, b in BONES))

_LEFT = BODY21.index("left_shoulder", "left_hip")
_RIGHT = BODY21.index("right_shoulder", "right_hip")


@dataclass(frozen=True, eq=False)
class PointPrior:
    """Means and covariances of the points about their mean, metres: any heading, and facing +Z."""

    mean_anywhere: Float[np.ndarray, "21 3"]
    covariance_anywhere: Float[np.ndarray, "63 63"]
    mean_ahead: Float[np.ndarray, "21 3"]
    covariance_ahead: Float[np.ndarray, "63 63"]
    bone_mean: Float[np.ndarray, "B"]
    bone_sigma: Float[np.ndarray, "B"]

    def anywhere(self, frames: int) -> tuple[Float[np.ndarray, "T 63 63"], Float[np.ndarray, "T 63"]]:
        """Return P and P m of the cost (x - m) P (x - m) / 2 for people whose heading is unknown."""
        precision = np.broadcast_to(self._precision_anywhere, (frames, NUM_COORDINATES, NUM_COORDINATES))
        pull = self._precision_anywhere @ self.mean_anywhere.ravel()
        return precision, np.broadcast_to(pull, (frames, NUM_COORDINATES))

    def facing(
        self, xyz: Float[np.ndarray, "T 21 3"]
    ) -> tuple[Float[np.ndarray, "T 63 63"], Float[np.ndarray, "T 63"]]:
        """Return P and P m for people who face where these points do."""
        turn = about_vertical(heading(xyz))
        frames, points = xyz.shape[:2]
        mean = self.mean_ahead @ np.swapaxes(turn, 1, 2)
        # R P R^T: `turn` is the same for all points of a frame.
        half = self._precision_ahead.reshape(-1, 3) @ np.swapaxes(turn, 1, 2)
        half = half.reshape(frames, points, 3, NUM_COORDINATES).swapaxes(2, 3).reshape(frames, -1, 3)
        precision = (half @ np.swapaxes(turn, 1, 2)).reshape(frames, points, NUM_COORDINATES, 3)
        precision = precision.swapaxes(2, 3).reshape(frames, NUM_COORDINATES, NUM_COORDINATES)
        return precision, (precision @ mean.reshape(frames, -1, 1))[..., 0]

    @cached_property
    def _precision_anywhere(self) -> Float[np.ndarray, "63 63"]:
        return _precision(self.covariance_anywhere)

    @cached_property
    def _precision_ahead(self) -> Float[np.ndarray, "63 63"]:
        return _precision(self.covariance_ahead)


@lru_cache(maxsize=2)
def load_point_prior(name: str = "point-prior") -> PointPrior:
    """Return the prior of a weight file.

    Raises:
        WeightsError: the file is missing, damaged, or made for other joints or bones.
    """
    path = locate(name)
    arrays, header = load_arrays(path, KIND)
    bones = [list(bone) for bone in BONES]
    if tuple(header.get("keypoints", ())) != BODY21.joints or header.get("bones") != bones:
        raise WeightsError(f"{path}: made for other joints or bones than this version of mocaplift has")
    names = PointPrior.__dataclass_fields__
    try:
        return PointPrior(**{name: arrays[name].astype(float) for name in names})
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error}") from error


def heading(xyz: Float[np.ndarray, "*lead 21 3"]) -> Float[np.ndarray, "*lead"]:
    """Return where people face, as the angle (rad) about +Y from +Z, by their shoulders and hips.

    Facing +Z, the left side is at +X; a turn about +Y by a takes +X to (cos a, 0, -sin a).
    """
    across = xyz[..., _LEFT, :].sum(axis=-2) - xyz[..., _RIGHT, :].sum(axis=-2)
    return np.arctan2(-across[..., 2], across[..., 0])


def about_vertical(angle: Float[np.ndarray, "*lead"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return the matrices of turns about +Y by these angles (rad)."""
    turn = np.zeros((*angle.shape, 3, 3))
    turn[..., 0, 0] = turn[..., 2, 2] = np.cos(angle)
    turn[..., 0, 2] = np.sin(angle)
    turn[..., 2, 0] = -turn[..., 0, 2]
    turn[..., 1, 1] = 1.0
    return turn


def _precision(covariance: Float[np.ndarray, "63 63"]) -> Float[np.ndarray, "63 63"]:
    """Return the inverse of the covariance with a free translation and some room for each point."""
    place = np.tile(np.eye(3), (len(BODY21), len(BODY21))) * PLACE_SIGMA**2
    return np.linalg.inv(covariance + place + POINT_SIGMA**2 * np.eye(NUM_COORDINATES))
