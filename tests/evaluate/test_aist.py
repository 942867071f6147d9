"""The AIST++ reader and its protocol, on a sequence made here: units, clocks, cameras, floors."""

import json
from pathlib import Path

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.cameras import project
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.evaluate import aist, aist_takes
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
    rig = aist_takes.read_cameras(place / "gXX_walk.cameras.json")
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
    camera = aist_takes.read_cameras(folder / "gXX_walk.cameras.json")[0]
    # 5 m in front, 0.9 m below the axis: y grows downwards.
    assert project(aist_takes.read(folder / "gXX_walk.npz").cameras[0], np.zeros(3)) == pytest.approx(
        [960, 540 + 1400 * 0.9 / 5]
    )
    assert camera.cam_from_world[:3, 3] == pytest.approx([0, 0.9, 5])


def test_windows_are_four_seconds_at_30_fps_undistorted(folder: Path):
    found = aist.windows(folder)
    assert [(w.camera.name, w.start) for w in found] == [(n, s) for n in NAMES for s in (0, 120)]
    for window in found:
        view, camera = window.view, window.camera
        assert view.xy.shape == (120, len(BODY21), 2) and view.fps == 30 and not camera.distortion.any()
        error = np.abs(project(camera, window.truth) - view.xy[:, : len(COCO17)])
        assert np.nanmax(error) < 0.01
        assert view.conf.max() == 1.0
        feet = view.conf[:, BODY21.index("left_heel", "right_big_toe")]
        assert not feet.any()
    # Frame 10 of 60 fps is frame 5 of 30 fps, unseen in the first view only.
    assert [np.flatnonzero(~w.view.conf.any(1)).tolist() for w in found[::2]] == [[5], [], []]


def test_windows_can_be_chosen(folder: Path):
    assert len(aist.windows(folder, ["walk"], ["c02"])) == 2
    assert len(aist.windows(folder, every=4)) == 2
    with pytest.raises(ConfigError, match="gXX_walk"):
        aist.windows(folder, ["gBR"])
    with pytest.raises(CalibrationError, match=r"c09.*c01, c02, c03"):
        aist.windows(folder, cameras=["c09"])
    with pytest.raises(ConfigError, match="every"):
        aist.windows(folder, every=0)


def test_scenes_are_whole_takes_seen_by_every_pair(folder: Path):
    scenes = aist.scenes(folder, 2)
    assert [tuple(c.name for c in s.cameras) for s in scenes] == [
        ("c01", "c02"),
        ("c01", "c03"),
        ("c02", "c03"),
    ]
    assert [s.without for s in scenes] == [0, 1, 0]  # the view taken away changes from set to set
    assert {len(s.truth) for s in scenes} == {FRAMES // 2} and scenes[0].views[0].fps == 30
    fast = aist.scenes(folder, 3, fps=60.0)
    assert len(fast) == 1 and len(fast[0].truth) == FRAMES and fast[0].views[0].fps == 60
    assert len(aist.scenes(folder, 2, every=2)) == 2
    assert len(aist.scenes(folder, 2, cameras=["c02", "c03"])) == 1
    with pytest.raises(ConfigError, match=r"4 views.*3 cameras"):
        aist.scenes(folder, 4)


def test_view_sets_above_two_are_a_fixed_sample():
    assert len(aist_takes.view_sets(9, 1)) == 9
    assert len(aist_takes.view_sets(9, 2)) == 36
    sample = aist_takes.view_sets(9, 4)
    assert len(set(sample)) == aist_takes.MOST_VIEW_SETS and sample == aist_takes.view_sets(9, 4)


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


def test_the_first_window_of_each_camera(folder: Path):
    assert [(w.camera.name, w.start) for w in aist.windows(folder, first=True)] == [(n, 0) for n in NAMES]
    rows = aist.aist(folder, first=True, lifters=[])
    assert {r.frames for r in rows if r.sequence == "all" and r.metric == "mpjpe"} == {3 * 120}
    with pytest.raises(ConfigError, match=r"of one view, not (of )?2"):
        aist.aist(folder, views=2, first=True)


def test_published_rows_stand_beside_ours(folder: Path):
    rows = aist.aist(folder, first=True, lifters=[], with_published=True)
    value = {(r.lifter, r.metric): r.value for r in rows if r.sequence == "published, other sequences"}
    assert value["MVLift", "yaw_mpjpe"] == 110.7 and value["WHAM", "yaw_t_root_released"] == 164.3
    assert ("MAS", "yaw_t_root_released") not in value and value["MAS", "pa_mpjpe_sequence"] == 155.6
    ours = {r.metric for r in rows if r.sequence == "all"}
    assert {metric for _, metric in value} <= ours
    with pytest.raises(ConfigError, match=r"of one view, not (of )?2"):
        aist.aist(folder, views=2, with_published=True)


# A likely lens covers 60 degrees of 1920 px: f = 960 / tan 30.
ZOOM = 960 * 3**0.5 / 1400


def truth_by_the_lens_it_is_told(views, cameras, lifter) -> Motion3D:
    """A lifter that cheats: the walker as far away as the focal length says that they are."""
    (camera,) = cameras
    xyz = walker(FRAMES, fps=SOURCE_FPS, speed=0.2).keypoints.xyz[::2][:120]
    rotation, shift = camera.cam_from_world[:3, :3], camera.cam_from_world[:3, 3]
    in_camera = (xyz @ rotation.T + shift) * [1.0, 1.0, camera.intrinsics[0, 0] / 1400]
    world = (in_camera - shift) @ rotation
    return Motion3D(xyz=world, sigma=np.ones(xyz.shape[:2]), layout=BODY21, fps=30.0)


def test_an_unknown_lens_is_a_likely_one(folder: Path):
    given = {"cameras": ["c01"], "first": True, "lifters": ["cheat"], "solve": truth_by_the_lens_it_is_told}
    known = {(r.lifter, r.metric): r.value for r in aist.aist(folder, **given) if r.sequence == "all"}
    rows = aist.aist(folder, **given, focal="unknown")
    unknown = {(r.lifter, r.metric): r.value for r in rows if r.sequence == "all"}
    name = "cheat (focal unknown)"
    assert known["cheat", "depth_gain"] == pytest.approx(1, abs=1e-6) and known["cheat", "mpjpe"] < 1e-3
    assert unknown[name, "depth_gain"] == pytest.approx(ZOOM)
    # 5 m away, at last 4.2 m, and 19 % too far: the error is along the line of sight.
    assert unknown[name, "absolute_mpjpe"] == pytest.approx(4600 * (ZOOM - 1), rel=0.02)
    # It is drawn by the lens that it was made with.
    assert unknown[name, "j2d"] == pytest.approx(known["cheat", "j2d"], abs=0.1)
    assert unknown["static", "j2d"] == known["static", "j2d"]
    with pytest.raises(ConfigError, match="known or unknown, not 'guessed'"):
        aist.aist(folder, **given, focal="guessed")
    with pytest.raises(ConfigError, match=r"of one view, not (of )?2"):
        aist.aist(folder, views=2, focal="unknown")


def test_several_views_are_scored_by_the_lifter_itself(folder: Path):
    rows = aist.aist(folder, views=2, lifters=["dlt"])
    value = {(r.sequence, r.metric): r.value for r in rows}
    for sequence in ("gXX_walk", "all"):
        assert value[sequence, "absolute_median"] == pytest.approx(0, abs=0.1)  # 32-bit pixels
        # The first camera saw nobody in frame 5 of 250, and is in two of the three pairs. Every point of that
        # frame is charged: COCO's joints are half a metre from their middle.
        share = 2 / (3 * 250)
        assert value[sequence, "missing"] == pytest.approx(100 * share)
        assert 0.3 < value[sequence, "absolute_mpjpe"] / (1000 * share) < 0.7
    # Cameras at 0, 40 and 80 degrees about the vertical: pairs of 40, 80, 40.
    frames = {r.metric: r.frames for r in rows if r.sequence == "all"}
    assert frames["absolute_mpjpe_at_45"] == 500 and frames["absolute_mpjpe_at_90"] == 250
    assert {r.views for r in rows} == {2} and {r.benchmark for r in rows} == {"aist"}
    with pytest.raises(ConfigError, match="30 frames per second"):
        aist.aist(folder, fps=60.0)


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
