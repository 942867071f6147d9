"""The AIST++ reader and its protocol, on a sequence made here: units, clocks, cameras, floors."""

import json
from pathlib import Path

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.cameras import project
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.evaluate import aist
from mocaplift.layouts import BODY21, COCO17
from mocaplift.values import Motion3D
from tests.walker import walker

SOURCE_FPS = 60
FRAMES = 500  # 250 at 30 fps: two windows and a rest
NAMES = ("c01", "c02", "c03")


def cameras_json() -> list[dict]:
    """Three level cameras 5 m from the origin; +Y up, so that OpenCV's y axis is the world's -Y."""
    entries = []
    for number, name in enumerate(NAMES):
        # Half a turn about X looks along -Z with y down; then the camera walks round the origin.
        turn = rotations.multiply(rotations.about_axis("X", np.pi), rotations.about_axis("Y", number * 0.7))
        entries.append(
            {
                "name": name,
                "size": [1920, 1080],
                "matrix": [[1400.0, 0, 960], [0, 1400.0, 540], [0, 0, 1]],
                "distortions": [0.1, 0, 0, 0, 0],
                "rotation": rotations.to_rotvec(turn).tolist(),
                "translation": [0.0, 90.0, 500.0],  # cm: the origin is 0.9 m below the camera
            }
        )
    return entries


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence of a walker at 60 fps, seen without noise through distorting lenses."""
    place = tmp_path_factory.mktemp("aist")
    (place / "gXX_walk.cameras.json").write_text(json.dumps(cameras_json()))
    truth = walker(FRAMES, fps=SOURCE_FPS, speed=0.2).keypoints.xyz[:, : len(COCO17)]
    rig = aist.read_cameras(place / "gXX_walk.cameras.json")
    seen = np.full((len(rig), FRAMES, len(COCO17), 3), 1.01, dtype=np.float32)
    for view, camera in zip(seen, rig, strict=True):
        view[..., :2] = project(camera, truth)
    seen[0, 10] = np.nan
    np.savez(
        place / "gXX_walk.npz",
        keypoints2d=seen,
        keypoints3d_optim=(truth * 100).astype(np.float32),
        timestamps=(np.arange(FRAMES) * 1e6 / SOURCE_FPS).astype(np.int64),
    )
    return place


def test_cameras_are_in_metres_and_point_the_right_way(folder: Path):
    camera = aist.read_cameras(folder / "gXX_walk.cameras.json")[0]
    # 5 m in front, 0.9 m below the axis: y grows downwards.
    assert project(aist.read(folder / "gXX_walk.npz").cameras[0], np.zeros(3)) == pytest.approx(
        [960, 540 + 1400 * 0.9 / 5]
    )
    assert camera.cam_from_world[:3, 3] == pytest.approx([0, 0.9, 5])


def test_windows_are_four_seconds_at_30_fps_undistorted(folder: Path):
    found = aist.windows(folder)
    assert [(w.cameras[0].name, w.start) for w in found] == [(n, s) for n in NAMES for s in (0, 120)]
    for window in found:
        view, camera = window.views[0], window.cameras[0]
        assert view.xy.shape == (120, len(BODY21), 2) and view.fps == 30 and not camera.distortion.any()
        error = np.abs(project(camera, window.truth) - view.xy[:, : len(COCO17)])
        assert np.nanmax(error) < 0.01
        assert view.conf.max() == 1.0
        feet = view.conf[:, BODY21.index("left_heel", "right_big_toe")]
        assert not feet.any()
    # Frame 10 of 60 fps is frame 5 of 30 fps, unseen in the first view only.
    assert [np.flatnonzero(~w.views[0].conf.any(1)).tolist() for w in found[::2]] == [[5], [], []]


def test_windows_can_be_chosen(folder: Path):
    assert len(aist.windows(folder, ["walk"], ["c02"])) == 2
    assert len(aist.windows(folder, every=4)) == 2
    pairs = aist.windows(folder, views=2)
    assert {tuple(c.name for c in w.cameras) for w in pairs} == {
        ("c01", "c02"),
        ("c01", "c03"),
        ("c02", "c03"),
    }
    with pytest.raises(ConfigError, match="gXX_walk"):
        aist.windows(folder, ["gBR"])
    with pytest.raises(CalibrationError, match=r"c09.*c01, c02, c03"):
        aist.windows(folder, cameras=["c09"])
    with pytest.raises(ConfigError, match=r"4 views.*3 cameras"):
        aist.windows(folder, views=4)


def test_view_sets_above_two_are_a_fixed_sample():
    assert len(aist.view_sets(9, 1)) == 9
    assert len(aist.view_sets(9, 2)) == 36
    sample = aist.view_sets(9, 4)
    assert len(set(sample)) == aist.MOST_VIEW_SETS and sample == aist.view_sets(9, 4)


def truth_moved_by_a_decimetre(views, cameras, lifter) -> Motion3D:
    """A lifter that cheats: the walker's own keypoints, its second half 0.1 m further along +X."""
    xyz = walker(FRAMES, fps=SOURCE_FPS, speed=0.2).keypoints.xyz[::2][:120].copy()
    xyz[60:] += [0.1, 0.0, 0.0]
    return Motion3D(xyz=xyz, sigma=np.ones(xyz.shape[:2]), layout=BODY21, fps=30.0)


def test_the_benchmark_prints_lifters_beside_the_floor(folder: Path):
    steps = []
    rows = aist.aist(
        folder,
        cameras=["c01"],
        every=2,
        lifters=["cheat"],
        solve=truth_moved_by_a_decimetre,
        progress=lambda done, total: steps.append((done, total)),
    )
    value = {(r.sequence, r.lifter, r.metric): r.value for r in rows}
    assert steps == [(1, 1)]
    for sequence in ("gXX_walk", "all"):
        assert value[sequence, "cheat", "mpjpe"] == pytest.approx(0, abs=1e-3)
        assert value[sequence, "cheat", "t_root"] == pytest.approx(50, abs=1e-3)
        assert value[sequence, "cheat", "t_root_released"] == pytest.approx(50 / 3, abs=1e-3)
        assert value[sequence, "cheat", "absolute_mpjpe"] == pytest.approx(50, abs=1e-3)
        assert value[sequence, "cheat", "absolute_p95"] == pytest.approx(100, abs=1e-3)
        assert value[sequence, "cheat", "depth_gain"] == pytest.approx(1, abs=1e-6)
        # Held at its first frame while the walker goes 0.2 m/s for 4 s: 0.4 m off on average.
        assert value[sequence, "static", "t_root"] == pytest.approx(400, rel=0.05)
        assert value[sequence, "static", "depth_gain"] == pytest.approx(0, abs=1e-6)
    assert {r.frames for r in rows} == {120} and {r.views for r in rows} == {1}


def test_processes_give_what_one_process_gives(folder: Path):
    alone = aist.aist(folder, lifters=[], cameras=["c01", "c02"])
    shared = aist.aist(folder, lifters=[], cameras=["c01", "c02"], jobs=2)
    assert [tuple(r[:5]) for r in alone] == [tuple(r[:5]) for r in shared]
    assert np.array_equal([r.value for r in alone], [r.value for r in shared], equal_nan=True)


def test_bad_folders_say_what_is_wrong(folder: Path, tmp_path: Path):
    with pytest.raises(InvalidData, match="no such folder"):
        aist.windows(tmp_path / "nowhere")
    with pytest.raises(InvalidData, match="no AIST"):
        aist.windows(tmp_path)
    npz = tmp_path / "a.npz"
    npz.write_text("not a zip")
    with pytest.raises(InvalidData, match=r"a.npz"):
        aist.windows(tmp_path)
    npz.write_bytes((folder / "gXX_walk.npz").read_bytes())
    with pytest.raises(CalibrationError, match=r"a.cameras.json"):
        aist.windows(tmp_path)
    (tmp_path / "a.cameras.json").write_text('[{"name": "c01"}]')
    with pytest.raises(CalibrationError, match=r"a.cameras.json"):
        aist.windows(tmp_path)
    (tmp_path / "a.cameras.json").write_text(json.dumps(cameras_json()[:2]))
    with pytest.raises(CalibrationError, match="3 views, but 2 cameras"):
        aist.windows(tmp_path)


@pytest.mark.parametrize("rate", [25.0, 59.0])
def test_a_rate_that_is_no_multiple_of_30_is_refused(folder: Path, tmp_path: Path, rate: float):
    arrays = dict(np.load(folder / "gXX_walk.npz"))
    arrays["timestamps"] = (np.arange(FRAMES) * 1e6 / rate).astype(np.int64)
    np.savez(tmp_path / "b.npz", **arrays)
    (tmp_path / "b.cameras.json").write_text(json.dumps(cameras_json()))
    with pytest.raises(InvalidData, match="fps is no multiple of 30"):
        aist.windows(tmp_path)
