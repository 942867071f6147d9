"""Recorded motions made ready to be filmed: another clock, another body, another place, standing on the floor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from mocaplift.errors import InvalidData
from mocaplift.kinematics import forward, rest_positions
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.legs import usual_leg_length
from mocaplift.rotations import about_axis, angle_between, make_continuous, multiply, normalize, rotate, slerp
from mocaplift.train.data.anny_body import Body
from mocaplift.values import Skeleton, SkeletonMotion

# A heel or toe of the truth is planted below this height above where it is when standing (m), and slower than
# this (m/s). Standing skin moves less than a centimetre; a swinging foot is faster than 1 m/s.
PLANTED_HEIGHT = 0.03
PLANTED_SPEED = 0.25
# A recording's floor wanders by centimetres over seconds (see `cmu`); it is followed no faster than this (s).
FLOOR_SMOOTHING = 0.5
# A sole higher than this over the floor belongs to a jump, and tells nothing about the floor (m).
AIRBORNE = 0.08
# Width of the smoothing before frames are thinned out, in frames of the new rate. At 30 fps it leaves 84 % of a
# swing at 4 Hz and a tenth of what lies at 15 Hz. Half as wide left the recordings' jitter: the mean jerk of a
# walk was 200 m/s^3, now it is 115; people have 50 to 100.
ANTI_ALIAS = 0.7
# Where people look on average, degrees above the horizon. Some of CMU's subjects hang their heads by 20 to 40
# degrees through every recording, others not at all: a defect of the fit to the markers, and not their mood.
USUAL_GAZE_DEG = (-12.0, 5.0)
# One stride (two steps) of walking takes between these times, seconds.
STRIDE_SECONDS = (0.8, 1.8)
SPLICE_SECONDS = 0.2  # over which a splice is blended


def resample(motion: SkeletonMotion, fps: float) -> SkeletonMotion:
    """Return the motion at another frame rate; it starts at the same instant.

    Going down, what the new rate cannot show is smoothed away first (recordings jitter at 60 Hz); then frames are
    interpolated.
    """
    if fps < motion.fps:
        width = ANTI_ALIAS * motion.fps / fps
        smooth = gaussian_filter1d(make_continuous(motion.rotations), width, axis=0, mode="nearest")
        path = gaussian_filter1d(motion.root, width, axis=0, mode="nearest")
        motion = SkeletonMotion(
            skeleton=motion.skeleton, rotations=normalize(smooth), root=path, fps=motion.fps
        )
    last = (len(motion.root) - 1) / motion.fps
    at = np.arange(int(np.floor(last * fps + 1e-9)) + 1) / fps * motion.fps
    low = np.minimum(np.floor(at + 1e-9).astype(int), len(motion.root) - 1)
    high = np.minimum(low + 1, len(motion.root) - 1)
    share = np.clip(at - low, 0.0, 1.0)
    rotations = slerp(motion.rotations[low], motion.rotations[high], share[:, None])
    root = motion.root[low] * (1 - share[:, None]) + motion.root[high] * share[:, None]
    return SkeletonMotion(
        skeleton=motion.skeleton, rotations=make_continuous(normalize(rotations)), root=root, fps=fps
    )


def cut(motion: SkeletonMotion, begin: float, end: float) -> SkeletonMotion:
    """Return the frames between two times in seconds.

    Raises:
        InvalidData: the motion is shorter.
    """
    first, last = round(begin * motion.fps), round(end * motion.fps)
    if not 0 <= first < last <= len(motion.root):
        length = len(motion.root) / motion.fps
        raise InvalidData(f"a passage from {begin} s to {end} s does not lie in a motion of {length:.2f} s")
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=motion.rotations[first:last],
        root=motion.root[first:last],
        fps=motion.fps,
    )


def transfer(motion: SkeletonMotion, skeleton: Skeleton) -> SkeletonMotion:
    """Return the motion on another skeleton: the same rotations, the path scaled with the length of the legs."""
    hips = SMPL24.index("left_hip", "right_hip")
    pelvis = motion.rotations[:, SMPL24.at("pelvis")]
    middle = motion.root + rotate(pelvis, rest_positions(motion.skeleton)[hips].mean(axis=0))
    scale = usual_leg_length(skeleton) / usual_leg_length(motion.skeleton)
    root = middle * scale - rotate(pelvis, rest_positions(skeleton)[hips].mean(axis=0))
    return SkeletonMotion(skeleton=skeleton, rotations=motion.rotations, root=root, fps=motion.fps)


def moved(motion: SkeletonMotion, yaw: float, shift: Float[np.ndarray, 3]) -> SkeletonMotion:
    """Return the motion turned about the vertical through the origin (radians) and then shifted (m)."""
    turn = about_axis("Y", yaw)
    rotations = motion.rotations.copy()
    rotations[:, 0] = multiply(turn, rotations[:, 0])
    return SkeletonMotion(
        skeleton=motion.skeleton, rotations=rotations, root=rotate(turn, motion.root) + shift, fps=motion.fps
    )


def with_level_head(motion: SkeletonMotion) -> SkeletonMotion:
    """Return the motion with neck and head turned by one angle, so that its median gaze is a usual one."""
    neck, head = SMPL24.index("neck", "head")
    _, turned = forward(motion.skeleton, motion.rotations, motion.root)
    ahead = rotate(turned[:, head], np.array([0.0, 0.0, 1.0]))
    gaze = float(np.median(np.arcsin(np.clip(ahead[:, 1], -1.0, 1.0))))
    # A turn about +X takes +Z downwards.
    turn = about_axis("X", 0.5 * (gaze - np.clip(gaze, *np.radians(USUAL_GAZE_DEG))))
    rotations = motion.rotations.copy()
    for joint in (neck, head):
        rotations[:, joint] = multiply(rotations[:, joint], turn)
    # Half at each joint adds up only where the head is straight on the neck; anything else is a detail.
    return SkeletonMotion(skeleton=motion.skeleton, rotations=rotations, root=motion.root, fps=motion.fps)


def grounded(motion: SkeletonMotion, body: Body) -> tuple[SkeletonMotion, Float[np.ndarray, "T V 3"]]:
    """Return the motion shifted vertically so that the soles stand on y = 0, and its mesh.

    The floor under the recording is what the lowest skin touches while nobody jumps, smoothed over time.
    """
    vertices = body.pose(motion.rotations, motion.root)
    lowest = vertices[..., 1].min(axis=1)
    lift = np.zeros_like(motion.root)
    lift[:, 1] = -_floor_under(lowest, motion.fps)
    shifted = SkeletonMotion(
        skeleton=motion.skeleton, rotations=motion.rotations, root=motion.root + lift, fps=motion.fps
    )
    return shifted, vertices + lift[:, None]


def _floor_under(lowest: Float[np.ndarray, T], fps: float) -> Float[np.ndarray, T]:
    """Return the height of the floor in each frame: the smoothed lowest point, jumps bridged."""
    standing = lowest < np.percentile(lowest, 30) + AIRBORNE
    frames = np.arange(len(lowest))
    bridged = np.interp(frames, frames[standing], lowest[standing])
    return gaussian_filter1d(bridged, FLOOR_SMOOTHING * fps, mode="nearest")


def find_true_contacts(
    keypoints: Float[np.ndarray, "T 21 3"], body: Body, fps: float
) -> Bool[np.ndarray, "T 4"]:
    """Return which heels and toes (`CONTACT_POINTS`) stand still on the floor, from the true skin points."""
    feet = BODY21.index(*CONTACT_POINTS)
    rest = body.keypoints(body.rest_vertices[None])[0, feet, 1] - body.rest_vertices[:, 1].min()
    speed = np.linalg.norm(np.gradient(keypoints[:, feet], 1 / fps, axis=0), axis=-1)
    return (keypoints[:, feet, 1] - rest < PLANTED_HEIGHT) & (speed < PLANTED_SPEED)


def measure_slide(
    keypoints: Float[np.ndarray, "T 21 3"], contacts: Bool[np.ndarray, "T 4"]
) -> Float[np.ndarray, N]:
    """Return the horizontal steps (m per frame) of heels and toes that are planted in both frames."""
    feet = BODY21.index(*CONTACT_POINTS)
    steps = np.linalg.norm(np.diff(keypoints[:, feet][..., [0, 2]], axis=0), axis=-1)
    return steps[contacts[1:] & contacts[:-1]]


def with_more_strides(motion: SkeletonMotion, times: int) -> SkeletonMotion:
    """Return a walk made longer by repeating its best-matching stride.

    Recorded walks end after four metres. The two frames, one stride apart, whose poses and speeds agree best are
    found; the walk up to the later one continues from the earlier one, turned and shifted onto it.

    Raises:
        InvalidData: the walk is shorter than two strides.
    """
    first, last = _stride(motion)
    for _ in range(times):
        motion = _spliced(motion, first, last)
        first, last = last, 2 * last - first
    return motion


def _stride(motion: SkeletonMotion) -> tuple[int, int]:
    shortest, longest = (round(seconds * motion.fps) for seconds in STRIDE_SECONDS)
    margin = round(SPLICE_SECONDS * motion.fps)
    if len(motion.root) < longest + 2 * margin + 2:
        raise InvalidData("the walk is too short to repeat a stride of it")
    best = (np.inf, 0, 0)
    for first in range(margin, len(motion.root) - margin):
        for last in range(first + shortest, min(first + longest, len(motion.root) - margin)):
            cost = sum(_mismatch(motion, first + k, last + k) for k in (-margin, 0, margin - 1))
            best = min(best, (cost, first, last))
    return best[1], best[2]


def _mismatch(motion: SkeletonMotion, a: int, b: int) -> float:
    """Return how different two poses are, mean angle in radians, heading left out."""
    local = angle_between(motion.rotations[a, 1:], motion.rotations[b, 1:]).mean()
    up = np.array([0.0, 1.0, 0.0])
    tilt = rotate(motion.rotations[a, 0], up) @ rotate(motion.rotations[b, 0], up)
    height = abs(motion.root[a, 1] - motion.root[b, 1])
    return float(local + np.arccos(np.clip(tilt, -1, 1)) + height)


def _spliced(motion: SkeletonMotion, first: int, last: int) -> SkeletonMotion:
    """Return the motion up to frame `last`, continued by what follows frame `first`, blended around the splice."""
    turn = _heading(motion.rotations[last, 0]) - _heading(motion.rotations[first, 0])
    onto = moved(motion, turn, np.zeros(3))
    shift = motion.root[last] - onto.root[first]
    shift[1] = 0.0
    onto = moved(motion, turn, shift)
    margin = round(SPLICE_SECONDS * motion.fps)
    share = np.clip((np.arange(-margin, margin) + margin + 0.5) / (2 * margin), 0, 1)
    share = share * share * (3 - 2 * share)
    before, after = slice(last - margin, last + margin), slice(first - margin, first + margin)
    joined = slerp(motion.rotations[before], onto.rotations[after], share[:, None])
    path = motion.root[before] * (1 - share[:, None]) + onto.root[after] * share[:, None]
    rotations = np.concatenate([motion.rotations[: last - margin], joined, onto.rotations[first + margin :]])
    root = np.concatenate([motion.root[: last - margin], path, onto.root[first + margin :]])
    return SkeletonMotion(
        skeleton=motion.skeleton, rotations=make_continuous(normalize(rotations)), root=root, fps=motion.fps
    )


def _heading(pelvis: Float[np.ndarray, "4"]) -> float:
    ahead = rotate(pelvis, np.array([0.0, 0.0, 1.0]))
    return float(np.arctan2(ahead[0], ahead[2]))
