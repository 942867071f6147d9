from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import read_calibration
from mocaplift.errors import CalibrationError
from tests.calibrate.written import check_z_up
from tests.calibrate.written_by_others import COLMAP_CAMERAS, COLMAP_IMAGES, HALF, write_folder


def model(folder: Path, cameras: str = COLMAP_CAMERAS, images: str = COLMAP_IMAGES) -> Path:
    return write_folder(folder, cameras__txt=cameras, images__txt=images)


class TestReading:
    @pytest.mark.parametrize("given", ["", "cameras.txt", "images.txt"])
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path, given: str) -> None:
        found = read_calibration(model(tmp_path) / given)
        assert (found.format, found.unit, found.up, found.sizes_known) == ("colmap", None, None, True)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_z_up(*found.cameras, metre=7.0)

    def test_pixel_centres_are_at_integers_here(self, tmp_path: Path) -> None:
        camera = read_calibration(model(tmp_path)).cameras[0]
        np.testing.assert_allclose(camera.intrinsics, [[1500, 0, 959.5], [0, 1500, 539.5], [0, 0, 1]])

    @pytest.mark.parametrize("place", ["sparse/0", "sparse", "0"])
    def test_a_project_keeps_its_model_below(self, tmp_path: Path, place: str) -> None:
        model(tmp_path / place)
        assert len(read_calibration(tmp_path).cameras) == 2

    def test_lines_of_points_may_be_left_out(self, tmp_path: Path) -> None:
        images = "".join(line + "\n" for line in COLMAP_IMAGES.split("\n") if ".jpg" in line)
        assert len(read_calibration(model(tmp_path, images=images)).cameras) == 2

    def test_pictures_in_one_folder_are_one_camera(self, tmp_path: Path) -> None:
        lines = []
        for number, name in enumerate(("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")):
            pose = f"{HALF} {HALF} 0 0" if name[0] == "a" else "0.5 0.5 0.5 -0.5"
            lines.append(f"{number} {pose} 0 7.0{number} 28 1 {name}\n\n")
        found = read_calibration(model(tmp_path, images="".join(lines)))
        assert [camera.name for camera in found.cameras] == ["a", "b"]
        with pytest.raises(CalibrationError, match="'a' were taken from different places"):
            read_calibration(model(tmp_path, images="".join(lines).replace("7.01", "9")))

    @pytest.mark.parametrize(
        ("line", "distortion"),
        [
            ("RADIAL 1920 1080 1500 960 540 0.1 0.02", [0.1, 0.02, 0, 0, 0]),
            ("OPENCV 1920 1080 1500 1400 960 540 0.1 0.02 0.001 0.002", [0.1, 0.02, 0.001, 0.002, 0]),
            (
                "FULL_OPENCV 1920 1080 1500 1500 960 540 0.1 0.02 0.001 0.002 0.03 0 0 0",
                [0.1, 0.02, 0.001, 0.002, 0.03],
            ),
        ],
    )
    def test_models_of_lenses(self, tmp_path: Path, line: str, distortion: list[float]) -> None:
        cameras = COLMAP_CAMERAS.replace("PINHOLE 1920 1080 1500 1500 960 540", line)
        np.testing.assert_allclose(
            read_calibration(model(tmp_path, cameras)).cameras[0].distortion, distortion, atol=1e-12
        )


class TestErrors:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "PINHOLE 1920 1080 1500 1500 960 540",
                "PINHOLE 1920 1080 1500 1500 960",
                "PINHOLE has 4 parameters",
            ),
            ("PINHOLE 1920 1080 1500 1500 960 540", "FOV 1920 1080 1500 1500 960 540 1", "model FOV are not"),
            ("1500 1500 960", "1500 nan 960", "line 2|NaN"),
            ("1920 1080 1500 1500 960 540", "1920 1080", "line 2: no camera"),
            ("2 SIMPLE_RADIAL", "1 SIMPLE_RADIAL", "line 3: camera 1 is there twice"),
            ("2 SIMPLE_RADIAL", "3 SIMPLE_RADIAL", "no camera 2, which took 'side.jpg'"),
        ],
    )
    def test_of_the_lenses(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert old in COLMAP_CAMERAS
        with pytest.raises(CalibrationError, match=message):
            read_calibration(model(tmp_path, COLMAP_CAMERAS.replace(old, new)))

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("0.5 0.5 0.5 -0.5", "0 0 0 0", "line 4"),
            ("0.5 0.5 0.5 -0.5", "0.5 0.5 0.5 x", "side.jpg.*quaternion"),
            ("2 side.jpg", "2", "line 4: no image"),
            ("side.jpg", "front.png", "'front' were taken from different places|'front' twice"),
        ],
    )
    def test_of_the_images(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert old in COLMAP_IMAGES
        with pytest.raises(CalibrationError, match=message):
            read_calibration(model(tmp_path, images=COLMAP_IMAGES.replace(old, new)))

    def test_a_binary_model_is_to_be_converted(self, tmp_path: Path) -> None:
        (tmp_path / "cameras.bin").write_bytes(b"\1")
        with pytest.raises(CalibrationError, match="model_converter --output_type TXT"):
            read_calibration(tmp_path)

    def test_a_walk_around_is_no_rig(self, tmp_path: Path) -> None:
        images = "".join(f"{n} 1 0 0 0 {n} 0 0 1 img{n}.jpg\n\n" for n in range(1001))
        with pytest.raises(CalibrationError, match="no rig"):
            read_calibration(model(tmp_path, images=images))
