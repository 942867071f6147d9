"""The point prior: what it is learnt from, and that the shipped one says what motions say."""

from __future__ import annotations

import numpy as np

from mocaplift.body import body_keypoints, load_body
from mocaplift.layouts import BODY21
from mocaplift.lift.point_prior import load_point_prior
from mocaplift.train.points import PointPriorConfig, points_of_bodies, train_points
from tests.dancer import dancer
from tests.train.recordings import daz_bvh, write_archives

CONFIG = PointPriorConfig(poses=60, bodies=5)


def archives(folder):
    folder.mkdir()
    moves = {
        ("lThigh", "Xrotation"): 25 * np.sin(np.arange(240) / 15),
        ("rShldr", "Zrotation"): 30 * np.sin(np.arange(240) / 20),
    }
    write_archives(folder, {f"everyday/{name}.bvh": daz_bvh(240, moves) for name in ("07/07_01", "07/07_02")})
    return folder


def test_the_prior_is_made_and_means_what_it_says(tmp_path) -> None:
    path = train_points(CONFIG, archives(tmp_path / "cmu"), tmp_path / "one")
    prior = load_point_prior(str(path))
    np.testing.assert_allclose(prior.mean_anywhere[:, [0, 2]], 0.0)
    np.testing.assert_allclose(prior.mean_ahead.mean(axis=0), 0.0, atol=1e-6)
    # Turns change no heights.
    np.testing.assert_allclose(prior.mean_anywhere[:, 1], prior.mean_ahead[:, 1], atol=1e-6)
    for covariance in (prior.covariance_ahead, prior.covariance_anywhere):
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-6)
        assert np.linalg.eigvalsh(covariance).min() > -1e-6
    # Mirrored poses are drawn with theirs: left and right reach equally far out.
    left, right = BODY21.index("left_hip", "right_hip")
    assert abs(prior.mean_ahead[left, 0] + prior.mean_ahead[right, 0]) < 0.02
    again = load_point_prior(str(train_points(CONFIG, tmp_path / "cmu", tmp_path / "two")))
    np.testing.assert_array_equal(again.covariance_ahead, prior.covariance_ahead)


def test_points_are_those_of_bodies_at_the_origin() -> None:
    motion, body = dancer(12), load_body()
    points = points_of_bodies(body, motion.rotations, 3, np.random.default_rng(0))
    truth = body_keypoints(motion).xyz - motion.root[:, None]
    # Other bodies in the same poses.
    assert 0.002 < np.linalg.norm(points - truth, axis=-1).mean() < 0.15


def test_what_ships_covers_people() -> None:
    """A dancer's poses lie within a few standard deviations of the prior of their heading."""
    prior = load_point_prior()
    xyz = body_keypoints(dancer(30, poses=(0, 3, 6, 10))).xyz
    precision, pull = prior.facing(xyz)
    best = np.linalg.solve(precision, pull[..., None])[..., 0]
    centred = (xyz - xyz.mean(axis=1, keepdims=True)).reshape(30, -1)
    mean = best.reshape(30, 21, 3)
    away = centred - (mean - mean.mean(axis=1, keepdims=True)).reshape(30, -1)
    squared = np.einsum("ti,tij,tj->t", away, precision, away)
    # 63 coordinates: their sum of squares is about 63 where the Gaussian fits; half that much again is usual.
    assert 5 < np.median(squared) < 150
