"""The paper's baselines with networks that know the answer, and their slopes against differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma
from mocaplift.evaluate import baselines
from mocaplift.evaluate.baselines import BASELINES, Method, by_windows
from mocaplift.evaluate.distilled_points import (
    PointDistilling,
    distilled_points,
    distilled_views,
    plane_slope,
    point_slope,
)
from mocaplift.evaluate.view_sampling import MAS_AZIMUTHS, multi_view_ancestral, noise_of_points, views_alone
from mocaplift.lift.mvlift import lifter
from mocaplift.lift.mvlift.conditions import Observed, encoded, observed
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.line_views import AZIMUTHS, Distilling
from mocaplift.lift.mvlift.network import Denoiser, DenoiserConfig
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import ring_of
from tests.dancer import camera, dancer, seen
from tests.lift.mvlift.test_ring import LEVEL, ring
from tests.lift.mvlift.tiny import STEPS, tiny_arrays, tiny_header, windows

ALONE = DenoiserConfig(views=1, width=16, depth=1, heads=2, frames=16, per_token=4)
FEW_STEPS = 5
# Each method, quick, and what it is off at most (m) with a network that knows: Adam stays about the answer.
METHODS: dict[str, tuple[Method, float]] = {
    "mas": (partial(multi_view_ancestral, steps=FEW_STEPS), 1e-3),
    "stage-1": (partial(views_alone, steps=FEW_STEPS), 1e-3),
    "sds": (partial(distilled_views, asked=Distilling(iterations=150, rate=0.1, line_weight=1.0)), 0.05),
    "sds-3d": (partial(distilled_points, asked=PointDistilling(iterations=150, rate=0.06)), 0.1),
}


@dataclass(frozen=True, eq=False)
class Oracle(Denoiser):
    """A network of one view that knows what all views of a ring show, by how many views it is asked about."""

    shown: Mapping[int, np.ndarray] = field(default_factory=dict)

    def __call__(self, noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
        count = len(next(iter(self.shown.values())))
        return self.shown[len(noisy) // count].reshape(noisy.shape)


def oracle(told: Observed, truth: np.ndarray) -> Oracle:
    six, seven = (
        encoded(ring_of(told, azimuths).see(truth), PERSON).astype(np.float32)
        for azimuths in (AZIMUTHS, MAS_AZIMUTHS)
    )
    # Distillation of views asks about all but the observed one.
    shown = {7: seven, 6: six, 5: six[:, 1:]}
    return Oracle(ALONE, PERSON, STEPS, {}, shown)


def tiny_alone() -> Denoiser:
    return Denoiser.of(tiny_arrays(ALONE), tiny_header(ALONE))


@pytest.mark.parametrize("name", METHODS)
def test_a_network_that_knows_gives_the_truth(name: str) -> None:
    told, truth, _ = windows()
    method, most = METHODS[name]
    found = method(oracle(told, truth), told, np.random.default_rng(0))
    assert np.abs(found - truth).max() < most


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_a_lifter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any length: 60 frames at 30 a second are 30 of the network's, three windows; always the same."""
    monkeypatch.setattr(baselines, "load_network", lambda name: tiny_alone())
    monkeypatch.setattr(baselines, "SDS", Distilling(iterations=3))
    monkeypatch.setattr(baselines, "SDS_3D", PointDistilling(iterations=3))
    motion, lens = dancer(60), camera()
    view = seen(motion, lens)
    found = BASELINES[name]()([view], [lens])
    assert found.xyz.shape == (60, len(PERSON.layout), 3) and found.layout == PERSON.layout
    assert np.isfinite(found.xyz).all() and (found.sigma > 0).all()
    np.testing.assert_array_equal(found.xyz, BASELINES[name]()([view], [lens]).xyz)
    monkeypatch.setattr(lifter, "SEED", lifter.SEED + 1)
    assert np.abs(found.xyz - BASELINES[name]()([view], [lens]).xyz).max() > 1e-4


def test_without_lines_the_network_is_told_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "load_network", lambda name: network)
    monkeypatch.setattr(baselines, "SDS", Distilling(iterations=1))
    monkeypatch.setattr(baselines, "SDS_3D", PointDistilling(iterations=1))
    asked: list[np.ndarray] = []

    class Listens(Denoiser):
        def __call__(self, noisy: np.ndarray, step: int, told: np.ndarray) -> np.ndarray:
            asked.append(told)
            return noisy

    network = Listens(ALONE, PERSON, STEPS, {})
    view, lens = seen(dancer(30), camera()), camera()
    for name in BASELINES:
        asked.clear()
        BASELINES[name]()([view], [lens])
        # The first of a joint's six numbers is the square of its line's slope: 0 of a level line and of none.
        has_lines = (
            np.abs(np.concatenate(asked)[..., : 6 * len(PERSON.layout)].reshape(-1, 6)[:, :5]).max() > 0
        )
        assert has_lines == (name not in ("mas", "sds-no-lines", "sds-3d-no-lines"))


def test_whole_clips_are_cut_and_joined() -> None:
    """A method that gives the rays themselves gives them back; each of several samples is a call of its own."""
    motion, lens = dancer(40), camera()
    view = seen(motion, lens)
    direction = rays(lens, view.xy)
    calls = []

    def method(network: Denoiser, told: Observed, rng: np.random.Generator) -> np.ndarray:
        calls.append(len(told.plane))
        return np.stack(
            [direction[span] for span in (slice(0, 16), slice(8, 24), slice(16, 32), slice(24, 40))]
        )

    found = by_windows(method, 3)(tiny_alone(), direction, sigma(view), np.random.default_rng(0))
    assert calls == [4, 4, 4]
    np.testing.assert_allclose(found, np.stack([direction] * 3), atol=1e-12)


def test_noise_of_points_looks_the_same_from_everywhere() -> None:
    """By hand: seen from behind, right is left and up is up; a quarter turn apart, only the heights agree."""
    around = Ring.around(np.stack([LEVEL] * 3), np.full(3, 4.0), (np.pi / 2, np.pi))
    shape = (3, 3, 500, 2 * len(PERSON.layout) + 2)
    noise = noise_of_points(around, np.random.default_rng(0), PERSON)(shape)
    assert noise.shape == shape and noise.std() == pytest.approx(1.0, abs=0.01)
    right, down = noise[..., ::2], noise[..., 1::2]
    np.testing.assert_allclose(right[:, 2], -right[:, 0], atol=1e-12)
    np.testing.assert_allclose(down[:, 1:], down[:, :1].repeat(2, axis=1), atol=1e-12)
    assert abs(np.corrcoef(right[:, 0].ravel(), right[:, 1].ravel())[0, 1]) < 0.02


class TestSlopes:
    """Against differences of c . channels, for random c."""

    def check_slope(self, slope: np.ndarray, value: Callable[[np.ndarray], float], at: np.ndarray) -> None:
        for place in np.random.default_rng(1).integers(0, at.shape, (6, at.ndim)):
            nudged = [at.copy(), at.copy()]
            nudged[0][tuple(place)] -= 1e-5
            nudged[1][tuple(place)] += 1e-5
            expected = (value(nudged[1]) - value(nudged[0])) / 2e-5
            assert slope[tuple(place)] == pytest.approx(expected, rel=1e-4, abs=1e-6)

    def test_of_channels_by_pictures(self) -> None:
        _, truth, around = windows(2)
        plane = around.see(truth)
        by_channels = np.random.default_rng(0).normal(size=encoded(plane, PERSON).shape)
        slope = plane_slope(by_channels, PERSON)
        self.check_slope(slope, lambda moved: float((encoded(moved, PERSON) * by_channels).sum()), plane)

    def test_of_pictures_by_points(self) -> None:
        _, truth, around = windows(2)
        by_plane = np.random.default_rng(0).normal(size=around.see(truth).shape)
        slope = point_slope(around, truth, by_plane)
        self.check_slope(slope, lambda moved: float((around.see(moved) * by_plane).sum()), truth)

    def test_of_points_behind_a_camera(self) -> None:
        """Such a point is seen as if it were before it: nearer or further is all the same."""
        around = Ring(*(part[None] for part in (ring().centre, ring().axes, ring().radius)))
        behind = np.array([[[[0.3, 0.2, 1.0]]]])
        by_plane = np.zeros((1, 4, 1, 1, 2))
        by_plane[0, 0] = 1.0
        slope = point_slope(around, behind, by_plane)
        # 0.4 m before the camera, a tenth of its 4 m, a metre is ten metres of the picture.
        np.testing.assert_allclose(slope[0, 0, 0], [10.0, -10.0, 0.0], atol=1e-9)


def test_the_observed_window_is_that_of_the_lifter() -> None:
    """What methods are given is what `observed` makes of the rays."""
    motion, lens = dancer(16), camera()
    view = seen(motion, lens)
    direction, given = rays(lens, view.xy), []

    def method(network: Denoiser, told: Observed, rng: np.random.Generator) -> np.ndarray:
        given.append(told)
        return (body_keypoints(motion).xyz - centre(lens))[None]

    by_windows(method)(tiny_alone(), direction, sigma(view), np.random.default_rng(0))
    expected = observed(direction[None], sigma(view)[None], PERSON)
    np.testing.assert_array_equal(given[0].told, expected.told)
