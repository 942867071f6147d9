"""SMPL parameters: numbers computed by hand, and files as AMASS, AIST++ and others write them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mocaplift import kinematics
from mocaplift.errors import InvalidData
from mocaplift.export import ExportOptions, export
from mocaplift.export.presets import MEAN_PELVIS
from mocaplift.layouts import SMPL24
from mocaplift.reading.smpl import read_smpl
from tests.walker import walker

QUARTER = np.pi / 2


def poses(frames: int = 3, joints: int = 52, **turns: tuple[float, float, float]) -> np.ndarray:
    """Return SMPL poses that rest but for the named joints' rotation vectors."""
    out = np.zeros((frames, joints, 3))
    for joint, vector in turns.items():
        out[:, SMPL24.at(joint)] = vector
    return out.reshape(frames, -1)


def places(path, fps=None):
    motion, notes = read_smpl(path, fps)
    xyz = kinematics.joints_of(motion).xyz
    return {joint: xyz[:, SMPL24.at(joint)] for joint in SMPL24.joints}, motion, notes


def test_the_world_of_amass_has_z_up(tmp_path):
    """Standing in it: the root is turned by +90 degrees about X. (x, y, z) is our (x, z, -y)."""
    standing = poses(pelvis=(QUARTER, 0, 0))
    np.savez(
        tmp_path / "a.npz", poses=standing, trans=np.tile([1.0, 2.0, 3.0], (3, 1)), mocap_framerate=120.0
    )
    found, motion, notes = places(tmp_path / "a.npz")
    x, y, z = np.add(MEAN_PELVIS, (1, 2, 3))
    np.testing.assert_allclose(motion.root, np.tile([x, z, -y], (3, 1)))
    assert motion.fps == 120.0 and "mean adult" in notes[0]
    assert found["head"][0, 1] > found["pelvis"][0, 1] > found["left_ankle"][0, 1]
    assert found["left_wrist"][0, 0] > found["right_wrist"][0, 0]
    assert found["left_foot"][0, 2] > found["left_ankle"][0, 2]


def test_a_world_with_y_up_stays(tmp_path):
    np.savez(tmp_path / "a.npz", poses=poses(joints=24), transl=np.zeros((3, 3)), fps=30)
    found, motion, _ = places(tmp_path / "a.npz")
    np.testing.assert_allclose(motion.root, np.tile(MEAN_PELVIS, (3, 1)))
    assert found["head"][0, 1] > found["pelvis"][0, 1]


def test_a_bent_elbow_and_a_raised_leg(tmp_path):
    bent = poses(left_elbow=(0, -QUARTER, 0), right_hip=(-QUARTER, 0, 0))
    np.savez(tmp_path / "a.npz", poses=bent, trans=np.zeros((3, 3)), fps=60)
    found, _, _ = places(tmp_path / "a.npz")
    forearm = found["left_wrist"][0] - found["left_elbow"][0]
    thigh = found["right_knee"][0] - found["right_hip"][0]
    # SMPL's own limbs rest within some degrees of the T-pose's axes.
    assert forearm[2] / np.linalg.norm(forearm) > 0.97
    assert thigh[2] / np.linalg.norm(thigh) > 0.97


@pytest.mark.parametrize(
    "fields",
    [
        {"root_orient": (3,), "pose_body": (63,), "trans": (3,)},
        {"global_orient": (1, 3), "body_pose": (21, 3), "transl": (3,)},
        {"smpl_poses": (72,), "smpl_trans": (3,)},
        {"poses": (55, 3), "trans": (3,)},
        {"poses": (66,)},
    ],
)
def test_every_spelling_is_read(tmp_path, fields):
    np.savez(tmp_path / "a.npz", **{name: np.zeros((4, *shape)) for name, shape in fields.items()}, fps=30.0)
    _, motion, _ = places(tmp_path / "a.npz")
    assert motion.rotations.shape == (4, 24, 4) and motion.fps == 30.0


def test_aists_lengths_are_scaled(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        smpl_poses=np.zeros((2, 72)), smpl_trans=np.full((2, 3), 90.0), smpl_scaling=np.array([90.0]),
    )  # fmt: skip
    _, motion, _ = places(tmp_path / "a.npz", 60.0)
    np.testing.assert_allclose(motion.root, np.tile(np.array(MEAN_PELVIS) + 1, (2, 1)))


def test_our_own_files_come_back_with_their_bones(tmp_path):
    walk = walker(10, heading=1.0).motion
    export(walk, tmp_path / "a.smpl.npz", ExportOptions())
    found, motion, notes = places(tmp_path / "a.smpl.npz")
    own = kinematics.joints_of(walk).xyz
    assert notes == ()
    for joint, path in found.items():
        np.testing.assert_allclose(path, own[:, SMPL24.at(joint)], atol=1e-9)
    assert motion.fps == walk.fps


def test_a_file_of_ours_with_other_joints_in_it_is_not_believed(tmp_path):
    walk = walker(10).motion
    export(walk, tmp_path / "a.smpl.npz")
    with np.load(tmp_path / "a.smpl.npz") as arrays:
        joints = arrays["joints"] * np.linspace(1, 2, 10)[:, None, None]
        changed = dict(arrays) | {"joints": joints}
    np.savez(tmp_path / "b.npz", **changed)
    _, _, notes = places(tmp_path / "b.npz")
    assert "mean adult" in notes[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"poses": np.zeros((3, 60)), "fps": 30.0}, "fewer than SMPL's joints need"),
        ({"poses": np.zeros(72), "fps": 30.0}, "has the shape"),
        ({"poses": np.zeros((3, 72))}, "tells no frame rate; say --from-fps"),
        ({"poses": np.zeros((3, 72)), "fps": -1.0}, "is no rate"),
        (
            {"poses": np.zeros((3, 72)), "fps": 30.0, "smpl_scaling": 0.0, "trans": np.zeros((3, 3))},
            "smpl_scaling",
        ),
        ({"poses": np.zeros((3, 72)), "fps": 30.0, "pelvis_offset": np.zeros(2)}, "pelvis_offset"),
        (
            {"root_orient": np.zeros((3, 3)), "pose_body": np.zeros((4, 63)), "fps": 30.0},
            "3 frames of the root",
        ),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, fields, message):
    np.savez(tmp_path / "a.npz", **fields)
    with pytest.raises(InvalidData, match=message):
        read_smpl(tmp_path / "a.npz")


def test_rates_and_lengths_stay_through_a_slower_copy(tmp_path):
    walk = replace(walker(10).motion, fps=24000 / 1001)
    export(walk, tmp_path / "a.smpl.npz")
    assert read_smpl(tmp_path / "a.smpl.npz")[0].fps == 24000 / 1001
