"""The other things that the numbers of a camera file may mean, and the other videos its cameras may belong to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from mocaplift.calibrate import Calibration
from mocaplift.calibrate.assemble import Y_UP_FROM
from mocaplift.values import Camera

# Up to so many cameras all orders are tried (24); above, exchanges of two.
MOST_ORDERED = 4

Matrix = Float[np.ndarray, "4 4"]


def readings(calibration: Calibration) -> Iterator[tuple[str, tuple[Camera, ...]]]:
    """Yield the other ways to read the same numbers, each with its name.

    A reader that turned the world upright did so on the world's side of the matrix. Where the matrix is the
    other way round that side was the camera's, so the turn is undone, the matrix read, and the turn done again.
    """
    for turn in _TURNS if calibration.up is not None else _TURNS[:1]:
        for (way, convert), (axes, flip) in itertools.product(_WAYS.items(), _AXES.items()):
            # Plain matrices do not care how the world was turned; plain in both is the file as it is.
            if convert is _unchanged and (not axes or turn is not _TURNS[0]):
                continue
            rig = tuple(
                _posed(camera, flip @ convert(camera.cam_from_world @ turn) @ turn.T)
                for camera in calibration.cameras
            )
            yield ", ".join(filter(None, [way, axes])), rig


def orders(calibration: Calibration, seen: Sequence[bool]) -> Iterator[tuple[str, tuple[Camera, ...]]]:
    """Yield the same cameras given to other videos of the same size, as they are and inverted.

    Args:
        calibration: the cameras in the order of the views.
        seen: whether anybody was seen in each view: exchanges among the others change nothing.
    """
    cameras = calibration.cameras
    views = range(len(cameras))
    if len(cameras) <= MOST_ORDERED:
        tried = [order for order in itertools.permutations(views) if order != tuple(views)]
    else:
        tried = []
        for a, b in itertools.combinations(views, 2):
            exchanged = list(views)
            exchanged[a], exchanged[b] = b, a
            tried.append(tuple(exchanged))
    for order in tried:
        if any(cameras[a].size != cameras[b].size for a, b in enumerate(order)):
            continue
        if not any(a != b and (seen[a] or seen[b]) for a, b in enumerate(order)):
            continue
        rig = tuple(cameras[position] for position in order)
        name = "cameras in the order " + ", ".join(camera.name for camera in rig)
        yield name, rig
        yield (
            f"inverse extrinsics, {name}",
            tuple(_posed(camera, np.linalg.inv(camera.cam_from_world)) for camera in rig),
        )


def _unchanged(matrix: Matrix) -> Matrix:
    return matrix


def _placed(matrix: Matrix) -> Matrix:
    """Return the matrix of a camera whose rotation is right and whose translation is its place in the world."""
    out = matrix.copy()
    out[:3, 3] = -matrix[:3, :3] @ matrix[:3, 3]
    return out


def _turned_round(matrix: Matrix) -> Matrix:
    """Return the matrix of a camera whose translation is right and whose rotation is the wrong way round."""
    out = matrix.copy()
    out[:3, :3] = matrix[:3, :3].T
    return out


_WAYS: dict[str, Callable[[Matrix], Matrix]] = {
    "": _unchanged,
    "inverse extrinsics": np.linalg.inv,
    "translation is the camera's place": _placed,
    "rotation the other way round": _turned_round,
}
# What the camera's own axes may be instead of x right, y down, z forward.
_AXES = {
    "": np.eye(4),
    "camera axes x right, y up, z backward": np.diag([1.0, -1.0, -1.0, 1.0]),
    "camera axes x left, y up, z forward": np.diag([-1.0, -1.0, 1.0, 1.0]),
}
# How a reader may have turned the world upright; not at all comes first.
_TURNS = [np.block([[turn, np.zeros((3, 1))], [np.zeros((1, 3)), 1.0]]) for turn in Y_UP_FROM.values()]


def _posed(camera: Camera, cam_from_world: Matrix) -> Camera:
    return Camera(camera.name, camera.intrinsics, camera.distortion, cam_from_world, camera.size)
