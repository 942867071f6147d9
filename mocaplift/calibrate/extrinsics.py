"""Where cameras stand, from pictures of one board that several of them took at once.

Each picture gives the pose of the board in a camera, up to two ways to see it tilted (and half a turn where the
board looks the same after it). What two cameras are to each other must be the same in all their pictures; that
settles the ways. A bundle adjustment (`calibrate.bundle`) then moves all cameras and boards at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from mocaplift import cameras
from mocaplift.calibrate.board import Board
from mocaplift.calibrate.bundle import Observations, adjust
from mocaplift.calibrate.intrinsics import OUTLIER, Lens
from mocaplift.calibrate.pictures import Seen
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera

# Two cameras agree about a picture if the board placed by one is within this many px of where the other sees it.
AGREE_PX = 8.0
# The pair of cameras is tried in this many of its pictures, those with most corners.
MOST_TRIED = 12
# Pictures that contradict the others in this many px at least are left out.
OUTLIER_PX = 1.0
# A rig whose corners are off by more than this (px) is none: pictures were not taken at once, or not of one board.
WORST_PX = 5.0

Pose = Float[np.ndarray, "4 4"]


@dataclass(frozen=True, eq=False)
class Placed:
    """Cameras in one world, and how well the pictures agree about it.

    Attributes:
        poses: `cam_from_world` by camera, m. The world is that of the first camera.
        boards: `world_from_board` by the key of the picture.
        error_px: root mean square distance between corners seen and computed, by camera, px.
        used: how many pictures, by camera.
        rejected: labels of pictures left out because they contradict the others, with their error, px.
    """

    poses: Mapping[str, Pose]
    boards: Mapping[str, Pose]
    error_px: Mapping[str, float]
    used: Mapping[str, int]
    rejected: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _View:
    """One camera's sighting of the board in one picture, distortion removed."""

    points: Float[np.ndarray, "N 3"]
    ideal: Float[np.ndarray, "N 2"]
    focal: float
    poses: tuple[Pose, ...]

    def error(self, pose: Pose) -> float:
        """Return how far (px, root mean square) the corners are from where this pose puts them."""
        xyz = self.points @ pose[:3, :3].T + pose[:3, 3]
        if xyz[:, 2].min() <= cameras.NEAREST_DEPTH:
            return np.inf
        off = xyz[:, :2] / xyz[:, 2:] - self.ideal
        return self.focal * float(np.sqrt((off**2).sum(-1).mean()))


def place_cameras(lenses: Sequence[Lens], seen: Sequence[Seen], board: Board) -> Placed:
    """Return cameras in one world from what they saw of a board at the same times.

    Raises:
        CalibrationError: cameras share no picture, or their pictures contradict each other; the message names
            them.
    """
    views = _views(lenses, seen, board)
    names = list(views)
    turn = _half_turn(board)
    poses = _chained(views, turn)
    boards = {key: _best_board(key, views, poses, turn) for key in _shared(views)}
    if len(names) == 1:
        boards = {key: view.poses[0] for key, view in views[names[0]].items()}
    labels = {key: label for each in seen for key, label in each.labels.items()}
    rejected: dict[str, float] = {}
    while True:
        data = _observations(views, boards, poses, turn)
        poses, boards, off = adjust(data, poses, boards)
        by_key = {key: _rms(off[data.board == place]) for place, key in enumerate(boards)}
        limit = max(OUTLIER * float(np.median(list(by_key.values()))), OUTLIER_PX)
        bad = {key: error for key, error in by_key.items() if error > limit}
        if not bad:
            break
        rejected |= {labels[key]: error for key, error in bad.items()}
        boards = {key: pose for key, pose in boards.items() if key not in bad}
    errors = {name: _rms(off[data.camera == place]) for place, name in enumerate(names)}
    for name, error in errors.items():
        num_used = sum(key in views[name] for key in boards)
        if not num_used or not error < WORST_PX:
            trouble = (
                "none of its pictures agrees with the other cameras'"
                if not num_used
                else f"it is {error:.1f} px off"
            )
            raise CalibrationError(
                f"camera {name}: {trouble}; check that the pictures were taken at once, in the same order, "
                "and that the board did not move meanwhile"
            )
    used = {name: sum(key in views[name] for key in boards) for name in names}
    return Placed(poses, boards, errors, used, rejected)


def _views(lenses: Sequence[Lens], seen: Sequence[Seen], board: Board) -> dict[str, dict[str, _View]]:
    """Return what each camera saw, by the key of the picture.

    Raises:
        CalibrationError: a camera saw the board in no picture.
    """
    views: dict[str, dict[str, _View]] = {}
    for lens, each in zip(lenses, seen, strict=True):
        camera = Camera(lens.camera, lens.intrinsics, lens.distortion, np.eye(4), lens.size)
        found = {}
        for key, sighting in each.sightings.items():
            points = board.points[sighting.ids]
            ideal = cameras.normalized(camera, sighting.xy)
            focal = float(np.sqrt(lens.intrinsics[0, 0] * lens.intrinsics[1, 1]))
            if poses := plane_poses(points, ideal):
                found[key] = _View(points, ideal, focal, poses)
        if not found:
            raise CalibrationError(
                f"camera {lens.camera}: the board was found in none of its {len(each.labels)} pictures for "
                "extrinsics; it must be seen whole and sharp. Without a board, known points of the place "
                "will do (--scene)"
            )
        views[lens.camera] = found
    return views


def plane_poses(points: Float[np.ndarray, "N 3"], ideal: Float[np.ndarray, "N 2"]) -> tuple[Pose, ...]:
    """Return the one or two poses of a plane that its points (m) are seen in at (x/z, y/z), the better first."""
    try:
        count, turns, shifts, _ = cv2.solvePnPGeneric(
            points, ideal[:, None], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:
        return ()
    poses = []
    for turn, shift in zip(turns[:count], shifts[:count], strict=True):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift.ravel()
        if np.isfinite(pose).all():
            poses.append(pose)
    return tuple(poses)


def _half_turn(board: Board) -> list[Pose]:
    """Return the motions of a board after which it looks the same."""
    turns = [np.eye(4)]
    if board.is_two_way:
        half = np.diag([-1.0, -1.0, 1.0, 1.0])
        half[:2, 3] = board.points[0, :2] + board.points[-1, :2]
        turns.append(half)
    return turns


def _chained(views: Mapping[str, Mapping[str, _View]], turn: list[Pose]) -> dict[str, Pose]:
    """Return all cameras in the world of the first, over the pairs that agree in most pictures.

    Raises:
        CalibrationError: a camera agrees with no other.
    """
    names = list(views)
    pairs: dict[tuple[str, str], tuple[int, float, Pose]] = {}
    for one, other in itertools.combinations(names, 2):
        found = _relative(views[one], views[other], turn)
        if found is not None:
            pairs[one, other] = found
            pairs[other, one] = (*found[:2], np.linalg.inv(found[2]))
    poses = {names[0]: np.eye(4)}
    while len(poses) < len(names):
        open_pairs = [pair for pair in pairs if pair[0] in poses and pair[1] not in poses]
        if not open_pairs:
            lost = ", ".join(name for name in names if name not in poses)
            raise CalibrationError(
                f"no picture in which the board is found ties {lost} to {', '.join(poses)}; take pictures "
                "in which cameras of both groups see the board at once"
            )
        best = max(open_pairs, key=lambda pair: (pairs[pair][0], -pairs[pair][1]))
        poses[best[1]] = pairs[best][2] @ poses[best[0]]
    return {name: poses[name] for name in names}


def _relative(
    one: Mapping[str, _View], other: Mapping[str, _View], turn: list[Pose]
) -> tuple[int, float, Pose] | None:
    """Return in how many pictures two cameras agree, their mean error (px), and `other_from_one`."""
    keys = sorted(set(one) & set(other), key=lambda key: -min(len(one[key].points), len(other[key].points)))
    best: tuple[int, float, Pose] | None = None
    for key in keys[:MOST_TRIED]:
        for mine, theirs, half in itertools.product(one[key].poses, other[key].poses, turn):
            candidate = theirs @ np.linalg.inv(mine @ half)
            errors = [
                min(
                    one[each].error(pose) + other[each].error(candidate @ pose @ again)
                    for pose in one[each].poses
                    for again in turn
                )
                for each in keys
            ]
            agreeing = [error for error in errors if error < 2 * AGREE_PX]
            if agreeing:
                found = len(agreeing), float(np.mean(agreeing)), candidate
                if best is None or (found[0], -found[1]) > (best[0], -best[1]):
                    best = found
    return best


def _shared(views: Mapping[str, Mapping[str, _View]]) -> list[str]:
    """Return the keys of the pictures that at least two cameras have."""
    keys = [key for found in views.values() for key in found]
    return [key for key in dict.fromkeys(keys) if keys.count(key) > 1]


def _best_board(
    key: str, views: Mapping[str, Mapping[str, _View]], poses: Mapping[str, Pose], turn: list[Pose]
) -> Pose:
    """Return `world_from_board` of a picture, as the camera places it with which all agree best."""
    seeing = [name for name in views if key in views[name]]
    candidates = [np.linalg.inv(poses[name]) @ pose for name in seeing for pose in views[name][key].poses]

    def total(board: Pose) -> float:
        return sum(
            min(views[name][key].error(poses[name] @ board @ half) for half in turn) ** 2 for name in seeing
        )

    return min(candidates, key=total)


def _observations(
    views: Mapping[str, Mapping[str, _View]],
    boards: Mapping[str, Pose],
    poses: Mapping[str, Pose],
    turn: list[Pose],
) -> Observations:
    """Return all corners of these pictures in one table, those of half-turned boards turned back."""
    rows = []
    for camera, (name, found) in enumerate(views.items()):
        for place, (key, board) in enumerate(boards.items()):
            if key not in found:
                continue
            view = found[key]
            half = min(turn, key=lambda half: view.error(poses[name] @ board @ half))
            points = view.points @ half[:3, :3].T + half[:3, 3]
            number = len(points)
            rows.append(
                (
                    np.full(number, camera),
                    np.full(number, place),
                    points,
                    view.ideal,
                    np.full(number, view.focal),
                )
            )
    return Observations(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _rms(off: np.ndarray) -> float:
    return float(np.sqrt((off**2).sum(-1).mean())) if len(off) else 0.0
