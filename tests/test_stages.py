"""The verbs lift and fit on what several cameras saw: one take, one result, in the calibrated world."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import store
from mocaplift.calibrate import write_calibration
from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.cli import cli
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, Motion3D
from tests.walker import walker

FRAMES, FPS, SIZE = 30, 30, (1280, 720)
PLACES = {"cam1": (4.0, 1.2, 1.0), "cam2": (-1.0, 1.4, 4.5), "cam3": (-3.5, 1.0, -2.5)}


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="mocaplift")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """What three cameras saw of a walker, as `detect` writes it, beside cams.json."""
    lens = intrinsics_from_fov(60.0, SIZE)
    target = np.array([0.0, 1.0, 0.5])
    rig = [
        Camera(name, lens, np.zeros(5), look_at(np.array(place), target), SIZE)
        for name, place in PLACES.items()
    ]
    write_calibration(rig, tmp_path / "cams.json")
    truth = walker(frames=FRAMES, fps=FPS).keypoints
    paths = []
    for camera in rig:
        xy = project(camera, truth.xyz)
        view = Keypoints2D(xy, np.full(xy.shape[:2], 0.9), BODY21, FPS, SIZE)
        clip = Clip(Path(f"jump_{camera.name}.mp4"), Fraction(FPS), FRAMES, SIZE)
        paths.append(tmp_path / f"jump_{camera.name}.keypoints.npz")
        store.save((clip, view), paths[-1])
    return paths


def test_lift_makes_points_in_the_world_of_the_cameras(files: list[Path]) -> None:
    folder = files[0].parent
    shown = call("lift", "--calib", folder / "cams.json", *files, "--lifter", "dlt")
    assert shown.exit_code == 0, shown.output
    lifted = store.load(folder / "jump.lifted.npz")
    assert isinstance(lifted, Motion3D)
    truth = walker(frames=FRAMES, fps=FPS).keypoints.xyz
    assert np.abs(lifted.xyz - truth).max() < 0.01
    assert not list(folder.glob("jump_cam1.lifted.npz"))


def test_fit_makes_one_capture_of_all_cameras(files: list[Path]) -> None:
    folder = files[0].parent
    shown = call("fit", "--calib", folder / "cams.json", *files, "--lifter", "dlt", "-o", folder / "out.npz")
    assert shown.exit_code == 0, shown.output
    made = store.load(folder / "out.npz")
    assert isinstance(made, Capture)
    assert [camera.name for camera in made.cameras] == list(PLACES)
    assert made.report["reprojection_px"] < 8.0
    assert set(made.report["camera_seen_share"].values()) == {1.0}


def test_cameras_that_do_not_fit_the_files_are_told(files: list[Path]) -> None:
    folder = files[0].parent
    calib = ("--calib", folder / "cams.json")
    again = folder / "jump_cam9.keypoints.npz"
    clip, view = store.load(files[0])
    store.save((clip, view), again)
    for arguments, code, sentence in (
        ((*files, "--calib", folder / "none.json"), 5, "none.json"),
        ((*files, again, *calib), 5, "jump_cam1.mp4"),
        ((*files, *calib, "--fov", "60"), 2, "says what --fov says"),
        ((*files, "--sync", "auto"), 2, "give --calib as well"),
        ((*files, *calib, "-o", files[1], "--overwrite"), 2, "is the input itself"),
    ):
        shown = call("fit", *arguments)
        assert (shown.exit_code, sentence in shown.stderr) == (code, True), shown.stderr
