"""Short gaps in keypoints, filled in along their paths; long ones stay gaps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.errors import InvalidData
from mocaplift.values import Keypoints2D

# What a filled point keeps of its neighbours' confidence: just inside a gap, and in the middle of the longest.
NEAR_SHARE, FAR_SHARE = 0.5, 0.15
# Slope at the edge of a gap is measured over this time (s): one noisy frame must not fling the path.
SLOPE_SPAN = 0.1


def fill_gaps(keypoints: Keypoints2D, longest_s: float) -> tuple[Keypoints2D, int, int]:
    """Return the keypoints with short gaps filled, how many were filled, and how many stay missing (joint-frames).

    A gap lies between two frames in which the joint is seen: nothing is invented before the first or after the
    last. Joints that are never seen are not counted as missing. Filled points carry reduced confidence.

    Args:
        keypoints: of one person.
        longest_s: longest gap that is filled (s); 0 fills nothing.

    Raises:
        InvalidData: a negative length.
    """
    if not longest_s >= 0:
        raise InvalidData(f"the longest gap to fill must be 0 s or more, but is {longest_s}")
    seen = keypoints.conf > 0
    fill, before, after = _gaps(seen, int(np.floor(longest_s * keypoints.fps + 1e-9)))
    conf, xy = keypoints.conf.copy(), keypoints.xy.copy()
    landmarks = None if keypoints.landmarks is None else keypoints.landmarks.copy()
    span = max(1, round(SLOPE_SPAN * float(keypoints.fps)))
    longest = max(1.0, longest_s * keypoints.fps)
    for joint in range(seen.shape[1]):
        frames = np.flatnonzero(fill[:, joint])
        if not len(frames):
            continue
        ends = before[frames, joint], after[frames, joint]
        xy[frames, joint] = _hermite(keypoints.xy[:, joint], seen[:, joint], frames, *ends, span)
        deep = np.minimum(frames - ends[0], ends[1] - frames) / (longest / 2)
        share = NEAR_SHARE + (FAR_SHARE - NEAR_SHARE) * np.minimum(deep, 1.0)
        conf[frames, joint] = share * np.minimum(*(keypoints.conf[end, joint] for end in ends))
        if landmarks is not None:
            ratio = ((frames - ends[0]) / (ends[1] - ends[0]))[:, None]
            first, last = landmarks[ends[0], joint], landmarks[ends[1], joint]
            known = np.isfinite(landmarks[frames, joint])
            landmarks[frames, joint] = np.where(
                known, landmarks[frames, joint], first + ratio * (last - first)
            )
    missing = (~(conf > 0))[:, seen.any(axis=0)].sum()
    filled = Keypoints2D(xy, conf, keypoints.layout, keypoints.fps, keypoints.size, landmarks=landmarks)
    return filled, int(fill.sum()), int(missing)


def _gaps(
    seen: Bool[np.ndarray, "T J"], longest: int
) -> tuple[Bool[np.ndarray, "T J"], np.ndarray, np.ndarray]:
    """Return what lies in gaps of at most so many frames, and the seen frames before and after each frame."""
    frames = np.arange(len(seen))[:, None]
    before = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    beyond = len(seen)
    after = np.minimum.accumulate(np.where(seen, frames, beyond)[::-1], axis=0)[::-1]
    is_inside = ~seen & (before >= 0) & (after < beyond)
    return is_inside & (after - before - 1 <= longest), before, after


def _hermite(
    xy: Float[np.ndarray, "T 2"],
    seen: Bool[np.ndarray, "T"],
    frames: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    span: int,
) -> Float[np.ndarray, "N 2"]:
    """Return the path between two seen frames that leaves and arrives with the speeds there."""
    out = np.zeros((len(frames), 2))
    for a, b in sorted(set(zip(start.tolist(), end.tolist(), strict=True))):
        here = (start == a) & (end == b)
        t = ((frames[here] - a) / (b - a))[:, None]
        chord = xy[b] - xy[a]
        slope_in = _slope(xy, seen, a, -span) * (b - a)
        slope_out = _slope(xy, seen, b, span) * (b - a)
        # Slopes beyond three chords would swing past both ends (Fritsch and Carlson 1980).
        limit = 3 * np.linalg.norm(chord) + 1e-9
        slope_in, slope_out = (
            slope * min(1.0, limit / max(float(np.linalg.norm(slope)), 1e-12))
            for slope in (slope_in, slope_out)
        )
        h00, h10 = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
        h01, h11 = -2 * t**3 + 3 * t**2, t**3 - t**2
        out[here] = h00 * xy[a] + h10 * slope_in + h01 * xy[b] + h11 * slope_out
    return out


def _slope(
    xy: Float[np.ndarray, "T 2"], seen: Bool[np.ndarray, "T"], frame: int, span: int
) -> Float[np.ndarray, "2"]:
    """Return the speed (per frame) at a frame, over the seen frames on one side of it; 0 where it stands alone."""
    other = frame
    step = 1 if span > 0 else -1
    while 0 <= other + step < len(seen) and seen[other + step] and abs(other + step - frame) <= abs(span):
        other += step
    return np.zeros(2) if other == frame else (xy[other] - xy[frame]) / (other - frame)
