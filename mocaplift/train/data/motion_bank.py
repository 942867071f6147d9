"""Windows of moving people: a bank of body21 motions made from CMU takes once, and random passages of it.

More motions than were recorded: every take is performed by several random bodies, with the legs of other takes
blended in and out, limbs turned by slow random turns, and sometimes the whole body tilted, for floor work and
acrobatics. Mirror images, other speeds and headings cost nothing and are drawn with each window.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d

from mocaplift.body import Body, body_keypoints, load_body
from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.layouts import SMPL24
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.rotations import from_rotvec, make_continuous, multiply, normalize, rotate, slerp
from mocaplift.train.data.augment import LARGEST_TILT, LOWER_BODY, TURN_SIGMA
from mocaplift.train.data.cmu import Take, read_takes
from mocaplift.train.data.motions import resample, transfer
from mocaplift.values import SkeletonMotion
from mocaplift.weights import load_arrays, locate

log = logging.getLogger(__name__)

BANK_FORMAT = 1  # in the files' names: a bank made by other rules is never read
BANK_FPS = 60.0
# Recordings jitter; people's joints do not move above some 10 Hz (s, sigma of the smoothing).
SMOOTHING = 0.015
# How often each recording is in the bank, each time on another body: training, validation.
TRAIN_COPIES, VALIDATION_COPIES = 12, 3
# Of the copies of a take: recorded as they are, with other legs, with turned limbs (may have both), tilted.
BLENDED_SHARE, TURNED_SHARE, TILTED_SHARE = 0.35, 0.5, 0.06
# Seconds over which random turns, blends and tilts change (sigma of the smoothing of white noise).
TURN_SECONDS, BLEND_SECONDS, TILT_SECONDS = 0.6, 1.0, 0.5
# Legs are exchanged only while both pelvises stand this upright (cosine).
UPRIGHT = 0.8
FLOOR_SECONDS = 0.25  # s, smoothing of what lies lowest when a changed body is put back onto the floor
SPEEDS = (0.7, 1.4)  # of the window over the recording
SIZES = (0.95, 1.05)  # the bodies are random already; so are people within a body
LARGEST_BANK = 2 << 30  # bytes


@dataclass(frozen=True, eq=False)
class MotionBank:
    """Motions of a figure one after the other, world metres (or its units), floor at y = 0, at `BANK_FPS`.

    `first` and `length` tell where each motion lies, `chance` how often it is drawn, `speeds` the least and the
    greatest speed of a passage over the recording.
    """

    xyz: Float[np.ndarray, "F J 3"]
    first: Int[np.ndarray, "M"]
    length: Int[np.ndarray, "M"]
    chance: Float[np.ndarray, "M"]
    speeds: tuple[float, float] = SPEEDS
    figure: Figure = PERSON

    def windows(
        self, rng: np.random.Generator, count: int, num_frames: int, fps: float
    ) -> Float[np.ndarray, "N T J 3"]:
        """Return random passages, their middle frame's root over (0, 0), at other speeds, sizes and headings.

        Raises:
            InvalidData: no motion of the bank is long enough.
        """
        slowest, fastest = self.speeds
        speed = slowest * (fastest / slowest) ** rng.random(count)
        span = (num_frames - 1) * BANK_FPS / fps
        is_long = self.length > span * fastest + 1
        if not is_long.any():
            raise InvalidData(f"no motion of the bank lasts {span * fastest / BANK_FPS:.1f} s")
        odds = np.where(is_long, self.chance, 0.0)
        chosen = rng.choice(len(odds), count, p=odds / odds.sum())
        begin = rng.uniform(0.0, 1.0, count) * (self.length[chosen] - 1.001 - span * speed)
        at = begin[:, None] + np.arange(num_frames) * (speed * BANK_FPS / fps)[:, None]
        low = at.astype(int)
        share = (at - low).astype(np.float32)[..., None, None]
        low += self.first[chosen, None]
        xyz = self.xyz[low] * (1 - share) + self.xyz[low + 1] * share
        layout = self.figure.layout
        root = layout.index(*self.figure.root)
        xyz[..., [0, 2]] -= xyz[:, num_frames // 2, root].mean(axis=1)[:, None, None, [0, 2]]
        is_mirrored = rng.random(count) < 0.5
        mirrored = xyz[is_mirrored][:, :, list(layout.mirror)]
        mirrored[..., 0] *= -1
        xyz[is_mirrored] = mirrored
        turn = _yaws(rng.uniform(0, 2 * np.pi, count)) * rng.uniform(*SIZES, count)[:, None, None]
        flat = xyz.reshape(count, -1, 3) @ turn.astype(np.float32).transpose(0, 2, 1)
        return flat.reshape(xyz.shape)


def load_banks(cmu: Path, folder: Path) -> tuple[MotionBank, MotionBank]:
    """Return the banks of training and of validation, made from the CMU archives where the folder lacks them.

    Making takes about a minute. Validation holds the takes that training never sees (`Take.is_validation`).

    Raises:
        InvalidData: the CMU archives are missing or damaged, or a cached bank is.
        WeightsError: the body model is missing.
        OutputError: the folder cannot be written.
    """
    paths = [Path(folder) / f"motions-{BANK_FORMAT}-{split}.npz" for split in ("train", "validation")]
    if not all(path.is_file() for path in paths):
        body = load_body()
        sole_y = -float(load_arrays(locate("body"), "body")[0]["pelvis_height"][0])
        takes = list(read_takes(Path(cmu), body.skeleton(np.zeros(body.num_shape)), sole_y=sole_y))
        for seed, (path, copies) in enumerate(zip(paths, (TRAIN_COPIES, VALIDATION_COPIES), strict=True)):
            chosen = [take for take in takes if take.is_validation == (path == paths[1])]
            save_bank(path, make_bank(chosen, body, np.random.default_rng(seed), copies))
    train, validation = (read_bank(path) for path in paths)
    return train, validation


def save_bank(path: Path, bank: MotionBank) -> None:
    """Write a bank as .npz.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays = {"xyz": bank.xyz, "first": bank.first, "length": bank.length, "chance": bank.chance}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    log.info("%s: %d motions, %.0f minutes", path.name, len(bank.first), len(bank.xyz) / BANK_FPS / 60)


def read_bank(path: Path, figure: Figure = PERSON) -> MotionBank:
    """Return a bank of a figure's motions that `save_bank` wrote.

    Raises:
        InvalidData: the file is missing, too large, damaged, or no bank.
    """
    try:
        if path.stat().st_size > LARGEST_BANK:
            raise InvalidData(f"{path}: larger than any bank of motions")
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("xyz", "first", "length", "chance")}
            bank = MotionBank(**arrays, figure=figure)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InvalidData(f"{path}: not a bank of motions ({error}); delete it to make it anew") from error
    if (
        bank.xyz.ndim != 3
        or bank.xyz.shape[1:] != (len(figure.layout), 3)
        or not len(bank.first)
        or not len(bank.first) == len(bank.length) == len(bank.chance)
        or (bank.first < 0).any()
        or (bank.first + bank.length > len(bank.xyz)).any()
    ):
        raise InvalidData(f"{path}: the parts of this bank do not fit together; delete it to make it anew")
    return bank


def make_bank(takes: Sequence[Take], body: Body, rng: np.random.Generator, copies: int) -> MotionBank:
    """Return the bank of some takes; each is performed `copies` times.

    Subjects, and takes within a subject, are drawn by the square root of their length.

    Raises:
        InvalidData: there is no take.
    """
    if not takes:
        raise InvalidData("a bank of motions needs at least one take")
    motions = [_smooth(take.motion) for take in takes]
    parts: list[np.ndarray] = []
    seconds = np.array([len(motion.root) / BANK_FPS for motion in motions])
    subjects = np.array([take.subject for take in takes])
    within = np.array([np.sqrt(seconds[subjects == subject]).sum() for subject in subjects])
    total = np.array([np.sqrt(seconds[subjects == subject].sum()) for subject in subjects])
    for _ in range(copies):
        parts += [_perform(motion, motions, body, rng) for motion in motions]
    length = np.array([len(part) for part in parts])
    chance = np.tile(total * np.sqrt(seconds) / within, copies)
    return MotionBank(
        xyz=np.concatenate(parts),
        first=np.concatenate([[0], np.cumsum(length)[:-1]]),
        length=length,
        chance=chance / chance.sum(),
    )


def _smooth(motion: SkeletonMotion) -> SkeletonMotion:
    width = SMOOTHING * motion.fps
    rotations = gaussian_filter1d(make_continuous(motion.rotations), width, axis=0, mode="nearest")
    calm = SkeletonMotion(
        skeleton=motion.skeleton,
        rotations=normalize(rotations),
        root=gaussian_filter1d(motion.root, width, axis=0, mode="nearest"),
        fps=motion.fps,
    )
    return resample(calm, BANK_FPS)


def _perform(
    motion: SkeletonMotion, others: Sequence[SkeletonMotion], body: Body, rng: np.random.Generator
) -> Float[np.ndarray, "T 21 3"]:
    """Return a take as a random body performs it, changed at random."""
    rotations = motion.rotations
    if rng.random() < BLENDED_SHARE:
        rotations = with_other_legs(rotations, others[int(rng.integers(len(others)))].rotations, rng)
    if rng.random() < TURNED_SHARE:
        rotations = with_slow_turns(rotations, rng)
    is_tilted = rng.random() < TILTED_SHARE
    if is_tilted:
        rotations = with_slow_tilt(rotations, rng)
    shape = rng.normal(size=body.num_shape)
    skeleton = body.skeleton(shape)
    lowest = _lowest(body_keypoints(transfer(motion, skeleton), body).xyz)
    changed = SkeletonMotion(motion.skeleton, rotations, motion.root, motion.fps)
    xyz = body_keypoints(transfer(changed, skeleton), body).xyz
    if rotations is not motion.rotations:
        # The feet are elsewhere now: as high above the floor as the recorded body was, on the floor if tilted.
        wanted = np.zeros_like(lowest) if is_tilted else lowest
        lift = gaussian_filter1d(wanted - _lowest(xyz), FLOOR_SECONDS * BANK_FPS, mode="nearest")
        xyz[..., 1] += lift[:, None]
    return xyz.astype(np.float32)


def with_other_legs(
    rotations: Float[np.ndarray, "T 24 4"], other: Float[np.ndarray, "S 24 4"], rng: np.random.Generator
) -> Float[np.ndarray, "T 24 4"]:
    """Return the motion with another motion's legs coming and going, while both are upright."""
    place = (np.arange(len(rotations)) + int(rng.integers(len(other)))) % (2 * len(other))
    other = other[np.minimum(place, 2 * len(other) - 1 - place)]
    up = np.array([0.0, 1.0, 0.0])
    upright = (rotate(rotations[:, 0], up)[:, 1] > UPRIGHT) & (rotate(other[:, 0], up)[:, 1] > UPRIGHT)
    wish = 1 / (1 + np.exp(-4 * _slow_noise(rng, len(rotations), 1, BLEND_SECONDS)[:, 0]))
    share = gaussian_filter1d(wish * upright, 0.2 * BANK_FPS, mode="nearest")
    legs = SMPL24.index(*LOWER_BODY)
    out = rotations.copy()
    out[:, legs] = slerp(rotations[:, legs], other[:, legs], share[:, None])
    return normalize(out)


def with_slow_turns(
    rotations: Float[np.ndarray, "T 24 4"], rng: np.random.Generator
) -> Float[np.ndarray, "T 24 4"]:
    """Return the motion with every ball joint turned a little, by turns that change slowly (`TURN_SIGMA`)."""
    out = rotations.copy()
    for joint, sigma in TURN_SIGMA.items():
        place = SMPL24.at(joint)
        turn = from_rotvec(sigma * _slow_noise(rng, len(rotations), 3, TURN_SECONDS))
        out[:, place] = multiply(out[:, place], turn)
    return normalize(out)


def with_slow_tilt(
    rotations: Float[np.ndarray, "T 24 4"], rng: np.random.Generator
) -> Float[np.ndarray, "T 24 4"]:
    """Return the motion with the whole body tilted about a horizontal axis, by an angle that comes and goes."""
    heading = rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(heading), 0.0, np.sin(heading)])
    angle = rng.uniform(0.3, 1.0) * LARGEST_TILT * np.sin(_slow_noise(rng, len(rotations), 1, TILT_SECONDS))
    out = rotations.copy()
    out[:, 0] = normalize(multiply(from_rotvec(axis * angle), out[:, 0]))
    return out


def _slow_noise(
    rng: np.random.Generator, num_frames: int, channels: int, seconds: float
) -> Float[np.ndarray, "T C"]:
    """Return smooth random curves of variance 1."""
    width = seconds * BANK_FPS
    margin = int(np.ceil(4 * width))
    white = rng.normal(size=(num_frames + 2 * margin, channels))
    smooth = gaussian_filter1d(white, width, axis=0)[margin:-margin]
    return smooth * np.sqrt(2 * width * np.sqrt(np.pi))


def _lowest(xyz: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T"]:
    return xyz[..., 1].min(axis=1)


def _yaws(angle: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N 3 3"]:
    """Return turns about the vertical; an angle of 90 degrees takes +Z to +X."""
    out = np.zeros((len(angle), 3, 3))
    out[:, 0, 0] = out[:, 2, 2] = np.cos(angle)
    out[:, 0, 2], out[:, 2, 0] = np.sin(angle), -np.sin(angle)
    out[:, 1, 1] = 1.0
    return out
