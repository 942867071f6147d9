"""Camera files of Qualisys (`.qca.txt`, which is XML) and of Theia, which took its tags and changed their meaning.

Both: <calibration><cameras><camera serial active> with <transform x y z r11 .. r33> in mm and <intrinsic>.

* Qualisys: x y z is where the camera stands, r11 .. r33 turns the world into camera axes with y up and z backward:
  half a turn about x leads to OpenCV's. Intrinsics are in 1/64 px of the sensor, from which <fov_video> (left,
  top, right, bottom, inclusive) cuts the picture. The distortion is OpenCV's, of x/z: only lengths are in 1/64.
  +Z is up. Marker cameras are listed beside video cameras. `viewrotation` turns the view on the screen, not the
  recorded video.
* Theia: x y z and r11 .. r33 take the world to OpenCV's camera axes, as its documentation of camera calibration
  says. Intrinsics are in px, there is no <fov_video>, the size follows from sensorMinU .. sensorMaxV or from
  sensorDimU and sensorDimV. +Z is up, as in Theia's results and in the laboratories whose files it reads. Files in
  the other reading are met too: `calibrate.sanity` tells them by what the cameras saw.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.assemble import assemble, numbers, rotation_matrix
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

# Qualisys gives places on the sensor in subpixels.
SUBPIXELS = 64.0
# OpenCV's camera axes from Qualisys': half a turn about x.
_OPENCV_FROM_QUALISYS = np.diag([1.0, -1.0, -1.0])
# Spellings found in files and in Theia's documentation.
_TANGENTIAL = ("tangentalDistortion", "tangentialDistortion", "tengentialDistortion")
_FOVS = ("fov_video", "fov_video_max")


def _recognizes_qualisys(source: Source) -> bool:
    return any(_has_fov(camera) or _has_subpixels(camera) for camera in _entries(source))


def _recognizes_theia(source: Source) -> bool:
    return bool(_entries(source)) and not _recognizes_qualisys(source)


def _read_qualisys(source: Source) -> Calibration:
    entries = [entry for entry in _active(source) if _sees_video(entry)]
    if not entries:
        raise CalibrationError(f"{source.path} lists marker cameras only; export it with the video cameras")
    cameras = tuple(_qualisys_camera(source.path, entry) for entry in entries)
    return Calibration(cameras, "qualisys", source.path, unit="m", up="y")


def _read_theia(source: Source) -> Calibration:
    cameras = tuple(_theia_camera(source.path, entry) for entry in _active(source))
    return Calibration(cameras, "theia", source.path, unit="m", up="y")


def _entries(source: Source) -> list[Element]:
    """Return the elements of a file's cameras; empty if it is another kind of XML."""
    root = source.xml
    if root is None or root.tag != "calibration":
        return []
    found = root.findall("cameras/camera")
    return found if any(camera.find("intrinsic") is not None for camera in found) else []


def _active(source: Source) -> list[Element]:
    found = [
        camera
        for camera in _entries(source)
        if camera.get("active", "1").strip().lower() not in ("0", "false")
    ]
    if not found:
        raise CalibrationError(f"{source.path}: none of its cameras is active")
    for number, camera in enumerate(found, start=1):
        if not _name(camera):
            raise CalibrationError(
                f"{source.path}: active camera {number} is without serial, by which it is known"
            )
    return found


def _has_fov(camera: Element) -> bool:
    return any(camera.find(tag) is not None for tag in _FOVS)


def _has_subpixels(camera: Element) -> bool:
    """Tell whether a sensor is so wide that its numbers must be 1/64 px."""
    intrinsic = camera.find("intrinsic")
    try:
        return intrinsic is not None and float(intrinsic.get("sensorMaxU", "0")) > SUBPIXELS * 320
    except ValueError:
        return False


def _sees_video(camera: Element) -> bool:
    """Tell whether a camera of Qualisys records video: those that track markers have another resolution only."""
    model = camera.get("model", "none").lower()
    return "video" in model or (camera.get("video_resolution", "").upper() != "N/A" and model == "none")


def _name(camera: Element) -> str:
    return camera.get("serial", "").strip()


def _qualisys_camera(path: Path, camera: Element) -> Camera:
    name = _name(camera)
    fov = next((found for tag in _FOVS if (found := camera.find(tag)) is not None), None)
    matrix = _matrix(path, camera)
    matrix[:2] /= SUBPIXELS
    if fov is not None:
        left, top, right, bottom = _attributes(fov, ["left", "top", "right", "bottom"], path, name)
        matrix[:2, 2] -= [left, top]
        size = [right - left + 1, bottom - top + 1]
    else:
        size = [np.ceil((side + 1) / SUBPIXELS) for side in _sensor(path, camera)]
    turned = rotation_matrix(_turn(path, camera), path, name)
    rotation = _OPENCV_FROM_QUALISYS @ turned
    return assemble(
        path,
        name,
        matrix=matrix,
        distortion=_distortion(path, camera),
        rotation=rotation,
        translation=-rotation @ _place(path, camera),
        size=size,
        unit="mm",
        up="z",
    )


def _theia_camera(path: Path, camera: Element) -> Camera:
    return assemble(
        path,
        _name(camera),
        matrix=_matrix(path, camera),
        distortion=_distortion(path, camera),
        rotation=_turn(path, camera),
        translation=_place(path, camera),
        size=[_whole_side(side) for side in _sensor(path, camera)],
        unit="mm",
        up="z",
    )


def _matrix(path: Path, camera: Element) -> Float[np.ndarray, "3 3"]:
    names = ["focalLengthU", "focalLengthV", "centerPointU", "centerPointV"]
    fu, fv, cu, cv = _attributes(_child(camera, "intrinsic", path), names, path, _name(camera))
    skew = _attributes(_child(camera, "intrinsic", path), ["skew"], path, _name(camera), missing=0.0)[0]
    return np.array([[fu, skew, cu], [0.0, fv, cv], [0.0, 0.0, 1.0]])


def _distortion(path: Path, camera: Element) -> Float[np.ndarray, "5"]:
    intrinsic, name = _child(camera, "intrinsic", path), _name(camera)
    k1, k2, k3 = _attributes(intrinsic, [f"radialDistortion{n}" for n in (1, 2, 3)], path, name, missing=0.0)
    spelling = next((word for word in _TANGENTIAL if f"{word}1" in intrinsic.attrib), _TANGENTIAL[0])
    p1, p2 = _attributes(intrinsic, [f"{spelling}1", f"{spelling}2"], path, name, missing=0.0)
    return np.array([k1, k2, p1, p2, k3])


def _turn(path: Path, camera: Element) -> Float[np.ndarray, "3 3"]:
    names = [f"r{row}{column}" for row in (1, 2, 3) for column in (1, 2, 3)]
    return _attributes(_child(camera, "transform", path), names, path, _name(camera)).reshape(3, 3)


def _place(path: Path, camera: Element) -> Float[np.ndarray, "3"]:
    return _attributes(_child(camera, "transform", path), ["x", "y", "z"], path, _name(camera))


def _sensor(path: Path, camera: Element) -> Float[np.ndarray, "2"]:
    """Return the largest place on the sensor, counted from its smallest, or its size where that is given."""
    intrinsic, name = _child(camera, "intrinsic", path), _name(camera)
    if "sensorDimU" in intrinsic.attrib:
        return _attributes(intrinsic, ["sensorDimU", "sensorDimV"], path, name)
    most = _attributes(intrinsic, ["sensorMaxU", "sensorMaxV"], path, name)
    return most - _attributes(intrinsic, ["sensorMinU", "sensorMinV"], path, name, missing=0.0)


def _whole_side(side: float) -> float:
    """Return a picture's side, which is even, from the sensor's: 1919 is the last pixel of 1920."""
    return side + 1 if side % 2 == 1 else side


def _child(camera: Element, tag: str, path: Path) -> Element:
    found = camera.find(tag)
    if found is None:
        raise CalibrationError(
            f"{path}, camera {_name(camera)!r}: there is no <{tag}>; export the calibration again"
        )
    return found


def _attributes(
    element: Element, names: list[str], path: Path, camera: str, *, missing: float | None = None
) -> Float[np.ndarray, "N"]:
    """Return attributes as finite numbers; those that are not there are `missing`, or an error if that is None."""
    for name in names:
        if missing is None and name not in element.attrib:
            raise CalibrationError(f"{path}, camera {camera!r}: <{element.tag}> has no {name}")
    values = [element.get(name, missing) for name in names]
    return numbers(values, (len(names),), f"<{element.tag}> {', '.join(names)}", path, camera)


FORMAT = Format("qualisys", _recognizes_qualisys, _read_qualisys)
THEIA = Format("theia", _recognizes_theia, _read_theia)
