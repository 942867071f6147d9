"""The cameras' offsets from the motion that they saw: candidates by speed, choice and precision by rays."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.values import Camera, Clip
from mocaplift.views.lags import PEAK_WIDTH, Correlation, reconciled
from mocaplift.views.motion_lag import RATE, Watched, correlate, watched
from mocaplift.views.ray_lag import Rays, Shift, meeting, rays_of, shift
from mocaplift.views.shared_clock import Timing

# Least correlation of speeds, over all pairs of cameras, that is no coincidence.
LEAST_AGREEMENT = 0.25
# Share of rays that meet from which the calibration is trusted with what is left of the offset.
LEAST_MEETING = 0.35
# Expected error (s) of an offset that rests on speeds alone.
SPEED_ERROR = 0.015
# Offsets with a larger expected error (s) are no answer: two frames at 30 fps.
LARGEST_ERROR = 0.067
# A pair of cameras never tells its offset better than this (s): detectors see another body from each side.
LEAST_ERROR = 0.002
# Lags of a pair of people, most alike first, that are looked at further.
MOST_PEAKS = 12
# Where another offset is nearly as good (sum of agreement and of the share of rays that meet), that is said.
CLOSE = 0.05
# Rounds of choosing again and of refining.
ROUNDS = 3
# A clock that runs this many expected errors faster than another, by more than this over the clip (s), drifts.
DRIFT_SIGMAS, LEAST_DRIFT = 3.0, 0.025

ADVICE = (
    "let the person walk or wave at the start, or clap and use --sync sound, or give the offsets in seconds"
)

_log = logging.getLogger(__name__)


@dataclass
class _Pair:
    """Two views: how alike their people moved, and how well their rays meet, at any lag (ticks).

    The lag is the place among the second's ticks minus that among the first's of the same moment.
    """

    speeds: dict[tuple[int, int], Correlation]
    rays: tuple[Sequence[Rays], Sequence[Rays]]
    known: dict[float, float] = field(default_factory=dict)

    def candidates(self) -> list[float]:
        """Return the lags at which anybody in the first view moved like anybody in the second, best first."""
        peaks = [(each.at(lag), lag) for each in self.speeds.values() for lag in each.peaks(MOST_PEAKS)]
        return [lag for _, lag in sorted(peaks, reverse=True)[: 2 * MOST_PEAKS]]

    def agreement(self, lag: float) -> float:
        """Return the correlation of speeds at a lag, of the two people who are most alike."""
        return max(each.at(tick) for each in self.speeds.values() for tick in (lag - 1, lag, lag + 1))

    def evidence(self, lag: float) -> float:
        """Return how much speaks for a lag: agreement of speeds plus the share of rays that meet."""
        lag = round(lag, 1)
        if lag not in self.known:
            self.known[lag] = self.agreement(lag) + self.meeting(lag)
        return self.known[lag]

    def meeting(self, lag: float) -> float:
        """Return the share of rays that meet, everybody with whom they fit best."""
        fits = [self._best(first, lag) for first in range(len(self.rays[0]))]
        total = sum(count for _, count, _ in fits)
        return sum(score * count for score, count, _ in fits) / total if total else 0.0

    def shift(self, lag: float) -> Shift | None:
        """Return what the rays of those who fit best say is missing from a lag."""
        fits = [(self._best(first, lag), first) for first in range(len(self.rays[0]))]
        (score, _, second), first = max(fits)
        if score < LEAST_MEETING:
            return None
        return shift(self.rays[0][first], self.rays[1][second], lag)

    def _best(self, first: int, lag: float) -> tuple[float, float, int]:
        """Return the share that meet, the number compared, and who of the second view it is."""
        found = [
            (*meeting(self.rays[0][first], other, lag), second) for second, other in enumerate(self.rays[1])
        ]
        return max(found)


class _Rig:
    """All pairs of views, and where on the shared clock each view may start (ticks)."""

    def __init__(self, people: Sequence[Sequence[Watched]], cameras: Sequence[Camera]) -> None:
        self.count = len(people)
        rays = [
            [rays_of(each.view, camera) for each in view]
            for view, camera in zip(people, cameras, strict=True)
        ]
        self.pairs = {
            (i, j): _Pair(
                {
                    (a, b): correlate(one, other)
                    for (a, one), (b, other) in itertools.product(enumerate(people[i]), enumerate(people[j]))
                },
                (rays[i], rays[j]),
            )
            for i, j in itertools.combinations(range(self.count), 2)
        }
        self._lags = {key: pair.candidates() for key, pair in self.pairs.items()}

    def hint(self, zeros: Float[np.ndarray, "V"]) -> None:
        """Try these starts besides those that the motion proposes."""
        for (i, j), lags in self._lags.items():
            lags.insert(0, float(zeros[i] - zeros[j]))

    def placed(self) -> Float[np.ndarray, "V"]:
        """Return the starts, the first being 0: views placed one after another where most speaks for them."""
        scores = {
            key: max(map(pair.evidence, self._lags[key]), default=0.0) for key, pair in self.pairs.items()
        }
        placed = [max(scores, key=lambda key: scores[key])[0]]
        zeros = np.zeros(self.count)
        while len(placed) < self.count:
            choices = [(*self.choices(view, placed, zeros)[0], view) for view in self._without(placed)]
            _, zero, view = max(choices)
            zeros[view] = zero
            placed.append(view)
        for _ in range(ROUNDS if self.count > 2 else 0):
            for view in placed[1:]:
                zeros[view] = self.choices(view, self._without([view]), zeros)[0][1]
        return zeros - zeros[0]

    def choices(
        self, view: int, others: Sequence[int], zeros: Float[np.ndarray, "V"]
    ) -> list[tuple[float, float]]:
        """Return how much speaks for each start of a view beside the others, and the start; the best first."""
        found = {float(zeros[view])}
        for other in others:
            found |= {zeros[other] - lag for lag in self._lags.get((other, view), [])}
            found |= {zeros[other] + lag for lag in self._lags.get((view, other), [])}
        scored = [(self._mean(_Pair.evidence, view, others, zero, zeros), zero) for zero in found]
        return sorted(scored, reverse=True)

    def agreement(self, view: int, zeros: Float[np.ndarray, "V"]) -> float:
        """Return how alike the speeds in a view are to those in the others."""
        return self._mean(_Pair.agreement, view, self._without([view]), float(zeros[view]), zeros)

    def _mean(
        self,
        measure: Callable[[_Pair, float], float],
        view: int,
        others: Sequence[int],
        zero: float,
        zeros: Float[np.ndarray, "V"],
    ) -> float:
        values = [
            measure(self.pairs[other, view], zeros[other] - zero)
            if other < view
            else measure(self.pairs[view, other], zero - zeros[other])
            for other in others
        ]
        return float(np.mean(values))

    def _without(self, views: Sequence[int]) -> list[int]:
        return [view for view in range(self.count) if view not in views]


def offsets_by_motion(
    tracks_per_view: Sequence[Sequence[Track]],
    clips: Sequence[Clip],
    cameras: Sequence[Camera],
    hints: Sequence[float] | None = None,
) -> Timing:
    """Return the offsets at which the cameras saw the same motion, to a fraction of a frame.

    Every pair of views proposes lags at which joints move with the same speeds; one view after the other is placed
    where speeds and rays agree best with all that are placed. The shifts at which the rays of each pair meet best
    are then reconciled over all pairs. A rough calibration is enough; where rays meet nowhere, speeds alone tell.

    Args:
        tracks_per_view: everybody in each view.
        clips: theirs.
        cameras: theirs.
        hints: offsets (s) that are tried besides those found.

    Raises:
        NoPersonFound: nobody is in a view.
        InvalidData: nothing moves, or the motions have nothing in common.
    """
    for tracks, clip in zip(tracks_per_view, clips, strict=True):
        if not tracks:
            raise NoPersonFound(
                f"{clip.path}: nobody was found, so motion cannot tell its clock; leave it out"
            )
    rig = _Rig([watched(*each) for each in zip(tracks_per_view, clips, strict=True)], cameras)
    own = np.array([clip.start for clip in clips])
    if hints is not None:
        rig.hint((own + np.array(hints)) * float(RATE))
    zeros = rig.placed()
    agreement = [rig.agreement(view, zeros) for view in range(rig.count)]
    worst = int(np.argmin(agreement))
    if agreement[worst] < LEAST_AGREEMENT:
        raise InvalidData(
            f"{clips[worst].path}: what moves in it has too little in common with the other videos (agreement "
            f"{agreement[worst]:.2f}, at least {LEAST_AGREEMENT} is needed) to set its clock by; {ADVICE}"
        )
    _warn_of_others(rig, zeros, clips)
    zeros, errors = _refined(rig.pairs, zeros, clips)
    errors_s = errors / float(RATE)
    worst = int(errors_s.argmax())
    if errors_s[worst] > LARGEST_ERROR:
        raise InvalidData(
            f"{clips[worst].path}: motion tells its clock to {1e3 * errors_s[worst]:.0f} ms only; {ADVICE}"
        )
    offsets = zeros / float(RATE) - own
    offsets -= offsets[0]
    return Timing(tuple(offsets.tolist()), tuple(errors_s.tolist()), "motion", min(agreement))


def _warn_of_others(rig: _Rig, zeros: Float[np.ndarray, "V"], clips: Sequence[Clip]) -> None:
    """Log a warning for every view that nearly as much would put elsewhere: motion that repeats itself."""
    for view in range(1, rig.count):
        choices = rig.choices(view, [other for other in range(rig.count) if other != view], zeros)
        elsewhere = [each for each in choices if abs(each[1] - zeros[view]) > float(PEAK_WIDTH * RATE)]
        if elsewhere and choices[0][0] - elsewhere[0][0] < CLOSE:
            _log.warning(
                "%s: its clock may be off by %.2f s, for the motion repeats itself; check the result, or clap and "
                "use --sync sound",
                *(clips[view].path, abs(elsewhere[0][1] - zeros[view]) / float(RATE)),
            )


def _refined(
    pairs: dict[tuple[int, int], _Pair], zeros: Float[np.ndarray, "V"], clips: Sequence[Clip]
) -> tuple[Float[np.ndarray, "V"], Float[np.ndarray, "V"]]:
    """Return the starts and their expected errors (ticks) that the rays of all pairs agree on."""
    errors = np.zeros(len(zeros))
    drifts: list[float] = []
    for _ in range(ROUNDS):
        lags, sigmas, drifts, drift_sigmas = [], [], [], []
        for (i, j), pair in pairs.items():
            lag = zeros[i] - zeros[j]
            found = pair.shift(lag)
            if found is None:
                found = Shift(_nearest_peak(pair, lag) - lag, SPEED_ERROR * float(RATE), 0.0, np.inf)
            lags.append(lag + found.ticks)
            sigmas.append(np.hypot(found.error, LEAST_ERROR * float(RATE)))
            drifts.append(found.drift)
            drift_sigmas.append(found.drift_error)
        zeros, errors = reconciled(list(pairs), np.array(lags), np.array(sigmas), len(zeros))
    _warn_of_drift(list(pairs), np.array(drifts), np.array(drift_sigmas), clips)
    return zeros, errors


def _nearest_peak(pair: _Pair, lag: float) -> float:
    """Return the lag of the peak of speeds that is nearest to a lag."""
    return min(pair.candidates(), key=lambda peak: abs(peak - lag), default=lag)


def _warn_of_drift(
    keys: Sequence[tuple[int, int]],
    drifts: Float[np.ndarray, "N"],
    sigmas: Float[np.ndarray, "N"],
    clips: Sequence[Clip],
) -> None:
    """Log a warning for every clock that runs faster or slower than the first's."""
    if not np.isfinite(sigmas).any() or len(keys) == 0:
        return
    sigmas = np.where(np.isfinite(sigmas), sigmas, 1.0)
    rates, errors = reconciled(keys, drifts, sigmas, len(clips))
    for clip, rate, error in zip(clips, rates, errors, strict=True):
        passed = rate * clip.frames / float(clip.fps)
        if abs(passed) > LEAST_DRIFT and abs(rate) > DRIFT_SIGMAS * error:
            _log.warning(
                "%s: its clock seems to gain %.0f ms on that of %s over the clip; capture it in shorter parts",
                *(clip.path, 1e3 * passed, clips[0].path),
            )
