"""Cameras from a folder of pictures: lenses, places, and a world that stands on the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.calibrate.board import Board, alternatives
from mocaplift.calibrate.extrinsics import Placed, place_cameras
from mocaplift.calibrate.intrinsics import Lens, fit_lens
from mocaplift.calibrate.pictures import (
    FRAMES_PER_VIDEO,
    Progress,
    Seen,
    camera_files,
    look,
    pairing_keys,
    pictures,
    shared_span,
    silent,
)
from mocaplift.calibrate.scene import Scene, place_in_scene
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

# Folders inside the one that is given.
LENS_FOLDER, RIG_FOLDER, FLOOR_FOLDER = "intrinsics", "extrinsics", "floor"
FLOOR = "floor"  # the key of the picture in the floor's own folder
# A board is tried in so many pictures, shrunk to this side (px), before all are searched with other counts.
MOST_TRIED, TRIED_SIDE = 8, 800
# Names of pictures that an error lists, at most.
MOST_SHOWN = 20
# Cameras are held level, more or less: where a board on the floor makes their mean up this far from up (degrees),
# it stands rather than lies.
STANDING_DEG = 50.0
# The mean of the cameras' own up directions is this long at least, or they are not held alike: 45 degrees each.
HELD_ALIKE = 0.7

Pose = Float[np.ndarray, "4 4"]
Files = dict[str, list[Path]]


@dataclass(frozen=True, eq=False)
class Rig:
    """Calibrated cameras and how they came about.

    Attributes:
        cameras: metres, +Y up.
        lenses: in the same order.
        error_px: of each camera in the rig, root mean square, px.
        used: how many pictures (or known points) placed each camera.
        rejected: labels of pictures for extrinsics that were left out, with their error, px.
        up: how the world's axes were found, a sentence.
        notes: what was found to be other than said, and what could be better; sentences.
    """

    cameras: tuple[Camera, ...]
    lenses: tuple[Lens, ...]
    error_px: Mapping[str, float]
    used: Mapping[str, int]
    rejected: Mapping[str, float]
    up: str
    notes: tuple[str, ...]


def calibrate_rig(
    folder: Path,
    board: Board,
    *,
    floor: str | None = None,
    scene: Scene | None = None,
    frames: int = FRAMES_PER_VIDEO,
    progress: Progress = silent,
) -> Rig:
    """Return cameras calibrated from `intrinsics/CAMERA/*` and `extrinsics/CAMERA/*` of a folder.

    Without `intrinsics`, the lenses too come from the pictures for extrinsics. The world's origin is the origin of
    the board on the floor, X its columns' axis, Z its rows' axis, +Y up.

    Args:
        folder: with pictures or videos of the board, one folder (or file) a camera.
        board: what they show.
        floor: name of the picture for extrinsics in which the board lies on the floor; the pictures of a folder
            `floor` need no name, and of a single picture it is taken for granted.
        scene: known points, which place the cameras instead of the board.
        frames: of each video that are looked at.
        progress: called with what is done, how much of it, and of how much.

    Raises:
        CalibrationError: pictures are missing, unreadable or contradict each other; says which and what to do.
        VideoError: a video cannot be read.
    """
    if not folder.is_dir():
        raise CalibrationError(
            f"{folder}: there is no such folder; it holds intrinsics/CAMERA/* and extrinsics/CAMERA/*"
        )
    lens_files = camera_files(folder / LENS_FOLDER) if (folder / LENS_FOLDER).is_dir() else {}
    rig_files = camera_files(folder / RIG_FOLDER) if (folder / RIG_FOLDER).is_dir() else {}
    if scene is None and not rig_files:
        raise CalibrationError(
            f"{folder}: there is no folder {RIG_FOLDER}; it holds pictures of the board that the cameras "
            "took at once, one folder or file a camera, or give known points of the place with --scene"
        )
    board, notes = settle_board(board, lens_files or rig_files, frames)
    if scene is not None:
        lenses = _lenses(lens_files or rig_files, board, frames, progress)
        return _in_scene(lenses, scene, notes)
    if lens_files:
        _check_same(folder, lens_files, rig_files)
    keys = pairing_keys(rig_files)
    spans = shared_span(rig_files, keys)
    seen = [look(name, files, board, keys, spans, frames, progress) for name, files in rig_files.items()]
    if lens_files:
        lenses = _lenses({name: lens_files[name] for name in rig_files}, board, frames, progress)
    else:
        lenses = [fit_lens(each, board) for each in seen]
        notes += [f"there is no folder {LENS_FOLDER}; the lenses are from the pictures for extrinsics"]
    _check_sizes(lenses, seen)
    seen, floor_key = _with_floor(folder, seen, board, floor)
    _check_sides(seen, board)
    placed = place_cameras(lenses, seen, board)
    return _on_floor(lenses, placed, board, floor_key, notes)


def settle_board(board: Board, files: Files, frames: int = FRAMES_PER_VIDEO) -> tuple[Board, list[str]]:
    """Return the board that the pictures show, and what was wrong with its description.

    Counts of squares instead of corners, and of rows first, are understood; other counts are refused.

    Raises:
        CalibrationError: the pictures show a board of other counts, which the message tells.
    """
    images = _samples([path for paths in files.values() for path in paths], frames)
    num_found = sum(board.find(image) is not None for image in images)
    if 2 * num_found >= len(images):
        return board, []
    counted = Counter(found for image in images if (found := board.counted(image)))
    likely = [replace(board, columns=columns, rows=rows) for (columns, rows), _ in counted.most_common(1)]
    others = [(other, "miscounted") for other in likely if other != board] + alternatives(board)
    for other, trouble in others:
        num_other = sum(other.find(image) is not None for image in images)
        if num_other <= 2 * num_found or 3 * num_other < len(images):
            continue
        if trouble == "miscounted":
            raise CalibrationError(
                f"the pictures show a board of {other.counts} inner corners, not {board.counts}; count the "
                f"corners where four squares meet, and if it is so, say --board {other.counts}"
            )
        return other, [f"the board was found as {other.counts}: {trouble}"]
    return board, []


def _samples(paths: Sequence[Path], frames: int) -> list[UInt8[np.ndarray, "H W"]]:
    """Return a few small pictures of all these files, evenly spaced."""
    places = np.unique(np.linspace(0, len(paths) - 1, min(MOST_TRIED, len(paths))).astype(int))
    per_video = min(frames, -(-MOST_TRIED // len(places)))
    images = []
    for place in places:
        for picture in pictures([paths[place]], frames=per_video):
            scale = min(1.0, TRIED_SIDE / max(picture.image.shape))
            images.append(cv2.resize(picture.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return images


def _lenses(files: Files, board: Board, frames: int, progress: Progress) -> list[Lens]:
    return [
        fit_lens(look(name, paths, board, frames=frames, progress=progress), board)
        for name, paths in files.items()
    ]


def _check_same(folder: Path, lens_files: Files, rig_files: Files) -> None:
    missing = [name for name in rig_files if name not in lens_files]
    if missing:
        raise CalibrationError(
            f"{folder}: {', '.join(missing)} of {RIG_FOLDER} is not in {LENS_FOLDER}, which has "
            f"{', '.join(lens_files)}; name the folders of a camera alike"
        )


def _check_sizes(lenses: Sequence[Lens], seen: Sequence[Seen]) -> None:
    for lens, each in zip(lenses, seen, strict=True):
        if lens.size != each.size:
            raise CalibrationError(
                f"camera {lens.camera}: its pictures for intrinsics have {lens.size[0]} x {lens.size[1]} "
                f"pixels, those for extrinsics {each.size[0]} x {each.size[1]}; take both with the "
                "settings that it films with"
            )


def _check_sides(seen: Sequence[Seen], board: Board) -> None:
    if board.is_two_way and len(seen) > 1 and _num_keys(seen) == 1:
        raise CalibrationError(
            f"a board of {board.counts} corners looks the same after half a turn, and there is a single "
            "picture of it: the cameras cannot be told to be on one side or the other. Take more "
            "pictures, the board held differently in each, or use a board with one odd and one even count"
        )


def _num_keys(seen: Sequence[Seen]) -> int:
    return len({key for each in seen for key in each.sightings})


def _with_floor(
    folder: Path, seen: list[Seen], board: Board, floor: str | None
) -> tuple[list[Seen], str | None]:
    """Return what was seen, with the pictures of the floor's folder, and the key of the picture of the floor."""
    if (folder / FLOOR_FOLDER).is_dir():
        files = camera_files(folder / FLOOR_FOLDER)
        added = []
        for each in seen:
            paths = files.get(each.camera, [])[:1]
            found = look(each.camera, paths, board, dict.fromkeys(paths, FLOOR)) if paths else None
            if found is not None and found.size == each.size:
                each = replace(
                    each,
                    sightings={**each.sightings, **found.sightings},
                    labels={**each.labels, **found.labels},
                )
            added.append(each)
        if not any(FLOOR in each.sightings for each in added):
            raise CalibrationError(f"{folder / FLOOR_FOLDER}: the board was found in none of these pictures")
        return added, FLOOR
    keys = {key for each in seen for key in each.labels}
    if floor is None:
        return seen, next(iter(keys)) if len(keys) == 1 else None
    shown = {key: each.labels[key] for each in seen for key in each.sightings}
    wanted = [
        key for each in seen for key in shown if key in each.labels and floor in _names(key, each.labels[key])
    ]
    if not wanted:
        listed = ", ".join(list(shown.values())[:MOST_SHOWN])
        raise CalibrationError(
            f"no picture {floor!r} in which the board is found is among those for extrinsics; there are {listed}"
        )
    return seen, wanted[0]


def _names(key: str, label: str) -> set[str]:
    """Return what a person may call a picture: its file, or the moment (s) of a video's frame."""
    moment = label.rpartition(" at ")[2]
    return {key, label, Path(label).stem, moment, moment.replace(" ", ""), moment.removesuffix(" s")}


def _on_floor(lenses: list[Lens], placed: Placed, board: Board, floor: str | None, notes: list[str]) -> Rig:
    """Return the rig in the world of the board on the floor, or, without one, level as the cameras are held."""
    level = np.mean([-pose[1, :3] for pose in placed.poses.values()], axis=0)
    length = float(np.linalg.norm(level))
    if floor is None and length < HELD_ALIKE:
        raise CalibrationError(
            "no picture shows which way is up, and the cameras are turned too differently to guess it; "
            "put the board on the floor in one picture, and name it by --floor"
        )
    level /= max(length, 1e-9)
    if floor is not None and floor not in placed.boards:
        raise CalibrationError(
            f"the picture of the board on the floor contradicts the others ({', '.join(placed.rejected)} "
            "are left out); take it again with all cameras at once"
        )
    if floor is not None:
        new_from_world = world_from_floor() @ np.linalg.inv(placed.boards[floor])
        up = (
            "the board on the floor: origin at its first corner, X along its columns, Z along its rows, +Y up"
        )
        lean = np.degrees(np.arccos(np.clip(new_from_world[1, :3] @ level, -1, 1)))
        if lean > STANDING_DEG:
            notes = [
                *notes,
                f"up by the board is {lean:.0f} degrees from up by the cameras; if the board did not lie "
                "on the floor, face up, say --floor with the picture in which it does",
            ]
    else:
        new_from_world = _levelled(level, placed, board)
        up = "a guess: cameras are held level. Put the board on the floor in one picture and name it by --floor"
    cameras = tuple(
        Camera(
            lens.camera,
            lens.intrinsics,
            lens.distortion,
            placed.poses[lens.camera] @ np.linalg.inv(new_from_world),
            lens.size,
        )
        for lens in lenses
    )
    return Rig(cameras, tuple(lenses), placed.error_px, placed.used, placed.rejected, up, tuple(notes))


def world_from_floor() -> Pose:
    """Return the motion from the axes of a board that lies face up (z into the floor) to a world with +Y up."""
    return np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


def _levelled(level: np.ndarray, placed: Placed, board: Board) -> Pose:
    """Return `new_from_world` with +Y along `level`, the origin below the boards, at the height of the lowest."""
    z = -next(iter(placed.poses.values()))[2, :3]
    x = np.cross(level, z)
    if np.linalg.norm(x) < 1e-3:
        x = np.cross(level, [0.0, 1.0, 0.0]) + np.cross(level, [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    new_from_world = np.eye(4)
    new_from_world[:3, :3] = np.stack([x, level, np.cross(x, level)])
    corners = np.concatenate([board.points @ pose[:3, :3].T + pose[:3, 3] for pose in placed.boards.values()])
    turned = corners @ new_from_world[:3, :3].T
    middle = turned.mean(axis=0)
    new_from_world[:3, 3] = -np.array([middle[0], turned[:, 1].min(), middle[2]])
    return new_from_world


def _in_scene(lenses: list[Lens], scene: Scene, notes: list[str]) -> Rig:
    missing = [lens.camera for lens in lenses if lens.camera not in scene.pixels]
    if missing:
        raise CalibrationError(
            f"{scene.path}: no pixels for camera {', '.join(missing)}; it has {', '.join(scene.pixels)}"
        )
    found = [place_in_scene(lens, scene) for lens in lenses]
    return Rig(
        tuple(camera for camera, _ in found),
        tuple(lenses),
        {camera.name: error for camera, error in found},
        {camera.name: len(scene.pixels[camera.name]) for camera, _ in found},
        {},
        f"the known points of {scene.path.name}, turned so that +Y is up",
        tuple(notes),
    )
