"""Points of any figure whose bones keep their lengths: what a fit is without a body model."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from mocaplift.fit.banded import NormalEquations

STEPS = 6  # of Gauss-Newton; lengths are within a millimetre after four
# How far bones stray from their lengths (units), and how quickly animals change their speed (units/s^2, sigma).
LENGTH_SIGMA, ACCELERATION = 0.005, 12.0
SHORTEST = 1e-3  # below which a bone has no direction
# Share of the usual lengths in the logarithm of the found ones: a window tells the proportions of an animal, but
# what lies along the line of sight is a guess.
USUAL_SHARE = 0.5


def settled_bones(
    points: Float[np.ndarray, "T J 3"],
    ends: Int[np.ndarray, "B 2"],
    usual: Float[np.ndarray, "B"],
    mirror: Int[np.ndarray, "J"],
) -> Float[np.ndarray, "B"]:
    """Return how long (units) the bones of moving points are: medians, drawn to the usual lengths.

    `ends` are the joints of each bone, `mirror` what is on the other side of each joint: left and right get the
    same length.
    """
    found = np.median(np.linalg.norm(points[:, ends[:, 0]] - points[:, ends[:, 1]], axis=-1), axis=0)
    log = (1 - USUAL_SHARE) * np.log(np.maximum(found, SHORTEST)) + USUAL_SHARE * np.log(usual)
    at = {frozenset(pair): bone for bone, pair in enumerate(ends.tolist())}
    other = [at.get(frozenset(mirror[pair].tolist()), bone) for bone, pair in enumerate(ends)]
    return np.exp(0.5 * (log + log[other]))


def with_rigid_bones(
    points: Float[np.ndarray, "T J 3"],
    sigma: Float[np.ndarray, "T J"],
    rays: Float[np.ndarray, "T J 3"],
    ray_sigma: Float[np.ndarray, "T J"],
    ends: Int[np.ndarray, "B 2"],
    lengths: Float[np.ndarray, "B"],
    fps: float,
) -> Float[np.ndarray, "T J 3"]:
    """Return the points nearest to given ones whose bones are so long, that move steadily and lie on rays.

    Everything is about the camera, at the origin, and in the figure's unit. `sigma` are the expected errors of
    the points, `ray_sigma` those of the unit rays at the figure (infinite: no ray).
    """
    xyz = points.copy()
    for _ in range(STEPS):
        system = NormalEquations.zeros(len(xyz), 3 * xyz.shape[1], 0)
        _add_points(system, xyz - points, sigma)
        _add_rays(system, xyz, rays, ray_sigma)
        _add_lengths(system, xyz, ends, lengths)
        _add_steadiness(system, xyz, fps)
        step = system.solve(0.0)
        if step is None:
            break
        xyz = xyz + step[0].reshape(xyz.shape)
    return xyz


def _add(system: NormalEquations, joint: int, other: int, blocks: Float[np.ndarray, "T 3 3"]) -> None:
    rows, columns = slice(3 * joint, 3 * joint + 3), slice(3 * other, 3 * other + 3)
    system.diagonal[:, rows, columns] += blocks


def _add_points(
    system: NormalEquations, away: Float[np.ndarray, "T J 3"], sigma: Float[np.ndarray, "T J"]
) -> None:
    weight = np.repeat(1 / sigma**2, 3, axis=1)
    places = np.arange(weight.shape[1])
    system.diagonal[:, places, places] += weight
    system.gradient += weight * away.reshape(len(away), -1)


def _add_rays(
    system: NormalEquations,
    xyz: Float[np.ndarray, "T J 3"],
    rays: Float[np.ndarray, "T J 3"],
    sigma: Float[np.ndarray, "T J"],
) -> None:
    weight = np.where(np.isfinite(sigma), 1 / sigma**2, 0.0)[..., None, None]
    across = weight * (np.eye(3) - rays[..., :, None] * rays[..., None, :])
    for joint in range(xyz.shape[1]):
        _add(system, joint, joint, across[:, joint])
    system.gradient += (across @ xyz[..., None])[..., 0].reshape(len(xyz), -1)


def _add_lengths(
    system: NormalEquations,
    xyz: Float[np.ndarray, "T J 3"],
    ends: Int[np.ndarray, "B 2"],
    lengths: Float[np.ndarray, "B"],
) -> None:
    for (start, end), length in zip(ends.tolist(), lengths, strict=True):
        along = xyz[:, end] - xyz[:, start]
        found = np.linalg.norm(along, axis=-1, keepdims=True)
        unit = along / np.maximum(found, SHORTEST)
        square = unit[:, :, None] * unit[:, None, :] / LENGTH_SIGMA**2
        pull = unit * (found - length) / LENGTH_SIGMA**2
        for joint, other, sign in ((start, start, 1), (end, end, 1), (start, end, -1), (end, start, -1)):
            _add(system, joint, other, sign * square)
        system.gradient[:, 3 * end : 3 * end + 3] += pull
        system.gradient[:, 3 * start : 3 * start + 3] -= pull


def _add_steadiness(system: NormalEquations, xyz: Float[np.ndarray, "T J 3"], fps: float) -> None:
    """Add the changes of speed x[t] - 2 x[t+1] + x[t+2] over their sigma."""
    flat = xyz.reshape(len(xyz), -1)
    if len(flat) < 3:
        return
    change = np.diff(flat, n=2, axis=0)
    weight, places = (fps**2 / ACCELERATION) ** 2, np.arange(flat.shape[1])
    count = len(change)
    for shift, share in enumerate((1.0, -2.0, 1.0)):
        own = slice(shift, shift + count)
        system.diagonal[own, places, places] += weight * share**2
        system.gradient[own] += weight * share * change
    for shift in (0, 1):
        system.lower1[shift : shift + count, places, places] += -2.0 * weight
    system.lower2[:count, places, places] += weight
