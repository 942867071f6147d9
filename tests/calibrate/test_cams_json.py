import json
from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import read_calibration, write_calibration
from mocaplift.calibrate.cams_json import __doc__ as documentation
from mocaplift.cameras import centre, look_at
from mocaplift.errors import CalibrationError, OutputError
from mocaplift.values import Camera
from tests.calibrate.written import CAMS_JSON, check_front, check_side, read

SAMPLE = Path(__file__).parents[2] / "sample_videos" / "four_cameras" / "cams.json"


def changed(key: str, value: object, *, camera: int = 0) -> str:
    content = json.loads(CAMS_JSON)
    content["cameras"][camera][key] = value
    return json.dumps(content)


def without(key: str) -> str:
    content = json.loads(CAMS_JSON)
    del content["cameras"][0][key]
    return json.dumps(content)


class TestReading:
    def test_the_numbers_are_those_computed_by_hand(self, tmp_path: Path) -> None:
        found = read(tmp_path, "cams.json", CAMS_JSON)
        assert (found.format, found.unit, found.up, found.sizes_known) == ("cams.json", "m", "y", True)
        assert [camera.name for camera in found.cameras] == ["front", "side"]
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_the_sample_take_reads(self) -> None:
        found = read_calibration(SAMPLE)
        assert [camera.name for camera in found.cameras] == ["cam1", "cam2", "cam3", "cam4"]
        assert all(1.0 < np.linalg.norm(centre(camera)) < 10.0 for camera in found.cameras)

    def test_the_example_of_the_documentation_reads(self, tmp_path: Path) -> None:
        assert documentation is not None
        example = documentation[documentation.index("{") : documentation.rindex("}]}") + 3]
        (camera,) = read(tmp_path, "cams.json", example).cameras
        assert camera.name == "left"
        check_front(camera)

    def test_other_units_and_axes_are_converted(self, tmp_path: Path) -> None:
        content = json.loads(CAMS_JSON)
        content |= {"units": "mm", "up": "z"}
        poses = (
            [[1, 0, 0, 0], [0, 0, -1, 1000], [0, 1, 0, 4000]],
            [[0, 1, 0, 0], [0, 0, -1, 1000], [-1, 0, 0, 4000]],
        )
        for camera, pose in zip(content["cameras"], poses, strict=True):
            camera["cam_from_world"] = pose
        found = read(tmp_path, "cams.json", json.dumps(content))
        assert (found.unit, found.up) == ("m", "y")
        check_front(found.cameras[0])
        check_side(found.cameras[1])

    def test_a_world_that_hangs_upside_down_is_turned(self, tmp_path: Path) -> None:
        # Up is -y: ours is (x, -y, -z), so (0, 1, 4) is (0, -1, -4) there, and forward is +z, down +y, right +x.
        content = json.loads(changed("cam_from_world", [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 4]]))
        content["up"] = "-y"
        content["cameras"].pop()
        check_front(read(tmp_path, "cams.json", json.dumps(content)).cameras[0])


class TestWriting:
    def test_what_is_written_is_read_again(self, tmp_path: Path) -> None:
        cameras = tuple(
            Camera(
                name,
                np.array([[1234.5, 0.25, 950.0], [0.0, 1235.5, 540.0], [0.0, 0.0, 1.0]]),
                np.array([-0.3, 0.1, 0.001, -0.002, 0.01]),
                look_at(np.array([x, 1.2, 3.0]), np.array([0.0, 1.0, 0.0]), roll=0.1),
                (1920, 1080),
            )
            for name, x in (("left", -2.0), ("right", 2.0))
        )
        write_calibration(cameras, tmp_path / "deep" / "cams.json")
        found = read_calibration(tmp_path / "deep" / "cams.json").cameras
        for ours, theirs in zip(cameras, found, strict=True):
            assert (ours.name, ours.size) == (theirs.name, theirs.size)
            np.testing.assert_array_equal(theirs.intrinsics, ours.intrinsics)
            np.testing.assert_array_equal(theirs.distortion, ours.distortion)
            np.testing.assert_allclose(theirs.cam_from_world, ours.cam_from_world, atol=1e-12)

    def test_nothing_is_written_of_cameras_that_make_no_sense(self, tmp_path: Path) -> None:
        camera = read(tmp_path, "cams.json", CAMS_JSON).cameras[0]
        with pytest.raises(CalibrationError, match="twice"):
            write_calibration([camera, camera], tmp_path / "out.json")
        assert not (tmp_path / "out.json").exists()

    def test_a_folder_in_the_place_is_told(self, tmp_path: Path) -> None:
        camera = read(tmp_path, "cams.json", CAMS_JSON).cameras[0]
        with pytest.raises(OutputError):
            write_calibration([camera], tmp_path)


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (without("name"), "number 1.*name"),
            (without("size"), "front.*size"),
            (without("intrinsics"), "front.*intrinsics"),
            (changed("size", [1920]), "front.*size"),
            (changed("size", [0, 1080]), "front.*size"),
            (changed("size", [1920.5, 1080]), "front.*size"),
            (changed("size", "1920x1080"), "front.*size"),
            (changed("size", [1920, 10**9]), "front.*px"),
            (changed("name", "side"), "'side' twice"),
            (changed("intrinsics", [[0, 0, 1], [0, 0, 1], [0, 0, 1]]), "front.*singular"),
            (changed("intrinsics", [[1500, 0, 959.5], [0, -1500, 539.5], [0, 0, 1]]), "front.*focal"),
            (changed("intrinsics", [[15, 0, 959.5], [0, 15, 539.5], [0, 0, 1]]), "front.*focal"),
            (changed("intrinsics", [[1500, 0, 9e5], [0, 1500, 539.5], [0, 0, 1]]), "front.*principal point"),
            (changed("intrinsics", [[1500, 0, 959.5], [7, 1500, 539.5], [0, 0, 1]]), "front.*fx s cx"),
            (changed("intrinsics", "eye"), "front.*numbers"),
            (changed("distortion", [0.1, 0.2, 0.3]), "front.*3 distortion"),
            (changed("distortion", [0.1, float("nan"), 0, 0]), "front.*NaN"),
            (changed("cam_from_world", [[1, 0], [0, 1]]), "front.*cam_from_world"),
            (changed("cam_from_world", [[1, 0, 0, float("nan")], *np.eye(4).tolist()[1:]]), "front.*NaN"),
            (changed("cam_from_world", np.diag([2.0, 2.0, 2.0, 1.0]).tolist()), "front.*not a rotation"),
            (changed("cam_from_world", np.diag([1.0, 1.0, -1.0, 1.0]).tolist()), "front.*mirror image"),
            (changed("cam_from_world", np.diag([1.0, 1.0, 1.0, 2.0]).tolist()), "front.*last row"),
            (changed("cam_from_world", [[1, 0, 0, 1e999], *np.eye(4).tolist()[1:]]), "front.*infinity"),
            (CAMS_JSON.replace('"m"', '"furlong"'), "units is 'furlong'"),
            (CAMS_JSON.replace('"up": "y"', '"up": ["x"]'), "up is"),
            (CAMS_JSON.replace('"size"', '"name": "again", "size"'), "names 'name' twice"),
        ],
    )
    def test_it_is_told_with_file_and_camera(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(CalibrationError, match=rf"(?s)cams\.json.*{message}"):
            read(tmp_path, "cams.json", text)

    def test_two_cameras_at_one_place_are_no_rig(self, tmp_path: Path) -> None:
        side = json.loads(CAMS_JSON)["cameras"][1]["cam_from_world"]
        # The other looks the other way from the same place: no depth can come of it.
        turned = (np.diag([-1.0, 1.0, -1.0]) @ np.array(side)).tolist()
        with pytest.raises(CalibrationError, match="one place"):
            read(tmp_path, "cams.json", changed("cam_from_world", turned))
