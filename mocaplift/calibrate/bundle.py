"""Bundle adjustment: cameras and boards moved at once until all corners are seen where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import least_squares
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial.transform import Rotation

Pose = Float[np.ndarray, "4 4"]

# Corners farther off than this (px) count by their distance, not by its square.
ROBUST_PX = 1.0
# Steps of the adjustment; from a good start it needs 5 to 15.
MOST_STEPS = 60
# Nearer points (m) are moved out to this depth: steps may carry a board through a camera.
NEAREST = 1e-2


@dataclass(frozen=True, eq=False)
class Observations:
    """Corners that cameras saw: which camera, which board, where on it (m), where in the picture (x/z, y/z).

    `focal` (px) turns distances in the picture's plane into pixels.
    """

    camera: Int[np.ndarray, "N"]
    board: Int[np.ndarray, "N"]
    points: Float[np.ndarray, "N 3"]
    ideal: Float[np.ndarray, "N 2"]
    focal: Float[np.ndarray, "N"]


def adjust(
    data: Observations, poses: Mapping[str, Pose], boards: Mapping[str, Pose]
) -> tuple[dict[str, Pose], dict[str, Pose], Float[np.ndarray, "N 2"]]:
    """Return better poses of cameras (`cam_from_world`) and boards (`world_from_board`), and what is left (px).

    The first camera stays where it is.
    """
    start = np.concatenate([_vector(pose) for pose in (*list(poses.values())[1:], *boards.values())])
    fixed = _vector(next(iter(poses.values())))

    def left(vector: np.ndarray) -> np.ndarray:
        table = np.concatenate([fixed, vector]).reshape(-1, 6)
        turns, shifts = Rotation.from_rotvec(table[:, :3]).as_matrix(), table[:, 3:]
        camera, board = data.camera, data.board + len(poses)
        world = np.einsum("nij,nj->ni", turns[board], data.points) + shifts[board]
        xyz = np.einsum("nij,nj->ni", turns[camera], world) + shifts[camera]
        off = xyz[:, :2] / np.maximum(xyz[:, 2:], NEAREST) - data.ideal
        return (off * data.focal[:, None]).ravel()

    found = least_squares(
        left,
        start,
        jac_sparsity=_sparsity(data, len(poses), len(boards)),
        x_scale="jac",
        loss="soft_l1",
        f_scale=ROBUST_PX,
        max_nfev=MOST_STEPS,
    )
    table = np.concatenate([fixed, found.x]).reshape(-1, 6)
    moved = [_pose(row) for row in table]
    return (
        dict(zip(poses, moved[: len(poses)], strict=True)),
        dict(zip(boards, moved[len(poses) :], strict=True)),
        left(found.x).reshape(-1, 2),
    )


def _sparsity(data: Observations, num_cameras: int, num_boards: int) -> csr_matrix:
    """Return which residual depends on which number: each on its camera and its board."""
    number = len(data.camera)
    rows = np.repeat(np.arange(2 * number), 12)
    blocks = np.stack([data.camera - 1, data.board + num_cameras - 1], axis=-1)
    columns = (6 * blocks[:, None, :, None] + np.arange(6)).repeat(2, axis=1).ravel()
    kept = columns >= 0
    shape = (2 * number, 6 * (num_cameras - 1 + num_boards))
    return coo_matrix((np.ones(kept.sum()), (rows[kept], columns[kept])), shape=shape).tocsr()


def _vector(pose: Pose) -> np.ndarray:
    return np.concatenate([Rotation.from_matrix(pose[:3, :3]).as_rotvec(), pose[:3, 3]])


def _pose(vector: np.ndarray) -> Pose:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec(vector[:3]).as_matrix(), vector[3:]
    return pose
