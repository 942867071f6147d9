from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift import cameras, kinematics, overlay, video
from mocaplift.errors import InvalidData, OutputError
from mocaplift.layouts import BODY21, COCO17, CONTACT_POINTS, remap_keypoints
from mocaplift.values import Camera, Capture, Keypoints2D
from tests.clips import NTSC, number_of, numbered, write_clip
from tests.walker import walker

SIZE = (640, 360)  # px
FRAMES = 20
GREY = 90
CAPTION = 20  # px, the strip along the lower border


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures of a grey wall at 29.97."""
    path = tmp_path_factory.mktemp("clips") / "wall.mp4"
    return write_clip(path, [np.full((SIZE[1], SIZE[0], 3), GREY, dtype=np.uint8)] * FRAMES)


def captured(path: Path, *, slow_motion: float = 1.0) -> Capture:
    """Return a person who walks towards the right of the picture, seen without error."""
    clip = video.probe(path, slow_motion=slow_motion)
    walk = walker(clip.frames, float(clip.fps), speed=0.5)
    eye, target = np.array([4.5, 1.0, 0.3]), np.array([0.0, 0.9, 0.3])
    lens = cameras.intrinsics_from_fov(60.0, clip.size)
    camera = Camera("camera", lens, np.zeros(5), cameras.look_at(eye, target), clip.size)
    xy = cameras.project(camera, walk.keypoints.xyz)
    seen = Keypoints2D(xy, np.ones(xy.shape[:2]), BODY21, float(clip.fps), clip.size)
    return Capture([clip], [camera], [seen], walk.keypoints, walk.motion, walk.contacts, {})


def unseen(capture: Capture) -> Capture:
    """Return the capture without any keypoint in the picture."""
    view = capture.views[0]
    nothing = replace(view, xy=np.full_like(view.xy, np.nan), conf=np.zeros_like(view.conf))
    return replace(capture, views=[nothing])


def drawn(capture: Capture, path: Path) -> list[np.ndarray]:
    overlay.draw(capture, path)
    return list(video.frames(video.probe(path)))


def is_marked(image: np.ndarray, xy: Sequence[float], colour: tuple[int, int, int], reach: int = 2) -> bool:
    """Return whether a colour (its hue: 4:2:0 pales thin lines) is found within so many pixels of a place."""
    x, y = (round(float(value)) for value in xy)
    near = (
        image[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        .reshape(-1, 3)
        .astype(float)
    )
    wanted = np.array(colour) - np.mean(colour)
    found = near - near.mean(axis=1, keepdims=True)
    if np.linalg.norm(wanted) < 1:
        return bool((near.min(axis=1) > 170).any())
    strength = found @ wanted / np.linalg.norm(wanted)
    return bool((strength > 0.4 * np.linalg.norm(wanted)).any())


def test_the_solved_skeleton_is_drawn_where_the_camera_sees_it(wall: Path, tmp_path: Path) -> None:
    capture = unseen(captured(wall))
    capture = replace(capture, contacts=np.zeros_like(capture.contacts))
    images = drawn(capture, tmp_path / "out.mp4")
    joints = capture.motion.skeleton.layout
    xyz, _ = kinematics.forward(capture.motion.skeleton, capture.motion.rotations, capture.motion.root)
    xy = cameras.project(capture.cameras[0], xyz)
    for index in (0, 9, 19):
        for side, colour, other in (
            ("left", overlay.LEFT, overlay.RIGHT),
            ("right", overlay.RIGHT, overlay.LEFT),
        ):
            knee, ankle = xy[index, joints.index(f"{side}_knee", f"{side}_ankle")]
            shin = (knee + ankle) / 2
            assert is_marked(images[index], shin, colour), (index, side)
            assert not is_marked(images[index], shin, other, reach=1), (index, side)
        neck, head = xy[index, joints.index("neck", "head")]  # an arm hides the spine from this side
        assert is_marked(images[index], (neck + head) / 2, overlay.MIDDLE)
        far = np.abs(images[index][: -CAPTION - 2, :150].astype(int) - GREY)
        assert far.max() < 12  # nothing where there is nobody


def test_keypoints_are_drawn_where_they_were_seen_and_pale_with_doubt(wall: Path, tmp_path: Path) -> None:
    capture = captured(wall)
    view = capture.views[0]
    left, right, lost = BODY21.at("left_wrist"), BODY21.at("right_wrist"), BODY21.at("nose")
    xy, conf = view.xy.copy(), view.conf.copy()
    xy[:, left], xy[:, right], xy[:, lost] = (100.0, 50.0), (200.0, 50.0), np.nan
    conf[10:, left], conf[15:, right], conf[:, lost] = 0.5, 0.1, 0.0
    images = drawn(replace(capture, views=[replace(view, xy=xy, conf=conf)]), tmp_path / "out.mp4")
    centre = [images[k][49:52, 99:102].reshape(-1, 3).mean(0) for k in (5, 12)]
    assert centre[0] == pytest.approx(overlay.LEFT, abs=30)
    assert centre[1] == pytest.approx((np.array(overlay.LEFT) + 110) / 2, abs=30)
    assert images[5][49:52, 199:202].reshape(-1, 3).mean(0) == pytest.approx(overlay.RIGHT, abs=30)
    doubted = images[17]
    assert doubted[50, 200] == pytest.approx(GREY, abs=25)  # a ring: the wall shows through
    assert np.abs(doubted[50, 195:206].astype(int) - GREY).max() > 10


@pytest.mark.parametrize("layout", [BODY21, COCO17])
def test_planted_feet_are_marked_while_they_are_planted(wall: Path, tmp_path: Path, layout) -> None:
    capture = captured(wall)
    column = CONTACT_POINTS.index("left_heel")
    contacts = np.zeros_like(capture.contacts)
    contacts[5:12, column] = True
    views = [remap_keypoints(capture.views[0], layout)]
    images = drawn(replace(capture, contacts=contacts, views=views), tmp_path / "out.mp4")
    ankle = capture.motion.skeleton.layout.at("left_ankle")
    xyz, _ = kinematics.forward(capture.motion.skeleton, capture.motion.rotations, capture.motion.root)
    solved = cameras.project(capture.cameras[0], xyz[:, ankle])
    places = capture.views[0].xy[:, BODY21.at("left_heel")] if layout is BODY21 else solved
    for index in range(FRAMES):
        marked = is_marked(images[index], places[index], overlay.PLANTED, reach=8)
        assert marked == (5 <= index < 12), index


def test_frame_and_time_are_written_beneath(wall: Path, tmp_path: Path) -> None:
    capture = captured(wall)
    images = drawn(capture, tmp_path / "out.mp4")
    strips = [image[-CAPTION + 2 :, :200].astype(int) for image in images]
    assert all(strip.max() > 180 and np.median(strip) < 45 for strip in strips)
    changes = [np.abs(a - b).max() for a, b in itertools.pairwise(strips)]
    assert min(changes) > 80  # another number in every frame


def test_an_overlay_has_the_videos_frames_and_plays_at_its_speed(wall: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    capture = captured(wall, slow_motion=4)
    assert capture.clips[0].fps == NTSC * 4
    overlay.draw(capture, tmp_path / "out.mp4", progress=lambda done, total: told.append((done, total)))
    made = video.probe(tmp_path / "out.mp4")
    assert (made.fps, made.frames, made.size) == (NTSC, FRAMES, SIZE)
    assert told == [(k, FRAMES) for k in range(1, FRAMES + 1)]


def test_a_video_larger_than_a_screen_is_shrunk_with_its_marks(
    wall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay, "LARGEST_SIDE", 320)
    capture = captured(wall)
    view = capture.views[0]
    xy = view.xy.copy()
    xy[:, BODY21.at("left_wrist")] = (201.0, 101.0)  # between pixels 100 and 101 of half the size
    images = drawn(replace(capture, views=[replace(view, xy=xy)]), tmp_path / "out.mp4")
    assert images[0].shape == (180, 320, 3)
    weight = (images[0].astype(float) @ (1.0, 0.0, -1.0)).clip(60) - 60
    weight = weight[40:62, 90:112]
    spot = [(weight.sum(0) @ np.arange(90, 112)), (weight.sum(1) @ np.arange(40, 62))] / weight.sum()
    assert spot == pytest.approx([100.25, 50.25], abs=0.6)


def test_points_behind_the_camera_or_far_outside_are_left_out(wall: Path, tmp_path: Path) -> None:
    capture = captured(wall)
    close = cameras.look_at(np.array([0.05, 0.9, 0.3]), np.array([-1.0, 0.9, 0.3]))
    near = replace(capture, cameras=[replace(capture.cameras[0], cam_from_world=close)])
    xy = capture.views[0].xy.copy()
    xy[:, BODY21.at("nose")] = (1e9, -1e9)
    near = replace(near, views=[replace(capture.views[0], xy=xy)])
    assert len(drawn(near, tmp_path / "out.mp4")) == FRAMES


def test_a_capture_shorter_than_its_video_ends_the_overlay(wall: Path, tmp_path: Path) -> None:
    capture = captured(wall)
    short = replace(capture, clips=[replace(capture.clips[0], frames=FRAMES + 5)])
    overlay.draw(short, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").frames == FRAMES


@pytest.mark.parametrize(
    ("fps", "start", "shown"),
    [
        (30, 0.0, [*range(10), None, None, None, None]),
        (30, -2 / 30, [None, None, *range(10), None, None]),
        (30, 3 / 30, [*range(3, 10), *[None] * 7]),
        (30, 1.0, [None] * 14),
        (15, 0.0, [0, 2, 4, 6, 8, *[None] * 9]),
        (60, 0.1 - 1 / 240, [3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, None]),
    ],
)
def test_on_the_clock_of_several_cameras_each_shows_its_own_frames(
    tmp_path: Path, fps: int, start: float, shown: list[int | None]
) -> None:
    path = write_clip(tmp_path / "numbers.mp4", [numbered(k) for k in range(10)], fps=30)
    stretch = replace(video.probe(path), fps=Fraction(fps), start=start, frames=len(shown))
    walk = walker(len(shown), float(fps))
    away = cameras.look_at(np.array([0.0, 1.0, 5.0]), np.array([0.0, 1.0, 9.0]))
    camera = Camera("away", cameras.intrinsics_from_fov(60.0, stretch.size), np.zeros(5), away, stretch.size)
    nothing = np.full((len(shown), len(BODY21), 2), np.nan)
    unseen = Keypoints2D(nothing, np.zeros(nothing.shape[:2]), BODY21, float(fps), stretch.size)
    capture = Capture(
        [stretch] * 2, [camera] * 2, [unseen] * 2, walk.keypoints, walk.motion, walk.contacts, {}
    )
    overlay.draw(capture, tmp_path / "out.mp4", view=1)
    made = list(video.frames(video.probe(tmp_path / "out.mp4")))
    assert [None if np.ptp(image[:50].astype(int)) < 20 else number_of(image) for image in made] == shown


def test_odd_pictures_can_be_drawn_on(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "square.mp4",
        [np.full((128, 96, 3), GREY, dtype=np.uint8)] * 5,
        pixel_aspect=Fraction(33, 32),
    )
    capture = captured(path)
    assert capture.clips[0].size == (99, 128)
    overlay.draw(capture, tmp_path / "out.mp4")
    assert video.probe(tmp_path / "out.mp4").size == (100, 128)


def test_mistakes_are_told_and_leave_nothing(wall: Path, tmp_path: Path) -> None:
    capture = captured(wall)
    with pytest.raises(InvalidData, match="no view 1"):
        overlay.draw(capture, tmp_path / "out.mp4", view=1)
    before = wall.read_bytes()
    with pytest.raises(OutputError, match="replace the video"):
        overlay.draw(capture, wall)
    assert wall.read_bytes() == before

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        overlay.draw(capture, tmp_path / "out.mp4", progress=stop)
    assert not list(tmp_path.iterdir())
