"""What several views say of each point: rays that pass near it, each with what its error is expected to be.

Lens distortion is removed. An error is a length across the ray, in metres at the person; the detector's
confidence tells its usual size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.values import Camera, Keypoints2D

# Degrees of freedom of the Student-t of a detection's error: 3 to 6 fit real detections equally well.
TAIL = 6.0


def check_views(views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> None:
    """Refuse views that cannot be triangulated.

    Raises:
        InvalidData: fewer than two views, not one camera for each, or views of different lengths.
    """
    if len(views) < 2 or len(views) != len(cameras):
        raise InvalidData(
            f"triangulation needs two or more views with a camera each, not {len(views)} views and "
            f"{len(cameras)} cameras"
        )
    if len({len(view.xy) for view in views}) != 1:
        lengths = ", ".join(str(len(view.xy)) for view in views)
        raise InvalidData(f"the views have different numbers of frames: {lengths}")


@dataclass(frozen=True, eq=False)
class ViewRays:
    """Unit directions in the world, camera centres, and standard deviations (m) across the ray.

    A point that was not seen has sigma infinity; its direction means nothing.
    """

    direction: Float[np.ndarray, "V T 21 3"]
    centre: Float[np.ndarray, "V 3"]
    sigma: Float[np.ndarray, "V T 21"]

    @classmethod
    def of(cls, views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> ViewRays:
        """Return the rays of what the cameras saw, in body21.

        Raises:
            InvalidData: fewer than two views, not one camera for each, or views of different lengths.
        """
        check_views(views, cameras)
        seen = [remap_keypoints(view, BODY21) for view in views]
        return cls(
            direction=np.stack(
                [
                    rays(camera, np.where(view.conf[..., None] > 0, view.xy, 0.0))
                    for view, camera in zip(seen, cameras, strict=True)
                ]
            ),
            centre=np.stack([centre(camera) for camera in cameras]),
            sigma=np.stack([confidence_sigma(view) for view in seen]),
        )

    def part(self, frames: slice | Int[np.ndarray, "S"]) -> ViewRays:
        """Return the rays of some of the frames."""
        return replace(self, direction=self.direction[:, frames], sigma=self.sigma[:, frames])

    def misses(self, xyz: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "V T 21 3"]:
        """Return the vectors from each ray to the points, across the ray, metres."""
        return self.across(xyz - self.centre[:, None, None])

    def across(self, vectors: Float[np.ndarray, "*lead T 21 3"]) -> Float[np.ndarray, "V T 21 3"]:
        """Return what of the vectors each camera can see: the part across its rays."""
        return vectors - (vectors * self.direction).sum(-1, keepdims=True) * self.direction

    def cost(self, xyz: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T"]:
        """Return the negative log likelihood of the points of every frame, up to a constant."""
        seen = np.isfinite(self.sigma)
        squared = np.square(self.misses(xyz)).sum(-1) / np.where(seen, self.sigma, 1.0) ** 2
        cost: Float[np.ndarray, "T"] = np.where(seen, np.log1p(squared / TAIL), 0.0).sum(axis=(0, 2))
        return (TAIL + 2) / 2 * cost

    def quadratic(
        self, xyz: Float[np.ndarray, "T 21 3"] | None
    ) -> tuple[Float[np.ndarray, "T 21 3 3"], Float[np.ndarray, "T 21 3"]]:
        """Return A and b of the cost x A x / 2 - b x of each point, reweighted for outliers seen from `xyz`.

        The weighted sum of squared distances to the rays: A = sum w (I - d d^T), b = sum w (I - d d^T) c. Without
        a point to look from, all rays count in full.
        """
        seen = np.isfinite(self.sigma)
        weight = np.where(seen, 1 / np.where(seen, self.sigma, 1.0) ** 2, 0.0)
        if xyz is not None:
            squared = np.square(self.misses(xyz)).sum(-1) * weight
            weight = weight * (TAIL + 2) / (TAIL + squared)
        weighted = weight[..., None] * self.direction
        outer = np.swapaxes(np.moveaxis(weighted, 0, -1), -1, -2)  # [T 21 V 3]
        across = -np.swapaxes(outer, -1, -2) @ np.moveaxis(self.direction, 0, -2)
        across[..., range(3), range(3)] += weight.sum(axis=0)[..., None]
        along = (self.direction * self.centre[:, None, None]).sum(-1, keepdims=True)
        pull = weight[..., None] * self.centre[:, None, None] - along * weighted
        return across, pull.sum(axis=0)
