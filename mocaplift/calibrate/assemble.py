"""From the numbers of a camera file to a camera of ours: the border that every reader crosses.

Each function names the file and the camera in its errors, so that a reader needs no checks of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mocaplift.calibrate.lens import five_coefficients
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.rotations import Y_UP_FROM_Z_UP, from_rotvec, to_matrix
from mocaplift.values import Camera

# Metres in a unit of length.
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# Our world (+Y up) from worlds with another axis up.
Y_UP_FROM = {
    "y": np.eye(3),
    "-y": np.diag([1.0, -1.0, -1.0]),
    "z": Y_UP_FROM_Z_UP,
    "-z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}
# Files that round a matrix to three digits are off from a rotation by this much; more is not a rotation.
ROUNDED_ROTATION = 5e-3
# Above the circumference of the earth in mm: larger numbers are damage, and overflow when they are multiplied.
LARGEST_NUMBER = 1e11


def numbers(
    value: Any, shape: tuple[int, ...], what: str, path: Path, camera: str
) -> Float[np.ndarray, "*shape"]:
    """Return a file's nested list, or flat one of the right length, as finite numbers of this shape.

    Raises:
        CalibrationError: it has another shape, or holds text, NaN or infinity.
    """
    array = any_numbers(value, what, path, camera)
    if array.size != np.prod(shape) or (array.ndim > 1 and np.squeeze(array).shape not in (shape, ())):
        wanted = " x ".join(map(str, shape))
        raise CalibrationError(
            f"{path}, camera {camera!r}: {what} should be {wanted} numbers, but is {_short(value)}"
        )
    return array.reshape(shape)


def any_numbers(value: Any, what: str, path: Path, camera: str) -> Float[np.ndarray, "..."]:
    """Return a file's nested list as finite numbers, whatever its shape.

    Raises:
        CalibrationError: it is ragged, or holds text, NaN, infinity or a number that measures nothing.
    """
    where = f"{path}, camera {camera!r}: {what}"
    try:
        array = np.array(value, dtype=float)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise CalibrationError(f"{where} should be numbers, but is {_short(value)}") from None
    if not np.isfinite(array).all():
        raise CalibrationError(f"{where} holds NaN or infinity; the calibration failed for this camera")
    if np.abs(array).max(initial=0.0) > LARGEST_NUMBER:
        raise CalibrationError(f"{where} holds {np.abs(array).max():.3g}, which is no length, angle or pixel")
    return array


def rotation_matrix(value: Any, path: Path, camera: str) -> Float[np.ndarray, "3 3"]:
    """Return a rotation given as a matrix or as OpenCV's rotation vector (Rodrigues).

    A matrix that was rounded is brought back to the nearest rotation.

    Raises:
        CalibrationError: it is neither, or not a rotation.
    """
    given = any_numbers(value, "rotation", path, camera)
    if given.size == 3:
        return to_matrix(from_rotvec(given.ravel()))
    matrix = numbers(given, (3, 3), "rotation", path, camera)
    where = f"{path}, camera {camera!r}: rotation"
    error = np.abs(matrix @ matrix.T - np.eye(3)).max()
    if error > ROUNDED_ROTATION:
        raise CalibrationError(
            f"{where} is not a rotation matrix (rows are off from orthonormal by {error:.2g})"
        )
    if np.linalg.det(matrix) < 0:
        raise CalibrationError(f"{where} is a mirror image, not a rotation (determinant -1)")
    u, _, vt = np.linalg.svd(matrix)
    return u @ vt


def picture_size(value: Any, path: Path, camera: str) -> tuple[int, int]:
    """Return (width, height) of two whole numbers.

    Raises:
        CalibrationError: they are not two positive whole numbers.
    """
    width, height = numbers(value, (2,), "size", path, camera)
    if width != round(width) or height != round(height) or min(width, height) < 1:
        raise CalibrationError(
            f"{path}, camera {camera!r}: size {_short(value)} is no picture's width and height"
        )
    return int(width), int(height)


def assemble(
    path: Path,
    name: str,
    *,
    matrix: Any,
    distortion: Any,
    rotation: Any,
    translation: Any,
    size: Any,
    fisheye: bool = False,
    unit: str | None = None,
    up: str | None = None,
) -> Camera:
    """Return a camera from what most files hold: x_cam = rotation @ x_world + translation.

    Args:
        path: the file, for messages.
        name: the camera's name.
        matrix: intrinsics, 3 x 3, px.
        distortion: OpenCV's coefficients, 0, 4, 5, 8, 12 or 14 of them; 4 of its fisheye model with `fisheye`.
        rotation: world to camera, a matrix or a rotation vector.
        translation: world to camera.
        size: width and height, px.
        fisheye: the lens follows OpenCV's fisheye model.
        unit: of the translation: a key of `METRES`; None leaves it as it is.
        up: the file's axis that points up: a key of `Y_UP_FROM`; None leaves the world as it is.

    Raises:
        CalibrationError: a value is missing, malformed, not finite or not what it should be.
    """
    intrinsics = numbers(matrix, (3, 3), "intrinsic matrix", path, name)
    if abs(np.linalg.det(intrinsics)) < 1e-9 or intrinsics[2, 2] == 0:
        raise CalibrationError(
            f"{path}, camera {name!r}: the intrinsic matrix is singular; calibrate it again"
        )
    intrinsics = intrinsics / intrinsics[2, 2]
    picture = picture_size(size, path, name)
    coefficients = any_numbers([] if distortion is None else distortion, "distortion", path, name).ravel()
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation_matrix(rotation, path, name)
    place = numbers(translation, (3,), "translation", path, name)
    cam_from_world[:3, 3] = place * (METRES[unit] if unit else 1.0)
    if up:
        cam_from_world[:3, :3] = cam_from_world[:3, :3] @ Y_UP_FROM[up].T
    try:
        return Camera(
            name=name,
            intrinsics=intrinsics,
            distortion=five_coefficients(coefficients, intrinsics, picture, fisheye=fisheye),
            cam_from_world=cam_from_world,
            size=picture,
        )
    except (InvalidData, CalibrationError) as error:
        raise CalibrationError(f"{path}: camera {name!r}: {error}") from error


def field(entry: Any, names: Sequence[str], path: Path, camera: str) -> Any:
    """Return the first of these entries of a camera's table that is there.

    Raises:
        CalibrationError: the table has none of them, or is no table.
    """
    if isinstance(entry, dict):
        for name in names:
            if name in entry:
                return entry[name]
    raise CalibrationError(f"{path}, camera {camera!r}: there is no {' or '.join(names)!s}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
