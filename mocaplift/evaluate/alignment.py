"""Rigid and similarity transforms that bring one set of points onto another, in least squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.values import Layout

# A similarity has seven unknowns: three points give nine equations and nearly always a flattering fit.
FEWEST_POINTS = 4


class Transform(NamedTuple):
    """x -> scale * rotation @ x + shift. NaN where too few points were common."""

    scale: Float[np.ndarray, "*lead"]
    rotation: Float[np.ndarray, "*lead 3 3"]
    shift: Float[np.ndarray, "*lead 3"]

    def apply(self, points: Float[np.ndarray, "*lead N 3"]) -> Float[np.ndarray, "*lead N 3"]:
        """Return the points moved by this transform."""
        turned = points @ np.swapaxes(self.rotation, -1, -2)
        return self.scale[..., None, None] * turned + self.shift[..., None, :]


def align(
    source: Float[np.ndarray, "*lead N 3"],
    target: Float[np.ndarray, "*lead N 3"],
    *,
    with_scale: bool,
    fewest: int = FEWEST_POINTS,
) -> Transform:
    """Return the transform that takes source nearest to target: rigid, or a similarity with a scale.

    Umeyama 1991, equations 40-43. Points missing (NaN) on either side do not count.
    """
    seen = np.isfinite(source).all(-1) & np.isfinite(target).all(-1)
    weight = seen[..., None].astype(float)
    count = np.maximum(seen.sum(-1), 1)[..., None].astype(float)
    a = np.where(seen[..., None], source, 0.0)
    b = np.where(seen[..., None], target, 0.0)
    mean_a, mean_b = a.sum(-2) / count, b.sum(-2) / count
    a = (a - mean_a[..., None, :]) * weight
    b = (b - mean_b[..., None, :]) * weight
    u, d, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    # A reflection would fit a mirrored body: the last axis is turned over instead.
    sign = np.ones_like(d)
    sign[..., 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[..., None, :]) @ vt
    scale = np.ones(d.shape[:-1])
    if with_scale:
        spread = (a * a).sum((-1, -2))
        scale = np.where(spread > 0, (d * sign).sum(-1) / np.where(spread > 0, spread, 1.0), 1.0)
    shift = mean_b - scale[..., None] * (rotation @ mean_a[..., None])[..., 0]
    enough = seen.sum(-1) >= fewest
    return Transform(
        np.where(enough, scale, np.nan),
        np.where(enough[..., None, None], rotation, np.nan),
        np.where(enough[..., None], shift, np.nan),
    )


def hip_yaw(xyz: Float[np.ndarray, "J 3"], layout: Layout) -> float:
    """Return the angle in radians about +Y of the line from the right hip to the left; 0 is facing +Z.

    NaN where a hip is missing.
    """
    across = xyz[layout.at("left_hip")] - xyz[layout.at("right_hip")]
    return float(np.arctan2(-across[2], across[0]))


def turned(xyz: Float[np.ndarray, "*lead 3"], yaw: float) -> Float[np.ndarray, "*lead 3"]:
    """Return the points turned about the world's +Y by an angle in radians."""
    return rotations.rotate(rotations.about_axis("Y", yaw), xyz)
