"""MVLift as a lifter: windows of what one camera saw, the other views of all of them sampled together, points.

Neighbouring windows overlap by half and are cross-faded at every step of the sampling, so that any length is one
motion. Several samples are drawn: their mean is the answer, their spread a part of its expected error. The network
may also be that of stage 1, which knows one view and its lines: then this is stage 2 as a lifter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline
from threadpoolctl import threadpool_limits

from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.errors import InvalidData
from mocaplift.layouts import remap_keypoints
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift import line_views
from mocaplift.lift.mvlift.conditions import observed
from mocaplift.lift.mvlift.network import KIND, Denoiser
from mocaplift.lift.mvlift.sampling import AZIMUTHS, Sampling, ring_of, sampled, told_observed
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import load_arrays, locate
from mocaplift.windows import crossfaded_points, windows

FEWEST_POINTS = 5  # a frame with fewer seen keypoints says nothing about the pose
SAMPLES = 4
SEED = 0
# Standard deviation (m) of a point about the mean of the samples, beside their spread: held-out windows.
POINT_SIGMA = 0.10
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


def lift(
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    network: Denoiser | None = None,
    draws: Draws | None = None,
) -> Motion3D:
    """Return the motion of one figure seen by one camera, in the network's layout, world metres (+Y up).

    The figure is taken to have the usual size. Frames that the network does not look at, for clips faster than
    it, are interpolated. `draws` makes the samples (None: `samples`).

    Raises:
        InvalidData: not exactly one view, or too few keypoints in every frame.
        WeightsError: the network is missing.
    """
    if len(views) != 1 or len(cameras) != 1:
        raise InvalidData(f"mvlift lifts one view, but {len(views)} were given")
    network = network or load_network()
    layout = network.figure.layout
    keypoints = views[0] if views[0].layout == layout else remap_keypoints(views[0], layout)
    if ((keypoints.conf > 0).sum(axis=-1) < FEWEST_POINTS).all():
        raise InvalidData(f"no frame shows {FEWEST_POINTS} or more keypoints; nothing can be lifted")
    frames = len(keypoints.xy)
    places = np.arange(0, frames, max(1, round(keypoints.fps / network.config.fps)))
    direction = rays(cameras[0], np.nan_to_num(keypoints.xy[places]))
    errors, rng = confidence_sigma(keypoints)[places], np.random.default_rng(SEED)
    xyz = (draws or samples)(network, direction, errors, rng)
    xyz = xyz + centre(cameras[0])
    mean = xyz.mean(axis=0)
    spread = np.sqrt(np.square(xyz - mean).sum(axis=-1).mean(axis=0) / 3)
    return Motion3D(
        xyz=_at_all(mean, places, frames),
        sigma=np.hypot(POINT_SIGMA, _at_all(spread[..., None], places, frames)[..., 0]),
        layout=layout,
        fps=keypoints.fps,
    )


@threadpool_limits.wrap(limits=1, user_api="blas")
def samples(
    network: Denoiser,
    direction: Float[np.ndarray, "T J 3"],
    sigma: Float[np.ndarray, "T J"],
    rng: np.random.Generator,
    count: int = SAMPLES,
    sampling: Sampling | None = None,
) -> Float[np.ndarray, "S T J 3"]:
    """Return several samples of a whole clip's points about the camera, world axes, metres."""
    length = network.config.frames
    spans = windows(len(direction), length, length // 2)
    seen = observed(
        np.stack([direction[span] for span in spans] * count),
        np.stack([sigma[span] for span in spans] * count),
        network.figure,
    )
    joined = np.zeros((count, *direction.shape))

    def join(points: np.ndarray) -> np.ndarray:
        for sample in range(count):
            pieces = points[sample * len(spans) : (sample + 1) * len(spans)]
            joined[sample] = crossfaded_points(list(pieces), spans)
        return np.concatenate([np.stack([each[span] for span in spans]) for each in joined])

    def asked(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        starts = range(0, len(noisy), WINDOWS_AT_ONCE)
        parts = [slice(start, start + WINDOWS_AT_ONCE) for start in starts]
        return np.concatenate([network(noisy[part], step, told[part]) for part in parts])

    is_alone = network.config.views == 1
    ring = ring_of(seen, line_views.AZIMUTHS if is_alone else AZIMUTHS)
    sampled(
        line_views.each_alone(asked) if is_alone else asked,
        Schedule.cosine(network.steps),
        seen,
        ring,
        line_views.told_by_lines(seen, ring) if is_alone else told_observed(seen, ring),
        network.figure,
        rng,
        sampling=sampling,
        join=join,
    )
    return joined


def _at_all(
    values: Float[np.ndarray, "P J C"], places: np.ndarray, frames: int
) -> Float[np.ndarray, "T J C"]:
    """Return values known at some frames at all of them: cubic in between, the last ones as they were last."""
    if len(places) < 4:
        nearest = np.searchsorted(places, np.arange(frames), side="right") - 1
        return values[nearest]
    at = np.minimum(np.arange(frames), places[-1])
    spread: Float[np.ndarray, "T J C"] = make_interp_spline(places, values, k=3)(at)
    return spread
