"""CMU's archives: true rates, splits that keep partners together, repaired and cut faults, the floor."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.errors import InvalidData
from mocaplift.kinematics import forward
from mocaplift.layouts import SMPL24
from mocaplift.rotations import about_axis, angle_between, multiply
from mocaplift.train.data.cmu import (
    BLEND_IN,
    VALIDATION_SUBJECTS,
    Take,
    clean_stretches,
    find_flips,
    find_impossible,
    identify,
    on_floor,
    read_rates,
    read_takes,
)
from mocaplift.values import SkeletonMotion
from tests.train.recordings import amc, asf_skeleton, daz_bvh, write_archives
from tests.train.test_retarget import straight_skeleton

FRAMES = 130


def _still(frames: int = FRAMES, fps: float = 60.0) -> SkeletonMotion:
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (frames, len(SMPL24), 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = 0.3 * np.sin(np.arange(frames) / 10)
        rotations[:, SMPL24.at(f"{side}_shoulder")] = about_axis("Z", -sign * 1.2 + 0.0 * swing)
        rotations[:, SMPL24.at(f"{side}_hip")] = about_axis("X", sign * swing)
    return SkeletonMotion(
        skeleton=straight_skeleton(), rotations=rotations, root=np.zeros((frames, 3)), fps=fps
    )


def _with_turn(motion: SkeletonMotion, joint: str, frames: slice, angle: float) -> SkeletonMotion:
    rotations = motion.rotations.copy()
    place = SMPL24.at(joint)
    rotations[frames, place] = multiply(rotations[frames, place], about_axis("X", angle))
    return SkeletonMotion(skeleton=motion.skeleton, rotations=rotations, root=motion.root, fps=motion.fps)


@pytest.mark.parametrize(
    ("member", "subject", "trial"),
    [
        ("everyday/02/02_01.bvh", 2, 1),
        ("dance_martial/salsa/15.bvh", 60, 15),
        ("dance_martial/salsa/16.bvh", 61, 1),
        ("dance_martial/indian/07.bvh", 94, 7),
        ("dance_martial/martial/05.bvh", 135, 5),
        ("asfamc/01/01_14.amc", 1, 14),
    ],
)
def test_files_are_known_by_cmus_numbers(member, subject, trial):
    assert identify(member) == (subject, trial)


def test_a_name_that_tells_nothing_is_refused():
    with pytest.raises(InvalidData, match="subject and trial"):
        identify("everyday/walk.bvh")


def test_both_partners_of_a_salsa_take_are_on_one_side_of_the_split():
    sides = [
        {Take(subject, trial, 0, "", _still()).is_validation for subject in (60, 61)}
        for trial in range(1, 16)
    ]
    assert all(len(side) == 1 for side in sides)
    assert 1 <= sum(True in side for side in sides) <= 4


@pytest.mark.parametrize("subject", sorted(VALIDATION_SUBJECTS))
def test_of_two_subjects_training_sees_nothing(subject):
    assert all(Take(subject, trial, 0, "", _still()).is_validation for trial in range(1, 60))


def test_takes_have_their_true_rate_and_stand_on_the_floor(tmp_path):
    ramp = {("lForeArm", "Yrotation"): np.linspace(0, -40, FRAMES)}
    takes = {f"dance_martial/salsa/{clip:02d}.bvh": daz_bvh(FRAMES, ramp) for clip in (1, 16)}
    takes |= {"everyday/07/07_01.bvh": daz_bvh(FRAMES, ramp), "everyday/01/01_01.bvh": daz_bvh(FRAMES, {})}
    asf_takes = {"asfamc/01/01_01.amc": amc(FRAMES, {}), "asfamc/01/01.asf": asf_skeleton()}
    write_archives(tmp_path, takes, asf_takes)
    found = {take.name: take for take in read_takes(tmp_path, straight_skeleton(), sole_y=-0.9)}
    assert {name: take.motion.fps for name, take in found.items()} == {
        "60_01": 60.0, "61_01": 60.0, "07_01": 120.0, "01_01": 120.0,
    }  # fmt: skip
    assert found["60_01"].label == "salsa dance"
    for take in found.values():
        assert len(take.motion.root) == FRAMES - BLEND_IN
        xyz, _ = forward(take.motion.skeleton, take.motion.rotations, take.motion.root)
        rest, _ = forward(straight_skeleton(), np.tile([1.0, 0, 0, 0], (1, len(SMPL24), 1)), np.zeros((1, 3)))
        feet = SMPL24.index("left_ankle", "right_ankle", "left_foot", "right_foot")
        clearance = (xyz[:, feet, 1] - rest[0, feet, 1] - 0.9).min(axis=1)
        assert np.median(np.abs(clearance)) < 0.04


def test_missing_and_damaged_archives_are_named(tmp_path):
    with pytest.raises(InvalidData, match=r"CMU_data_framerate\.csv"):
        list(read_takes(tmp_path, straight_skeleton(), sole_y=-0.9))
    write_archives(tmp_path, {"everyday/07/07_01.bvh": daz_bvh(FRAMES, {})})
    archive = tmp_path / "everyday.tar.xz"
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(InvalidData, match="not a readable archive"):
        list(read_takes(tmp_path, straight_skeleton(), sole_y=-0.9))
    archive.unlink()
    with pytest.raises(InvalidData, match="no such archive"):
        list(read_takes(tmp_path, straight_skeleton(), sole_y=-0.9))


def test_a_motion_without_its_skeleton_is_named(tmp_path):
    write_archives(tmp_path, {}, {"asfamc/01/01_01.amc": amc(FRAMES, {})})
    with pytest.raises(InvalidData, match="no skeleton of subject 01"):
        list(read_takes(tmp_path, straight_skeleton(), sole_y=-0.9))


def test_a_table_without_rates_is_refused(tmp_path):
    table = tmp_path / "rates.csv"
    table.write_text("Subject,framerate\n1,120\n", encoding="utf-8")
    with pytest.raises(InvalidData, match="not the table"):
        read_rates(table)


def test_a_short_flip_is_mended():
    truth = _still()
    broken = _with_turn(truth, "left_hip", slice(60, 62), 2.0)
    mended = list(clean_stretches(broken))
    assert [len(m.root) for m in mended] == [FRAMES - BLEND_IN]
    error = angle_between(mended[0].rotations, truth.rotations[BLEND_IN:])
    assert np.degrees(error.max()) < 2.0
    assert np.degrees(angle_between(broken.rotations, truth.rotations).max()) > 100


def test_a_long_fault_is_cut_out():
    broken = _with_turn(_still(), "head", slice(60, 80), np.radians(120))
    assert [len(m.root) for m in clean_stretches(broken)] == [60 - BLEND_IN, FRAMES - 80]


def test_a_lone_jump_is_a_cut():
    broken = _with_turn(_still(), "left_hip", slice(60, None), 2.0)
    assert [len(m.root) for m in clean_stretches(broken)] == [61 - 1 - BLEND_IN, FRAMES - 60]


def test_a_fast_kick_is_no_flip():
    # A foot that speeds up to 12 m/s over ten frames and slows down again.
    times = np.arange(40) / 120
    path = 1.2 / (1 + np.exp(-(times - times[20]) * 40))
    xyz = np.zeros((40, 1, 3))
    xyz[:, 0, 0] = path
    assert np.diff(path).max() * 120 > 9
    assert not find_flips(xyz, 120.0).any()
    xyz[20:, 0, 1] += 0.5
    assert find_flips(xyz, 120.0).any()


@pytest.mark.parametrize(
    ("joint", "axis", "angle", "is_impossible"),
    [
        ("left_knee", "X", 120, False),
        ("left_knee", "X", -30, True),
        ("right_elbow", "Y", 120, False),
        ("right_elbow", "Y", -30, True),
        ("left_elbow", "Y", -120, False),
        ("left_elbow", "Y", 30, True),
        ("head", "Y", 45, False),
        ("head", "Y", 60, True),
        ("left_ankle", "X", 85, True),
        ("pelvis", "X", 170, False),
    ],
)
def test_limbs_are_where_limbs_can_be(joint, axis, angle, is_impossible):
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (3, len(SMPL24), 1))
    rotations[1, SMPL24.at(joint)] = about_axis(axis, np.radians(angle))
    assert find_impossible(rotations).tolist() == [False, is_impossible, False]


def test_a_jump_stays_a_jump():
    motion = _still()
    height = np.zeros((FRAMES, 3))
    height[:, 1] = 5.0
    height[50:60, 1] += 0.4
    still = np.tile([1.0, 0.0, 0.0, 0.0], (FRAMES, len(SMPL24), 1))
    jump = SkeletonMotion(skeleton=motion.skeleton, rotations=still, root=height, fps=60.0)
    standing = on_floor(jump, -0.9)
    assert standing.root[0, 1] == pytest.approx(0.9, abs=1e-9)
    assert standing.root[55, 1] == pytest.approx(1.3, abs=1e-9)
