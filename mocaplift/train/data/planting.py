"""Feet of recorded motions planted on the floor: recordings put on another body slide and hover by centimetres.

A heel or toe that is low and slow is meant to stand: it is held at one place at its own height above the sole.
The correction is carried through the swings in between, shared by both feet through the pelvis where slow, and
the rest is done by the knees.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_closing, gaussian_filter1d

from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import conjugate, from_two_vectors, make_continuous, multiply, normalize, rotate
from mocaplift.train.data.anny_body import Body
from mocaplift.values import SkeletonMotion
from mocaplift.windows import runs

# A point of the foot stands while lower than this over where it should be (m) and slower than this (m/s): wide
# enough for the wandering floor and the slide of recordings (both measured: 5 cm, 0.3 m/s).
STANDING_HEIGHT = 0.06
STANDING_SPEED = 0.45
# Pauses of standing shorter than this are noise, seconds.
SHORTEST_STEP = 0.1
# The pelvis follows the feet's common correction this slowly (s); quicker differences are left to the knees.
PELVIS_SMOOTHING = 0.25
# Corners of the corrections where a foot lands and leaves are rounded over this time (s).
LANDING_SMOOTHING = 0.012
# Time over which a heel and a toe that begin or end to stand hand the foot over to each other (s).
HANDOVER = 0.13
# Knees are never quite straight: the leg reaches this share of its length.
LONGEST_REACH = 0.998
# The last share of the reach is approached ever more slowly; the foot falls short by a third of it at most while
# the leg is asked for less than its length.
SOFT_REACH = 0.02
# Of a straight leg the knee's side is unknown: it is taken to be the front of the thigh, with this weight (m).
STRAIGHT_KNEE = 0.02


def plant_feet(motion: SkeletonMotion, body: Body) -> SkeletonMotion:
    """Return the motion with standing heels and toes held on y = 0, knees bent to suit; jumps stay jumps."""
    corrections, levels = {}, {}
    for side in ("left", "right"):
        corrections[side], levels[side] = _foot_correction(motion, body, side)
    common = 0.5 * (corrections["left"] + corrections["right"])
    shift = gaussian_filter1d(common, PELVIS_SMOOTHING * motion.fps, axis=0, mode="nearest")
    xyz, turned = forward(motion.skeleton, motion.rotations, motion.root)
    rotations = motion.rotations.copy()
    for side in ("left", "right"):
        ankle = xyz[:, SMPL24.at(f"{side}_ankle")] + corrections[side]
        foot = multiply(levels[side], turned[:, SMPL24.at(f"{side}_ankle")])
        _bend_leg(motion, side, xyz + shift[:, None], turned, ankle, foot, rotations)
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=make_continuous(normalize(rotations)),
        root=motion.root + shift,
        fps=motion.fps,
    )


def _foot_correction(
    motion: SkeletonMotion, body: Body, side: str
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 4"]]:
    """Return how far the ankle must move in each frame (m), and how the foot must turn to stand level."""
    points = BODY21.index(f"{side}_heel", f"{side}_big_toe")
    rest = body.keypoints(body.rest_vertices[None])[0, points]
    height = rest[:, 1] - body.rest_vertices[:, 1].min()
    seen = body.pose_keypoints(motion.rotations, motion.root)[:, points]
    floor = np.percentile(seen[..., 1] - height, 10)
    seen = seen - [0.0, floor, 0.0]
    stands = _standing(seen, height, motion.fps)
    level = _levelling(seen, rest, stands[:, 0] & stands[:, 1], motion.fps)
    # Levelling turns the foot about the ankle, so heel and toe are where the turn leaves them.
    ankle = forward(motion.skeleton, motion.rotations, motion.root)[0][:, SMPL24.at(f"{side}_ankle")]
    ankle = ankle - [0.0, floor, 0.0]
    seen = ankle[:, None] + rotate(level[:, None], seen - ankle[:, None])
    total, count = np.zeros((len(seen), 3)), np.zeros(len(seen))
    for k in range(len(points)):
        for first, last in runs(stands[:, k]):
            place = seen[first:last, k].mean(axis=0)
            place[1] = height[k]
            # Where heel and toe disagree, the one hands over to the other as it begins or ends to stand.
            frames = np.arange(last - first)
            share = np.minimum(np.minimum(frames + 1, frames[::-1] + 1) / (HANDOVER * motion.fps), 1.0)
            total[first:last] += share[:, None] * (place - seen[first:last, k])
            count[first:last] += share
    held = np.flatnonzero(count)
    if len(held) == 0:
        return np.tile([0.0, -floor, 0.0], (len(seen), 1)), level
    frames = np.arange(len(seen))
    correction = np.stack(
        [np.interp(frames, held, total[held, axis] / count[held]) for axis in range(3)], axis=1
    )
    correction = gaussian_filter1d(correction, LANDING_SMOOTHING * motion.fps, axis=0, mode="nearest")
    # A swinging foot may not pass through the floor.
    under = np.maximum((height - (seen + correction[:, None])[..., 1]).max(axis=1), 0.0)
    correction[:, 1] += gaussian_filter1d(under, LANDING_SMOOTHING * motion.fps, mode="nearest")
    return correction - [0.0, floor, 0.0], level


def _standing(
    points: Float[np.ndarray, "T 2 3"], height: Float[np.ndarray, 2], fps: float
) -> Bool[np.ndarray, "T 2"]:
    reach = max(1, round(0.03 * fps))
    smooth = gaussian_filter1d(points, reach, axis=0, mode="nearest")
    speed = np.linalg.norm(np.gradient(smooth, 1 / fps, axis=0), axis=-1)
    raw = (points[..., 1] - height < STANDING_HEIGHT) & (speed < STANDING_SPEED)
    gap = np.ones((max(1, round(SHORTEST_STEP * fps)), 1), dtype=bool)
    closed = binary_closing(raw, gap) | raw
    for k in range(closed.shape[1]):
        for first, last in runs(closed[:, k]):
            if (last - first) / fps < SHORTEST_STEP:
                closed[first:last, k] = False
    return closed


def _levelling(
    points: Float[np.ndarray, "T 2 3"],
    rest: Float[np.ndarray, "2 3"],
    is_flat: Bool[np.ndarray, T],
    fps: float,
) -> Float[np.ndarray, "T 4"]:
    """Return turns that lay a foot flat while heel and toe both stand, fading in and out."""
    sole = points[:, 1] - points[:, 0]
    slope = (rest[1] - rest[0])[1] / np.hypot(*(rest[1] - rest[0])[[0, 2]])
    flat = sole.copy()
    flat[:, 1] = slope * np.hypot(sole[:, 0], sole[:, 2])
    share = gaussian_filter1d(is_flat.astype(float), 2 * LANDING_SMOOTHING * fps, mode="nearest")
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (sole, flat)]
    return from_two_vectors(unit[0], unit[0] + share[:, None] * (unit[1] - unit[0]))


def _bend_leg(
    motion: SkeletonMotion,
    side: str,
    xyz: Float[np.ndarray, "T 24 3"],
    turned: Float[np.ndarray, "T 24 4"],
    ankle: Float[np.ndarray, "T 3"],
    foot: Float[np.ndarray, "T 4"],
    rotations: Float[np.ndarray, "T 24 4"],
) -> None:
    """Write into `rotations` the leg that reaches the ankle's new place with the knee in its own plane."""
    hip, knee, end = (SMPL24.at(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    thigh, shin = (float(np.linalg.norm(motion.skeleton.offsets[joint])) for joint in (knee, end))
    start = xyz[:, hip]
    reach = ankle - start
    length = np.linalg.norm(reach, axis=1, keepdims=True)
    along = reach / length
    length = _soft_reach(np.maximum(length, abs(thigh - shin) * 1.01), LONGEST_REACH * (thigh + shin))
    # The knee keeps to the side of the line hip-ankle on which it was (law of cosines).
    old = xyz[:, knee] - start
    aside = old - (old * along).sum(axis=1, keepdims=True) * along
    ahead = rotate(turned[:, hip], np.array([0.0, 0.0, 1.0]))
    aside += STRAIGHT_KNEE * (ahead - (ahead * along).sum(axis=1, keepdims=True) * along)
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    forward_share = (thigh**2 + length**2 - shin**2) / (2 * length)
    new_knee = forward_share * along + np.sqrt(np.maximum(thigh**2 - forward_share**2, 0.0)) * aside
    pelvis = turned[:, SMPL24.at("pelvis")]
    hip_turn = multiply(from_two_vectors(old, new_knee), turned[:, hip])
    shin_now = rotate(multiply(hip_turn, rotations[:, knee]), motion.skeleton.offsets[end])
    knee_turn = multiply(
        from_two_vectors(shin_now, length * along - new_knee), multiply(hip_turn, rotations[:, knee])
    )
    rotations[:, hip] = multiply(conjugate(pelvis), hip_turn)
    rotations[:, end] = multiply(conjugate(knee_turn), foot)
    rotations[:, knee] = multiply(conjugate(hip_turn), knee_turn)


def _soft_reach(length: Float[np.ndarray, "T 1"], longest: float) -> Float[np.ndarray, "T 1"]:
    """Return lengths that approach the longest one smoothly: a leg that is suddenly straight snaps the knee."""
    soft = SOFT_REACH * longest
    over = np.maximum(length - (longest - soft), 0.0)
    return np.minimum(length, longest - soft) + soft * (1.0 - np.exp(-over / soft))
