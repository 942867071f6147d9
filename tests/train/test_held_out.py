"""The benchmark on motion that training never saw: which recordings, the same windows, what is scored."""

from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.train import held_out
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank
from mocaplift.values import Motion3D
from tests.train.recordings import daz_bvh
from tests.walker import walker


@pytest.fixture(scope="module")
def bank() -> MotionBank:
    """Ten seconds of a walker at the bank's rate."""
    xyz = walker(600, fps=BANK_FPS, speed=0.1).keypoints.xyz.astype(np.float32)
    one = np.array([0])
    return MotionBank(xyz, one, np.array([len(xyz)]), np.array([1.0]))


def test_bvh_files_become_motions_on_random_bodies_of_their_length(tmp_path: Path):
    wave = 20 * np.sin(np.arange(1200) / 60)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.bvh").write_text(daz_bvh(1200, {("lShldr", "Zrotation"): wave}))
    (tmp_path / "two.bvh").write_text(daz_bvh(600, {}))
    found = list(held_out.recordings(tmp_path))
    assert [motion.fps for motion in found] == pytest.approx([120, 120])
    bank = held_out.bank_of(iter(found))
    # 10 s and 5 s without the first ten frames, at 60 fps; a longer one is drawn more often.
    assert bank.length.tolist() == [595, 295] and bank.first.tolist() == [0, 595]
    assert bank.chance == pytest.approx([595 / 890, 295 / 890])
    ankles = bank.xyz[:, BODY21.index("left_ankle", "right_ankle"), 1]
    assert 0.0 < ankles.min() < ankles.max() < 0.2  # they stand on y = 0
    height = [bank.xyz[start, BODY21.at("nose"), 1] for start in bank.first]
    assert abs(height[0] - height[1]) > 0.005  # two bodies


def test_windows_are_always_the_same_and_have_a_rig_each(bank: MotionBank):
    again, drawn = held_out.scenes(bank, 3, 4), held_out.scenes(bank, 3, 6)
    assert {scene.name for scene in drawn} <= {"coco", "blazepose"}
    assert [scene.without for scene in drawn] == [0, 1, 2, 0, 1, 2]
    for a, b in zip(again, drawn, strict=False):
        assert np.array_equal(a.truth, b.truth) and np.array_equal(a.views[2].conf, b.views[2].conf)
    assert drawn[0].truth.shape == (held_out.WINDOW, len(COCO17), 3) and drawn[0].views[0].fps == held_out.FPS
    centres = [scene.cameras[0].cam_from_world[:3, 3] for scene in drawn]
    assert np.ptp(centres, axis=0).min() > 0.1


def of_the_first_view(views, cameras, lifter) -> Motion3D:
    """A lifter that finds nothing."""
    frames = len(views[0].xy)
    xyz = np.full((frames, len(BODY21), 3), np.nan)
    return Motion3D(xyz, np.full(xyz.shape[:2], np.inf), BODY21, views[0].fps)


def test_the_rows_are_those_of_several_views(tmp_path: Path):
    (tmp_path / "one.bvh").write_text(daz_bvh(1200, {}))
    steps = []
    rows = held_out.mocap(
        tmp_path,
        views=2,
        lifters=["nothing"],
        windows=3,
        solve=of_the_first_view,
        progress=lambda done, total: steps.append((done, total)),
    )
    value = {(row.sequence, row.metric): row.value for row in rows}
    assert value["all", "missing"] == 100 and 200 < value["all", "absolute_mpjpe"] < 700
    assert {row.benchmark for row in rows} == {"mocap"} and {row.views for row in rows} == {2}
    assert steps == [(1, 3), (2, 3), (3, 3)]


def truth_of_the_windows(bank: MotionBank, count: int):
    """A lifter that cheats: the truths of the windows one after the other, each 0.1 m too high."""
    truths = iter([scene.truth for scene in held_out.scenes(bank, 1, count)])

    def solve(views, cameras, lifter) -> Motion3D:
        xyz = next(truths) + np.array([0.0, 0.1, 0.0])
        return Motion3D(xyz, np.ones(xyz.shape[:2]), COCO17, held_out.FPS)

    return solve


def test_one_view_has_the_rows_of_one_view(bank: MotionBank, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(held_out, "recordings", lambda folder: iter([]))
    monkeypatch.setattr(held_out, "bank_of", lambda motions: bank)
    given = {"views": 1, "lifters": ["cheat"], "windows": 4}
    rows = held_out.mocap("", **given, solve=truth_of_the_windows(bank, 4))
    value = {(row.lifter, row.metric): row.value for row in rows if row.sequence == "all"}
    assert value["cheat", "mpjpe"] == pytest.approx(0, abs=1e-6)
    assert value["cheat", "absolute_mpjpe"] == pytest.approx(100)
    assert value["cheat", "t_root"] == pytest.approx(0, abs=1e-6)
    assert value["cheat", "depth_gain"] == pytest.approx(1)
    # The walker goes 0.1 m/s, at 0.7 to 1.4 times their speed.
    assert 100 < value["static", "t_root"] < 300
    assert {row.benchmark for row in rows} == {"mocap"} and {row.views for row in rows} == {1}
    assert {"coco", "blazepose", "all"} >= {row.sequence for row in rows}
    rows = held_out.mocap("", **given, focal="unknown", solve=truth_of_the_windows(bank, 4))
    assert "cheat (focal unknown)" in {row.lifter for row in rows}
    with pytest.raises(ConfigError, match="of one view, not of 2"):
        held_out.mocap("", views=2, focal="unknown")


def test_toes_and_heels_are_not_scored(bank: MotionBank):
    scene = held_out.scenes(bank, 2, 1)[0]
    assert scene.layout == COCO17 and remap(scene.truth, COCO17, BODY21).shape[1] == len(BODY21)


def test_what_is_wrong_is_said(tmp_path: Path):
    with pytest.raises(InvalidData, match="neither CMU's archives"):
        list(held_out.recordings(tmp_path))
    with pytest.raises(InvalidData, match="neither CMU's archives"):
        list(held_out.recordings(tmp_path / "nowhere"))
    path = tmp_path / "other.bvh"
    path.write_text(daz_bvh(600, {}).replace("lShldr", "LeftArm"))
    with pytest.raises(InvalidData, match=r"other\.bvh is not on the skeleton.*lShldr"):
        list(held_out.recordings(tmp_path))
    path.write_text("HIERARCHY")
    with pytest.raises(InvalidData, match=r"other\.bvh"):
        list(held_out.recordings(tmp_path))
    with pytest.raises(InvalidData, match="no motion"):
        held_out.bank_of(iter([]))
    with pytest.raises(ConfigError, match="one or more views"):
        held_out.mocap(tmp_path, views=0)
