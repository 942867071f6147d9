"""Feet that stay where they are planted.

In this order, because stretching legs to where feet should be bends knees (1 % of reach is 16 degrees of a
straight knee): first the root moves so that planted feet slide least; then every stance gets one place; then
the hips follow those places; and only what is left is taken by the legs. Corrections fade in and out around a
stance, so that nothing snaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift import kinematics, legs, rotations
from mocaplift.clean.ground import sole_drops
from mocaplift.clean.smoothing import difference_band, low_pass, penalised
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.values import SkeletonMotion
from mocaplift.windows import runs

# Where a point rides: the joint's name, and metres from it at rest.
Attachments = Mapping[str, tuple[str, Float[np.ndarray, "3"]]]

MODES = ("auto", "always", "never")
SIDES = ("left", "right")
BLEND = 0.10  # s, in which a correction fades in before a stance and out after it
# `auto` does not force a foot that moves more than this within one stance: it turns, drags or was misjudged. It
# follows its own path then, without what is faster than SLOW.
FARTHEST_PULL = 0.15  # m
SLOW = 0.5  # Hz
# A stance this near to the floor is on it; beyond, it is on a step.
FLOOR_SNAP = 0.08  # m
# The root follows the feet within about this time, then returns to where it was seen.
ROOT_MEMORY = 0.5  # s
FLOOR_MEMORY = 0.15  # s, the same for the height of planted feet: the floor is known, the drift is not
ROOT_CUTOFF = 4.0  # Hz; the root's corrections are slower
HIP_CUTOFF = 3.0  # Hz; so are the hips' for reaching
# Corrections of the hips' height: how much a metre of it costs against a metre of leg, and the bend (sine) below
# which all knees count as straight.
HIP_COST = 0.05
STRAIGHTEST = 0.2
DEEPEST_DROP = 0.10  # m, how far hips go down for feet out of reach; beyond, the foot slides
# A swinging foot may be this share of its standing height above the floor, not lower: soles are soft.
LOWEST_SHARE = 0.5
_EVEN = 1e-3  # weight of a point that is not planted, when heel and toe disagree on the ankle


class _Pull(NamedTuple):
    """What one point shall do: a shift (faded already), and how sure it is (1 while planted, fading around)."""

    shift: Float[np.ndarray, "T 3"]
    weight: Float[np.ndarray, "T"]


class _Stance(NamedTuple):
    """One contact of one point: its column, and the frames from `first` to before `end`."""

    column: int
    first: int
    end: int


def pin_feet(
    motion: SkeletonMotion,
    contacts: Bool[np.ndarray, "T F"],
    attachments: Attachments,
    *,
    mode: str = "auto",
    drops: Float[np.ndarray, "F"] | None = None,
) -> SkeletonMotion:
    """Return the motion with planted heels and toes held in place, on the floor (y = 0), and none below it.

    `attachments` tells where each of `layouts.CONTACT_POINTS` rides; `drops` how far each is above the sole
    (m; without it, by the rest pose). `auto` leaves a foot that clearly moves within its stance; `always`
    holds it all the same; `never` returns the motion as it is.

    Raises:
        ConfigError: unknown mode.
        InvalidData: contacts and motion have different lengths, or an attachment is missing.
    """
    if mode not in MODES:
        raise ConfigError(f"foot lock knows {', '.join(MODES)}, but not {mode!r}")
    if contacts.shape != (len(motion.root), len(CONTACT_POINTS)):
        have = " ".join(str(length) for length in contacts.shape)
        raise InvalidData(
            f"contacts must have shape [{len(motion.root)} {len(CONTACT_POINTS)}], not [{have}]"
        )
    if mode == "never" or len(motion.root) < 2:
        return motion
    drops = sole_drops(motion.skeleton, attachments) if drops is None else drops
    points = contact_positions(motion, attachments)
    moved = _shift_root(motion, _root_shift(points, contacts, drops, motion.fps))
    points = contact_positions(moved, attachments)
    pulls = [
        pull
        for side in SIDES
        for pull in _pulls_of_foot(points, contacts, drops, _columns(side), motion.fps, mode)
    ]
    return _follow(moved, points, pulls, drops)


def contact_positions(motion: SkeletonMotion, attachments: Attachments) -> Float[np.ndarray, "T F 3"]:
    """Return where the points of `layouts.CONTACT_POINTS` are in the world, metres.

    Raises:
        InvalidData: an attachment is missing, or its joint is.
    """
    xyz, turned = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    found = []
    for name in CONTACT_POINTS:
        if name not in attachments:
            raise InvalidData(f"no attachment tells where {name} is on the skeleton")
        joint, offset = attachments[name]
        at = motion.skeleton.layout.at(joint)
        found.append(xyz[:, at] + rotations.rotate(turned[:, at], np.asarray(offset, dtype=float)))
    return np.stack(found, axis=1)


def _columns(side: str) -> tuple[int, int]:
    """Return the columns of heel and big toe of a side."""
    return CONTACT_POINTS.index(f"{side}_heel"), CONTACT_POINTS.index(f"{side}_big_toe")


def _shift_root(motion: SkeletonMotion, shift: Float[np.ndarray, "T 3"]) -> SkeletonMotion:
    return SkeletonMotion(motion.skeleton, motion.rotations, motion.root + shift, motion.fps)


def _root_shift(
    points: Float[np.ndarray, "T F 3"],
    contacts: Bool[np.ndarray, "T F"],
    drops: Float[np.ndarray, "F"],
    fps: float,
) -> Float[np.ndarray, "T 3"]:
    """Return how the root moves so that planted points stand still, smoothly, and not far.

    Minimises, per axis: the squared steps of planted points + (shift / memory)^2 + third differences, plus, for
    the height, the distance of planted points from the floor. A banded linear system.
    """
    from scipy.linalg import solveh_banded

    both = contacts[1:] & contacts[:-1]
    steps = np.where(both[..., None], np.diff(points, axis=0), 0.0).sum(axis=1)
    steps /= np.maximum(both.sum(axis=1), 1)[:, None]
    stands = both.any(axis=1).astype(float)
    band = (fps / (2 * np.pi * ROOT_CUTOFF)) ** 4 * difference_band(len(points))
    band[0] += 1 / (ROOT_MEMORY * fps) ** 2
    band[0, :-1] += stands
    band[0, 1:] += stands
    band[1, :-1] -= stands
    pull = np.zeros((len(points), 3))
    pull[1:] -= steps
    pull[:-1] += steps
    shift = np.zeros_like(pull)
    shift[:, ::2] = solveh_banded(band, pull[:, ::2], lower=True)
    above = points[..., 1] - drops
    on_floor = contacts & (np.abs(above) < FLOOR_SNAP)
    weight = 1 / (FLOOR_MEMORY * fps) ** 2
    band[0] += weight * on_floor.any(axis=1)
    pull[:, 1] -= weight * np.where(on_floor, above, 0.0).sum(axis=1) / np.maximum(on_floor.sum(axis=1), 1)
    shift[:, 1] = solveh_banded(band, pull[:, 1], lower=True)
    return shift


def _pulls_of_foot(
    points: Float[np.ndarray, "T F 3"],
    contacts: Bool[np.ndarray, "T F"],
    drops: Float[np.ndarray, "F"],
    columns: tuple[int, int],
    fps: float,
    mode: str,
) -> list[_Pull]:
    """Return what heel and toe of one foot shall do."""
    places = _places(points, contacts, drops, columns, fps, mode)
    time = np.arange(len(points))
    pulls = []
    for column in columns:
        shift, weight = np.zeros((len(points), 3)), np.zeros(len(points))
        for (own, first, end), place in places.items():
            if own != column:
                continue
            # Within another stance of the same point nothing else pulls.
            share = np.where(contacts[:, column], 0.0, _fade(time, first, end, BLEND * fps))
            share[first:end] = 1.0
            pulled = place - points[first:end, column]
            shift += share[:, None] * pulled[np.clip(time, first, end - 1) - first]
            weight += share
        pulls.append(_Pull(shift / np.maximum(weight, 1.0)[:, None], np.minimum(weight, 1.0)))
    return pulls


def _fade(time: Int[np.ndarray, "T"], first: int, end: int, width: float) -> Float[np.ndarray, "T"]:
    """Return 1 within a stretch of frames, falling to 0 by a smoothstep over `width` frames on both sides."""
    outside = np.maximum(np.maximum(first - time, time - (end - 1)), 0)
    x = np.clip(1 - outside / max(width, 1.0), 0.0, 1.0)
    return x * x * (3 - 2 * x)


def _places(
    points: Float[np.ndarray, "T F 3"],
    contacts: Bool[np.ndarray, "T F"],
    drops: Float[np.ndarray, "F"],
    columns: tuple[int, int],
    fps: float,
    mode: str,
) -> dict[_Stance, Float[np.ndarray, "*frames 3"]]:
    """Return where each stance of a foot is: [3], or [n 3] for one that moves.

    Heel and toe are one rigid foot: of stances that overlap in time, the longest is placed first, and the
    others at the foot's length from it, in the direction that the foot had while both stood.
    """
    places: dict[_Stance, Float[np.ndarray, "*frames 3"]] = {}
    waiting: list[_Stance] = []
    for stance in (_Stance(column, *run) for column in columns for run in runs(contacts[:, column])):
        here = points[stance.first : stance.end, stance.column]
        strays = np.linalg.norm((here - _middle(here))[:, [0, 2]], axis=-1).max()
        if mode == "auto" and strays > FARTHEST_PULL:
            places[stance] = low_pass(here, fps, SLOW)
        else:
            waiting.append(stance)
    waiting.sort(key=lambda stance: stance.first - stance.end)
    while waiting:
        anchor = waiting.pop(0)
        here = points[anchor.first : anchor.end, anchor.column]
        places[anchor] = _on_floor(_middle(here), drops[anchor.column])
        queue = [anchor]
        while queue:
            known = queue.pop()
            for other in list(waiting):
                first, end = max(known.first, other.first), min(known.end, other.end)
                if other.column == known.column or first >= end:
                    continue
                foot = points[first:end, other.column] - points[first:end, known.column]
                places[other] = _beside(places[known], foot, drops[other.column])
                waiting.remove(other)
                queue.append(other)
    return places


def _middle(here: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "3"]:
    """Return where a foot stood in the middle half of its stance: at the ends it lands and leaves."""
    quarter = len(here) // 4
    return here[quarter : len(here) - quarter].mean(axis=0)


def _on_floor(place: Float[np.ndarray, "3"], drop: float) -> Float[np.ndarray, "3"]:
    """Return the place, with its height on the floor if it is near it."""
    return np.array([place[0], drop, place[2]]) if abs(place[1] - drop) < FLOOR_SNAP else place


def _beside(
    known: Float[np.ndarray, "3"], foot: Float[np.ndarray, "T 3"], drop: float
) -> Float[np.ndarray, "3"]:
    """Return the other end of a foot: at its mean length, in its mean direction, on the floor if near it."""
    length = np.linalg.norm(foot, axis=-1).mean()
    mean = foot.mean(axis=0)
    place = _on_floor(known + mean / np.linalg.norm(mean) * length, drop)
    rise = place[1] - known[1]
    flat = np.array([mean[0], 0.0, mean[2]])
    across = np.linalg.norm(flat)
    if across < 1e-6 or abs(rise) >= length:
        return place
    return known + flat / across * np.sqrt(length**2 - rise**2) + np.array([0.0, rise, 0.0])


def _follow(
    motion: SkeletonMotion,
    points: Float[np.ndarray, "T F 3"],
    pulls: list[_Pull],
    drops: Float[np.ndarray, "F"],
) -> SkeletonMotion:
    """Return the motion whose feet do what the pulls say: hips first, then legs."""
    xyz, turned = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    before, ankles, foot_turns, weights = {}, {}, {}, {}
    for side in SIDES:
        heel, toe = _columns(side)
        before[side] = legs.leg_of(motion.skeleton, xyz, turned, side)
        ankles[side], foot_turns[side] = _foot_pose(
            points[:, [heel, toe]], (pulls[heel], pulls[toe]), drops[[heel, toe]], before[side].ankle
        )
        weights[side] = np.maximum(pulls[heel].weight, pulls[toe].weight)
    lift = _hip_lift(before, ankles, weights, motion.fps)
    up = np.stack([np.zeros_like(lift), lift, np.zeros_like(lift)], axis=-1)
    turns = motion.rotations.copy()
    for side in SIDES:
        leg = before[side]
        solved = legs.reach(leg, leg.hip + up, ankles[side], legs.reach_limit(leg))
        _write_leg(motion, turns, turned, side, solved, foot_turns[side])
    return SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=rotations.make_continuous(rotations.normalize(turns)),
        root=motion.root + up,
        fps=motion.fps,
    )


def _foot_pose(
    ends: Float[np.ndarray, "T 2 3"],
    pulls: tuple[_Pull, _Pull],
    drops: Float[np.ndarray, "2"],
    ankle: Float[np.ndarray, "T 3"],
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 4"]]:
    """Return where the ankle goes, and how the foot turns (world axes), to bring heel and toe where they belong.

    An end that is not planted goes along with the other one.
    """
    wanted = ends.copy()
    for own, other in ((0, 1), (1, 0)):
        wanted[:, own] += pulls[own].shift + (1 - pulls[own].weight)[:, None] * pulls[other].shift
        lowest = LOWEST_SHARE * drops[own]
        free = pulls[own].weight < 1
        wanted[:, own, 1] = np.where(free, np.maximum(wanted[:, own, 1], lowest), wanted[:, own, 1])
    turn = rotations.from_two_vectors(ends[:, 1] - ends[:, 0], wanted[:, 1] - wanted[:, 0])
    from_end = [wanted[:, k] + rotations.rotate(turn, ankle - ends[:, k]) for k in (0, 1)]
    sure = [pull.weight[:, None] + _EVEN for pull in pulls]
    return (sure[0] * from_end[0] + sure[1] * from_end[1]) / (sure[0] + sure[1]), turn


def _hip_lift(before, ankles, weights, fps: float) -> Float[np.ndarray, "T"]:
    """Return how far (m) the hips go up so that knees keep their bend, and down so that feet stay in reach."""
    weight = np.zeros(len(weights["left"]))
    pull = np.zeros_like(weight)
    for side in SIDES:
        leg = before[side]
        was = np.linalg.norm(leg.ankle - leg.hip, axis=-1)
        now = leg.hip - ankles[side]
        distance = np.linalg.norm(now, axis=-1)
        slope = now[:, 1] / np.maximum(distance, 1e-9)
        # A straight knee turns most for a millimetre of reach: d bend / d reach ~ 1 / sin(bend).
        count = weights[side] / np.maximum(np.sin(legs.knee_bend(leg)), STRAIGHTEST) ** 2
        weight += count * slope**2
        pull += count * slope * (was - distance)
    strength = (fps / (2 * np.pi * HIP_CUTOFF)) ** 6
    lift = penalised(weight + HIP_COST, pull[:, None], strength)[:, 0]
    return lift - _needed_drop(before, ankles, lift, fps)


def _needed_drop(before, ankles, lift, fps: float) -> Float[np.ndarray, "T"]:
    """Return how much lower (m) the hips must be, smoothly, for both ankles to be within reach."""
    drop = np.zeros_like(lift)
    for side in SIDES:
        gap = before[side].hip - ankles[side]
        across = np.linalg.norm(gap[:, [0, 2]], axis=-1)
        highest = np.sqrt(np.maximum(legs.reach_limit(before[side]) ** 2 - across**2, 0.0))
        drop = np.maximum(drop, gap[:, 1] + lift - highest)
    drop = np.minimum(drop, DEEPEST_DROP)
    if drop.max() <= 1e-9:
        return np.zeros_like(drop)
    half = max(round(fps / (4 * HIP_CUTOFF)), 1)
    padded = np.pad(drop, half, mode="edge")
    widest = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1).max(axis=1)
    return np.maximum(low_pass(widest[:, None], fps, HIP_CUTOFF)[:, 0], drop)


def _write_leg(motion, turns, turned, side: str, leg: legs.Leg, foot_turn) -> None:
    """Write a solved leg's local rotations; the foot keeps its own orientation but for its turn."""
    hip, knee, ankle = motion.skeleton.layout.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    parent = motion.skeleton.parents[hip]
    foot = rotations.multiply(foot_turn, turned[:, ankle])
    turns[:, hip] = rotations.multiply(rotations.conjugate(turned[:, parent]), leg.hip_turn)
    turns[:, knee] = rotations.multiply(rotations.conjugate(leg.hip_turn), leg.knee_turn)
    turns[:, ankle] = rotations.multiply(rotations.conjugate(leg.knee_turn), foot)
