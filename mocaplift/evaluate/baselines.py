"""Methods of the literature, on the same inputs as our lifters: known to `evaluate` by name, not to `capture`.

All of them work with the network of stage 1 of MVLift, which has only ever seen single pictures:

* `mas`: multi-view ancestral sampling, without lines;
* `stage-1`: every view sampled from its lines alone, then triangulated;
* `sds`, `sds-no-lines`: stage 2 as the paper has it, with the lines of all pairs of views and without any;
* `sds-3d`, `sds-3d-no-lines`: points optimised in place of pictures, the network told lines and not;
* `stage-2`: our stage 2, triangulation in the loop of the sampling.

What is sampled is the mean of as many samples as our lifter takes; what is distilled is done once in each of its
turns, in far fewer iterations than the paper's 5000 and 3000, with longer steps that fall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from mocaplift.evaluate.distilled_points import PointDistilling, distilled_points, distilled_views
from mocaplift.evaluate.view_sampling import multi_view_ancestral, views_alone
from mocaplift.lift import Lifter
from mocaplift.lift.mvlift.conditions import Observed, observed
from mocaplift.lift.mvlift.lifter import SAMPLES, WINDOWS_AT_ONCE, Draws, lift, load_network
from mocaplift.lift.mvlift.line_views import Distilling
from mocaplift.lift.mvlift.network import Denoiser
from mocaplift.windows import crossfaded_points, windows

NETWORK = "mvlift-lines"
# The best of a handful of settings that were tried on one window of AIST++. In 3D more iterations do worse there.
SDS = Distilling(iterations=80, rate=0.1)
SDS_3D = PointDistilling(iterations=100, rate=0.03, seen_weight=1e4)
# (network of one view, windows, generator) -> their points about the camera.
Method = Callable[[Denoiser, Observed, np.random.Generator], Float[np.ndarray, "N T J 3"]]


def by_windows(method: Method, count: int = 1) -> Draws:
    """Return what applies a method to overlapping windows of a whole clip, several times, and cross-fades them."""

    @threadpool_limits.wrap(limits=1, user_api="blas")
    def draws(
        network: Denoiser,
        direction: Float[np.ndarray, "T J 3"],
        sigma: Float[np.ndarray, "T J"],
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "S T J 3"]:
        length = network.config.frames
        spans = windows(len(direction), length, length // 2)
        found = []
        for _ in range(count):
            pieces: list[np.ndarray] = []
            for start in range(0, len(spans), WINDOWS_AT_ONCE):
                part = spans[start : start + WINDOWS_AT_ONCE]
                rays, errors = (np.stack([each[span] for span in part]) for each in (direction, sigma))
                pieces.extend(method(network, observed(rays, errors, network.figure), rng))
            found.append(crossfaded_points(pieces, spans))
        return np.stack(found)

    return draws


def _lifter(draws: Draws | None = None) -> Lifter:
    return partial(lift, network=load_network(NETWORK), draws=draws)


def _sds(*, has_lines: bool) -> Lifter:
    return _lifter(by_windows(partial(distilled_views, asked=replace(SDS, has_lines=has_lines))))


def _sds_3d(*, has_lines: bool) -> Lifter:
    return _lifter(by_windows(partial(distilled_points, asked=replace(SDS_3D, has_lines=has_lines))))


BASELINES: dict[str, Callable[[], Lifter]] = {
    "mas": lambda: _lifter(by_windows(multi_view_ancestral, SAMPLES)),
    "stage-1": lambda: _lifter(by_windows(views_alone, SAMPLES)),
    "sds": partial(_sds, has_lines=True),
    "sds-no-lines": partial(_sds, has_lines=False),
    "sds-3d": partial(_sds_3d, has_lines=True),
    "sds-3d-no-lines": partial(_sds_3d, has_lines=False),
    "stage-2": _lifter,
}
