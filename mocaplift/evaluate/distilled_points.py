"""Points that are optimised until the network of stage 1 finds nothing to improve in their pictures.

Score distillation in 3D, the ablation of MVLift's paper, and its stage 2, where pictures are optimised and points
triangulated from them. Both take windows of what a camera saw and return their points about it (m, world axes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift.conditions import POSE_SPREAD, ROOT_SPREAD, Observed, encoded
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.line_views import (
    AZIMUTHS,
    Adam,
    Distilling,
    distilled,
    each_alone,
    score_slope,
    told_by_lines,
)
from mocaplift.lift.mvlift.network import Denoiser
from mocaplift.lift.mvlift.ring import NEAREST, Ring
from mocaplift.lift.mvlift.sampling import points_of, ring_of


@dataclass(frozen=True)
class PointDistilling:
    """How points are optimised; the defaults are the paper's, but that there the rate does not fall."""

    iterations: int = 3000
    rate: float = 1e-2  # m, of the first step; the last is all but 0
    seen_weight: float = 1e3  # of the mean square distance (m^2) from what was observed
    has_lines: bool = True  # False: the network is not told the lines of what was observed


def distilled_views(
    network: Denoiser, seen: Observed, rng: np.random.Generator, asked: Distilling | None = None
) -> Float[np.ndarray, "N T J 3"]:
    """Return the points nearest to six views, the first as observed, the others distilled."""
    plane = distilled(network, Schedule.cosine(network.steps), seen, network.figure, rng, asked)
    return points_of(seen, plane, ring_of(seen, AZIMUTHS))


def distilled_points(
    network: Denoiser, seen: Observed, rng: np.random.Generator, asked: PointDistilling | None = None
) -> Float[np.ndarray, "N T J 3"]:
    """Return points distilled in 3D from the middle of the ring, where all of them begin."""
    asked, figure = asked or PointDistilling(), network.figure
    ring, schedule = ring_of(seen, AZIMUTHS), Schedule.cosine(network.steps)
    told = told_by_lines(seen, ring, has_lines=asked.has_lines)
    views, adam = each_alone(network), Adam(asked.rate, asked.iterations)
    is_seen = np.isfinite(seen.sigma)
    weight = 2 * asked.seen_weight * is_seen / np.maximum(2 * is_seen.sum(axis=(1, 2), keepdims=True), 1)
    middle = seen.distance[:, None] * seen.axes[:, 2]
    points: np.ndarray = np.zeros((*seen.plane.shape[:-1], 3)) + middle[:, None, None]
    for _ in range(asked.iterations):
        plane = ring.see(points)
        slope = score_slope(views, schedule, encoded(plane, figure), told, rng) / plane.shape[1]
        by_plane = plane_slope(slope, figure)
        by_plane[:, 0] += weight[..., None] * (plane[:, 0] - seen.plane)
        points -= adam.step(point_slope(ring, points, by_plane))
    return points


def plane_slope(slope: Float[np.ndarray, "*lead C"], figure: Figure) -> Float[np.ndarray, "*lead J 2"]:
    """Return the slope by pictures (m) of what has this slope by their channels."""
    pose = slope[..., :-2].reshape(*slope.shape[:-1], len(figure.layout), 2) / POSE_SPREAD
    root = (slope[..., -2:] / ROOT_SPREAD - pose.sum(axis=-2)) / len(figure.root)
    by_plane: Float[np.ndarray, "*lead J 2"] = pose.copy()
    by_plane[..., figure.layout.index(*figure.root), :] += root[..., None, :]
    return by_plane


def point_slope(
    ring: Ring, xyz: Float[np.ndarray, "N T J 3"], slope: Float[np.ndarray, "N V T J 2"]
) -> Float[np.ndarray, "N T J 3"]:
    """Return the slope by points of what has this slope by their pictures in a ring."""
    away = xyz[:, None] - ring.centre[:, :, None, None]
    local = away @ np.swapaxes(ring.axes, -1, -2)[:, :, None]
    radius = ring.radius[:, :, None, None, None]
    ahead = np.maximum(local[..., 2:], NEAREST * radius)
    across = slope * radius / ahead
    # What is too near is seen as if it were not: going further away changes nothing.
    along = -(across * local[..., :2]).sum(axis=-1, keepdims=True) / ahead
    along = np.where(local[..., 2:] > NEAREST * radius, along, 0.0)
    by_camera = np.concatenate([across, along], axis=-1) @ ring.axes[:, :, None]
    found: Float[np.ndarray, "N T J 3"] = by_camera.sum(axis=1)
    return found
