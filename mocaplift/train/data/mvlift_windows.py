"""Training windows of MVLift: what one camera sees of a person, and what the ring's other cameras would.

Of `Seen` the networks that learn from pictures alone get the picture; those that learn from mocap the truth too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mocaplift.confidence import SIGMA_PER_MEDIAN, expected_error
from mocaplift.layouts import BODY21
from mocaplift.lift.mvlift.conditions import Observed, observed
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.rotations import from_rotvec, rotate
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.noise import Faults
from mocaplift.train.data.one_view import (
    HIPS,
    LEVEL_ERROR,
    LEVEL_SHARE,
    NEAREST,
    PLAIN_CONF,
    PLAIN_SHARE,
    DepthBank,
    size_of,
)
from mocaplift.train.data.view_windows import Sampler


@dataclass(frozen=True, eq=False)
class Seen:
    """Windows before one camera, and the truth (m) about the camera in a world that is level as far as it knows.

    The truth has the size of the mean body: a picture does not tell a tall person from a near one.
    """

    observed: Observed
    truth: Float[np.ndarray, "N T J 3"]

    def pictures(self, azimuths: Sequence[float]) -> Float[np.ndarray, "N V T J 2"]:
        """Return the truth as the camera and those of a ring (turns about +Y, rad) see it, metres."""
        return Ring.around(self.observed.axes, self.observed.distance, azimuths).see(self.truth)


def one_camera(bank: MotionBank, *, is_varied: bool) -> Sampler:
    """Return a sampler of single cameras; a varied one shows people who travel and tilt."""
    if is_varied:
        bank = DepthBank(bank.xyz, bank.first, bank.length, bank.chance, bank.speeds)
    return Sampler(bank, replace(Faults(), sync=0.0))


def draw(sampler: Sampler, rng: np.random.Generator, count: int, num_frames: int, fps: float) -> Seen:
    """Return random windows.

    Raises:
        InvalidData: no motion is long enough.
        WeightsError: the table of the embedded detector's errors is missing.
    """
    drawn = sampler.batch(rng, count, 1, num_frames, fps)
    tilt = rng.normal(0.0, LEVEL_ERROR, (count, 3)) * [1.0, 0.0, 1.0]
    level = from_rotvec(tilt * (rng.random((count, 1)) < LEVEL_SHARE))[:, None, None]
    conf = drawn["conf"][:, 0]
    plain = rng.random((count, 1, 1)) < PLAIN_SHARE
    sigma = expected_error(np.where(plain, PLAIN_CONF, conf), BODY21) * SIGMA_PER_MEDIAN
    sigma = np.where(conf > 0, sigma, np.inf)
    truth = rotate(level, drawn["truth"] - drawn["centres"][:, :1, None])
    truth = truth / size_of(truth)[:, None, None, None]
    direction = rotate(level, drawn["rays"][:, 0])
    depth = (truth[:, :, HIPS].mean(axis=2) * direction.mean(axis=(1, 2))[:, None]).sum(axis=-1)
    kept = np.resize(np.flatnonzero(depth.min(axis=1) > NEAREST), count)
    return Seen(observed(direction[kept], sigma[kept], PERSON), truth[kept])
