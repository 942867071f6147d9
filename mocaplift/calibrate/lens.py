"""Lens models of camera files as the one model that a camera has: OpenCV's k1 k2 p1 p2 k3.

Models with more coefficients are fitted over the whole picture, and refused where they do not fit.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.errors import CalibrationError

# Largest difference (px at 1080p) between a lens and its five coefficients: detectors err by 5 px.
LARGEST_MISFIT = 1.0
# Points along each side of the picture at which models are compared.
GRID = 33
# Rays farther than this from the axis (degrees) have no place on a picture plane worth the name.
WIDEST_RAY = 80.0
# Halvings of the interval that finds a ray by bisection: 60 reach double precision.
BISECTIONS = 60
_LENGTHS = (0, 1, 2, 4, 5, 8, 12, 14)


def five_coefficients(
    coefficients: Float[np.ndarray, "N"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    *,
    fisheye: bool = False,
) -> Float[np.ndarray, "5"]:
    """Return OpenCV's first five coefficients of a lens that a file describes by `N` of them.

    Raises:
        CalibrationError: the number is none that OpenCV has, or no five coefficients describe the lens.
    """
    if fisheye:
        if len(coefficients) < 4:
            raise CalibrationError(f"a fisheye lens has 4 distortion coefficients, not {len(coefficients)}")
        return _fitted(*_fisheye(coefficients[:4], intrinsics, size), intrinsics, size)
    if len(coefficients) not in _LENGTHS:
        raise CalibrationError(
            f"{len(coefficients)} distortion coefficients; OpenCV's models have 4, 5, 8, 12 or 14"
        )
    whole = np.zeros(14)
    whole[: len(coefficients)] = coefficients
    if not whole[5:].any():
        return whole[:5]
    if whole[12:].any():
        raise CalibrationError("its model has a tilted sensor; calibrate it without CALIB_TILTED_MODEL")
    return _fitted(*_rational(whole, intrinsics, size), intrinsics, size)


def _picture(intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> Float[np.ndarray, "N 2"]:
    """Return points all over the picture as a pinhole would have them, (x/z, y/z)."""
    u, v = np.meshgrid(np.linspace(0, size[0] - 1, GRID), np.linspace(0, size[1] - 1, GRID))
    pixels = np.stack([u.ravel(), v.ravel(), np.ones(GRID * GRID)])
    return np.linalg.solve(intrinsics, pixels)[:2].T


def _fisheye(
    k: Float[np.ndarray, "4"], intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2"]]:
    """Return ideal and distorted points of OpenCV's fisheye model: |distorted| is a polynomial of the angle."""

    def bent(angle: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
        a2 = angle * angle
        return angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3]))))

    distorted = _picture(intrinsics, size)
    radius = np.linalg.norm(distorted, axis=1)
    low, high = np.zeros_like(radius), np.full_like(radius, np.radians(WIDEST_RAY))
    if (bent(high) < radius).any() or (np.diff(bent(np.linspace(0, radius.max(), GRID))) <= 0).any():
        raise CalibrationError("its fisheye lens sees too wide; undistort the videos and calibrate those")
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_inside = bent(middle) < radius
        low, high = np.where(is_inside, middle, low), np.where(is_inside, high, middle)
    stretch = np.where(radius > 0, np.tan(low) / np.where(radius > 0, radius, 1.0), 1.0)
    return distorted * stretch[:, None], distorted


def _rational(
    k: Float[np.ndarray, "14"], intrinsics: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N 2"]]:
    """Return ideal and distorted points of OpenCV's rational model with thin prisms."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, _, _ = k

    def bent(ideal: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
        x, y = ideal.T
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4),
            ],
            axis=1,
        )

    distorted = _picture(intrinsics, size)
    ideal = distorted
    with np.errstate(all="ignore"):
        for _ in range(BISECTIONS):
            ideal = ideal + distorted - bent(ideal)
        error = np.abs(bent(ideal) - distorted).max()
    if not error < 1e-6:
        raise CalibrationError(
            "its rational lens model folds inside the picture; calibrate with 5 coefficients"
        )
    return ideal, distorted


def _fitted(
    ideal: Float[np.ndarray, "N 2"],
    distorted: Float[np.ndarray, "N 2"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> Float[np.ndarray, "5"]:
    """Return the coefficients, in which the model is linear, that take ideal to distorted points."""
    x, y = ideal.T
    r2 = x * x + y * y
    columns = [
        (x * r2, y * r2),
        (x * r2**2, y * r2**2),
        (2 * x * y, r2 + 2 * y * y),
        (r2 + 2 * x * x, 2 * x * y),
        (x * r2**3, y * r2**3),
    ]
    matrix = np.stack([np.concatenate(column) for column in columns], axis=1)
    target = (distorted - ideal).T.ravel()
    found = np.linalg.lstsq(matrix, target, rcond=None)[0]
    misfit = np.abs(matrix @ found - target).max() * intrinsics[0, 0] * 1920 / max(size)
    if misfit > LARGEST_MISFIT:
        raise CalibrationError(
            f"five distortion coefficients describe its lens only to {misfit:.1f} px (at 1080p); "
            "undistort the videos and calibrate those"
        )
    return found
