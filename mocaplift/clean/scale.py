"""How large a person is in the picture over time, however they fold themselves."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from mocaplift.values import Keypoints2D

# Bones that are long enough to measure by, with their lengths in an average adult (m; means of the shipped body).
BONES = (
    ("left_hip", "left_knee", 0.41), ("right_hip", "right_knee", 0.41),
    ("left_knee", "left_ankle", 0.40), ("right_knee", "right_ankle", 0.40),
    ("left_shoulder", "left_elbow", 0.28), ("right_shoulder", "right_elbow", 0.28),
    ("left_elbow", "left_wrist", 0.25), ("right_elbow", "right_wrist", 0.25),
    ("left_shoulder", "left_hip", 0.50), ("right_shoulder", "right_hip", 0.50),
)  # fmt: skip
# Of bones at all angles to the picture, seen over a while, so many are shorter than one that lies in it. The
# longest of all may be an outlier.
SHARE = 0.85
# The while (s), before and after.
HALF_WINDOW = 0.5
# Frames in which fewer bones than this are seen do not count.
FEWEST_BONES = 3
# Measurements that are sorted at once: what bounds the memory (16 MB).
LARGEST_BLOCK = 1_000_000


def pixels_per_metre(keypoints: Keypoints2D) -> Float[np.ndarray, "T"]:
    """Return the length of a metre at the person's depth (px) in every frame, on an average adult's body.

    Frames that show too little take the value of those nearest; NaN throughout where none shows enough.
    """
    layout = keypoints.layout
    ratios = [
        np.linalg.norm(keypoints.xy[:, layout.at(a)] - keypoints.xy[:, layout.at(b)], axis=-1) / length
        for a, b, length in BONES
        if a in layout.joints and b in layout.joints
    ]
    if not ratios:
        return np.full(len(keypoints.xy), np.nan)
    ratio = np.stack(ratios, axis=-1)
    ratio[np.isfinite(ratio).sum(axis=1) < FEWEST_BONES] = np.nan
    scale = _rolling_share(ratio, keypoints.fps)
    known = np.isfinite(scale)
    if not known.any():
        return scale
    frames = np.arange(len(scale))
    return np.interp(frames, frames[known], scale[known])


def _rolling_share(ratio: Float[np.ndarray, "T B"], fps: float) -> Float[np.ndarray, "T"]:
    """Return the quantile `SHARE` of what was measured around each frame."""
    half = max(1, round(HALF_WINDOW * float(fps)))
    padded = np.pad(ratio, ((half, half), (0, 0)), constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * half + 1, axis=0)
    block = max(1, LARGEST_BLOCK // windows[0].size)
    parts = [_share(windows[start : start + block]) for start in range(0, len(ratio), block)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _share(windows: Float[np.ndarray, "N B W"]) -> Float[np.ndarray, "N"]:
    ordered = np.sort(windows.reshape(len(windows), -1), axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    place = np.clip(np.floor(SHARE * count).astype(int), 0, np.maximum(count - 1, 0))
    return np.where(count > 0, ordered[np.arange(len(ordered)), place], np.nan)
