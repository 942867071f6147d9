"""Cameras around a person: the real one, turned upright and towards them, and level ones on a ring that exist not.

Their pictures are measured in metres at the middle of the ring: x/z and y/z times the camera's distance from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.lift.direct.features import looking_at
from mocaplift.lift.point_prior import about_vertical

# Cameras that exist not stand this far away (m), however far the real one is: nobody walks out of their pictures.
RING_RADIUS = 6.0
# Points nearer to a camera's plane than this share of its distance are seen as if they were there.
NEAREST = 0.1
# Weight of the middle of the ring in a triangulation.
UNSURE = 1e-6


@dataclass(frozen=True, eq=False)
class Ring:
    """V cameras: places (m), axes (rows right, down and ahead in the world), distances to the middle (m)."""

    centre: Float[np.ndarray, "*lead V 3"]
    axes: Float[np.ndarray, "*lead V 3 3"]
    radius: Float[np.ndarray, "*lead V"]

    @classmethod
    def around(
        cls,
        axes: Float[np.ndarray, "*lead 3 3"],
        distance: Float[np.ndarray, "*lead"],
        azimuths: Sequence[float],
        radius: float = RING_RADIUS,
    ) -> Ring:
        """Return a camera at the origin with these axes, and level ones about the point at a distance ahead of it.

        `azimuths` (rad) are turns about +Y from where the first camera stands.
        """
        ahead = axes[..., 2, :]
        middle = distance[..., None] * ahead
        level = ahead * [1.0, 0.0, 1.0]
        level = level / np.maximum(np.linalg.norm(level, axis=-1, keepdims=True), 1e-9)
        centres, turned = [np.zeros_like(middle)], [axes]
        for azimuth in azimuths:
            towards = level @ about_vertical(np.asarray(azimuth)).T
            turned.append(looking_at(towards))
            centres.append(middle - radius * towards)
        others = np.full((*distance.shape, len(azimuths)), radius)
        return cls(
            centre=np.stack(centres, axis=-2),
            axes=np.stack(turned, axis=-3),
            radius=np.concatenate([distance[..., None], others], axis=-1),
        )

    def part(self, views: Sequence[int]) -> Ring:
        """Return the ring of some of the cameras."""
        chosen = list(views)
        return Ring(self.centre[..., chosen, :], self.axes[..., chosen, :, :], self.radius[..., chosen])

    def see(self, xyz: Float[np.ndarray, "*lead T J 3"]) -> Float[np.ndarray, "*lead V T J 2"]:
        """Return points in the pictures of all cameras."""
        away = xyz[..., None, :, :, :] - self.centre[..., None, None, :]
        local = away @ np.swapaxes(self.axes, -1, -2)[..., None, :, :]
        radius = self.radius[..., None, None, None]
        return local[..., :2] * radius / np.maximum(local[..., 2:], NEAREST * radius)

    def directions(self, plane: Float[np.ndarray, "*lead V T J 2"]) -> Float[np.ndarray, "*lead V T J 3"]:
        """Return the unit rays through points of the pictures, in the world."""
        ahead = np.broadcast_to(self.radius[..., None, None, None], (*plane.shape[:-1], 1))
        ray = np.concatenate([plane, ahead], axis=-1) @ self.axes[..., None, :, :]
        return ray / np.linalg.norm(ray, axis=-1, keepdims=True)

    def lines(self, plane: Float[np.ndarray, "*lead T J 2"], view: int) -> Float[np.ndarray, "*lead V T J 3"]:
        """Return where each camera must see what one of them sees there: lines a x + b y + c = 0, a^2 + b^2 = 1.

        A line in a camera's own picture, or of a point on the way from camera to camera, is no line: zeros.
        """
        seen_by = self.part([view])
        ray = seen_by.directions(plane[..., None, :, :, :])
        direction = ray @ np.swapaxes(self.axes, -1, -2)[..., None, :, :]
        baseline = seen_by.centre - self.centre
        towards = (self.axes @ baseline[..., None])[..., 0]
        return lines_through(towards, direction, self.radius)

    def triangulated(
        self,
        plane: Float[np.ndarray, "*lead V T J 2"],
        weight: Float[np.ndarray, "*lead V T J"],
    ) -> Float[np.ndarray, "*lead T J 3"]:
        """Return the points nearest to the rays: sum w (I - d d^T) (x - c) = 0.

        Two weights above 0 and rays that are not parallel are needed; the middle of the ring pulls a little, so
        that there always is an answer.
        """
        ray = self.directions(plane)
        weighted = weight[..., None] * ray
        across = -np.einsum("...vtji,...vtjk->...tjik", weighted, ray)
        total = weight.sum(axis=-3)
        across = across + (total + UNSURE)[..., None, None] * np.eye(3)
        along = (ray * self.centre[..., None, None, :]).sum(axis=-1, keepdims=True)
        pull = (weight[..., None] * self.centre[..., None, None, :] - along * weighted).sum(axis=-4)
        middle = self.centre[..., 0, :] + self.radius[..., 0, None] * self.axes[..., 0, 2, :]
        pull = pull + UNSURE * middle[..., None, None, :]
        return np.linalg.solve(across, pull[..., None])[..., 0]


def lines_through(
    towards: Float[np.ndarray, "*lead 3"],
    direction: Float[np.ndarray, "*lead T J 3"],
    radius: Float[np.ndarray, "*lead"],
) -> Float[np.ndarray, "*lead T J 3"]:
    """Return the lines of a picture (m at `radius`) on which points in these directions from another camera lie.

    `towards` is the vector to that camera, both in axes of the camera whose picture it is. A point in its very
    direction, or no vector, has no line: zeros.
    """
    line = np.cross(np.broadcast_to(towards[..., None, None, :], direction.shape), direction)
    line[..., 2] *= radius[..., None, None]
    length = np.linalg.norm(line[..., :2], axis=-1, keepdims=True)
    apart = np.linalg.norm(towards, axis=-1)[..., None, None, None]
    return np.where(length > 1e-6 * apart, line / np.maximum(length, 1e-12), 0.0)
