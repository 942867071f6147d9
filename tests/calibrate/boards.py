"""Boards drawn as cameras see them, and cameras to see them: the truth of the calibration's tests."""

from functools import cache

import cv2
import numpy as np

from mocaplift import cameras
from mocaplift.calibrate.board import Board, Sighting
from mocaplift.calibrate.pictures import Seen
from mocaplift.values import Camera

SIZE = (640, 480)
BOARD = Board(4, 7, 0.06)
CHARUCO = Board(4, 5, 0.06, "DICT_4X4_50", 0.045)
CELL = 40  # texture pixels a square
MARGIN = 1  # white squares around


def camera(
    name: str = "cam1", focal: float = 600.0, k1: float = -0.1, pose: np.ndarray | None = None
) -> Camera:
    intrinsics = np.array([[focal, 0, 325.0], [0, focal, 236.0], [0, 0, 1]])
    distortion = np.array([k1, 0, 0, 0, 0])
    return Camera(name, intrinsics, distortion, np.eye(4) if pose is None else pose, SIZE)


def ring(number: int, radius: float = 1.6, height: float = 1.0) -> list[Camera]:
    """Return cameras on an arc of 40 degrees each that look at the origin's neighbourhood, +Y up, metres."""
    return [
        camera(
            f"cam{place + 1}",
            focal=600.0 + 20 * place,
            pose=cameras.look_at(
                np.array(
                    [radius * np.sin(np.radians(40 * place)), height, radius * np.cos(np.radians(40 * place))]
                ),
                np.array([0.1, 0.0, 0.2]),
            ),
        )
        for place in range(number)
    ]


def turned(x: float, y: float, z: float, at: tuple[float, float, float]) -> np.ndarray:
    """Return a motion: turned by these angles (degrees) about x, y and z, then put to a place (m)."""
    pose = np.eye(4)
    for axis, angle in ((2, z), (1, y), (0, x)):
        vector = np.zeros(3)
        vector[axis] = np.radians(angle)
        pose[:3, :3] = cv2.Rodrigues(vector)[0] @ pose[:3, :3]
    pose[:3, 3] = at
    return pose


def before(camera: Camera, number: int, seed: int = 0, board: Board = BOARD) -> list[np.ndarray]:
    """Return `world_from_board` of boards that a camera sees whole, near and tilted in all directions."""
    rng = np.random.default_rng(seed)
    poses: list[np.ndarray] = []
    while len(poses) < number:
        angles = rng.uniform(-40, 40, 2)
        from_board = turned(*angles, rng.uniform(0, 360), (0.0, 0.0, 0.0))
        middle = np.array([rng.uniform(-0.2, 0.2), rng.uniform(-0.15, 0.15), rng.uniform(0.6, 0.9)])
        from_board[:3, 3] = middle - from_board[:3, :3] @ board.points.mean(axis=0)
        pose = np.linalg.inv(camera.cam_from_world) @ from_board
        if is_whole(camera, board, pose):
            poses.append(pose)
    return poses


def corners(camera: Camera, board: Board, pose: np.ndarray) -> np.ndarray:
    return cameras.project(camera, board.points @ pose[:3, :3].T + pose[:3, 3])


def is_whole(camera: Camera, board: Board, pose: np.ndarray, rim: float = 45.0) -> bool:
    xy = corners(camera, board, pose)
    return bool(np.isfinite(xy).all() and (xy > rim).all() and (xy < np.array(camera.size) - rim).all())


def seen_by(camera: Camera, board: Board, poses: list[np.ndarray], noise: float = 0.1, seed: int = 1) -> Seen:
    """Return what a perfect detector sees, give or take `noise` px."""
    rng = np.random.default_rng(seed)
    sightings = {}
    for place, pose in enumerate(poses):
        if is_whole(camera, board, pose, rim=2.0):
            xy = corners(camera, board, pose)
            sightings[f"{place}"] = Sighting(np.arange(len(xy)), xy + noise * rng.standard_normal(xy.shape))
    return Seen(
        camera.name, camera.size, sightings, {f"{place}": f"{place}.png" for place in range(len(poses))}
    )


def texture(board: Board) -> tuple[np.ndarray, np.ndarray]:
    """Return a board's print with its margin, and where its origin is in it (texture px)."""
    if board.is_charuco:
        aruco = cv2.aruco.CharucoBoard(
            (board.columns, board.rows),
            board.square,
            board.marker or 0.0,
            cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary or "")),
        )
        print_ = aruco.generateImage((board.columns * CELL, board.rows * CELL), marginSize=0)
        origin = 0
    else:
        i, j = np.meshgrid(np.arange(board.columns + 1), np.arange(board.rows + 1))
        # Square (1, 1) lies between the first four corners; it is the dark one.
        print_ = (
            np.where((i + j) % 2 == 0, 20, 235).astype(np.uint8).repeat(CELL, axis=0).repeat(CELL, axis=1)
        )
        origin = CELL
    print_ = np.pad(print_, MARGIN * CELL, constant_values=235)
    return print_, np.full(2, origin + MARGIN * CELL - 0.5)


@cache
def fine_rays(
    size: tuple[int, int], intrinsics: tuple[float, ...], distortion: tuple[float, ...]
) -> np.ndarray:
    """Return (x/z, y/z, 1) of four places in each pixel: every test draws with the same few lenses."""
    seeing = Camera("", np.reshape(intrinsics, (3, 3)), np.array(distortion), np.eye(4), size)
    u, v = np.meshgrid(np.arange(size[0] * 2), np.arange(size[1] * 2))
    ideal = cameras.normalized(seeing, (np.stack([u, v], axis=-1) + 0.5) / 2 - 0.5)
    return np.concatenate([ideal, np.ones_like(ideal[..., :1])], axis=-1)


def picture(camera: Camera, board: Board, pose: np.ndarray, noise: float = 2.0) -> np.ndarray:
    """Return what a camera sees of a board at `world_from_board`, grey."""
    print_, origin = texture(board)
    from_board = camera.cam_from_world @ pose
    rays = fine_rays(camera.size, tuple(camera.intrinsics.ravel()), tuple(camera.distortion))
    normal, place = from_board[:3, 2], from_board[:3, 3]
    depth = (normal @ place) / (rays @ normal)
    on_board = (rays * depth[..., None] - place) @ from_board[:3, :3]
    at = (on_board[..., :2] / board.square * CELL + origin).astype(np.float32)
    at[depth <= 0] = -1e4
    seen = cv2.remap(print_, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=110)
    image = cv2.resize(seen, camera.size, interpolation=cv2.INTER_AREA).astype(float)
    image += noise * np.random.default_rng(3).standard_normal(image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
