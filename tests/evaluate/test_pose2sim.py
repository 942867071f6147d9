"""The Pose2Sim benchmark: cameras read in their axes, matched, resized; truth triangulated; results compared."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.calibrate import Calibration
from mocaplift.cameras import cam_points, centre, intrinsics_from_focal, look_at, project
from mocaplift.detect.track import Track
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.evaluate import pose2sim
from mocaplift.layouts import BODY21, remap
from mocaplift.values import Camera, Clip, Keypoints2D, Motion3D
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


def test_the_folder_is_read_in_our_axes(folder: Path):
    videos, calibration = pose2sim.find(folder)
    assert [video.stem for video in videos] == ["cam01", "cam02"]
    near, far = calibration.cameras
    assert near.name == "cam_01" and near.size == (720, 1280) and calibration.up == "y"
    # Z-up (x, y, z) is our (x, z, -y): the camera at (0, -5, 1) looks along +Y, ours stands at z = 5.
    assert centre(near) == pytest.approx([0, 1, 5])
    assert cam_points(near, np.array([0.0, 2.0, 0.0])) == pytest.approx([0, -1, 5])  # up is -y of a camera
    assert cam_points(far, np.array([0.5, 1.0, 0.0])) == pytest.approx([0.5, 0, 6])


MARKERS = (
    "Nose", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist", "LHip", "RHip", "LKnee", "RKnee",
    "LAnkle", "RAnkle", "LBigToe", "RBigToe", "LHeel", "RHeel",
)  # fmt: skip


def write_reference(folder: Path, xyz: np.ndarray, fps: float = 60.0) -> Path:
    """Our points as Pose2Sim writes them: the columns are Y, Z and X of a world with +Z up."""
    # Our (x, y, z) is (x, -z, y) with +Z up; of that Y, Z, X: (-z, y, x).
    columns = np.stack([-xyz[..., 2], xyz[..., 1], xyz[..., 0]], axis=-1)
    names = "".join(f"{marker}\t\t\t" for marker in MARKERS)
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tref.trc",
        "DataRate\tUnits",
        f"{fps:g}\tm",
        "Frame#\tTime\t" + names,
        "",
    ]
    for number, points in enumerate(columns, start=1):
        lines.append("\t".join(f"{value:.9f}" for value in [number, number / fps, *points.ravel()]))
    path = folder / "ref.trc"
    path.write_text("\n".join(lines) + "\n")
    return path


def compared(xyz: np.ndarray) -> np.ndarray:
    return remap(xyz, BODY21, pose2sim.COMPARED)


def test_the_reference_is_turned_into_our_axes(folder: Path):
    xyz = compared(walker(5, fps=60.0).keypoints.xyz)
    path = write_reference(folder, xyz)
    text = path.read_text()
    assert pose2sim.reference(folder) == pytest.approx(xyz, abs=1e-6)
    path.write_text(text.replace("LHip", "LHop"))
    with pytest.raises(InvalidData, match=r"ref\.trc has no marker LHip"):
        pose2sim.reference(folder)
    path.unlink()
    with pytest.raises(InvalidData, match=r"one reference.*holds 0"):
        pose2sim.reference(folder)


def off_by_views(views, cameras, lifter) -> Motion3D:
    """A lifter that is a centimetre off for each view that it lacks of four, two more than that in all."""
    xyz = walker(30, fps=60.0).keypoints.xyz + np.array([0.02 + 0.01 * (4 - len(views)), 0.0, 0.0])
    return Motion3D(xyz, np.ones(xyz.shape[:2]), BODY21, 60.0)


def test_several_views_are_held_against_the_reference_and_against_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    xyz = walker(30, fps=60.0).keypoints.xyz
    see_with(monkeypatch, folder, ring(), xyz)
    write_reference(folder, compared(xyz))
    steps = []
    rows = pose2sim.pose2sim(
        folder,
        views=3,
        lifters=["x"],
        solve=off_by_views,
        progress=lambda done, total: steps.append((done, total)),
    )
    value = {(row.sequence, row.metric): row.value for row in rows}
    assert value["reference", "absolute_mpjpe"] == pytest.approx(30, abs=1e-3)
    assert value["all cameras", "absolute_mpjpe"] == pytest.approx(10, abs=1e-3)
    assert value["all cameras", "negative_view_joints"] == 0
    assert {row.sequence for row in rows} == {"reference", "all cameras"} and {row.views for row in rows} == {
        3
    }
    assert {row.frames for row in rows if "_at_" not in row.metric} == {4 * 30}  # four triples
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2
    four = pose2sim.pose2sim(folder, views=4, lifters=["x"], solve=off_by_views)
    assert {row.sequence for row in four} == {"reference"}
    with pytest.raises(ConfigError, match=r"5 views.*4 cameras"):
        pose2sim.pose2sim(folder, views=5, lifters=["x"], solve=off_by_views)


def see_with(monkeypatch: pytest.MonkeyPatch, folder: Path, rig: list[Camera], xyz: np.ndarray) -> None:
    """Let the folder hold these cameras and videos on which they saw the points without noise."""
    videos = [folder / "videos" / f"cam0{number}.mp4" for number in range(1, len(rig) + 1)]
    by_video = dict(zip(videos, rig, strict=True))
    calibration = Calibration(tuple(rig), "pose2sim", folder, "m", "y")
    monkeypatch.setattr(pose2sim, "find", lambda _: (videos, calibration))

    def see(video: Path, detector: str) -> tuple[Clip, list[Track]]:
        camera = by_video[video]
        view = seen_by(camera, xyz)
        boxes = np.concatenate([view.xy.min(axis=1), view.xy.max(axis=1)], axis=1)
        return Clip(video, Fraction(60), len(xyz), camera.size), [Track(1, view, boxes)]

    monkeypatch.setattr(pose2sim, "see", see)


def far_and_turned(views, cameras, lifter) -> Motion3D:
    """A lifter that is right but for the place, and a quarter turn about +Y where its name says so."""
    xyz = walker(30, fps=60.0).keypoints.xyz + np.array([1.0, 0.0, 2.0])
    if lifter == "turned":
        xyz = rotations.rotate(rotations.about_axis("Y", np.pi / 2), xyz)
    return Motion3D(xyz, np.ones(xyz.shape[:2]), BODY21, 60.0)


def test_the_benchmark_compares_in_the_cameras_frame(folder: Path, monkeypatch: pytest.MonkeyPatch):
    xyz = walker(30, fps=60.0).keypoints.xyz
    see_with(monkeypatch, folder, ring()[:2], xyz)
    rows = pose2sim.pose2sim(folder, lifters=["right", "turned"], solve=far_and_turned)
    value = {(row.sequence, row.lifter, row.metric): row.value for row in rows}
    for name in ("cam01", "cam02", "all"):
        assert value[name, "detector", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "right", "mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "right", "t_root"] == pytest.approx(0, abs=1e-6)
        assert value[name, "right", "depth_gain"] == pytest.approx(1)
        assert value[name, "turned", "mpjpe"] > 100
        assert value[name, "turned", "pa_mpjpe"] == pytest.approx(0, abs=1e-6)
        assert value[name, "static", "t_root"] > 100
    assert (name, "detector", "t_root") not in value  # landmarks have no place in the world
    assert {row.frames for row in rows} == {30, 60}


def test_one_view_is_held_against_the_reference_too(folder: Path, monkeypatch: pytest.MonkeyPatch):
    xyz = walker(30, fps=60.0).keypoints.xyz
    see_with(monkeypatch, folder, ring()[:2], xyz)
    write_reference(folder, 1.1 * compared(xyz)[:20])
    rows = pose2sim.pose2sim(folder, lifters=["right"], solve=far_and_turned)
    value = {(row.sequence, row.metric): row for row in rows if row.lifter == "right"}
    assert value["all", "mpjpe"].value == pytest.approx(0, abs=1e-6)
    assert value["all (reference)", "mpjpe"].value > 10
    assert value["all (reference)", "pa_mpjpe"].value == pytest.approx(0, abs=1e-3)
    assert value["cam01 (reference)", "mpjpe"].frames == 20


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
        (whole[:100], "TOML"),
        (whole.replace("1000.0", "nan"), "cam_01"),
    ):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=message) as caught:
            pose2sim.find(folder)
        assert "Calib_scene.toml" in str(caught.value)
