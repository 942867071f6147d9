"""Training windows of any figure: motions that stage 3 made, before cameras and with errors as the clips had them.

Nothing is known of the detector that found the keypoints of a user's clips, but which joints they lack and how
sure it was of the others: every window takes camera, gaps and expected errors from one of the clips' windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from mocaplift.lift.mvlift.conditions import observed
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.rotations import from_rotvec, rotate
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.mvlift_pictures import Pictures
from mocaplift.train.data.mvlift_windows import Seen
from mocaplift.train.data.one_view import LEVEL_ERROR, LEVEL_SHARE

# The half of an error's variance that lasts, and for how long (s, sigma of its smoothing); the rest is white.
SLOW_SECONDS = 0.2
DISTANCE_SPREAD = 0.15  # log, sigma: cameras stand a little nearer or further than in the clips
NEAREST = 0.3  # units, of any joint before the camera


@dataclass(frozen=True, eq=False)
class FigureWindows:
    """Windows of a bank's motions as the cameras of pictures would see them."""

    bank: MotionBank
    pictures: Pictures

    def draw(self, rng: np.random.Generator, count: int, num_frames: int, fps: float) -> Seen:
        """Return random windows.

        Raises:
            InvalidData: no motion is long enough.
        """
        figure = self.bank.figure
        xyz = self.bank.windows(rng, count, num_frames, fps).astype(float)
        xyz /= _size_of(xyz, figure)[:, None, None, None]
        which = rng.integers(len(self.pictures.plane), size=count)
        axes = self.pictures.axes[which].astype(float)
        distance = self.pictures.distance[which] * np.exp(DISTANCE_SPREAD * rng.normal(size=count))
        root = xyz[:, num_frames // 2, figure.layout.index(*figure.root)].mean(axis=1)
        truth = xyz - root[:, None, None] + (distance[:, None] * axes[:, 2])[:, None, None]
        sigma = self.pictures.sigma[which, :num_frames].astype(float)
        local = truth @ np.swapaxes(axes, -1, -2)[:, None]
        kept = np.resize(np.flatnonzero(local[..., 2].min(axis=(1, 2)) > NEAREST), count)
        local[..., :2] += np.where(np.isfinite(sigma), sigma, 0.0)[..., None] * _errors(rng, local.shape, fps)
        direction = (local / np.linalg.norm(local, axis=-1, keepdims=True)) @ axes[:, None]
        level = _level_errors(rng, count)
        direction, truth = rotate(level, direction), rotate(level, truth)
        return Seen(observed(direction[kept], sigma[kept], figure), truth[kept])


def _errors(rng: np.random.Generator, shape: tuple[int, ...], fps: float) -> Float[np.ndarray, "N T J 2"]:
    """Return errors of variance 1: half of it lasts."""
    width = SLOW_SECONDS * fps
    white = rng.normal(size=(2, *shape[:-1], 2))
    slow = gaussian_filter1d(white[0], width, axis=1, mode="wrap") * np.sqrt(2 * width * np.sqrt(np.pi))
    return np.sqrt(0.5) * (slow + white[1])


def _level_errors(rng: np.random.Generator, count: int) -> Float[np.ndarray, "N 1 1 4"]:
    tilt = rng.normal(0.0, LEVEL_ERROR, (count, 3)) * [1.0, 0.0, 1.0]
    return from_rotvec(tilt * (rng.random((count, 1)) < LEVEL_SHARE))[:, None, None]


def _size_of(xyz: Float[np.ndarray, "N T J 3"], figure: Figure) -> Float[np.ndarray, "N"]:
    """Return how large figures are against the usual one."""
    lengths = np.linalg.norm(xyz[..., figure.starts, :] - xyz[..., figure.ends, :], axis=-1).mean(axis=1)
    size: Float[np.ndarray, "N"] = lengths.sum(axis=-1) / figure.lengths.sum()
    return size
