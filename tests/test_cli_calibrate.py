"""`mocaplift calibrate` as it is typed: boards to cams.json, files converted and shown."""

from pathlib import Path

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import cameras
from mocaplift.calibrate import Calibration, read_calibration, write_calibration
from mocaplift.calibrate.rig import world_from_floor
from mocaplift.calibrate.world import in_metres_and_y_up
from mocaplift.cli import cli
from mocaplift.cli.calibrate import Counts, Length
from mocaplift.errors import CalibrationError, ConfigError
from tests.calibrate.boards import BOARD, before, camera, picture, ring


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *map(str, arguments)], prog_name="mocaplift")


class TestWords:
    @pytest.mark.parametrize(
        ("typed", "metres"),
        [("60mm", 0.06), ("6 cm", 0.06), ("0.06m", 0.06), ("2in", 0.0508), ("5,4cm", 0.054)],
    )
    def test_lengths(self, typed: str, metres: float) -> None:
        assert np.isclose(Length().convert(typed, None, None), metres)

    @pytest.mark.parametrize("typed", ["60", "mm", "-6cm", "6 feet", ""])
    def test_lengths_without_a_unit_are_refused(self, typed: str) -> None:
        with pytest.raises(click.BadParameter, match="no length with a unit"):
            Length().convert(typed, None, None)

    def test_counts(self) -> None:
        assert [Counts().convert(each, None, None) for each in ("4x7", "4 X 7", "4,7")] == [(4, 7)] * 3

    @pytest.mark.parametrize("typed", ["4", "4x", "ax7", "4x7x2", "-4x7"])
    def test_what_is_no_board_is_refused(self, typed: str) -> None:
        with pytest.raises(click.BadParameter, match="as in 4x7"):
            Counts().convert(typed, None, None)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "extrinsics").mkdir()
    for seeing in ring(2):
        lenses = folder / "intrinsics" / f"int_{seeing.name}_img"
        lenses.mkdir(parents=True)
        for place, pose in enumerate(before(seeing, 5)):
            cv2.imwrite(str(lenses / f"{place}.jpg"), picture(seeing, BOARD, pose))
        path = folder / "extrinsics" / f"{seeing.name}_ext.png"
        cv2.imwrite(str(path), picture(seeing, BOARD, world_from_floor()))
    return folder


class TestBoard:
    def test_pictures_make_a_file_in_metres_with_y_up(self, studio: Path, tmp_path: Path) -> None:
        out = tmp_path / "cams.json"
        done = call("board", studio, "-o", out, "--board", "4x7", "--square", "60mm")
        assert done.exit_code == 0, done.output
        found = read_calibration(out)
        for each, truth in zip(found.cameras, ring(2), strict=True):
            assert each.name == truth.name
            assert np.linalg.norm(cameras.centre(each) - cameras.centre(truth)) < 0.05
        for said in (
            "5 of 5",
            "rig error px",
            "world: the board on the floor",
            "pictures are few",
            f"wrote {out}",
        ):
            assert said in done.output

    def test_nothing_is_written_where_the_board_is_another(self, studio: Path, tmp_path: Path) -> None:
        out = tmp_path / "cams.json"
        done = call("board", studio, "-o", out, "--board", "4x6", "--square", "60mm")
        assert done.exit_code == CalibrationError.exit_code
        assert "--board 4x7" in done.output
        assert not out.exists()

    def test_a_square_of_sixty_metres_is_a_slip(self, studio: Path) -> None:
        done = call("board", studio, "--board", "4x7", "--square", "60m")
        assert done.exit_code == ConfigError.exit_code
        assert "--square 60mm" in done.output

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        done = call(
            "board", tmp_path / "nothing", "--board", "4x7", "--square", "6cm", "-o", tmp_path / "c.json"
        )
        assert done.exit_code == CalibrationError.exit_code
        assert "nothing: there is no such folder" in done.output


class TestWorld:
    def calibration(self, unit: str | None, up: str | None) -> Calibration:
        # The camera stands at (1, 2, 3) of the file's own world, and looks along its y.
        turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn, -turn @ [1.0, 2.0, 3.0]
        return Calibration((camera(pose=pose),), "anipose", Path("calibration.toml"), unit, up)

    def test_what_the_file_says_stays(self) -> None:
        found = in_metres_and_y_up(self.calibration("m", "y"))[0]
        assert np.allclose(cameras.centre(found), [1, 2, 3])

    def test_centimetres_with_z_up_are_converted(self) -> None:
        found = in_metres_and_y_up(self.calibration(None, None), unit="cm", up="z")[0]
        assert np.allclose(cameras.centre(found), [0.01, 0.03, -0.02])
        assert np.allclose(found.cam_from_world[2, :3], [0, 0, -1])  # its y is our -z

    def test_what_nobody_says_is_asked_for(self) -> None:
        with pytest.raises(CalibrationError, match=r"calibration\.toml.*--unit and --up"):
            in_metres_and_y_up(self.calibration(None, None))
        with pytest.raises(CalibrationError, match="say --up,"):
            in_metres_and_y_up(self.calibration("m", None))

    def test_what_the_file_says_is_not_said_twice(self) -> None:
        with pytest.raises(ConfigError, match="leave it out"):
            in_metres_and_y_up(self.calibration("m", "y"), unit="cm")


class TestConvertAndShow:
    def test_a_file_of_ours_is_converted_to_itself(self, tmp_path: Path) -> None:
        write_calibration(ring(3), tmp_path / "a.json")
        done = call("convert", tmp_path / "a.json", "-o", tmp_path / "b.json")
        assert done.exit_code == 0, done.output
        assert "3 cameras (cams.json)" in done.output
        for name in ("a.json", "b.json"):
            for found, truth in zip(read_calibration(tmp_path / name).cameras, ring(3), strict=True):
                assert np.allclose(found.cam_from_world, truth.cam_from_world)

    def test_a_file_that_is_there_is_not_replaced_unasked(self, tmp_path: Path) -> None:
        write_calibration(ring(2), tmp_path / "a.json")
        assert call("convert", tmp_path / "a.json", "-o", tmp_path / "a.json").exit_code == 1
        assert call("convert", tmp_path / "a.json", "-o", tmp_path / "a.json", "--overwrite").exit_code == 0

    def test_it_shows_places_views_and_distances(self, tmp_path: Path) -> None:
        write_calibration(ring(2), tmp_path / "a.json")
        done = call("show", tmp_path / "a.json")
        assert done.exit_code == 0, done.output
        # 600 px for 640 x 480: 2 atan(320 / 600) and 2 atan(240 / 600) degrees; 2 x 1.6 sin(20 degrees) m apart.
        for said in ("cam1", "640 x 480", "56 x 44°", "1.600", "1.094", "unit: m", "up: +Y"):
            assert said in done.output

    def test_what_is_no_camera_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text("{}")
        done = call("show", tmp_path / "a.json")
        assert done.exit_code == CalibrationError.exit_code
        assert "tried:" in done.output
