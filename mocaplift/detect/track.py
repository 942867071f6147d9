"""Who is who over time: tracks with stable numbers, from the people found in each picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from mocaplift.detect.people import Person, box_of, distance, overlap, size_of
from mocaplift.errors import ConfigError, NoPersonFound
from mocaplift.layouts import BODY21, remap
from mocaplift.values import Keypoints2D, Layout

# A person hidden for longer than this comes back as somebody else (s).
BRIDGE = 1.5
# Tracks seen for less than this are ghosts (s), or less than this share of the clip where that is shorter.
GHOST, GHOST_SHARE = 0.3, 0.3
# Mean confidence of shoulders and hips below which a whole track is a ghost (reference scale: off by 7 cm).
GHOST_CONFIDENCE = 0.04
# How far a body may be from where it was expected, in shares of its size (its box's diagonal): at once, and more
# for every second unseen, up to a bound. Expected is where the body was heading; a jump off a wall turns that
# round within a few frames, at 3 body sizes a second.
REACH, REACH_PER_SECOND, FARTHEST_REACH = 0.25, 3.0, 1.5
# Velocity is the slope over this time (s), and is trusted for as long after a person vanished.
VELOCITY_SPAN = 0.2
# Two readings whose boxes' diagonals differ by more than this factor are of two people, or of one and a half;
# more for every second unseen, up to a bound: somebody curls up for a somersault in 0.2 s.
RESIZE, RESIZE_PER_SECOND, LARGEST_RESIZE = 2.2, 10.0, 4.5
# Weight of box overlap beside joint distance in the cost of an assignment.
OVERLAP_WEIGHT = 0.3
# A track that starts within this time (s) of another's end, elsewhere, is a jump of the detector.
JUMP_TIME = 0.1
# A track shown in the picture's middle for less than this share of the longest is not who was filmed.
CENTER_SHARE = 0.25
NOBODY = "nobody was found in the video for long enough to capture; is a whole person in the picture?"
TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True, eq=False)
class Track:
    """One person over the whole clip, in body21; frames without them are missing.

    `boxes` are left, top, right, bottom (px), NaN where unseen.
    """

    id: int
    keypoints: Keypoints2D
    boxes: Float[np.ndarray, "T 4"]

    @property
    def is_seen(self) -> Bool[np.ndarray, "T"]:
        """In which frames the person was found."""
        return np.asarray((self.keypoints.conf > 0).any(axis=1))

    @property
    def size(self) -> float:
        """Median diagonal of the person's box (px)."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return float(np.nanmedian(np.hypot(sides[:, 0], sides[:, 1])))

    @property
    def off_center(self) -> float:
        """Median distance (px) of the person's box from the middle of the picture."""
        width, height = self.keypoints.size
        middles = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2 - (np.array([width, height]) - 1) / 2
        return float(np.nanmedian(np.hypot(middles[:, 0], middles[:, 1])))

    def described(self) -> str:
        """Return one line that tells the person from others: number, frames, seconds, size."""
        seen = np.flatnonzero(self.is_seen)
        start, end = seen[0] / self.keypoints.fps, (seen[-1] + 1) / self.keypoints.fps
        return f"id:{self.id} ({len(seen)} frames, {start:.1f} to {end:.1f} s, {self.size:.0f} px)"


@runtime_checkable
class Shown(Protocol):
    """A person whom `choose` can choose: a track of one camera, or somebody whom several cameras see."""

    @property
    def id(self) -> int:
        """Their number."""

    @property
    def is_seen(self) -> Bool[np.ndarray, "T"]:
        """In which frames they were found."""

    @property
    def size(self) -> float:
        """How large they are in the picture (px)."""

    @property
    def off_center(self) -> float:
        """How far they are from its middle (px)."""

    def described(self) -> str:
        """Return one line that tells them from others."""


SomeoneShown = TypeVar("SomeoneShown", bound=Shown)


@dataclass(eq=False)
class _Path:
    """A track while it grows."""

    frames: list[int] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    boxes: list[Float[np.ndarray, "4"]] = field(default_factory=list)

    def add(self, frame: int, person: Person) -> None:
        self.frames.append(frame)
        self.people.append(person)
        self.boxes.append(box_of(person.xy, person.conf))

    def middle(self, place: int) -> Float[np.ndarray, "2"]:
        box = self.boxes[place]
        return (box[:2] + box[2:]) / 2

    def expected(self, frame: int, span: int) -> Person:
        """Return the last reading moved to where it was heading, for no longer than `span` frames."""
        last = self.people[-1]
        back = next(k for k in range(len(self.frames)) if self.frames[-1] - self.frames[k] <= span)
        passed = self.frames[-1] - self.frames[back]
        if not passed:
            return last
        velocity = (self.middle(-1) - self.middle(back)) / passed
        return last._replace(xy=last.xy + velocity * min(frame - self.frames[-1], span))


class Tracker:
    """Puts the people of one picture after the other into tracks."""

    def __init__(self, layout: Layout, fps: float) -> None:
        self._layout = layout
        self._fps = fps
        self._span = max(1, round(VELOCITY_SPAN * float(fps)))
        self._frame = 0
        self._live: list[_Path] = []
        self._ended: list[_Path] = []
        self.ghosts = 0

    def add(self, people: Sequence[Person]) -> None:
        """Take the people of the next picture."""
        people = [person for person in people if (person.conf > 0).any()]
        live = [path for path in self._live if self._frame - path.frames[-1] <= BRIDGE * self._fps]
        self._ended += [path for path in self._live if path not in live]
        cost = np.array([[self._cost(path, person) for person in people] for path in live])
        taken: set[int] = set()
        if cost.size:
            # Anything allowed is better than anything forbidden, so that a forbidden pair is only ever left over.
            rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
            for row, column in zip(rows, columns, strict=True):
                if np.isfinite(cost[row, column]):
                    live[row].add(self._frame, people[column])
                    taken.add(int(column))
        for place, person in enumerate(people):
            if place not in taken:
                path = _Path()
                path.add(self._frame, person)
                live.append(path)
        self._live = live
        self._frame += 1

    def _cost(self, path: _Path, person: Person) -> float:
        """Return how unlike a person is to how a track would go on; infinite where it cannot be the same."""
        expected = path.expected(self._frame, self._span)
        box, old = box_of(person.xy, person.conf), box_of(expected.xy, expected.conf)
        size, old_size = size_of(person.xy, person.conf), size_of(expected.xy, expected.conf)
        larger, smaller = max(size, old_size), min(size, old_size)
        unseen = (self._frame - path.frames[-1] - 1) / self._fps
        resize = min(RESIZE + RESIZE_PER_SECOND * unseen, LARGEST_RESIZE)
        if not smaller > 0 or larger / smaller > resize:
            return np.inf
        moved = float(np.hypot(*((box[:2] + box[2:] - old[:2] - old[2:]) / 2)))
        if moved > min(REACH + REACH_PER_SECOND * unseen, FARTHEST_REACH) * larger:
            return np.inf
        return distance(expected, person, larger) + OVERLAP_WEIGHT * (1 - overlap(box, old)) + 0.1 * unseen

    def jumps(self) -> int:
        """Return how often somebody vanished while somebody else appeared elsewhere: the detector jumped."""
        paths = self._ended + self._live
        near = JUMP_TIME * self._fps + 1
        ends = [path.frames[-1] for path in paths if path.frames[-1] < self._frame - 1]
        starts = [path.frames[0] for path in paths if path.frames[0] > 0]
        return sum(any(0 < start - end <= near for end in ends) for start in starts)

    def tracks(self, size: tuple[int, int]) -> tuple[Track, ...]:
        """Return the tracks so far, numbered from 1 in order of appearance, larger first; ghosts are dropped.

        Args:
            size: width and height of the picture (px).
        """
        least = min(GHOST * self._fps, GHOST_SHARE * self._frame)
        kept = []
        for path in self._ended + self._live:
            joints = self._layout.index(*TORSO)
            sure = np.mean([person.conf[joints].mean() for person in path.people])
            if len(path.frames) >= least and sure >= GHOST_CONFIDENCE:
                kept.append(path)
        self.ghosts = len(self._ended) + len(self._live) - len(kept)
        kept.sort(key=lambda path: (path.frames[0], -size_of(path.people[0].xy, path.people[0].conf)))
        return tuple(self._track(number, path, size) for number, path in enumerate(kept, start=1))

    def _track(self, number: int, path: _Path, size: tuple[int, int]) -> Track:
        joints = len(self._layout)
        xy, conf = np.full((self._frame, joints, 2), np.nan), np.zeros((self._frame, joints))
        boxes = np.full((self._frame, 4), np.nan)
        xy[path.frames] = [person.xy for person in path.people]
        conf[path.frames] = [person.conf for person in path.people]
        boxes[path.frames] = path.boxes
        landmarks = None
        if any(person.landmarks is not None for person in path.people):
            nothing = np.full((joints, 3), np.nan)
            landmarks = np.full((self._frame, joints, 3), np.nan)
            landmarks[path.frames] = [
                nothing if person.landmarks is None else person.landmarks for person in path.people
            ]
            landmarks = remap(landmarks, self._layout, BODY21)
        conf = np.nan_to_num(remap(conf[..., None], self._layout, BODY21)[..., 0])
        keypoints = Keypoints2D(
            remap(xy, self._layout, BODY21), conf, BODY21, self._fps, size, landmarks=landmarks
        )
        return Track(number, keypoints, boxes)


def choose(tracks: Sequence[SomeoneShown], policy: str) -> list[SomeoneShown]:
    """Return the people to capture: one, or all of them.

    Args:
        tracks: everybody in the clip, or in the clips of several cameras.
        policy: `largest` (most picture over the whole clip), `longest` (most frames), `center` (nearest to the
            middle of the picture), `first` (seen earliest, the larger of several), `id:N`, or `all`.

    Raises:
        NoPersonFound: there are no tracks.
        ConfigError: no such policy, or no person of that number; the message lists those there are.
    """
    if not tracks:
        raise NoPersonFound(NOBODY)
    if policy == "all":
        return list(tracks)
    number = policy.removeprefix("id:")
    if number != policy and number.isdigit():
        chosen = [track for track in tracks if track.id == int(number)]
        if not chosen:
            known = ", ".join(track.described() for track in tracks)
            raise ConfigError(f"there is no person {policy} in the video; there is {known}")
        return chosen
    ranks: dict[str, Callable[[SomeoneShown], Any]] = {
        "largest": lambda track: track.size * track.is_seen.sum(),
        "longest": lambda track: track.is_seen.sum(),
        "center": lambda track: -_off_center(track, tracks),
        "first": lambda track: (-np.flatnonzero(track.is_seen)[0], track.size),
    }
    if policy not in ranks:
        known = ", ".join(track.described() for track in tracks)
        raise ConfigError(
            f"a person is chosen by {', '.join(ranks)}, all or id:N, but not by {policy!r}; there is {known}"
        )
    return [max(tracks, key=ranks[policy])]


def _off_center(track: Shown, tracks: Sequence[Shown]) -> float:
    """Return how far a person is from the middle of the picture (px), infinite for passers-by."""
    if track.is_seen.sum() < CENTER_SHARE * max(other.is_seen.sum() for other in tracks):
        return np.inf
    return track.off_center
