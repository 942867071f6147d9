"""The recipe of the body's surface: which parts are kept, which bones count, what the shape explains."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.export.body_mesh import load_body_mesh
from mocaplift.layouts import SMPL24
from mocaplift.train.body_mesh import (
    INFLUENCES,
    WEIGHT_UNIT,
    BodyMeshConfig,
    outer,
    regress,
    strongest,
    train_body_mesh,
)
from mocaplift.weights import locate, read_header


def test_the_tongue_is_left_out_and_the_eyes_are_kept():
    strip = np.array([[-1.0, 0, 0], [1, 0, 0], [-1, 1, 0], [1, 1, 0]])
    tongue = np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
    left, right = (
        np.array([[0.2, 0, 0], [0.3, 0, 0], [0.2, 0.1, 0]]),
        -np.array([[0.2, 0, 0], [0.3, 0, 0], [0.2, 1, 0]]),
    )
    vertices = np.concatenate([strip, tongue, left, right])
    triangles = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6], [7, 8, 9], [10, 11, 12]])
    kept, found = outer(vertices, triangles)
    assert kept.tolist() == [0, 1, 2, 3, 7, 8, 9, 10, 11, 12]
    assert found.tolist() == [[0, 1, 2], [1, 3, 2], [4, 5, 6], [7, 8, 9]]


def test_the_strongest_bones_share_a_vertex_exactly():
    skin = np.zeros((2, len(SMPL24)))
    skin[0, [3, 5, 7, 9, 11]] = [0.1, 0.3, 0.2, 0.25, 0.15]
    skin[1, 2] = 1.0
    joints, shares = strongest(skin)
    assert joints[0].tolist() == [5, 9, 7, 11] and joints[1].tolist() == [2, 0, 0, 0]
    assert shares.sum(axis=1).tolist() == [WEIGHT_UNIT] * 2 and shares.shape == (2, INFLUENCES)
    np.testing.assert_allclose(shares[0] / WEIGHT_UNIT, np.array([0.3, 0.25, 0.2, 0.15]) / 0.9, atol=2e-5)


def test_a_mesh_that_is_linear_in_the_shape_is_found():
    rng = np.random.default_rng(0)
    mean, basis, shapes = rng.normal(size=(5, 3)), rng.normal(size=(5, 3, 2)), rng.normal(size=(50, 2))
    meshes = mean + np.einsum("nas,ps->pna", basis, shapes)
    found, slopes, error = regress(shapes, meshes, ridge=1e-9)
    np.testing.assert_allclose(found, mean, atol=1e-8)
    np.testing.assert_allclose(slopes, basis, atol=1e-8)
    assert error < 1e-8
    # What the shape does not explain is the error: 0.1 m on one of three axes.
    meshes[::2, :, 0] += 0.1
    meshes[1::2, :, 0] -= 0.1
    assert regress(shapes, meshes, ridge=1e-9)[2] == pytest.approx(0.1, rel=0.1)


def test_the_file_says_what_it_is():
    header = read_header(locate("body-mesh"))
    assert header["licence"] == "CC0-1.0" and header["error_rms"] < 0.012
    assert locate("body-mesh").stat().st_size < 4e6
    mesh = load_body_mesh()
    np.testing.assert_allclose(mesh.weights.sum(axis=1), 1.0, atol=1e-9)
    assert mesh.triangles.max() == len(mesh.vertices) - 1


@pytest.mark.slow
def test_the_recipe_makes_a_surface_like_the_one_that_is_there(tmp_path):
    """Few people give a coarser shape, but the same mesh (Anny's first start takes about a minute)."""
    pytest.importorskip("anny", reason="Anny, the parametric body of the training data, is not installed")
    path = train_body_mesh(BodyMeshConfig(people=24), tmp_path)
    made, there = load_body_mesh(str(path)), load_body_mesh()
    np.testing.assert_array_equal(made.triangles, there.triangles)
    np.testing.assert_array_equal(made.joints, there.joints)
    assert np.linalg.norm(made.vertices - there.vertices, axis=1).mean() < 0.01
