"""COLMAP's text model: `cameras.txt` and `images.txt` in a folder; scale and world are its own.

cameras.txt: CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]. images.txt: two lines an image, IMAGE_ID QW QX QY QZ TX TY TZ
CAMERA_ID NAME (world to camera, OpenCV axes) and its points, which may be none. The middle of the first pixel is
at (0.5, 0.5) there. An image is a camera, named like the image, or like the folder it is in where that holds
several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mocaplift.calibrate import MOST_CAMERAS, Calibration, Format, Source, open_source
from mocaplift.calibrate.assemble import assemble, numbers
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.rotations import normalize, to_matrix
from mocaplift.values import Camera

NAME = "colmap"
_CAMERAS, _IMAGES = "cameras.txt", "images.txt"
_PLACES = ("", "sparse/0", "sparse", "0")
# Model to its parameters: focal lengths and principal point, then the distortion.
_MODELS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
    "SIMPLE_RADIAL_FISHEYE": "f cx cy k1",
    "RADIAL_FISHEYE": "f cx cy k1 k2",
}
_BENT = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
# Pictures of one camera that stand farther apart than this part of the rig's size come from one that moves.
STILL = 0.05
_CAMERA_LINE = re.compile(r"^\s*\d+\s+[A-Z_]+\s+\d+\s+\d+(\s+[-+.\deE]+)+\s*$", re.M)
_IMAGE_LINE = re.compile(r"^\s*\d+(\s+[-+.\deE]+){7}\s+\d+\s+\S.*$", re.M)


class Lens(NamedTuple):
    """One line of cameras.txt."""

    model: str
    size: tuple[float, ...]
    values: tuple[float, ...]


class Image(NamedTuple):
    """One image of images.txt: where it was taken from, and by which lens."""

    name: str
    lens: str
    rotation: np.ndarray
    translation: np.ndarray


def recognizes(source: Source) -> bool:
    """Tell whether a folder holds a model, or a file is one of its two."""
    if source.is_folder:
        return any(_model_in(source.path / place) for place in _PLACES)
    if source.text is None:
        return False
    lines = [line for line in source.text[:20000].split("\n") if line.strip() and not line.startswith("#")]
    return bool(lines) and bool(_CAMERA_LINE.match(lines[0]) or _IMAGE_LINE.match(lines[0]))


def read(source: Source) -> Calibration:
    """Return a camera for every image, or folder of images, in the model's own scale and world.

    Raises:
        CalibrationError: a file of the model is missing, binary or damaged, or a camera moves.
    """
    folder = source.path.parent
    if source.is_folder:
        folder = next(source.path / place for place in _PLACES if _model_in(source.path / place))
    for name in (_CAMERAS, _IMAGES):
        if not (folder / name).is_file():
            binary = (folder / name).with_suffix(".bin").is_file()
            raise CalibrationError(
                f"{folder} has no {name}"
                + (
                    "; `colmap model_converter --output_type TXT` makes it of the binary model"
                    if binary
                    else ""
                )
            )
    lenses = _lenses(folder / _CAMERAS)
    images = list(_images(folder / _IMAGES))
    cameras = tuple(
        _camera(name, image, lenses, folder) for name, image in _standing(images, folder / _IMAGES).items()
    )
    return Calibration(cameras, NAME, source.path, unit=None, up=None)


def _model_in(folder: Path) -> bool:
    return any(
        (folder / name).with_suffix(end).is_file() for name in (_CAMERAS, _IMAGES) for end in (".txt", ".bin")
    )


def _text(path: Path) -> str:
    text = open_source(path).text
    if text is None:
        raise CalibrationError(f"{path} is empty or no text")
    return text


def _lenses(path: Path) -> dict[str, Lens]:
    lenses = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 5:
            raise CalibrationError(f"{path}, line {number}: no camera (id, model, width, height, parameters)")
        if words[0] in lenses:
            raise CalibrationError(f"{path}, line {number}: camera {words[0]} is there twice")
        size = tuple(numbers(words[2:4], (2,), "size", path, words[0]).tolist())
        values = tuple(numbers(words[4:], (len(words) - 4,), "parameters", path, words[0]).tolist())
        lenses[words[0]] = Lens(words[1], size, values)
    return lenses


def _images(path: Path) -> Iterator[Image]:
    """Yield the images. The line of points after each may be empty, and some programs leave it out.

    Raises:
        CalibrationError: a line is no image, or a number is missing.
    """
    lines = [
        (number, line) for number, line in enumerate(_text(path).split("\n"), 1) if not line.startswith("#")
    ]
    expects_points = False
    for number, line in lines:
        words = line.split()
        if not words or (expects_points and _are_points(words)):
            expects_points = False
            continue
        words = line.split(maxsplit=9)
        if len(words) != 10:
            raise CalibrationError(
                f"{path}, line {number}: no image (id, quaternion, translation, camera, name)"
            )
        name = words[9].strip()
        try:
            rotation = to_matrix(normalize(numbers(words[1:5], (4,), "quaternion", path, name)))
        except InvalidData as error:
            raise CalibrationError(f"{path}, line {number}: {error}") from error
        yield Image(name, words[8], rotation, numbers(words[5:8], (3,), "translation", path, name))
        expects_points = True


def _are_points(words: list[str]) -> bool:
    """Tell whether a line is of points, X Y POINT3D_ID each: an image's ends in its name and has ten words."""
    return len(words) % 3 == 0 and re.fullmatch(r"-?\d+", words[-1]) is not None


def _standing(images: list[Image], path: Path) -> dict[str, Image]:
    """Return one image for each camera by its name; images of one folder are one camera's that stands still.

    Raises:
        CalibrationError: a camera moves, or there are too many images for a rig.
    """
    by_name: dict[str, list[Image]] = {}
    folders = [PurePosixPath(image.name).parent.as_posix() for image in images]
    for image, folder in zip(images, folders, strict=True):
        is_alone = folder == "." or folders.count(folder) == 1 or len(set(folders)) == 1
        name = PurePosixPath(image.name).stem if is_alone else folder
        by_name.setdefault(name, []).append(image)
        if len(by_name) > MOST_CAMERAS:
            raise CalibrationError(f"{path} has more than {MOST_CAMERAS} pictures: no rig, but a walk around")
    centres = {
        name: np.array([-i.rotation.T @ i.translation for i in taken]) for name, taken in by_name.items()
    }
    rig = np.array([places[0] for places in centres.values()])
    size = float(np.linalg.norm(rig - rig.mean(axis=0), axis=1).max()) if len(rig) else 0.0
    for name, places in centres.items():
        if np.linalg.norm(places - places[0], axis=1).max() > STILL * size:
            raise CalibrationError(
                f"{path}: the {len(places)} pictures {name!r} were taken from different places; cameras must "
                "stand still, with one folder of pictures for each"
            )
    return {name: taken[0] for name, taken in by_name.items()}


def _camera(name: str, image: Image, lenses: dict[str, Lens], folder: Path) -> Camera:
    path = folder / _CAMERAS
    if image.lens not in lenses:
        raise CalibrationError(f"{path} has no camera {image.lens}, which took {image.name!r}")
    lens = lenses[image.lens]
    if lens.model not in _MODELS:
        raise CalibrationError(
            f"{path}, camera {image.lens}: lenses of model {lens.model} are not read; {', '.join(_MODELS)} are"
        )
    names = _MODELS[lens.model].split()
    if len(names) != len(lens.values):
        raise CalibrationError(
            f"{path}, camera {image.lens}: {lens.model} has {len(names)} parameters, not {len(lens.values)}"
        )
    given = dict(zip(names, lens.values, strict=True))
    fx, fy = given.get("fx", given.get("f")), given.get("fy", given.get("f"))
    fisheye = lens.model.endswith("FISHEYE")
    order = ("k1", "k2", "k3", "k4") if fisheye else _BENT
    return assemble(
        path,
        name,
        matrix=[[fx, 0.0, given["cx"] - 0.5], [0.0, fy, given["cy"] - 0.5], [0.0, 0.0, 1.0]],
        distortion=[given.get(key, 0.0) for key in order],
        rotation=image.rotation,
        translation=image.translation,
        size=lens.size,
        fisheye=fisheye,
    )


FORMAT = Format(NAME, recognizes, read)
