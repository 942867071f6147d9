from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import CalibrationError
from tests.calibrate.written import (
    ANIPOSE,
    FOUR,
    FRONT_VECTOR,
    POSE2SIM,
    SIDE_VECTOR,
    check_front,
    check_side,
    read,
    toml_table,
)


def test_the_numbers_are_those_computed_by_hand(tmp_path: Path) -> None:
    found = read(tmp_path, "Calib.toml", POSE2SIM)
    assert (found.format, found.unit, found.up) == ("pose2sim", "m", "y")
    assert [camera.name for camera in found.cameras] == ["front", "side"]
    check_front(found.cameras[0])
    check_side(found.cameras[1])


def test_four_coefficients_alone_are_enough_to_know_it(tmp_path: Path) -> None:
    assert read(tmp_path, "Calib.toml", POSE2SIM.replace("fisheye = false\n", "")).format == "pose2sim"
    assert read(tmp_path, "Calib.toml", ANIPOSE).format == "anipose"


def test_sizes_may_be_written_as_fractions(tmp_path: Path) -> None:
    found = read(tmp_path, "Calib.toml", POSE2SIM.replace("[1920, 1080]", "[ 1920.0, 1080.0]"))
    assert found.cameras[0].size == (1920, 1080)


def test_coefficients_keep_their_order(tmp_path: Path) -> None:
    text = POSE2SIM.replace("distortions = [0.0, 0.0, 0.0, 0.0]", "distortions = [-0.1, 0.2, 0.003, -0.004]")
    found = read(tmp_path, "Calib.toml", text).cameras[0]
    np.testing.assert_array_equal(found.distortion, [-0.1, 0.2, 0.003, -0.004, 0.0])


def test_tables_that_are_no_cameras_are_passed_over(tmp_path: Path) -> None:
    text = (
        POSE2SIM
        + "\n[checkerboard]\nsize = [5, 7]\n\n[charuco]\nmatrix = 'DICT'\n\n[capture_volume]\nstage = 1\n"
    )
    assert len(read(tmp_path, "Calib.toml", text).cameras) == 2


def test_a_fisheye_lens_is_fitted_or_refused(tmp_path: Path) -> None:
    def written(focal: float) -> str:
        lens = "distortions = [0.0, 0.0, 0.0, 0.0]\nfisheye = "
        tables = [
            toml_table("cam_1", "front", FRONT_VECTOR, more=lens + "false"),
            toml_table("cam_2", "side", SIDE_VECTOR, more=lens + "true").replace("1500.0", str(focal)),
        ]
        return "".join(tables)

    # An equidistant lens: tan(a) = x has a = x - x^3/3 + ..., so k1 is near -1/3.
    side = read(tmp_path, "Calib.toml", written(2000.0)).cameras[1]
    assert side.distortion[0] == pytest.approx(-1 / 3, abs=0.01)
    with pytest.raises(CalibrationError, match=r"'side'.*undistort the videos"):
        read(tmp_path, "Calib.toml", written(800.0))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rotation = [1.57", "rotatoin = [1.57", "front.*no rotation"),
        ("matrix = ", "matirx = ", "front.*matrix"),
        ("size = ", "seize = ", "front.*size"),
        ("translation = [0.0,", "translation = [nan,", "front.*NaN"),
        ("translation = [0.0,", "translation = [", "front.*3 numbers"),
        ("fisheye = false", "fisheye = 'no'", "front.*true or false"),
        ('name = "side"', 'name = "front"', "'front' twice"),
        ("[cam_02]", "[cam_01]", "line"),
    ],
)
def test_damage_is_told_with_file_and_camera(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in POSE2SIM
    with pytest.raises(CalibrationError, match=rf"Calib\.toml.*{message}"):
        read(tmp_path, "Calib.toml", POSE2SIM.replace(old, new, 1))


def test_a_camera_that_was_not_placed_is_told(tmp_path: Path) -> None:
    front = toml_table("cam_1", "front", FRONT_VECTOR, more=FOUR)
    lone = "\n".join(
        line for line in front.replace("front", "lone").splitlines() if not line.startswith("rot")
    )
    with pytest.raises(CalibrationError, match=r"'lone'.*calibrated together"):
        read(tmp_path, "Calib.toml", front + lone.replace("cam_1", "cam_2"))
