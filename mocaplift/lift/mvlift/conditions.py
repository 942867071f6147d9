"""What the networks of MVLift are told, and how pictures become channels and back.

A picture is told as the joints about the root and the root, each in units of its usual spread: a person's path
must not drown the pose. Metres are a person's: those of other figures are counted in `Figure.unit`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mocaplift import confidence
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import looking_at
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.values import Keypoints2D

# Spread of joints about the root and of the root about the middle of the ring in pictures (m); of 20 000 windows.
POSE_SPREAD, ROOT_SPREAD = 0.35, 0.5
# A bone never looks longer than it is, but noise makes some look so: this share of them may.
TOO_LONG_SHARE = 0.2
REST_WEIGHT = 0.1  # of joints that are not the root's in the middle of the person
USUAL_SIGMA = 0.03  # m
USUAL_DISTANCE = 4.0  # m
SCALE_RANGE = (0.02, 2.0)  # 1/m
# Bounds of what is told, against wild detections (m, and x/z).
FARTHEST, FARTHEST_PLANE = 3.0, 3.0
NEAREST_DEPTH = 0.1
FARTHEST_LINE = 6.0  # m
# Error of a keypoint of confidence 1 of which no detector was measured (m, sigma); of others it is that over the
# confidence, which is about what holds for people.
PLAIN_SIGMA = 0.012
# Of the observed picture: place 2, error and whether it was seen of each joint; of each frame its middle 2, size,
# distance, elevation 2, and whether anything was seen.
NUM_SEEN, NUM_FRAME = 4, 7
# Of lines: five products of each joint and whether it is wanted; of each frame distance and elevation 2.
NUM_LINE, NUM_LINE_FRAME = 6, 3

# How lines are told: without a sign, or with the one that the paper chooses.
FREE, PAPER = "free", "paper"


def num_channels(figure: Figure) -> int:
    """Return how many channels a frame of a picture has."""
    return 2 * len(figure.layout) + 2


def num_told_seen(figure: Figure) -> int:
    """Return how many numbers are told of a frame that was observed."""
    return NUM_SEEN * len(figure.layout) + NUM_FRAME


def num_told_lines(figure: Figure) -> int:
    """Return how many numbers are told of a frame whose lines are known."""
    return NUM_LINE * len(figure.layout) + NUM_LINE_FRAME


def expected_sigma(keypoints: Keypoints2D, figure: Figure) -> Float[np.ndarray, "T J"]:
    """Return the error per axis (units) expected of a figure's keypoints at its depth; infinite: not seen."""
    if figure.layout == BODY21:
        return confidence.sigma(keypoints)
    seen = keypoints.conf > 0
    return np.where(seen, PLAIN_SIGMA / np.where(seen, keypoints.conf, 1.0), np.inf)


def encoded(plane: Float[np.ndarray, "*lead J 2"], figure: Figure) -> Float[np.ndarray, "*lead C"]:
    """Return the channels of pictures (m)."""
    root = plane[..., figure.layout.index(*figure.root), :].mean(axis=-2)
    pose = (plane - root[..., None, :]) / POSE_SPREAD
    return np.concatenate([pose.reshape(*pose.shape[:-2], -1), root / ROOT_SPREAD], axis=-1)


def decoded(channels: Float[np.ndarray, "*lead C"], figure: Figure) -> Float[np.ndarray, "*lead J 2"]:
    """Return the pictures (m) that channels stand for."""
    pose = channels[..., :-2].reshape(*channels.shape[:-1], len(figure.layout), 2) * POSE_SPREAD
    return pose + channels[..., None, -2:] * ROOT_SPREAD


@dataclass(frozen=True, eq=False)
class Observed:
    """Windows of what a camera saw, turned upright with the person in the middle.

    `plane` (m at `distance`, the root's middle where a joint was not seen) and `sigma` (m, infinite where not
    seen) are of the turned camera, the rows of whose `axes` are right, down and ahead in the world. `distance` (m)
    is what the bones say. `told` is what a network is told.
    """

    told: Float[np.ndarray, "*lead T F"]
    plane: Float[np.ndarray, "*lead T J 2"]
    sigma: Float[np.ndarray, "*lead T J"]
    axes: Float[np.ndarray, "*lead 3 3"]
    distance: Float[np.ndarray, "*lead"]


def observed(
    direction: Float[np.ndarray, "*lead T J 3"], sigma: Float[np.ndarray, "*lead T J"], figure: Figure
) -> Observed:
    """Return what is told of unit rays in a world with +Y up, each with its expected error (m, inf: not seen)."""
    seen = np.isfinite(sigma)
    weight = np.where(seen, 1 / (np.where(seen, sigma, 1.0) ** 2 + USUAL_SIGMA**2), 0.0)
    shares = np.full(len(figure.layout), REST_WEIGHT)
    shares[figure.layout.index(*figure.root)] = 1.0
    weight = weight * shares
    axes = looking_at((direction * weight[..., None]).sum(axis=(-3, -2)))
    local = direction @ np.swapaxes(axes, -1, -2)[..., None, :, :]
    plane = np.where(seen[..., None], local[..., :2] / np.maximum(local[..., 2:], NEAREST_DEPTH), 0.0)
    plane = np.clip(plane, -FARTHEST_PLANE, FARTHEST_PLANE)
    log_scale, is_shown = _shown_scale(plane, seen, figure)
    usual = _masked_median(log_scale, is_shown)
    distance = np.exp(-usual)
    plane = plane * distance[..., None, None, None]
    total = weight.sum(axis=-1)
    middle = (plane * weight[..., None]).sum(axis=-2) / np.maximum(total, 1e-9)[..., None]
    plane = np.where(seen[..., None], plane, middle[..., None, :])
    place = np.clip((plane - middle[..., None, :]) / POSE_SPREAD, -FARTHEST, FARTHEST)
    error = np.log(np.where(seen, sigma, USUAL_SIGMA) / USUAL_SIGMA)
    joints = np.concatenate([place, error[..., None], np.ones_like(error)[..., None]], axis=-1)
    joints = np.where(seen[..., None], joints, 0.0)
    size = np.where(is_shown, log_scale - usual[..., None], 0.0)
    frame = np.concatenate(
        [
            np.clip(middle / ROOT_SPREAD, -FARTHEST, FARTHEST),
            np.stack([size, *_told_camera(axes, distance, size.shape), total > 0], axis=-1),
        ],
        axis=-1,
    )
    told = np.concatenate([joints.reshape(*joints.shape[:-2], -1), frame], axis=-1)
    return Observed(told.astype(np.float32), plane, sigma, axes, distance)


def told_lines(
    lines: Float[np.ndarray, "*lead T J 3"],
    wanted: Bool[np.ndarray, "*lead T J"],
    axes: Float[np.ndarray, "*lead 3 3"],
    distance: Float[np.ndarray, "*lead"],
    *,
    signs: str = FREE,
) -> Float[np.ndarray, "*lead T F"]:
    """Return what is told of lines a x + b y + c = 0 (m) that joints must lie on, and of the camera.

    A line and its negative are the same line: products a^2, a b, b^2, a c, b c know no sign, where a rule that
    chooses one would jump at horizontal lines, which are the usual ones. Zeros: nothing is known of a joint.
    With the signs of the paper a, b, c are told as they are where a >= 0, and their negatives elsewhere.
    """
    a, b = lines[..., 0], lines[..., 1]
    c = np.clip(lines[..., 2], -FARTHEST_LINE, FARTHEST_LINE)
    if signs == PAPER:
        sign = np.where(a < 0, -1.0, 1.0)
        told = [a * sign, b * sign, c * sign, np.zeros_like(a), np.zeros_like(a), wanted]
    else:
        told = [a * a, a * b, b * b, a * c, b * c, wanted]
    joints = np.stack(told, axis=-1)
    frame = np.stack(_told_camera(axes, distance, lines.shape[:-2]), axis=-1)
    return np.concatenate([joints.reshape(*joints.shape[:-2], -1), frame], axis=-1).astype(np.float32)


def _told_camera(
    axes: Float[np.ndarray, "*lead 3 3"], distance: Float[np.ndarray, "*lead"], shape: tuple[int, ...]
) -> list[np.ndarray]:
    """Return log distance and elevation (sine, cosine) of cameras, for every frame."""
    ahead = axes[..., 2, :]
    told = (np.log(distance / USUAL_DISTANCE), ahead[..., 1], np.hypot(ahead[..., 0], ahead[..., 2]))
    return [np.broadcast_to(each[..., None], shape) for each in told]


def _shown_scale(
    plane: Float[np.ndarray, "*lead T J 2"], seen: Bool[np.ndarray, "*lead T J"], figure: Figure
) -> tuple[Float[np.ndarray, "*lead T"], Bool[np.ndarray, "*lead T"]]:
    """Return the log of the scale (1/m) that the bones across the line of sight show, and where any does."""
    starts, ends = figure.starts, figure.ends
    known = seen[..., starts] & seen[..., ends]
    shown = np.linalg.norm(plane[..., starts, :] - plane[..., ends, :], axis=-1) / figure.lengths
    ranked = -np.sort(-np.where(known, shown, 0.0), axis=-1)
    rank = (TOO_LONG_SHARE * known.sum(axis=-1)).astype(int)
    chosen = np.take_along_axis(ranked, rank[..., None], axis=-1)[..., 0]
    return np.log(np.clip(chosen, *SCALE_RANGE)), known.any(axis=-1)


def _masked_median(
    values: Float[np.ndarray, "*lead T"], known: Bool[np.ndarray, "*lead T"]
) -> Float[np.ndarray, "*lead"]:
    """Return the median of the known values in time; that of the usual distance where none is known."""
    ordered = np.sort(np.where(known, values, np.inf), axis=-1)
    count = known.sum(axis=-1)
    middle = np.maximum(count - 1, 0) // 2
    found = np.take_along_axis(ordered, middle[..., None], axis=-1)[..., 0]
    return np.where(count > 0, found, -np.log(USUAL_DISTANCE))
