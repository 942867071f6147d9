"""Human3.6M cameras as JSON, in the two forms that go round; millimetres, +Z up; one set of cameras a subject.

* karfly's: {"intrinsics": {camera: {"calibration_matrix", "distortion"}}, "extrinsics": {"S1": {camera: {"R",
  "t"}}}}, world to camera, OpenCV's order of the distortion.
* VideoPose3D's tables written as JSON: {"h36m_cameras_intrinsic_params": [{"id", "center", "focal_length",
  "radial_distortion" k1 k2 k3, "tangential_distortion", "res_w", "res_h"}], "h36m_cameras_extrinsic_params":
  {"S1": [{"orientation", "translation"}]}}. The orientation is a quaternion wxyz from camera to world, the
  translation is the camera's place, and the tangential pair stands as p2 p1 (seen by comparing camera 54138969).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mocaplift.calibrate import Calibration, Format, Source
from mocaplift.calibrate.assemble import assemble, field, numbers
from mocaplift.calibrate.sizes import guessed_size
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.rotations import normalize, to_matrix
from mocaplift.values import Camera

NAME = "human36m"
# The four cameras of the studio (px), which karfly's form does not state.
SIZES = {
    "54138969": (1000, 1002),
    "55011271": (1000, 1000),
    "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}
_VIDEOPOSE = ("h36m_cameras_intrinsic_params", "h36m_cameras_extrinsic_params")


def recognizes(source: Source) -> bool:
    """Tell whether a file has intrinsics by camera and extrinsics by subject, in either form."""
    found = source.json
    return isinstance(found, dict) and (
        all(isinstance(found.get(key), dict) for key in ("intrinsics", "extrinsics"))
        or all(key in found for key in _VIDEOPOSE)
    )


def read(source: Source) -> Calibration:
    """Return the cameras of `source.subject`, in metres and +Y up.

    Raises:
        CalibrationError: the subject is not there, or not said where there are several; or an entry is missing
            or makes no sense.
    """
    found = source.json
    if _VIDEOPOSE[0] in found:
        cameras, sizes_known = _videopose(source, *(found[key] for key in _VIDEOPOSE)), True
    else:
        poses = _of_subject(source, found["extrinsics"])
        if not isinstance(poses, dict):
            raise CalibrationError(f"{source.path}: the subject's extrinsics name no cameras")
        cameras = tuple(_karfly(source, name, pose, found["intrinsics"]) for name, pose in poses.items())
        sizes_known = all(name in SIZES for name in poses)
    return Calibration(cameras, NAME, source.path, unit="m", up="y", sizes_known=sizes_known)


def _of_subject(source: Source, subjects: Any) -> Any:
    if not isinstance(subjects, dict) or not subjects:
        raise CalibrationError(f"{source.path}: its extrinsics name no subject")
    known = ", ".join(subjects)
    if source.subject is None:
        if len(subjects) > 1:
            raise CalibrationError(f"{source.path} holds several subjects ({known}); say which one is meant")
        return next(iter(subjects.values()))
    if source.subject not in subjects:
        raise CalibrationError(f"{source.path} has no subject {source.subject!r}; it has {known}")
    return subjects[source.subject]


def _karfly(source: Source, name: str, pose: Any, intrinsics: dict[str, Any]) -> Camera:
    path = source.path
    lens = field(intrinsics, [name], path, name)
    matrix = field(lens, ["calibration_matrix"], path, name)
    return assemble(
        path,
        name,
        matrix=matrix,
        distortion=lens.get("distortion"),
        rotation=field(pose, ["R"], path, name),
        translation=field(pose, ["t"], path, name),
        size=SIZES.get(name) or guessed_size(matrix, path, name),
        unit="mm",
        up="z",
    )


def _videopose(source: Source, lenses: Any, subjects: Any) -> tuple[Camera, ...]:
    poses = _of_subject(source, subjects)
    if not isinstance(poses, list) or not isinstance(lenses, list) or len(poses) != len(lenses):
        raise CalibrationError(f"{source.path}: it must have one pose for each of its intrinsics, in lists")
    return tuple(
        _videopose_camera(source, place, lens, pose)
        for place, (lens, pose) in enumerate(zip(lenses, poses, strict=True), 1)
    )


def _videopose_camera(source: Source, place: int, lens: Any, pose: Any) -> Camera:
    path = source.path
    name = str(field(lens, ["id"], path, f"number {place}"))
    fx, fy = numbers(field(lens, ["focal_length"], path, name), (2,), "focal_length", path, name)
    cx, cy = numbers(field(lens, ["center"], path, name), (2,), "center", path, name)
    radial = numbers(field(lens, ["radial_distortion"], path, name), (3,), "radial_distortion", path, name)
    tangential = field(lens, ["tangential_distortion"], path, name)
    p2, p1 = numbers(tangential, (2,), "tangential_distortion", path, name)
    quaternion = numbers(field(pose, ["orientation"], path, name), (4,), "orientation", path, name)
    place_mm = numbers(field(pose, ["translation"], path, name), (3,), "translation", path, name)
    try:
        rotation = to_matrix(normalize(quaternion)).T
    except InvalidData as error:
        raise CalibrationError(f"{path}, camera {name!r}: orientation: {error}") from error
    return assemble(
        path,
        name,
        matrix=np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]),
        distortion=[radial[0], radial[1], p1, p2, radial[2]],
        rotation=rotation,
        translation=-rotation @ place_mm,
        size=[field(lens, ["res_w"], path, name), field(lens, ["res_h"], path, name)],
        unit="mm",
        up="z",
    )


FORMAT = Format(NAME, recognizes, read)
