"""Stage 2: views from lines, with networks that know the answer; and why lines alone do not hold a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift import line_views
from mocaplift.lift.mvlift.conditions import NUM_LINE, NUM_LINE_FRAME, decoded, encoded
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.line_views import (
    AZIMUTHS,
    Distilling,
    badness,
    distilled,
    each_alone,
    made,
    score_slope,
    told_by_lines,
)
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import Sampled, Sampling, points_of, ring_of
from tests.lift.mvlift.test_ring import LEVEL
from tests.lift.mvlift.tiny import STEPS, windows

SCHEDULE = Schedule.cosine(STEPS)
JOINTS = len(PERSON.layout)


def knows(plane: np.ndarray) -> Callable[[np.ndarray, int, np.ndarray], np.ndarray]:
    """Return a network of one view that has been told the pictures of all of them, or of all but the first."""
    answer = encoded(plane, PERSON).astype(np.float32)
    return lambda noisy, step, told: answer[:, -(len(noisy) // len(answer)) :].reshape(noisy.shape)


def test_every_view_is_told_its_lines_but_the_first() -> None:
    told, _, _ = windows()
    ring = ring_of(told, AZIMUTHS)
    hidden = told.sigma.copy()
    hidden[:, 3, PERSON.layout.at("nose")] = np.inf
    views = told_by_lines(replace(told, sigma=hidden), ring)
    assert views.shape == (1, 6, 16, NUM_LINE * JOINTS + NUM_LINE_FRAME)
    joints = views[..., :-NUM_LINE_FRAME].reshape(1, 6, 16, JOINTS, NUM_LINE)
    assert (joints[:, 0, ..., :-1] == 0).all()
    assert (joints[:, 1:, 3, PERSON.layout.at("nose"), :-1] == 0).all()
    np.testing.assert_allclose(joints[0, 1:, 5, :, 0] + joints[0, 1:, 5, :, 2], 1.0, rtol=1e-5)
    assert (joints[:, 1:, ..., -1] == 1).all() and joints[0, 0, 3].sum() == JOINTS - 1
    without = told_by_lines(told, ring, has_lines=False)[..., :-NUM_LINE_FRAME]
    assert (without.reshape(joints.shape)[..., :-1] == 0).all()


def test_views_that_are_asked_alone_come_back_in_their_places() -> None:
    noisy = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    asked = []

    def network(flat: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        asked.append((flat.shape, told.shape, step))
        return flat + told[..., :1]

    found = each_alone(network)(noisy, 7, np.ones((2, 3, 4, 2), dtype=np.float32))
    np.testing.assert_array_equal(found, noisy + 1)
    assert asked == [((6, 1, 4, 5), (6, 1, 4, 2), 7)]


def test_a_network_that_knows_makes_the_truth() -> None:
    told, truth, _ = windows()
    ring = ring_of(told, AZIMUTHS)
    found, bad = made(
        knows(ring.see(truth)), SCHEDULE, told, PERSON, np.random.default_rng(0), count=2,
        sampling=Sampling(steps=2),
    )  # fmt: skip
    assert np.abs(found.points - truth).max() < 1e-3
    assert bad.shape == (1,) and 0 < bad[0] < 0.05


def test_the_best_of_several_is_kept() -> None:
    """A network that tells the truth on its second sample only."""
    told, truth, _ = windows()
    right = ring_of(told, AZIMUTHS).see(truth)
    wrong = right + np.random.default_rng(0).normal(0, 0.2, right.shape)
    calls = []

    def network(noisy: np.ndarray, step: int, views: np.ndarray) -> np.ndarray:
        calls.append(step)
        return knows(right if len(calls) == 2 else wrong)(noisy, step, views)

    rng = np.random.default_rng(0)
    found, _ = made(network, SCHEDULE, told, PERSON, rng, count=3, sampling=Sampling(steps=1))
    assert len(calls) == 3
    assert np.abs(found.points - truth).max() < 1e-3


def test_badness_is_what_it_says() -> None:
    """By hand: the truth 0.1 m too far to the right is 0.1 m off, its bones do not change more than they did."""
    told, truth, _ = windows()
    ring = ring_of(told, AZIMUTHS)
    none = np.zeros(1)
    before = badness(Sampled(truth, none), told, ring, PERSON)
    right = 0.1 * ring.axes[0, 0, 0]
    moved = badness(Sampled(truth + right, none + 0.5), told, ring, PERSON)
    depth = (truth @ ring.axes[0, 0, 2]).mean()
    assert moved[0] - before[0] - 0.5 == pytest.approx(0.1 * told.distance[0] / depth, rel=0.02)
    longer = truth * np.where(np.arange(16) < 8, 1.0, 1.1)[:, None, None]
    change = badness(Sampled(longer, none), told, ring, PERSON) - before
    assert change[0] == pytest.approx(0.05 * PERSON.lengths.mean(), rel=0.2)


class TestDistilling:
    @pytest.mark.parametrize(("has_lines", "is_annealed"), [(True, False), (False, False), (True, True)])
    def test_it_ends_in_the_pictures_that_the_network_knows(self, has_lines: bool, is_annealed: bool) -> None:
        told, truth, _ = windows(8)
        ring = ring_of(told, AZIMUTHS)
        plane = ring.see(truth)
        asked = Distilling(
            iterations=300, rate=0.05, line_weight=1.0, has_lines=has_lines, is_annealed=is_annealed
        )
        found = distilled(knows(plane[:, 1:]), SCHEDULE, told, PERSON, np.random.default_rng(0), asked)
        assert np.abs(found - plane).mean() < 0.03
        np.testing.assert_array_equal(found[:, 0], told.plane)
        assert np.linalg.norm(points_of(told, found, ring) - truth, axis=-1).mean() < 0.03

    def test_annealed_it_begins_with_sampled_pictures_and_looks_at_ever_less_noise(self) -> None:
        told, truth, _ = windows(4)
        plane = ring_of(told, AZIMUTHS).see(truth)
        schedule, looked, knowing = Schedule.cosine(1000), [], knows(plane[:, 1:])

        def network(noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
            looked.append(step)
            return knowing(noisy, step, told)

        asked = Distilling(iterations=200, rate=0.0, is_annealed=True)
        found = distilled(network, schedule, told, PERSON, np.random.default_rng(0), asked)
        np.testing.assert_allclose(found, plane, atol=1e-4)
        assert looked[:8] == schedule.spaced(8) and len(looked) == 208
        assert max(looked[8:]) <= 980 and max(looked[-20:]) <= 150 and max(looked[8:60]) > 700

    def test_a_weighted_slope_counts_what_noise_there_is(self) -> None:
        noise = np.ones((1, 5, 4, 2 * JOINTS + 2))
        slopes = [
            score_slope(
                lambda noisy, step, told: noise.astype(np.float32),
                SCHEDULE, 0 * noise, noise, np.random.default_rng(0), most=1, is_weighted=is_weighted,
            )
            for is_weighted in (False, True)
        ]  # fmt: skip
        np.testing.assert_allclose(slopes[1], slopes[0] * (1 - SCHEDULE.share[1]))

    def test_the_slope_is_that_of_the_distances(self) -> None:
        """Against differences: lines stay where they are while pictures move."""
        told, truth, _ = windows(2)
        ring = ring_of(told, AZIMUTHS)
        rng = np.random.default_rng(0)
        channels = encoded(ring.see(truth) + rng.normal(0, 0.05, (1, 6, 2, JOINTS, 2)), PERSON)
        plane = decoded(channels, PERSON)
        lines = np.stack([ring.lines(plane[:, view], view) for view in range(6)])

        def distance(values: np.ndarray) -> float:
            moved = decoded(values, PERSON)
            away = (lines[..., :2] * moved).sum(-1) + lines[..., 2]
            return float(np.abs(away).sum() / (6 * 5 * 2 * JOINTS))

        slope = line_views._line_slope(plane, ring, np.isfinite(told.sigma), PERSON)
        for place in ((0, 3, 1, 7), (0, 5, 0, 42), (0, 1, 1, 43)):
            nudged = channels.copy()
            nudged[place] += 1e-6
            expected = (distance(nudged) - distance(channels)) / 1e-6
            assert slope[place] == pytest.approx(expected, rel=1e-3, abs=1e-9)


class TestWhatLinesDoNotTell:
    """A level ring of six: how many of the ten numbers of a joint in the five free views its constraints hold."""

    RING = Ring.around(LEVEL, np.asarray(3.0), AZIMUTHS, 3.0)

    def holds(self, height: float, residual: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the singular values of a residual's slopes by the ten numbers, falling."""
        point = np.array([[[0.3, height, -2.6]]])
        plane = self.RING.see(point)
        slopes = []
        for view in range(1, 6):
            for axis in (0, 1):
                ends = []
                for nudge in (-1e-5, 1e-5):
                    moved = plane.copy()
                    moved[view, 0, 0, axis] += nudge
                    ends.append(residual(moved))
                slopes.append((ends[1] - ends[0]) / 2e-5)
        return np.linalg.svd(np.array(slopes), compute_uv=False)

    def distances(self, plane: np.ndarray) -> np.ndarray:
        lines = np.stack([self.RING.lines(plane[view], view) for view in range(6)])
        return ((lines[..., :2] * plane).sum(-1) + lines[..., 2]).ravel()

    def misfit(self, plane: np.ndarray) -> np.ndarray:
        return (plane - self.RING.see(self.RING.triangulated(plane, np.ones(plane.shape[:-1])))).ravel()

    def test_at_the_cameras_height_lines_hold_half_of_it(self) -> None:
        """The joint may be anywhere on its own ray: nine is all that can be held. Lines hold five there."""
        assert (self.holds(0.0, self.distances) > 1e-3).sum() == 5
        assert (self.holds(0.7, self.distances) > 1e-3).sum() == 9

    def test_near_the_cameras_height_lines_hold_the_other_half_by_a_thread(self) -> None:
        """What the weakest of nine is held by grows with the height: 0.03 at 2 cm, five times that at 10 cm."""
        weakest = [self.holds(height, self.distances)[8] for height in (0.02, 0.1, 0.7)]
        assert weakest[0] < 0.05
        assert weakest[1] == pytest.approx(5 * weakest[0], rel=0.02)
        assert weakest[2] > 0.5

    @pytest.mark.parametrize("height", [0.0, 0.02, 0.1, 0.7])
    def test_one_body_holds_all_of_it_everywhere(self, height: float) -> None:
        held = self.holds(height, self.misfit)
        assert held[8] > 0.4 and held[9] < 1e-3
