"""A body anyone may use, on any rig: our free mesh in the shape of the actor, fitted to the bones at rest.

The mesh follows the shape coefficients of the body model. What is left between its joints and the rig's (other
proportions, another rest pose) is bridged bone by bone: each turns, shifts and stretches its part of the surface
so that both ends meet the rig's, and the skin weights blend between bones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from mocaplift.body import Body, load_body
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.export.rigged import Rigged
from mocaplift.export.skin import Skin
from mocaplift.kinematics import rest_positions
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.rotations import from_two_vectors, to_matrix
from mocaplift.weights import load_arrays, locate

# The joints whose limb may point elsewhere at rest: there the surface turns with it. The trunk, the head and the
# feet rest alike in all templates; between their joints it only stretches.
_TURNING = ("hip", "knee", "shoulder", "elbow", "wrist")
# A bone shorter than this (m) cannot tell how its surface is stretched.
STRETCH_LENGTH = 0.02
# How far (m) a bone's length may be from the body model's before the shape follows it: rigs round and merge bones.
LENGTH_SIGMA = 0.01
# Coefficients have variance 1 over people: beyond this is one in 400, and soon nobody.
RAREST_SHAPE = 3.0


@dataclass(frozen=True, eq=False)
class BodyMesh:
    """The surface of the body model in the T-pose (m, about the pelvis), its change with shape, and its weights.

    `joints` are positions in SMPL24. Triangles run counter-clockwise seen from outside.
    """

    vertices: Float[np.ndarray, "N 3"]
    basis: Float[np.ndarray, "N 3 S"]
    triangles: Int[np.ndarray, "F 3"]
    joints: Int[np.ndarray, "N 4"]
    weights: Float[np.ndarray, "N 4"]


@lru_cache(maxsize=2)
def load_body_mesh(name: str = "body-mesh") -> BodyMesh:
    """Return the surface of a weight file.

    Raises:
        WeightsError: the file is missing, damaged, or made for other joints.
    """
    path = locate(name)
    arrays, header = load_arrays(path, "body-mesh")
    if tuple(header.get("joints", ())) != SMPL24.joints:
        raise WeightsError(f"{path}: made for other joints than {SMPL24.name}")
    try:
        mesh = BodyMesh(
            vertices=arrays["vertices"].astype(float),
            basis=arrays["basis"].astype(float),
            triangles=arrays["triangles"].astype(int),
            joints=arrays["joints"].astype(int),
            weights=arrays["weights"] / float(header["weight_unit"]),
        )
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error}") from error
    if mesh.joints.max() >= len(SMPL24) or mesh.basis.shape[-1] != load_body().num_shape:
        raise WeightsError(f"{path}: does not fit the body model; make both again (`mocaplift train mesh`)")
    return mesh


def body_skin(rigged: Rigged, shape: Float[np.ndarray, "S"] | None = None) -> Skin:
    """Return the body on the rig at rest.

    Without the actor's shape coefficients, the likely ones are told from the lengths of the bones.

    Raises:
        InvalidData: the rig has no bone that is our pelvis.
        WeightsError: the file of the surface is missing or damaged.
    """
    if "pelvis" not in rigged.joints:
        raise InvalidData("a body needs a rig with our joints, but no bone of this one is the pelvis")
    mesh, body = load_body_mesh(), load_body()
    bones = _bones(rigged)
    places, _ = rigged.rest_world()
    if shape is None:
        shape = likely_shape(rigged, body)
    own = rest_positions(body.skeleton(shape))
    targets, maps = _onto(own, {joint: places[bone] for joint, bone in bones.items()})
    vertices = mesh.vertices + mesh.basis @ shape
    fitted = np.zeros_like(vertices)
    for column in range(mesh.joints.shape[1]):
        joint = mesh.joints[:, column]
        moved = targets[joint] + np.einsum("vij,vj->vi", maps[joint], vertices - own[joint])
        fitted += mesh.weights[:, column, None] * moved
    joints, weights = _merged(_nearest_bones(bones)[mesh.joints], mesh.weights)
    return Skin(
        vertices=fitted,
        triangles=mesh.triangles,
        joints=joints,
        weights=weights,
        normals=normals_of(fitted, mesh.triangles),
    )


def likely_shape(rigged: Rigged, body: Body) -> Float[np.ndarray, "S"]:
    """Return the most likely shape coefficients of a person with the rig's bone lengths, none of them rare.

    Skeletons that are unlike a person's are not made likely by a body that nobody has.
    """
    bones = _bones(rigged)
    places, _ = rigged.rest_world()
    pairs = [(child, above) for child, above in enumerate(SMPL_PARENTS) if child in bones and above in bones]
    children = [child for child, _ in pairs]
    lengths = [np.linalg.norm(places[bones[child]] - places[bones[above]]) for child, above in pairs]
    mean = body.mean_offsets[children]
    usual = np.linalg.norm(mean, axis=-1)
    slopes = np.einsum("kc,kcs->ks", mean / usual[:, None], body.offset_basis[children]) / LENGTH_SIGMA
    wanted = (np.array(lengths) - usual) / LENGTH_SIGMA
    prior = np.eye(body.num_shape)
    while True:
        shape = np.linalg.solve(slopes.T @ slopes + prior, slopes.T @ wanted)
        if np.abs(shape).max() <= RAREST_SHAPE:
            return np.asarray(shape)
        prior = 2 * prior


def normals_of(
    vertices: Float[np.ndarray, "N 3"], triangles: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N 3"]:
    """Return unit normals, the mean of the triangles around each vertex by area."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)
    sums = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(areas[:, axis], 3), len(vertices)) for axis in range(3)],
        axis=1,
    )
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(length > 0, sums / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0])


def _bones(rigged: Rigged) -> dict[int, int]:
    """Return which bone each of our joints is, where there is one."""
    return {SMPL24.at(joint): bone for bone, joint in enumerate(rigged.joints) if joint in SMPL24.joints}


def _nearest_bones(bones: dict[int, int]) -> Int[np.ndarray, "J"]:
    """Return the bone that moves each of our joints' surface: its own, or that of the nearest joint above."""
    nearest = np.zeros(len(SMPL24), dtype=int)
    for joint, above in enumerate(SMPL_PARENTS):
        nearest[joint] = bones[joint] if joint in bones else nearest[above]
    return nearest


def _merged(
    joints: Int[np.ndarray, "N 4"], weights: Float[np.ndarray, "N 4"]
) -> tuple[Int[np.ndarray, "N 4"], Float[np.ndarray, "N 4"]]:
    """Return the same influences, a bone that stands twice for a vertex only once: formats forbid two."""
    joints, weights = joints.copy(), weights.copy()
    for column in range(1, joints.shape[1]):
        for before in range(column):
            again = joints[:, column] == joints[:, before]
            weights[again, before] += weights[again, column]
            weights[again, column] = 0.0
    return np.where(weights > 0, joints, 0), weights


def _onto(
    own: Float[np.ndarray, "J 3"], wanted: dict[int, Float[np.ndarray, "3"]]
) -> tuple[Float[np.ndarray, "J 3"], Float[np.ndarray, "J 3 3"]]:
    """Return where each joint goes, and how the surface about it is turned and stretched on the way.

    A joint that the rig lacks goes with the one above it.
    """
    targets, maps = np.zeros_like(own), np.tile(np.eye(3), (len(own), 1, 1))
    for joint, above in enumerate(SMPL_PARENTS):
        if joint in wanted:
            targets[joint] = wanted[joint]
        elif above >= 0:
            targets[joint] = targets[above] + maps[above] @ (own[joint] - own[above])
        ends = [child for child, parent in enumerate(SMPL_PARENTS) if parent == joint and child in wanted]
        if not ends:
            maps[joint] = _turn(maps[above]) if above >= 0 else maps[joint]
        elif joint in wanted:
            maps[joint] = _map(
                joint, own[ends] - own[joint], np.stack([wanted[end] for end in ends]) - targets[joint]
            )
    return targets, maps


def _map(
    joint: int, own: Float[np.ndarray, "K 3"], wanted: Float[np.ndarray, "K 3"]
) -> Float[np.ndarray, "3 3"]:
    """Return the linear map that takes a joint's bones to the wanted ones and leaves what is across as it is."""
    turn = np.eye(3)
    if SMPL24.joints[joint].endswith(_TURNING):
        turn = to_matrix(from_two_vectors(own[0], wanted[0]))
    ways = own @ turn.T
    # Least squares with a ridge towards no stretch: I + E^T (W W^T + r^2)^-1 W, rows of E and W being bones.
    solved = np.linalg.solve(ways @ ways.T + STRETCH_LENGTH**2 * np.eye(len(ways)), ways)
    return (np.eye(3) + (wanted - ways).T @ solved) @ turn


def _turn(linear: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the rotation in a linear map, without its stretch."""
    left, _, right = np.linalg.svd(linear)
    return left @ right
