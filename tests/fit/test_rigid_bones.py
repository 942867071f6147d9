"""Points of any figure with bones of constant length."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.fit.rigid_bones import settled_bones, with_rigid_bones
from tests.puppet import FPS, LAYOUT, LENGTHS, puppet

ENDS = np.array([LAYOUT.index(*ends) for ends in LENGTHS])
USUAL = np.array(list(LENGTHS.values()))
MIRROR = np.array(LAYOUT.mirror)
EYE = np.array([0.0, 0.5, 3.0])


def lengths(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, ENDS[:, 0]] - points[:, ENDS[:, 1]], axis=-1)


def test_bones_are_between_what_was_found_and_what_is_usual() -> None:
    """By hand: a figure of twice the size has bones of sqrt(2) times the usual length."""
    points = puppet(frames=30)
    np.testing.assert_allclose(settled_bones(points, ENDS, USUAL, MIRROR), USUAL, rtol=1e-9)
    np.testing.assert_allclose(settled_bones(2 * points, ENDS, USUAL, MIRROR), np.sqrt(2) * USUAL, rtol=1e-9)


def test_left_and_right_are_alike() -> None:
    points = puppet(frames=30)
    neck, paw = LAYOUT.index("neck", "left_paw")
    points[:, paw] = points[:, neck] + 1.2 * (points[:, paw] - points[:, neck])
    found = settled_bones(points, ENDS, USUAL, MIRROR)
    assert found[2] == found[3] == pytest.approx(0.5 * 1.2**0.25)


def test_points_come_nearer_to_the_truth() -> None:
    truth = puppet(frames=60) - EYE
    noisy = truth + np.random.default_rng(0).normal(0, 0.08, truth.shape)
    rays = truth / np.linalg.norm(truth, axis=-1, keepdims=True)
    sigma, ray_sigma = np.full(truth.shape[:2], 0.08), np.full(truth.shape[:2], 0.01)
    ray_sigma[20:30, 0] = np.inf
    found = with_rigid_bones(noisy, sigma, rays, ray_sigma, ENDS, USUAL, FPS)
    assert np.abs(lengths(found) - USUAL).max() < 0.005
    away = [np.linalg.norm(each - truth, axis=-1).mean() for each in (noisy, found)]
    assert away[1] < 0.3 * away[0]


def test_what_is_true_stays() -> None:
    truth = puppet(frames=2) - EYE
    rays = truth / np.linalg.norm(truth, axis=-1, keepdims=True)
    sigma = np.full(truth.shape[:2], 0.1)
    np.testing.assert_allclose(
        with_rigid_bones(truth, sigma, rays, sigma, ENDS, USUAL, FPS), truth, atol=1e-9
    )
