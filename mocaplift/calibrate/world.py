"""Cameras of files that do not say their unit or which way is up, brought into our world by who knows it."""

from __future__ import annotations

import numpy as np

from mocaplift.calibrate import Calibration
from mocaplift.calibrate.assemble import METRES, Y_UP_FROM
from mocaplift.errors import CalibrationError, ConfigError
from mocaplift.values import Camera

_UNITS = {**METRES, "in": 0.0254}  # m


def in_metres_and_y_up(
    calibration: Calibration, unit: str | None = None, up: str | None = None
) -> tuple[Camera, ...]:
    """Return the cameras of a calibration in metres and +Y up.

    Args:
        calibration: as it was read.
        unit: of its lengths, "m", "cm", "mm" or "in", where the file does not say.
        up: the axis that points up, "y", "z", "-y" or "-z", where the file does not say.

    Raises:
        CalibrationError: the file does not say, and the caller does not either.
        ConfigError: the caller says what the file says already.
    """
    missing = [
        flag
        for flag, said, told in (("--unit", unit, calibration.unit), ("--up", up, calibration.up))
        if not said and not told
    ]
    if missing:
        raise CalibrationError(
            f"{calibration.path}: the format {calibration.format} does not say the unit of its lengths or "
            f"which way is up; say {' and '.join(missing)}, or use the file as it is: a capture finds out "
            "by the people it sees"
        )
    for flag, said, told in (("--unit", unit, calibration.unit), ("--up", up, calibration.up)):
        if said and told:
            raise ConfigError(
                f"{calibration.path}: the format {calibration.format} says by itself what {flag} would; "
                "leave it out"
            )
    turn = Y_UP_FROM[up or "y"]
    scale = _UNITS[unit or "m"]
    return tuple(_moved(camera, turn, scale) for camera in calibration.cameras)


def _moved(camera: Camera, turn: np.ndarray, scale: float) -> Camera:
    cam_from_world = camera.cam_from_world.copy()
    cam_from_world[:3, :3] = cam_from_world[:3, :3] @ turn.T
    cam_from_world[:3, 3] *= scale
    return Camera(camera.name, camera.intrinsics, camera.distortion, cam_from_world, camera.size)
