"""What a confidence is worth, at the knots of the measured table and between them."""

import numpy as np
import pytest

from mocaplift.confidence import SIGMA_PER_MEDIAN, confidence_of_error, expected_error, sigma
from mocaplift.layouts import BODY21, HALPE26
from mocaplift.values import Keypoints2D


def error_of(joint: str, conf: float) -> float:
    return float(expected_error(np.full(len(BODY21), conf), BODY21)[BODY21.at(joint)])


@pytest.mark.parametrize(
    ("joint", "conf", "metres"),
    [
        ("nose", 0.15, 0.032),
        ("left_eye", 0.725, 0.016),
        ("right_shoulder", 0.275, 0.035),
        ("left_hip", 0.85, 0.013),
        ("left_wrist", 0.15, 0.056),
        ("right_ankle", 0.575, 0.019),
        ("left_heel", 0.0, 0.160),
        # Half way between two knots.
        ("left_wrist", 0.5, (0.022 + 0.019) / 2),
    ],
)
def test_errors_by_hand(joint: str, conf: float, metres: float) -> None:
    assert error_of(joint, conf) == pytest.approx(metres)


@pytest.mark.parametrize("joint", BODY21.joints)
def test_more_confidence_never_means_much_more_error(joint: str) -> None:
    errors = [error_of(joint, conf) for conf in np.linspace(0, 1, 101)]
    # Faces of people who look away: the table rises by 5 mm at its end.
    assert np.diff(errors).max() < 0.001
    assert max(errors) == errors[0] and errors[-1] < 0.35 * errors[0]


def test_a_layout_of_its_own_order_gets_its_own_columns() -> None:
    conf = np.full((2, len(HALPE26)), 0.1)
    found = expected_error(conf, HALPE26)
    assert found.shape == (2, 26)
    assert found[1, HALPE26.at("left_small_toe")] > found[1, HALPE26.at("hip")] > found[1, HALPE26.at("nose")]


@pytest.mark.parametrize("joint", ["nose", "left_hip", "right_wrist"])
def test_confidences_of_errors_lead_back_to_the_errors(joint: str) -> None:
    for metres in (0.017, 0.022, 0.03):
        assert error_of(joint, confidence_of_error(metres, joint)) == pytest.approx(metres, abs=1e-9)
    assert confidence_of_error(5.0, joint) == 0.01
    assert confidence_of_error(0.0, joint) == pytest.approx(1.0, abs=0.35)
    assert confidence_of_error(0.02, joint) > confidence_of_error(0.04, joint)


def test_what_was_not_seen_has_no_bound() -> None:
    conf = np.full((1, len(BODY21)), 0.15)
    xy = np.zeros((1, len(BODY21), 2))
    wrist = BODY21.at("left_wrist")
    conf[0, wrist], xy[0, wrist] = 0.0, np.nan
    spread = sigma(Keypoints2D(xy, conf, BODY21, 30.0, (100, 100)))
    assert spread[0, wrist] == np.inf
    # The median length of a 2D Gaussian with deviation 1 per axis is sqrt(2 ln 2).
    assert pytest.approx(np.sqrt(2 * np.log(2)), rel=0.005) == 1 / SIGMA_PER_MEDIAN
    assert spread[0, BODY21.at("right_wrist")] == pytest.approx(0.056 / 1.18)
