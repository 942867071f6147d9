"""Pictures of a board: which file is whose, read one by one, and what was seen in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from mocaplift import video
from mocaplift.calibrate.board import Board, Sighting
from mocaplift.clock import nearest_tick
from mocaplift.errors import CalibrationError

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm", ".mts", ".mpg"}
# A larger file (bytes) is no picture of a board: 100 megapixels take 30 MB as JPEG, 300 MB without compression.
MOST_BYTES = 400_000_000
# Pictures of one camera that are looked at: more make no better calibration, only a longer one.
MOST_PICTURES = 500
# Frames of a video that are looked at, evenly spaced.
FRAMES_PER_VIDEO = 60
# Words in the names of files and folders that say what a picture is for, not which camera took it.
_NOT_A_NAME = {"int", "ext", "img", "imgs", "intrinsic", "intrinsics", "extrinsic", "extrinsics"} | {
    "calib",
    "calibration",
    "image",
    "images",
    "floor",
    "board",
}

Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Seen:
    """What one camera saw of a board.

    Attributes:
        camera: its name.
        size: of its pictures, (width, height) px.
        sightings: the board where it was found, by the key of the picture. Cameras that took pictures at once
            share the key.
        labels: for every picture, found or not, what a person calls it.
    """

    camera: str
    size: tuple[int, int]
    sightings: Mapping[str, Sighting]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A picture and how to name it: `key` pairs it with those of other cameras, `label` is for people."""

    key: str
    label: str
    image: UInt8[np.ndarray, "H W"]


def camera_files(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures and videos of each camera: a folder a camera, or a file a camera; in natural order.

    Words such as "int" or "ext_img" in the names are left out: `int_cam01_img` and `cam01_ext.png` are "cam01".

    Raises:
        CalibrationError: nothing is there, or two cameras have the same name.
    """
    if not folder.is_dir():
        raise CalibrationError(
            f"{folder}: there is no such folder; put one folder with pictures a camera into it"
        )
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir(), key=_natural):
        if entry.name.startswith("."):
            continue
        files = sorted(filter(_is_seen, entry.iterdir()), key=_natural) if entry.is_dir() else [entry]
        if not entry.is_dir() and not _is_seen(entry):
            continue
        name = camera_name(entry)
        if name in found:
            raise CalibrationError(
                f"{folder}: {entry.name} and {found[name][0].relative_to(folder)} are both of camera "
                f"{name!r}; put the pictures of each camera into a folder with its name"
            )
        if not files:
            raise CalibrationError(f"{entry}: there is no picture and no video in this folder")
        found[name] = files
    if not found:
        raise CalibrationError(f"{folder}: there is no picture and no video; put one folder a camera into it")
    return found


def camera_name(path: Path) -> str:
    """Return the name of the camera that a folder or file of pictures is called after."""
    stem = path.name if path.is_dir() else path.stem
    kept = [word for word in re.split(r"[_\-\s.]+", stem) if word and word.lower() not in _NOT_A_NAME]
    return "_".join(kept) or stem


def pairing_keys(files: Mapping[str, Sequence[Path]]) -> dict[Path, str]:
    """Return for every file a key that it shares with the files of other cameras taken at the same time.

    Files pair by what their names have beside the camera's name, where cameras share that; otherwise by their
    order.

    Raises:
        CalibrationError: the numbers of files differ, and no names tell which belong together.
    """
    names = {camera: [_moment_name(path, camera) for path in paths] for camera, paths in files.items()}
    is_named = all(
        all(mine)
        and len(set(mine)) == len(mine)
        and any(set(mine) & set(theirs) for other, theirs in names.items() if other != camera)
        for camera, mine in names.items()
    )
    counts = {len(paths) for paths in files.values()}
    if len(counts) > 1 and not is_named:
        said = ", ".join(f"{camera} {len(paths)}" for camera, paths in files.items())
        raise CalibrationError(
            f"the cameras have different numbers of pictures ({said}), and their names do not tell which "
            "were taken at once; give pictures taken at once the same file name in each camera's folder"
        )
    return {
        path: names[camera][place] if is_named else f"{place + 1}"
        for camera, paths in files.items()
        for place, path in enumerate(paths)
    }


def shared_span(files: Mapping[str, Sequence[Path]], keys: Mapping[Path, str]) -> dict[str, float]:
    """Return for the key of every video how long (s) all videos of that key last.

    Raises:
        VideoError: one cannot be read.
    """
    spans: dict[str, float] = {}
    for paths in files.values():
        for path in filter(_is_video, paths):
            length = float(video.probe(path).facts["duration_s"])
            spans[keys[path]] = min(length, spans.get(keys[path], length))
    return spans


def look(
    camera: str,
    files: Sequence[Path],
    board: Board,
    keys: Mapping[Path, str] | None = None,
    spans: Mapping[str, float] | None = None,
    frames: int = FRAMES_PER_VIDEO,
    progress: Progress = silent,
) -> Seen:
    """Look for a board in all pictures and videos of one camera.

    Args:
        camera: its name.
        files: its pictures and videos.
        board: what to look for.
        keys: from `pairing_keys`; without it, every file is its own.
        spans: from `shared_span`; without it, every video is looked at from its start to its end.
        frames: how many frames of a video are looked at.
        progress: called with the camera's name, pictures done, and their number where it is known.

    Raises:
        CalibrationError: a file cannot be read, or pictures have different sizes.
        VideoError: a video cannot be read.
    """
    size: tuple[int, int] | None = None
    sightings: dict[str, Sighting] = {}
    labels: dict[str, str] = {}
    total = sum(frames if _is_video(path) else 1 for path in files)
    for picture in pictures(files, keys, spans, frames):
        height, width = picture.image.shape
        if size is None:
            size, first = (width, height), picture.label
        if (width, height) != size:
            raise CalibrationError(
                f"camera {camera}: {picture.label} has {width} x {height} pixels, {first} has {size[0]} x "
                f"{size[1]}; all pictures of a camera must have the size that it films with"
            )
        labels[picture.key] = picture.label
        if (found := board.find(picture.image)) is not None:
            sightings[picture.key] = found
        progress(camera, len(labels), total)
        if len(labels) >= MOST_PICTURES:
            break
    if size is None:
        raise CalibrationError(f"camera {camera}: there is not a single picture")
    return Seen(camera, size, sightings, labels)


def pictures(
    files: Sequence[Path],
    keys: Mapping[Path, str] | None = None,
    spans: Mapping[str, float] | None = None,
    frames: int = FRAMES_PER_VIDEO,
) -> Iterator[Picture]:
    """Yield grey pictures of files one by one, of videos `frames` frames evenly spaced; see `look`.

    Raises:
        CalibrationError: a picture cannot be read.
        VideoError: a video cannot be read.
    """
    for path in files:
        key = keys[path] if keys else f"{path}"
        if not _is_video(path):
            yield Picture(key, path.name, read_picture(path))
            continue
        clip = video.probe(path)
        span = min(float(clip.facts["duration_s"]), (spans or {}).get(key, np.inf))
        last = min(clip.frames, nearest_tick(span, clip.fps)) - 1
        times = [float(each / clip.fps) for each in range(clip.frames)]
        wanted = {
            nearest_tick(moment, clip.fps): place
            for place, moment in enumerate(np.linspace(0.0, times[last], min(frames, last + 1)))
        }
        with closing(video.frames(clip)) as shown:
            for index, image in enumerate(shown):
                if index in wanted:
                    label = f"{path.name} at {times[index]:.2f} s"
                    yield Picture(
                        f"{key}/{wanted[index]:04d}", label, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
                    )
                if index >= last:
                    break


def read_picture(path: Path) -> UInt8[np.ndarray, "H W"]:
    """Return a picture in grey, turned as it is shown.

    Raises:
        CalibrationError: it is too large, or no picture.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CalibrationError(f"{path}: more than {MOST_BYTES / 1e6:.0f} MB is no picture of a board")
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if content.size else None
    except cv2.error:
        image = None
    if image is None or min(image.shape) < 2:
        raise CalibrationError(
            f"{path}: no picture that can be read; take it out, or save it again as PNG or JPEG"
        )
    return image


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def _is_seen(path: Path) -> bool:
    return path.suffix.lower() in PICTURES | VIDEOS and not path.name.startswith(".") and path.is_file()


def _moment_name(path: Path, camera: str) -> str:
    """Return what the name of a file has beside its camera's name."""
    mine = set(re.split(r"[_\-\s.]+", camera)) | _NOT_A_NAME
    words = [word for word in re.split(r"[_\-\s.]+", path.stem) if word]
    return "_".join(word for word in words if word not in mine and word.lower() not in mine)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return what sorts 2 before 10."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name.lower())
    ]
