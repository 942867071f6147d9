"""The truth beside a sample: what the renderer knew when it made the pictures.

A clip: `<name>.truth.npz` lies beside `<name>.mp4` and holds, for every frame of the video: `body21` [T 21 3] and
`joints24` [T 24 3] in world metres, optionally `contacts` [T 4] and `rotations` [T 24 4] (parent-relative wxyz);
and once: `fps`, `height_m`, the camera's `intrinsics` [3 3], `cam_from_world` [4 4] and `size` (width, height).

A take of several cameras is a folder with the same in `truth.npz`, but for the cameras: they are in `cams.json`,
and each one's video is `<camera>.mp4`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.calibrate import read_calibration
from mocaplift.errors import InvalidData
from mocaplift.evaluate.metrics import planted
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.values import Camera

ENDING = ".truth.npz"
RIG_TRUTH, RIG_CAMERAS = "truth.npz", "cams.json"
_NEEDED = ("body21", "joints24", "fps", "height_m")
_NEEDED_CAMERA = ("intrinsics", "cam_from_world")


class Truth(NamedTuple):
    """One sample and everything that is true of it. Contacts are in the order of `CONTACT_POINTS`.

    A clip has one video and one camera; a take of several has one video for each.
    """

    name: str
    videos: tuple[Path, ...]
    cameras: tuple[Camera, ...]
    keypoints: Float[np.ndarray, "T 21 3"]
    joints: Float[np.ndarray, "T 24 3"]
    contacts: Bool[np.ndarray, "T 4"]
    rotations: Float[np.ndarray, "T 24 4"] | None
    fps: float
    height: float


def find(folder: str | Path) -> list[Path]:
    """Return the truth files of a folder, clips by name and then takes of several cameras.

    Raises:
        InvalidData: there is no such folder, or none in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidData(f"no such folder: {folder}; give the folder of the project's sample_videos")
    files = [*sorted(folder.glob("*" + ENDING)), *sorted(folder.glob(f"*/{RIG_TRUTH}"))]
    if not files:
        raise InvalidData(f"{folder} holds no sample with a truth (*{ENDING} or a folder with {RIG_TRUTH})")
    return files


def read(path: str | Path) -> Truth:
    """Return the truth of one clip, or of one take of several cameras.

    Raises:
        InvalidData: the file cannot be read, lacks an entry or holds a wrong one, or a video is missing.
        CalibrationError: the cameras of a take cannot be read.
    """
    path = Path(path)
    is_rig = path.name == RIG_TRUTH
    name = path.parent.name if is_rig else path.name.removesuffix(ENDING)
    rig = read_calibration(path.with_name(RIG_CAMERAS)).cameras if is_rig else ()
    stems = [Path(camera.name).name for camera in rig] if is_rig else [name]
    videos = tuple(path.with_name(f"{stem}.mp4") for stem in stems)
    for video in videos:
        if not video.is_file():
            raise InvalidData(f"{path} is the truth of {video.name}, which is not there")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidData(f"cannot read {path}: {error}") from error
    missing = [key for key in (_NEEDED if is_rig else _NEEDED + _NEEDED_CAMERA) if key not in arrays]
    if missing:
        raise InvalidData(f"{path} lacks {', '.join(missing)}")
    return _truth(path, name, videos, rig, arrays)


def _truth(
    path: Path,
    name: str,
    videos: tuple[Path, ...],
    rig: tuple[Camera, ...],
    arrays: dict[str, np.ndarray],
) -> Truth:
    frames = len(arrays["body21"])

    def take(key: str, *shape: int) -> np.ndarray:
        if arrays[key].shape != shape:
            raise InvalidData(f"{path}: {key} must be {list(shape)}, but is {list(arrays[key].shape)}")
        return arrays[key].astype(bool if key == "contacts" else float)

    keypoints = take("body21", frames, len(BODY21), 3)
    fps = float(take("fps"))
    if "contacts" in arrays:
        contacts = take("contacts", frames, len(CONTACT_POINTS))
    else:
        contacts = planted(keypoints[:, BODY21.index(*CONTACT_POINTS)], fps)
    return Truth(
        name=name,
        videos=videos,
        cameras=rig or (_camera(path, name, arrays, take),),
        keypoints=keypoints,
        joints=take("joints24", frames, len(SMPL24), 3),
        contacts=contacts,
        rotations=take("rotations", frames, len(SMPL24), 4) if "rotations" in arrays else None,
        fps=fps,
        height=float(take("height_m")),
    )


def _camera(path: Path, name: str, arrays: dict[str, np.ndarray], take: Callable[..., np.ndarray]) -> Camera:
    intrinsics = take("intrinsics", 3, 3)
    if "size" in arrays:
        size = tuple(round(float(side)) for side in take("size", 2))
    else:
        size = tuple(round(2 * float(middle) + 1) for middle in intrinsics[:2, 2])
    try:
        return Camera(name, intrinsics, np.zeros(5), take("cam_from_world", 4, 4), (size[0], size[1]))
    except InvalidData as error:
        raise InvalidData(f"{path}: {error}") from error
