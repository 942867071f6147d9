"""What the fit asks of a pose, as costs on keypoints and their quadratic models.

Every term is a cost in the same currency, a negative log likelihood at `REFERENCE_FPS`; a clip of another rate
is weighted so that a second of it counts the same. Constants with their units and origin are in `Strengths`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import NEAREST_DEPTH, cam_points, normalized
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.values import Camera, Keypoints2D

REFERENCE_FPS = 30.0


@dataclass(frozen=True)
class Strengths:
    """How much each term weighs. Chosen on the AIST++ development set, flat within a factor of 2 to 3."""

    pixel: float = 0.5  # share of a detection's log likelihood: its errors last for several frames
    pixel_tail: float = 4.0  # degrees of freedom of the Student-t of a detection
    pixel_floor: float = 0.008  # m, no detection is believed to be better than this
    pose: float = 0.3  # share of the prior's log likelihood: neighbouring frames repeat each other
    acceleration_tail: float = 4.0  # degrees of freedom: a kick is no mistake
    acceleration: float = 1.5  # factor on the accelerations below
    paces: tuple[float, float] = (0.7, 1.8)  # least and most for `acceleration` by how the person moves
    drift: float = 0.9  # m/s, speed of the hips: people stay about where they are, walkers pay little more
    drift_tail: float = 2.0
    turn_acceleration: float = 60.0  # rad/s^2, joints' own turns; holds twists that no keypoint shows
    limit: float = 0.1  # rad, how far joints go beyond their limits
    shape: float = 0.1  # per frame: errors of the shape are common to a whole clip
    lift: float = 0.03  # share of a hypothesis' log likelihood: its errors last for the whole clip
    consensus: float = 400.0  # 1/m^2, weight of the mean of the hypotheses where it is solved again
    settled: float = 100.0  # 1/m^2, weight of the points of that solve when the feet are settled
    lift_tail: float = 4.0  # degrees of freedom of a hypothesis
    slip: float = 0.10  # m/s, speed of a planted point
    floor: float = 0.015  # m, height of a planted point over the floor
    under: float = 0.01  # m, depth of any point under the floor


@dataclass(frozen=True, eq=False)
class Observation:
    """One view's keypoints as rays in camera axes (x/z, y/z), and what their errors are expected to be.

    Errors are angles; a table tells them in metres at the person's depth. That depth is taken from the start of
    the fit and kept: if it moved with the fit, coming nearer to the camera would make every error small.
    """

    camera: Camera
    plane: Float[np.ndarray, "T K 2"]
    spread: Float[np.ndarray, "T K"]  # m, infinite where nothing was seen
    depth: Float[np.ndarray, "T"]  # m
    least: float  # m, no detection is believed to be better than this

    @classmethod
    def of(
        cls, keypoints: Keypoints2D, camera: Camera, hips: Float[np.ndarray, "T 3"], least: float
    ) -> Observation:
        """Return a view's observation of a person whose hips are about there (world metres)."""
        body = remap_keypoints(keypoints, BODY21)
        return cls(
            camera=camera,
            plane=normalized(camera, np.nan_to_num(body.xy)),
            spread=confidence_sigma(body),
            depth=np.maximum(cam_points(camera, hips)[..., 2], NEAREST_DEPTH),
            least=least,
        )

    def part(self, frames: np.ndarray | slice) -> Observation:
        """Return the observation of some of the frames."""
        return replace(self, plane=self.plane[frames], spread=self.spread[frames], depth=self.depth[frames])

    @cached_property
    def weight(self) -> Float[np.ndarray, "T K"]:
        """One over the variance in the plane; 0 where nothing was seen."""
        seen = np.isfinite(self.spread)
        variance = np.where(seen, self.spread, 1.0) ** 2 + self.least**2
        return np.where(seen, self.depth[:, None] ** 2 / variance, 0.0)

    def cost(self, xyz: Float[np.ndarray, "T K 3"], tail: float) -> float:
        """Return the cost of the reprojection."""
        _, error = self._error(xyz)
        squared = np.square(error).sum(-1) * self.weight
        return float(0.5 * (tail + 2) * np.log1p(squared / tail).sum())

    def quadratic(
        self, xyz: Float[np.ndarray, "T K 3"], tail: float
    ) -> tuple[Float[np.ndarray, "T K 3 3"], Float[np.ndarray, "T K 3"]]:
        """Return the curvature and gradient of the cost by each point, iteratively reweighted."""
        seen, error = self._error(xyz)
        near = seen[..., 2:]
        squared = np.square(error).sum(-1) * self.weight
        weight = self.weight * (tail + 2) / (tail + squared)
        slope = np.zeros((*xyz.shape[:2], 2, 3))
        slope[..., 0, 0] = slope[..., 1, 1] = 1 / near[..., 0]
        slope[..., 2] = -seen[..., :2] / near**2
        slope = slope @ self.camera.cam_from_world[:3, :3]
        weighted = slope * weight[..., None, None]
        curvature = np.swapaxes(slope, -1, -2) @ weighted
        gradient = (np.swapaxes(weighted, -1, -2) @ error[..., None])[..., 0]
        return curvature, gradient

    def _error(
        self, xyz: Float[np.ndarray, "T K 3"]
    ) -> tuple[Float[np.ndarray, "T K 3"], Float[np.ndarray, "T K 2"]]:
        seen = cam_points(self.camera, xyz)
        seen[..., 2] = np.maximum(seen[..., 2], NEAREST_DEPTH)
        return seen, seen[..., :2] / seen[..., 2:] - self.plane


@dataclass(frozen=True, eq=False)
class Target:
    """Where a lifter believes the points to be, as a weight 1/m^2 per point; 0 where it has no idea."""

    xyz: Float[np.ndarray, "T K 3"]
    weight: Float[np.ndarray, "T K"]

    def cost(self, xyz: Float[np.ndarray, "T K 3"], tail: float) -> float:
        """Return the cost of the distance to the target."""
        squared = np.square(xyz - self.xyz).sum(-1) * self.weight
        return float(0.5 * tail * np.log1p(squared / tail).sum())

    def quadratic(
        self, xyz: Float[np.ndarray, "T K 3"], tail: float
    ) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K 3"]]:
        """Return the (isotropic) curvature and the gradient of the cost by each point."""
        away = xyz - self.xyz
        squared = np.square(away).sum(-1) * self.weight
        weight = self.weight * tail / (tail + squared)
        return weight, weight[..., None] * away


@dataclass(frozen=True, eq=False)
class Ground:
    """Feet on a floor of unknown height: which points are planted when (columns: `points` of body21)."""

    points: list[int]
    planted: Bool[np.ndarray, "T F"]
    drops: Float[np.ndarray, "F"]  # m, how far each point is above the sole of a flat foot


def second_differences(x: Float[np.ndarray, "T *rest"]) -> Float[np.ndarray, "T *rest"]:
    """Return x[t-1] - 2 x[t] + x[t+1], zero at both ends."""
    out = np.zeros_like(x)
    out[1:-1] = x[:-2] - 2 * x[1:-1] + x[2:]
    return out


def spread_second_differences(x: Float[np.ndarray, "T *rest"]) -> Float[np.ndarray, "T *rest"]:
    """Return the transpose of `second_differences` applied to x (its ends must be zero)."""
    out = -2 * x
    out[:-1] += x[1:]
    out[1:] += x[:-1]
    return out
