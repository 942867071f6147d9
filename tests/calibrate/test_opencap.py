"""OpenCap's pickles: read as data, never run."""

import os
import pickle  # noqa: TID251 - writes the files whose reading is tested
from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import read_calibration
from mocaplift.errors import CalibrationError
from tests.calibrate.written import MATRIX, check_front, check_side
from tests.calibrate.written_by_others import Y_DOWN_FRONT, Y_DOWN_SIDE


def table(turn: object, **changes: object) -> dict:
    return {
        "intrinsicMat": np.array(MATRIX), "distortion": np.zeros((1, 5)),
        "imageSize": np.array([[1080.0], [1920.0]]), "rotation": np.array(turn),
        "translation": np.array([[0.0], [1000.0], [4000.0]]), "rotation_EulerAngles": np.zeros((3, 1)),
    } | changes  # fmt: skip


def write(path: Path, content: object, protocol: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


class _Code:
    def __reduce__(self):
        return os.mkdir, ("owned",)


class TestReading:
    @pytest.mark.parametrize("protocol", range(6))
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path, protocol: int) -> None:
        write(tmp_path / "front.pickle", table(Y_DOWN_FRONT), protocol)
        write(tmp_path / "side.pickle", table(Y_DOWN_SIDE), protocol)
        found = read_calibration(tmp_path)
        assert (found.format, found.unit, found.up, found.sizes_known) == ("opencap", "m", "y", True)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_one_file_is_one_camera(self, tmp_path: Path) -> None:
        found = read_calibration(write(tmp_path / "front.pickle", table(Y_DOWN_FRONT), 2))
        assert [camera.name for camera in found.cameras] == ["front"]

    def test_sessions_have_a_folder_for_each_camera(self, tmp_path: Path) -> None:
        for name, turn in (("Cam0", Y_DOWN_FRONT), ("Cam1", Y_DOWN_SIDE)):
            write(tmp_path / "Videos" / name / "cameraIntrinsicsExtrinsics.pickle", table(turn))
        assert [camera.name for camera in read_calibration(tmp_path).cameras] == ["Cam0", "Cam1"]
        assert [camera.name for camera in read_calibration(tmp_path / "Videos").cameras] == ["Cam0", "Cam1"]

    def test_other_numbers_than_doubles(self, tmp_path: Path) -> None:
        changes = {
            "imageSize": [1080, 1920],
            "rotation": np.asfortranarray(np.array(Y_DOWN_SIDE, dtype=">f4")),
            "distortion": (0.0, np.float64(0.0), 0.0, 0.0, 0.0),
        }
        changes["distortion"] = [0.0] * 5
        found = read_calibration(write(tmp_path / "side.pickle", table(Y_DOWN_SIDE, **changes)))
        check_side(found.cameras[0])


class TestHostile:
    @pytest.mark.parametrize("protocol", range(6))
    def test_code_is_refused_and_not_run(
        self, tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = write(tmp_path / "cam.pickle", table(Y_DOWN_FRONT, distortion=_Code()), protocol)
        with pytest.raises(CalibrationError, match=r"cam\.pickle.*holds code .*mkdir"):
            read_calibration(path)
        assert not (tmp_path / "owned").exists()

    @pytest.mark.parametrize(
        "text",
        [
            b"cos\nsystem\n(S'touch owned'\ntR.",
            b"cnumpy\nload\n(S'x'\ntR.",
            b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
            b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x00aR.",
            b"\x80\x04P12\n.",
            b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
            b"\x80\x04",
            # Room in the memo for so many objects would take 32 GB.
            b"\x80\x02}r\xff\xff\xff\x7f.",
            b"(dp2000000000\n.",
        ],
    )
    def test_other_programs_are_refused(self, tmp_path: Path, text: bytes) -> None:
        path = tmp_path / "cam.pickle"
        path.write_bytes(text)
        with pytest.raises(CalibrationError, match=r"cam\.pickle"):
            read_calibration(path)
        assert [each.name for each in tmp_path.iterdir()] == ["cam.pickle"]

    def test_arrays_of_objects_are_refused(self, tmp_path: Path) -> None:
        content = table(Y_DOWN_FRONT, rotation=np.array([[1, None, 0]] * 3, dtype=object))
        with pytest.raises(CalibrationError, match=r"rotation.*no numbers"):
            read_calibration(write(tmp_path / "cam.pickle", content))

    def test_lists_that_hold_themselves_many_times_are_refused(self, tmp_path: Path) -> None:
        grown: list = [0.0] * 10
        for _ in range(30):
            grown = [grown] * 10
        content = table(Y_DOWN_FRONT, rotation=grown)
        with pytest.raises(CalibrationError, match="rotation"):
            read_calibration(write(tmp_path / "cam.pickle", content))

    def test_what_is_no_camera(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="no camera of OpenCap"):
            read_calibration(write(tmp_path / "cam.pickle", [1, 2]))
        with pytest.raises(CalibrationError, match="no camera of OpenCap"):
            read_calibration(write(tmp_path / "cam.pickle", {"intrinsicMat": np.eye(3)}))

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_truncated_file(self, tmp_path: Path, share: float) -> None:
        path = write(tmp_path / "cam.pickle", table(Y_DOWN_FRONT))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CalibrationError, match=r"cam\.pickle: damaged"):
            read_calibration(path)

    def test_wrong_numbers_are_named(self, tmp_path: Path) -> None:
        path = write(tmp_path / "cam.pickle", table(Y_DOWN_FRONT, translation=np.array([0.0, np.nan, 1.0])))
        with pytest.raises(CalibrationError, match=r"'cam'.*translation.*NaN"):
            read_calibration(path)
        path = write(tmp_path / "cam.pickle", table(Y_DOWN_FRONT, intrinsicMat=np.zeros((3, 3))))
        with pytest.raises(CalibrationError, match=r"'cam'.*singular"):
            read_calibration(path)
