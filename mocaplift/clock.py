"""A constant clock for frames that were recorded at whatever times they were.

Rates are exact fractions: 29.97 is 30000/1001, and a rate is never rounded to make it look nicer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Int

# Rates that cameras are built for. Television's are 1000/1001 of a whole number (SMPTE ST 12).
_WHOLE_RATES = (
    *(1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60, 72, 75, 80, 90, 96, 100),
    *(120, 125, 144, 150, 180, 200, 240, 250, 300, 360, 400, 480, 500, 600, 720, 960, 1000),
)
NOMINAL_RATES = tuple(
    sorted(
        [Fraction(rate) for rate in _WHOLE_RATES]
        + [Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120, 240)]
        + [Fraction(25, 2)]
    )
)
# A stated rate this near (share) to a nominal one is that one, written with too few digits: 2997/100 and
# Matroska's 19001/317 are both within 1e-5 of their nominal rates, 30 and 29.97 are 1e-3 apart.
SAME_RATE = 2e-5
# Frames stored in whole milliseconds (Matroska, FLV) are up to half of one off; a little more for a second
# rounding on the way (s).
STORED_JITTER = 0.0006
# Frames within a quarter of an interval of their tick keep their order and their number on the clock: the
# nearest frame of every tick is its own, nothing is dropped or shown twice.
ONE_TO_ONE = 0.25
# A variable clip's usual interval is the mean of those within this share of the median.
USUAL_SPREAD = 0.1
# A rate further (share) than this from every nominal one is kept as measured.
NOMINAL_REACH = 0.02
# Candidates for a constant rate are looked for this near (share) to the measured mean.
MEAN_REACH = 0.02

Frame = TypeVar("Frame")


class Clock(NamedTuple):
    """A constant rate for a file's frames, and how many ticks cover them. Tick 0 is the first frame."""

    fps: Fraction
    ticks: int
    is_variable: bool


def constant_clock(times: Int[np.ndarray, "T"], unit: Fraction, stated: Sequence[Fraction] = ()) -> Clock:
    """Return the clock that the frames were recorded on, or for uneven frames the nearest nominal one.

    A rate counts as constant if every frame lies on it. Of those that fit, nominal rates win over odd ones, and
    stated ones over measured. Otherwise the rate is the nominal one nearest to the usual interval.

    Args:
        times: when each frame is shown, ascending, all different, at least two, in multiples of `unit`.
        unit: seconds.
        stated: rates that the file claims, the most trusted first.
    """
    passed = (times - times[0]).astype(float) * float(unit)
    fps, is_constant = _constant_rate(passed, float(unit), stated)
    if not is_constant:
        fps = _usual_rate(passed)
    return Clock(fps=fps, ticks=nearest_tick(float(passed[-1]), fps) + 1, is_variable=not is_constant)


def nearest_tick(seconds: float, fps: Fraction) -> int:
    """Return the tick nearest to a moment."""
    return int(np.floor(seconds * float(fps) + 0.5))


def on_clock(frames: Iterator[tuple[float, Frame]], fps: Fraction, ticks: range) -> Iterator[Frame]:
    """Yield for every tick the frame nearest in time, holding two frames at most.

    Frames that are nobody's nearest are dropped, others may come several times. Stops early where the frames
    end more than half an interval before the last tick.

    Args:
        frames: moments (s, tick 0 being 0) and frames, ascending.
        fps: ticks per second.
        ticks: which ticks to yield.
    """
    before: tuple[float, Frame] | None = None
    tick = ticks.start
    for moment, frame in frames:
        while before is not None and tick < ticks.stop:
            wanted = float(tick / fps)
            if wanted - before[0] > moment - wanted:
                break
            yield before[1]
            tick += 1
        while tick < ticks.stop and float(tick / fps) <= moment:
            yield frame
            tick += 1
        if tick >= ticks.stop:
            return
        before = (moment, frame)
    while before is not None and tick < ticks.stop and float((tick - Fraction(1, 2)) / fps) <= before[0]:
        yield before[1]
        tick += 1


def _constant_rate(passed: np.ndarray, unit: float, stated: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """Return the rate on whose clock every frame lies, and whether there is one."""
    count = np.arange(len(passed))
    mean = (len(passed) - 1) / passed[-1]

    def fits(rate: Fraction, tolerance: float) -> bool:
        return bool(np.abs(passed - count / float(rate)).max() <= tolerance)

    nominal = [rate for rate in NOMINAL_RATES if abs(float(rate) / mean - 1) < MEAN_REACH]
    nominal.sort(key=lambda rate: abs(float(rate) / mean - 1))
    claimed = [_as_nominal(rate) for rate in stated if rate > 0]
    for rate in [*(rate for rate in claimed if rate in NOMINAL_RATES), *nominal, *claimed]:
        if fits(rate, max(unit, STORED_JITTER)):
            return rate, True
    # Phones write frames a millisecond or two off, at a rate a little off: many are 29.98 rather than 30.
    measured = [Fraction(mean).limit_denominator(digits) for digits in (1, 10, 100, 1000, 10000)]
    for rate in [*nominal, *(rate for rate in measured if rate > 0)]:
        if fits(rate, ONE_TO_ONE / mean):
            return rate, True
    return Fraction(1), False


def _as_nominal(rate: Fraction) -> Fraction:
    """Return the nominal rate that was meant, or the rate itself."""
    nearest = _nearest_nominal(float(rate))
    return nearest if abs(float(nearest / rate) - 1) < SAME_RATE else rate


def _usual_rate(passed: np.ndarray) -> Fraction:
    """Return the nominal rate nearest to the usual interval, or the measured one if none is near."""
    intervals = np.diff(passed)
    median = np.median(intervals)
    # The median alone is as coarse as the file's unit: 33 ms would be 30.3 frames per second.
    usual = intervals[np.abs(intervals - median) <= USUAL_SPREAD * median].mean()
    nearest = _nearest_nominal(1 / usual)
    if abs(float(nearest) * usual - 1) < NOMINAL_REACH:
        return nearest
    return Fraction(1 / usual).limit_denominator(1000)


def _nearest_nominal(fps: float) -> Fraction:
    return min(NOMINAL_RATES, key=lambda nominal: abs(float(nominal) / fps - 1))
