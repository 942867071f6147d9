import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import Calibration
from mocaplift.cameras import intrinsics_from_fov, look_at, normalized, project
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera, Clip
from mocaplift.views import pair_cameras
from mocaplift.views.picture import scaled, turned

SIZE = (1920, 1080)


def camera(name: str, size: tuple[int, int] = SIZE, roll: float = 0.0) -> Camera:
    intrinsics = intrinsics_from_fov(60.0, size)
    intrinsics[:2, 2] += (13.0, -7.0)
    distortion = np.array([0.11, -0.06, 0.004, -0.003, 0.01])
    pose = look_at(np.array([1.0, 1.5, 4.0]), np.array([0.0, 1.0, 0.0]), roll)
    return Camera(name, intrinsics, distortion, pose, size)


def rig(*names: str, **about: object) -> Calibration:
    return Calibration(
        tuple(camera(name) for name in names), "cams.json", Path("cams.json"), "m", "y", **about
    )


def clip(path: str, size: tuple[int, int] = SIZE, **facts: float | str | bool) -> Clip:
    return Clip(Path(path), Fraction(30), 90, size, facts=facts)


def paired(calibration: Calibration, *paths: str) -> list[str]:
    return [each.name for each in pair_cameras(calibration, [clip(path) for path in paths])]


class TestNames:
    @pytest.mark.parametrize(
        ("names", "paths"),
        [
            (("left", "right"), ("right.mp4", "left.mov")),
            (("cam_01", "cam_02"), ("cam2.mp4", "CAM01.mp4")),
            (("cam1", "cam10", "cam2"), ("take3_cam10.mp4", "take3_cam1.mp4", "take3_cam2.mp4")),
            (("21456", "21457"), ("Miqus_2_21457.avi", "Miqus_1_21456.avi")),
            (("port_0", "port_1"), ("video1.mp4", "video0.mp4")),
            (("cam1", "cam1_left"), ("walk cam1 left.mp4", "walk cam1.mp4")),
            (("cam1", "cam2"), ("take/cam2/video.mp4", "take/cam1/video.mp4")),
            (("cam1", "cam2"), ("cam2/raw/take1.mp4", "cam1/raw/take1.mp4")),
            (("1", "2"), ("day1_2.mp4", "day1_1.mp4")),
            (("kamera_süd", "kamera_nord"), ("Kamera-Nord.mp4", "KAMERA SÜD.mp4")),
        ],
    )
    def test_a_camera_is_found_by_its_name(self, names: Sequence[str], paths: Sequence[str]) -> None:
        numbers = {"video1.mp4": "port_1", "video0.mp4": "port_0"}
        found = paired(rig(*names), *paths)
        expected = {
            "right.mp4": "right", "left.mov": "left", "cam2.mp4": "cam_02", "CAM01.mp4": "cam_01",
            "take3_cam10.mp4": "cam10", "take3_cam1.mp4": "cam1", "take3_cam2.mp4": "cam2",
            "Miqus_2_21457.avi": "21457", "Miqus_1_21456.avi": "21456",
            "walk cam1 left.mp4": "cam1_left", "walk cam1.mp4": "cam1",
            "take/cam2/video.mp4": "cam2", "take/cam1/video.mp4": "cam1",
            "cam2/raw/take1.mp4": "cam2", "cam1/raw/take1.mp4": "cam1",
            "day1_2.mp4": "2", "day1_1.mp4": "1",
            "Kamera-Nord.mp4": "kamera_nord", "KAMERA SÜD.mp4": "kamera_süd",
        } | numbers  # fmt: skip
        assert found == [expected[path] for path in paths]

    def test_cameras_without_a_video_are_left_over(self) -> None:
        assert paired(rig("a", "b", "c", "d"), "d.mp4", "b.mp4") == ["d", "b"]

    def test_without_a_common_name_both_are_sorted_and_that_is_said(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            found = paired(rig("c10", "c9"), "view_b.mp4", "view_a.mp4")
        assert found == ["c10", "c9"]
        assert "in order" in caplog.text
        assert "view_b.mp4 by c10" in caplog.text

    def test_one_camera_serves_one_video_of_any_name(self) -> None:
        assert paired(rig("gopro"), "dance.mp4") == ["gopro"]

    @pytest.mark.parametrize(
        ("names", "paths", "told"),
        [
            (("cam1", "cam2"), ("cam1.mp4", "cam3.mp4"), "no camera for cam3.mp4"),
            (("a", "b"), ("x.mp4", "y.mp4", "z.mp4"), "3 videos cannot be paired in order with 2 cameras"),
            (("a", "b", "c"), ("x.mp4", "y.mp4"), "2 videos cannot be paired in order with 3 cameras"),
            (("only",), ("x.mp4", "y.mp4"), "2 videos cannot be paired in order with 1 camera;"),
            (("cam1", "cam2"), ("cam1.mp4", "cam1.mov"), "both fit camera 'cam1'"),
            (("left", "right"), ("left_right.mp4", "right.mp4"), "several cameras"),
            (("cam1", "cam1"), ("cam1.mp4", "x.mp4"), "holds 2 cameras of the name 'cam1'"),
            (("cam1", "cam_01"), ("cam1.mp4", "cam_01.mp4"), "several cameras"),
            (("0", "1"), ("cam1.mp4", "cam2.mp4"), "no camera for cam2.mp4"),
        ],
    )
    def test_what_cannot_be_paired_is_named(
        self, names: Sequence[str], paths: Sequence[str], told: str
    ) -> None:
        with pytest.raises(CalibrationError, match=told):
            paired(rig(*names), *paths)

    def test_names_of_any_length_and_script_can_be_sorted(self) -> None:
        assert paired(rig("9" * 5000, "x²"), "a.mp4", "b.mp4") == ["9" * 5000, "x²"]


POINTS = np.array([[0.3, 1.2, 0.4], [-0.5, 0.2, -0.3], [0.1, 1.9, 0.0]])


class TestPicture:
    def test_half_the_size_keeps_pixel_centres_at_integers(self) -> None:
        """By hand: the centre of 1920 pixels is 959.5, that of 960 is 479.5; a point at pixel 1 lands at 0.25."""
        half = scaled(camera("a"), (960, 540))
        xy = project(camera("a"), POINTS)
        np.testing.assert_allclose(project(half, POINTS), (xy + 0.5) / 2 - 0.5, atol=1e-9)
        assert half.intrinsics[0, 2] == pytest.approx((959.5 + 13.0 + 0.5) / 2 - 0.5)
        assert half.size == (960, 540)

    def test_a_quarter_turn_by_hand(self) -> None:
        """Clockwise, the top right corner (1919, 0) of 1920 x 1080 goes to the bottom right (1079, 1919)."""
        plain = Camera(
            "a", np.array([[1000.0, 0, 900], [0, 1100.0, 500], [0, 0, 1]]), np.zeros(5), np.eye(4), SIZE
        )
        side = turned(plain, 1)
        # Right and up of the axis: x = 900 + 100, y = 500 - 110, seen at (1079 - 390, 1000) after the turn.
        np.testing.assert_allclose(project(side, np.array([1.0, -1.0, 10.0])), [689.0, 1000.0])
        assert side.size == (1080, 1920)

    @pytest.mark.parametrize("turns", [1, 2, 3, 4])
    def test_turned_cameras_see_what_turned_pictures_show(self, turns: int) -> None:
        xy, (width, height) = project(camera("a"), POINTS), SIZE
        for _ in range(turns):
            xy, (width, height) = np.stack([height - 1 - xy[:, 1], xy[:, 0]], axis=-1), (height, width)
        side = turned(camera("a"), turns)
        np.testing.assert_allclose(project(side, POINTS), xy, atol=1e-9)
        np.testing.assert_allclose(
            np.linalg.norm(normalized(side, xy), axis=-1),
            np.linalg.norm(normalized(camera("a"), project(camera("a"), POINTS)), axis=-1),
        )

    def test_skew_cannot_be_turned(self) -> None:
        skewed = camera("a")
        skewed.intrinsics[0, 1] = 5.0
        with pytest.raises(CalibrationError, match="skew"):
            turned(skewed, 1)

    def test_scaled_video(self) -> None:
        found = pair_cameras(rig("a"), [clip("a.mp4", (854, 480))])[0]
        assert found.size == (854, 480)
        assert found.intrinsics[0, 0] == pytest.approx(camera("a").intrinsics[0, 0] * 854 / 1920)

    def test_phone_held_upright_calibrated_on_stored_pictures(self) -> None:
        """The stored picture is turned by 270 degrees for display; calibrated was what is stored."""
        stored = replace(rig("a"), cameras=(camera("a", roll=-np.pi / 2),))
        found = pair_cameras(stored, [clip("a.mp4", (540, 960), rotation_deg=270.0)])[0]
        assert found.size == (540, 960)
        expected = scaled(turned(stored.cameras[0], 3), (540, 960))
        np.testing.assert_allclose(project(found, POINTS), project(expected, POINTS))

    @pytest.mark.parametrize("up", ["y", None])
    @pytest.mark.parametrize("roll", [-np.pi / 2, np.pi / 2])
    def test_without_a_mark_the_upright_turn_is_taken(self, roll: float, up: str | None) -> None:
        """The other camera, which needs no turn, tells where up is where the file does not."""
        calibration = replace(rig("a"), cameras=(camera("a", roll=roll), camera("b")), up=up)
        found = pair_cameras(calibration, [clip("a.mp4", (1080, 1920)), clip("b.mp4")])[0]
        assert -found.cam_from_world[1, 1] > 0.9

    def test_without_any_sign_of_the_side_it_is_refused(self) -> None:
        calibration = replace(rig("a"), up=None)
        with pytest.raises(CalibrationError, match="to which side"):
            pair_cameras(calibration, [clip("a.mp4", (1080, 1920))])

    def test_upside_down_camera(self) -> None:
        hanging = replace(rig("a"), cameras=(camera("a", roll=np.pi),))
        found = pair_cameras(hanging, [clip("a.mp4", rotation_deg=180.0)])[0]
        assert -found.cam_from_world[1, 1] > 0.9
        upright = pair_cameras(rig("a"), [clip("a.mp4", rotation_deg=180.0)])[0]
        assert -upright.cam_from_world[1, 1] > 0.9

    @pytest.mark.parametrize(
        ("rotation", "calibrated", "shown", "moved"),
        [
            (0.0, (1920, 1088), (1920, 1080), (0, 0)),
            (0.0, (1088, 1920), (1080, 1920), (0, 0)),
            (90.0, (1088, 1920), (1080, 1920), (-8, 0)),
            (180.0, (1920, 1088), (1920, 1080), (0, -8)),
            (270.0, (1088, 1920), (1080, 1920), (0, 0)),
            (90.0, (1080, 1920), (1088, 1920), (8, 0)),
        ],
    )
    def test_padding_is_cut_off_where_codecs_put_it(
        self, rotation: float, calibrated: tuple[int, int], shown: tuple[int, int], moved: tuple[int, int]
    ) -> None:
        """Codecs pad the stored picture at its bottom, which a turn by 90 degrees displays at the left."""
        calibration = replace(rig("a"), cameras=(camera("a", calibrated),))
        found = pair_cameras(calibration, [clip("a.mp4", shown, rotation_deg=rotation)])[0]
        assert found.size == shown
        np.testing.assert_allclose(found.intrinsics[:2, 2], camera("a", calibrated).intrinsics[:2, 2] + moved)
        assert found.intrinsics[0, 0] == camera("a", calibrated).intrinsics[0, 0]

    def test_other_shapes_are_refused_with_both_sizes(self) -> None:
        with pytest.raises(CalibrationError, match=r"1920 x 1080 px.*a\.mp4 shows 1440 x 1080 px"):
            pair_cameras(rig("a"), [clip("a.mp4", (1440, 1080))])

    def test_mirrored_pictures_are_refused(self) -> None:
        with pytest.raises(CalibrationError, match="mirrored"):
            pair_cameras(rig("a"), [clip("a.mp4", is_mirrored=True)])

    def test_a_guessed_size_gives_way_to_the_video(self) -> None:
        calibration = rig("a", sizes_known=False)
        found = pair_cameras(calibration, [clip("a.mp4", (1904, 1120))])[0]
        assert found.size == (1904, 1120)
        np.testing.assert_array_equal(found.intrinsics, calibration.cameras[0].intrinsics)
        with pytest.raises(CalibrationError, match="guessed"):
            pair_cameras(calibration, [clip("a.mp4", (640, 360))])
