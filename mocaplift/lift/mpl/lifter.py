"""MPL: triangulated points, what a trained network says of them, and a second solve that believes both.

1. `triangulate` finds the points.
2. The network tells, window by window, where they are off and how sure it is (`network`), and how wrong each
   observation is likely to be: it has seen how errors hang together over joints, views and time.
3. The points are solved again over time: every observation with the error that the network expects of it, and
   the corrected points as one more observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import Features, features
from mocaplift.lift.mpl.network import MplNetwork
from mocaplift.lift.point_prior import PointPrior, load_point_prior
from mocaplift.lift.triangulate import (
    OVERLAP,
    UNKNOWN,
    WINDOW,
    Belief,
    Triangulated,
    expected_errors,
    over_time,
    triangulate,
)
from mocaplift.lift.view_rays import ViewRays
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import load_arrays, locate
from mocaplift.windows import crossfaded_points, windows

KIND = "mpl"
WINDOWS_AT_ONCE = 8  # bounds memory at 100 MB


@lru_cache(maxsize=2)
def load_network(name: str = "mpl") -> MplNetwork:
    """Return the network of a weight file.

    Raises:
        WeightsError: the file is missing, damaged or of another network.
    """
    return MplNetwork.of(*load_arrays(locate(name), KIND))


@dataclass(frozen=True)
class Blend:
    """How much the second solve believes the network.

    Errors change by less than 1 % between 0 and 1, and between 0.2 and 2, on the AIST++ development set.
    """

    errors: float = 0.5  # exponent on the ratio of the network's to the confidence's expected error
    belief: float = 0.5  # weight of the corrected points, against their expected errors
    steps: int = 2


def lift(views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> Motion3D:
    """Return the motion of one person seen by several calibrated cameras, in body21, world metres (+Y up).

    Raises:
        InvalidData: fewer than two views, not one camera for each, or views of different lengths.
        WeightsError: the prior or the network is missing.
    """
    fps = views[0].fps
    found = triangulate(ViewRays.of(views, cameras), load_point_prior(), fps)
    xyz = corrected(found, load_point_prior(), load_network(), fps)
    sigma = expected_errors(found.covariance)
    known = sigma < UNKNOWN
    return Motion3D(
        xyz=np.where(known[..., None], xyz, np.nan),
        sigma=np.where(known, sigma, np.inf),
        layout=BODY21,
        fps=fps,
    )


def corrected(
    found: Triangulated,
    prior: PointPrior,
    network: MplNetwork,
    fps: float,
    blend: Blend | None = None,
) -> Float[np.ndarray, "T 21 3"]:
    """Return the points solved again with what the network says, world metres."""
    blend = blend or Blend()
    rays = found.rays
    told = features(rays.direction, rays.centre, rays.sigma, found.xyz, found.covariance)
    correction, log_sigma, log_error = ask(network, told, fps)
    moved = found.xyz + correction @ np.swapaxes(told.turn, -1, -2)
    seen = np.isfinite(rays.sigma)
    usual = np.where(seen, rays.sigma, 1.0)
    expected = usual * np.exp(blend.errors * (np.moveaxis(log_error, 1, 0) - np.log(usual)))
    believed = replace(rays, sigma=np.where(seen, expected, np.inf))
    belief = Belief(moved, blend.belief / np.exp(2 * log_sigma))
    spans = windows(len(moved), WINDOW, OVERLAP)
    with threadpool_limits(limits=1, user_api="blas"):
        pieces = [
            over_time(
                moved[span],
                believed.part(span),
                prior,
                found.lengths,
                fps,
                steps=blend.steps,
                belief=belief.part(span),
            )
            for span in spans
        ]
    return crossfaded_points(pieces, spans)


def ask(
    network: MplNetwork, told: Features, fps: float
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 21"], Float[np.ndarray, "T V 21"]]:
    """Return correction (person's axes, m), log sigma and log error of every frame of a clip.

    The network knows frames at its own rate: a faster clip is asked in turns, every n-th frame from each start.
    Neighbouring windows overlap by half and are cross-faded.
    """
    frames, length = len(told.point), network.config.frames
    stride = max(1, round(fps / network.config.fps))
    out: list[np.ndarray] | None = None
    for start in range(min(stride, frames)):
        places = np.arange(start, frames, stride)
        spans = windows(len(places), length, length // 2)
        pieces: list[list[np.ndarray]] = [[], [], []]
        for begin in range(0, len(spans), WINDOWS_AT_ONCE):
            some = [places[span] for span in spans[begin : begin + WINDOWS_AT_ONCE]]
            chosen = np.stack(some)
            said = network(
                Features(
                    told.observation[chosen], told.seen[chosen], told.point[chosen], told.turn[chosen]
                )
            )  # fmt: skip
            for kept, array in zip(pieces, (said.correction, said.log_sigma, said.log_error), strict=True):
                kept.extend(array)
        joined = [crossfaded_points(each, spans) for each in pieces]
        out = out or [np.zeros((frames, *each.shape[1:])) for each in joined]
        for whole, each in zip(out, joined, strict=True):
            whole[places] = each
    assert out is not None
    return out[0], out[1], out[2]
