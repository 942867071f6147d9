"""From what one camera saw to points: the other views sampled step by step, with triangulation in the loop.

At every step the views that the network predicts are triangulated together with what was observed, and what the
points look like takes their place: the views always belong to one body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.lift.diffusion import Schedule, sample
from mocaplift.lift.mvlift.conditions import Observed, decoded, encoded, num_channels
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.ring import Ring

# Where the cameras that exist not stand, from the real one about the vertical (rad).
AZIMUTHS = (np.pi / 2, np.pi, 3 * np.pi / 2)
# What a picture that the network made is worth (m), and what a keypoint is worth at best.
MADE_SIGMA = 0.06
SEEN_SIGMA = 0.02

# (noisy [N V T C], step, told [N V T F]) -> clean [N V T C].
Network = Callable[[np.ndarray, int, np.ndarray], np.ndarray]
# Points of all windows -> the same, put right by what windows know of each other.
Join = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Sampling:
    """How views are sampled: noise drawn anew gains nothing on held-out windows."""

    steps: int = 4
    churn: float = 0.0


@dataclass(frozen=True, eq=False)
class Sampled:
    """Points of windows about the camera (m, world axes), and how far the pictures last made are from them (m)."""

    points: Float[np.ndarray, "N T J 3"]
    disagreement: Float[np.ndarray, "N"]


def ring_of(seen: Observed, azimuths: tuple[float, ...] = AZIMUTHS) -> Ring:
    """Return the ring of the camera that saw and those that exist not."""
    return Ring.around(seen.axes, seen.distance, azimuths)


def told_observed(seen: Observed, ring: Ring) -> Float[np.ndarray, "N V T F"]:
    """Return what the network of several views is told: of every view what was observed."""
    return np.repeat(seen.told[:, None], ring.radius.shape[-1], axis=1)


def points_of(
    seen: Observed,
    plane: Float[np.ndarray, "N V T J 2"],
    ring: Ring,
) -> Float[np.ndarray, "N T J 3"]:
    """Return the points that fit made pictures and the observed one, each by what it is worth."""
    made = np.full(plane.shape[:-1], MADE_SIGMA**-2)
    observed = np.where(np.isfinite(seen.sigma), 1 / (seen.sigma**2 + SEEN_SIGMA**2), 0.0)
    total = made[:, 0] + observed
    first = (plane[:, 0] * made[:, 0, ..., None] + seen.plane * observed[..., None]) / total[..., None]
    planes = np.concatenate([first[:, None], plane[:, 1:]], axis=1)
    return ring.triangulated(planes, np.concatenate([total[:, None], made[:, 1:]], axis=1))


def sampled(
    network: Network,
    schedule: Schedule,
    seen: Observed,
    ring: Ring,
    told: Float[np.ndarray, "N V T F"],
    figure: Figure,
    rng: np.random.Generator,
    *,
    sampling: Sampling | None = None,
    join: Join | None = None,
) -> Sampled:
    """Return one sample of windows seen by the first camera of a ring."""
    sampling = sampling or Sampling()
    points = np.zeros((*seen.plane.shape[:-1], 3))
    apart = np.zeros(len(points))

    def guide(clean: np.ndarray, step: int) -> np.ndarray:
        plane = decoded(clean, figure)
        found = points_of(seen, plane, ring)
        points[:] = found if join is None else join(found)
        looks = ring.see(points)
        apart[:] = np.linalg.norm(looks - plane, axis=-1).mean(axis=(1, 2, 3))
        return encoded(looks, figure).astype(clean.dtype)

    noise = rng.standard_normal((*told.shape[:3], num_channels(figure))).astype(np.float32)
    sample(
        schedule,
        lambda noisy, step: network(noisy, step, told),
        noise,
        schedule.spaced(sampling.steps),
        guide=guide,
        churn=sampling.churn,
        draw=rng.standard_normal,
    )
    return Sampled(points, apart)
