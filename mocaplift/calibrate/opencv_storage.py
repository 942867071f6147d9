"""OpenCV's own files (FileStorage as YAML, JSON or XML), which have no standard of names.

* One camera a file, in a folder or alone: intrinsics, distortion, and rotation with translation or OpenPose's
  `CameraMatrix` 3 x 4 = [R|t]; the file's name is the camera's.
* Several in one file: tables by name, or numbered names such as `K1`, `D1`, `R1`, `T1`.
* A stereo pair: `M1`, `D1`, `M2`, `D2` and `R`, `T` from the first camera to the second, in one file or in two of
  a folder (OpenCV's sample writes intrinsics.yml and extrinsics.yml).

World to camera. The unit is that of the board's squares and the world is anybody's: both are left to the bodies.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mocaplift.calibrate import Calibration, Format, Source, open_source
from mocaplift.calibrate.assemble import assemble, numbers
from mocaplift.calibrate.filestorage import matrix, storage_of
from mocaplift.calibrate.sizes import guessed_size
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

NAME = "opencv"
# A folder with more, or larger (bytes), files of these kinds holds detections, not cameras.
MOST_FILES, MOST_BYTES = 200, 1 << 20
# As many characters show whether a file is a FileStorage.
FIRST_CHARACTERS = 2000
_SUFFIXES = {".yml", ".yaml", ".xml", ".json"}
# What things are called, in small letters without underscores.
_NAMES = {
    "lens": ("cameramatrix", "intrinsics", "intrinsicmatrix", "intrinsic", "k", "m", "mtx"),
    "bent": ("distortioncoefficients", "distcoeffs", "distcoef", "distortion", "dist", "d"),
    "rotation": ("r", "rvec", "rot", "rotation", "rotationmatrix", "rotationvector"),
    "translation": ("t", "tvec", "trans", "translation", "translationvector"),
    "width": ("imagewidth", "width", "w"),
    "height": ("imageheight", "height", "h"),
    "size": ("imagesize", "size", "resolution"),
    "pose": ("extrinsics", "extrinsic", "extrinsicmatrix", "rt", "pose"),
}  # fmt: skip
_ROLE = {name: role for role, names in _NAMES.items() for name in names}
_OF_POSES = {"rotation", "translation", "pose"}
_OF_MATRICES = {"lens", "bent"} | _OF_POSES

# Role ("lens", ...) to value, of one camera.
Entry = dict[str, Any]


def recognizes(source: Source) -> bool:
    """Tell whether a file, or one in a folder, is a FileStorage with intrinsics."""
    if source.is_folder:
        return any(_has_lens(storage_of(each)) for each in _files(source.path))
    return _has_lens(storage_of(source))


def read(source: Source) -> Calibration:
    """Return the cameras of a file or of a folder of files, in the unit and the world of the file.

    Raises:
        CalibrationError: a file is damaged, or says nothing of where its cameras stand.
    """
    entries: list[tuple[Path, str, Entry]] = []
    loose: dict[str, Entry] = {}
    for each in _files(source.path) if source.is_folder else [source]:
        table = storage_of(each)
        if table is None:
            raise CalibrationError(f"{each.path} is damaged: not the YAML, JSON or XML that OpenCV writes")
        for key, entry in grouped(table).items():
            loose.setdefault(key, {}).update(entry)
            if "lens" in entry and ("pose" in entry or {"rotation", "translation"} <= entry.keys()):
                entries.append((each.path, key or each.path.stem, entry))
    if not entries:
        entries = _pair(source.path, loose)
    cameras = tuple(_camera(path, name, entry) for path, name, entry in entries)
    sizes_known = all(_size(entry) is not None for _, _, entry in entries)
    return Calibration(cameras, NAME, source.path, unit=None, up=None, sizes_known=sizes_known)


def grouped(table: dict[str, Any]) -> dict[str, Entry]:
    """Return the entries of each camera: "" for names without a number, "1" for `K1`, "left" for a table."""
    groups: dict[str, Entry] = {}
    for key, value in table.items():
        if isinstance(value, dict) and "data" not in value:
            inner = {role: each for name, each in value.items() if (role := _role(name, each)[0])}
            if "lens" in inner:
                groups[key] = inner
            continue
        role, number = _role(key, value)
        if role is not None:
            groups.setdefault(number, {}).setdefault(role, value)
    return groups


def _role(key: str, value: Any) -> tuple[str | None, str]:
    """Return what an entry is and its number: ("lens", "1") for `camera_matrix_1`; (None, "") for none of ours."""
    found = re.fullmatch(r"([a-z]+?)(\d*|left|right)", re.sub("[_ -]", "", key.lower()))
    role = _ROLE.get(found[1]) if found else None
    if found is None or role is None or (role in _OF_MATRICES and not isinstance(value, dict | list)):
        return None, ""
    # OpenPose calls the pose 3 x 4 `CameraMatrix`, and the lens `Intrinsics`.
    if role == "lens" and isinstance(value, dict) and value.get("cols") == 4:
        role = "pose"
    return role, found[2]


def _has_lens(table: dict[str, Any] | None) -> bool:
    return table is not None and any("lens" in entry for entry in grouped(table).values())


def _files(folder: Path) -> list[Source]:
    """Return the files of a folder that may be FileStorages; none if there are too many to be cameras."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    sources = [open_source(path) for path in paths if path.stat().st_size < MOST_BYTES]
    marks = ("%YAML", "opencv_storage", "opencv-matrix", "{")
    if len(paths) > MOST_FILES:
        return []
    return [
        each for each in sources if each.text and any(mark in each.text[:FIRST_CHARACTERS] for mark in marks)
    ]


def _pair(path: Path, loose: dict[str, Entry]) -> list[tuple[Path, str, Entry]]:
    """Return a stereo pair: the world is that of the first camera.

    Raises:
        CalibrationError: the file has lenses but not where their cameras stand.
    """
    lenses = sorted(key for key, entry in loose.items() if "lens" in entry)
    between = loose.get("", {})
    if len(lenses) != 2 or "" in lenses or not {"rotation", "translation"} <= between.keys():
        raise CalibrationError(
            f"{path} has the lenses of {len(lenses)} cameras, but not where they stand (R and T, or rvec and "
            "tvec, of each); `mocaplift calibrate` finds it from pictures of a board that all cameras see"
        )
    first = {"rotation": np.eye(3).tolist(), "translation": [0.0, 0.0, 0.0]}
    shared = {role: between[role] for role in ("width", "height", "size") if role in between}
    return [
        (path, key, shared | {role: loose[key][role] for role in loose[key] if role not in _OF_POSES} | pose)
        for key, pose in zip(lenses, (first, {role: between[role] for role in first}), strict=True)
    ]


def _size(entry: Entry) -> Any:
    if "width" in entry and "height" in entry:
        return [entry["width"], entry["height"]]
    return entry.get("size")


def _camera(path: Path, name: str, entry: Entry) -> Camera:
    lens = matrix(entry["lens"], "intrinsics", path, name)
    rotation: Any
    translation: Any
    if "pose" in entry:
        rows = np.ravel(matrix(entry["pose"], "pose", path, name)).tolist()[:12]
        pose = numbers(rows, (3, 4), "pose", path, name)
        rotation, translation = pose[:, :3], pose[:, 3]
    else:
        rotation = matrix(entry["rotation"], "rotation", path, name)
        translation = matrix(entry["translation"], "translation", path, name)
    size = _size(entry)
    return assemble(
        path,
        name,
        matrix=lens,
        distortion=matrix(entry["bent"], "distortion", path, name) if "bent" in entry else None,
        rotation=rotation,
        translation=translation,
        size=guessed_size(lens, path, name) if size is None else size,
    )


FORMAT = Format(NAME, recognizes, read)
