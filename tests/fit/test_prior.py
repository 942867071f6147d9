"""The pose prior: its mixture and its derivative by hand, by differences and by scipy."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import multivariate_normal

from mocaplift.errors import WeightsError
from mocaplift.fit.linearize import SOLVED_JOINTS
from mocaplift.fit.prior import TAIL, PosePrior, inverse_right_jacobian, load_prior
from mocaplift.layouts import SMPL24
from mocaplift.rotations import about_axis
from mocaplift.weights import load_arrays, locate, save_arrays
from tests.fit import toy


def small() -> PosePrior:
    """Return two Gaussians over one joint: a narrow one at 0 and a wide one at 1 rad about X."""
    return PosePrior(
        joints=("left_knee",),
        limits=(np.full(3, -2.0), np.full(3, 2.0)),
        weights=np.array([0.5, 0.5]),
        means=np.array([[0.0, 0, 0], [1.0, 0, 0]]),
        precisions=np.stack([100 * np.eye(3), np.eye(3)]),
    )


def test_the_cost_by_hand() -> None:
    prior = small()
    vector = np.array([[0.0, 0, 0], [0.1, 0, 0], [3.0, 0, 0]])
    best, distance = prior.components(vector)
    np.testing.assert_array_equal(best, [0, 0, 1])
    # (0.1 / 0.1)^2 and 2^2, per each of three dimensions.
    np.testing.assert_allclose(distance, [0, 1 / 3, 4 / 3])
    # The narrow one's density is higher by 10 per dimension.
    expected = 0.5 * TAIL * np.log1p(distance / TAIL) + np.array([0, 0, np.log(10.0)])
    np.testing.assert_allclose(prior.cost(vector), expected)


def test_the_likeliest_component_is_scipys() -> None:
    prior = toy.prior()
    vector = np.random.default_rng(0).normal(0, 0.15, (40, prior.means.shape[1]))
    density = [
        np.log(weight) + multivariate_normal(mean, np.linalg.inv(precision)).logpdf(vector)
        for weight, mean, precision in zip(prior.weights, prior.means, prior.precisions, strict=True)
    ]
    best, _ = prior.components(vector)
    np.testing.assert_array_equal(best, np.argmax(density, axis=0))
    assert set(best) == {0, 1}


def test_a_pose_vector_is_made_of_rotation_vectors_in_the_priors_order() -> None:
    turns = np.zeros((2, 24, 4))
    turns[..., 0] = 1.0
    turns[1, SMPL24.at("right_knee")] = about_axis("X", 0.4)
    prior = toy.prior()
    vector = prior.vector(turns, SMPL24)
    place = 3 * prior.joints.index("right_knee")
    expected = np.zeros_like(vector)
    expected[1, place] = 0.4
    np.testing.assert_allclose(vector, expected, atol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-4, 0.3, 1.5, 3.0])
def test_the_inverse_right_jacobian(size: float) -> None:
    rng = np.random.default_rng(1)
    axes = rng.normal(size=(10, 3))
    v = size * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    exact, step = inverse_right_jacobian(v), 1e-6
    for column in range(3):
        turn = step * np.eye(3)[column]
        ahead, behind = (
            (Rotation.from_rotvec(v) * Rotation.from_rotvec(sign * turn)).as_rotvec() for sign in (1, -1)
        )
        np.testing.assert_allclose(exact[..., column], (ahead - behind) / 2 / step, atol=1e-7)


def test_the_shipped_prior_is_whole() -> None:
    prior = load_prior()
    assert set(prior.joints) <= set(SOLVED_JOINTS)
    assert prior.weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.eigvalsh(prior.precisions).min() > 0
    # Standing at ease is likelier than the T-pose with knees bent forwards by a radian.
    easy, odd = np.zeros((2, 1, prior.means.shape[1]))
    odd[0, 3 * prior.joints.index("left_knee")] = -1.0
    assert prior.cost(easy)[0] < prior.cost(odd)[0]
    low, high = prior.limits
    knee = 3 * prior.joints.index("left_knee")
    assert low[knee] > -1.0 and high[knee] > 1.5


def test_an_incomplete_prior_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays, header = load_arrays(locate("pose-prior"), "pose-prior")
    del arrays["gmm_means"]
    save_arrays(tmp_path / "half.safetensors", "pose-prior", arrays, json.loads(json.dumps(header)))
    with pytest.raises(WeightsError, match=r"half\.safetensors: lacks 'gmm_means'"):
        load_prior(str(tmp_path / "half.safetensors"))
