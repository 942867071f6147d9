from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mocaplift.clock import NOMINAL_RATES, constant_clock, nearest_tick, on_clock

NTSC = Fraction(30000, 1001)
MILLISECOND = Fraction(1, 1000)


def stored(seconds: np.ndarray, unit: Fraction) -> np.ndarray:
    """Return times as a file stores them."""
    return np.rint(seconds / float(unit)).astype(np.int64)


@given(
    fps=st.sampled_from(NOMINAL_RATES),
    frames=st.integers(300, 2000),
    unit=st.sampled_from([MILLISECOND, Fraction(1, 90000), Fraction(1, 12800)]),
    begin=st.integers(-5000, 10**7),
)
def test_a_constant_rate_is_found_exactly_in_any_unit(
    fps: Fraction, frames: int, unit: Fraction, begin: int
) -> None:
    # Two frames of one time would be two of 1000 per second in milliseconds; 300 tell 30 from 29.97.
    times = stored(np.arange(frames) / float(fps), unit) + begin
    clock = constant_clock(times, unit)
    assert clock == (fps, frames, False)


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        (Fraction(2997, 100), NTSC),
        (Fraction(19001, 317), Fraction(60000, 1001)),
        (Fraction(24), Fraction(24)),
        (Fraction(59, 2), Fraction(59, 2)),
    ],
)
def test_rates_stated_with_few_digits_are_read_as_meant(stated: Fraction, meant: Fraction) -> None:
    times = stored(np.arange(100) / float(meant), MILLISECOND)
    assert constant_clock(times, MILLISECOND, [stated]) == (meant, 100, False)


def test_few_frames_are_at_the_stated_rate_of_those_that_fit() -> None:
    times = stored(np.arange(5) / 30, MILLISECOND)
    assert constant_clock(times, MILLISECOND, [NTSC]).fps == NTSC
    assert constant_clock(times, MILLISECOND, [Fraction(30)]).fps == 30


def test_a_false_statement_is_not_believed() -> None:
    times = stored(np.arange(200) / 25, Fraction(1, 90000))
    assert constant_clock(times, Fraction(1, 90000), [Fraction(30), Fraction(90000)]).fps == 25


def test_a_phones_jitter_is_no_variable_rate() -> None:
    # Intervals of 20, 20 and 21 units of 1/600 s: 29.51 per second on average, which is not nominal.
    steps = np.resize([20, 20, 21], 599)
    clock = constant_clock(np.concatenate([[0], np.cumsum(steps)]), Fraction(1, 600))
    assert not clock.is_variable and clock.ticks == 600
    assert float(clock.fps) == pytest.approx(599 / (steps.sum() / 600), rel=1e-3)


def test_a_short_phone_clip_is_put_on_the_nominal_rate() -> None:
    seconds = np.arange(60) / 29.985 + np.random.default_rng(0).uniform(-0.002, 0.002, 60)
    assert constant_clock(stored(seconds, MILLISECOND), MILLISECOND) == (Fraction(30), 60, False)


def test_one_dropped_frame_makes_a_rate_variable_and_keeps_its_clock() -> None:
    times = np.delete(np.arange(100) * 1001, 40)
    assert constant_clock(times, Fraction(1, 30000), [Fraction(29.7)]) == (NTSC, 100, True)


def test_a_rate_that_is_nobodys_is_kept_as_measured() -> None:
    noise = np.random.default_rng(1)
    seconds = np.cumsum(np.where(noise.random(200) < 0.2, 2, 1) / 13.3)
    clock = constant_clock(stored(seconds, MILLISECOND), MILLISECOND)
    assert clock.is_variable and float(clock.fps) == pytest.approx(13.3, rel=0.01)


def test_two_frames_are_a_clock() -> None:
    assert constant_clock(np.array([7, 47]), MILLISECOND) == (Fraction(25), 2, False)


def test_the_nearest_tick_by_hand() -> None:
    assert nearest_tick(1.0, NTSC) == 30  # 29.97
    assert nearest_tick(0.05, Fraction(30)) == 2  # 1.5 rounds up
    assert nearest_tick(-0.01, Fraction(30)) == 0


@given(
    steps=st.lists(st.floats(0.001, 0.5), min_size=1, max_size=60),
    first=st.integers(0, 20),
    count=st.integers(1, 100),
)
def test_every_tick_gets_its_nearest_frame(steps: list[float], first: int, count: int) -> None:
    moments = np.concatenate([[0.0], np.cumsum(steps)])
    fps = Fraction(10)
    shown = list(on_clock(iter([(t, t) for t in moments.tolist()]), fps, range(first, first + count)))
    ticks = (first + np.arange(count)) / 10
    covered = ticks[ticks - 0.05 <= moments[-1]]
    assert len(shown) == len(covered)
    for tick, moment in zip(covered, shown, strict=True):
        assert abs(moment - tick) <= np.abs(moments - tick).min() + 1e-12


def test_no_more_frames_are_taken_than_needed() -> None:
    taken = []

    def frames():
        for k in range(1000):
            taken.append(k)
            yield k / 10, k

    assert list(on_clock(frames(), Fraction(10), range(5, 8))) == [5, 6, 7]
    assert len(taken) == 8
