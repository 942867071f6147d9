"""The sanity pass on a synthetic walker: every way of being wrong that it must see through, or refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.calibrate import Calibration
from mocaplift.calibrate.sanity import LARGEST_ERROR, settle_calibration
from mocaplift.cameras import centre, intrinsics_from_focal, look_at, moved, project
from mocaplift.errors import CalibrationError
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D
from tests.walker import walker

SIZE = (1920, 1080)
EYES = {"a": (3.2, 1.5, 3.0), "b": (-2.5, 1.9, 3.4), "c": (-3.0, 1.2, -1.5), "d": (2.8, 2.4, -1.8)}
PIXEL = 2.0  # px, the detector's error
# The wrong readings' own names.
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
Z_UP = np.eye(4)
Z_UP[:3, :3] = rotations.Y_UP_FROM_Z_UP.T  # file's world from ours


def rig(names: str = "abcd") -> tuple[Camera, ...]:
    return tuple(
        Camera(
            name=name,
            intrinsics=intrinsics_from_focal(1300.0 + 60 * place, SIZE),
            distortion=np.array([-0.12, 0.03, 1e-3, -5e-4, 0.0]),
            cam_from_world=look_at(np.array(EYES[name]), np.array([0.1, 0.9, 1.3]), roll=0.02 * place),
            size=SIZE,
        )
        for place, name in enumerate(names)
    )


def seen(cameras: tuple[Camera, ...], *, frames: int = 90, noise: float = PIXEL) -> list[Keypoints2D]:
    rng = np.random.default_rng(5)
    walk = walker(frames=frames)
    views = []
    for camera in cameras:
        xy = project(camera, walk.keypoints.xyz) + rng.normal(size=(frames, len(BODY21), 2)) * noise
        views.append(Keypoints2D(xy, np.full(xy.shape[:2], 0.9), BODY21, 30.0, SIZE))
    return views


def hidden(view: Keypoints2D, shown: slice | None = None) -> Keypoints2D:
    conf = np.zeros_like(view.conf)
    if shown is not None:
        conf[shown] = view.conf[shown]
    xy = np.where(conf[..., None] > 0, view.xy, np.nan)
    return Keypoints2D(xy, conf, view.layout, view.fps, view.size)


def posed(camera: Camera, matrix: np.ndarray, name: str | None = None) -> Camera:
    return Camera(name or camera.name, camera.intrinsics, camera.distortion, matrix, camera.size)


def grown(camera: Camera, scale: float) -> Camera:
    matrix = camera.cam_from_world.copy()
    matrix[:3, 3] *= scale
    return posed(camera, matrix)


def file_of(cameras, unit: str | None = "m", up: str | None = "y") -> Calibration:
    return Calibration(tuple(cameras), "cams.json", Path("rig.json"), unit, up)


def off(found: tuple[Camera, ...], truth: tuple[Camera, ...]) -> float:
    """Return the largest distance (m) of a camera from its place."""
    return max(float(np.linalg.norm(centre(a) - centre(b))) for a, b in zip(found, truth, strict=True))


def shape_error(found: tuple[Camera, ...], truth: tuple[Camera, ...]) -> float:
    """Return the largest error (m) of a distance between cameras."""

    def distances(cameras: tuple[Camera, ...]) -> np.ndarray:
        centres = np.array([centre(camera) for camera in cameras])
        return np.linalg.norm(centres[:, None] - centres, axis=-1)

    return float(np.abs(distances(found) - distances(truth)).max())


def up_error(found: tuple[Camera, ...], truth: tuple[Camera, ...]) -> float:
    """Return how far (degrees) the found vertical is from the true one, in the first camera's axes."""
    cosine = found[0].cam_from_world[:3, 1] @ truth[0].cam_from_world[:3, 1]
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


class TestGoodFiles:
    def test_a_file_that_fits_is_left_as_it_is(self) -> None:
        cameras = rig()
        found, facts = settle_calibration(file_of(cameras), seen(cameras))
        assert off(found, cameras) < 1e-9
        assert facts["calibration_reading"] == "as is"
        assert (facts["calibration_unit"], facts["calibration_up_source"]) == ("m", "file")
        assert facts["calibration_unchecked"] == []
        assert facts["calibration_notes"] == []
        # The median length of a 2D error is 1.18 sigma; the point itself takes part of it.
        assert 0.5 * PIXEL < facts["calibration_px"] < 1.4 * PIXEL

    @pytest.mark.parametrize("names", ["ab", "ac", "bd", "abc"])
    def test_few_cameras(self, names: str) -> None:
        cameras = rig(names)
        found, facts = settle_calibration(file_of(cameras), seen(cameras))
        assert (off(found, cameras), facts["calibration_reading"]) == (pytest.approx(0, abs=1e-9), "as is")

    def test_outliers_do_no_harm(self) -> None:
        cameras = rig()
        views = seen(cameras)
        rng = np.random.default_rng(1)
        for view in views:
            wild = rng.random(view.conf.shape) < 0.15
            view.xy[wild] = rng.uniform((0, 0), SIZE, (int(wild.sum()), 2))
        found, facts = settle_calibration(file_of(cameras, None, None), views)
        assert facts["calibration_reading"] == "as is"
        assert facts["calibration_unit"] == "m"
        assert up_error(found, cameras) < 4.0

    def test_a_camera_that_never_sees_the_person_is_kept_and_named(self) -> None:
        cameras = rig()
        views = seen(cameras)
        views[2] = hidden(views[2])
        found, facts = settle_calibration(file_of(cameras), views)
        assert off(found, cameras) < 1e-9
        assert facts["calibration_unchecked"] == ["c"]
        assert "'c' saw too little" in facts["calibration_notes"][0]

    def test_a_camera_that_sees_the_person_for_a_moment_takes_part(self) -> None:
        cameras = rig()
        views = seen(cameras)
        views[3] = hidden(views[3], slice(40, 50))
        assert settle_calibration(file_of(cameras), views)[1]["calibration_unchecked"] == []


class TestUnits:
    @pytest.mark.parametrize(("unit", "per_metre"), [("m", 1.0), ("cm", 100.0), ("mm", 1000.0)])
    def test_an_unknown_unit_is_told_by_the_limbs(self, unit: str, per_metre: float) -> None:
        cameras = rig()
        found, facts = settle_calibration(
            file_of((grown(c, per_metre) for c in cameras), unit=None), seen(cameras)
        )
        assert facts["calibration_unit"] == unit
        assert off(found, cameras) < 1e-9

    def test_centimetres_called_metres_are_corrected_and_said(self) -> None:
        cameras = rig()
        found, facts = settle_calibration(file_of(grown(c, 100.0) for c in cameras), seen(cameras))
        assert facts["calibration_unit"] == "m, corrected: centimetres taken for metres"
        assert "m tall: centimetres taken for metres" in facts["calibration_notes"][0]
        assert off(found, cameras) < 1e-9

    def test_metres_called_millimetres_are_corrected(self) -> None:
        cameras = rig()
        found, facts = settle_calibration(file_of(grown(c, 0.001) for c in cameras), seen(cameras))
        assert facts["calibration_unit"] == "m, corrected: metres taken for millimetres"
        assert off(found, cameras) < 1e-6

    def test_a_scale_of_its_own_is_set_by_the_person(self) -> None:
        cameras = rig()
        file = file_of((grown(c, 0.13) for c in cameras), unit=None)
        found, facts = settle_calibration(file, seen(cameras))
        assert facts["calibration_unit"] == "arbitrary"
        # The walker's limbs are those of a person of 1.75 m; the body model has 1.68 m.
        assert 0.85 < np.linalg.norm(centre(found[0]) - centre(found[1])) / 5.73 < 1.1
        taller, facts = settle_calibration(file, seen(cameras), stature=1.9)
        assert "1.90 m" in facts["calibration_notes"][0]
        ratio = np.linalg.norm(centre(taller[0]) - centre(taller[1])) / np.linalg.norm(
            centre(found[0]) - centre(found[1])
        )
        assert ratio == pytest.approx(1.9 / 1.683, rel=0.05)


class TestUp:
    @pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (1.1, 0.3, -0.6), (np.pi, 0.0, 0.0), (-1.2, 2.0, 0.4)])
    def test_an_unknown_up_is_told_by_the_bodies(self, turn: tuple[float, float, float]) -> None:
        cameras = rig()
        world = np.eye(4)
        world[:3, :3] = rotations.to_matrix(rotations.from_rotvec(np.array(turn)))
        world[:3, 3] = [0.4, -2.0, 0.7]
        found, facts = settle_calibration(file_of((moved(c, world) for c in cameras), up=None), seen(cameras))
        assert facts["calibration_up_source"] == "bodies"
        assert up_error(found, cameras) < 4.0
        # The floor is at 0: the cameras are as high above it as they were.
        assert [centre(camera)[1] for camera in found] == pytest.approx(
            [e[1] for e in EYES.values()], abs=0.25
        )

    @pytest.mark.parametrize("axis", ["z", "-y"])
    def test_a_near_axis_of_the_file_is_taken_exactly(self, axis: str) -> None:
        cameras = rig()
        world = Z_UP if axis == "z" else OPENGL
        found, _ = settle_calibration(file_of((moved(c, world) for c in cameras), up=None), seen(cameras))
        assert up_error(found, cameras) < 1e-4

    def test_an_up_that_bodies_and_cameras_deny_is_not_believed(self) -> None:
        cameras = rig()
        found, facts = settle_calibration(file_of(moved(c, Z_UP) for c in cameras), seen(cameras))
        assert facts["calibration_up_source"] == "bodies"
        assert any(
            "degrees from what the camera file calls up" in note for note in facts["calibration_notes"]
        )
        assert up_error(found, cameras) < 4.0

    def test_a_person_who_lies_does_not_turn_a_known_world(self) -> None:
        cameras = rig()
        lying = walker().keypoints.xyz[..., [1, 0, 2]] * [1.0, 1.0, -1.0] + [-0.7, 0.4, 2.0]
        views = [
            Keypoints2D(project(c, lying), np.full(lying.shape[:2], 0.9), BODY21, 30.0, SIZE) for c in cameras
        ]
        known, facts = settle_calibration(file_of(cameras), views)
        assert facts["calibration_up_source"] == "file"
        assert up_error(known, cameras) < 1e-4
        unknown, facts = settle_calibration(file_of(cameras, up=None), views)
        assert facts["calibration_up_source"] == "cameras"
        assert up_error(unknown, cameras) < 8.0

    def test_a_floor_far_from_zero_is_put_there(self) -> None:
        cameras = rig()
        world = np.eye(4)
        world[1, 3] = 0.6
        found, facts = settle_calibration(file_of(moved(c, world) for c in cameras), seen(cameras))
        assert "the floor lay at 0." in facts["calibration_notes"][0]
        assert off(found, cameras) < 0.05


class TestReadings:
    @pytest.mark.parametrize("names", ["abcd", "ac"])
    @pytest.mark.parametrize(
        ("reading", "wrong"),
        [
            ("inverse extrinsics", np.linalg.inv),
            ("camera axes x right, y up, z backward", lambda m: OPENGL @ m),
            (
                "inverse extrinsics, camera axes x right, y up, z backward",
                lambda m: np.linalg.inv(OPENGL @ m),
            ),
            ("camera axes x left, y up, z forward", lambda m: np.diag([-1.0, -1.0, 1.0, 1.0]) @ m),
        ],
    )
    def test_a_matrix_that_means_something_else(self, names: str, reading: str, wrong) -> None:
        cameras = rig(names)
        file = file_of(posed(camera, wrong(camera.cam_from_world)) for camera in cameras)
        found, facts = settle_calibration(file, seen(cameras))
        assert facts["calibration_reading"] == reading
        assert reading in facts["calibration_notes"][0]
        assert off(found, cameras) < 1e-6

    def test_another_reading_with_another_unit_than_stated_is_one_guess_too_many(self) -> None:
        cameras = rig()
        large = [camera.cam_from_world.copy() for camera in cameras]
        for matrix in large:
            matrix[:3, 3] *= 1000
        wrong = [posed(camera, np.linalg.inv(matrix)) for camera, matrix in zip(cameras, large, strict=True)]
        file = file_of(wrong, unit=None)
        assert settle_calibration(file, seen(cameras))[1]["calibration_reading"] == "inverse extrinsics"
        with pytest.raises(CalibrationError, match="do not fit what they saw"):
            settle_calibration(replace(file, unit="m"), seen(cameras))

    def test_a_translation_that_is_the_place(self) -> None:
        cameras = rig()
        wrong = [c.cam_from_world.copy() for c in cameras]
        for matrix, camera in zip(wrong, cameras, strict=True):
            matrix[:3, 3] = centre(camera)
        file = file_of(posed(camera, matrix) for camera, matrix in zip(cameras, wrong, strict=True))
        found, facts = settle_calibration(file, seen(cameras))
        assert facts["calibration_reading"] == "translation is the camera's place"
        assert off(found, cameras) < 1e-6

    def test_an_inverse_matrix_of_a_world_that_the_reader_turned_upright(self) -> None:
        """The file has world from camera, +Z up; the reader took it for camera from world and turned the world."""
        cameras = rig()
        in_file = [np.linalg.inv(camera.cam_from_world @ np.linalg.inv(Z_UP)) for camera in cameras]
        read = [matrix @ Z_UP for matrix in in_file]
        file = file_of(posed(camera, matrix) for camera, matrix in zip(cameras, read, strict=True))
        found, facts = settle_calibration(file, seen(cameras))
        assert facts["calibration_reading"] == "inverse extrinsics"
        assert off(found, cameras) < 1e-6

    @pytest.mark.parametrize("order", ["bacd", "bcda", "dcba"])
    def test_cameras_in_another_order_than_the_videos(self, order: str) -> None:
        cameras = rig()
        by_name = {camera.name: camera for camera in cameras}
        found, facts = settle_calibration(file_of(by_name[name] for name in order), seen(cameras))
        assert facts["calibration_reading"] == "cameras in the order a, b, c, d"
        assert [camera.name for camera in found] == list("abcd")

    def test_two_of_six_cameras_exchanged(self) -> None:
        four = rig()
        more = [
            posed(four[0], look_at(np.array(eye), np.array([0.1, 0.9, 1.3])), name)
            for eye, name in (((0.3, 1.4, 4.9), "e"), ((4.1, 1.8, 0.9), "f"))
        ]
        cameras = (*four, *more)
        wrong = (cameras[0], cameras[4], *cameras[2:4], cameras[1], cameras[5])
        found, facts = settle_calibration(file_of(wrong), seen(cameras))
        assert [camera.name for camera in found] == list("abcdef")
        assert "order a, b, c, d, e, f" in facts["calibration_reading"]


class TestRefusals:
    def test_a_camera_that_was_moved_is_named_with_the_figures(self) -> None:
        cameras = rig()
        turned = posed(cameras[2], look_at(np.array([-2.5, 1.4, -1.9]), np.array([0.4, 0.6, 1.0])))
        file = file_of((*cameras[:2], turned, cameras[3]))
        with pytest.raises(CalibrationError) as error:
            settle_calibration(file, seen(cameras))
        text = str(error.value)
        assert "rig.json" in text
        assert "Camera 'c' does not fit the others" in text
        assert "By camera: a " in text
        assert "Other readings of the file" in text
        assert f"at most {LARGEST_ERROR:.0f}" in text

    def test_nonsense_is_refused(self) -> None:
        cameras = rig()
        rng = np.random.default_rng(2)
        wrong = [
            posed(camera, look_at(rng.normal(size=3) * 3 + [0, 2, 0], rng.normal(size=3)))
            for camera in cameras
        ]
        with pytest.raises(CalibrationError, match=r"do not fit what they saw.*--sync auto"):
            settle_calibration(file_of(wrong), seen(cameras))

    def test_videos_of_different_moments_are_refused(self) -> None:
        cameras = rig()
        views = seen(cameras, frames=160)
        late = [0, 50, 20, 70]
        cut = [
            Keypoints2D(v.xy[n : n + 90], v.conf[n : n + 90], v.layout, v.fps, v.size)
            for v, n in zip(views, late, strict=True)
        ]
        with pytest.raises(CalibrationError, match=r"--sync auto"):
            settle_calibration(file_of(cameras), cut)

    @pytest.mark.parametrize("names", ["ab", "abc"])
    def test_two_cameras_at_one_place_are_named(self, names: str) -> None:
        cameras = rig(names)
        copied = posed(cameras[1], cameras[0].cam_from_world)
        with pytest.raises(CalibrationError, match=r"'a' and 'b' stand at the same place"):
            settle_calibration(file_of((cameras[0], copied, *cameras[2:])), seen(cameras))

    def test_two_cameras_at_one_place_that_fit_are_refused_too(self) -> None:
        cameras = rig("abc")
        aside = posed(cameras[0], look_at(np.array(EYES["a"]), np.array([0.5, 0.9, 1.0])), "b")
        rig_of = (cameras[0], aside, cameras[2])
        with pytest.raises(CalibrationError, match=r"'a' and 'b' stand at the same place"):
            settle_calibration(file_of(rig_of), seen(rig_of))

    def test_one_camera(self) -> None:
        cameras = rig("ab")[:1]
        with pytest.raises(CalibrationError, match="one camera alone"):
            settle_calibration(file_of(cameras), seen(cameras))

    def test_only_one_camera_sees_the_person(self) -> None:
        cameras = rig("ab")
        first, second = seen(cameras)
        with pytest.raises(CalibrationError, match=r"two cameras must see.*a 0, b 0"):
            settle_calibration(file_of(cameras), [first, hidden(second)])

    def test_other_numbers_of_videos_or_frames(self) -> None:
        cameras = rig("ab")
        views = seen(cameras)
        with pytest.raises(CalibrationError, match="2 cameras for 1 videos"):
            settle_calibration(file_of(cameras), views[:1])
        with pytest.raises(CalibrationError, match="not on one clock"):
            settle_calibration(file_of(cameras), [views[0], seen(cameras, frames=80)[1]])
