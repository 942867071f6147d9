"""What several cameras saw, put together: from sightings to people on one clock in cameras that fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift.calibrate import Calibration
from mocaplift.camera_motion import CameraMotion
from mocaplift.cameras import centre
from mocaplift.detect import Sighting
from mocaplift.detect.track import Track
from mocaplift.errors import CalibrationError, ConfigError, NoPersonFound
from mocaplift.options import Options
from mocaplift.values import Camera, Clip
from mocaplift.views.together import paired, together
from tests.views.test_people import FPS, FRAMES, LEFT, RIGHT, SIZE, around, person, seen, track, tracks_of

CAMERAS = around(45, -60, 170)


def clip(name: str) -> Clip:
    return Clip(Path(f"{name}.mp4"), Fraction(round(FPS)), FRAMES, SIZE)


def sighting(name: str, tracks: Sequence[Track], *, drift: float | None = None) -> Sighting:
    motion = None if drift is None else CameraMotion(drift > 5, "static", drift, 0.0, 10)
    facts = {"detector": "seer", "people": len(tracks), "complete": True, "frames_empty": 2, "ghosts": 1}
    return Sighting(clip(name), tuple(tracks), motion, facts)


def sightings(people: Sequence[np.ndarray] = (LEFT,), cameras: Sequence[Camera] = CAMERAS) -> list[Sighting]:
    return [
        sighting(camera.name, tracks)
        for camera, tracks in zip(cameras, tracks_of(people, cameras), strict=True)
    ]


def rig(cameras: Sequence[Camera] = CAMERAS, unit: str | None = "m", up: str | None = "y") -> Calibration:
    return Calibration(tuple(cameras), "test", Path("rig.toml"), unit, up)


class TestPaired:
    def test_by_name_from_a_calibration_and_in_order_from_cameras(self) -> None:
        clips = [clip("take cam2"), clip("take cam3")]
        by_name = paired(rig(), clips)
        assert by_name is not None and by_name.path == Path("rig.toml")
        assert [camera.name for camera in by_name.cameras] == ["cam2", "cam3"]
        in_order = paired(CAMERAS[:2], clips)
        assert in_order is not None and (in_order.unit, in_order.up) == ("m", "y")
        assert in_order.cameras == tuple(CAMERAS[:2])

    def test_one_video_needs_no_camera(self) -> None:
        assert paired(None, [clip("one")]) is None

    def test_what_is_missing_is_told(self) -> None:
        with pytest.raises(ConfigError, match=r"2 videos of one take need calibrated cameras: .*--calib"):
            paired(None, [clip("one"), clip("two")])
        with pytest.raises(ConfigError, match="one camera for each video, but there are 3 for 2"):
            paired(CAMERAS, [clip("one"), clip("two")])
        with pytest.raises(ConfigError, match="there is no video"):
            paired(CAMERAS, [])


class TestSeveral:
    def test_people_cameras_and_facts(self) -> None:
        scene = together(sightings([LEFT, RIGHT]), rig(), Options())
        assert [person.id for person in scene.people] == [1, 2] and scene.is_level
        assert all(person.sightings.all() for person in scene.people)
        assert [each.path.name for each in scene.clips] == ["cam1.mp4", "cam2.mp4", "cam3.mp4"]
        facts = scene.facts
        assert (facts["people"], facts["detector"], facts["complete"]) == (2, "seer", True)
        assert (facts["frames_empty"], facts["ghosts"]) == (6, 3)
        assert (facts["focal_source"], facts["sync_source"]) == ("given", "same clock")
        assert facts["calibration_reading"] == "as is" and facts["calibration_px"] < 12
        assert facts["camera_is_moving"] is None

    def test_a_calibration_that_knows_neither_unit_nor_up_is_settled_by_the_people(self) -> None:
        """In millimetres, and lying on its side."""
        turn = np.eye(4)
        turn[:3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
        lying = []
        for camera in CAMERAS:
            pose = camera.cam_from_world @ turn
            pose[:3, 3] *= 1000.0
            lying.append(replace(camera, cam_from_world=pose))
        scene = together(sightings(cameras=CAMERAS), rig(lying, None, None), Options(height=1.62))
        apart = [np.linalg.norm(centre(scene.cameras[0]) - centre(each)) for each in scene.cameras]
        true = [np.linalg.norm(centre(CAMERAS[0]) - centre(each)) for each in CAMERAS]
        assert apart == pytest.approx(true, rel=0.1)
        down = [each.cam_from_world[1, 1] for each in scene.cameras]
        assert max(down) < -0.95

    def test_inverse_extrinsics_are_seen_and_people_matched_again(self) -> None:
        inverse = [replace(camera, cam_from_world=np.linalg.inv(camera.cam_from_world)) for camera in CAMERAS]
        scene = together(sightings(), rig(inverse), Options())
        assert "inverse" in str(scene.facts["calibration_reading"])
        assert scene.people[0].sightings.all() and len(scene.people) == 1

    def test_cameras_that_do_not_fit_are_refused(self) -> None:
        turned = [CAMERAS[0], *around(80, 200)]
        with pytest.raises(CalibrationError, match="do not fit what they saw"):
            together(sightings(), rig(turned), Options())

    def test_a_camera_that_was_moved_is_refused_by_two_and_outvoted_by_three(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        cameras = around(45, -60, 170, 100)
        wrong = [*cameras[:3], around(0, 0, 0, 280)[3]]
        with pytest.raises(CalibrationError, match="do not fit what they saw"):
            together(sightings(cameras=cameras)[1:], rig(wrong[1:]), Options())
        with caplog.at_level(logging.WARNING):
            scene = together(sightings(cameras=cameras), rig(wrong), Options())
        assert scene.people[0].sightings.all(axis=1).tolist() == [True, True, True, False]
        assert "whom camera cam4 sees no other camera sees there" in caplog.text

    def test_the_largest_of_each_camera_need_not_be_one_person(self) -> None:
        """Two cameras see two people each, the third only somebody whom nobody else sees."""
        both = sightings([LEFT, RIGHT])
        far = person(-2.0, -1.0, speed=0.2)
        both[2] = sighting("cam3", [track(seen(far, CAMERAS[2]))])
        scene = together(both, rig(), Options())
        assert [each.sightings.all(axis=1).tolist() for each in scene.people] == [[True, True, False]] * 2

    def test_two_cameras_at_one_place_are_refused(self) -> None:
        with pytest.raises(CalibrationError, match="at the same place"):
            together(
                sightings(cameras=[CAMERAS[0], replace(CAMERAS[0], name="cam2")]),
                rig([CAMERAS[0], replace(CAMERAS[0], name="cam2")]),
                Options(),
            )

    def test_a_camera_that_never_sees_anybody_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        blind = [*sightings()[:2], sighting("cam3", ())]
        with caplog.at_level(logging.WARNING):
            scene = together(blind, rig(), Options())
        assert scene.people[0].sightings.any(axis=1).tolist() == [True, True, False]
        assert "camera cam3 never sees anybody" in caplog.text
        assert scene.facts["calibration_unchecked"] == ["cam3"]

    def test_one_camera_that_sees_somebody_is_enough_where_the_world_is_known(self) -> None:
        only = [sightings()[0], sighting("cam2", ()), sighting("cam3", ())]
        scene = together(only, rig(), Options())
        assert scene.people[0].sightings.any(axis=1).tolist() == [True, False, False]
        assert scene.cameras == tuple(CAMERAS) and len(scene.facts["calibration_unchecked"]) == 3
        with pytest.raises(CalibrationError, match="two cameras must see the same person"):
            together(only, rig(unit=None), Options())

    def test_nobody_at_all(self) -> None:
        with pytest.raises(NoPersonFound, match="nobody was found"):
            together([sighting(camera.name, ()) for camera in CAMERAS], rig(), Options())

    def test_a_moving_camera_is_named(self, caplog: pytest.LogCaptureFixture) -> None:
        tracks = [[track(seen(LEFT, camera))] for camera in CAMERAS]
        with caplog.at_level(logging.WARNING):
            scene = together(
                [
                    sighting(camera.name, own, drift=drift)
                    for camera, own, drift in zip(CAMERAS, tracks, (0.5, 30.0, 1.0), strict=True)
                ],
                rig(),
                Options(),
            )
        assert "camera cam2 moves while it films" in caplog.text
        assert (scene.facts["camera_is_moving"], scene.facts["camera_drift_px"]) == (True, 30.0)

    def test_offsets_that_are_given_bring_the_cameras_together(self) -> None:
        """The second camera started a fifth of a second later."""
        late = [track(seen(LEFT[6:], CAMERAS[1], frames=range(FRAMES - 6)))]
        short = replace(clip("cam2"), frames=FRAMES - 6)
        both = sightings()
        both[1] = replace(both[1], tracks=tuple(late), clip=short)
        scene = together(both, rig(), Options(sync="0,0.2,0"))
        assert (scene.facts["sync_source"], scene.facts["sync_offsets_s"]) == ("given", [0.0, 0.2, 0.0])
        assert scene.facts["calibration_px"] < 12
        assert scene.people[0].sightings.sum(axis=1).tolist() == [FRAMES, FRAMES - 6, FRAMES]


class TestAlone:
    def test_an_unknown_camera_is_assumed(self) -> None:
        scene = together(sightings()[:1], None, Options())
        assert not scene.is_level and scene.facts["focal_source"] == "prior"
        assert together(sightings()[:1], None, Options(pitch=4.0)).is_level

    def test_a_known_camera_is_kept(self) -> None:
        scene = together(sightings()[:1], rig(CAMERAS[:1]), Options())
        assert scene.is_level and scene.facts["focal_source"] == "given"
        np.testing.assert_array_equal(scene.cameras[0].cam_from_world, CAMERAS[0].cam_from_world)

    def test_of_a_world_that_may_lie_on_its_side_only_the_lens_is_taken(self) -> None:
        lens = replace(CAMERAS[0], distortion=np.array([-0.1, 0.0, 0.0, 0.0, 0.0]))
        scene = together(sightings()[:1], rig([lens], None, None), Options())
        (camera,) = scene.cameras
        assert not scene.is_level
        assert together(sightings()[:1], rig([lens], None, None), Options(pitch=10.0)).is_level
        np.testing.assert_array_equal(camera.intrinsics, lens.intrinsics)
        np.testing.assert_array_equal(camera.distortion, lens.distortion)
        assert not camera.cam_from_world[:3, 3].any()

    def test_people_keep_their_numbers(self) -> None:
        tracks = [track(seen(each, CAMERAS[0]), number) for each, number in ((LEFT, 2), (RIGHT, 5))]
        scene = together([sighting("cam1", tracks)], None, Options())
        assert [person.id for person in scene.people] == [2, 5]
        assert scene.people[0].views[0] is tracks[0].keypoints
