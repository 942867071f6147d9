"""Foreign skeletons on ours: places by hand, and joints that a skeleton lacks."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.kinematics import joints_of
from mocaplift.layouts import SMPL24
from mocaplift.reading import read_recording
from mocaplift.reading.ours import on_our_skeleton
from tests.reading.test_bvh import SMALL
from tests.train.recordings import DAZ, daz_bvh


@pytest.fixture
def take(tmp_path):
    def made(**moves):
        text = daz_bvh(4, {tuple(name.split("_")): np.full(4, angle) for name, angle in moves.items()})
        (tmp_path / "take.bvh").write_text(text)
        return read_recording(tmp_path / "take.bvh")

    return made


def ours(recording) -> dict[str, np.ndarray]:
    xyz = joints_of(on_our_skeleton(recording.rigged, recording.joints)).xyz
    return {joint: xyz[0, SMPL24.at(joint)] for joint in SMPL24.joints}


def test_every_joint_that_is_there_is_where_it_was(take):
    recording = take(
        lShldr_Zrotation=-70.0, rThigh_Xrotation=-30.0, abdomen_Yrotation=40.0, hip_Xrotation=20.0
    )
    there = ours(recording)
    xyz, _ = recording.rigged.world()
    for joint, bone in recording.joints.items():
        np.testing.assert_allclose(there[joint], xyz[0, bone], atol=1e-9)


def test_joints_that_are_missing_are_put_in_between(take):
    there = ours(take())
    assert there["left_foot"][2] > there["left_ankle"][2] + 0.1  # its End Site: 4 cm down, 12 cm forward
    np.testing.assert_allclose(there["left_foot"] - there["left_ankle"], [0, -0.04, 0.12], atol=1e-9)
    assert there["left_hand"][0] > there["left_wrist"][0]
    assert there["spine1"][1] < there["spine2"][1] < there["spine3"][1] < there["neck"][1]


def test_a_bent_limb_bends_the_same_joint(take):
    """The left forearm turned by 90 degrees about the vertical: the elbow's angle, and no other, is 90."""
    motion = on_our_skeleton(*((r := take(lForeArm_Yrotation=-90.0)).rigged, r.joints))
    angles = 2 * np.degrees(np.arccos(np.clip(np.abs(motion.rotations[0, :, 0]), 0, 1)))
    assert angles[SMPL24.at("left_elbow")] == pytest.approx(90, abs=1e-6)
    others = np.delete(angles, SMPL24.index("left_elbow"))
    assert others.max() < 1e-4


def test_an_arm_is_no_body(tmp_path):
    (tmp_path / "arm.bvh").write_text(SMALL)
    recording = read_recording(tmp_path / "arm.bvh")
    assert not recording.is_body
    with pytest.raises(InvalidData, match="no bone is known by its name as left_hip"):
        on_our_skeleton(recording.rigged, recording.joints)


def test_units_and_axes_may_only_be_known_ones(take, tmp_path):
    take()
    for wrong in ({"unit": "foot"}, {"up": "x"}):
        with pytest.raises(ConfigError, match="unknown"):
            read_recording(tmp_path / "take.bvh", **wrong)


def test_a_person_of_no_usual_size_is_told(tmp_path):
    text = daz_bvh(2, {})
    for _, (x, y, z) in DAZ.values():
        text = text.replace(f"OFFSET {x} {y} {z}\n", f"OFFSET {x * 0.31} {y * 0.31} {z * 0.31}\n")
    (tmp_path / "a.bvh").write_text(text)
    assert "say --height or --from-unit" in read_recording(tmp_path / "a.bvh").notes[0]
