"""The surface of the body model: Anny's mesh in the T-pose, and how it changes with our shape coefficients.

Output (`weights/body-mesh.safetensors`): what `export.body_mesh` puts on a skeleton. Random people of the body are
described by the shape coefficients that explain their bones and keypoints best; the mesh is regressed on them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mocaplift.body import Body as BodyModel
from mocaplift.body import load_body
from mocaplift.layouts import SMPL24
from mocaplift.rotations import IDENTITY
from mocaplift.train.body import in_bones
from mocaplift.train.data.anny_body import Body, random_phenotypes
from mocaplift.weights import save_arrays

log = logging.getLogger(__name__)

INFLUENCES = 4  # bones that move a vertex: what every program can play
WEIGHT_UNIT = 65535  # weights are stored as whole shares of this
# How far (m) bones and keypoints of a person may be from the body model's: its own residuals, and the T-pose's
# keypoints beside the mean over poses.
OFFSET_SIGMA = 0.003
ATTACHMENT_SIGMA = 0.01


@dataclass(frozen=True)
class BodyMeshConfig:
    """How the surface is made."""

    people: int = 400
    child_share: float = 0.05
    ridge: float = 1.0  # people of the mean shape that are added to the regression
    seed: int = 2


def train_body_mesh(config: BodyMeshConfig, out: Path, *, cache: Path | None = None) -> Path:
    """Make the surface and return its file; about a minute on one core.

    Raises:
        MissingDependency: Anny is not installed.
        WeightsError: the body model (`mocaplift train body`) is missing.
        OutputError: the file cannot be written.
    """
    started = time.monotonic()
    rng = np.random.default_rng(config.seed)
    model = load_body()
    average = Body(cache=cache)
    kept, triangles = outer(average.rest_vertices, average.faces)
    joints, weights = strongest(average.skin)
    skin = np.zeros_like(average.skin)
    np.add.at(skin, (np.arange(len(skin))[:, None], joints), weights / WEIGHT_UNIT)
    shapes, meshes = [], []
    for phenotype in random_phenotypes(rng, config.people, child_share=config.child_share, cache=cache):
        person = Body(phenotype, cache=cache)
        shapes.append(shape_of(person, model))
        meshes.append(person.unposed(skin)[kept])
    mean, basis, error = regress(np.stack(shapes), np.stack(meshes), config.ridge)
    arrays = {
        "vertices": mean.astype(np.float32),
        "basis": basis.astype(np.float16),
        "triangles": triangles.astype(np.uint16),
        "joints": joints[kept].astype(np.uint8),
        "weights": weights[kept].astype(np.uint16),
    }
    header = {
        "made_by": "mocaplift train mesh",
        "config": asdict(config),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "joints": list(SMPL24.joints),
        "weight_unit": WEIGHT_UNIT,
        "error_rms": error,
        "source": "Anny 0.6.2 (Apache-2.0 code, CC0 body made from MakeHuman and MPFB)",
        "licence": "CC0-1.0",
    }
    path = Path(out) / "body-mesh.safetensors"
    save_arrays(path, "body-mesh", arrays, header)
    log.info("%s: %d vertices, %.1f mm rms, %.1f minutes", path, len(mean), 1e3 * error, header["minutes"])
    return path


def outer(
    vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "F 3"]
) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "G 3"]]:
    """Return which vertices to keep, and the triangles between them: the skin and the eyes, but not the tongue.

    The tongue is the smaller part that reaches over the middle of the body; each eye is on its own side.
    """
    part = _parts(len(vertices), triangles)
    inside = [
        number
        for number in set(part) - {np.bincount(part).argmax()}
        if vertices[part == number, 0].min() < 0 < vertices[part == number, 0].max()
    ]
    is_kept = ~np.isin(part, inside)
    renumbered = np.cumsum(is_kept) - 1
    return np.flatnonzero(is_kept), renumbered[triangles[is_kept[triangles].all(axis=1)]]


def _parts(count: int, triangles: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "V"]:
    """Return the number of the connected part that each vertex belongs to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = triangles.ravel(), np.roll(triangles, 1, axis=1).ravel()
    graph = coo_matrix((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def strongest(skin: Float[np.ndarray, "V J"]) -> tuple[Int[np.ndarray, "V 4"], Int[np.ndarray, "V 4"]]:
    """Return the bones that move each vertex most, and their weights in whole shares of `WEIGHT_UNIT`.

    The shares add up exactly: what rounding leaves goes to the strongest. Bones of no weight are bone 0.
    """
    joints = np.argsort(-skin, axis=1, kind="stable")[:, :INFLUENCES]
    weights = np.take_along_axis(skin, joints, axis=1)
    shares = np.round(WEIGHT_UNIT * weights / weights.sum(axis=1, keepdims=True)).astype(int)
    shares[:, 0] += WEIGHT_UNIT - shares.sum(axis=1)
    return np.where(shares > 0, joints, 0), shares


def shape_of(person: Body, model: BodyModel) -> Float[np.ndarray, "S"]:
    """Return the most likely shape coefficients of a person, from bones and keypoints of the T-pose."""
    rest = np.tile(IDENTITY, (1, len(SMPL24), 1))
    attachments = in_bones(person, rest, model.bones)[0]
    wanted = np.concatenate(
        [
            (person.skeleton.offsets - model.mean_offsets).ravel() / OFFSET_SIGMA,
            (attachments - model.mean_attachments).ravel() / ATTACHMENT_SIGMA,
        ]
    )
    basis = np.concatenate(
        [
            model.offset_basis.reshape(-1, model.num_shape) / OFFSET_SIGMA,
            model.attachment_basis.reshape(-1, model.num_shape) / ATTACHMENT_SIGMA,
        ]
    )
    return np.linalg.solve(basis.T @ basis + np.eye(model.num_shape), basis.T @ wanted)


def regress(
    shapes: Float[np.ndarray, "P S"], meshes: Sequence[np.ndarray] | Float[np.ndarray, "P N 3"], ridge: float
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3 S"], float]:
    """Return the mesh of the mean shape, its change with each coefficient, and the error (m, rms) of both."""
    meshes = np.asarray(meshes)
    people, size = len(shapes), shapes.shape[1]
    known = np.concatenate([np.ones((people, 1)), shapes], axis=1)
    damped = np.diag([0.0, *[ridge] * size])
    flat = meshes.reshape(people, -1)
    solved = np.linalg.solve(known.T @ known + damped, known.T @ flat)
    error = float(np.sqrt(3 * np.square(flat - known @ solved).mean()))
    mean, basis = solved[0].reshape(-1, 3), solved[1:].reshape(size, -1, 3).transpose(1, 2, 0)
    return mean, basis, error
