"""Tracks: one number for one person over crossings and gaps, none for ghosts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mocaplift.detect.people import Person, box_of, distance, is_same, overlap, size_of
from mocaplift.detect.track import BRIDGE, GHOST, Track, Tracker, choose
from mocaplift.errors import ConfigError, NoPersonFound
from mocaplift.layouts import BODY21, COCO17
from tests.detect.test_turned import standing

SIZE = (640, 480)
FPS = 30.0
Path = Callable[[int], tuple[float, float] | None]


def body(at: tuple[float, float], scale: float = 1.0, conf: float = 0.5) -> Person:
    person = standing(at=(0.0, 0.0), conf=conf)
    return person._replace(xy=person.xy * scale + at)


def tracked(paths: list[Path], frames: int, *, scale: tuple[float, ...] = (), noise: float = 1.5) -> Tracker:
    """Return a tracker that saw people on these paths, named in another order in every frame."""
    rng = np.random.default_rng(4)
    tracker = Tracker(BODY21, FPS)
    for frame in range(frames):
        people = []
        for number, path in enumerate(paths):
            at = path(frame)
            if at is not None:
                person = body(at, scale[number] if scale else 1.0)
                people.append(person._replace(xy=person.xy + rng.normal(0, noise, person.xy.shape)))
        order = rng.permutation(len(people))
        tracker.add([people[k] for k in order])
    return tracker


def check_follows(track: Track, path: Path, frames: range, tolerance: float = 12.0) -> None:
    hips = track.keypoints.xy[:, BODY21.index("left_hip", "right_hip")].mean(axis=1)
    for frame in frames:
        at = path(frame)
        if at is not None:
            assert np.abs(hips[frame] - at).max() < tolerance, frame


def test_one_person_is_one_track_with_everything_in_place() -> None:
    path: Path = lambda t: (100 + 5 * t, 200)  # noqa: E731
    (track,) = tracked([path], 40).tracks(SIZE)
    assert track.id == 1
    assert track.is_seen.all()
    assert track.keypoints.layout is BODY21
    assert (track.keypoints.fps, track.keypoints.size) == (FPS, SIZE)
    check_follows(track, path, range(40), 4)
    assert track.size == pytest.approx(size_of(body((0, 0)).xy, body((0, 0)).conf), rel=0.05)


def test_people_who_cross_keep_their_numbers() -> None:
    left: Path = lambda t: (100 + 8 * t, 200)  # noqa: E731
    right: Path = lambda t: (500 - 8 * t, 215)  # noqa: E731
    first, second = tracked([left, right], 50).tracks(SIZE)
    ours, theirs = (left, right) if first.boxes[0, 0] < 300 else (right, left)
    check_follows(first, ours, range(50))
    check_follows(second, theirs, range(50))


def test_one_of_two_hidden_while_they_cross_comes_back_as_himself() -> None:
    front: Path = lambda t: (100 + 8 * t, 200)  # noqa: E731
    behind: Path = lambda t: None if 18 <= t < 32 else (500 - 8 * t, 205)  # noqa: E731
    tracks = tracked([front, behind], 50).tracks(SIZE)
    assert len(tracks) == 2
    mine = min(tracks, key=lambda track: track.boxes[0, 0])
    other = max(tracks, key=lambda track: track.boxes[0, 0])
    check_follows(mine, front, range(50))
    check_follows(other, behind, range(50))
    assert other.is_seen.sum() == 36


def test_a_gap_is_bridged_up_to_the_stated_time() -> None:
    frames = int(BRIDGE * FPS)
    short: Path = lambda t: None if 20 <= t < 20 + frames - 5 else (300, 200)  # noqa: E731
    long: Path = lambda t: None if 20 <= t < 20 + frames + 5 else (300, 200)  # noqa: E731
    assert len(tracked([short], 120).tracks(SIZE)) == 1
    assert len(tracked([long], 120).tracks(SIZE)) == 2


def test_a_gap_is_missing_in_the_keypoints() -> None:
    path: Path = lambda t: None if 10 <= t < 15 else (300, 200)  # noqa: E731
    (track,) = tracked([path], 30).tracks(SIZE)
    assert np.array_equal(np.flatnonzero(~track.is_seen), range(10, 15))
    assert np.isnan(track.keypoints.xy[10:15]).all()
    assert np.isnan(track.boxes[10:15]).all()


def test_a_jump_to_a_bystander_is_another_track_and_counted() -> None:
    path: Path = lambda t: (150, 200) if t < 30 else (480, 260)  # noqa: E731
    tracker = tracked([path], 60)
    assert [track.is_seen.sum() for track in tracker.tracks(SIZE)] == [30, 30]
    assert tracker.jumps() == 1


def test_somebody_who_walks_in_is_no_jump() -> None:
    stays: Path = lambda t: (150, 200)  # noqa: E731
    comes: Path = lambda t: (480, 260) if t > 30 else None  # noqa: E731
    assert tracked([stays, comes], 60).jumps() == 0


def test_ghosts_are_dropped_and_counted() -> None:
    stays: Path = lambda t: (150, 200)  # noqa: E731
    ghost: Path = lambda t: (480, 260) if 20 <= t < 20 + int(GHOST * FPS) - 2 else None  # noqa: E731
    tracker = tracked([stays, ghost], 60)
    assert len(tracker.tracks(SIZE)) == 1
    assert tracker.ghosts == 1


def test_short_clips_keep_their_people() -> None:
    stays: Path = lambda t: (150, 200)  # noqa: E731
    assert len(tracked([stays], 2).tracks(SIZE)) == 1


def test_bushes_are_ghosts_however_long_they_stand() -> None:
    tracker = Tracker(BODY21, FPS)
    for _ in range(60):
        tracker.add([body((150, 200), conf=0.02)])
    assert tracker.tracks(SIZE) == ()


def test_nobody_is_no_track() -> None:
    tracker = Tracker(BODY21, FPS)
    for _ in range(5):
        tracker.add([])
    assert tracker.tracks(SIZE) == ()
    with pytest.raises(NoPersonFound, match="nobody"):
        choose((), "largest")


def test_a_fall_and_a_curl_do_not_break_a_track() -> None:
    """A somersault off a wall: the box shrinks to a third and the body drops 2 sizes in half a second."""
    tracker = Tracker(BODY21, FPS)
    for frame in range(60):
        fall = np.clip((frame - 25) / 15, 0, 1)
        scale = 1 - 0.6 * np.sin(np.pi * fall)
        tracker.add([] if 30 <= frame < 34 else [body((200 + 120 * fall, 120 + 230 * fall**2), scale)])
    (track,) = tracker.tracks(SIZE)
    assert track.is_seen.sum() == 56


def test_other_layouts_are_read_into_body21() -> None:
    tracker = Tracker(COCO17, FPS)
    for _ in range(20):
        tracker.add([Person(body((200, 200)).xy[: len(COCO17)], np.full(len(COCO17), 0.5))])
    (track,) = tracker.tracks(SIZE)
    feet = BODY21.index("left_big_toe", "right_heel")
    assert (track.keypoints.conf[:, feet] == 0).all()
    assert (track.keypoints.conf[:, BODY21.at("nose")] == 0.5).all()


def test_landmarks_are_kept_where_they_were_seen() -> None:
    tracker = Tracker(BODY21, FPS)
    for frame in range(20):
        landmarks = np.full((len(BODY21), 3), float(frame))
        tracker.add([] if frame == 7 else [body((200, 200))._replace(landmarks=landmarks)])
    (track,) = tracker.tracks(SIZE)
    assert track.keypoints.landmarks is not None
    assert (track.keypoints.landmarks[12] == 12).all()
    assert np.isnan(track.keypoints.landmarks[7]).all()


class TestChoose:
    @pytest.fixture(scope="class")
    def tracks(self) -> tuple[Track, ...]:
        """1 is there from the start, small, in a corner; 2 is large and comes late; 3 is briefly in the middle."""
        return tracked(
            [
                lambda t: (80, 120),
                lambda t: (520, 240) if t > 20 else None,
                lambda t: (320, 240) if 30 < t < 70 else None,
            ],
            100,
            scale=(0.5, 1.6, 0.9),
        ).tracks(SIZE)

    @pytest.mark.parametrize(
        ("policy", "ids"),
        [
            ("first", [1]),
            ("longest", [1]),
            ("largest", [2]),
            ("center", [3]),
            ("id:2", [2]),
            ("all", [1, 2, 3]),
        ],
    )
    def test_policies(self, tracks: tuple[Track, ...], policy: str, ids: list[int]) -> None:
        assert [track.id for track in choose(tracks, policy)] == ids

    def test_an_absent_number_lists_those_there_are(self, tracks: tuple[Track, ...]) -> None:
        with pytest.raises(ConfigError, match=r"id:7 .*id:1 \(100 frames, 0\.0 to 3\.3 s, .* px\), id:2"):
            choose(tracks, "id:7")

    def test_an_unknown_policy_lists_the_policies(self, tracks: tuple[Track, ...]) -> None:
        with pytest.raises(ConfigError, match="largest, longest, center, first, all or id:N"):
            choose(tracks, "tallest")


def test_boxes_by_hand() -> None:
    xy = np.array([[1.0, 2.0], [5.0, 10.0], [900.0, 900.0], [np.nan, np.nan]])
    conf = np.array([0.5, 0.5, 0.01, 0.0])
    assert np.array_equal(box_of(xy, conf), [1, 2, 5, 10])
    assert size_of(xy, conf) == pytest.approx(np.hypot(4, 8))
    assert np.isnan(box_of(xy, np.zeros(4))).all()


def test_overlap_by_hand() -> None:
    a, b = np.array([0.0, 0, 10, 10]), np.array([5.0, 0, 15, 10])
    assert overlap(a, b) == pytest.approx(50 / 150)
    assert overlap(a, a) == 1
    assert overlap(a, b + 100) == 0
    assert overlap(a, np.full(4, np.nan)) == 0


def test_distance_by_hand() -> None:
    a = body((100, 100))
    assert distance(a, a, 200) == 0
    # 20 px are a tenth of the size, which is a fifth of where distances stop counting.
    assert distance(a, a._replace(xy=a.xy + np.array([20, 0])), 200) == pytest.approx(0.2)
    assert distance(a, a._replace(xy=a.xy + 1000), 200) == 1
    assert is_same(a, a._replace(xy=a.xy + 3))
    assert not is_same(a, a._replace(xy=a.xy + np.array([150, 0])))
