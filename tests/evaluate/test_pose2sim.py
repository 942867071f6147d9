"""The Pose2Sim benchmark: cameras read in their axes, matched, resized; truth triangulated; results compared."""

from pathlib import Path

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.cameras import cam_points, intrinsics_from_focal, look_at, project
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.evaluate import pose2sim
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D, Motion3D
from tests.walker import walker

TABLE = """
[cam_0{number}]
name = "cam_0{number}"
size = [ 720.0, 1280.0]
matrix = [ [ 1000.0, 0.0, 359.5], [ 0.0, 1000.0, 639.5], [ 0.0, 0.0, 1.0]]
distortions = [ 0.0, 0.0, 0.0, 0.0]
rotation = [ {x}, 0.0, 0.0]
translation = [ 0.0, 1.0, {depth}]
fisheye = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos and two cameras in Pose2Sim's Z-up world, looking along its +Y."""
    (tmp_path / "videos").mkdir()
    for number in (1, 2):
        (tmp_path / "videos" / f"cam0{number}.mp4").touch()
    # A quarter about X turns the world's +Y to the camera's forward and +Z to its up.
    text = "[metadata]\nadjusted = false\n" + "".join(
        TABLE.format(number=number, x=np.pi / 2, depth=depth) for number, depth in ((1, 5.0), (2, 6.0))
    )
    (tmp_path / "Calib_scene.toml").write_text(text)
    return tmp_path


def ring() -> list[Camera]:
    """Four cameras around the walker's path."""
    return [
        Camera(
            name=f"cam_0{number}",
            intrinsics=intrinsics_from_focal(1000.0, (1280, 720)),
            distortion=np.array([0.05, 0, 0, 0, 0]),
            cam_from_world=look_at(
                np.array([4 * np.sin(angle), 1.5, 4 * np.cos(angle)]), np.array([0, 0.9, 0.5])
            ),
            size=(1280, 720),
        )
        for number, angle in enumerate((0.3, 1.9, 3.0, 4.6), start=1)
    ]


def seen_by(camera: Camera, xyz: np.ndarray) -> Keypoints2D:
    """Perfect detections, with landmarks that are the truth in the camera's axes."""
    local = cam_points(camera, xyz)
    hips = local[:, BODY21.index("left_hip", "right_hip")].mean(1, keepdims=True)
    return Keypoints2D(
        project(camera, xyz), np.full(xyz.shape[:2], 0.9), BODY21, 60.0, camera.size, local - hips
    )


def test_cameras_come_into_a_world_with_y_up(folder: Path):
    (_, near), (_, far) = pose2sim.find(folder)
    assert near.name == "cam_01" and near.size == (720, 1280)
    # Z-up (x, y, z) is our (x, z, -y): the camera at (0, -5, 1) looks along +Y, ours stands at z = 5.
    assert -near.cam_from_world[:3, :3].T @ near.cam_from_world[:3, 3] == pytest.approx([0, 1, 5])
    assert cam_points(near, np.array([0.0, 1.0, 0.0])) == pytest.approx([0, 0, 5])
    assert cam_points(near, np.array([0.0, 2.0, 0.0])) == pytest.approx([0, -1, 5])  # up is -y of a camera
    assert cam_points(far, np.array([0.5, 1.0, 0.0])) == pytest.approx([0.5, 0, 6])


def test_videos_and_cameras_match_by_name_else_in_order(folder: Path):
    videos = folder / "videos"
    (videos / "cam01.mp4").rename(videos / "cam03.mp4")
    assert [(v.stem, c.name) for v, c in pose2sim.find(folder)] == [("cam02", "cam_01"), ("cam03", "cam_02")]
    (videos / "cam04.mp4").touch()
    with pytest.raises(CalibrationError, match="2 cameras, but there are 3 videos"):
        pose2sim.find(folder)


def test_a_resized_camera_keeps_what_it_sees():
    camera = ring()[0]
    point = np.array([0.2, 1.0, 0.3])
    half = pose2sim.resized(camera, (640, 360))
    # Pixel centres at integers: x becomes (x + 0.5) / 2 - 0.5.
    assert project(half, point) == pytest.approx((project(camera, point) + 0.5) / 2 - 0.5)
    assert pose2sim.resized(camera, camera.size) is camera
    with pytest.raises(CalibrationError, match="cam_01"):
        pose2sim.resized(camera, (720, 1280))


def test_dlt_finds_the_points_and_weighs_by_confidence():
    xyz = walker(3).keypoints.xyz
    rig = ring()
    views = [seen_by(camera, xyz) for camera in rig]
    assert np.abs(pose2sim.dlt(rig, views) - xyz).max() < 1e-6
    broken = views[0].xy + 80.0
    errors = {}
    for conf in (0.9, 0.09):
        weak = Keypoints2D(broken, np.full(xyz.shape[:2], conf), BODY21, 60.0, rig[0].size)
        errors[conf] = np.abs(pose2sim.dlt(rig, [weak, *views[1:]]) - xyz).max()
    # A tenth of the confidence is a hundredth of the weight.
    assert errors[0.9] > 0.05
    assert errors[0.09] < errors[0.9] / 20
    alone = [Keypoints2D(v.xy * np.nan, v.conf * 0, BODY21, 60.0, v.size) for v in views[1:]]
    assert np.isnan(pose2sim.dlt(rig, [views[0], *alone])).all()


def far_and_turned(views, cameras, lifter) -> Motion3D:
    """A lifter that is right but for the place, and a quarter turn about +Y where its name says so."""
    xyz = walker(30, fps=60.0).keypoints.xyz + np.array([1.0, 0.0, 2.0])
    if lifter == "turned":
        xyz = rotations.rotate(rotations.about_axis("Y", np.pi / 2), xyz)
    return Motion3D(xyz, np.ones(xyz.shape[:2]), BODY21, 60.0)


def test_the_benchmark_compares_in_the_cameras_frame(folder: Path, monkeypatch: pytest.MonkeyPatch):
    xyz = walker(30, fps=60.0).keypoints.xyz
    rig = ring()[:2]
    pairs = [(folder / "videos" / f"cam0{number}.mp4", camera) for number, camera in enumerate(rig, start=1)]
    monkeypatch.setattr(pose2sim, "find", lambda _: pairs)
    monkeypatch.setattr(pose2sim, "see", lambda video, _: seen_by(dict(pairs)[video], xyz))
    rows = pose2sim.pose2sim(folder, lifters=["right", "turned"], solve=far_and_turned)
    value = {(row.sequence, row.lifter, row.metric): row.value for row in rows}
    for name in ("cam01", "cam02", "all"):
        assert value[name, "detector", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "right", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "right", "t_root"] == pytest.approx(0, abs=1e-6)
        assert value[name, "turned", "mpjpe"] > 100
        assert value[name, "turned", "pa_mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "static", "t_root"] > 100
    assert (name, "detector", "t_root") not in value  # landmarks have no place in the world
    assert {row.frames for row in rows} == {30, 60}


def test_bad_folders_say_what_is_wrong(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(InvalidData, match="no such folder"):
        pose2sim.find(empty / "nowhere")
    with pytest.raises(InvalidData, match="no video"):
        pose2sim.find(empty)
    (empty / "a.mp4").touch()
    with pytest.raises(CalibrationError, match="holds: none"):
        pose2sim.find(empty)
    path = folder / "Calib_scene.toml"
    whole = path.read_text()
    for text, message in (
        (whole[:100], "not a Pose2Sim calibration"),
        ("[metadata]\n", "names no camera"),
        (whole.replace("1000.0", "nan"), "NaN"),
    ):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=message) as caught:
            pose2sim.find(folder)
        assert "Calib_scene.toml" in str(caught.value)
