"""Motions of a four-legged creature that the project makes up: it walks, trots, bounds, stands, sits and lies.

It wanders about a yard, looks around, sniffs and wags. Every clip is another animal with other habits. The paws
stand where they land (`train.data.footfalls`), the bones keep their lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from mocaplift.errors import InvalidData
from mocaplift.train.data.footfalls import GAITS, LEGS, bent, missing_reach, paw_path
from mocaplift.values import Layout, Motion3D

SIDES = (("left", 1.0), ("right", -1.0))
# Where parts are in the half of the trunk that they belong to, from the middle of the back (m; +X left, +Z ahead).
NECK, SHOULDER = np.array([0.0, 0.04, 0.277]), np.array([0.08, -0.10, 0.25])
TAIL, HIP = np.array([0.0, 0.0, -0.28]), np.array([0.07, -0.06, -0.24])
EAR = np.array([0.05, 0.06, 0.0])  # from the head
BACK_HEIGHT = 0.555  # m, of the middle of the back over the floor
# Bones (m): neck, skull, tail; upper and lower of fore and hind legs.
NECK_BONE, SKULL, TAIL_BONE = 0.22, 0.17, 0.30
LEG_BONES = {"fore": (0.24, 0.27), "hind": (0.25, 0.27)}
# Of animals: size, and each group of bones beside it (log, sigma).
SIZE_SPREAD, PART_SPREAD = 0.10, 0.05
# How far front and back of the trunk are lower (m) when it sits and lies, and how far ahead of shoulder and hip
# the paws then stand (m).
SUNK = {"sit": (0.02, 0.30), "lie": (0.265, 0.28)}
AHEAD = {"sit": (-0.02, 0.17), "lie": (0.10, 0.15)}
# Activities, how often they are begun, and how long they last (s).
CHANCES = {"stand": 0.14, "walk": 0.34, "trot": 0.2, "bound": 0.08, "sit": 0.12, "lie": 0.12}
SECONDS = (1.5, 4.5)
CHANGE = 0.28  # s, sigma of the smoothing when one activity becomes another
MARGIN = 2.0  # s, made at both ends and cut away
SLOWEST = 0.05  # m/s; slower is standing
# It wanders about (rad/s, sigma, changing within s) and turns back into the yard (rad/s at its end, m). It turns
# slowly as it stands, by so much a metre as it goes, and never faster than `SHARPEST` (rad/s, rad/m, rad/s).
WANDERING, WANDER_SECONDS, HOMING, YARD = 0.7, 1.0, 1.6, 1.8
STANDING_TURN, TURN_A_METRE, SHARPEST = 0.25, 1.3, 1.6
TURN_SECONDS = 0.25  # in which it begins to turn
TRIES = 40


@dataclass(frozen=True)
class Animal:
    """One animal: how much larger than usual its parts are, and its habits."""

    trunk: float
    legs: float
    head: float
    tail: float
    head_pitch: float  # rad, of the neck over the horizon
    tail_pitch: float
    wag: float  # rad
    wags: float  # 1/s

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Animal:
        """Return a random animal."""
        size = rng.normal(0.0, SIZE_SPREAD)
        trunk, legs, head, tail = np.exp(size + rng.normal(0.0, PART_SPREAD, 4)).tolist()
        habits = (rng.normal(0.55, 0.2), rng.normal(-0.2, 0.45), rng.uniform(0.0, 0.8), rng.uniform(0.8, 3.0))
        return cls(trunk, legs, head, tail, *habits)


def creature(rng: np.random.Generator, layout: Layout, seconds: float, fps: float = 30.0) -> Motion3D:
    """Return a random clip of a random animal: world metres, +Y up, floor at y = 0.

    Raises:
        InvalidData: the layout lacks joints of the creature, or it got into no clip without a fault.
    """
    for _ in range(TRIES):
        try:
            parts = _performed(rng, Animal.drawn(rng), seconds, fps)
        except InvalidData:
            continue  # a leg was out of reach
        xyz = np.stack([parts[joint] for joint in layout.joints if joint in parts], axis=1)
        if xyz.shape[1] != len(layout):
            missing = ", ".join(joint for joint in layout.joints if joint not in parts)
            raise InvalidData(f"layout {layout.name}: the creature has no {missing}")
        cut = slice(round(MARGIN * fps), len(xyz) - round(MARGIN * fps))
        if rng.random() < 0.5:
            xyz = xyz[:, list(layout.mirror)] * [-1.0, 1.0, 1.0]
        return Motion3D(xyz[cut], np.zeros(xyz[cut].shape[:2]), layout, fps)
    raise InvalidData(f"{TRIES} creatures in a row were out of their legs' reach")


@dataclass(frozen=True, eq=False)
class Course:
    """What an animal does: `phase` in strides, where it is and heads, how much it sits and lies."""

    phase: Float[np.ndarray, "T"]
    landings: Float[np.ndarray, "T 4"]
    stands: Float[np.ndarray, "T"]
    bounce: Float[np.ndarray, "T"]
    rocking: Float[np.ndarray, "T"]
    place: Float[np.ndarray, "T 2"]
    heading: Float[np.ndarray, "T"]
    turning: Float[np.ndarray, "T"]
    low: dict[str, Float[np.ndarray, "T"]]


def _performed(
    rng: np.random.Generator, animal: Animal, seconds: float, fps: float
) -> dict[str, Float[np.ndarray, "T 3"]]:
    """Return the path of every joint, with margins.

    Raises:
        InvalidData: a leg is out of reach.
    """
    frames = round((seconds + 2 * MARGIN) * fps)
    course = _course(rng, animal, frames, fps)
    front, back, pitch = _trunk(rng, animal, course, fps)
    joints = {"spine": front[0], "neck": front[1], "tail_base": back[1]}
    joints |= _legs(animal, course, front[2], back[2])
    joints |= _head(rng, animal, joints["neck"], course.heading + 0.4 * course.turning, fps)
    joints["tail_tip"] = _tail(rng, animal, joints["tail_base"], course.heading, pitch, fps)
    return joints


def _course(rng: np.random.Generator, animal: Animal, frames: int, fps: float) -> Course:
    """Return a random sequence of activities and the way through the yard that goes with it."""
    scale = np.sqrt(animal.legs)
    rows = []
    for name, first, last in _plan(rng, frames, fps):
        gait = GAITS[name if name in GAITS else "stand"]
        share = rng.random()
        speed, cadence = (low + share * (high - low) for low, high in (gait.speeds, gait.cadence))
        row = (scale * speed, cadence / scale, gait.stands, gait.bounce, gait.rocking,
               float(name == "sit"), float(name == "lie"), *gait.landings)  # fmt: skip
        rows.append(np.tile(row, (last - first, 1)))
    changing = gaussian_filter1d(np.concatenate(rows), CHANGE * fps, axis=0, mode="nearest")
    speed, cadence, stands, bounce, rocking, sit, lie, *landings = changing.T
    speed = np.where(speed < SLOWEST, 0.0, speed) * (1 - np.maximum(sit, lie)) ** 4
    limit = np.minimum(STANDING_TURN * (sit + lie < SLOWEST) + TURN_A_METRE * speed, SHARPEST)
    place, heading, turning = _way(rng, speed, limit, fps)
    phase = rng.random() + np.cumsum(cadence) / fps
    low = {"sit": np.clip(sit, 0.0, 1.0), "lie": np.clip(lie, 0.0, 1.0)}
    return Course(phase, np.stack(landings, axis=-1), stands, bounce, rocking, place, heading, turning, low)


def _way(
    rng: np.random.Generator, speed: Float[np.ndarray, "T"], limit: Float[np.ndarray, "T"], fps: float
) -> tuple[Float[np.ndarray, "T 2"], Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Return places (x, z), headings (rad) and turning (rad/s, at most `limit`) at a speed (m/s)."""
    frames = len(speed)
    wish = WANDERING * slow_curve(rng, frames, WANDER_SECONDS, fps)
    heading, turning, place = np.zeros(frames), np.zeros(frames), np.zeros((frames, 2))
    heading[0] = rng.uniform(-np.pi, np.pi)
    place[0] = rng.uniform(-YARD / 3, YARD / 3, 2)
    for k in range(1, frames):
        x, z = place[k - 1]
        off = (np.arctan2(-x, -z) - heading[k - 1] + np.pi) % (2 * np.pi) - np.pi
        outside = np.clip(np.hypot(x, z) / YARD - 0.4, 0.0, 1.0)
        wanted = wish[k] + HOMING * outside * np.clip(2 * off, -1.5, 1.5)
        change = np.clip(wanted, -limit[k], limit[k]) - turning[k - 1]
        turning[k] = turning[k - 1] + change / (TURN_SECONDS * fps)
        heading[k] = heading[k - 1] + turning[k] / fps
        place[k] = place[k - 1] + speed[k] / fps * np.array([np.sin(heading[k]), np.cos(heading[k])])
    return place, heading, turning


def _plan(rng: np.random.Generator, frames: int, fps: float) -> list[tuple[str, int, int]]:
    """Return activities with their first frame and the one after their last; it stands up in between."""
    names, odds = list(CHANCES), np.array(list(CHANCES.values()))
    plan: list[tuple[str, int, int]] = []
    first, before = 0, "stand"
    while first < frames:
        name = str(rng.choice(names, p=odds / odds.sum()))
        if (name in SUNK) != (before in SUNK):
            last = first + round(rng.uniform(0.5, 1.0) * fps)
            plan.append(("stand", first, min(last, frames)))
            first = last
        last = first + round(rng.uniform(*SECONDS) * fps)
        if first < frames:
            plan.append((name, first, min(last, frames)))
        first, before = last, name
    return plan


Half = tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]


def _trunk(
    rng: np.random.Generator, animal: Animal, course: Course, fps: float
) -> tuple[Half, Half, Float[np.ndarray, "T"]]:
    """Return middle, end and the two starts of legs of both halves of the trunk, and the pitch of the back one."""
    frames = len(course.phase)
    sunk = np.stack([sum(course.low[name] * SUNK[name][half] for name in SUNK) for half in (0, 1)], axis=-1)
    sunk = np.asarray(sunk) * animal.legs
    wave = 2 * np.pi * course.phase
    # Walk and trot bounce twice a stride, the bound once; it rocks as it does.
    once = course.rocking / GAITS["bound"].rocking
    bob = course.bounce * ((1 - once) * np.sin(2 * wave) + once * np.sin(wave))
    length = animal.trunk * float(SHOULDER[2] - HIP[2])
    pitch = np.arcsin(np.clip((sunk[:, 1] - sunk[:, 0]) / length, -0.95, 0.95))
    pitch = pitch + course.rocking * np.sin(wave + 0.8) + 0.03 * slow_curve(rng, frames, 0.8, fps)
    flex = (
        0.6 * course.rocking * np.cos(wave)
        + 0.04 * slow_curve(rng, frames, 0.8, fps)
        + 0.35 * course.low["sit"]
    )
    bend = 0.22 * course.turning + 0.07 * slow_curve(rng, frames, 0.8, fps)
    height = BACK_HEIGHT * animal.legs - sunk.mean(axis=1) + bob + 0.008 * slow_curve(rng, frames, 0.6, fps)
    middle = np.stack([course.place[:, 0], height, course.place[:, 1]], axis=-1)
    roll = 0.03 * slow_curve(rng, frames, 0.7, fps) + 0.02 * np.sin(wave)
    halves = []
    for end, leg, sign in ((NECK, SHOULDER, 1.0), (TAIL, HIP, -1.0)):
        turn = turned(course.heading + sign * bend, pitch - sign * flex / 2, roll)
        starts = tuple(middle + turn @ (animal.trunk * leg * [side, 1.0, 1.0]) for _, side in SIDES)
        halves.append((middle, middle + turn @ (animal.trunk * end), starts))
    sinking = _sinking(animal, course, halves[0][2], halves[1][2], fps)
    down = sinking[:, None] * [0.0, 1.0, 0.0]
    front, back = ((a - down, b - down, (c[0] - down, c[1] - down)) for a, b, c in halves)
    return front, back, pitch


def _sinking(
    animal: Animal, course: Course, shoulders: tuple, hips: tuple, fps: float
) -> Float[np.ndarray, "T"]:
    """Return how far the trunk must sink (m) for every paw to be within its leg's reach.

    Raises:
        InvalidData: a paw is too far away.
    """
    lacking = np.zeros(len(course.phase))
    for number, (leg, start) in enumerate(zip(LEGS, (*shoulders, *hips), strict=True)):
        length = animal.legs * sum(LEG_BONES[leg.split("_")[1]])
        lacking = np.maximum(lacking, missing_reach(start, _paw(course, number, start), length))
    wide = maximum_filter1d(lacking, 2 * round(0.12 * fps) + 1, mode="nearest")
    # The filter is wide enough for the smoothing to stay above what is lacking.
    smooth: np.ndarray = gaussian_filter1d(wide, 0.04 * fps, truncate=3.0, mode="nearest")
    return smooth


def _paw(course: Course, number: int, start: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Return the path of the paw of a leg that starts there."""
    half = 0 if "fore" in LEGS[number] else 1
    ahead = sum(course.low[name] * AHEAD[name][half] for name in AHEAD)
    towards = np.stack([np.sin(course.heading), np.cos(course.heading)], axis=-1)
    below = start[:, [0, 2]] + np.asarray(ahead)[:, None] * towards
    phase = np.maximum.accumulate(course.phase - course.landings[:, number])
    return paw_path(phase, course.stands, below)


def _legs(animal: Animal, course: Course, shoulders: tuple, hips: tuple) -> dict[str, np.ndarray]:
    """Return shoulders, elbows, hips, knees and paws.

    Raises:
        InvalidData: a paw is out of reach.
    """
    joints = {}
    ahead = np.stack([np.sin(course.heading), 0 * course.heading, np.cos(course.heading)], axis=-1)
    left = np.stack([np.cos(course.heading), 0 * course.heading, -np.sin(course.heading)], axis=-1)
    lying, sitting = course.low["lie"][:, None], course.low["sit"][:, None]
    for number, (leg, start) in enumerate(zip(LEGS, (*shoulders, *hips), strict=True)):
        side, half = leg.split("_")
        is_fore = half == "fore"
        names = ("shoulder", "elbow") if is_fore else ("hip", "knee")
        # Elbows point back, knees ahead; both aside when the belly is on the floor.
        outward = 0.12 + (0.5 * lying if is_fore else 0.7 * lying + 0.3 * sitting)
        towards = (-1.0 if is_fore else 1.0) * ahead + (1.0 if side == "left" else -1.0) * outward * left
        paw = _paw(course, number, start)
        upper, lower = (animal.legs * bone for bone in LEG_BONES[half])
        joints[f"{side}_{names[0]}"] = start
        joints[f"{side}_{names[1]}"] = bent(start, paw, towards, (upper, lower))
        joints[f"{leg}_paw"] = paw
    return joints


def _head(
    rng: np.random.Generator,
    animal: Animal,
    neck: Float[np.ndarray, "T 3"],
    heading: Float[np.ndarray, "T"],
    fps: float,
) -> dict[str, np.ndarray]:
    """Return head, nose and ears of an animal that looks around and sometimes sniffs the floor."""
    frames = len(neck)
    sniffs = gaussian_filter1d(
        (slow_curve(rng, frames, 1.0, fps) > 1.2).astype(float), 0.25 * fps, mode="nearest"
    )
    pitch = animal.head_pitch + 0.25 * slow_curve(rng, frames, 0.6, fps) - 1.5 * sniffs
    reach = animal.head * (NECK_BONE + SKULL)
    lowest = np.arcsin(np.clip((0.08 - neck[:, 1]) / reach, -0.95, 0.95))
    pitch = np.clip(pitch, lowest, 1.3)
    yaw = heading + 0.35 * slow_curve(rng, frames, 0.6, fps)
    at = neck + animal.head * NECK_BONE * ahead_of(yaw, pitch)
    tilt = np.clip(0.4 * pitch - 0.25 + 0.2 * slow_curve(rng, frames, 0.4, fps), lowest, 1.0)
    yaw = yaw + 0.3 * slow_curve(rng, frames, 0.4, fps)
    turn = turned(yaw, tilt, 0.12 * slow_curve(rng, frames, 0.6, fps))
    nose = at + turn @ np.array([0.0, 0.0, animal.head * SKULL])
    ears = {f"{side}_ear": at + turn @ (animal.head * EAR * [sign, 1.0, 1.0]) for side, sign in SIDES}
    return {"head": at, "nose": nose, **ears}


def _tail(
    rng: np.random.Generator,
    animal: Animal,
    base: Float[np.ndarray, "T 3"],
    heading: Float[np.ndarray, "T"],
    pitch: Float[np.ndarray, "T"],
    fps: float,
) -> Float[np.ndarray, "T 3"]:
    """Return the tip of a tail that hangs or stands and wags from time to time."""
    frames = len(base)
    length = animal.tail * TAIL_BONE
    wag = animal.wag * np.clip(slow_curve(rng, frames, 0.8, fps), 0.0, 1.5)
    swing = wag * np.sin(2 * np.pi * animal.wags * np.arange(frames) / fps + rng.uniform(0, 2 * np.pi))
    lowest = np.arcsin(np.clip((0.03 - base[:, 1]) / length, -0.95, 0.95))
    up = animal.tail_pitch - 0.5 * pitch + 0.3 * slow_curve(rng, frames, 0.7, fps)
    return base + length * ahead_of(heading + np.pi + swing, np.clip(up, lowest, 1.4))


def turned(
    yaw: Float[np.ndarray, "T"], pitch: Float[np.ndarray, "T"], roll: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T 3 3"]:
    """Return turns (rad): roll about +Z, pitch that raises +Z, then yaw that takes +Z to +X."""
    frames = len(yaw)
    about_y, about_x, about_z = np.zeros((3, frames, 3, 3))
    cos, sin = np.cos(yaw), np.sin(yaw)
    about_y[:, 0, 0] = about_y[:, 2, 2] = cos
    about_y[:, 0, 2], about_y[:, 2, 0], about_y[:, 1, 1] = sin, -sin, 1.0
    cos, sin = np.cos(pitch), np.sin(pitch)
    about_x[:, 1, 1] = about_x[:, 2, 2] = cos
    about_x[:, 1, 2], about_x[:, 2, 1], about_x[:, 0, 0] = sin, -sin, 1.0
    cos, sin = np.cos(roll), np.sin(roll)
    about_z[:, 0, 0] = about_z[:, 1, 1] = cos
    about_z[:, 0, 1], about_z[:, 1, 0], about_z[:, 2, 2] = -sin, sin, 1.0
    return about_y @ about_x @ about_z


def ahead_of(yaw: Float[np.ndarray, "T"], pitch: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 3"]:
    """Return unit directions: +Z at zero, towards +X by yaw, upwards by pitch (rad)."""
    level = np.cos(pitch)
    return np.stack([level * np.sin(yaw), np.sin(pitch), level * np.cos(yaw)], axis=-1)


def slow_curve(rng: np.random.Generator, frames: int, seconds: float, fps: float) -> Float[np.ndarray, "T"]:
    """Return a smooth random curve of variance 1 that changes within some seconds."""
    width = seconds * fps
    margin = int(np.ceil(4 * width))
    smooth = gaussian_filter1d(rng.normal(size=frames + 2 * margin), width)[margin:-margin]
    return smooth * np.sqrt(2 * width * np.sqrt(np.pi))
