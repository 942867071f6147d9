"""Who is who across calibrated views: tracks of several cameras put together into people, by geometry and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.detect.people import LEAST_CONFIDENCE
from mocaplift.detect.track import Track
from mocaplift.errors import InvalidData
from mocaplift.values import Camera, Keypoints2D
from mocaplift.views.grouping import divide
from mocaplift.views.meeting import Sight, gap, sight, unit_of

# Lines of two views that pass one body nearer than this (m) speak for one person, farther ones against it. Right
# pairs have 4 to 7 cm (the four-camera sample), more with a poor calibration; wrong ones have 9 cm and more.
SAME_BODY = 0.2
# Once it is known how near right pairs come in this take, a pair must be nearer than this many times that.
USUAL_SPREAD = 1.7
# What a second says for two tracks being one person: 1 where the lines meet, 0 at that distance, and no less than
# this, wherever they pass.
MOST_AGAINST = -1.5
# What a change of mind costs (s): a wrong pair that looks better for less than half a second is no exchange.
CHANGE_COST = 0.2
# What speaks for two pieces of one track being one person (s): half a second of views that agree.
SAME_TRACK = 0.15
# As many times more where nobody else is within this share of the person's size: a tracker exchanges those who
# meet in the picture.
ALONE, REACH = 4.0, 0.7
# Cuts nearer to each other than this (s) are one, and pieces shorter than this are none.
SHORTEST_PIECE = 0.25
# Two views must see a person together for this long (s), or what they saw was nobody.
LEAST_TOGETHER = 0.3


@dataclass(frozen=True, eq=False)
class Person:
    """One person as the cameras saw them: a view for each camera, confidence 0 where it does not see them."""

    id: int
    views: tuple[Keypoints2D, ...]

    @property
    def sightings(self) -> Bool[np.ndarray, "V T"]:
        """In which frames each camera sees them."""
        return np.array([(view.conf > 0).any(axis=1) for view in self.views])

    @property
    def is_seen(self) -> Bool[np.ndarray, "T"]:
        """In which frames any camera sees them."""
        return np.asarray(self.sightings.any(axis=0))

    @property
    def size(self) -> float:
        """Median diagonal of their box (px), of the cameras added up: whom most cameras show large is largest."""
        sizes = [np.hypot(*(box[:, 2:] - box[:, :2]).T) for box in map(_boxes, self.views)]
        return float(sum(np.median(each) for each in sizes if len(each)))

    @property
    def off_center(self) -> float:
        """Median distance (px) of their box from the middle of the pictures."""
        found = [
            np.hypot(*((box[:, :2] + box[:, 2:]) / 2 - (np.array(view.size) - 1) / 2).T)
            for view, box in ((view, _boxes(view)) for view in self.views)
        ]
        return float(np.median(np.concatenate(found)))

    def described(self) -> str:
        """Return one line that tells the person from others: number, frames, seconds, size, number of cameras."""
        seen, fps = np.flatnonzero(self.is_seen), self.views[0].fps
        by = f", by {self.sightings.any(axis=1).sum()} of {len(self.views)} cameras" * (len(self.views) > 1)
        return (
            f"id:{self.id} ({len(seen)} frames, {seen[0] / fps:.1f} to {(seen[-1] + 1) / fps:.1f} s, "
            f"{self.size:.0f} px{by})"
        )


def _boxes(view: Keypoints2D) -> Float[np.ndarray, "N 4"]:
    """Return left, top, right, bottom (px) in the frames in which a person is seen."""
    seen = view.conf >= LEAST_CONFIDENCE
    seen |= (view.conf > 0) & ~seen.any(axis=1, keepdims=True)
    here = seen.any(axis=1)
    low = np.where(seen[..., None], view.xy, np.inf)[here].min(axis=1)
    high = np.where(seen[..., None], view.xy, -np.inf)[here].max(axis=1)
    return np.concatenate([low, high], axis=1)


class _Piece(NamedTuple):
    """A stretch of a track in which it is one person: frames `first` to before `end`."""

    view: int
    track: int
    first: int
    end: int


def match_people(tracks_per_view: Sequence[Sequence[Track]], cameras: Sequence[Camera]) -> list[Person]:
    """Return the people that the views show together, best seen first, numbered from 1.

    A person has at most one track of a view at a time, and several one after the other where tracks broke. Tracks
    that exchanged two people are cut there. What is seen in one view only, or meets nobody, is left out - unless
    nothing meets, or there is one view: then each track is a person. With one view they keep their numbers.

    Args:
        tracks_per_view: everybody in each view, on one clock.
        cameras: one for each view; any unit, as the people tell how large it is.

    Raises:
        InvalidData: numbers of views and cameras differ, or tracks are not on one clock.
    """
    if len(tracks_per_view) != len(cameras):
        raise InvalidData(f"{len(cameras)} cameras were given for the tracks of {len(tracks_per_view)} views")
    tracks = [track for view in tracks_per_view for track in view]
    clocks = {(len(track.keypoints.xy), float(track.keypoints.fps)) for track in tracks}
    if len(clocks) > 1:
        raise InvalidData(f"tracks are not on one clock: frames and rates are {sorted(clocks)}")
    if len(cameras) == 1:
        return [Person(track.id, (track.keypoints,)) for track in tracks]
    groups = _groups(tracks_per_view, cameras) if tracks else []
    if not groups:
        groups = [
            [_Piece(view, place, *_span(track))]
            for view, own in enumerate(tracks_per_view)
            for place, track in enumerate(own)
        ]
    found = [_person(group, tracks_per_view, cameras) for group in groups]
    found.sort(key=lambda person: -int(person.sightings.sum()))
    return [replace(person, id=number) for number, person in enumerate(found, start=1)]


def _groups(tracks_per_view: Sequence[Sequence[Track]], cameras: Sequence[Camera]) -> list[list[_Piece]]:
    """Return the pieces of every person whom two views see together."""
    sights = [
        [sight(track.keypoints, camera) for track in tracks]
        for tracks, camera in zip(tracks_per_view, cameras, strict=True)
    ]
    fps = next(float(track.keypoints.fps) for tracks in tracks_per_view for track in tracks)
    gaps = _gaps(sights)
    groups = _grouped(tracks_per_view, gaps, fps, SAME_BODY)
    usual = [_usual_gap(group, gaps) for group in groups]
    if not usual:
        return []
    return _grouped(tracks_per_view, gaps, fps, min(SAME_BODY, USUAL_SPREAD * float(np.median(usual))))


# How far (m) two tracks, each (view, place), are from one body in every frame; NaN where nothing tells.
_Gaps = dict[tuple[tuple[int, int], tuple[int, int]], Float[np.ndarray, "T"]]


def _gaps(sights: Sequence[Sequence[Sight]]) -> _Gaps:
    """Return the gaps of every two tracks of different views that share frames."""
    unit = unit_of(sights)
    gaps: _Gaps = {}
    for one, two in combinations(range(len(sights)), 2):
        for i, a in enumerate(sights[one]):
            for j, b in enumerate(sights[two]):
                apart = gap(a, b, unit)
                if np.isfinite(apart).any():
                    gaps[(one, i), (two, j)] = apart
    return gaps


def _grouped(
    tracks_per_view: Sequence[Sequence[Track]], gaps: _Gaps, fps: float, same_body: float
) -> list[list[_Piece]]:
    """Return the pieces of every person whom two views see together, nearer than `same_body` (m)."""
    gains = {
        pair: np.nan_to_num(np.maximum(1 - apart / same_body, MOST_AGAINST)) / fps
        for pair, apart in gaps.items()
    }
    pieces = _pieces(tracks_per_view, gains, fps)
    numbers = divide(*_evidence(pieces, gains, tracks_per_view))
    groups = [
        [piece for piece, own in zip(pieces, numbers, strict=True) if own == number]
        for number in range(max(numbers, default=-1) + 1)
    ]
    return [group for group in groups if _together(group, gains) >= LEAST_TOGETHER * fps]


def _usual_gap(group: Sequence[_Piece], gaps: _Gaps) -> float:
    """Return the median gap (m) of a person's views."""
    found = [
        gaps[(a.view, a.track), (b.view, b.track)][max(a.first, b.first) : min(a.end, b.end)]
        for a, b in combinations(group, 2)
        if ((a.view, a.track), (b.view, b.track)) in gaps and max(a.first, b.first) < min(a.end, b.end)
    ]
    return float(np.nanmedian(np.concatenate(found)))


def _pieces(tracks_per_view: Sequence[Sequence[Track]], gains: _Gaps, fps: float) -> list[_Piece]:
    """Return the tracks, cut wherever one of them stops or begins to be the same person as another.

    `gains` say in every frame what speaks for two tracks being one person (s).
    """
    cuts: dict[tuple[int, int], list[int]] = {}
    rivals = _rivals(gains)
    for (a, b), gain in gains.items():
        others = [each for each in (*rivals[a, b[0]], *rivals[b, a[0]]) if each is not gain]
        best = np.maximum.reduce([np.zeros_like(gain), *others])
        for cut in _changes(gain - np.where(gain == 0, 0.0, best)):
            for one in (a, b):
                cuts.setdefault(one, []).append(cut)
    shortest = max(1, round(SHORTEST_PIECE * float(fps)))
    pieces = []
    for view, tracks in enumerate(tracks_per_view):
        for place, track in enumerate(tracks):
            first, end = _span(track)
            wanted = np.array(sorted(cuts.get((view, place), [])), dtype=int)
            bundles = np.split(wanted, np.flatnonzero(np.diff(wanted) > shortest) + 1) if len(wanted) else []
            edges = [first]
            for bundle in bundles:
                middle = int(np.median(bundle))
                if middle - edges[-1] >= shortest and end - middle >= shortest:
                    edges.append(middle)
            ends = [*edges[1:], end]
            pieces += [_Piece(view, place, *stretch) for stretch in zip(edges, ends, strict=True)]
    return pieces


def _rivals(gains: _Gaps) -> dict[tuple[tuple[int, int], int], list[Float[np.ndarray, "T"]]]:
    """Return for every track and view what is said for it and each of that view's tracks."""
    found: dict[tuple[tuple[int, int], int], list[Float[np.ndarray, "T"]]] = {}
    for (a, b), gain in gains.items():
        found.setdefault((a, b[0]), []).append(gain)
        found.setdefault((b, a[0]), []).append(gain)
    return found


def _changes(gain: Float[np.ndarray, "T"]) -> list[int]:
    """Return the frames at which two tracks become, or cease to be, one person: the best division of the time.

    Of all divisions into stretches of "one person" and "two", that with the largest sum of what is said for each,
    less `CHANGE_COST` for every change.
    """
    says = np.flatnonzero(gain)
    if not len(says):
        return []
    # Runs that say the same are never divided.
    starts = np.concatenate([[0], np.flatnonzero(np.diff(np.sign(gain[says]))) + 1])
    sums = np.add.reduceat(gain[says], starts)
    best = np.array([sums[0], -sums[0]])
    came_from = np.zeros((len(sums), 2), dtype=int)
    for run, amount in enumerate(sums[1:], start=1):
        changed = best[::-1] - CHANGE_COST
        came_from[run] = np.where(changed > best, [1, 0], [0, 1])
        best = np.maximum(best, changed) + np.array([amount, -amount])
    state, cuts = int(best.argmax()), []
    for run in range(len(sums) - 1, 0, -1):
        before = int(came_from[run, state])
        if before != state:
            cuts.append(int(says[starts[run]]))
        state = before
    return cuts[::-1]


def _evidence(
    pieces: Sequence[_Piece], gains: _Gaps, tracks_per_view: Sequence[Sequence[Track]]
) -> tuple[Float[np.ndarray, "N N"], Bool[np.ndarray, "N N"]]:
    """Return how far every two pieces agree (s), and which cannot be one person: two of one view at a time."""
    agreement = np.zeros((len(pieces), len(pieces)))
    excluded = np.zeros(agreement.shape, dtype=bool)
    sums = {pair: np.concatenate([[0.0], np.cumsum(gain)]) for pair, gain in gains.items()}
    for (i, a), (j, b) in combinations(enumerate(pieces), 2):
        first, end = max(a.first, b.first), min(a.end, b.end)
        if a.view == b.view:
            excluded[i, j] = excluded[j, i] = first < end
            follow = a.track == b.track and first == end
            value = _bond(tracks_per_view[a.view], a.track, first) if follow else 0.0
        else:
            total = sums.get(((a.view, a.track), (b.view, b.track)))
            value = 0.0 if total is None or first >= end else total[end] - total[first]
        agreement[i, j] = agreement[j, i] = value
    return agreement, excluded


def _bond(tracks: Sequence[Track], place: int, frame: int) -> float:
    """Return what speaks for a track being the same person before and after a frame (s)."""
    track = tracks[place]
    span = round(SHORTEST_PIECE * float(track.keypoints.fps))
    near = slice(max(0, frame - span), frame + span)
    own = track.boxes[near, :2] + track.boxes[near, 2:]
    for other in tracks:
        apart = np.linalg.norm(other.boxes[near, :2] + other.boxes[near, 2:] - own, axis=-1) / 2
        if other is not track and (apart < REACH * track.size).any():
            return SAME_TRACK
    return SAME_TRACK * ALONE


def _together(group: Sequence[_Piece], gains: _Gaps) -> int:
    """Return in how many frames at least two pieces of a group were seen to meet."""
    meets: set[int] = set()
    for a, b in combinations(group, 2):
        gain = gains.get(((a.view, a.track), (b.view, b.track)))
        if gain is not None:
            first, end = max(a.first, b.first), min(a.end, b.end)
            meets |= {int(frame) + first for frame in np.flatnonzero(gain[first : max(first, end)] > 0)}
    return len(meets)


def _span(track: Track) -> tuple[int, int]:
    """Return the first frame in which a track is seen, and the frame after the last."""
    seen: Int[np.ndarray, "N"] = np.flatnonzero(track.is_seen)
    return int(seen[0]), int(seen[-1]) + 1


def _person(
    pieces: Sequence[_Piece], tracks_per_view: Sequence[Sequence[Track]], cameras: Sequence[Camera]
) -> Person:
    """Return what each camera saw in these pieces, not yet numbered."""
    some = next(track.keypoints for tracks in tracks_per_view for track in tracks)
    views = []
    for view, (tracks, camera) in enumerate(zip(tracks_per_view, cameras, strict=True)):
        size = tracks[0].keypoints.size if tracks else camera.size
        xy, conf = np.full_like(some.xy, np.nan), np.zeros_like(some.conf)
        has_landmarks = any(track.keypoints.landmarks is not None for track in tracks)
        landmarks = np.full((*some.conf.shape, 3), np.nan) if has_landmarks else None
        for piece in pieces:
            if piece.view == view:
                stretch, seen = slice(piece.first, piece.end), tracks[piece.track].keypoints
                xy[stretch], conf[stretch] = seen.xy[stretch], seen.conf[stretch]
                if landmarks is not None and seen.landmarks is not None:
                    landmarks[stretch] = seen.landmarks[stretch]
        views.append(Keypoints2D(xy, conf, some.layout, some.fps, size, landmarks=landmarks))
    return Person(0, tuple(views))
