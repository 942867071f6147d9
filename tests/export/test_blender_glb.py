"""Blender opens GLB files of every template: bones, motion, body and camera are where they were."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.export import TEMPLATES, ExportOptions, Rigged, gltf, rig
from mocaplift.export.body_mesh import body_skin
from mocaplift.export.skin import inverse_binds
from mocaplift.rotations import to_matrix
from tests.export.test_gltf import front
from tests.walker import walker

SCRIPT = Path(__file__).parent / "blender_glb.py"
BLENDER = shutil.which("blender")
NTSC = Fraction(30000, 1001)
FRAMES = 12
NEAR = 1e-4  # m

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(BLENDER is None, reason="Blender is not installed (Debian: apt-get install blender)"),
]

CASES = {name: ExportOptions(template=name) for name in TEMPLATES}
CASES |= {
    "body": ExportOptions(template="mixamo", mesh=True),
    "body and floor": ExportOptions(template="ue5", root="floor", rest_frame=True, mesh=True),
}
every_file = pytest.mark.parametrize("name", CASES)


def _rigged(name: str) -> Rigged:
    body = load_body()
    walk = replace(
        walker(FRAMES, fps=float(NTSC), heading=0.5).motion, skeleton=body.skeleton(np.zeros(body.num_shape))
    )
    return replace(rig(walk, CASES[name]), camera=front() if name == "native" else None)


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict[str, dict]:
    """Return what one run of Blender sees in all files; the pictures of bodies lie beside them."""
    folder, jobs = tmp_path_factory.mktemp("blender"), []
    for name, options in CASES.items():
        rigged = _rigged(name)
        (folder / f"{name}.glb").write_bytes(gltf.encode(rigged, body_skin(rigged) if options.mesh else None))
        jobs.append(
            {
                "source": str(folder / f"{name}.glb"),
                "target": str(folder / f"{name}.json"),
                "times": [float(np.float32(float(k / NTSC))) for k in range(len(rigged))],
                "picture": str(folder / f"{name}.png") if options.mesh else "",
            }
        )
    (folder / "jobs.json").write_text(json.dumps(jobs))
    run = subprocess.run(
        [str(BLENDER), "--background", "--factory-startup", "--python-exit-code", "9", "--python", str(SCRIPT),
         "--", str(folder / "jobs.json")],
        env=os.environ | {"NUMPY_FOLDER": str(Path(np.__file__).parents[1])},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return {
        name: json.loads((folder / f"{name}.json").read_text()) | {"picture": folder / f"{name}.png"}
        for name in CASES
    }


def _y_up(xyz) -> np.ndarray:
    """Return Blender's (x, y, z) as (x, z, -y): its importer turns the format's up to its own +Z."""
    xyz = np.array(xyz)
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


@every_file
def test_every_joint_of_every_frame_is_where_it_was(seen, name):
    rigged, found = _rigged(name), seen[name]
    columns = [found["names"].index(bone) for bone in rigged.names]
    places = _y_up(found["frames"])[:, columns]
    assert places.shape == (len(rigged), len(rigged.names), 3)
    assert np.abs(places - rigged.world()[0]).max() < NEAR
    left, right = (found["names"].index(rigged.names[rigged.joints.index(f"{side}_hip")])
                   for side in ("left", "right"))  # fmt: skip
    # The walker goes towards +Z turned to +X, which is -Y turned to +X in Blender: left is at +X.
    assert found["frames"][0][left][0] > found["frames"][0][right][0]


@every_file
def test_names_hierarchy_and_scale(seen, name):
    rigged, found = _rigged(name), seen[name]
    above = [None if parent < 0 else rigged.names[parent] for parent in rigged.parents]
    assert dict(zip(found["names"], found["parents"], strict=True)) == dict(
        zip(rigged.names, above, strict=True)
    )
    assert found["scale"] == [1, 1, 1]


@pytest.mark.parametrize("name", [name for name, options in CASES.items() if options.mesh])
def test_the_body_moves_with_its_bones(seen, name):
    rigged, found = _rigged(name), seen[name]
    skin = body_skin(rigged)
    xyz, turned = (each[-1] for each in rigged.world())
    world = np.tile(np.eye(4), (len(xyz), 1, 1))
    world[:, :3, :3], world[:, :3, 3] = to_matrix(turned), xyz
    moved = (world @ inverse_binds(*rigged.rest_world()))[skin.joints]
    points = np.einsum("nkij,nj->nki", moved[..., :3], skin.vertices) + moved[..., 3]
    expected = np.einsum("nk,nki->ni", skin.weights, points[..., :3])
    assert np.abs(_y_up(found["surface"]) - expected).max() < NEAR


@pytest.mark.parametrize("name", [name for name, options in CASES.items() if options.mesh])
def test_a_picture_shows_a_person_on_a_floor(seen, name):
    """Seen from outside: a body that is inside out would not be drawn."""
    cv2 = pytest.importorskip("cv2")
    picture = cv2.imread(str(seen[name]["picture"])).astype(int)
    blue, _, red = np.moveaxis(picture, -1, 0)
    share = (blue > red + 10).mean()
    assert 0.05 < share < 0.5


def test_the_camera_stands_where_it_stood(seen):
    (place,) = seen["native"]["cameras"]
    np.testing.assert_allclose(_y_up(place), [2.0, 1.5, 4.0], atol=1e-5)
