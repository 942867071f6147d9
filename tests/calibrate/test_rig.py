"""Lenses and places of cameras, from boards that known cameras see."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mocaplift import cameras
from mocaplift.calibrate.board import Board, Sighting
from mocaplift.calibrate.extrinsics import place_cameras
from mocaplift.calibrate.intrinsics import Lens, coverage, fit_lens, spread
from mocaplift.calibrate.pictures import camera_files, camera_name, look, pairing_keys
from mocaplift.calibrate.rig import _names, calibrate_rig, world_from_floor
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera
from tests.calibrate.boards import BOARD, SIZE, before, camera, picture, ring, seen_by, turned


def known(seeing: Camera) -> Lens:
    return Lens(seeing.name, SIZE, seeing.intrinsics, seeing.distortion, 0.1, 0.001, (), {}, 10, 0.5)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return the distance (m) between the places of two `cam_from_world`."""
    return float(np.linalg.norm(one[:3, :3].T @ one[:3, 3] - other[:3, :3].T @ other[:3, 3]))


class TestLens:
    def test_it_is_the_lens_that_saw(self) -> None:
        seeing = camera(focal=600, k1=-0.1)
        lens = fit_lens(seen_by(seeing, BOARD, before(seeing, 15)), BOARD)
        assert np.allclose(np.diag(lens.intrinsics)[:2], 600, rtol=0.005)
        assert np.allclose(lens.intrinsics[:2, 2], [325, 236], atol=3)
        assert abs(lens.distortion[0] + 0.1) < 0.02
        assert 0.1 < lens.error_px < 0.16  # noise of 0.1 px in x and in y
        assert (len(lens.used), lens.num_pictures, lens.rejected) == (15, 15, {})

    def test_coefficients_that_the_pictures_do_not_tell_are_zero(self) -> None:
        seeing = camera(k1=0.0)
        lens = fit_lens(seen_by(seeing, BOARD, before(seeing, 12), noise=0.3), BOARD)
        assert np.abs(lens.distortion[2:]).max() == 0

    def test_a_picture_that_contradicts_the_others_is_left_out_and_named(self) -> None:
        seeing = camera()
        seen = seen_by(seeing, BOARD, before(seeing, 10))
        bent = seen.sightings["3"].xy.copy()
        bent[::2] += [4.0, -3.0]
        sightings = {**seen.sightings, "3": Sighting(seen.sightings["3"].ids, bent)}
        lens = fit_lens(replace(seen, sightings=sightings), BOARD)
        assert list(lens.rejected) == ["3.png"]
        assert np.allclose(np.diag(lens.intrinsics)[:2], 600, rtol=0.01)

    def test_too_few_pictures_are_refused_with_their_number(self) -> None:
        seeing = camera("left")
        with pytest.raises(CalibrationError, match="camera left: the board was found in 3 of 3 pictures"):
            fit_lens(seen_by(seeing, BOARD, before(seeing, 3)), BOARD)

    def test_a_board_never_tilted_leaves_the_focal_length_open(self) -> None:
        seeing = camera("left")
        poses = [turned(0, 0, 40 * place, (0.0, 0.0, 0.8)) for place in range(6)]
        with pytest.raises(CalibrationError, match=r"camera left: .*tilt"):
            fit_lens(seen_by(seeing, Board(4, 5, 0.04), poses), Board(4, 5, 0.04))

    def test_little_of_the_picture_is_told(self) -> None:
        xy = np.stack(np.meshgrid(np.arange(0.0, 320, 5), np.arange(0.0, 240, 5)), axis=-1).reshape(-1, 2)
        assert coverage([Sighting(np.arange(len(xy)), xy)], (640, 480)) == 16 / 64

    def test_frames_of_a_board_at_rest_do_not_outweigh_the_others(self) -> None:
        seeing = camera()
        still, moving = before(seeing, 1), before(seeing, 5, seed=4)
        seen = seen_by(seeing, BOARD, still * 50 + moving)
        assert set(spread(seen.sightings, SIZE, 6)) >= {"50", "51", "52", "53", "54"}


class TestPlaces:
    def shown(self, rig: list[Camera], board: Board, number: int = 12) -> list[np.ndarray]:
        """Return poses of a board in front of the rig, whole in all cameras, seen from its front."""
        rng = np.random.default_rng(5)
        poses: list[np.ndarray] = []
        middle = cameras.look_at(np.array([0.0, 0.8, 1.5]), np.array([0.0, 0.0, 0.0]))
        for _ in range(number):
            from_board = turned(*rng.uniform(-25, 25, 2), rng.uniform(0, 360), (0.0, 0.0, 0.0))
            place = np.array([*rng.uniform(-0.1, 0.1, 2), rng.uniform(1.5, 1.9)])
            from_board[:3, 3] = place - from_board[:3, :3] @ board.points.mean(axis=0)
            poses.append(np.linalg.inv(middle) @ from_board)
        return poses

    @pytest.mark.parametrize("board", [Board(4, 7, 0.04), Board(5, 7, 0.04)], ids=["one way", "two ways"])
    def test_distances_are_those_of_the_rig(self, board: Board) -> None:
        rig = ring(3)
        seen = [seen_by(each, board, self.shown(rig, board), seed=place) for place, each in enumerate(rig)]
        if board.is_two_way:  # a detector starts at either end
            seen[1] = replace(
                seen[1],
                sightings={
                    key: Sighting(each.ids, each.xy[::-1].copy()) if place % 2 else each
                    for place, (key, each) in enumerate(seen[1].sightings.items())
                },
            )
        placed = place_cameras([known(each) for each in rig], seen, board)
        for one in rig:
            for other in rig:
                truth = apart(one.cam_from_world, other.cam_from_world)
                assert abs(apart(placed.poses[one.name], placed.poses[other.name]) - truth) < 0.004
        assert max(placed.error_px.values()) < 0.2

    def test_a_picture_not_taken_at_once_is_left_out_and_named(self) -> None:
        rig, board = ring(3), Board(4, 7, 0.04)
        poses = self.shown(rig, board)
        seen = [seen_by(each, board, poses) for each in rig]
        late = seen_by(rig[1], board, [poses[0]] * 5 + [poses[1]] + [poses[0]] * 6)
        seen[1] = replace(seen[1], sightings={**seen[1].sightings, "5": late.sightings["5"]})
        placed = place_cameras([known(each) for each in rig], seen, board)
        assert list(placed.rejected) == ["5.png"]
        assert (
            abs(apart(*(placed.poses[name] for name in ("cam1", "cam2"))) - 2 * 1.6 * np.sin(np.radians(20)))
            < 0.004
        )

    def test_cameras_that_share_no_picture_are_named(self) -> None:
        rig, board = ring(3), Board(4, 7, 0.04)
        seen = [seen_by(each, board, self.shown(rig, board)) for each in rig]
        other = {f"later {key}": sighting for key, sighting in seen[2].sightings.items()}
        seen[2] = replace(seen[2], sightings=other, labels={key: key for key in other})
        with pytest.raises(CalibrationError, match="ties cam3 to cam1, cam2"):
            place_cameras([known(each) for each in rig], seen, board)

    def test_a_camera_that_never_sees_the_board_is_named(self) -> None:
        rig, board = ring(2), Board(4, 7, 0.04)
        seen = [seen_by(each, board, self.shown(rig, board)) for each in rig]
        seen[1] = replace(seen[1], sightings={})
        with pytest.raises(
            CalibrationError, match="camera cam2: the board was found in none of its 12 pictures"
        ):
            place_cameras([known(each) for each in rig], seen, board)


class TestWorld:
    def test_a_board_on_the_floor_makes_up_positive_y(self) -> None:
        # Board axes: x right, y towards the reader, z into the floor. 2 m above its origin is z = -2.
        assert np.allclose(world_from_floor() @ [0, 0, -2, 1], [0, 2, 0, 1])
        assert np.allclose(world_from_floor() @ [0.3, 0.5, 0, 1], [0.3, 0, 0.5, 1])
        assert np.isclose(np.linalg.det(world_from_floor()), 1)


class TestFolders:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("int_cam01_img", "cam01"),
            ("cam01_ext.png", "cam01"),
            ("left", "left"),
            ("port_3.mp4", "port_3"),
            ("intrinsics", "intrinsics"),
        ],
    )
    def test_names_of_folders_and_files_tell_the_camera(self, name: str, meant: str) -> None:
        assert camera_name(Path(name)) == meant

    def test_pictures_pair_by_name(self) -> None:
        files = {"a": [Path("a/1.png"), Path("a/2.png")], "b": [Path("b/2.png")]}
        keys = pairing_keys(files)
        assert keys[Path("a/2.png")] == keys[Path("b/2.png")] != keys[Path("a/1.png")]

    def test_pictures_pair_by_order_where_names_do_not_tell(self) -> None:
        keys = pairing_keys(
            {"a": [Path("a/x.png"), Path("a/y.png")], "b": [Path("b/u.png"), Path("b/v.png")]}
        )
        assert keys[Path("a/y.png")] == keys[Path("b/v.png")]

    def test_different_numbers_without_names_are_refused(self) -> None:
        with pytest.raises(CalibrationError, match=r"\(a 2, b 1\)"):
            pairing_keys({"a": [Path("a/x.png"), Path("a/y.png")], "b": [Path("b/u.png")]})

    def test_a_camera_named_twice_is_refused(self, tmp_path: Path) -> None:
        for name in ("int_cam1.png", "cam1_img.png"):
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(CalibrationError, match="both of camera 'cam1'"):
            camera_files(tmp_path)

    def test_pictures_of_other_sizes_are_named(self, tmp_path: Path) -> None:
        for name, size in (("a.png", (480, 640)), ("b.png", (640, 480))):
            cv2.imwrite(str(tmp_path / name), np.zeros(size, np.uint8))
        with pytest.raises(
            CalibrationError, match=r"camera c: b\.png has 480 x 640 pixels, a\.png has 640 x 480"
        ):
            look("c", [tmp_path / "a.png", tmp_path / "b.png"], BOARD)

    @pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40], ids=repr)
    def test_what_is_no_picture_is_named(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(content)
        with pytest.raises(CalibrationError, match=r"a\.png: no picture"):
            look("c", [path], BOARD)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of two known cameras, the last of extrinsics with the board on the floor."""
    folder = tmp_path_factory.mktemp("studio")
    rig = ring(2)
    floor = world_from_floor()
    around = [turned(110, 10, 20, (0.0, 0.3, 0.0)), turned(60, -10, 80, (0.15, 0.2, 0.1))]
    for seeing in rig:
        for kind, poses in (("intrinsics", before(seeing, 6)), ("extrinsics", [*around, floor])):
            (folder / kind / seeing.name).mkdir(parents=True)
            for place, pose in enumerate(poses):
                name = f"floor{place}.png" if pose is floor else f"{place}.png"
                cv2.imwrite(str(folder / kind / seeing.name / name), picture(seeing, BOARD, pose))
    return folder


class TestStudio:
    def test_pictures_make_the_rig_in_the_world_of_the_floor(self, studio: Path) -> None:
        result = calibrate_rig(studio, BOARD, floor="floor2")
        for found, truth in zip(result.cameras, ring(2), strict=True):
            assert found.name == truth.name
            assert np.allclose(cameras.centre(found), cameras.centre(truth), atol=0.02)
            assert np.allclose(found.cam_from_world[:3, :3], truth.cam_from_world[:3, :3], atol=0.02)
        assert "floor" in result.up
        assert max(result.error_px.values()) < 0.5

    def test_without_a_floor_up_is_guessed_and_said_to_be(self, studio: Path) -> None:
        result = calibrate_rig(studio, BOARD)
        assert "guess" in result.up
        assert all(each.cam_from_world[1, 1] < -0.7 for each in result.cameras)

    def test_a_floor_that_is_not_there_is_refused_with_those_that_are(self, studio: Path) -> None:
        with pytest.raises(CalibrationError, match=r"no picture 'carpet' .* floor2\.png"):
            calibrate_rig(studio, BOARD, floor="carpet")

    def test_a_folder_without_extrinsics_says_what_belongs_there(self, tmp_path: Path) -> None:
        with pytest.raises(CalibrationError, match="no folder extrinsics"):
            calibrate_rig(tmp_path, BOARD)


@pytest.mark.parametrize("said", ["1.00", "1.00s", "1.00 s", "cam1.mp4 at 1.00 s"])
def test_a_frame_of_a_video_is_named_by_its_second(said: str) -> None:
    assert said in _names("1/0003", "cam1.mp4 at 1.00 s")
