"""Bones keep their lengths: how long a person's are, and what that says of the points at their ends."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.layouts import BODY21
from mocaplift.lift.point_prior import BONE_ENDS, BONE_STARTS, BONES, NUM_COORDINATES, PointPrior

# How far the distance of two keypoints strays from the bone's length (m): a detector's knee wanders about the
# joint. 10 to 30 mm do equally well on the development set.
LENGTH_SIGMA = 0.015
# A frame's length is not believed to better than this (m), and so many frames count as one: they repeat errors.
MEASURED_SIGMA = 0.03
FRAMES_AS_ONE = 20.0
SHORTEST = 1e-3  # m, below which a bone has no direction
# Left and right of the same bone lie next to each other; the last two go across the body.
_PAIRS = [(i, i + 1) for i in range(0, len(BONES) - 2, 2)]


def measured_lengths(
    xyz: Float[np.ndarray, "T 21 3"], covariance: Float[np.ndarray, "T 63 63"]
) -> tuple[Float[np.ndarray, "T B"], Float[np.ndarray, "T B"]]:
    """Return each frame's lengths (m) of the bones, and their weights (1/m^2): how well it tells them."""
    along = xyz[:, BONE_ENDS] - xyz[:, BONE_STARTS]
    length = np.linalg.norm(along, axis=-1)
    unit = along / np.maximum(length, SHORTEST)[..., None]
    points = len(BODY21)
    blocks = covariance.reshape(-1, points, 3, points, 3).transpose(0, 1, 3, 2, 4)
    starts, ends = BONE_STARTS, BONE_ENDS
    between = blocks[:, starts, starts] + blocks[:, ends, ends] - blocks[:, starts, ends]
    between = between - blocks[:, ends, starts]
    variance = np.einsum("tbi,tbij,tbj->tb", unit, between, unit)
    return length, 1 / (np.maximum(variance, 0.0) + MEASURED_SIGMA**2)


def settled_lengths(
    length: Float[np.ndarray, "T B"], weight: Float[np.ndarray, "T B"], prior: PointPrior
) -> Float[np.ndarray, "B"]:
    """Return the lengths (m) of a person's bones: weighted medians over the clip, drawn to the usual lengths.

    Left and right get the same length.
    """
    measured = np.array([_weighted_median(length[:, b], weight[:, b]) for b in range(len(BONES))])
    precision = weight.sum(axis=0) / FRAMES_AS_ONE
    usual = 1 / prior.bone_sigma**2
    lengths = (precision * measured + usual * prior.bone_mean) / (precision + usual)
    for left, right in _PAIRS:
        lengths[[left, right]] = 0.5 * (lengths[left] + lengths[right])
    return lengths


def length_terms(
    xyz: Float[np.ndarray, "T 21 3"], lengths: Float[np.ndarray, "B"]
) -> tuple[Float[np.ndarray, "T 63 63"], Float[np.ndarray, "T 63"]]:
    """Return H and g of the cost x H x / 2 - g x of bones that are not so long, linear about `xyz`.

    The length changes with its ends along the bone only: |b - a| is about u (b - a), u the bone's direction.
    """
    frames = len(xyz)
    points = len(BODY21)
    square = np.zeros((frames, points, points, 3, 3))
    pull = np.zeros((frames, points, 3))
    weight = 1 / LENGTH_SIGMA**2
    for bone, (start, end) in enumerate(zip(BONE_STARTS, BONE_ENDS, strict=True)):
        along = xyz[:, end] - xyz[:, start]
        unit = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), SHORTEST)
        outer = weight * unit[:, :, None] * unit[:, None, :]
        square[:, start, start] += outer
        square[:, end, end] += outer
        square[:, start, end] -= outer
        square[:, end, start] -= outer
        pull[:, end] += weight * lengths[bone] * unit
        pull[:, start] -= weight * lengths[bone] * unit
    matrix = square.swapaxes(2, 3).reshape(frames, NUM_COORDINATES, NUM_COORDINATES)
    return matrix, pull.reshape(frames, NUM_COORDINATES)


def _weighted_median(values: Float[np.ndarray, "N"], weight: Float[np.ndarray, "N"]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
