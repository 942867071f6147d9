"""Stage 2 of MVLift: other views of a person from a network that has only ever seen single pictures.

The lines on which joints must lie in the other views are all that such a network is told. Two ways:

* `made`, ours: the views are sampled step by step with triangulation in the loop, several times; of each window
  the sample is kept whose pictures agree best with each other, with what was observed and with rigid bones.
* `distilled`, the paper's: pictures are optimised until the network finds nothing to improve in them (score
  distillation) and all pairs of views lie on each other's lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.lift.diffusion import Schedule, sample
from mocaplift.lift.mvlift.conditions import (
    POSE_SPREAD,
    ROOT_SPREAD,
    Observed,
    decoded,
    encoded,
    num_channels,
    told_lines,
)
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import Network, Sampled, Sampling, ring_of, sampled

# The other views of the paper: six cameras in all, 60 degrees apart.
AZIMUTHS = tuple(np.pi / 3 * np.arange(1, 6))
# Adam's averages of slope and squared slope.
MOMENTUM, SECOND_MOMENTUM, TINY = 0.9, 0.999, 1e-8
# Shares of the schedule between which the noise falls when it is annealed, and the steps of the sampling before.
MOST_NOISE, LEAST_NOISE, START_STEPS = 0.98, 0.05, 8


@dataclass(frozen=True)
class Distilling:
    """How pictures are optimised; the defaults are the paper's, but that there the rate does not fall.

    The paper's distances weigh 250 each, in units of half a picture, and are of few pairs of views: mean distances
    (m) of all pairs pull a view as much with the weight here.
    """

    iterations: int = 5000
    rate: float = 1e-3  # of the first step; the last is all but 0
    line_weight: float = 13_700.0
    has_lines: bool = True  # False: score distillation alone
    # Begin with pictures sampled one by one, look at ever less noise, and weigh by its variance. On 12 held-out
    # windows 500 iterations at a rate of 1e-2 left 174 mm so, and 367 mm without; `made` leaves 155.
    is_annealed: bool = False


def told_by_lines(seen: Observed, ring: Ring, *, has_lines: bool = True) -> Float[np.ndarray, "N V T F"]:
    """Return what the network of one view is told of every view: the lines of what the first camera saw."""
    views = ring.radius.shape[-1]
    is_seen = np.isfinite(seen.sigma)
    lines = ring.lines(seen.plane, 0) * (is_seen[:, None, ..., None] & has_lines)
    wanted = np.ones((len(is_seen), views, *is_seen.shape[1:]), dtype=bool)
    wanted[:, 0] = is_seen
    return told_lines(lines, wanted, ring.axes, ring.radius)


def each_alone(network: Network) -> Network:
    """Return a network of one view as one of several that know nothing of each other."""

    def views(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        flat = (each.reshape(-1, 1, *each.shape[2:]) for each in (noisy, told))
        first, second = flat
        return network(first, step, second).reshape(noisy.shape)

    return views


def made(
    network: Network,
    schedule: Schedule,
    seen: Observed,
    figure: Figure,
    rng: np.random.Generator,
    *,
    count: int = 3,
    sampling: Sampling | None = None,
    has_lines: bool = True,
) -> tuple[Sampled, Float[np.ndarray, "N"]]:
    """Return the best of several samples of every window, and its `badness` (m)."""
    ring = ring_of(seen, AZIMUTHS)
    told = told_by_lines(seen, ring, has_lines=has_lines)
    tries = [
        sampled(each_alone(network), schedule, seen, ring, told, figure, rng, sampling=sampling)
        for _ in range(count)
    ]
    scores = np.stack([badness(each, seen, ring, figure) for each in tries])
    best, rows = scores.argmin(axis=0), np.arange(scores.shape[1])
    points = np.stack([each.points for each in tries])[best, rows]
    apart = np.stack([each.disagreement for each in tries])[best, rows]
    return Sampled(points, apart), scores[best, rows]


def badness(found: Sampled, seen: Observed, ring: Ring, figure: Figure) -> Float[np.ndarray, "N"]:
    """Return how little samples can be believed (m): three mean lengths, added.

    How far the pictures were from one body, how far its picture is from what was observed, and how much its bones
    change their length over time.
    It tells good windows from bad ones (rank correlation with the error 0.56 on held-out windows), hardly good
    samples of one window from bad ones (0.05: they are all alike).
    """
    away = np.linalg.norm(ring.part([0]).see(found.points)[:, 0] - seen.plane, axis=-1)
    is_seen = np.isfinite(seen.sigma)
    missed = (away * is_seen).sum(axis=(1, 2)) / np.maximum(is_seen.sum(axis=(1, 2)), 1)
    bones = found.points[:, :, figure.starts] - found.points[:, :, figure.ends]
    change = np.linalg.norm(bones, axis=-1).std(axis=1).mean(axis=-1)
    return found.disagreement + missed + change


def distilled(
    network: Network,
    schedule: Schedule,
    seen: Observed,
    figure: Figure,
    rng: np.random.Generator,
    asked: Distilling | None = None,
) -> Float[np.ndarray, "N V T J 2"]:
    """Return the pictures of six views, the first as observed, as the paper optimises the others.

    The slope of score distillation is the noise that the network finds in a noised picture, less the noise that
    was put in; with it go the distances from the lines of every other view, whose ends stay where they are.
    """
    asked = asked or Distilling()
    ring = ring_of(seen, AZIMUTHS)
    told = told_by_lines(seen, ring, has_lines=asked.has_lines)[:, 1:]
    channels: np.ndarray = np.zeros((*told.shape[:3], num_channels(figure)))
    first = encoded(seen.plane, figure)[:, None]
    views, adam = each_alone(network), Adam(asked.rate, asked.iterations)
    highest = np.full(asked.iterations, schedule.steps - 1)
    if asked.is_annealed:
        channels = _each_sampled(views, schedule, told, figure, rng).astype(float)
        highest = np.linspace(MOST_NOISE, LEAST_NOISE, asked.iterations) * schedule.steps
    for most in highest:
        slope = score_slope(
            views, schedule, channels, told, rng, most=max(1, int(most)), is_weighted=asked.is_annealed
        )
        slope = slope / channels.shape[1]
        if asked.has_lines:
            plane = decoded(np.concatenate([first, channels], axis=1), figure)
            slope += asked.line_weight * _line_slope(plane, ring, np.isfinite(seen.sigma), figure)[:, 1:]
        channels -= adam.step(slope)
    plane = decoded(np.concatenate([first, channels], axis=1), figure)
    plane[:, 0] = seen.plane
    return plane


def score_slope(
    network: Network,
    schedule: Schedule,
    channels: Float[np.ndarray, "N V T C"],
    told: Float[np.ndarray, "N V T F"],
    rng: np.random.Generator,
    *,
    most: int | None = None,
    is_weighted: bool = False,
) -> Float[np.ndarray, "N V T C"]:
    """Return the slope of score distillation at pictures, with new noise at a random step of the schedule.

    The step is at most `most`, or any but the last. A weighted slope is that times the variance of the noise.
    """
    step = int(rng.integers(1, schedule.steps if most is None else most + 1))
    noise = rng.standard_normal(channels.shape)
    noisy = schedule.noised(channels, noise, step).astype(np.float32)
    found = schedule.noise_in(noisy, network(noisy, step, told.astype(np.float32)), step)
    slope: Float[np.ndarray, "N V T C"] = found - noise
    return slope * (1 - schedule.share[step]) if is_weighted else slope


def _each_sampled(
    network: Network,
    schedule: Schedule,
    told: Float[np.ndarray, "N V T F"],
    figure: Figure,
    rng: np.random.Generator,
) -> Float[np.ndarray, "N V T C"]:
    """Return pictures sampled from their lines, which know nothing of each other: the paper's stage 1 alone."""
    noise = rng.standard_normal((*told.shape[:3], num_channels(figure))).astype(np.float32)
    steps = schedule.spaced(min(START_STEPS, schedule.steps))
    return sample(schedule, lambda noisy, step: network(noisy, step, told), noise, steps)


class Adam:
    """Steps down slopes, each number's measured in how large its slopes usually are (Kingma and Ba 2015)."""

    def __init__(self, rate: float, iterations: int) -> None:
        """Begin with steps of about this size, which fall to none in so many iterations."""
        self.rate, self.iterations, self.count = rate, iterations, 0
        self.mean, self.square = np.zeros(()), np.zeros(())

    def step(self, slope: np.ndarray) -> np.ndarray:
        """Return what to take off."""
        rate = self.rate * (1 - self.count / self.iterations)
        self.count += 1
        self.mean = MOMENTUM * self.mean + (1 - MOMENTUM) * slope
        self.square = SECOND_MOMENTUM * self.square + (1 - SECOND_MOMENTUM) * slope**2
        usual = np.sqrt(self.square / (1 - SECOND_MOMENTUM**self.count)) + TINY
        step: np.ndarray = rate * self.mean / (1 - MOMENTUM**self.count) / usual
        return step


def _line_slope(
    plane: Float[np.ndarray, "N V T J 2"], ring: Ring, is_seen: Bool[np.ndarray, "N T J"], figure: Figure
) -> Float[np.ndarray, "N V T C"]:
    """Return the slope of the mean distance of joints from the lines of all other views, by the channels."""
    views = plane.shape[1]
    slope = np.zeros_like(plane)
    for view in range(views):
        lines = ring.lines(plane[:, view], view)
        if view == 0:
            lines = lines * is_seen[:, None, ..., None]
        away = (lines[..., :2] * plane).sum(axis=-1) + lines[..., 2]
        slope += np.sign(away)[..., None] * lines[..., :2]
    slope /= views * (views - 1) * np.prod(plane.shape[2:4])
    pose = slope.reshape(*slope.shape[:3], -1) * POSE_SPREAD
    root = slope.sum(axis=-2, keepdims=True) * ROOT_SPREAD
    return np.concatenate([pose, root[..., 0, :]], axis=-1)
