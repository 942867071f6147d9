"""Training windows of one camera: passages that move in depth, bodies that fall and roll, the truth as it looks.

The body of the truth is scaled about the camera until its bones have the mean lengths: a picture does not tell
a tall person from a near one, so what is learnt is the person of mean stature who looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from mocaplift.confidence import SIGMA_PER_MEDIAN, expected_error
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import SCALE_BONES, Features, features
from mocaplift.rotations import from_rotvec, rotate
from mocaplift.train.data.augment import LARGEST_TILT
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.noise import Faults
from mocaplift.train.data.view_windows import Sampler

HIPS = BODY21.index("left_hip", "right_hip")
# Passages among which the one that covers most ground is taken, and how often: people who stay tell no depth.
RIVALS, TRAVELLING_SHARE = 3, 0.5
# Whole bodies tilted to the floor and back: half of the error on floor moves is poses never seen (measured).
TILTED_SHARE = 0.25
TILT_SECONDS = (0.4, 2.0)  # s, sigma of the smoothing of the white noise that the angle follows
LYING = 0.08  # m above the floor of the lowest joint of a tilted body
# One camera's level is found from the picture: off by this much (rad, sigma) for a share of the windows.
LEVEL_ERROR, LEVEL_SHARE = np.radians(3.0), 0.5
# Windows whose confidences say nothing: other detectors mean other things by theirs.
PLAIN_SHARE, PLAIN_CONF = 0.15, 0.6
# Whoever walks up to the camera and past it (m) is in no window; others of the batch are there twice.
NEAREST = 0.6


@dataclass(frozen=True, eq=False)
class DepthBank(MotionBank):
    """A bank whose passages cover more ground, and some of whose bodies tilt."""

    def windows(
        self, rng: np.random.Generator, count: int, num_frames: int, fps: float
    ) -> Float[np.ndarray, "N T 21 3"]:
        """Return passages as `MotionBank.windows` does.

        Raises:
            InvalidData: no motion of the bank is long enough.
        """
        rivals = np.where(rng.random(count) < TRAVELLING_SHARE, RIVALS, 1)
        xyz = super().windows(rng, int(rivals.sum()), num_frames, fps)
        path = xyz[:, :, HIPS].mean(axis=2)[..., [0, 2]]
        ground = np.linalg.norm(path.max(axis=1) - path.min(axis=1), axis=-1)
        groups = np.split(np.arange(len(xyz)), np.cumsum(rivals)[:-1])
        xyz = xyz[[group[ground[group].argmax()] for group in groups]]
        chosen = np.flatnonzero(rng.random(count) < TILTED_SHARE)
        xyz[chosen] = tilted(rng, xyz[chosen], fps)
        return xyz


def tilted(
    rng: np.random.Generator, xyz: Float[np.ndarray, "N T 21 3"], fps: float
) -> Float[np.ndarray, "N T 21 3"]:
    """Return bodies turned about horizontal axes by angles that come and go, their lowest joint on the floor."""
    count, num_frames = xyz.shape[:2]
    width = fps * rng.uniform(*TILT_SECONDS)
    wave = gaussian_filter1d(rng.normal(size=(count, num_frames)), width, axis=1, mode="reflect")
    wave = wave * np.sqrt(2 * width * np.sqrt(np.pi)) + rng.normal(size=(count, 1))
    angle = rng.uniform(0.2, 1.0, (count, 1)) * LARGEST_TILT * np.sin(wave)
    heading = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    axis = np.concatenate([np.cos(heading), np.zeros_like(heading), np.sin(heading)], axis=-1)
    hips = xyz[:, :, HIPS].mean(axis=2, keepdims=True)
    turned = rotate(from_rotvec(axis * angle[..., None])[:, :, None], xyz - hips) + hips
    share = np.clip(np.abs(angle) / np.radians(30), 0, 1)
    lift = share * (LYING - turned[..., 1].min(axis=2))
    turned[..., 1] += gaussian_filter1d(lift, 0.1 * fps, axis=1, mode="nearest")[..., None]
    return turned.astype(np.float32)


@dataclass(frozen=True, eq=False)
class OneView:
    """Windows before one camera: what the network is told, and the truth in the virtual camera's axes, metres."""

    told: Features
    truth: Float[np.ndarray, "N T 21 3"]


@dataclass(frozen=True, eq=False)
class OneViewSampler:
    """Random windows of a bank's motions before one camera."""

    sampler: Sampler

    @classmethod
    def of(cls, bank: MotionBank, *, is_varied: bool) -> OneViewSampler:
        """Return a sampler of a bank; a varied one travels and tilts."""
        faults = replace(Faults(), sync=0.0)
        if is_varied:
            bank = DepthBank(bank.xyz, bank.first, bank.length, bank.chance)
        return cls(Sampler(bank, faults))

    def draw(self, rng: np.random.Generator, count: int, num_frames: int, fps: float) -> OneView:
        """Return random windows.

        Raises:
            InvalidData: no motion is long enough.
            WeightsError: the table of the embedded detector's errors is missing.
        """
        drawn = self.sampler.batch(rng, count, 1, num_frames, fps)
        level = _level_errors(rng, count)
        direction = rotate(level, drawn["rays"][:, 0])
        truth = rotate(level, drawn["truth"] - drawn["centres"][:, :1, None])
        conf = drawn["conf"][:, 0]
        plain = rng.random((count, 1, 1)) < PLAIN_SHARE
        sigma = expected_error(np.where(plain, PLAIN_CONF, conf), BODY21) * SIGMA_PER_MEDIAN
        told = features(direction, np.where(conf > 0, sigma, np.inf))
        local = truth @ np.swapaxes(told.axes, -1, -2)[:, None]
        local = (local / size_of(truth)[:, None, None, None]).astype(np.float32)
        before = local[:, :, HIPS, 2].min(axis=(1, 2)) > NEAREST
        kept = np.resize(np.flatnonzero(before), count)
        chosen = Features(told.told[kept], told.plane[kept], told.scale[kept], told.axes[kept])
        return OneView(chosen, local[kept])


def size_of(xyz: Float[np.ndarray, "N T 21 3"]) -> Float[np.ndarray, "N"]:
    """Return how large bodies are against the mean body."""
    starts = xyz[..., BODY21.index(*(start for start, _ in SCALE_BONES)), :]
    ends = xyz[..., BODY21.index(*(end for _, end in SCALE_BONES)), :]
    lengths = np.linalg.norm(starts - ends, axis=-1).mean(axis=1)
    size: Float[np.ndarray, "N"] = lengths.sum(axis=-1) / sum(SCALE_BONES.values())
    return size


def _level_errors(rng: np.random.Generator, count: int) -> Float[np.ndarray, "N 1 1 4"]:
    """Return the turns from the true world into one whose vertical is a little off."""
    vector = rng.normal(0.0, LEVEL_ERROR, (count, 3)) * [1.0, 0.0, 1.0]
    vector *= rng.random((count, 1)) < LEVEL_SHARE
    return from_rotvec(vector)[:, None, None]
