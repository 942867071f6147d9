"""What one camera leaves open: where it was told, found or assumed; angles and their signs by hand."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.assume import MOST_TILT, assumed_camera, find_gravity, pitch_and_roll
from mocaplift.cameras import centre, intrinsics_from_fov, look_at, moved, project
from mocaplift.layouts import BODY21
from mocaplift.options import Options
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Camera, Clip, Motion3D
from tests.walker import Walk, walker

SIZE = (1280, 720)


def clip(**facts: float) -> Clip:
    return Clip(Path("walks/anna.mp4"), Fraction(30), 90, SIZE, facts=facts)


def camera(eye: tuple[float, float, float], target: tuple[float, float, float], roll: float = 0.0) -> Camera:
    view = look_at(np.array(eye), np.array(target), roll)
    return Camera("a", intrinsics_from_fov(60.0, SIZE), np.zeros(5), view, SIZE)


class TestFocal:
    @pytest.mark.parametrize(
        ("options", "facts", "focal", "source"),
        [
            # Half of 1280 over the tangent of half the angle.
            (Options(), {}, 640 / np.tan(np.radians(30)), "prior"),
            (Options(), {"focal_px": 1010.0}, 1010.0, "metadata"),
            (Options(fov=90.0), {"focal_px": 1010.0}, 640.0, "given"),
            (Options(focal=777.0), {"focal_px": 1010.0}, 777.0, "given"),
        ],
    )
    def test_it_is_given_found_or_assumed(self, options, facts, focal, source) -> None:
        assumed, told = assumed_camera(clip(**facts), options)
        assert told == source
        np.testing.assert_allclose(
            assumed.intrinsics, [[focal, 0, 639.5], [0, focal, 359.5], [0, 0, 1]], rtol=1e-12
        )
        assert (assumed.name, assumed.size) == ("anna", SIZE)
        assert not assumed.distortion.any()

    def test_the_camera_is_at_the_origin_and_looks_along_minus_z(self) -> None:
        assumed, _ = assumed_camera(clip(), Options(focal=640.0))
        np.testing.assert_allclose(centre(assumed), 0, atol=1e-12)
        seen = project(assumed, np.array([[0.0, 0, -5], [1, 0, -5], [0, 1, -5]]))
        np.testing.assert_allclose(seen, [[639.5, 359.5], [767.5, 359.5], [639.5, 231.5]])
        assert pitch_and_roll(assumed) == pytest.approx((0.0, 0.0))

    def test_a_pitch_that_was_given_looks_down(self) -> None:
        assumed, _ = assumed_camera(clip(), Options(pitch=30.0))
        assert pitch_and_roll(assumed) == pytest.approx((30.0, 0.0))
        # What is in the middle of the picture lies below the camera.
        np.testing.assert_allclose(assumed.cam_from_world[2, :3], [0, -0.5, -np.sqrt(0.75)])
        np.testing.assert_allclose(
            project(assumed, np.array([0.0, -1.0, -np.sqrt(3.0)])), [639.5, 359.5], atol=1e-9
        )


class TestAngles:
    @pytest.mark.parametrize(
        ("eye", "roll", "expected"),
        [
            ((0.0, 0.0, 5.0), 0.0, (0.0, 0.0)),
            ((0.0, 5.0, 5.0), 0.0, (45.0, 0.0)),  # from above
            ((3.0, -3.0, 0.0), 0.0, (-45.0, 0.0)),  # from below
            ((0.0, 0.0, 5.0), 0.3, (0.0, np.degrees(0.3))),
            ((-4.0, 4.0, 0.0), -0.2, (45.0, np.degrees(-0.2))),
        ],
    )
    def test_down_is_positive_and_so_is_a_lean_to_the_right(self, eye, roll, expected) -> None:
        assert pitch_and_roll(camera(eye, (0.0, 0.0, 0.0), roll)) == pytest.approx(expected, abs=1e-9)

    def test_a_camera_that_leans_right_has_its_right_side_down(self) -> None:
        leaning = camera((0.0, 0.0, 5.0), (0.0, 0.0, 0.0), 0.3)
        assert leaning.cam_from_world[0, 1] < 0  # height of its right-hand axis
        # The horizon falls to the left in its picture: what is level on the left is lower down.
        left, right = project(leaning, np.array([[-1.0, 0, 0], [1.0, 0, 0]]))
        assert left[1] > right[1]


def tilted(walk: Walk, tilt: np.ndarray, lens: Camera) -> tuple[Motion3D, Camera]:
    """Return the walker and the camera in a world whose up was taken for another one."""
    transform = np.eye(4)
    transform[:3, :3] = to_matrix(tilt)
    points = dataclasses.replace(walk.keypoints, xyz=rotate(tilt, walk.keypoints.xyz))
    return points, moved(lens, transform)


def stands(points: Motion3D) -> Motion3D:
    """Return the same person for as long, standing still like a pole: shoulders above hips above ankles."""
    xyz = np.zeros_like(points.xyz)
    heights = {"nose": 1.6, "eye": 1.6, "ear": 1.6, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.9}
    heights |= {"hip": 0.9, "knee": 0.5, "ankle": 0.08}
    for at, joint in enumerate(BODY21.joints):
        side = {"left": 0.1, "right": -0.1}.get(joint.split("_")[0], 0.0)
        part = joint.split("_", 1)[-1]
        xyz[:, at] = [side, heights.get(part, 0.0), 0.0]
    return dataclasses.replace(points, xyz=xyz)


def up_found(points: Motion3D, contacts: np.ndarray, lens: Camera) -> np.ndarray:
    """Return the direction in the given world that is found to be up."""
    turn = find_gravity(points, contacts, lens).level_from_world[:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    return turn.T @ np.array([0.0, 1.0, 0.0])


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


LENS = camera((0.5, 1.3, 6.0), (0.0, 1.0, 0.0))
# Turns about the camera's right (it looks too high or too low) and about its forward (it leans).
TILTS = {
    "up": about_axis("X", np.radians(8.0)),
    "down": about_axis("X", np.radians(-8.0)),
    "left": about_axis("Z", np.radians(6.0)),
    "right": about_axis("Z", np.radians(-6.0)),
}
UP = np.array([0.0, 1.0, 0.0])


class TestGravity:
    @pytest.mark.parametrize("name", TILTS)
    def test_upright_people_tell_where_up_is(self, name: str) -> None:
        """A minute of standing tells pitch; roll is shared between the photographer's habit and the person's.

        Variances in degrees squared: posture 3^2 + 5^2 / 60 = 9.4; pitch 10^2, roll 3^2. So posture decides 91 %
        of the pitch and 49 % of the roll. One planted spot tells no slope.
        """
        walk = walker(1800)
        planted = np.ones((1800, 4), bool)
        person = walk._replace(keypoints=stands(walk.keypoints))
        points, lens = tilted(person, TILTS[name], LENS)
        true = rotate(TILTS[name], UP)
        assert angle_deg(UP, true) > 5.9
        share = 0.91 if name in ("up", "down") else 0.49
        found = up_found(points, planted, lens)
        assert angle_deg(found, UP) == pytest.approx(share * angle_deg(UP, true), abs=0.2)
        assert angle_deg(found, true) == pytest.approx((1 - share) * angle_deg(UP, true), abs=0.4)
        assert find_gravity(points, planted, lens).source == "contacts"

    @pytest.mark.parametrize("name", TILTS)
    def test_the_floor_that_feet_touch_tells_it_too(self, name: str) -> None:
        """Someone who never stands upright: only the places of the feet are evidence, over a room of 10 m."""
        walk = walker(600, speed=0.5)
        half = walker(600, speed=0.5, heading=np.pi / 2)
        xyz = np.concatenate([walk.keypoints.xyz, half.keypoints.xyz])
        above = BODY21.index("left_shoulder", "right_shoulder")
        xyz[:, above, 1] = xyz[:, BODY21.index("left_knee", "right_knee"), 1]  # bent double
        points = Motion3D(xyz, np.full(xyz.shape[:2], 0.01), BODY21, 30.0)
        contacts = np.concatenate([walk.contacts, half.contacts])
        turned, lens = tilted(Walk(walk.motion, contacts, points), TILTS[name], LENS)
        found = up_found(turned, contacts, lens)
        assert angle_deg(found, rotate(TILTS[name], UP)) < 1.0

    def test_a_walker_on_a_level_floor_keeps_it_level(self) -> None:
        walk = walker(300)
        assert angle_deg(up_found(walk.keypoints, walk.contacts, LENS), UP) < 1.5

    def test_levelled_by_what_was_found_the_camera_has_its_true_pitch(self) -> None:
        walk = walker(600)
        points, lens = tilted(walk._replace(keypoints=stands(walk.keypoints)), TILTS["down"], LENS)
        level = find_gravity(points, np.ones((600, 4), bool), lens).level_from_world
        true, wrong = pitch_and_roll(LENS)[0], pitch_and_roll(lens)[0]
        assert abs(wrong - true) > 7.5
        assert pitch_and_roll(moved(lens, level))[0] == pytest.approx(true, abs=1.0)

    def test_without_any_evidence_nothing_is_turned(self) -> None:
        walk = walker(60)
        found = find_gravity(walk.keypoints, np.zeros((60, 4), bool), LENS)
        assert found.source == "prior"
        np.testing.assert_array_equal(found.level_from_world, np.eye(4))

    def test_a_little_evidence_moves_it_a_little(self) -> None:
        """Less than a second of a person who leans by 8 degrees: photographers' habits count as well."""
        walk = walker(15)
        points, lens = tilted(walk._replace(keypoints=stands(walk.keypoints)), TILTS["down"], LENS)
        found = up_found(points, np.ones((15, 4), bool), lens)
        # Precisions 1/10^2 of the photographer and 1/(3^2 + 5^2) of one vote: three quarters of the way.
        assert angle_deg(found, UP) == pytest.approx(6.0, abs=0.4)

    def test_no_evidence_tilts_the_world_over(self) -> None:
        walk = walker(600, speed=1.0)
        steep = rotate(about_axis("X", np.radians(80.0)), walk.keypoints.xyz)
        points = dataclasses.replace(walk.keypoints, xyz=steep)
        assert angle_deg(up_found(points, walk.contacts, LENS), UP) <= np.degrees(MOST_TILT) + 10.0
