"""OpenCV's FileStorage in all its forms, and EasyMocap's pair of files."""

from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import read_calibration
from mocaplift.cameras import centre
from mocaplift.errors import CalibrationError
from tests.calibrate.written import FRONT_VECTOR, MATRIX, SIDE_VECTOR, Z_UP_FRONT, Z_UP_SIDE, check_z_up, read
from tests.calibrate.written_by_others import (
    EXTRI,
    INTRI,
    dumped,
    openpose_xml,
    storage,
    write_folder,
    yaml,
    yaml_matrix,
)


class TestEasyMocap:
    @pytest.mark.parametrize("given", ["intri.yml", "extri.yml", ""])
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path, given: str) -> None:
        write_folder(tmp_path, intri__yml=INTRI, extri__yml=EXTRI)
        found = read_calibration(tmp_path / given)
        assert (found.format, found.unit, found.up, found.sizes_known) == ("easymocap", None, None, True)
        assert [camera.name for camera in found.cameras] == ["1", "side"]
        check_z_up(*found.cameras)
        assert [camera.size for camera in found.cameras] == [(1920, 1080)] * 2

    def test_without_sizes_they_are_guessed(self, tmp_path: Path) -> None:
        short = "\n".join(line for line in INTRI.split("\n") if line[:2] not in ("H_", "W_"))
        write_folder(tmp_path, intri__yml=short, extri__yml=EXTRI)
        found = read_calibration(tmp_path)
        assert not found.sizes_known
        assert found.cameras[0].size == (1919, 1079)

    def test_a_partner_of_the_same_take(self, tmp_path: Path) -> None:
        write_folder(tmp_path, intri_2__yml=INTRI, extri_2__yml=EXTRI)
        assert len(read_calibration(tmp_path / "extri_2.yml").cameras) == 2

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        write_folder(tmp_path, intri__yml=INTRI)
        with pytest.raises(CalibrationError, match=r"extri\.yml, which has the places"):
            read_calibration(tmp_path / "intri.yml")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("K_side", "K_other", "'side'.*no K_side"),
            ("cols: 3", "cols: 30", "'1'.*3 x 30 numbers, but has 9"),
            ("rows: 3", "rows: -3", "'1'.*should have -3"),
            ("rows: 3", "rows: 1e400", "'1'.*whole numbers"),
            ("[ 1500.0", "[ .nan", "'1'.*NaN"),
            ("H_side: 1080", "H_side: 10.5", "'side'.*size"),
            ('- "side"', '- "1"', "'1' twice"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert old in INTRI
        write_folder(tmp_path, intri__yml=INTRI.replace(old, new), extri__yml=EXTRI)
        with pytest.raises(CalibrationError, match=message):
            read_calibration(tmp_path)

    @pytest.mark.parametrize("share", [0.3, 0.55, 0.8, 0.97])
    def test_a_truncated_file_is_an_error(self, tmp_path: Path, share: float) -> None:
        write_folder(tmp_path, intri__yml=INTRI, extri__yml=EXTRI[: int(len(EXTRI) * share)])
        with pytest.raises(CalibrationError, match=r"extri\.yml"):
            read_calibration(tmp_path)


class TestOneCameraAFile:
    @pytest.mark.parametrize("turns", [(FRONT_VECTOR, SIDE_VECTOR), (Z_UP_FRONT, Z_UP_SIDE)])
    def test_yaml(self, tmp_path: Path, turns: tuple) -> None:
        texts = [yaml(**storage(turn, [0.0, 1.0, 4.0])) for turn in turns]
        write_folder(tmp_path, front__yml=texts[0], side__yaml=texts[1])
        found = read_calibration(tmp_path)
        assert (found.format, found.unit, found.up, found.sizes_known) == ("opencv", None, None, True)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_z_up(*found.cameras)

    def test_one_file_alone_is_one_camera(self, tmp_path: Path) -> None:
        found = read(tmp_path, "front.yml", yaml(**storage(FRONT_VECTOR, [0, 1, 4])))
        assert [camera.name for camera in found.cameras] == ["front"]

    def test_json(self, tmp_path: Path) -> None:
        def node(array: object) -> dict:
            rows = np.atleast_2d(np.array(array, dtype=float))
            return {"type_id": "opencv-matrix", "rows": rows.shape[0], "cols": rows.shape[1], "dt": "d",
                    "data": rows.ravel().tolist()}  # fmt: skip

        for name, turn in (("front", Z_UP_FRONT), ("side", Z_UP_SIDE)):
            text = {
                "cameraMatrix": node(MATRIX),
                "D": node([[0.0] * 5]),
                "R": node(turn),
                "T": node([0, 1, 4]),
            }
            (tmp_path / f"{name}.json").write_text(dumped(text | {"image_size": [1920, 1080]}))
        check_z_up(*read_calibration(tmp_path).cameras)

    def test_openpose_has_the_pose_as_camera_matrix(self, tmp_path: Path) -> None:
        write_folder(tmp_path, front__xml=openpose_xml(Z_UP_FRONT), side__xml=openpose_xml(Z_UP_SIDE))
        found = read_calibration(tmp_path)
        assert not found.sizes_known
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_z_up(*found.cameras)

    def test_a_damaged_file_among_others_is_named(self, tmp_path: Path) -> None:
        text = yaml(**storage(FRONT_VECTOR, [0, 1, 4]))
        write_folder(tmp_path, front__yml=text, side__yml=text[: text.index("539.5")])
        with pytest.raises(CalibrationError, match=r"side\.yml is damaged"):
            read_calibration(tmp_path)

    def test_lenses_without_places_are_no_rig(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="not where they stand"):
            read(tmp_path, "camera.yml", yaml(camera_matrix=MATRIX, image_width=1920, image_height=1080))


class TestSeveralCamerasAFile:
    def test_numbered_names(self, tmp_path: Path) -> None:
        text = yaml(K1=MATRIX, R1=FRONT_VECTOR, T1=[0, 1, 4], K_2=MATRIX, R_2=SIDE_VECTOR, T_2=[0, 1, 4])
        found = read(tmp_path, "rig.yml", text)
        assert [camera.name for camera in found.cameras] == ["1", "2"]
        check_z_up(*found.cameras)

    def test_tables_by_name(self, tmp_path: Path) -> None:
        def table(turn: object) -> str:
            inner = yaml_matrix("K", MATRIX) + yaml_matrix("R", turn) + yaml_matrix("t", [0, 1, 4])
            return "".join(f"   {line}\n" for line in inner.splitlines())

        text = f"%YAML:1.0\n---\nfront:\n{table(FRONT_VECTOR)}side:\n{table(SIDE_VECTOR)}"
        found = read(tmp_path, "rig.yml", text)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_z_up(*found.cameras)

    @pytest.mark.parametrize("split", [False, True])
    def test_a_stereo_pair_is_in_the_world_of_its_first_camera(self, tmp_path: Path, split: bool) -> None:
        """The second stands 0.5 to the right of the first and is turned a quarter to its left.

        x2 = R x1 + t with R = [0 0 1; 0 1 0; -1 0 0]: its forward is the first's -x; t = -R (0.5, 0, 0).
        """
        turn = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
        lenses = {"M1": MATRIX, "D1": [[0.0] * 5], "M2": MATRIX, "D2": [[0.1, 0.0, 0.0, 0.0, 0.0]]}
        between = {"R": turn, "T": [0.0, 0.0, 0.5], "R1": np.eye(3), "R2": np.eye(3), "Q": np.eye(4)}
        if split:
            write_folder(tmp_path, intrinsics__yml=yaml(**lenses), extrinsics__yml=yaml(**between))
            found = read_calibration(tmp_path)
        else:
            found = read(tmp_path, "stereo.yml", yaml(**lenses, **between))
        first, second = found.cameras
        np.testing.assert_allclose(first.cam_from_world, np.eye(4), atol=1e-12)
        np.testing.assert_allclose(centre(second), [0.5, 0, 0], atol=1e-9)
        np.testing.assert_allclose(second.cam_from_world[2, :3], [-1, 0, 0], atol=1e-9)
        assert second.distortion[0] == 0.1


class TestHostile:
    @pytest.mark.parametrize(
        "text",
        [
            "%YAML:1.0\n---\nK: !!python/object/apply:os.system [ 'touch owned' ]\n",
            "%YAML:1.0\n---\na: &a [1, 2]\nK: *a\nR: *a\n",
            "%YAML:1.0\n---\n" + "".join(f"{' ' * depth}t{depth}:\n" for depth in range(500)),
            "%YAML:1.0\n---\nK: !!opencv-matrix\n   rows: 1000000\n   cols: 1000000\n   dt: d\n   data: [ 1. ]\n",
            "%YAML:1.0\n---\nK: " + "[" * 100000,
            "%YAML:1.0\n---\nK: [1, 2, 3\n",
            "<?xml version='1.0'?><!DOCTYPE o [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><opencv_storage>&b;"
            "</opencv_storage>",
            "<opencv_storage>" + "<a>" * 5000,
        ],
    )
    def test_nothing_runs_and_nothing_grows(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(CalibrationError):
            read(tmp_path, "rig.yml", text)
        assert [path.name for path in tmp_path.iterdir()] == ["rig.yml"]
