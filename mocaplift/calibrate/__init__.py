"""Camera files of every common make, read by content into cameras.

A reader is a `Format` of one module: `recognizes(source)` tells by content, never by the file's name, whether a
file is of its kind, and `read(source)` converts it at the border: OpenCV axes, `cam_from_world`, metres and +Y up
where the format says what it holds. `read_calibration` asks them in turn and checks what came back. What no file
says (unit, which way is up) stays None: `calibrate.sanity` settles it by the people who were seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from mocaplift.calibrate.source import Source, open_source
from mocaplift.cameras import centre
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

__all__ = [
    "READERS",
    "Calibration",
    "Format",
    "Source",
    "checked",
    "open_source",
    "read_calibration",
    "write_calibration",
]

# The largest studio (CMU Panoptic) has 521 cameras; a file with more is a reconstruction from photographs.
MOST_CAMERAS = 1000
# Sides of a picture (px): no video camera is outside.
SMALLEST_SIDE, LARGEST_SIDE = 16, 32768
# Focal length over the longer side of the picture: 0.2 sees 136 degrees, 50 sees 1.1 degrees.
SHORTEST_LENS, LONGEST_LENS = 0.1, 50.0
# The principal point lies in the picture or, after cropping, at most this many sides outside.
FARTHEST_PRINCIPAL_POINT = 1.0
# Radial coefficients of a telephoto lens reach some hundreds, because its pictures end at small x/z.
LARGEST_DISTORTION = 1e5
# Cameras nearer to each other than this part of their distance from the world's origin are at one place.
SAME_PLACE = 1e-6


@dataclass(frozen=True, eq=False)
class Calibration:
    """The cameras of a file, as the file means them, in OpenCV axes.

    Attributes:
        cameras: in the file's order; in metres if `unit` is known, +Y up if `up` is known.
        format: a key of `READERS`.
        path: where they come from.
        unit: "m" if the file or its format says what its lengths are (they were converted), else None.
        up: "y" if the file or its format says where up is (it was converted), else None.
        sizes_known: False where the format holds no picture size and it was guessed from the principal point.
    """

    cameras: tuple[Camera, ...]
    format: str
    path: Path
    unit: str | None
    up: str | None
    sizes_known: bool = True


@dataclass(frozen=True)
class Format:
    """One kind of camera file. `recognizes` looks at the content and never raises; `read` may raise."""

    name: str
    recognizes: Callable[[Source], bool]
    read: Callable[[Source], Calibration]


def _of(module: str, attribute: str = "FORMAT") -> Callable[[], Format]:
    """Return a loader that imports the format's module when it is asked for."""
    return lambda: cast(Format, getattr(import_module(f"mocaplift.calibrate.{module}"), attribute))


# Name to loader, in the order in which they are asked.
READERS: dict[str, Callable[[], Format]] = {
    "cams.json": _of("cams_json"),
    "freemocap": _of("anipose", "FREEMOCAP"),
    "caliscope": _of("anipose", "CALISCOPE"),
    "pose2sim": _of("pose2sim"),
    "anipose": _of("anipose"),
    "qualisys": _of("qualisys"),
    "theia": _of("qualisys", "THEIA"),
    "panoptic": _of("panoptic"),
    "human36m": _of("human36m"),
    "aist": _of("aist"),
    "easymocap": _of("easymocap"),
    "opencv": _of("opencv_storage"),
    "opencap": _of("opencap"),
    "colmap": _of("colmap"),
}


def read_calibration(path: str | Path, *, subject: str | None = None) -> Calibration:
    """Return the cameras of a calibration file or folder of any known make.

    Args:
        path: a file, or a folder for makes that use several files.
        subject: whose session, for formats that hold several (Human3.6M).

    Raises:
        CalibrationError: there is no such file, no format recognises it, or its cameras make no sense.
    """
    source = open_source(path, subject=subject)
    for load in READERS.values():
        found = load()
        if found.recognizes(source):
            calibration = found.read(source)
            checked(calibration.cameras, source.path)
            return calibration
    raise CalibrationError(
        f"{source.path} is no camera file that is known here: {source.nature()}; tried: {', '.join(READERS)}. "
        "`mocaplift calibrate` makes one from pictures of a board"
    )


def write_calibration(cameras: Sequence[Camera], path: str | Path) -> None:
    """Write cameras (metres, +Y up) as our own `cams.json`, whole or not at all.

    Raises:
        CalibrationError: the cameras make no sense; nothing is written.
        OutputError: the file cannot be written.
    """
    from mocaplift.calibrate import cams_json

    cams_json.write(cameras, path)


def checked(cameras: Sequence[Camera], path: Path) -> tuple[Camera, ...]:
    """Return the same cameras if they can be a rig; one camera alone is allowed.

    Raises:
        CalibrationError: no camera, too many, a name twice, an absurd size, lens or place, or all at one place.
    """
    if not cameras:
        raise CalibrationError(f"{path} holds no camera")
    if len(cameras) > MOST_CAMERAS:
        raise CalibrationError(f"{path} holds {len(cameras)} cameras; at most {MOST_CAMERAS} are read")
    twice = [name for name, times in Counter(camera.name for camera in cameras).items() if times > 1]
    if twice:
        raise CalibrationError(f"{path} names camera {twice[0]!r} twice; give every camera its own name")
    for camera in cameras:
        trouble = _trouble(camera)
        if trouble:
            raise CalibrationError(f"{path}, camera {camera.name!r}: {trouble}")
    centres = np.array([centre(camera) for camera in cameras])
    spread = np.linalg.norm(centres - centres[0], axis=1).max()
    if len(cameras) > 1 and spread <= SAME_PLACE * max(1.0, float(np.abs(centres).max())):
        raise CalibrationError(
            f"{path} puts all its {len(cameras)} cameras at one place: it holds no extrinsics, "
            "or they were not calibrated together"
        )
    return tuple(cameras)


def _trouble(camera: Camera) -> str:
    """Return what makes a camera impossible, or nothing."""
    width, height = camera.size
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in camera.size):
        return (
            f"its picture is {width} x {height} px; sides are between {SMALLEST_SIDE} and {LARGEST_SIDE} px"
        )
    k = camera.intrinsics
    if np.abs(k[2] - [0.0, 0.0, 1.0]).max() > 0 or k[1, 0] != 0.0:
        return "its intrinsic matrix must be [fx s cx; 0 fy cy; 0 0 1]"
    for axis, focal in zip("xy", (k[0, 0], k[1, 1]), strict=True):
        if not SHORTEST_LENS <= focal / max(camera.size) <= LONGEST_LENS:
            return f"its focal length in {axis} is {focal:.6g} px for a picture of {width} x {height} px"
    for axis, place, side in zip("xy", k[:2, 2], camera.size, strict=True):
        if not -FARTHEST_PRINCIPAL_POINT <= place / side <= 1 + FARTHEST_PRINCIPAL_POINT:
            return f"its principal point is at {axis} = {place:.6g} px, far outside {width} x {height} px"
    if np.abs(camera.distortion).max() > LARGEST_DISTORTION:
        return f"its distortion {camera.distortion.tolist()} is that of no lens"
    return ""
