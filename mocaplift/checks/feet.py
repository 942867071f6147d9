"""Whether the feet stand: on the floor, not in it, and not sliding along it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.checks.finding import NOTE, Finding, Spans, spans_of
from mocaplift.checks.subject import Subject
from mocaplift.reading.names import SIDES
from mocaplift.rotations import rotate

_OTHER = {"left": "right", "right": "left"}
# Joints lie inside the body: at y = 0 the skin is in the floor already. Lower than this (m) is seen at once.
DEEPEST_JOINT = -0.005
# An ankle joint stands 7 to 9 cm above the sole.
LOWEST_ANKLE = 0.03
# Feet that never come nearer to the floor than this (m) above where they stand float.
FLOATS = 0.06
ANKLE_STANDS, BALL_STANDS = 0.08, 0.02  # m, height of the joints above the floor, foot flat
# A foot stands flat while both joints are this near (m) above where they stand, and rise or sink this slowly.
NEAR_FLOOR, STILL_RISE = 0.025, 0.2  # m, m/s
# A foot that is faster than this (m/s), the other standing, makes a step, low as it may be: of a dancer's steps
# that skim the floor nearly all are faster; what drifts is slower. Over such a time (s).
STEPS, SPEED_TIME = 0.5, 0.05
# A foot that stands for such a time (s) and moves by so much (m) meanwhile slides.
LEAST_STAND, SLIDE = 0.15, 0.04
# A body whose root never leaves the spot by more than this (m) walks on the spot.
ON_THE_SPOT = 1e-4
# The heel lies behind the ankle by this share of the way from the ball of the foot to it (our body: 0.19 to 0.27).
HEEL_BEHIND = 0.22
# The standing height of a joint is low in its range: this percentile, which skips single wrong frames.
STANDING = 5.0


def find_floor(subject: Subject) -> Iterator[Finding]:
    """Look for joints in the floor, and for a body that never comes down to it."""
    if not subject.recording.is_body:
        return
    start = subject.start
    bones = list(subject.joints.values())
    heights = subject.xyz[start:, bones, 1]
    least = np.array([LOWEST_ANKLE if joint.endswith("ankle") else 0.0 for joint in subject.joints])
    depth = least - heights
    is_in = depth > np.where(least > 0, 0.0, -DEEPEST_JOINT)
    if is_in.any():
        depth = np.where(is_in, depth, 0.0)
        worst = np.unravel_index(int(depth.argmax()), depth.shape)
        joint = list(subject.joints)[int(worst[1])].replace("_", " ")
        height = float(heights[worst])
        yield Finding(
            "floor",
            f"the body is in the floor: the {joint} joint is at {100 * height:.1f} cm, the floor at 0",
            frames=spans_of(is_in.any(axis=1), start, bridge=subject.frames(0.1)),
            worst=int(worst[0]) + start,
            size=round(height, 4),
            unit="m",
        )
    lowest = min(
        float(np.percentile(subject.xyz[start:, bone, 1], 1.0)) - stands
        for joint, bone in subject.joints.items()
        for end, stands in (("ankle", ANKLE_STANDS), ("foot", BALL_STANDS))
        if joint.endswith(end)
    )
    if lowest > FLOATS:
        text = f"the feet never come down to the floor (y = 0): they stay {100 * lowest:.0f} cm above it"
        yield Finding("floor", text, size=round(lowest, 3), unit="m")


def find_foot_slide(subject: Subject) -> Iterator[Finding]:
    """Look for feet that move along the floor while they stand on it."""
    if not subject.recording.is_body or len(subject.xyz) - subject.start < 3:
        return
    hips = subject.xyz[subject.start :, subject.joints["pelvis"]][:, [0, 2]]
    if np.ptp(subject.xyz[subject.start :], axis=0).max() < ON_THE_SPOT:
        return
    if np.ptp(hips, axis=0).max() < ON_THE_SPOT:
        yield Finding("foot_slide", "the body stays on the spot, so that its feet must slide", NOTE)
        return
    for side in SIDES:
        stands = spans_of(_stands(subject, side))
        away = _away(_foot_points(subject, side), stands)
        stands = tuple(each for each in stands if each[1] - each[0] + 1 >= subject.frames(LEAST_STAND))
        slides = tuple(each for each in stands if away[each[0] : each[1] + 1].max() > SLIDE)
        if not slides:
            continue
        worst = max(
            (frame for first, last in slides for frame in range(first, last + 1)), key=away.__getitem__
        )
        yield Finding(
            "foot_slide",
            f"the {side} foot slides by up to {100 * away[worst]:.0f} cm while it stands",
            frames=tuple((first + subject.start, last + subject.start) for first, last in slides),
            worst=worst + subject.start,
            size=round(float(away[worst]), 4),
            unit="m",
        )


def _foot_points(subject: Subject, side: str) -> list[Float[np.ndarray, "T 3"]]:
    """Return the ankle and, where it is known, the ball of a foot, or its end."""
    ankle = subject.joints[f"{side}_ankle"]
    points = [subject.xyz[subject.start :, ankle]]
    ball, tip = subject.joints.get(f"{side}_foot"), subject.rigged.tips.get(ankle)
    if ball is not None:
        points.append(subject.xyz[subject.start :, ball])
    elif tip is not None:
        points.append(points[0] + rotate(subject.turned[subject.start :, ankle], tip))
    return points


def _stands(subject: Subject, side: str) -> Bool[np.ndarray, "T"]:
    """Return in which frames a foot stands flat: low, level, and not on its way.

    What the file says of contacts is not asked: whether a foot looks as if it stands is seen by everybody.
    """
    points, others = _foot_points(subject, side), _foot_points(subject, _OTHER[side])
    speed, other_speed = _speed(points, subject), _speed(others, subject)
    # The slower of two feet that move is the one that should stand.
    stands = (speed < STEPS) | (speed < other_speed)
    for point, other in zip(points, others, strict=False):
        height = point[:, 1]
        floor = np.percentile(np.minimum(height, other[:, 1]), STANDING)
        stands &= (height < floor + NEAR_FLOOR) & (np.abs(np.gradient(height)) * subject.fps < STILL_RISE)
    return np.asarray(stands)


def _speed(points: list[Float[np.ndarray, "T 3"]], subject: Subject) -> Float[np.ndarray, "T"]:
    """Return how fast (m/s) a foot moves along the floor: its slowest point, over a short time."""
    apart = min(subject.frames(SPEED_TIME), len(points[0]) - 1)
    steps = np.stack(points)[:, apart:, [0, 2]] - np.stack(points)[:, :-apart, [0, 2]]
    speed = np.linalg.norm(steps, axis=-1).min(axis=0) * subject.fps / apart
    return np.pad(speed, (apart // 2, apart - apart // 2), mode="edge")


def _away(points: list[Float[np.ndarray, "T 3"]], stands: Spans) -> Float[np.ndarray, "T"]:
    """Return how far a foot is, along the floor, from where it began to stand; 0 while it does not.

    The point of it that moves least counts: a foot may turn about its heel or its ball.
    """
    points = [*points, *(points[0] + HEEL_BEHIND * (points[0] - ball) for ball in points[1:])]
    away = np.zeros(len(points[0]))
    for first, last in stands:
        stand = np.stack(points)[:, first : last + 1, [0, 2]]
        away[first : last + 1] = np.linalg.norm(stand - stand[:, :1], axis=-1).min(axis=0)
    return away
