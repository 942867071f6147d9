"""Every figure's definition, in one place.

Points are [frame, joint, 3] in metres, in a world with +Y up (or any one frame, where the text says so); a
missing point is NaN and does not count. Distances come out in millimetres, NaN where nothing can be compared.

Sources: MVLift (arXiv 2411.18808 and its released evaluation), WHAM (arXiv 2312.07531, on EMDB), VIBE
(arXiv 1912.05656) for acceleration. Foot slide and jitter need no truth: they are defined in `quality`. Published
jitter is a tenth (WHAM) or a hundredth (TransPose, arXiv 2105.04605) of ours.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.evaluate.alignment import align, hip_yaw, turned
from mocaplift.values import Layout

MM = 1000.0
# WHAM and EMDB cut the world into pieces of this many frames.
SEGMENT = 100
# W-MPJPE aligns on the first frames of a segment.
SEGMENT_HEAD = 2
# m/s: WHAM takes a foot of the truth that moves less than 1 cm per frame at 30 fps for planted.
PLANTED_SPEED = 0.3
# A path shorter than this (m) is standing still: its error is no share of anything.
SHORTEST_PATH = 0.2
# MVLift's canvas (px) and the share of its longer side that the first frame's box is scaled to.
CANVAS = (1920.0, 1080.0)
CANVAS_SHARE = 0.5


def _mean(values: np.ndarray) -> float:
    """Return the mean of what is not missing; NaN where all is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def hip_midpoint(xyz: Float[np.ndarray, "*lead J C"], layout: Layout) -> Float[np.ndarray, "*lead C"]:
    """Return the middle of the hips: what this module calls the root."""
    return xyz[..., layout.index("left_hip", "right_hip"), :].mean(-2)


def centred(xyz: Float[np.ndarray, "*lead J C"], layout: Layout) -> Float[np.ndarray, "*lead J C"]:
    """Return the points relative to the middle of the hips, frame by frame."""
    return xyz - hip_midpoint(xyz, layout)[..., None, :]


def joint_errors(
    found: Float[np.ndarray, "*lead C"], truth: Float[np.ndarray, "*lead C"]
) -> Float[np.ndarray, "*lead"]:
    """Return the distances between the points, mm; no alignment (absolute MPJPE is their mean)."""
    return MM * np.linalg.norm(found - truth, axis=-1)


def spread(errors: Float[np.ndarray, "*lead"]) -> dict[str, float]:
    """Return mean, median and 95th percentile of errors, by the names of their rows."""
    known = errors[np.isfinite(errors)]
    if not known.size:
        return dict.fromkeys(("absolute_mpjpe", "absolute_median", "absolute_p95"), float("nan"))
    return {
        "absolute_mpjpe": float(known.mean()),
        "absolute_median": float(np.median(known)),
        "absolute_p95": float(np.percentile(known, 95)),
    }


def mpjpe(found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], layout: Layout) -> float:
    """Return the mean joint error after both are centred on their hips, mm. No rotation, no scale."""
    return _mean(joint_errors(centred(found, layout), centred(truth, layout)))


def pa_mpjpe(found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"]) -> float:
    """Return the mean joint error after one similarity transform for each frame, mm.

    Frames with fewer than `alignment.FEWEST_POINTS` common points do not count: almost any would fit.
    """
    return _mean(joint_errors(align(found, truth, with_scale=True).apply(found), truth))


def pa_mpjpe_sequence(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], layout: Layout
) -> float:
    """Return the mean joint error after one similarity transform for all frames, mm.

    MVLift's PA-MPJPE: both are centred on their hips frame by frame, then aligned together.
    """
    a, b = centred(found, layout).reshape(-1, 3), centred(truth, layout).reshape(-1, 3)
    return _mean(joint_errors(align(a, b, with_scale=True).apply(a), b))


def root_from_first(
    found: Float[np.ndarray, "T 3"], truth: Float[np.ndarray, "T 3"]
) -> Float[np.ndarray, "T 3"]:
    """Return the difference of two paths after each is moved to start at the origin, metres.

    The start is the first frame that both know.
    """
    difference = found - truth
    known = np.flatnonzero(np.isfinite(difference).all(-1))
    return difference - difference[known[0]] if known.size else difference


def t_root(found: Float[np.ndarray, "T 3"], truth: Float[np.ndarray, "T 3"]) -> float:
    """Return the mean distance between two root paths whose first frames are subtracted, mm."""
    return _mean(MM * np.linalg.norm(root_from_first(found, truth), axis=-1))


def t_root_released(found: Float[np.ndarray, "T 3"], truth: Float[np.ndarray, "T 3"]) -> float:
    """Return MVLift's T_root as its released code computes it, mm.

    Its norm runs over an axis of length one, so it is the mean absolute error of a coordinate: between 1/3
    and 1/sqrt(3) of `t_root`, and dependent on the axes (here the world's).
    """
    return _mean(MM * np.abs(root_from_first(found, truth)))


def t_root_median(found: Float[np.ndarray, "T 3"], truth: Float[np.ndarray, "T 3"]) -> float:
    """Return the mean distance of two root paths after the median of their difference is removed, mm.

    The steadier sister of `t_root`, which adds the first frame's noise to all others.
    """
    difference = found - truth
    known = difference[np.isfinite(difference).all(-1)]
    if not len(known):
        return float("nan")
    return _mean(MM * np.linalg.norm(known - np.median(known, axis=0), axis=-1))


def yaw_aligned(
    truth: Float[np.ndarray, "T J 3"], found: Float[np.ndarray, "T J 3"], layout: Layout
) -> Float[np.ndarray, "T J 3"]:
    """Return the truth turned about +Y so that its hips face as the found ones do in the first frame.

    MVLift's protocol: one noisy frame decides for the window. The first frame with all four hips counts;
    where there is none the result is NaN.
    """
    hips = layout.index("left_hip", "right_hip")
    known = np.isfinite(found[:, hips]).all((1, 2)) & np.isfinite(truth[:, hips]).all((1, 2))
    if not known.any():
        return np.full_like(truth, np.nan)
    first = int(np.argmax(known))
    return turned(truth, hip_yaw(found[first], layout) - hip_yaw(truth[first], layout))


def segments(frames: int, length: int = SEGMENT) -> list[slice]:
    """Return the pieces of a clip, `length` frames each; the last takes the rest, as in WHAM's evaluation."""
    starts = list(range(0, max(frames - length, 0) + 1, length))
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], frames], strict=True)]


def w_mpjpe(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], length: int = SEGMENT
) -> float:
    """Return the world error, mm: each segment aligned by a similarity on its first two frames (WHAM)."""
    return _world_error(found, truth, length, SEGMENT_HEAD)


def wa_mpjpe(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], length: int = SEGMENT
) -> float:
    """Return the aligned world error, mm: each segment aligned by a similarity on all its frames (WHAM)."""
    return _world_error(found, truth, length, None)


def _world_error(found: np.ndarray, truth: np.ndarray, length: int, head: int | None) -> float:
    errors = []
    for piece in segments(len(truth), length):
        a, b = found[piece], truth[piece]
        fit = align(a[:head].reshape(-1, 3), b[:head].reshape(-1, 3), with_scale=True)
        errors.append(joint_errors(fit.apply(a.reshape(-1, 3)), b.reshape(-1, 3)).ravel())
    return _mean(np.concatenate(errors))


def rte(found: Float[np.ndarray, "T 3"], truth: Float[np.ndarray, "T 3"]) -> float:
    """Return the root translation error, % of the length of the true path (WHAM on EMDB).

    The found path is aligned rigidly (rotation and shift, no scale) over the whole clip, and its mean
    distance to the truth is divided by the length of the true path. NaN for a path below `SHORTEST_PATH`.
    """
    path = truth[np.isfinite(truth).all(-1)]
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())
    if length < SHORTEST_PATH:
        return float("nan")
    distance = joint_errors(align(found, truth, with_scale=False).apply(found), truth)
    return 100.0 * _mean(distance) / (MM * length)


def planted(feet: Float[np.ndarray, "T F 3"], fps: float) -> Bool[np.ndarray, "T F"]:
    """Return in which frames the points of the true feet stand still: slower than `PLANTED_SPEED`."""
    if len(feet) < 2:
        return np.zeros(feet.shape[:2], dtype=bool)
    return np.linalg.norm(np.gradient(feet, 1 / fps, axis=0), axis=-1) < PLANTED_SPEED


def acceleration_error(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], fps: float
) -> float:
    """Return the mean difference of accelerations, m/s^2: second differences times fps^2 (VIBE, WHAM)."""
    return _mean(np.linalg.norm(np.diff(found - truth, n=2, axis=0), axis=-1)) * fps**2


def canvas_scale(xy: Float[np.ndarray, "T J 2"]) -> float:
    """Return MVLift's factor from pixels to its canvas, where the first frame's box fills half of the canvas.

    The box is that of the first frame with two points; its side that fills more of 1920 x 1080 counts.
    """
    for points in xy:
        known = points[np.isfinite(points).all(-1)]
        if len(known) > 1:
            width, height = np.ptp(known, axis=0)
            return float(CANVAS_SHARE / max(width / CANVAS[0], height / CANVAS[1]))
    return float("nan")


def j2d(found: Float[np.ndarray, "T J 2"], seen: Float[np.ndarray, "T J 2"], layout: Layout) -> float:
    """Return the 2D error of the projected result against the detections, px on MVLift's canvas.

    Both are scaled by the detections' `canvas_scale`, and their own first frame's hips are subtracted.
    """
    difference = (found - seen) * canvas_scale(seen)
    offset = hip_midpoint(difference, layout)
    known = np.flatnonzero(np.isfinite(offset).all(-1))
    if not known.size:
        return float("nan")
    return _mean(np.linalg.norm(difference - offset[known[0]], axis=-1))


def j2d_centred(found: Float[np.ndarray, "T J 2"], seen: Float[np.ndarray, "T J 2"], layout: Layout) -> float:
    """Return the 2D error after each frame is centred on its hips and scaled best (J2D^C), canvas px."""
    a, b = centred(found, layout), centred(seen, layout)
    both = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
    a, b = np.where(both[..., None], a, 0.0), np.where(both[..., None], b, 0.0)
    power = (a * a).sum((1, 2))
    scale = np.where(power > 0, (a * b).sum((1, 2)) / np.where(power > 0, power, 1.0), 1.0)
    distance = np.linalg.norm(scale[:, None, None] * a - b, axis=-1) * canvas_scale(seen)
    return _mean(np.where(both, distance, np.nan))


def depth_gain(found: Float[np.ndarray, "T"], truth: Float[np.ndarray, "T"]) -> tuple[float, float]:
    """Return the slope of found on true depth about their means, and its weight (the true spread, m^2).

    1 is right; below 1 motion in depth is shrunk. The weighted mean of slopes is the slope of all clips
    together, each about its own mean.
    """
    known = np.isfinite(found) & np.isfinite(truth)
    a, b = found[known], truth[known]
    if not a.size:
        return float("nan"), 0.0
    a, b = a - a.mean(), b - b.mean()
    spread = float((b * b).sum())
    return (float((a * b).sum()) / spread if spread > 0 else float("nan")), spread


def pops(found_deg: Float[np.ndarray, "T J"], truth_deg: Float[np.ndarray, "T J"], limit: float) -> int:
    """Return how many joint turns per frame exceed `limit` degrees where the truth's do not.

    Both hold the angle between a joint's rotations in one frame and the next.
    """
    return int(((found_deg > limit) & ~(truth_deg > limit)).sum())
