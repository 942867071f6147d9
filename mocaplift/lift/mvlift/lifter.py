"""MVLift as a lifter: windows of what one camera saw, the other views of all of them sampled together, points.

Neighbouring windows overlap by half and are cross-faded at every step of the sampling, so that any length is one
motion. A clip faster than the network is asked in turns, each of which takes every n-th frame. Several samples are
drawn: their mean is the answer, their spread tells its expected error. The network may also be that of stage 1,
which knows one view and its lines: then this is stage 2 as a lifter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import make_interp_spline
from threadpoolctl import threadpool_limits

from mocaplift.cameras import centre, rays
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.holes import guessable, interpolated, stretches
from mocaplift.lift.mvlift import line_views
from mocaplift.lift.mvlift.conditions import expected_sigma, observed
from mocaplift.lift.mvlift.network import KIND, Denoiser
from mocaplift.lift.mvlift.sampling import AZIMUTHS, Sampling, ring_of, sampled, told_observed
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import load_arrays, locate
from mocaplift.windows import crossfaded_points, windows

SAMPLES = 2  # of each turn
# Of a network of several views; more steps gain nothing on held-out windows (mean of four samples: 97.8 mm with
# two steps, 98.4 with four).
QUICK = Sampling(steps=2)
MOST_TURNS = 2  # of a fast clip: errors of frames that follow each other closely are the same
SEED = 0
# Standard deviation of a point about the mean of the samples, along each axis: this (m) and so many times their
# spread, together. Fitted to held-out windows; the same for all joints, whose spread differs as their errors do.
POINT_SIGMA, SPREAD_FACTOR = 0.065, 2.5
# m, of a joint that is not seen: the samples hardly differ in what they guess (a hidden arm is off by this much).
UNSEEN_SIGMA = 0.15
HOLE_SIGMA = 0.3  # m, where a straight line stands for what nobody saw
WINDOWS_AT_ONCE = 16  # bounds memory

# (network, directions [T J 3], their expected errors [T J], generator) -> samples of the points [S T J 3].
Draws = Callable[[Denoiser, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


@lru_cache(maxsize=2)
def load_network(name: str = "mvlift") -> Denoiser:
    """Return the network of a weight file: of several views, or of one view and its lines.

    Raises:
        WeightsError: the file is missing, damaged or of another network.
    """
    return Denoiser.of(*load_arrays(locate(name), KIND))


def load_person(name: str = "mvlift") -> Denoiser:
    """Return the network of a weight file that lifts people: what the fit of a body needs.

    Raises:
        WeightsError: the file is missing, damaged, of another network or of another layout.
    """
    network = load_network(name)
    if network.figure.layout != BODY21:
        raise WeightsError(
            f"{locate(name)}: lifts the layout {network.figure.layout.name!r}, but people are lifted in "
            f"{BODY21.name!r}; `mocaplift lift --network` takes weights of other layouts"
        )
    return network


def lift(
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    network: Denoiser | None = None,
    draws: Draws | None = None,
) -> Motion3D:
    """Return the motion of one figure seen by one camera, in the network's layout, world metres (+Y up).

    The figure is taken to have the usual size. Frames that the network does not look at, for clips faster than
    it, are interpolated; so are those far from any that shows the figure. Joints that are not seen, were it in the
    whole clip, are guessed from the others and expected to be wrong. `draws` makes the samples (None:
    `samples`), `network` None is that of people.

    Raises:
        InvalidData: not exactly one view, or too few keypoints in every frame.
        WeightsError: the network of people is missing, or not one of people.
    """
    if len(views) != 1 or len(cameras) != 1:
        raise InvalidData(f"mvlift lifts one view, but {len(views)} were given")
    network = network or load_person()
    layout, unit = network.figure.layout, network.figure.unit
    keypoints = views[0] if views[0].layout == layout else remap_keypoints(views[0], layout)
    fewest = network.figure.fewest
    usable = (keypoints.conf > 0).sum(axis=-1) >= fewest
    if not usable.any():
        raise InvalidData(
            f"no frame shows {fewest} or more keypoints of the layout {layout.name}; nothing can be lifted"
        )
    direction = rays(cameras[0], np.nan_to_num(keypoints.xy))
    errors = expected_sigma(keypoints, network.figure)
    near, frames = guessable(usable, keypoints.fps), np.arange(len(usable))
    stride = max(1, round(keypoints.fps / network.config.fps))
    xyz, sigma = np.zeros(direction.shape), np.zeros(errors.shape)
    for span in stretches(near):
        rng, found = np.random.default_rng(SEED), []
        for places in turns_of(frames[span], stride):
            # Networks learn from long windows: what is shorter goes on backwards.
            shown = np.pad(places, (0, max(0, network.config.frames - len(places))), mode="symmetric")
            drawn = (draws or samples)(network, direction[shown], errors[shown], rng)[:, : len(places)]
            found += [_at_all(unit * each, places, frames[span]) for each in drawn]
        xyz[span] = np.mean(found, axis=0)
        sigma[span] = SPREAD_FACTOR * np.sqrt(np.square(found - xyz[span]).sum(axis=-1).mean(axis=0) / 3)
    known = np.flatnonzero(near)
    least = np.where(np.isfinite(errors), POINT_SIGMA, UNSEEN_SIGMA)
    least[~near] = HOLE_SIGMA
    return Motion3D(
        xyz=interpolated(frames, known, xyz[known]) + centre(cameras[0]),
        sigma=np.hypot(interpolated(frames, known, sigma[known]), unit * least),
        layout=layout,
        fps=keypoints.fps,
    )


def turns_of(frames: Int[np.ndarray, "T"], stride: int) -> list[Int[np.ndarray, "P"]]:
    """Return which frames each turn takes: every `stride`-th, the turns as far from each other as they can be."""
    turns = min(stride, MOST_TURNS)
    starts = [turn * stride // turns for turn in range(turns)]
    return [frames[start::stride] for start in starts if start < len(frames)]


@threadpool_limits.wrap(limits=1, user_api="blas")
def samples(
    network: Denoiser,
    direction: Float[np.ndarray, "T J 3"],
    sigma: Float[np.ndarray, "T J"],
    rng: np.random.Generator,
    count: int = SAMPLES,
    sampling: Sampling | None = None,
) -> Float[np.ndarray, "S T J 3"]:
    """Return several samples of a whole clip's points about the camera: world axes, the figure's units."""
    length = network.config.frames
    spans = windows(len(direction), length, length // 2)
    shown, errors = (np.stack([each[span] for span in spans]) for each in (direction, sigma))
    seen = observed(shown, errors, network.figure)
    joined = np.zeros((count, *direction.shape))
    is_alone = network.config.views == 1
    ring = ring_of(seen, line_views.AZIMUTHS if is_alone else AZIMUTHS)
    told = line_views.told_by_lines(seen, ring) if is_alone else told_observed(seen, ring)

    def asked(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        starts = range(0, len(noisy), WINDOWS_AT_ONCE)
        parts = [slice(start, start + WINDOWS_AT_ONCE) for start in starts]
        return np.concatenate([network(noisy[part], step, told[part]) for part in parts])

    for sample in joined:

        def join(points: np.ndarray, whole: np.ndarray = sample) -> np.ndarray:
            whole[:] = crossfaded_points(list(points), spans)
            return np.stack([whole[span] for span in spans])

        sampled(
            line_views.each_alone(asked) if is_alone else asked,
            Schedule.cosine(network.steps),
            seen,
            ring,
            told,
            network.figure,
            rng,
            sampling=sampling or (None if is_alone else QUICK),
            join=join,
        )
    return joined


def _at_all(
    values: Float[np.ndarray, "P J 3"], places: Int[np.ndarray, "P"], frames: Int[np.ndarray, "T"]
) -> Float[np.ndarray, "T J 3"]:
    """Return values known at some frames at all of them: cubic in between, at the ends as they are there."""
    if len(places) < 4:
        nearest = np.searchsorted(places, frames, side="right") - 1
        return values[np.maximum(nearest, 0)]
    at = np.clip(frames, places[0], places[-1])
    spread: Float[np.ndarray, "T J 3"] = make_interp_spline(places, values, k=3)(at)
    return spread
