"""A user's clip of any figure: keypoints and the camera that saw them, read with suspicion.

A file holds keypoints (`store.save`), alone or beside a clip and the camera. Without a camera it is taken to be
level and to have the focal length that is given, that the clip tells, or that of a usual angle of view (`assume`).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mocaplift.assume import assumed_camera
from mocaplift.errors import InvalidData
from mocaplift.layouts import remap_keypoints
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.options import Options
from mocaplift.store import load
from mocaplift.values import Camera, Clip, Keypoints2D

# Keypoints lie no further (longer sides of the picture) from its middle, and a figure is larger (px) than that:
# numbers from 0 to 1, or of a picture of another size, are not pixels.
FARTHEST, SMALLEST = 3.0, 8.0
MOST_FRAMES = 1_000_000
RATES = (5.0, 1000.0)  # frames per second

Kind = TypeVar("Kind")


class FigureClip(NamedTuple):
    """Keypoints in the figure's layout, their camera, and its file."""

    keypoints: Keypoints2D
    camera: Camera
    path: Path


def read_clip(path: Path, figure: Figure, options: Options | None = None) -> FigureClip:
    """Return the clip of a figure in a file; joints that the figure lacks are left out.

    Raises:
        InvalidData: the file is damaged or holds something else; it has no frames or too many; it is of another
            layout; keypoints are not pixels of its picture, or show too little; the camera is of another picture.
    """
    value = load(path)
    parts = value if isinstance(value, tuple) else (value,)
    keypoints, clip = _only(parts, Keypoints2D, path), _only(parts, Clip, path)
    camera = _only(parts, Camera, path)
    if keypoints is None or len(parts) != sum(each is not None for each in (keypoints, clip, camera)):
        kinds = ", ".join(type(each).__name__ for each in parts)
        raise InvalidData(
            f"{path}: holds {kinds}, but keypoints are needed, with their clip and camera at most"
        )
    keypoints = in_layout(keypoints, figure, str(path))
    _check(keypoints, figure, path)
    if camera is None:
        if clip is None:
            rate = Fraction(float(keypoints.fps)).limit_denominator(1_000_000)
            clip = Clip(path, rate, len(keypoints.xy), keypoints.size)
        camera, _ = assumed_camera(clip, options or Options())
    if tuple(camera.size) != tuple(keypoints.size):
        raise InvalidData(
            f"{path}: the camera's picture is {_shown(camera.size)}, but that of the keypoints is "
            f"{_shown(keypoints.size)}"
        )
    return FigureClip(keypoints, camera, path)


def in_layout(keypoints: Keypoints2D, figure: Figure, source: str) -> Keypoints2D:
    """Return keypoints in a figure's layout; joints that they lack are missing.

    Raises:
        InvalidData: the two have too few joints in common.
    """
    have, layout = keypoints.layout, figure.layout
    shared = set(have.joints) & set(layout.joints)
    if len(shared) < len(layout) / 2:
        raise InvalidData(
            f"{source}: keypoints are of the layout {have.name} ({', '.join(have.joints)}), which has "
            f"{len(shared)} joints in common with {layout.name} ({', '.join(layout.joints)})"
        )
    return keypoints if have == layout else remap_keypoints(keypoints, layout)


def _check(keypoints: Keypoints2D, figure: Figure, path: Path) -> None:
    frames, size = len(keypoints.xy), keypoints.size
    if not 1 <= frames <= MOST_FRAMES:
        raise InvalidData(f"{path}: has {frames} frames; 1 to {MOST_FRAMES} are read")
    if not RATES[0] <= keypoints.fps <= RATES[1]:
        raise InvalidData(
            f"{path}: has {keypoints.fps:g} frames per second; {RATES[0]:g} to {RATES[1]:g} are read"
        )
    seen = keypoints.conf > 0
    is_usable = seen.sum(axis=1) >= figure.fewest
    if not is_usable.any():
        raise InvalidData(f"{path}: no frame shows {figure.fewest} or more keypoints")
    away = np.abs(np.nan_to_num(keypoints.xy) - np.array(size) / 2).max(axis=-1) * seen
    if away.max() > FARTHEST * max(size):
        frame, joint = np.unravel_index(int(away.argmax()), away.shape)
        x, y = keypoints.xy[frame, joint]
        raise InvalidData(
            f"{path}: frame {frame}, {keypoints.layout.joints[joint]} lies at ({x:.4g}, {y:.4g}) px, far outside "
            f"the picture of {_shown(size)}"
        )
    xy = np.where(seen[..., None], keypoints.xy, np.nan)[is_usable]
    extent = float(np.median((np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)).max(axis=-1)))
    if extent < SMALLEST:
        raise InvalidData(
            f"{path}: the figure is {extent:.3g} px large in most frames; are its keypoints pixels of the picture "
            f"of {_shown(size)}?"
        )


def _only(parts: tuple[object, ...], kind: type[Kind], path: Path) -> Kind | None:
    found = [each for each in parts if isinstance(each, kind)]
    if len(found) > 1:
        raise InvalidData(f"{path}: holds several of {kind.__name__}, but one clip is needed")
    return found[0] if found else None


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
