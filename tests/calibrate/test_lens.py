"""Lens models against OpenCV, which did not see our code."""

import cv2
import numpy as np
import pytest

from mocaplift.calibrate.lens import LARGEST_MISFIT, five_coefficients
from mocaplift.cameras import project
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

SIZE = (1920, 1080)


def matrix(focal: float) -> np.ndarray:
    return np.array([[focal, 0.0, 959.5], [0.0, focal, 539.5], [0.0, 0.0, 1.0]])


def farthest(
    coefficients: np.ndarray, intrinsics: np.ndarray, points: np.ndarray, pixels: np.ndarray
) -> float:
    """Return the largest distance (px) between our projection and given pixels inside the picture."""
    camera = Camera("lens", intrinsics, coefficients, np.eye(4), SIZE)
    inside = ((pixels >= 0) & (pixels <= np.array(SIZE) - 1)).all(axis=1)
    assert inside.sum() > 500
    return float(np.linalg.norm(project(camera, points[inside]) - pixels[inside], axis=1).max())


def cone(widest: float) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-widest, widest, 81), np.linspace(-widest, widest, 81))
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)


@pytest.mark.parametrize("length", [0, 4, 5])
def test_short_models_stay_as_they_are(length: int) -> None:
    given = np.array([-0.2, 0.1, 0.01, -0.02, 0.3])[:length]
    found = five_coefficients(given, matrix(1500.0), SIZE)
    np.testing.assert_array_equal(found, np.pad(given, (0, 5 - length)))


def test_a_long_model_of_zeros_is_a_short_one() -> None:
    given = np.concatenate([[-0.2, 0.1, 0.01, -0.02, 0.3], np.zeros(9)])
    np.testing.assert_array_equal(five_coefficients(given, matrix(1500.0), SIZE), given[:5])


@pytest.mark.parametrize("k", [[0.0, 0.0, 0.0, 0.0], [-0.03, 0.01, -0.005, 0.001]])
def test_a_fisheye_lens_of_65_degrees_is_opencvs(k: list[float]) -> None:
    intrinsics = matrix(1700.0)
    points = cone(0.8)
    pixels, _ = cv2.fisheye.projectPoints(points[None], np.zeros(3), np.zeros(3), intrinsics, np.array(k))
    found = five_coefficients(np.array(k), intrinsics, SIZE, fisheye=True)
    assert farthest(found, intrinsics, points, pixels[0]) < LARGEST_MISFIT


def test_a_rational_lens_is_opencvs() -> None:
    # Of a phone's wide camera, calibrated with CALIB_RATIONAL_MODEL and CALIB_THIN_PRISM_MODEL.
    given = np.array([0.31, -0.25, 0.0006, -0.0004, 0.02, 0.62, -0.31, 0.01, 0.0003, -0.0001, 0.0002, 0.0001])
    intrinsics = matrix(1400.0)
    points = cone(1.0)
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), intrinsics, given)
    found = five_coefficients(given, intrinsics, SIZE)
    assert farthest(found, intrinsics, points, pixels[:, 0]) < LARGEST_MISFIT


@pytest.mark.parametrize(
    ("given", "fisheye", "focal", "message"),
    [
        ([0.1, 0.2, 0.3], False, 1500.0, "3 distortion coefficients"),
        ([0.1] * 7, False, 1500.0, "7 distortion coefficients"),
        ([0.1, 0.2], True, 1500.0, "has 4"),
        ([0.0] * 4, True, 900.0, r"only to \d+\.\d px"),
        ([0.0] * 4, True, 500.0, "too wide"),
        ([-3.0, 0.0, 0.0, 0.0], True, 1500.0, "too wide"),
        ([0.0] * 5 + [30.0, -90.0, 1.0], False, 1000.0, "rational lens model folds|only to"),
        ([0.0] * 12 + [0.1, 0.1], False, 1500.0, "tilted"),
    ],
)
def test_what_five_coefficients_cannot_say_is_refused(
    given: list[float], fisheye: bool, focal: float, message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        five_coefficients(np.array(given), matrix(focal), SIZE, fisheye=fisheye)
