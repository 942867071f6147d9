"""A person with a box: recorded motions whose hands carry a rigid box, put it down and pick it up again.

The recordings know of no box. Arms are bent anew (two bones each) so that the hands lie on its sides; while it
stands somewhere, arms and body move as recorded.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.creature import slow_curve, turned
from mocaplift.train.data.footfalls import bent
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.values import Layout, Motion3D

# The box (m): to the left, up, ahead; the recordings' people are of usual size.
BOX_SIZE = np.array([0.40, 0.25, 0.30])
CORNERS = {
    f"box_{height}_{depth}_{side}": np.array([x, y, z]) / 2
    for height, y in (("low", -1.0), ("high", 1.0))
    for depth, z in (("back", -1.0), ("front", 1.0))
    for side, x in (("left", 1.0), ("right", -1.0))
}
# Where it is carried, from the middle of the shoulders (m): aside, up, ahead; how far that wanders (sigma), how it
# turns, leans and tilts (rad, sigma), and within how many seconds.
CARRIED, CARRIED_SPREAD = np.array([0.0, -0.28, 0.32]), np.array([0.03, 0.06, 0.03])
YAW_SPREAD, TILT_SPREAD = 0.12, (0.15, 0.08)
WANDERS = 0.8  # s
STARTS_HELD = 0.6  # share of clips
HOLDS, RESTS = (1.5, 6.0), (1.0, 3.0)  # s
# Time in which hands leave and find the box, and in which it is lifted to where it is carried (s).
GRASP, LIFTING = 0.3, 0.5
# Shares of an arm's length within which it carries a box, and to which it reaches at all.
LONGEST_REACH, STRAIGHT = 0.93, 0.995
# Only upright passages: the shoulders are at least so far over the hips (m).
UPRIGHT = 0.3
TRIES = 60


def person_with_box(
    rng: np.random.Generator, layout: Layout, seconds: float, bank: MotionBank, fps: float = 30.0
) -> Motion3D:
    """Return a random passage with a box: world metres, +Y up, floor at y = 0.

    Raises:
        InvalidData: the layout lacks a joint of the body or of the box, or no passage was upright.
    """
    frames = round(seconds * fps)
    for _ in range(TRIES):
        body = bank.windows(rng, 1, frames, fps)[0].astype(float)
        middle = {
            part: body[:, BODY21.index(f"left_{part}", f"right_{part}")] for part in ("shoulder", "hip")
        }
        if (middle["shoulder"].mean(axis=1) - middle["hip"].mean(axis=1))[:, 1].min() < UPRIGHT:
            continue
        box, body = _carried(rng, body, fps)
        joints = (*BODY21.joints, *CORNERS)
        every = Layout("all", joints)
        xyz = np.concatenate([body, box], axis=1)[:, every.index(*layout.joints)]
        return Motion3D(xyz, np.zeros(xyz.shape[:2]), layout, fps)
    raise InvalidData(f"none of {TRIES} passages of the motions shows somebody upright for {seconds:g} s")


def _carried(
    rng: np.random.Generator, body: Float[np.ndarray, "T 21 3"], fps: float
) -> tuple[Float[np.ndarray, "T 8 3"], Float[np.ndarray, "T 21 3"]]:
    """Return the corners of the box and the body whose hands hold it."""
    frames = len(body)
    arm = float(_bone(body, "shoulder", "elbow").mean() + _bone(body, "elbow", "wrist").mean())
    carried, heading = _carrying_place(rng, body, arm, fps)
    place, yaw, share = carried.copy(), heading.copy(), np.zeros(frames)
    hands = np.zeros(frames)
    first = 0 if rng.random() < STARTS_HELD else round(rng.uniform(*RESTS) * fps)
    rest, rest_yaw = carried[first], heading[first]
    place[:first], yaw[:first] = rest, rest_yaw
    while first < frames:
        last = min(first + round(rng.uniform(*HOLDS) * fps), frames)
        own = slice(first, last)
        share[own] = 1.0
        if first > 0:
            share[own] = eased((np.arange(last - first) + 1) / (LIFTING * fps))
            place[own] = rest + share[own, None] * (carried[own] - rest)
            yaw[own] = rest_yaw + share[own] * (heading[own] - rest_yaw)
        hands[own] = 1.0
        if last == frames:
            break
        rest, rest_yaw = place[last - 1], yaw[last - 1]
        level = eased(np.arange(last - first)[::-1] / (LIFTING * fps))
        share[own] = np.minimum(share[own], level)
        place[own] = rest + level[:, None] * (place[own] - rest)
        first = _next_grasp(body, rest, arm, last + round(rng.uniform(*RESTS) * fps))
        place[last:first], yaw[last:first] = rest, rest_yaw
        heading += 2 * np.pi * np.round((rest_yaw - heading[min(first, frames - 1)]) / (2 * np.pi))
    lean, tilt = (share * sigma * _wandering(rng, frames, fps) for sigma in TILT_SPREAD)
    axes = turned(yaw, lean, tilt)
    hands = gaussian_filter1d(hands, GRASP / 2 * fps, mode="nearest")
    body = body.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _reach(body, side, place + axes @ np.array([sign * BOX_SIZE[0] / 2, 0.0, 0.0]), hands, heading)
    corners = np.stack(list(CORNERS.values())) * BOX_SIZE
    return place[:, None] + corners @ np.swapaxes(axes, 1, 2), body


def _carrying_place(
    rng: np.random.Generator, body: Float[np.ndarray, "T 21 3"], arm: float, fps: float
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T"]]:
    """Return where the middle of a box would be that is carried all the time, and its heading (rad)."""
    left, right = (body[:, BODY21.at(f"{side}_shoulder")] for side in ("left", "right"))
    across = gaussian_filter1d(left - right, 0.1 * fps, axis=0, mode="nearest")
    heading = np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))
    frames = len(body)
    wander = np.stack([sigma * _wandering(rng, frames, fps) for sigma in CARRIED_SPREAD], axis=-1)
    offset = CARRIED + wander
    longest = LONGEST_REACH * arm
    offset = offset * np.minimum(1.0, longest / np.linalg.norm(offset, axis=-1, keepdims=True))
    level = np.zeros(frames)
    place = 0.5 * (left + right) + (turned(heading, level, level) @ offset[..., None])[..., 0]
    return place, heading + YAW_SPREAD * _wandering(rng, frames, fps)


def _next_grasp(
    body: Float[np.ndarray, "T 21 3"], rest: Float[np.ndarray, "3"], arm: float, from_: int
) -> int:
    """Return the first frame from one on in which both arms reach a box; the number of frames if none does."""
    shoulders = body[:, BODY21.index("left_shoulder", "right_shoulder")]
    near = np.linalg.norm(shoulders - rest, axis=-1).max(axis=1) < LONGEST_REACH * arm
    near[:from_] = False
    return int(np.argmax(near)) if near.any() else len(body)


def _reach(
    body: Float[np.ndarray, "T 21 3"],
    side: str,
    grasp: Float[np.ndarray, "T 3"],
    hands: Float[np.ndarray, "T"],
    heading: Float[np.ndarray, "T"],
) -> None:
    """Write into the body the arm whose wrist is at a place, as far as the hands hold the box."""
    shoulder, elbow, wrist = (body[:, BODY21.at(f"{side}_{part}")] for part in ("shoulder", "elbow", "wrist"))
    upper, lower = (_bone(body, *pair, side)[:, None] for pair in (("shoulder", "elbow"), ("elbow", "wrist")))
    share = hands[:, None]
    target = wrist + share * (grasp - wrist) - shoulder
    longest = STRAIGHT * (upper + lower)
    target = target * np.minimum(1.0, longest / np.linalg.norm(target, axis=-1, keepdims=True))
    outward = (1.0 if side == "left" else -1.0) * np.stack(
        [np.cos(heading), 0 * heading, -np.sin(heading)], axis=-1
    )
    usual = 0.5 * outward - np.array([0.0, 0.8, 0.0])
    towards = (1 - share) * (elbow - shoulder) / upper + share * usual
    moved = bent(shoulder, shoulder + target, towards, (upper, lower))
    is_held = hands > 0
    body[is_held, BODY21.at(f"{side}_elbow")] = moved[is_held]
    body[is_held, BODY21.at(f"{side}_wrist")] = (shoulder + target)[is_held]


def _bone(
    body: Float[np.ndarray, "T 21 3"], start: str, end: str, side: str = "left"
) -> Float[np.ndarray, "T"]:
    ends = body[:, BODY21.index(f"{side}_{start}", f"{side}_{end}")]
    length: np.ndarray = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
    return length


def eased(share: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Return shares of a change that begins and ends gently, cut off at 0 and 1."""
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3 - 2 * share)


def _wandering(rng: np.random.Generator, frames: int, fps: float) -> Float[np.ndarray, "T"]:
    return slow_curve(rng, frames, WANDERS, fps)
