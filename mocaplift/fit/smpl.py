"""SMPL by the user's own model file: shape and pose whose joints meet ours, and the body as a mesh.

Needs `pip install 'mocaplift[smplx]'` and a model file, which we may not ship. Shape follows from bone lengths
by Gauss-Newton; pose starts from our rotations, turned so that SMPL's bones point where ours do, and is refined
by L-BFGS through smplx's own kinematics. SMPL's translation (`transl`) is not the root: it turns the body about
its rest pelvis J0 and adds `transl`, so that root = J0 + transl.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData, MissingDependency, UnsupportedFormat
from mocaplift.files import write_whole
from mocaplift.fit.smpl_model import SHARED_JOINTS, SmplModel
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.values import Skeleton, SkeletonMotion

MESH_FORMATS = (".glb", ".obj", ".ply")
# How far SMPL's bones may be from ours (m): limbs are measured alike, joints of the trunk are placed differently
# in every body model.
LIMB_ERROR, TRUNK_ERROR = 0.01, 0.03
_LIMBS = ("knee", "ankle", "elbow", "wrist")
# Shape coefficients have variance 1 over adults; turns of the refinement are small (rad).
TURN_ERROR = 0.15
JOINT_ERROR = 0.01  # m
SHAPE_ROUNDS = 20
POSE_STEPS = 60
CHUNK = 512  # frames refined at once; they do not depend on each other
# Joints with one bone that tells their direction; pelvis, chest, hands and feet rest alike in all such models.
_AIMED = ("hip", "knee", "shoulder", "elbow")


class SmplFit(NamedTuple):
    """A motion as the user's model has it, in our world.

    `motion`'s skeleton are the model's own bones at `betas`; `pelvis` is J0 (m, model axes), so that SMPL's
    `transl` is root - pelvis; `error` is the mean distance (m) of its joints from ours.
    """

    motion: SkeletonMotion
    betas: Float[np.ndarray, "S"]
    pelvis: Float[np.ndarray, "3"]
    error: float


def fit_smpl(motion: SkeletonMotion, model: SmplModel) -> SmplFit:
    """Return shape and pose with which the model's joints meet the motion's.

    Raises:
        InvalidData: the motion's joints are not SMPL's.
        MissingDependency: smplx or torch is not installed.
    """
    if motion.skeleton.layout.joints != SMPL24.joints:
        raise InvalidData(f"an SMPL fit needs the joints of {SMPL24.name}, not {motion.skeleton.layout.name}")
    torch, lbs = _smplx()
    betas = fit_shape(motion.skeleton, model)
    rest = _joints24(model, betas, motion.skeleton)
    skeleton = Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=_offsets(rest))
    xyz, world = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    start = _aimed(world, motion.skeleton, skeleton)
    turns, root = np.zeros_like(start), np.zeros_like(motion.root)
    for first in range(0, len(xyz), CHUNK):
        part = slice(first, first + CHUNK)
        turns[part], root[part] = _refine(torch, lbs, start[part], xyz[part], skeleton)
    fitted = SkeletonMotion(skeleton, rotations.make_continuous(turns), root, motion.fps)
    found = kinematics.joints_of(fitted).xyz
    error = float(np.linalg.norm(found - xyz, axis=-1)[:, :SHARED_JOINTS].mean())
    return SmplFit(fitted, betas, rest[0], error)


def fit_shape(skeleton: Skeleton, model: SmplModel) -> Float[np.ndarray, "S"]:
    """Return the shape coefficients whose bone lengths are the skeleton's, as likely as possible.

    Gauss-Newton on lengths |J_child - J_parent|, which are linear in the coefficients but for the norm.
    """
    basis = np.einsum("kn,nds->kds", model.joint_regressor, model.shape_basis)
    mean = model.joint_regressor @ model.template
    bones = [(child, parent) for child, parent in enumerate(SMPL_PARENTS[:SHARED_JOINTS]) if parent >= 0]
    children, parents = (list(column) for column in zip(*bones, strict=True))
    wanted = np.linalg.norm(skeleton.offsets[children], axis=-1)
    is_limb = [SMPL24.joints[child].endswith(_LIMBS) for child in children]
    weight = 1 / np.where(is_limb, LIMB_ERROR, TRUNK_ERROR)
    betas = np.zeros(basis.shape[-1])
    slopes = basis[children] - basis[parents]
    for _ in range(SHAPE_ROUNDS):
        bone = (mean[children] - mean[parents]) + slopes @ betas
        length = np.linalg.norm(bone, axis=-1)
        jacobian = weight[:, None] * np.einsum("bd,bds->bs", bone / length[:, None], slopes)
        residual = weight * (length - wanted)
        normal = jacobian.T @ jacobian + np.eye(len(betas))
        step = np.linalg.solve(normal, jacobian.T @ residual + betas)
        betas = betas - step
        if np.abs(step).max() < 1e-6:
            break
    return betas


def vertices_of(fit: SmplFit, model: SmplModel, frame: int) -> Float[np.ndarray, "N 3"]:
    """Return the body's skin in one frame, world metres (+Y up).

    Raises:
        InvalidData: there is no such frame.
        MissingDependency: smplx or torch is not installed.
    """
    frames = len(fit.motion.root)
    if not 0 <= frame < frames:
        raise InvalidData(f"frame {frame} is not one of the motion's {frames}")
    torch, lbs = _smplx()
    pose = np.zeros((1, len(model.parents), 3))
    shared = len(SMPL24) if len(model.parents) == len(SMPL24) else SHARED_JOINTS
    pose[0, :shared] = rotations.to_rotvec(fit.motion.rotations[frame, :shared])
    vertices, _ = lbs.lbs(
        torch.tensor(fit.betas[None]),
        torch.tensor(pose.reshape(1, -1)),
        torch.tensor(model.template),
        torch.tensor(model.shape_basis),
        torch.tensor(model.pose_basis.reshape(-1, model.pose_basis.shape[-1]).T.copy()),
        torch.tensor(model.joint_regressor),
        torch.tensor(model.parents),
        torch.tensor(model.skin_weights),
    )
    return vertices[0].numpy() + fit.motion.root[frame] - fit.pelvis


def write_mesh(path: Path, vertices: Float[np.ndarray, "N 3"], faces: Int[np.ndarray, "F 3"]) -> None:
    """Write a mesh as .glb, .obj or .ply by the file name, whole or not at all.

    Raises:
        UnsupportedFormat: another suffix.
        MissingDependency: trimesh is not installed.
        OutputError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in MESH_FORMATS:
        raise UnsupportedFormat(
            f"{path}: unknown mesh format; end the name in one of {', '.join(MESH_FORMATS)}"
        )
    try:
        import trimesh
    except ImportError as error:
        raise _missing("trimesh") from error
    content: Any = trimesh.Trimesh(vertices, faces, process=False).export(file_type=suffix[1:])
    write_whole(path, content.encode("utf-8") if isinstance(content, str) else content)


def _smplx() -> tuple[Any, Any]:
    """Return torch and smplx's kinematics, which only this module needs."""
    try:
        import torch
        from smplx import lbs
    except ImportError as error:
        raise _missing("smplx") from error
    return torch, lbs


def _missing(package: str) -> MissingDependency:
    return MissingDependency(f"{package} is not installed; pip install 'mocaplift[smplx]'")


def _joints24(
    model: SmplModel, betas: Float[np.ndarray, "S"], skeleton: Skeleton
) -> Float[np.ndarray, "J 3"]:
    """Return the model's rest joints as SMPL's 24; a model with fingers gets our two hand joints."""
    joints = model.joints(betas)
    if len(joints) == len(SMPL24):
        return joints
    rest = np.zeros((len(SMPL24), 3))
    rest[:SHARED_JOINTS] = joints[:SHARED_JOINTS]
    for hand in SMPL24.index("left_hand", "right_hand"):
        rest[hand] = rest[SMPL_PARENTS[hand]] + skeleton.offsets[hand]
    return rest


def _offsets(rest: Float[np.ndarray, "J 3"]) -> Float[np.ndarray, "J 3"]:
    offsets = np.zeros_like(rest)
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            offsets[child] = rest[child] - rest[parent]
    return offsets


def _aimed(world: Float[np.ndarray, "T J 4"], ours: Skeleton, theirs: Skeleton) -> Float[np.ndarray, "T J 4"]:
    """Return local rotations with which their limbs point where ours do; `world` are our world rotations."""
    turned = world.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0 and SMPL24.joints[parent].endswith(_AIMED):
            back = rotations.from_two_vectors(theirs.offsets[child], ours.offsets[child])
            turned[:, parent] = rotations.multiply(world[:, parent], back)
    local = turned.copy()
    for child, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            local[:, child] = rotations.multiply(rotations.conjugate(turned[:, parent]), turned[:, child])
    return local


def _refine(
    torch: Any,
    lbs: Any,
    start: Float[np.ndarray, "T J 4"],
    wanted: Float[np.ndarray, "T J 3"],
    skeleton: Skeleton,
) -> tuple[Float[np.ndarray, "T J 4"], Float[np.ndarray, "T 3"]]:
    """Return local rotations near `start`, and the root's path, whose joints are nearest to those wanted.

    Minimises joint distances / JOINT_ERROR and small turns / TURN_ERROR, squared. Frames are independent; a
    smooth motion gives a smooth result.
    """
    frames, joints = start.shape[:2]
    base = torch.tensor(rotations.to_matrix(start))
    rest = torch.tensor(kinematics.rest_positions(skeleton)).expand(frames, -1, -1)
    goal = torch.tensor(wanted)
    parents = torch.tensor(skeleton.parents)
    turn = torch.zeros((frames, joints, 3), dtype=torch.float64, requires_grad=True)
    root = goal[:, 0].clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [turn, root], max_iter=POSE_STEPS, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def cost() -> Any:
        optimizer.zero_grad()
        matrices = base @ lbs.batch_rodrigues(turn.reshape(-1, 3)).reshape(frames, joints, 3, 3)
        posed, _ = lbs.batch_rigid_transform(matrices, rest, parents)
        apart = (posed + root[:, None] - goal) / JOINT_ERROR
        loss = (apart**2).sum() + (turn**2).sum() / TURN_ERROR**2
        loss.backward()
        return loss

    optimizer.step(cost)
    turns = rotations.multiply(start, rotations.from_rotvec(turn.detach().numpy()))
    return rotations.normalize(turns), root.detach().numpy()
