from pathlib import Path

import pytest

from mocaplift.errors import CalibrationError
from tests.calibrate.written import (
    ANIPOSE,
    CALISCOPE,
    FIVE,
    FREEMOCAP,
    FRONT_VECTOR,
    SIDE_VECTOR,
    check_front,
    check_side,
    check_z_up,
    read,
    toml_table,
)


class TestAnipose:
    def test_unit_and_up_are_left_open(self, tmp_path: Path) -> None:
        found = read(tmp_path, "calibration.toml", ANIPOSE)
        assert (found.format, found.unit, found.up) == ("anipose", None, None)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        # A square was 25 mm, so a metre is 40 of them.
        check_z_up(*found.cameras, metre=40.0)

    def test_the_tenth_camera_comes_after_the_ninth(self, tmp_path: Path) -> None:
        # anipose itself sorts the keys as text: cam_0 cam_1 cam_10 cam_2.
        keys = ["cam_0", "cam_1", "cam_10", "cam_2"]
        tables = [
            toml_table(key, None, SIDE_VECTOR, metre=1.0 + place, more=FIVE) for place, key in enumerate(keys)
        ]
        found = read(tmp_path, "calibration.toml", "".join(tables))
        assert [camera.name for camera in found.cameras] == ["cam_0", "cam_1", "cam_2", "cam_10"]

    def test_names_may_be_numbers(self, tmp_path: Path) -> None:
        found = read(tmp_path, "c.toml", ANIPOSE.replace('"front"', "10").replace('"side"', '"11"'))
        assert [camera.name for camera in found.cameras] == ["10", "11"]

    def test_a_fisheye_says_so(self, tmp_path: Path) -> None:
        fisheye = "distortions = [0.0, 0.0, 0.0, 0.0]\nfisheye = true"
        found = read(tmp_path, "calibration.toml", toml_table("cam_0", "wide", FRONT_VECTOR, more=fisheye))
        assert found.format == "anipose"
        assert found.cameras[0].distortion[0] == pytest.approx(-1 / 3, abs=0.02)


class TestFreeMoCap:
    def test_millimetres_become_metres(self, tmp_path: Path) -> None:
        found = read(tmp_path, "calibration.toml", FREEMOCAP)
        assert (found.format, found.unit, found.up) == ("freemocap", "m", None)
        check_z_up(*found.cameras)

    def test_a_board_on_the_floor_tells_up(self, tmp_path: Path) -> None:
        found = read(tmp_path, "calibration.toml", FREEMOCAP + "groundplane_calibration = true\n")
        assert (found.unit, found.up) == ("m", "y")
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    @pytest.mark.parametrize("square", ["1", "0.039", '"39"', "nan"])
    def test_squares_that_nobody_measured_tell_no_unit(self, tmp_path: Path, square: str) -> None:
        found = read(tmp_path, "calibration.toml", FREEMOCAP.replace("39.0", square))
        assert found.unit is None
        check_z_up(*found.cameras, metre=1000.0)


class TestCaliscope:
    def test_metres_matrices_and_the_names_of_its_videos(self, tmp_path: Path) -> None:
        found = read(tmp_path, "config.toml", CALISCOPE)
        assert (found.format, found.unit, found.up) == ("caliscope", "m", None)
        # The third camera is ignored. A picture turned for display changes neither size nor pose.
        assert [camera.name for camera in found.cameras] == ["port_0", "port_1"]
        check_z_up(*found.cameras)

    def test_newer_files_have_a_table_of_cameras_and_vectors(self, tmp_path: Path) -> None:
        tables = [
            toml_table(f"cameras.{number}", None, vector, more=f"{FIVE}\ncam_id = {number}\nfisheye = false")
            for number, vector in enumerate([FRONT_VECTOR, SIDE_VECTOR])
        ]
        found = read(tmp_path, "camera_array.toml", "".join(tables))
        assert found.format == "caliscope"
        assert [camera.name for camera in found.cameras] == ["cam_0", "cam_1"]
        check_z_up(*found.cameras)

    def test_all_ignored_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="ignore all"):
            read(tmp_path, "config.toml", CALISCOPE.replace("ignore = false", "ignore = true"))
