from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import CalibrationError
from tests.calibrate.written import (
    QUALISYS,
    QUALISYS_FRONT,
    QUALISYS_SIDE,
    THEIA,
    check_front,
    check_side,
    qualisys,
    read,
)

MARKERS = QUALISYS_FRONT.replace("front", "ir").replace("Miqus Video", "Miqus M3")


class TestQualisys:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        found = read(tmp_path, "Calib.qca.txt", QUALISYS)
        assert (found.format, found.unit, found.up) == ("qualisys", "m", "y")
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_distortion_is_not_in_subpixels(self, tmp_path: Path) -> None:
        text = QUALISYS
        for name, value in (
            ("radialDistortion1", -0.046),
            ("radialDistortion2", 0.14),
            ("radialDistortion3", 0.5),
        ):
            text = text.replace(f'{name}="0"', f'{name}="{value}"')
        text = text.replace('Distortion1="0"', 'Distortion1="0.001"').replace(
            'Distortion2="0"', 'Distortion2="0.002"'
        )
        found = read(tmp_path, "Calib.qca.txt", text).cameras[0]
        np.testing.assert_allclose(found.distortion, [-0.046, 0.14, 0.001, 0.002, 0.5])

    def test_marker_cameras_and_inactive_ones_are_left_out(self, tmp_path: Path) -> None:
        asleep = QUALISYS_SIDE.replace("side", "asleep").replace('active="1"', 'active="0"')
        found = read(tmp_path, "Calib.qca.txt", qualisys(MARKERS, QUALISYS_FRONT, asleep, QUALISYS_SIDE))
        assert [camera.name for camera in found.cameras] == ["front", "side"]

    def test_files_without_models_are_all_video(self, tmp_path: Path) -> None:
        found = read(tmp_path, "Calib.qca.txt", QUALISYS.replace("Miqus Video", "none"))
        assert len(found.cameras) == 2

    def test_without_a_field_of_view_the_sensor_is_the_picture(self, tmp_path: Path) -> None:
        text = qualisys(QUALISYS_FRONT)
        cut = text[: text.index("<fov_video")] + text[text.index("<transform") :]
        found = read(tmp_path, "Calib.qca.txt", cut)
        # 143360 / 64 and 81920 / 64; the principal point stays where the sensor has it.
        assert found.format == "qualisys"
        assert found.cameras[0].size == (2240, 1280)
        np.testing.assert_allclose(found.cameras[0].intrinsics[:2, 2], [1059.5, 589.5])

    def test_only_marker_cameras_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="marker cameras only"):
            read(tmp_path, "Calib.qca.txt", qualisys(MARKERS))

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('r23="1"', 'r23="0.5"', "front.*not a rotation"),
            ('r32="-1"', 'r32="1"', "front.*mirror"),
            ('r11="1"', "", "front.*r11"),
            ('x="0"', 'x="left"', "front.*numbers"),
            ('x="0"', 'x="nan"', "front.*NaN"),
            ('focalLengthU="96000"', "", "front.*focalLengthU"),
            ('focalLengthU="96000"', 'focalLengthU="0"', "front.*singular"),
            ('right="2019"', 'right="10"', "front.*size"),
            ('serial="side"', 'serial="front"', "'front' twice"),
            ('serial="front"', 'serial=" "', "without serial"),
            ("</cameras>", "", "damaged XML.*line"),
        ],
    )
    def test_damage_is_told_with_file_and_camera(
        self, tmp_path: Path, old: str, new: str, message: str
    ) -> None:
        assert old in QUALISYS
        with pytest.raises(CalibrationError, match=rf"Calib\.qca\.txt.*{message}"):
            read(tmp_path, "Calib.qca.txt", QUALISYS.replace(old, new, 1))


class TestTheia:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        found = read(tmp_path, "calibration.txt", THEIA)
        assert (found.format, found.unit, found.up) == ("theia", "m", "y")
        assert [camera.size for camera in found.cameras] == [(1920, 1080), (1920, 1080)]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    @pytest.mark.parametrize(
        "spelling", ["tangentalDistortion", "tangentialDistortion", "tengentialDistortion"]
    )
    def test_every_spelling_of_tangential_is_read(self, tmp_path: Path, spelling: str) -> None:
        text = THEIA.replace('tangentalDistortion1="0"', f'{spelling}1="0.001"')
        text = text.replace('tangentalDistortion2="0"', f'{spelling}2="0.002"')
        found = read(tmp_path, "calibration.txt", text).cameras[0]
        np.testing.assert_allclose(found.distortion, [0.0, 0.0, 0.001, 0.002, 0.0])

    def test_no_active_camera_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="none of its cameras is active"):
            read(tmp_path, "calibration.txt", THEIA.replace('active="1"', 'active="0"'))


class TestHostileXml:
    BOMB = (
        '<?xml version="1.0"?><!DOCTYPE calibration [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        "<calibration>&b;</calibration>"
    )

    @pytest.mark.parametrize(
        "text",
        [
            BOMB,
            '<!DOCTYPE calibration SYSTEM "file:///etc/passwd"><calibration/>',
            QUALISYS.replace("<calibration", '<!doctype x [<!ENTITY y SYSTEM "http://x/">]><calibration', 1),
        ],
    )
    def test_declarations_are_refused_before_parsing(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(CalibrationError, match="declares a document type or entities"):
            read(tmp_path, "Calib.qca.txt", text)

    def test_deep_nesting_is_survived(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="Calib"):
            read(tmp_path, "Calib.qca.txt", "<a>" * 200_000 + "</a>" * 200_000)

    def test_a_huge_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="more than 4 MB"):
            read(tmp_path, "Calib.qca.txt", "<calibration>" + " " * (5 << 20) + "</calibration>")
