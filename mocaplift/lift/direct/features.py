"""What the direct network is told of one camera's view, and what its answer means: training and inference alike.

The person is looked at by a virtual camera that stands where the real one stands, upright, with the person in its
middle: focal length, principal point and crop do not matter. Lengths in its picture are divided by the scale that
the bones show, so that they are metres at the person. The person is taken to have the mean stature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from mocaplift.layouts import BODY21

# Bones of the mean body (m) that tell how large the person looks.
SCALE_BONES = {
    ("left_hip", "left_knee"): 0.381, ("right_hip", "right_knee"): 0.381,
    ("left_knee", "left_ankle"): 0.387, ("right_knee", "right_ankle"): 0.387,
    ("left_shoulder", "left_hip"): 0.487, ("right_shoulder", "right_hip"): 0.487,
    ("left_shoulder", "left_elbow"): 0.258, ("right_shoulder", "right_elbow"): 0.258,
    ("left_elbow", "left_wrist"): 0.239, ("right_elbow", "right_wrist"): 0.239,
}  # fmt: skip
# A bone never looks longer than it is, but noise makes one or two of them look so.
RANK = 2
SMOOTHING = 3.0  # frames, of the scale over time
TORSO = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
REST_WEIGHT = 0.1  # of the other joints in the middle of the person
USUAL_SIGMA = 0.03  # m
# Bounds of what is told, against wild detections.
FARTHEST_PLANE = 3.0
FARTHEST = 2.5
SCALE_RANGE = (0.02, 2.0)
USUAL_SCALE = 0.25  # 1/m: a person 4 m away
NEAREST_DEPTH = 0.1  # m
# Of each joint: place 2, error, if seen. Of the frame: its middle 2, scale 3, elevation 2, if anything was seen.
NUM_JOINT, NUM_FRAME = 4, 8
NUM_FEATURES = NUM_JOINT * len(BODY21) + NUM_FRAME

_STARTS = BODY21.index(*(start for start, _ in SCALE_BONES))
_ENDS = BODY21.index(*(end for _, end in SCALE_BONES))
_LENGTHS = np.array(list(SCALE_BONES.values()))


@dataclass(frozen=True, eq=False)
class Features:
    """What is told of every frame, and what turns an answer into metres.

    `plane` is x/z, y/z in the virtual camera, the person's middle where a joint was not seen; `scale` in 1/m is
    about one over the depth; the rows of `axes` are right, down and ahead of the virtual camera in the world.
    """

    told: Float[np.ndarray, "*lead T F"]
    plane: Float[np.ndarray, "*lead T 21 2"]
    scale: Float[np.ndarray, "*lead T"]
    axes: Float[np.ndarray, "*lead 3 3"]


def features(
    direction: Float[np.ndarray, "*lead T 21 3"], sigma: Float[np.ndarray, "*lead T 21"]
) -> Features:
    """Return the features of windows of unit rays in a world with +Y up.

    `sigma` (m) is the error expected of each joint, infinite where it was not seen.
    """
    seen = np.isfinite(sigma)
    weight = np.where(seen, 1 / (np.where(seen, sigma, 1.0) ** 2 + USUAL_SIGMA**2), 0.0)
    shares = np.full(len(BODY21), REST_WEIGHT)
    shares[BODY21.index(*TORSO)] = 1.0
    weight = weight * shares
    axes = looking_at((direction * weight[..., None]).sum(axis=(-3, -2)))
    local = direction @ np.swapaxes(axes, -1, -2)[..., None, :, :]
    plane = local[..., :2] / np.maximum(local[..., 2:], NEAREST_DEPTH)
    plane = np.clip(np.where(seen[..., None], plane, 0.0), -FARTHEST_PLANE, FARTHEST_PLANE)
    total = weight.sum(axis=-1)
    middle = (plane * weight[..., None]).sum(axis=-2) / np.maximum(total, 1e-9)[..., None]
    middle = _filled(middle, total > 0)
    shown, is_shown = _shown_scale(plane, seen)
    shown = _filled(shown[..., None], is_shown)[..., 0]
    smooth = gaussian_filter1d(shown, SMOOTHING, axis=-1, mode="nearest")
    usual = np.median(smooth, axis=-1, keepdims=True)
    scale = np.exp(smooth)
    place = (plane - middle[..., None, :]) / scale[..., None, None]
    error = np.log(np.where(seen, sigma, USUAL_SIGMA) / USUAL_SIGMA)
    joints = np.concatenate([np.clip(place, -FARTHEST, FARTHEST), error[..., None]], axis=-1)
    joints = np.concatenate([np.where(seen[..., None], joints, 0.0), seen[..., None]], axis=-1)
    ahead = np.broadcast_to(axes[..., None, 2, :], (*middle.shape[:-1], 3))
    frame = np.concatenate(
        [
            middle / np.exp(usual)[..., None] / FARTHEST,
            np.stack([shown - smooth, smooth - usual, usual - np.log(USUAL_SCALE) + 0 * smooth], axis=-1),
            np.stack([ahead[..., 1], np.hypot(ahead[..., 0], ahead[..., 2]), total > 0], axis=-1),
        ],
        axis=-1,
    )
    told = np.concatenate([joints.reshape(*joints.shape[:-2], -1), frame], axis=-1)
    return Features(
        told=told.astype(np.float32),
        plane=np.where(seen[..., None], plane, middle[..., None, :]).astype(np.float32),
        scale=scale.astype(np.float32),
        axes=axes,
    )


def points(
    told: Features, offset: Float[np.ndarray, "*lead T 21 3"], log_depth: Float[np.ndarray, "*lead T"]
) -> Float[np.ndarray, "*lead T 21 3"]:
    """Return what an answer means: the joints in the virtual camera's axes, metres.

    `log_depth` is that of the hips over what the scale says. Each joint lies on its own ray (or on that of the
    person's middle) at the hips' depth, shifted by its offset.
    """
    depth = np.maximum((np.exp(log_depth) / told.scale)[..., None] + offset[..., 2], NEAREST_DEPTH)
    across = told.plane * depth[..., None] + offset[..., :2]
    return np.concatenate([across, depth[..., None]], axis=-1)


def mirrored(told: Float[np.ndarray, "*lead T F"]) -> Float[np.ndarray, "*lead T F"]:
    """Return what is told of the mirror images: left and right exchanged, x flipped."""
    joints = told[..., :-NUM_FRAME].reshape(*told.shape[:-1], len(BODY21), NUM_JOINT)
    joints = joints[..., list(BODY21.mirror), :] * np.array([-1, 1, 1, 1], dtype=told.dtype)
    frame = told[..., -NUM_FRAME:] * np.array([-1] + [1] * (NUM_FRAME - 1), dtype=told.dtype)
    return np.concatenate([joints.reshape(*told.shape[:-1], -1), frame], axis=-1)


def looking_at(ahead: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return right, down and ahead of an upright camera that looks that way; anywhere if there is no way."""
    length = np.linalg.norm(ahead, axis=-1, keepdims=True)
    ahead = np.where(length > 0, ahead / np.maximum(length, 1e-12), [0.0, 0.0, -1.0])
    right = np.stack([-ahead[..., 2], np.zeros(ahead.shape[:-1]), ahead[..., 0]], axis=-1)
    level = np.linalg.norm(right, axis=-1, keepdims=True)
    right = np.where(level > 1e-6, right / np.maximum(level, 1e-12), [1.0, 0.0, 0.0])
    return np.stack([right, np.cross(ahead, right), ahead], axis=-2)


def _shown_scale(
    plane: Float[np.ndarray, "*lead T 21 2"], seen: Bool[np.ndarray, "*lead T 21"]
) -> tuple[Float[np.ndarray, "*lead T"], Bool[np.ndarray, "*lead T"]]:
    """Return the log of the scale (1/m) that the bones across the line of sight show, and where any does."""
    known = seen[..., _STARTS] & seen[..., _ENDS]
    shown = np.linalg.norm(plane[..., _STARTS, :] - plane[..., _ENDS, :], axis=-1) / _LENGTHS
    ranked = -np.sort(-np.where(known, shown, 0.0), axis=-1)
    chosen = np.where(ranked[..., RANK] > 0, ranked[..., RANK], ranked[..., 0])
    return np.log(np.clip(chosen, *SCALE_RANGE)), known.any(axis=-1)


def _filled(
    values: Float[np.ndarray, "*lead T D"], known: Bool[np.ndarray, "*lead T"]
) -> Float[np.ndarray, "*lead T D"]:
    """Return the values with unknown frames interpolated in time; the usual ones where no frame is known."""
    frames = np.arange(known.shape[-1])
    before = np.maximum.accumulate(np.where(known, frames, -1), axis=-1)
    after = np.flip(
        np.minimum.accumulate(np.flip(np.where(known, frames, len(frames)), axis=-1), axis=-1), axis=-1
    )
    nobody = (before < 0) & (after >= len(frames))
    before = np.where(before < 0, after, before)
    after = np.where(after >= len(frames), before, after)
    before, after = np.where(nobody, 0, before), np.where(nobody, 0, after)
    share = (frames - before) / np.maximum(after - before, 1)
    low = np.take_along_axis(values, before[..., None], axis=-2)
    high = np.take_along_axis(values, after[..., None], axis=-2)
    return low + share[..., None] * (high - low)
