"""People across views: walkers whose paths, cameras and trackers' mistakes are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.detect.people import box_of
from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.rotations import about_axis, rotate
from mocaplift.values import Camera, Keypoints2D
from mocaplift.views.people import Person, match_people
from tests.walker import walker

SIZE = (1280, 720)
FPS = 30.0
FRAMES = 120
MIDDLE = np.array([0.0, 0.9, 2.0])
# px, of a person 300 px tall: what a detector is off by.
NOISE = 4.0


def around(*azimuths_deg: float, distance: float = 6.0, height: float = 1.5) -> list[Camera]:
    """Return cameras on a circle about the middle of the walks; 0 is ahead of those who walk along +Z."""
    made = []
    for number, azimuth in enumerate(np.radians(azimuths_deg), start=1):
        eye = MIDDLE + np.array([distance * np.sin(azimuth), height - MIDDLE[1], distance * np.cos(azimuth)])
        made.append(
            Camera(f"cam{number}", intrinsics_from_fov(65.0, SIZE), np.zeros(5), look_at(eye, MIDDLE), SIZE)
        )
    return made


def person(
    x: float,
    z: float = 0.0,
    *,
    heading_deg: float = 0.0,
    speed: float = 1.0,
    tall: float = 1.0,
    late: int = 0,
):
    """Return a walker's points [T 21 3], who starts at (x, z); `late` frames of another phase of the step."""
    xyz = walker(FRAMES + late, FPS, speed=speed).keypoints.xyz[late:]
    xyz = xyz - [0.0, 0.0, xyz[0, :, 2].mean()]
    turn = np.broadcast_to(about_axis("Y", np.radians(heading_deg)), (*xyz.shape[:2], 4))
    return rotate(turn, xyz * tall) + np.array([x, 0.0, z])


def seen(xyz: np.ndarray, camera: Camera, seed: int = 0, frames: range = range(FRAMES)) -> Keypoints2D:
    """Return what a detector sees of a person in some of the frames."""
    rng = np.random.default_rng(
        [seed, int(abs(xyz[0, 0, 0]) * 1000), int(camera.cam_from_world[0, 0] * 1e6) % 997]
    )
    xy = project(camera, xyz) + rng.normal(0, NOISE, (*xyz.shape[:2], 2))
    conf = np.full(xy.shape[:2], 0.6)
    there = np.isin(np.arange(len(xy)), frames)[:, None] & np.isfinite(xy).all(-1)
    conf[~there], xy[~there] = 0.0, np.nan
    return Keypoints2D(xy, conf, BODY21, FPS, SIZE)


def track(view: Keypoints2D, number: int = 1) -> Track:
    boxes = np.array([box_of(xy, conf) for xy, conf in zip(view.xy, view.conf, strict=True)])
    return Track(number, view, boxes)


def spliced(first: Keypoints2D, then: Keypoints2D, at: int) -> Keypoints2D:
    """Return a view that goes on with somebody else from a frame on."""
    return replace(
        first,
        xy=np.concatenate([first.xy[:at], then.xy[at:]]),
        conf=np.concatenate([first.conf[:at], then.conf[at:]]),
    )


def tracks_of(people: Sequence[np.ndarray], cameras: Sequence[Camera]) -> list[list[Track]]:
    """Return perfect tracks of everybody, in another order in every view."""
    made = []
    for number, camera in enumerate(cameras):
        order = np.roll(np.arange(len(people)), number)
        made.append(
            [track(seen(people[who], camera, seed=number), place + 1) for place, who in enumerate(order)]
        )
    return made


def who(found: Person, people: Sequence[np.ndarray], cameras: Sequence[Camera]) -> list[list[int]]:
    """Return for every camera who is shown in each frame: the place in `people`, -1 for nobody."""
    shown = []
    for view, camera in zip(found.views, cameras, strict=True):
        apart = np.array(
            [np.linalg.norm(project(camera, xyz) - view.xy, axis=-1).mean(axis=1) for xyz in people]
        )
        here = (view.conf > 0).any(axis=1)
        shown.append([int(apart[:, t].argmin()) if here[t] else -1 for t in range(len(view.xy))])
    return shown


def check_everybody_whole(
    found: Sequence[Person], people: Sequence[np.ndarray], cameras: Sequence[Camera], slack: int = 0
):
    """Check that each person is one of the people in all views and frames, but for `slack` frames of a view."""
    assert len(found) == len(people)
    taken = []
    for each in found:
        shown = np.array(who(each, people, cameras))
        main = int(np.bincount(shown[shown >= 0]).argmax())
        taken.append(main)
        assert ((shown != main).sum(axis=1) <= slack).all(), (shown != main).sum(axis=1)
    assert sorted(taken) == list(range(len(people)))


LEFT, RIGHT = person(-0.6), person(0.6, 0.5, heading_deg=30.0, late=9)
CROSSING = [person(-1.0, heading_deg=27.0), person(1.0, heading_deg=-27.0, late=10)]
THREE = [person(-1.2), person(0.0, 1.0, tall=0.92), person(1.2, 0.3, tall=1.06, late=7)]
RIGS = {
    "a right angle": (45, -45),
    "facing": (90, -90),
    "ahead and behind": (0, 180),
    "near each other": (15, -15),
    "three": (0, 120, 240),
    "four": (45, 135, 225, 315),
}


class TestWhole:
    @pytest.mark.parametrize("rig", RIGS.values(), ids=RIGS)
    @pytest.mark.parametrize("people", [[LEFT, RIGHT], CROSSING, THREE], ids=["two", "crossing", "three"])
    def test_everybody_is_found_in_every_view(self, people, rig) -> None:
        cameras = around(*rig)
        found = match_people(tracks_of(people, cameras), cameras)
        check_everybody_whole(found, people, cameras)
        assert [each.id for each in found] == list(range(1, len(people) + 1))

    @pytest.mark.parametrize("unit", [1000.0, 100.0, 39.37, 0.01])
    def test_the_unit_is_read_off_the_people(self, unit: float) -> None:
        """A calibration in millimetres, centimetres, inches; or one whose checkerboard squares were called 1."""
        cameras = around(45, -45)
        scaled = []
        for camera in cameras:
            pose = camera.cam_from_world.copy()
            pose[:3, 3] *= unit
            scaled.append(replace(camera, cam_from_world=pose))
        found = match_people(tracks_of([LEFT, RIGHT], cameras), scaled)
        check_everybody_whole(found, [LEFT, RIGHT], cameras)

    def test_children_are_people(self) -> None:
        cameras = around(30, -60, 180)
        small = [person(-0.5, tall=0.65), person(0.7, 0.4, tall=0.7, late=8)]
        check_everybody_whole(match_people(tracks_of(small, cameras), cameras), small, cameras)

    def test_best_seen_comes_first(self) -> None:
        cameras = around(45, -45, 180)
        tracks = tracks_of([LEFT, RIGHT], cameras)
        tracks[2] = [track(seen(RIGHT, cameras[2]))]
        first, second = match_people(tracks, cameras)
        assert set(who(first, [LEFT, RIGHT], cameras)[0]) == {1}
        assert first.sightings.all() and second.sightings.sum(axis=1).tolist() == [FRAMES, FRAMES, 0]
        assert first.described().startswith("id:1 (120 frames, 0.0 to 4.0 s, ")
        assert second.described().endswith(" px, by 2 of 3 cameras)")


class TestBystanders:
    def test_who_is_seen_in_one_view_only_does_not_enter(self) -> None:
        cameras = around(45, -45, 135)
        far = person(-2.5, -1.0, speed=0.0)
        tracks = [[track(seen(LEFT, camera), 1)] for camera in cameras]
        tracks[0].append(track(seen(far, cameras[0]), 2))
        found = match_people(tracks, cameras)
        check_everybody_whole(found, [LEFT], cameras)

    def test_not_even_where_the_person_is_out_of_sight(self) -> None:
        """One camera sees only the bystander, two see the person."""
        cameras = around(45, -45, 135)
        far = person(-2.0, -1.0, speed=0.2)
        tracks = [
            [track(seen(each, camera))] for each, camera in zip((LEFT, LEFT, far), cameras, strict=True)
        ]
        (found,) = match_people(tracks, cameras)
        assert found.sightings.all(axis=1).tolist() == [True, True, False]
        assert np.isnan(found.views[2].xy).all() and found.views[2].size == SIZE

    def test_a_camera_that_sees_nobody_is_no_hindrance(self) -> None:
        cameras = around(45, -45, 135)
        tracks = tracks_of([LEFT, RIGHT], cameras)
        found = match_people([*tracks[:2], []], cameras)
        assert [each.sightings.all(axis=1).tolist() for each in found] == [[True, True, False]] * 2
        check_everybody_whole(
            [replace(each, views=each.views[:2]) for each in found], [LEFT, RIGHT], cameras[:2]
        )

    def test_where_nothing_meets_every_track_is_a_person(self) -> None:
        cameras = around(45, -45)
        alone = match_people([tracks_of([LEFT, RIGHT], cameras)[0], []], cameras)
        assert len(alone) == 2 and all(each.sightings.any(axis=1).tolist() == [True, False] for each in alone)
        behind = [track(seen(person(-2.5, 0.5, speed=0.0), cameras[1]))]
        assert len(match_people([[track(seen(LEFT, cameras[0]))], behind], cameras)) == 2
        assert match_people([[], []], cameras) == []

    def test_one_view_keeps_its_tracks(self) -> None:
        cameras = around(45)
        view = seen(LEFT, cameras[0])
        (found,) = match_people([[track(view, 7)]], cameras)
        assert found.id == 7 and found.views[0] is view


class TestTracks:
    @pytest.mark.parametrize("rig", [(45, -45), (90, -90), (0, 120, 240)])
    def test_broken_tracks_are_joined(self, rig) -> None:
        """Everybody's track breaks in every view, somewhere else, with a third of a second lost."""
        cameras = around(*rig)
        people = [LEFT, RIGHT]
        tracks = []
        for number, camera in enumerate(cameras):
            parts = []
            for place, xyz in enumerate(people):
                end = 25 + 30 * number + 10 * place
                parts += [
                    seen(xyz, camera, frames=range(end)),
                    seen(xyz, camera, frames=range(end + 10, FRAMES)),
                ]
            tracks.append([track(view, place) for place, view in enumerate(parts, start=1)])
        found = match_people(tracks, cameras)
        check_everybody_whole(found, people, cameras, slack=10)

    def test_who_leaves_and_comes_back_is_the_same(self) -> None:
        cameras = around(45, -45)
        back = [track(seen(LEFT, cameras[0], frames=range(40)), 1),
                track(seen(LEFT, cameras[0], frames=range(90, FRAMES)), 2)]  # fmt: skip
        (found,) = match_people([back, [track(seen(LEFT, cameras[1]))]], cameras)
        assert found.sightings.sum(axis=1).tolist() == [70, FRAMES]

    @pytest.mark.parametrize("rig", [(90, 0), (90, 30, 240), (90, 0, 180, 270)])
    def test_an_exchange_of_two_people_is_undone(self, rig) -> None:
        """Two pass each other; the first camera, from the side, follows the other one from there."""
        cameras, people = around(*rig), [person(-0.7), person(0.7, 4.0, heading_deg=180.0)]
        tracks = tracks_of(people, cameras)
        one, two = (each.keypoints for each in tracks[0])
        tracks[0] = [track(spliced(one, two, 62), 1), track(spliced(two, one, 62), 2)]
        check_everybody_whole(match_people(tracks, cameras), people, cameras, slack=6)

    def test_exchanges_in_two_views_are_undone(self) -> None:
        cameras = around(45, -45, 180)
        tracks = tracks_of(CROSSING, cameras)
        for view, at in ((0, 55), (1, 75)):
            one, two = (each.keypoints for each in tracks[view])
            tracks[view] = [track(spliced(one, two, at), 1), track(spliced(two, one, at), 2)]
        check_everybody_whole(match_people(tracks, cameras), CROSSING, cameras, slack=6)

    def test_a_jump_to_a_bystander_is_cut_off(self) -> None:
        """One view follows the person, then somebody whom no other camera shows."""
        cameras = around(45, -45, 135)
        far = person(-2.0, -1.0, speed=0.2)
        tracks = [[track(seen(LEFT, camera))] for camera in cameras]
        tracks[2] = [track(spliced(tracks[2][0].keypoints, seen(far, cameras[2]), 60))]
        (found,) = match_people(tracks, cameras)
        assert found.sightings.sum(axis=1) == pytest.approx([FRAMES, FRAMES, 60], abs=5)

    def test_one_camera_shows_a_person_once_at_a_time(self) -> None:
        """A second reading of the same person in one view is nobody."""
        cameras = around(45, -45)
        twice = [track(seen(LEFT, cameras[0], seed=1), 1), track(seen(LEFT, cameras[0], seed=2), 2)]
        (found,) = match_people([twice, [track(seen(LEFT, cameras[1]))]], cameras)
        assert found.sightings.all()


class TestPerson:
    def test_landmarks_go_with_the_view(self) -> None:
        cameras = around(45, -45)
        view = seen(LEFT, cameras[0])
        told = replace(view, landmarks=np.full((FRAMES, len(BODY21), 3), 0.25))
        (found,) = match_people([[track(told)], [track(seen(LEFT, cameras[1]))]], cameras)
        assert found.views[1].landmarks is None
        np.testing.assert_array_equal(found.views[0].landmarks, told.landmarks)

    def test_size_and_place_in_the_pictures(self) -> None:
        def box(left: float, top: float, right: float, bottom: float) -> Keypoints2D:
            xy, conf = np.full((2, 21, 2), np.nan), np.zeros((2, 21))
            xy[0, :2], conf[0, :2] = [[left, top], [right, bottom]], 0.9
            return Keypoints2D(xy, conf, BODY21, FPS, (101, 101))

        found = Person(
            1,
            (
                box(50, 50, 80, 90),
                box(20, 30, 26, 38),
                replace(box(0, 0, 1, 1), xy=np.full((2, 21, 2), np.nan), conf=np.zeros((2, 21))),
            ),
        )
        assert found.size == pytest.approx(50 + 10)
        # Middles (65, 70) and (23, 34) are 25 and 31.38 from (50, 50).
        assert found.off_center == pytest.approx((25 + np.hypot(27, 16)) / 2)
        assert found.is_seen.tolist() == [True, False]

    def test_what_does_not_fit_together_is_refused(self) -> None:
        cameras = around(45, -45)
        with pytest.raises(InvalidData, match="2 cameras were given for the tracks of 1 views"):
            match_people([[]], cameras)
        short = seen(LEFT, cameras[0])
        short = replace(short, xy=short.xy[:50], conf=short.conf[:50])
        with pytest.raises(InvalidData, match="not on one clock"):
            match_people([[track(short)], [track(seen(LEFT, cameras[1]))]], cameras)
