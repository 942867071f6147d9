"""Gaussian mixtures: against scipy's densities and on clusters that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from mocaplift.errors import InvalidData
from mocaplift.train.mixture import Mixture, fit_mixture, kmeans, nearest_rows


def _two_clouds(rng):
    a = rng.normal(0, 0.3, (600, 3)) + np.array([2, 0, 0])
    b = rng.normal(0, 0.3, (300, 3)) @ np.diag([1, 3, 1]) + [-2, 1, 0]
    return np.concatenate([a, b])


def test_densities_agree_with_scipys():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(2, 3, 3))
    mixture = Mixture(np.array([0.3, 0.7]), rng.normal(size=(2, 3)), roots @ roots.swapaxes(1, 2) + np.eye(3))
    x = rng.normal(size=(20, 3))
    parts = [
        np.log(w) + multivariate_normal(m, c).logpdf(x)
        for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_densities(x), np.stack(parts, axis=1), atol=1e-9)
    np.testing.assert_allclose(mixture.negative_log_likelihood(x), -logsumexp(parts, axis=0), atol=1e-9)


def test_em_finds_two_clouds():
    x = _two_clouds(np.random.default_rng(1))
    mixture = fit_mixture(x, 2, np.random.default_rng(2), shrinkage=0.0, floor=0.0)
    left = mixture.means[:, 0].argmin()
    np.testing.assert_allclose(mixture.weights[left], 1 / 3, atol=0.01)
    np.testing.assert_allclose(mixture.means[left], [-2, 1, 0], atol=0.2)
    np.testing.assert_allclose(np.sqrt(np.diag(mixture.covariances[left])), [0.3, 0.9, 0.3], rtol=0.15)


def test_shrinkage_and_floor_keep_covariances_regular():
    flat = _two_clouds(np.random.default_rng(1)) * [1, 1, 0]
    mixture = fit_mixture(flat, 2, np.random.default_rng(2), shrinkage=0.2, floor=0.05)
    spread = np.sqrt(np.linalg.eigvalsh(mixture.covariances))
    assert spread.min() == pytest.approx(0.05, abs=1e-6)
    own = fit_mixture(flat, 2, np.random.default_rng(2), shrinkage=0.0, floor=0.05)
    left, own_left = mixture.means[:, 0].argmin(), own.means[:, 0].argmin()
    assert mixture.covariances[left, 1, 1] < own.covariances[own_left, 1, 1]


def test_every_cluster_has_rows_and_the_nearest_centre_is_nearest():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4))
    centres, cluster = kmeans(x, 12, rng)
    assert np.bincount(cluster, minlength=12).min() > 0
    distances = np.square(x[:, None] - centres).sum(axis=-1)
    np.testing.assert_array_equal(cluster, distances.argmin(axis=1))
    np.testing.assert_allclose(nearest_rows(x, centres)[1], distances.min(axis=1), atol=1e-9)


def test_too_few_rows_are_refused():
    with pytest.raises(InvalidData, match="3 rows"):
        kmeans(np.zeros((3, 2)), 4, np.random.default_rng(0))
