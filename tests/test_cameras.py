"""Cameras: conventions by hand, lenses against OpenCV, the rest by property."""

import dataclasses

import cv2
import numpy as np
import pytest

from mocaplift import cameras
from mocaplift.errors import CalibrationError
from mocaplift.rotations import about_axis, from_euler_deg, to_matrix
from mocaplift.values import Camera

SIZE = (201, 101)  # an odd number of pixels, so that one of them is in the middle
WIDE = np.array([-0.28, 0.09, 1.2e-3, -7e-4, -0.012])  # an action camera's


def camera(eye=(0.0, 0.0, 5.0), target=(0.0, 0.0, 0.0), roll=0.0, focal=100.0, distortion=None) -> Camera:
    return Camera(
        name="a",
        intrinsics=cameras.intrinsics_from_focal(focal, SIZE),
        distortion=np.zeros(5) if distortion is None else distortion,
        cam_from_world=cameras.look_at(np.array(eye), np.array(target), roll),
        size=SIZE,
    )


def tilted(distortion=WIDE, focal=900.0) -> Camera:
    plain = camera(eye=(2.0, 1.5, 4.0), target=(0.1, 0.9, 0.2), roll=0.2, distortion=distortion)
    intrinsics = np.array([[focal, 3.0, 640.3], [0, focal * 1.02, 352.1], [0, 0, 1]])
    return dataclasses.replace(plain, intrinsics=intrinsics, size=(1280, 720))


def cloud(count: int = 200) -> np.ndarray:
    return np.random.default_rng(3).normal([0.1, 0.9, 0.2], 0.6, (count, 3))


class TestByHand:
    def test_up_is_up_and_right_is_right(self) -> None:
        points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 3.0]])
        # 1 m at 5 m with a focal length of 100 px is 20 px; towards the camera stays in the middle.
        np.testing.assert_allclose(
            cameras.project(camera(), points), [[100, 50], [120, 50], [100, 30], [100, 50]], atol=1e-9
        )

    def test_a_camera_on_the_left_side_sees_the_front_on_its_right(self) -> None:
        # At +X, looking along -X with +Y up: right is -Z.
        seen = cameras.project(camera(eye=(4.0, 0.0, 0.0)), np.array([0.0, 0.0, 1.0]))
        np.testing.assert_allclose(seen, [75.0, 50.0], atol=1e-9)

    def test_a_camera_that_leans_right_sees_the_world_lean_left(self) -> None:
        rolled = camera(roll=np.pi / 2)
        # Its own right points down, so what is up in the world is on its left.
        np.testing.assert_allclose(
            cameras.project(rolled, np.array([[0.0, 1, 0], [1, 0, 0]])), [[80, 50], [100, 30]], atol=1e-9
        )

    def test_a_camera_above_looks_down(self) -> None:
        high = camera(eye=(0.0, 5.0, 5.0))
        np.testing.assert_allclose(high.cam_from_world[2, :3], [0, -np.sqrt(0.5), -np.sqrt(0.5)], atol=1e-12)
        np.testing.assert_allclose(cameras.centre(high), [0, 5, 5], atol=1e-12)
        assert np.linalg.det(high.cam_from_world[:3, :3]) == pytest.approx(1.0)

    def test_the_middle_lies_between_pixels_when_their_number_is_even(self) -> None:
        wide = cameras.intrinsics_from_fov(90.0, (200, 100))
        np.testing.assert_allclose(wide, [[100, 0, 99.5], [0, 100, 49.5], [0, 0, 1]], atol=1e-9)
        # The longer side decides, also upright.
        assert cameras.intrinsics_from_fov(90.0, (100, 200))[0, 0] == pytest.approx(100.0)

    def test_behind_the_camera_there_is_no_picture(self) -> None:
        seen = cameras.project(camera(), np.array([[0.0, 0, 5.0], [0, 0, 6.0], [1, 1, 8.0], [0, 0, 4.9]]))
        assert np.isnan(seen[:3]).all()
        assert np.isfinite(seen[3]).all()

    def test_camera_axes(self) -> None:
        seen = cameras.cam_points(camera(), np.array([1.0, 2.0, 3.0]))
        np.testing.assert_allclose(seen, [1.0, -2.0, 2.0], atol=1e-12)


class TestLens:
    def test_project_agrees_with_opencv(self) -> None:
        lens, points = tilted(), cloud()
        rotation, _ = cv2.Rodrigues(lens.cam_from_world[:3, :3])
        without_skew = lens.intrinsics * (1 - np.eye(3, k=1))  # OpenCV ignores skew
        expected, _ = cv2.projectPoints(
            points, rotation, lens.cam_from_world[:3, 3], without_skew, lens.distortion
        )
        found = cameras.project(dataclasses.replace(lens, intrinsics=without_skew), points)
        np.testing.assert_allclose(found, expected[:, 0], atol=1e-8)

    def test_undistort_agrees_with_opencv(self) -> None:
        lens = tilted()
        plain = lens.intrinsics * (1 - np.eye(3, k=1))
        lens = dataclasses.replace(lens, intrinsics=plain)
        pixels = np.random.default_rng(1).uniform([0, 0], [1280, 720], (300, 2))
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-12)
        expected = cv2.undistortPointsIter(pixels[:, None], plain, lens.distortion, np.eye(3), plain, stop)
        error = np.abs(cameras.undistort(lens, pixels) - expected[:, 0])
        assert error.max() < 0.005  # px, in the corners, which this lens shifts by 200 px
        inner = np.abs(pixels - [640, 360]).max(axis=1) < 300
        assert error[inner].max() < 1e-4

    def test_undistorted_pixels_are_those_of_a_camera_without_distortion(self) -> None:
        lens, points = tilted(), cloud()
        plain = dataclasses.replace(lens, distortion=np.zeros(5))
        np.testing.assert_allclose(
            cameras.undistort(lens, cameras.project(lens, points)), cameras.project(plain, points), atol=1e-6
        )
        pixels = cameras.project(plain, points)
        np.testing.assert_allclose(cameras.undistort(plain, pixels), pixels, atol=1e-9)


class TestRays:
    @pytest.mark.parametrize("lens", [tilted(), tilted(np.zeros(5))], ids=["wide", "pinhole"])
    def test_rays_go_through_what_was_projected(self, lens) -> None:
        points = cloud()
        direction = cameras.rays(lens, cameras.project(lens, points))
        expected = points - cameras.centre(lens)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(direction, expected, atol=1e-8)

    def test_points_seen_twice_are_where_they_were(self) -> None:
        rig = (tilted(), camera(eye=(-3.0, 1.0, 3.0), focal=800.0), camera(eye=(0.0, 2.0, 5.0)))
        points = cloud(40).reshape(8, 5, 3)
        xy = np.stack([cameras.project(each, points) for each in rig])
        weights = np.ones(xy.shape[:-1])
        np.testing.assert_allclose(cameras.triangulate(rig, xy, weights), points, atol=1e-7)
        # A view that misses the point, or is not believed, does not matter.
        xy[2, 0], weights[2, 1] = np.nan, 0.0
        xy[2, 1] += 30.0
        np.testing.assert_allclose(cameras.triangulate(rig, xy, weights)[:2], points[:2], atol=1e-7)

    def test_rays_that_miss_each_other_meet_in_the_weighted_middle(self) -> None:
        # One ray along -Z at height 0, one along -X at height 0.2.
        rig = (camera(), camera(eye=(5.0, 0.2, 0.0), target=(0.0, 0.2, 0.0)))
        xy = np.full((2, 2), [100.0, 50.0])
        for weights, height in (([1.0, 1.0], 0.1), ([3.0, 1.0], 0.05)):
            found = cameras.triangulate(rig, xy, np.array(weights))
            np.testing.assert_allclose(found, [0.0, height, 0.0], atol=1e-9)

    def test_one_ray_or_parallel_rays_tell_no_point(self) -> None:
        rig = (camera(), camera(eye=(1.0, 0.0, 5.0), target=(1.0, 0.0, 0.0)))
        xy = np.full((2, 3, 2), [100.0, 50.0])
        weights = np.ones((2, 3))
        weights[1, 1] = 0.0
        xy[0, 2] = np.nan
        assert np.isnan(cameras.triangulate(rig, xy, weights)).all()

    def test_one_camera_for_each_view(self) -> None:
        with pytest.raises(CalibrationError, match="1 cameras were given for 2 views"):
            cameras.triangulate((camera(),), np.zeros((2, 3, 2)), np.ones((2, 3)))


@pytest.mark.parametrize("target", [(0.0, 0.0, 5.0), (0.0, -2.0, 5.0), (0.0, 9.0, 5.0)])
def test_a_camera_looks_somewhere_and_neither_straight_up_nor_down(target) -> None:
    with pytest.raises(CalibrationError, match="cannot look at its own place, nor straight up or down"):
        camera(target=target)


@pytest.mark.parametrize("roll", [0.0, 0.4, -2.0])
def test_the_target_is_in_the_middle_under_any_roll(roll) -> None:
    lens = camera(eye=(1.0, 2.0, -3.0), target=(0.4, 0.1, 0.3), roll=roll)
    np.testing.assert_allclose(cameras.project(lens, np.array([0.4, 0.1, 0.3])), [100, 50], atol=1e-9)


def test_a_world_that_moves_with_its_camera_looks_the_same() -> None:
    lens, points = tilted(), cloud()
    transform = np.eye(4)
    transform[:3, :3] = to_matrix(from_euler_deg("ZXY", np.array([10.0, 20.0, 130.0])))
    transform[:3, 3] = [3.0, -1.0, 0.5]
    there = points @ transform[:3, :3].T + transform[:3, 3]
    np.testing.assert_allclose(
        cameras.project(cameras.moved(lens, transform), there), cameras.project(lens, points), atol=1e-8
    )
    # By hand: a world turned by a quarter about +Y takes a camera at +Z to +X.
    quarter = np.eye(4)
    quarter[:3, :3] = to_matrix(about_axis("Y", np.pi / 2))
    np.testing.assert_allclose(cameras.centre(cameras.moved(camera(), quarter)), [5, 0, 0], atol=1e-12)


def test_pixels_that_no_lens_shows_are_taken_without_distortion() -> None:
    """Undoing a barrel diverges far outside of the picture; one wild detection must not spoil a clip."""
    lens = Camera(
        "lens", np.diag([1000.0, 1000.0, 1.0]), np.array([-0.3, 0.1, 0.0, 0.0, 0.02]), np.eye(4), (64, 48)
    )
    found = cameras.normalized(lens, np.array([[1e5, 0.0], [np.nan, np.nan], [100.0, 0.0]]))
    np.testing.assert_allclose(found[0], [100.0, 0.0])
    assert np.isnan(found[1]).all()
    # By hand: x - 0.3 x^3 + 0.1 x^5 = 0.1 for x = 0.1003 or so.
    assert found[2, 0] == pytest.approx(0.10030, abs=1e-5)
