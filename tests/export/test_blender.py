"""Blender, the client that most animators have, opens what every preset writes."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.cameras import look_at, project
from mocaplift.export import PRESETS, ExportOptions, Rigged, bvh, fbx, rig
from mocaplift.export.body_mesh import body_skin
from mocaplift.rotations import conjugate, multiply, rotate
from mocaplift.values import Camera
from tests.walker import walker

SCRIPT = Path(__file__).parent / "blender_files.py"
BLENDER = shutil.which("blender")
UNIT = {"cm": 100.0, "m": 1.0}
FPS = 30000 / 1001
FRAMES = 24
SIZE = (640, 480)

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(BLENDER is None, reason="Blender is not installed (Debian: apt-get install blender)"),
]

CASES = {
    **{f"{name}{suffix}": options for name, options in PRESETS.items() for suffix in (".fbx", ".bvh")},
    "usual.bvh": ExportOptions(unit="m", rest_frame=True, order="auto"),
    "floor.bvh": ExportOptions(template="ue5", root="floor"),
    "body.fbx": ExportOptions(template="mixamo", mesh=True),
}
every_file = pytest.mark.parametrize("name", CASES)


def _camera() -> Camera:
    intrinsics = np.array([[700.0, 0, 330], [0, 700.0, 236], [0, 0, 1]])
    return Camera(
        "front", intrinsics, np.zeros(5), look_at(np.array([1.0, 1.4, 4.0]), np.array([0, 0.9, 0])), SIZE
    )


def _rigged(name: str) -> Rigged:
    walk = walker(FRAMES, fps=FPS, heading=0.7)
    if name != "body.fbx":
        return rig(walk.motion, CASES[name])
    # The walker is no shape that a body could have.
    skeleton = load_body().skeleton(np.zeros(load_body().num_shape))
    rigged = rig(replace(walk.motion, skeleton=skeleton), CASES[name])
    return replace(rigged, contacts=walk.contacts, camera=_camera())


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict[str, dict]:
    """Return what one run of Blender sees in all files; its pictures lie beside them."""
    folder, jobs = tmp_path_factory.mktemp("blender"), []
    for name, options in CASES.items():
        rigged = _rigged(name)
        if name.endswith(".bvh"):
            content = bvh.encode(rigged, options)
        else:
            content = fbx.encode(rigged, options, body_skin(rigged) if options.mesh else None)
        (folder / name).write_bytes(content)
        sides = {
            side: [bone for bone, joint in zip(rigged.names, rigged.joints, strict=True)
                   if joint and joint.startswith(side)]
            for side in ("left", "right")
        }  # fmt: skip
        job = {"source": str(folder / name), "target": str(folder / f"{name}.json"), "up": options.up}
        jobs.append(job | {"picture": str(folder / f"{name}.png"), "resolution": SIZE} | sides)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    run = subprocess.run(
        [str(BLENDER), "--background", "--factory-startup", "--python-exit-code", "9", "--python", str(SCRIPT),
         "--", str(folder / "jobs.json")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return {
        name: json.loads((folder / f"{name}.json").read_text()) | {"picture": folder / f"{name}.png"}
        for name in CASES
    }


def _y_up(xyz) -> np.ndarray:
    """Return Blender's (x, y, z) as (x, z, -y): its importers turn the file's up to its own +Z."""
    xyz = np.array(xyz)
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


def _metres(name: str) -> float:
    """Return how long a metre is in Blender: it knows the unit of FBX, and none of BVH."""
    return UNIT[CASES[name].unit] if name.endswith(".bvh") else 1.0


@every_file
def test_every_joint_of_every_frame_is_where_it_was(seen, name):
    rigged, found = _rigged(name), seen[name]
    columns = [found["names"].index(bone) for bone in rigged.names]
    places = _y_up(found["frames"])[:, columns] / _metres(name)
    assert places.shape == (len(rigged), len(rigged.names), 3)
    assert np.abs(places - rigged.world()[0]).max() < (1e-3 if name.endswith(".bvh") else 1e-4)
    rest = _y_up(found["rest"])[columns] / _metres(name)
    if name.endswith(".fbx"):
        assert np.abs(rest - rigged.rest_world()[0]).max() < 1e-4


@every_file
def test_names_hierarchy_rate_and_scale(seen, name):
    rigged, found = _rigged(name), seen[name]
    above = [None if parent < 0 else rigged.names[parent] for parent in rigged.parents]
    assert dict(zip(found["names"], found["parents"], strict=True)) == dict(
        zip(rigged.names, above, strict=True)
    )
    assert found["fps"] == pytest.approx(FPS, rel=1e-5)
    is_bvh = name.endswith(".bvh")
    # One key a frame from frame 1 on. Blender 3.4 places keys of FBX as if 29.97 were 30; its steps say so.
    spacing = 1.0 if is_bvh else 30 / FPS
    np.testing.assert_allclose(found["keys"], 1 + spacing * np.arange(len(rigged)), atol=1e-4)
    # An armature of centimetres is scaled in a scene of metres; what the blender preset writes is not.
    scale = 0.01 if CASES[name].unit == "cm" and not is_bvh else 1.0
    assert found["scale"] == pytest.approx([scale] * 3)
    assert found["objects"] == (["ARMATURE", "CAMERA", "MESH"] if name == "body.fbx" else ["ARMATURE"])


@every_file
def test_a_picture_shows_a_person_and_not_an_empty_floor(seen, name):
    """The script paints left bones blue and right ones red; seen from the front, left is on the right side."""
    cv2 = pytest.importorskip("cv2")
    picture = cv2.imread(str(seen[name]["picture"])).astype(int)
    if name == "body.fbx":
        assert picture.std() > 10
        return
    blue, red = picture[..., 0], picture[..., 2]
    left_x, right_x = np.nonzero(blue > red + 60)[1], np.nonzero(red > blue + 60)[1]
    assert min(len(left_x), len(right_x)) > 100
    assert left_x.mean() > right_x.mean() + 10


def test_the_body_moves_with_its_bones(seen):
    rigged, found = _rigged("body.fbx"), seen["body.fbx"]
    skin = body_skin(rigged)
    rest, turned = rigged.rest_world()
    xyz, now = (each[-1] for each in rigged.world())
    turn = multiply(now, conjugate(turned))
    expected = np.zeros_like(skin.vertices)
    for corner in range(4):
        bone = skin.joints[:, corner]
        moved = xyz[bone] + rotate(turn[bone], skin.vertices - rest[bone])
        expected += skin.weights[:, corner, None] * moved
    assert np.abs(_y_up(found["surface"]) - expected).max() < 1e-3


def test_the_camera_sees_the_joints_where_it_saw_them(seen):
    """Blender's principal point is its own; to a tenth of a percent of the picture."""
    rigged, found = _rigged("body.fbx"), seen["body.fbx"]
    (shares,) = found["cameras"].values()
    width, height = SIZE
    pixels = np.array(shares)[:, :2] * (width, -height) + (-0.5, height - 0.5)
    columns = [found["names"].index(bone) for bone in rigged.names]
    expected = project(_camera(), rigged.world()[0][-1])
    assert np.abs(pixels[columns] - expected).max() < 1e-3 * width
