"""Blender, the client that most animators have, opens what we write."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mocaplift import kinematics
from mocaplift.export import PRESETS, ExportOptions, export, rig
from tests.walker import skeleton, walker

SCRIPT = Path(__file__).parent / "blender_positions.py"
BLENDER = shutil.which("blender")
UNIT = {"cm": 100.0, "m": 1.0}

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(BLENDER is None, reason="Blender is not installed (Debian: apt-get install blender)"),
]


def _opened(bvh: Path, folder: Path, *more: str) -> dict:
    result = folder / "positions.json"
    assert BLENDER is not None
    run = subprocess.run(
        [BLENDER, "--background", "--factory-startup", "--python-exit-code", "9", "--python", str(SCRIPT), "--",
         str(bvh), str(result), *more],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(result.read_text())


def _y_up(xyz) -> np.ndarray:
    """Return Blender's (x, y, z) as (x, z, -y): its importer turns the file's +Y up to its own +Z."""
    xyz = np.array(xyz)
    return np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


OPTIONS = {
    **{name: options for name, options in PRESETS.items() if options.up == "y"},
    "rest frame": ExportOptions(unit="m", rest_frame=True, order="auto"),
    "floor": ExportOptions(template="ue5", root="floor"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_every_joint_of_every_frame_within_a_millimetre(tmp_path, options):
    walk = walker(48, fps=30000 / 1001, heading=0.7).motion
    export(walk, tmp_path / "walk.bvh", options)
    seen = _opened(tmp_path / "walk.bvh", tmp_path)
    rigged = rig(walk, options)
    names = [name.replace(" ", "_") for name in rigged.names]
    assert sorted(seen["names"]) == sorted(names)
    for name, parent in zip(seen["names"], seen["parents"], strict=True):
        above = rigged.parents[names.index(name)]
        assert parent == (names[above] if above >= 0 else None)
    columns = [seen["names"].index(name) for name in names]
    found = _y_up(seen["frames"])[:, columns] / UNIT[options.unit]
    assert seen["first_frame"] == 1
    expected, _ = rigged.world()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3
    # Blender shows the rest frame: it drops none of the file's frames.
    found = found[int(options.rest_frame) :]
    xyz, _ = kinematics.forward(walk.skeleton, walk.rotations, walk.root)
    for bone, joint in enumerate(rigged.joints):
        if joint is not None:
            np.testing.assert_allclose(found[:, bone], xyz[:, walk.skeleton.layout.at(joint)], atol=1e-3)
    assert seen["fps"] == pytest.approx(30000 / 1001, rel=1e-6)


def test_the_armature_rests_in_the_t_pose(tmp_path):
    walk = walker(2).motion
    export(walk, tmp_path / "walk.bvh", ExportOptions(unit="m"))
    seen = _opened(tmp_path / "walk.bvh", tmp_path)
    rest = dict(zip(seen["names"], _y_up(seen["rest"]), strict=True))
    expected = kinematics.rest_positions(skeleton())
    for name, place in zip(rig(walk, ExportOptions()).names, expected, strict=True):
        np.testing.assert_allclose(rest[name], place, atol=1e-5)


def test_a_picture_shows_a_person_and_not_an_empty_floor(tmp_path):
    cv2 = pytest.importorskip("cv2")
    export(walker(30).motion, tmp_path / "walk.bvh", ExportOptions(unit="m"))
    _opened(tmp_path / "walk.bvh", tmp_path, str(tmp_path / "walk.png"))
    picture = cv2.imread(str(tmp_path / "walk.png")).astype(int)
    blue, red = picture[..., 0], picture[..., 2]
    # The script paints left bones blue and right ones red; seen from the front, left is on the right side.
    left_x = np.nonzero(blue > red + 60)[1]
    right_x = np.nonzero(red > blue + 60)[1]
    assert min(len(left_x), len(right_x)) > 200
    assert left_x.mean() > right_x.mean() + 20
