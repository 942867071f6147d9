"""AIST++ on disk: sequences as takes, with their cameras, in metres.

A sequence is `<name>.npz` (`keypoints2d` [view, frame, 17, x y confidence] of a real detector at 60 fps and
`keypoints3d_optim` [frame, 17, 3] in centimetres) beside `<name>.cameras.json` (OpenCV cameras, translation
in centimetres, world +Y up). The floor of that world is not at y = 0: its origin lies decimetres below it.
"""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.cameras import undistort
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.values import Camera, Keypoints2D

# The MVLift paper halves AIST's 60 fps.
FPS = 30.0
CM = 0.01
# Above two views all combinations of nine cameras are too many: this many are drawn, always the same.
MOST_VIEW_SETS = 36
VIEW_SET_SEED = 20

_ARRAYS = ("keypoints2d", "keypoints3d_optim", "timestamps")


@dataclass(frozen=True, eq=False)
class Take:
    """A whole sequence: undistorted views in BODY21, their cameras (no distortion), and the truth in metres."""

    name: str
    views: tuple[Keypoints2D, ...]
    cameras: tuple[Camera, ...]
    truth: Float[np.ndarray, "T 17 3"]


def find(folder: str | Path, names: Sequence[str] | None) -> list[Path]:
    """Return the sequences of a folder whose name holds one of the names, all without names.

    Raises:
        InvalidData: there is no such folder, or no sequence in it.
        ConfigError: no sequence has such a name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidData(
            f"no such folder: {folder}; it should hold AIST++ sequences (.npz and .cameras.json)"
        )
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise InvalidData(f"{folder} holds no AIST++ sequence (.npz)")
    if names is None:
        return paths
    for name in names:
        if not any(name in path.stem for path in paths):
            raise ConfigError(
                f"no sequence {name!r} in {folder}; there are {', '.join(p.stem for p in paths)}"
            )
    return [path for path in paths if any(name in path.stem for name in names)]


def read(path: str | Path, fps: float = FPS) -> Take:
    """Return one sequence at a rate (frames left out, never made), in metres, lens distortion removed.

    Raises:
        InvalidData: the file is not such a sequence.
        CalibrationError: the cameras beside it are missing, unreadable or too few.
    """
    path = Path(path)
    arrays = _arrays(path)
    rig = read_cameras(path.with_suffix("").with_suffix(".cameras.json"))
    seen, truth = arrays["keypoints2d"], arrays["keypoints3d_optim"]
    if len(rig) != len(seen):
        raise CalibrationError(f"{path.name}: {len(seen)} views, but {len(rig)} cameras in its .cameras.json")
    step = _step(path, arrays["timestamps"], fps)
    views = tuple(_keypoints(view[::step], camera, fps) for view, camera in zip(seen, rig, strict=True))
    return Take(
        name=path.stem,
        views=views,
        cameras=tuple(_ideal(camera) for camera in rig),
        truth=truth[::step].astype(float) * CM,
    )


def read_cameras(path: str | Path) -> tuple[Camera, ...]:
    """Return the cameras of a sequence, in metres, with their lens distortion.

    Raises:
        CalibrationError: the file is missing or does not hold such cameras.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_camera(entry) for entry in entries)
    except OSError as error:
        raise CalibrationError(f"cannot read the cameras {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, InvalidData) as error:
        raise CalibrationError(f"{path} does not hold AIST++ cameras: {error}") from error


def view_sets(count: int | Sequence[int], views: int) -> list[tuple[int, ...]]:
    """Return the sets of cameras to score: all of them up to two views, a fixed sample above.

    Args:
        count: the number of cameras, or their positions.
        views: cameras in a set.

    Raises:
        ConfigError: fewer cameras than views.
    """
    positions = range(count) if isinstance(count, int) else count
    sets = list(itertools.combinations(positions, views))
    if not sets:
        raise ConfigError(f"{views} views were asked for, but there are only {len(positions)} cameras")
    if views <= 2 or len(sets) <= MOST_VIEW_SETS:
        return sets
    drawn = np.random.default_rng(VIEW_SET_SEED).choice(len(sets), MOST_VIEW_SETS, replace=False)
    return [sets[position] for position in sorted(drawn)]


def positions_of(take: Take, names: Sequence[str] | None) -> list[int]:
    """Return the positions of a take's cameras by their names, all without names.

    Raises:
        CalibrationError: the take has no such camera.
    """
    known = [camera.name for camera in take.cameras]
    if names is None:
        return list(range(len(known)))
    for name in names:
        if name not in known:
            raise CalibrationError(f"{take.name} has no camera {name!r}; it has {', '.join(known)}")
    return [known.index(name) for name in names]


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
    except OSError as error:
        raise InvalidData(f"cannot read {path}: {error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidData(f"{path} is not an AIST++ sequence: {error}") from error
    seen, truth = arrays["keypoints2d"], arrays["keypoints3d_optim"]
    joints = len(COCO17)
    if seen.ndim != 4 or seen.shape[2:] != (joints, 3) or truth.shape != (seen.shape[1], joints, 3):
        raise InvalidData(
            f"{path}: keypoints2d must be [view, frame, {joints}, 3] and keypoints3d_optim "
            f"[frame, {joints}, 3], but they are {list(seen.shape)} and {list(truth.shape)}"
        )
    if arrays["timestamps"].shape != (seen.shape[1],):
        raise InvalidData(f"{path}: there must be one timestamp for each of the {seen.shape[1]} frames")
    return arrays


def _step(path: Path, timestamps: np.ndarray, fps: float) -> int:
    """Return how many source frames make one frame at `fps`; timestamps are in microseconds."""
    length = float(timestamps[-1] - timestamps[0]) if len(timestamps) > 1 else 0.0
    if length <= 0:
        raise InvalidData(f"{path}: its timestamps do not grow")
    rate = (len(timestamps) - 1) * 1e6 / length
    step = max(round(rate / fps), 1)
    if abs(rate / fps - step) > 1e-3 * step:
        raise InvalidData(f"{path}: {rate:.3f} fps is no multiple of {fps:g}")
    return step


def _keypoints(seen: Float[np.ndarray, "T 17 3"], camera: Camera, fps: float) -> Keypoints2D:
    """Return one view in BODY21, undistorted. The detector's scores reach 1.01: cut at 1."""
    known = np.isfinite(seen).all(-1) & (seen[..., 2] > 0)
    xy = np.where(known[..., None], undistort(camera, seen[..., :2].astype(float)), np.nan)
    conf = np.where(known, np.clip(seen[..., 2].astype(float), 0.0, 1.0), 0.0)
    return Keypoints2D(
        xy=remap(xy, COCO17, BODY21),
        conf=np.nan_to_num(remap(conf[..., None], COCO17, BODY21)[..., 0]),
        layout=BODY21,
        fps=fps,
        size=camera.size,
    )


def _camera(entry: dict) -> Camera:
    cam_from_world = np.eye(4)
    rotvec = np.asarray(entry["rotation"], dtype=float)
    cam_from_world[:3, :3] = rotations.to_matrix(rotations.from_rotvec(rotvec))
    cam_from_world[:3, 3] = np.asarray(entry["translation"], dtype=float) * CM
    width, height = entry["size"]
    return Camera(
        name=str(entry["name"]),
        intrinsics=np.asarray(entry["matrix"], dtype=float),
        distortion=np.asarray(entry["distortions"], dtype=float),
        cam_from_world=cam_from_world,
        size=(int(width), int(height)),
    )


def _ideal(camera: Camera) -> Camera:
    """Return the same camera with a perfect lens."""
    return Camera(camera.name, camera.intrinsics, np.zeros(5), camera.cam_from_world, camera.size)
