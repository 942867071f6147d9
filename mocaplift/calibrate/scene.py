"""Cameras placed by points of the scene whose places are known: measured on the floor, on a box, on a machine.

The file is JSON:

    {"units": "m", "up": "z",
     "points": {"corner": [0.0, 0.0, 0.0], "far left": [2.0, 0.6, 0.0]},
     "pixels": {"cam01": {"corner": [512.3, 804.1], "far left": [301.0, 640.5]}}}

`units` is "m" (the default), "cm" or "mm"; `up` is the axis of `points` that points up, "y" (the default), "z",
"-y" or "-z". A camera needs not see all points: four of one plane that no three share a line, or six others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from mocaplift.calibrate.assemble import METRES, Y_UP_FROM, numbers
from mocaplift.calibrate.extrinsics import plane_poses
from mocaplift.calibrate.intrinsics import Lens
from mocaplift.cameras import normalized, project
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

# A larger file (bytes) was not typed or clicked by a person.
MOST_BYTES = 10_000_000
# Points of a plane, and others, that place a camera.
FEWEST_IN_PLANE, FEWEST = 4, 6
# Points lie in a plane, or on a line, if they are off it by less than this part of their spread.
FLAT = 1e-2
# A point this far (px at 1920 px) from where the camera, so placed, sees it was clicked or measured wrongly.
WORST_PX = 30.0


@dataclass(frozen=True, eq=False)
class Scene:
    """Known points (m, +Y up) and where cameras see them (px), both by the points' names."""

    path: Path
    points: Mapping[str, Float[np.ndarray, "3"]]
    pixels: Mapping[str, Mapping[str, Float[np.ndarray, "2"]]]


def read_scene(path: Path) -> Scene:
    """Return the known points of a file as the module's text describes it.

    Raises:
        CalibrationError: it is no such file, or a camera names a point that has no place; says which.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CalibrationError(f"{path}: more than {MOST_BYTES / 1e6:.0f} MB is no list of points")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise CalibrationError(
            f"{path}: no JSON ({error}); see `mocaplift calibrate board --help`"
        ) from error
    points, pixels = (_entries(found, key, path) for key in ("points", "pixels"))
    unit, up = found.get("units", "m"), found.get("up", "y")
    if unit not in METRES or up not in Y_UP_FROM:
        raise CalibrationError(
            f"{path}: units can be {', '.join(METRES)} and up {', '.join(Y_UP_FROM)}; they are {unit!r} "
            f"and {up!r}"
        )
    places = {
        str(name): METRES[unit] * Y_UP_FROM[up] @ numbers(value, (3,), f"point {name!r}", path, "all")
        for name, value in points.items()
    }
    seen: dict[str, dict[str, np.ndarray]] = {}
    for camera in pixels:
        seen[camera] = {}
        for name, value in _entries(pixels, camera, path).items():
            if name not in places:
                raise CalibrationError(f"{path}, camera {camera!r}: point {name!r} is not among the points")
            seen[camera][name] = numbers(value, (2,), f"point {name!r}", path, camera)
    return Scene(path, places, seen)


def place_in_scene(lens: Lens, scene: Scene) -> tuple[Camera, float]:
    """Return a camera where the known points say that it stands, and how far they are off (px, root mean square).

    Raises:
        CalibrationError: too few points, or a point that does not fit to the others; the message names it.
    """
    pixels = scene.pixels[lens.camera]
    names = list(pixels)
    xy = np.array([pixels[name] for name in names]).reshape(-1, 2)
    points = np.array([scene.points[name] for name in names]).reshape(-1, 3)
    where = f"{scene.path}, camera {lens.camera!r}"
    bare = Camera(lens.camera, lens.intrinsics, lens.distortion, np.eye(4), lens.size)
    spread = (
        np.linalg.svd(points - points.mean(axis=0), compute_uv=False) if len(points) >= 3 else np.zeros(3)
    )
    is_flat = bool(spread[2] <= FLAT * spread[0])
    fewest = FEWEST_IN_PLANE if is_flat else FEWEST
    if len(points) < fewest or spread[1] <= FLAT * spread[0]:
        raise CalibrationError(
            f"{where}: {len(points)} points do not place it; {FEWEST_IN_PLANE} of one plane or {FEWEST} "
            "others are needed, not all on a line"
        )
    candidates = [_camera(bare, pose) for pose in _poses(points, normalized(bare, xy), is_flat)]
    off = [np.linalg.norm(project(camera, points) - xy, axis=-1) for camera in candidates]
    behind = [not np.isfinite(each).all() for each in off]
    if not candidates or all(behind):
        raise CalibrationError(f"{where}: no place explains its points; check their coordinates and pixels")
    best = min((np.sqrt((each**2).mean()), place) for place, each in enumerate(off) if not behind[place])[1]
    limit = WORST_PX * max(lens.size) / 1920
    if off[best].max() > limit:
        worst = int(off[best].argmax())
        raise CalibrationError(
            f"{where}: point {names[worst]!r} is {off[best][worst]:.0f} px from where it should be seen; "
            "check its coordinates, its pixel, and that no two points are exchanged"
        )
    return candidates[best], float(np.sqrt((off[best] ** 2).mean()))


def _poses(points: np.ndarray, ideal: np.ndarray, is_flat: bool) -> list[np.ndarray]:
    """Return `cam_from_world` of all places that may be meant, each refined to the least squared distance."""
    starts: list[np.ndarray] = []
    if is_flat:
        # The plane's own axes: its z is across.
        middle = points.mean(axis=0)
        axes = np.linalg.svd(points - middle)[2]
        axes[2] *= np.linalg.det(axes)
        plane_from_world = np.eye(4)
        plane_from_world[:3, :3], plane_from_world[:3, 3] = axes, -axes @ middle
        flat = points @ axes.T + plane_from_world[:3, 3]
        flat[:, 2] = 0.0
        starts = [pose @ plane_from_world for pose in plane_poses(flat, ideal)]
    else:
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            points, ideal[:, None], np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP
        )
        starts = [_matrix(turn, shift) for turn, shift in zip(turns, shifts, strict=True)]
    refined = []
    for pose in starts:
        turn, shift = cv2.solvePnPRefineLM(
            points, ideal[:, None], np.eye(3), None, cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3:].copy()
        )
        refined.append(_matrix(turn, shift))
    return [pose for pose in refined if np.isfinite(pose).all()]


def _matrix(turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], np.ravel(shift)
    return pose


def _camera(bare: Camera, pose: np.ndarray) -> Camera:
    return Camera(bare.name, bare.intrinsics, bare.distortion, pose, bare.size)


def _entries(found: Any, key: str, path: Path) -> dict[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, dict) or not value:
        raise CalibrationError(
            f"{path}: {key!r} must be an object with names; see `mocaplift calibrate board --help`"
        )
    return value
