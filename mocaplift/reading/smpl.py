"""Reading SMPL parameters: AMASS's .npz and its kin, as a motion on a skeleton of ours.

Read are `poses` (24, 52, 55 joints), or `root_orient`/`global_orient` with `pose_body`/`body_pose`; `trans` or
`transl`; `betas`; the rate as `mocap_framerate`, `mocap_frame_rate` or `fps`. Names of AIST++ (`smpl_poses`,
`smpl_trans`, `smpl_scaling`) as well.

No model file is needed: what only the model knows is taken from our own files where they tell it (`joints`,
`pelvis_offset`), else from the mean body. Then the limbs point where the model's do, but lengths are a mean
adult's, and the pelvis is where the neutral model has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.errors import InvalidData
from mocaplift.export.presets import MEAN_PELVIS
from mocaplift.export.smpl import rest_corrections
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.reading.arrays import read_arrays
from mocaplift.values import Skeleton, SkeletonMotion

_POSES, _ROOT, _BODY = ("poses", "smpl_poses"), ("root_orient", "global_orient"), ("pose_body", "body_pose")
_TRANS, _RATES = ("trans", "transl", "smpl_trans"), ("mocap_framerate", "mocap_frame_rate", "fps")
_OTHERS = ("betas", "gender", "joints", "joint_names", "pelvis_offset", "smpl_scaling")
MOST_FRAMES = 500_000  # over an hour at 120 fps
HIGHEST_FPS = 10_000.0
LARGEST = 1e6  # m and rad: beyond it a number is damage
# SMPL-H's and SMPL-X's poses have fingers and a face after the joints of the body.
NUM_BODY = 22
# Joints that are this rigid (m) on the poses of the same file were made with them.
SAME_PLACE = 1e-3
# A pelvis stands along the axis that is this near (cosine) to it in the median of the frames.
LEAST_UPRIGHT = 0.5


def read_smpl(path: Path, fps: float | None = None) -> tuple[SkeletonMotion, tuple[str, ...]]:
    """Return the motion of a file of SMPL parameters, and sentences about what was assumed.

    `fps` is the rate where the file tells none.

    Raises:
        InvalidData: the file is damaged, holds no such parameters, or tells no rate and none was given.
    """
    arrays = read_arrays(path, (*_POSES, *_ROOT, *_BODY, *_TRANS, *_RATES, *_OTHERS))
    turns = _turns(arrays, path)
    rate = _rate(arrays, fps, path)
    root = _path(arrays, len(turns), path)
    is_z_up = _stands_along_z(turns, arrays)
    if is_z_up:
        turns[:, 0] = rotations.multiply(rotations.from_matrix(rotations.Y_UP_FROM_Z_UP), turns[:, 0])
    pelvis = np.array(arrays.get("pelvis_offset", MEAN_PELVIS), dtype=float)
    if pelvis.shape != (3,) or not (np.abs(pelvis) < LARGEST).all():
        raise InvalidData(f"{path}: pelvis_offset is no three numbers")
    # SMPL turns the body about its rest pelvis, which `trans` then moves, in the axes of the file.
    root = root + pelvis
    if is_z_up:
        root = rotations.y_up_from_z_up(root)
    skeleton = _own_skeleton(arrays, turns)
    if skeleton is not None:
        return SkeletonMotion(skeleton, rotations.make_continuous(turns), root, rate), ()
    from mocaplift.body import load_body

    body = load_body()
    skeleton = body.skeleton(np.zeros(body.num_shape))
    note = "the file does not tell the bones' lengths: those of a mean adult were taken"
    local = _uncorrected(turns, skeleton)
    return SkeletonMotion(skeleton, rotations.make_continuous(local), root, rate), (note,)


def _turns(arrays: dict[str, np.ndarray], path: Path) -> Float[np.ndarray, "T 24 4"]:
    """Return the model's local rotations (wxyz), the two hands (or what stands for them) at rest."""
    poses = next((arrays[name] for name in _POSES if name in arrays), None)
    if poses is None:
        parts = [next((arrays[name] for name in names if name in arrays), None) for names in (_ROOT, _BODY)]
        if parts[0] is None or parts[1] is None:
            raise InvalidData(
                f"{path}: holds neither poses nor root_orient and pose_body: no SMPL parameters, nor our values"
            )
        first, second = (_flat(part, path) for part in parts if part is not None)
        if len(first) != len(second):
            raise InvalidData(f"{path}: {len(first)} frames of the root, but {len(second)} of the body")
        poses = np.concatenate([first, second], axis=1)
    vectors = _flat(poses, path)
    if vectors.shape[1] < 3 * (NUM_BODY - 1) or vectors.shape[1] % 3:
        raise InvalidData(
            f"{path}: poses have {vectors.shape[1]} numbers a frame, fewer than SMPL's joints need"
        )
    body = vectors[:, : 3 * NUM_BODY].reshape(len(vectors), -1, 3)
    turns = np.zeros((len(vectors), len(SMPL24), 4))
    turns[..., 0] = 1.0
    turns[:, : body.shape[1]] = rotations.from_rotvec(body)
    if vectors.shape[1] == 3 * len(SMPL24):
        turns[:, NUM_BODY:] = rotations.from_rotvec(vectors[:, 3 * NUM_BODY :].reshape(len(vectors), -1, 3))
    return turns


def _flat(array: np.ndarray, path: Path) -> Float[np.ndarray, "T N"]:
    if array.dtype.kind not in "fiu" or array.ndim < 2 or not 0 < len(array) <= MOST_FRAMES:
        raise InvalidData(f"{path}: an array of poses has the shape {list(array.shape)} of {array.dtype}")
    flat = array.reshape(len(array), -1).astype(float)
    if not (np.abs(flat) < LARGEST).all():
        frame = int(np.flatnonzero(~(np.abs(flat) < LARGEST).all(axis=1))[0])
        raise InvalidData(f"{path}: frame {frame} of the poses holds a value that is not finite")
    return flat


def _rate(arrays: dict[str, np.ndarray], given: float | None, path: Path) -> float:
    stated = next((arrays[name] for name in _RATES if name in arrays), None)
    if stated is None:
        if given is None:
            raise InvalidData(f"{path}: tells no frame rate; say --from-fps")
        return given
    if stated.size != 1 or stated.dtype.kind not in "fiu" or not 0 < float(stated.reshape(())) < HIGHEST_FPS:
        raise InvalidData(f"{path}: its frame rate is no rate")
    return float(stated.reshape(()))


def _path(arrays: dict[str, np.ndarray], frames: int, path: Path) -> Float[np.ndarray, "T 3"]:
    found = next((arrays[name] for name in _TRANS if name in arrays), None)
    if found is None:
        return np.zeros((frames, 3))
    if found.shape != (frames, 3) or found.dtype.kind not in "fiu" or not (np.abs(found) < LARGEST).all():
        raise InvalidData(
            f"{path}: trans must be {frames} finite places, but has the shape {list(found.shape)}"
        )
    scaling = arrays.get("smpl_scaling")
    if scaling is None:
        return found.astype(float)
    if scaling.size != 1 or not 0 < float(scaling.reshape(())) < LARGEST:
        raise InvalidData(f"{path}: smpl_scaling is no positive number")
    return found.astype(float) / float(scaling.reshape(()))


def _stands_along_z(turns: Float[np.ndarray, "T 24 4"], arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether the world has +Z up: AMASS's has; others are told by where the pelvis points."""
    up = np.median(rotations.rotate(turns[:, 0], np.array([0.0, 1.0, 0.0])), axis=0)
    is_amass = "mocap_framerate" in arrays or "mocap_frame_rate" in arrays
    return (
        bool(up[1] < LEAST_UPRIGHT or up[2] > up[1]) if is_amass else bool(up[2] > max(up[1], LEAST_UPRIGHT))
    )


def _own_skeleton(arrays: dict[str, np.ndarray], turns: Float[np.ndarray, "T 24 4"]) -> Skeleton | None:
    """Return the skeleton whose joints our own files hold beside the poses, None where they do not fit them.

    It rests as SMPL does, so that the poses are its own: limbs need no correction.
    """
    joints, names = arrays.get("joints"), arrays.get("joint_names")
    if joints is None or names is None or tuple(names.astype(str).ravel().tolist()) != SMPL24.joints:
        return None
    if joints.shape != (len(turns), len(SMPL24), 3) or not (np.abs(joints) < LARGEST).all():
        return None
    xyz = rotations.y_up_from_z_up(joints.astype(float))
    world = _world(turns)
    offsets = np.zeros((len(SMPL24), 3))
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            steps = rotations.rotate(rotations.conjugate(world[:, parent]), xyz[:, child] - xyz[:, parent])
            offsets[child] = steps.mean(axis=0)
            if np.abs(steps - offsets[child]).max() > SAME_PLACE:
                return None
    return Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=offsets)


def _world(local: Float[np.ndarray, "T 24 4"]) -> Float[np.ndarray, "T 24 4"]:
    world = local.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            world[:, child] = rotations.multiply(world[:, parent], local[:, child])
    return world


def _uncorrected(turns: Float[np.ndarray, "T 24 4"], skeleton: Skeleton) -> Float[np.ndarray, "T 24 4"]:
    """Return local rotations of the skeleton whose limbs point where SMPL's do."""
    world = rotations.multiply(_world(turns), rotations.conjugate(rest_corrections(skeleton)))
    local = world.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            local[:, child] = rotations.multiply(rotations.conjugate(world[:, parent]), world[:, child])
    return rotations.normalize(local)
