"""AIST++, CMU Panoptic and Human3.6M."""

from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import read_calibration
from mocaplift.cameras import centre
from mocaplift.errors import CalibrationError
from tests.calibrate.written import check_front, check_side, read
from tests.calibrate.written_by_others import aist_entries, dumped, karfly, panoptic_cameras, videopose


class TestAist:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        found = read(tmp_path, "setting5.json", dumped(aist_entries()))
        assert (found.format, found.unit, found.up, found.sizes_known) == ("aist", "m", "y", True)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"rotation": [0.0, float("nan"), 0.0]}, "side.*rotation.*NaN"),
            ({"matrix": [[0.0] * 3] * 3}, "side.*singular"),
            ({"translation": [1.0, 2.0]}, "side.*translation.*3 numbers"),
            ({"name": "front"}, "'front' twice"),
            ({"size": None}, "side.*size"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, change: dict, message: str) -> None:
        entries = aist_entries()
        entries[1] |= change
        with pytest.raises(CalibrationError, match=message):
            read(tmp_path, "setting.json", dumped(entries))

    def test_an_entry_that_is_no_camera(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match=r"entry 3.*no camera"):
            read(tmp_path, "setting.json", dumped([*aist_entries(), 7]))

    def test_a_missing_entry(self, tmp_path: Path) -> None:
        entries = aist_entries()
        del entries[1]["translation"]
        with pytest.raises(CalibrationError, match=r"'side'.*no translation"):
            read(tmp_path, "setting.json", dumped(entries))


class TestPanoptic:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        found = read(
            tmp_path, "calibration.json", dumped({"calibDataSource": "x", "cameras": panoptic_cameras()})
        )
        assert (found.format, found.unit, found.up) == ("panoptic", "m", "y")
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_what_is_wrong_is_said(self, tmp_path: Path) -> None:
        cameras = panoptic_cameras()
        cameras[1]["R"] = [[1, 0, 0], [0, 1, 0], [0, 0, 2]]
        with pytest.raises(CalibrationError, match=r"'side'.*not a rotation"):
            read(tmp_path, "calibration.json", dumped({"cameras": cameras}))
        with pytest.raises(CalibrationError, match=r"entry 3 .*no camera"):
            read(tmp_path, "calibration.json", dumped({"cameras": [*panoptic_cameras(), None]}))

    def test_a_truncated_file(self, tmp_path: Path) -> None:
        text = dumped({"cameras": panoptic_cameras()})
        with pytest.raises(CalibrationError, match="damaged JSON"):
            read(tmp_path, "calibration.json", text[: len(text) // 2])


class TestHuman36M:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        (tmp_path / "cameras.json").write_text(dumped(karfly()))
        found = read_calibration(tmp_path / "cameras.json", subject="S1")
        assert (found.format, found.unit, found.up) == ("human36m", "m", "y")
        # The size is twice the principal point: 1919 x 1079.
        assert not found.sizes_known
        np.testing.assert_allclose(centre(found.cameras[0]), [0, 1, 4], atol=1e-9)
        np.testing.assert_allclose(centre(found.cameras[1]), [4, 1, 0], atol=1e-9)
        assert [camera.size for camera in found.cameras] == [(1919, 1079)] * 2

    def test_the_subject_is_chosen(self, tmp_path: Path) -> None:
        (tmp_path / "cameras.json").write_text(dumped(karfly()))
        other = read_calibration(tmp_path / "cameras.json", subject="S5")
        np.testing.assert_allclose(centre(other.cameras[0]), [0, 1, 5], atol=1e-9)
        with pytest.raises(CalibrationError, match="no subject 'S9'; it has S1, S5"):
            read_calibration(tmp_path / "cameras.json", subject="S9")
        with pytest.raises(CalibrationError, match="several subjects"):
            read_calibration(tmp_path / "cameras.json")

    def test_the_studios_own_cameras_have_known_sizes(self, tmp_path: Path) -> None:
        text = dumped(karfly()).replace("front", "54138969").replace("side", "55011271")
        text = text.replace("959.5", "512.5").replace("539.5", "515.4")
        (tmp_path / "cameras.json").write_text(text)
        found = read_calibration(tmp_path / "cameras.json", subject="S1")
        assert found.sizes_known
        assert [camera.size for camera in found.cameras] == [(1000, 1002), (1000, 1000)]

    def test_videopose_has_places_and_the_other_direction(self, tmp_path: Path) -> None:
        found = read(tmp_path, "h36m.json", dumped(videopose()))
        assert (found.format, found.sizes_known) == ("human36m", True)
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_videopose_has_its_tangential_pair_the_other_way_round(self, tmp_path: Path) -> None:
        content = videopose()
        content["h36m_cameras_intrinsic_params"][0] |= {
            "radial_distortion": [-0.2, 0.25, -0.003], "tangential_distortion": [-0.0009, -0.0014],
        }  # fmt: skip
        found = read(tmp_path, "h36m.json", dumped(content))
        np.testing.assert_allclose(found.cameras[0].distortion, [-0.2, 0.25, -0.0014, -0.0009, -0.003])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda c: c["extrinsics"].clear(), "no subject"),
            (lambda c: c["extrinsics"].pop("S5") and c["extrinsics"].update(S1=[]), "name no cameras"),
            (lambda c: c["extrinsics"].pop("S5") and c["intrinsics"].pop("side"), "'side'.*no side"),
            (lambda c: c["extrinsics"].pop("S5") and c["extrinsics"]["S1"]["side"].pop("t"), "'side'.*no t"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, change, message: str) -> None:
        content = karfly()
        change(content)
        with pytest.raises(CalibrationError, match=message):
            read(tmp_path, "cameras.json", dumped(content))

    def test_videopose_with_fewer_poses_than_lenses(self, tmp_path: Path) -> None:
        content = videopose()
        content["h36m_cameras_extrinsic_params"]["S1"].pop()
        with pytest.raises(CalibrationError, match="one pose for each"):
            read(tmp_path, "h36m.json", dumped(content))
        content = videopose()
        content["h36m_cameras_extrinsic_params"]["S1"][0]["orientation"] = [0, 0, 0, 0]
        with pytest.raises(CalibrationError, match=r"'front'.*orientation"):
            read(tmp_path, "h36m.json", dumped(content))
