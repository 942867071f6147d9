"""When heels and toes stand on something: slow, and low compared with whatever carries the body then.

Thresholds are in metres and seconds, so that they mean the same at every frame rate. Their values are those of
the field's recipes (a point on the floor moves less than 0.2-0.3 m/s: WHAM's ground truth takes 0.3), with
hysteresis so that a contact does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.windows import runs

SPEED_ON = 0.25  # m/s; a contact needs a moment slower than this
SPEED_OFF = 0.40  # m/s; and lasts while slower than this
# Speed is measured over about this long, so that noise counts for the same at 24 and at 240 fps.
SPEED_SPAN = 0.04  # s
HEIGHT_LIMITS = {"heel": 0.10, "big_toe": 0.06}  # m above what carries the body
# A heel this far above its own toe is raised, however still: people stand on the balls of their feet. A flat
# foot's heel point is 0.02 above the toe's, and fits of one camera are off by as much again.
HEEL_RISE = 0.045  # m
# A planted point keeps its height: what has risen by this much above the stance is leaving.
STANCE_RISE = 0.03  # m
# Half of the time around a moment in which the lowest foot tells where the floor is: half of the longest flight
# of a runner or of someone who jumps 60 cm high.
SUPPORT_HALF_WINDOW = 0.35  # s
# Feet this far above the lowest other point of the body do not carry it: someone lies, sits or stands on hands.
FEET_UP = 0.15  # m
SHORTEST_STANCE = 0.10  # s
# The same for a foot above its surroundings: on stairs it stands for half a second; at the top of a jump it is
# slower than SPEED_OFF for 2 * 0.40 / 9.81 = 0.08 s.
SHORTEST_STANCE_UP = 0.20  # s
SHORTEST_FLIGHT = 0.06  # s
# Nobody lifts a foot and puts it back on the same place as quickly as this: a swing lasts 0.3 s and more. What
# looks like it is the detector's toe that jumps while the heel lifts.
SHORTEST_SWING = 0.12  # s
SAME_PLACE = 0.06  # m
# A keypoint less sure than this has no vote (of 1).
LEAST_CONFIDENCE = 0.2


def find_contacts(
    keypoints: Motion3D, views: Sequence[Keypoints2D] = (), cameras: Sequence[Camera] = ()
) -> Bool[np.ndarray, "T F"]:
    """Return when each of `layouts.CONTACT_POINTS` is planted.

    `views` and their `cameras` are a second vote on speed: what the detector saw, scaled to metres at the
    point's depth. Leave them out where a camera moves. A missing point is not planted.

    Raises:
        InvalidData: the keypoints' layout lacks heels or toes.
    """
    points = keypoints.xyz[:, keypoints.layout.index(*CONTACT_POINTS)]
    speed = _speed(points, keypoints.fps)
    seen = [_speed_seen(points, view, camera) for view, camera in zip(views, cameras, strict=True)]
    if seen:
        votes = np.stack(seen)
        heard = np.isfinite(votes)
        mean = np.where(heard, votes, 0).sum(axis=0) / np.maximum(heard.sum(axis=0), 1)
        speed = np.where(heard.any(axis=0), (speed + mean) / 2, speed)
    slow = np.nan_to_num(speed, nan=np.inf) < SPEED_OFF
    around, now = _support_heights(keypoints, slow)
    contacts = np.zeros(speed.shape, dtype=bool)
    for column, name in enumerate(CONTACT_POINTS):
        height = points[:, column, 1]
        limit = HEIGHT_LIMITS[name.split("_", 1)[1]]
        with np.errstate(invalid="ignore"):
            is_down = ~(height - points[:, _toe_of(name), 1] >= HEEL_RISE)
            low = (is_down & (height - around < limit), is_down & (height - now < limit))
        planted = _planted(speed[:, column], height, low, keypoints.fps)
        contacts[:, column] = _bridged(planted, points[:, column], keypoints.fps)
    return contacts


def _toe_of(point: str) -> int:
    """Return the column of the big toe of the foot that a contact point belongs to."""
    return CONTACT_POINTS.index(point.split("_", 1)[0] + "_big_toe")


def _speed(points: Float[np.ndarray, "T F D"], fps: float) -> Float[np.ndarray, "T F"]:
    """Return speeds in units per second; NaN where a point is missing on both sides.

    The slower of before and after a moment: a foot that has just landed or is about to leave is planted.
    """
    frames = len(points)
    lag = min(max(round(SPEED_SPAN * fps), 1), max(frames - 1, 1))
    step = np.full(points.shape[:2], np.nan)
    if frames > lag:
        step[lag:] = np.linalg.norm(points[lag:] - points[:-lag], axis=-1) * fps / lag
    before, after = step, np.full_like(step, np.nan)
    after[:-lag] = step[lag:]
    return np.fmin(before, after)


def _speed_seen(
    points: Float[np.ndarray, "T F 3"], view: Keypoints2D, camera: Camera
) -> Float[np.ndarray, "T F"]:
    """Return the speed across the picture in m/s at the points' depth; NaN where the view is not sure."""
    columns = view.layout.index(*CONTACT_POINTS)
    xy = np.where(view.conf[:, columns, None] >= LEAST_CONFIDENCE, view.xy[:, columns], np.nan)
    depth = points @ camera.cam_from_world[2, :3] + camera.cam_from_world[2, 3]
    focal = np.diag(camera.intrinsics)[:2].mean()
    return _speed(xy, view.fps) * np.where(depth > 0, depth, np.nan) / focal


def _support_heights(
    keypoints: Motion3D, slow: Bool[np.ndarray, "T F"]
) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Return the height (m) of what carries the body: in the time around each moment, and at the moment itself.

    It is the lowest foot, or the lowest point of the body if that is lower by far. Around: the lowest within a
    window longer than a jump. At the moment: of the feet, only slow ones count, as on stairs, where the other
    foot swings up from below.
    """
    feet = keypoints.layout.index(*CONTACT_POINTS)
    height = np.where(np.isfinite(keypoints.xyz[..., 1]), keypoints.xyz[..., 1], np.inf)
    lowest_foot, lowest = height[:, feet].min(axis=1), height.min(axis=1)
    is_off_feet = lowest + FEET_UP < lowest_foot
    around = np.where(is_off_feet, lowest, lowest_foot)
    half = max(round(SUPPORT_HALF_WINDOW * keypoints.fps), 1)
    padded = np.pad(around, half, constant_values=np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).min(axis=1)
    standing = np.where(slow, height[:, feet], np.inf).min(axis=1)
    return around, np.where(is_off_feet, lowest, standing)


def _planted(
    speed: Float[np.ndarray, "T"],
    height: Float[np.ndarray, "T"],
    low: tuple[Bool[np.ndarray, "T"], Bool[np.ndarray, "T"]],
    fps: float,
) -> Bool[np.ndarray, "T"]:
    """Return when one point is planted.

    A slow stretch counts if the point is low for a while of it: low around, or, if the stretch is long, lowest
    of what is slow. On stairs the landing foot is high at first, and carries the body later. A foot held still
    in the air never does.
    """
    slow = _without_short_gaps(np.nan_to_num(speed, nan=np.inf) < SPEED_OFF, SHORTEST_FLIGHT * fps)
    planted = np.zeros(len(speed), dtype=bool)
    for here, shortest in zip(low, (SHORTEST_STANCE, SHORTEST_STANCE_UP), strict=True):
        for first, end in runs(slow):
            stretch = slice(first, end)
            # A frame stands for the time until the next one; half a frame of grace against rounding.
            enough = min(SHORTEST_STANCE * fps - 0.5, end - first)
            if here[stretch].sum() < enough or not (speed[stretch] < SPEED_ON).any():
                continue
            own_floor = np.median(height[stretch][here[stretch]])
            stays = np.zeros(len(speed), dtype=bool)
            stays[stretch] = np.abs(height[stretch] - own_floor) < STANCE_RISE
            for start, stop in runs(stays):
                planted[start:stop] |= stop - start >= min(shortest * fps - 0.5, len(speed))
    return planted


def _bridged(
    planted: Bool[np.ndarray, "T"], place: Float[np.ndarray, "T 3"], fps: float
) -> Bool[np.ndarray, "T"]:
    """Return the stances of one point with those joined that are one: shortly after each other, at one place."""
    out = planted.copy()
    for first, end in runs(~planted):
        if first == 0 or end == len(planted) or end - first >= SHORTEST_SWING * fps:
            continue
        before, after = place[first - 1], place[end]
        between = place[first - 1 : end + 1]
        is_low = (between[:, 1] < min(before[1], after[1]) + STANCE_RISE).all()
        out[first:end] = is_low and np.linalg.norm(after - before) < SAME_PLACE
    return out


def _without_short_gaps(flags: Bool[np.ndarray, "T"], frames: float) -> Bool[np.ndarray, "T"]:
    """Return the flags with gaps shorter than this many frames filled; open ends are no gaps."""
    out = flags.copy()
    for first, end in runs(~flags):
        if first > 0 and end < len(flags) and end - first < frames:
            out[first:end] = True
    return out
