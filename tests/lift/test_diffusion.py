"""The diffusion core: the schedule by hand, and what sampling does with networks that know the answer."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import ConfigError
from mocaplift.lift.diffusion import Schedule, clean_loss, sample

SCHEDULE = Schedule.cosine(1000)


def truth() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, 5, 3))


class TestSchedule:
    def test_its_numbers_are_those_of_the_formula(self) -> None:
        # By hand, S = 2: cos^2(pi/2 * 0.508 / 1.008) / cos^2(pi/2 * 0.008 / 1.008); the last step keeps 0.001.
        share = Schedule.cosine(2).share
        np.testing.assert_allclose(share, [1.0, 0.493844, 0.493844e-3], rtol=1e-5)

    def test_a_thousand_steps_end_in_noise(self) -> None:
        # cos^2(pi/2 * 0.508 / 1.008) / cos^2(...) once more, at step 500 of 1000.
        assert SCHEDULE.steps == 1000
        assert SCHEDULE.share[500] == pytest.approx(0.493844, rel=1e-5)
        assert SCHEDULE.share[1000] < 1e-6
        assert (np.diff(SCHEDULE.share) < 0).all()

    def test_a_noisy_signal_has_the_parts_it_should(self) -> None:
        schedule = Schedule(np.array([1.0, 0.64, 0.36]))
        clean, noise = np.full((2, 3), 10.0), np.full((2, 3), 1.0)
        # By rows: 0.8 * 10 + 0.6 * 1, and 0.6 * 10 + 0.8 * 1.
        np.testing.assert_allclose(schedule.noised(clean, noise, np.array([1, 2]))[:, 0], [8.6, 6.8])
        np.testing.assert_allclose(schedule.noised(clean, noise, 0), clean)
        np.testing.assert_allclose(schedule.noise_in(np.full(3, 8.6), np.full(3, 10.0), 1), 1.0)

    def test_steps_are_spread_evenly(self) -> None:
        assert SCHEDULE.spaced(4) == [1000, 750, 500, 250]
        assert SCHEDULE.spaced(2, start=100) == [100, 50]
        assert Schedule.cosine(3).spaced(3) == [3, 2, 1]
        for count, start in ((0, None), (1001, None), (5, 4), (1, 1001)):
            with pytest.raises(ConfigError, match="cannot take"):
                SCHEDULE.spaced(count, start)
        with pytest.raises(ConfigError, match="at least one"):
            Schedule.cosine(0)


class TestLoss:
    def test_it_is_a_weighted_mean_of_distances(self) -> None:
        predicted, clean = np.array([1.0, 5.0, 9.0]), np.array([2.0, 2.0, 9.0])
        assert clean_loss(predicted, clean, np.array([1.0, 1.0, 0.0])) == 2.0

    def test_it_takes_tensors(self) -> None:
        torch = pytest.importorskip("torch")
        loss = clean_loss(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0]), torch.tensor([3.0, 1.0]))
        assert float(loss) == 1.5


class TestSampling:
    @pytest.mark.parametrize("churn", [0.0, 1.0])
    @pytest.mark.parametrize("count", [1, 7])
    def test_a_network_that_knows_the_truth_finds_it(self, count: int, churn: float) -> None:
        rng = np.random.default_rng(0)
        found = sample(
            SCHEDULE,
            lambda noisy, step: truth(),
            rng.normal(size=truth().shape),
            SCHEDULE.spaced(count),
            churn=churn,
            draw=rng.standard_normal,
        )
        np.testing.assert_allclose(found, truth(), atol=1e-12)

    def test_without_churn_the_noise_stays_what_it_was(self) -> None:
        """What the network sees at every step is the truth under the same noise."""
        noise = np.random.default_rng(0).normal(size=truth().shape)
        seen = []

        def denoise(noisy: np.ndarray, step: int) -> np.ndarray:
            seen.append((noisy, step))
            return truth()

        begin = SCHEDULE.noised(truth(), noise, 800)
        sample(SCHEDULE, denoise, begin, SCHEDULE.spaced(4, start=800))
        assert [step for _, step in seen] == [800, 600, 400, 200]
        for noisy, step in seen:
            np.testing.assert_allclose(noisy, SCHEDULE.noised(truth(), noise, step), atol=1e-9)

    def test_full_churn_is_the_posterior_of_ancestral_sampling(self) -> None:
        """Ho et al. 2020, equations 6 and 7, from step 2 to step 1, with shares 0.36 and 0.64.

        alpha = 0.36 / 0.64 = 0.5625, beta = 0.4375: mean = 0.8 0.4375 / 0.64 x0 + 0.75 0.36 / 0.64 x2, which is
        0.546875 x0 + 0.421875 x2; variance = 0.36 / 0.64 * 0.4375 = 0.24609375.
        """
        schedule = Schedule(np.array([1.0, 0.64, 0.36]))
        noisy = np.full(100_000, 3.0)
        seen = []

        def denoise(now: np.ndarray, step: int) -> np.ndarray:
            seen.append(now)
            return np.full_like(now, 2.0)

        sample(schedule, denoise, noisy, [2, 1], churn=1.0, draw=np.random.default_rng(0).standard_normal)
        assert seen[1].mean() == pytest.approx(0.546875 * 2 + 0.421875 * 3, abs=0.01)
        assert seen[1].var() == pytest.approx(0.24609375, abs=0.005)

    def test_guidance_moves_the_sample(self) -> None:
        noise = np.random.default_rng(0).normal(size=truth().shape)
        guided_at = []

        def guide(clean: np.ndarray, step: int) -> np.ndarray:
            guided_at.append(step)
            return np.where(np.arange(3) == 1, 7.0, clean)

        found = sample(
            SCHEDULE, lambda noisy, step: truth() + 0.1 * noisy, noise, SCHEDULE.spaced(3), guide=guide
        )
        assert guided_at == [1000, 667, 333]
        np.testing.assert_allclose(found[..., 1], 7.0)
        free = sample(SCHEDULE, lambda noisy, step: truth() + 0.1 * noisy, noise, SCHEDULE.spaced(3))
        np.testing.assert_allclose(found[..., 0], free[..., 0])
        assert np.abs(free[..., 1] - 7.0).min() > 1.0

    def test_single_precision_stays_single(self) -> None:
        noise = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
        found = sample(SCHEDULE, lambda noisy, step: 0.5 * noisy, noise, SCHEDULE.spaced(3), churn=0.5,
                       draw=np.random.default_rng(1).standard_normal)  # fmt: skip
        assert found.dtype == np.float32

    @pytest.mark.parametrize("steps", [[], [5, 5], [3, 4], [1001], [4, 0]])
    def test_steps_that_do_not_fall_are_refused(self, steps: list[int]) -> None:
        with pytest.raises(ConfigError, match="steps must fall"):
            sample(SCHEDULE, lambda noisy, step: noisy, truth(), steps)

    def test_churn_needs_a_generator(self) -> None:
        with pytest.raises(ConfigError, match="generator"):
            sample(SCHEDULE, lambda noisy, step: noisy, truth(), [10], churn=1.0)
