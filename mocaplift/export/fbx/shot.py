"""The camera of the shot as an FBX camera: it looks along its own +X, with its own +Y up.

A pinhole is what the format knows: the distortion of the lens is left out. Pixels may be oblong and the
principal point off the middle: film height and film offset say so.
"""

from __future__ import annotations

import numpy as np

from mocaplift import cameras, rotations
from mocaplift.export.fbx.records import Node
from mocaplift.export.fbx.scene import SCENE, Objects, Space, lcl, model, properties, row
from mocaplift.values import Camera

# The film of a "full frame" camera: focal lengths are then those that photographers know.
FILM_WIDTH = 36.0  # mm
_MM_PER_INCH = 25.4
# What lies nearer or farther is not drawn.
NEAREST, FARTHEST = 0.1, 1000.0  # m
# OpenCV's axes (x right, y down, z forward) as columns of FBX's camera: forward, up, right.
_OPENCV_FROM_FBX = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])


def add_camera(objects: Objects, camera: Camera, space: Space, taken: tuple[str, ...]) -> None:
    """Add the camera where it stood, under a name that is not among those `taken`."""
    turn = camera.cam_from_world[:3, :3].T @ _OPENCV_FROM_FBX
    turned = rotations.multiply(space.turn, rotations.from_matrix(turn))
    where = space.points(cameras.centre(camera))
    name = camera.name or "camera"
    while name in taken:
        name += "_camera"
    rows = [
        row("InheritType", "enum", 1),
        row("DefaultAttributeIndex", "int", 0),
        lcl("Translation", where),
        lcl("Rotation", space.degrees(turned)),
        lcl("Scaling", np.ones(3)),
    ]
    number = objects.add("Model", name, "Model", "Camera", model(rows))
    up = rotations.rotate(turned, np.array([0.0, 1.0, 0.0]))
    ahead = where + rotations.rotate(turned, np.array([1.0, 0.0, 0.0])) * space.per_metre
    lens = [
        properties([*_lens(camera), *_place(space, where, ahead)]),
        Node("TypeFlags", ("Camera",)),
        Node("GeometryVersion", (124,)),
        Node("Position", _floats(where)),
        Node("Up", _floats(up)),
        Node("LookAt", _floats(ahead)),
        Node("ShowInfoOnMoving", (1,)),
        Node("ShowAudio", (0,)),
        Node("AudioColor", (0.0, 1.0, 0.0)),
        Node("CameraOrthoZoom", (1.0,)),
    ]
    attribute = objects.add("NodeAttribute", name, "NodeAttribute", "Camera", lens)
    objects.connect(number, SCENE)
    objects.connect(attribute, number)


def _lens(camera: Camera) -> list[Node]:
    (width, height), k = camera.size, camera.intrinsics
    focal = k[0, 0] * FILM_WIDTH / width
    # One pixel on the film, mm.
    across, down = FILM_WIDTH / width, focal / k[1, 1]
    film = FILM_WIDTH / _MM_PER_INCH, height * down / _MM_PER_INCH
    # The offset moves the film against the lens: the picture's middle, seen from the principal point.
    offset = ((width - 1) / 2 - k[0, 2]) * across, (k[1, 2] - (height - 1) / 2) * down
    fov = [2 * float(np.degrees(np.arctan(size * _MM_PER_INCH / 2 / focal))) for size in film]
    return [
        # The size is in pixels (2), the focal length tells the angles (3), the film's width is filled (2).
        row("AspectRatioMode", "enum", 2),
        row("AspectWidth", "double", float(width)),
        row("AspectHeight", "double", float(height)),
        row("PixelAspectRatio", "double", float(across / down)),
        row("FilmWidth", "double", film[0]),
        row("FilmHeight", "double", float(film[1])),
        row("FilmAspectRatio", "double", float(film[0] / film[1])),
        row("FilmOffsetX", "double", float(offset[0] / _MM_PER_INCH), flags="A"),
        row("FilmOffsetY", "double", float(offset[1] / _MM_PER_INCH), flags="A"),
        row("ApertureMode", "enum", 3),
        row("GateFit", "enum", 2),
        row("FieldOfView", "FieldOfView", fov[0], flags="A"),
        row("FieldOfViewX", "FieldOfViewX", fov[0], flags="A"),
        row("FieldOfViewY", "FieldOfViewY", fov[1], flags="A"),
        row("FocalLength", "double", float(focal), flags="A"),
    ]


def _place(space: Space, where: np.ndarray, ahead: np.ndarray) -> list[Node]:
    return [
        row("Position", "Vector", *_floats(where), flags="A"),
        row("InterestPosition", "Vector", *_floats(ahead), flags="A"),
        row("NearPlane", "double", NEAREST * space.per_metre),
        row("FarPlane", "double", FARTHEST * space.per_metre),
    ]


def _floats(vector: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, vector))
