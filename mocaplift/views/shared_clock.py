"""One clock for several cameras: how their own clocks relate to it, and what each saw at its ticks.

Shared time is a camera's own time (`Clip.start` + frame / `Clip.fps`) plus the camera's offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.detect.track import Track
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.values import Clip, Keypoints2D

# A frame this near (share of an interval) to a tick is taken as it is: 0.3 ms at 30 fps, less than any offset is
# known to.
ON_TICK = 0.01


@dataclass(frozen=True)
class Timing:
    """How the cameras' clocks relate: shared time = own time + offset (s); the first camera's offset is 0.

    A camera with offset 0.2 started 0.2 s later than one with offset 0. `errors` are expected (s, one sigma), 0
    where the offsets were told and not measured. `agreement` is how alike what the cameras measured is, at these
    offsets: 1 is the same, 0 unrelated. `source` is "same clock", "given", "motion", or "sound".
    """

    offsets: tuple[float, ...]
    errors: tuple[float, ...]
    source: str
    agreement: float = 1.0

    def facts(self) -> dict[str, object]:
        """Return what the report says of the clocks."""
        facts: dict[str, object] = {"sync_source": self.source, "sync_offsets_s": list(self.offsets)}
        if self.source in ("motion", "sound"):
            facts |= {"sync_error_ms": 1e3 * max(self.errors), "sync_agreement": self.agreement}
        return facts


def same_clock(count: int) -> Timing:
    """Return the timing of cameras whose first frames were taken at the same moment."""
    return Timing((0.0,) * count, (0.0,) * count, "same clock")


@dataclass(frozen=True, eq=False)
class _Ticks:
    """The shared ticks: their rate, and where each lies among the frames of every clip."""

    fps: Fraction
    places: tuple[Float[np.ndarray, "T"], ...]
    clips: tuple[Clip, ...]


def on_one_clock(
    views: Sequence[Keypoints2D], clips: Sequence[Clip], timing: Timing
) -> tuple[tuple[Keypoints2D, ...], tuple[Clip, ...]]:
    """Return what each camera saw at the ticks of one clock, and the clips as stretches of it.

    The rate is the highest that at least half of the cameras reach; the ticks are frames of the first of those
    that has it. They cover the time in which two cameras or more were running; where one was not, its points are
    missing. Between two frames a point moves on a cubic through its neighbours, with the lower confidence of the
    two; where one of the two is missing, so is the point. Cameras that share a clock and a rate are not changed.

    A returned clip starts where the shared ticks start on the camera's own clock: before 0 where it started later.
    `video.frames` of it gives the picture nearest to every tick.

    Raises:
        InvalidData: not one view and one offset for each clip, or the clips do not overlap.
    """
    if len(views) != len(clips):
        raise InvalidData(f"there are {len(views)} views for {len(clips)} videos")
    ticks = _ticks(clips, timing)
    resampled = (seen_at(view, places, ticks.fps) for view, places in zip(views, ticks.places, strict=True))
    return tuple(resampled), ticks.clips


def tracks_on_one_clock(
    tracks_per_view: Sequence[Sequence[Track]], clips: Sequence[Clip], timing: Timing
) -> tuple[tuple[tuple[Track, ...], ...], tuple[Clip, ...]]:
    """Return everybody's tracks in every view as `on_one_clock` does; those never seen at its ticks are left out.

    Raises:
        InvalidData: not one set of tracks and one offset for each clip, or the clips do not overlap.
    """
    if len(tracks_per_view) != len(clips):
        raise InvalidData(f"there are the tracks of {len(tracks_per_view)} views for {len(clips)} videos")
    ticks = _ticks(clips, timing)
    moved = []
    for tracks, places in zip(tracks_per_view, ticks.places, strict=True):
        there = [
            replace(
                track,
                keypoints=seen_at(track.keypoints, places, ticks.fps),
                boxes=_between(track.boxes, places),
            )
            for track in tracks
        ]
        moved.append(tuple(track for track in there if track.is_seen.any()))
    return tuple(moved), ticks.clips


def given(text: str, count: int) -> Timing:
    """Return the timing that a person wrote as offsets in seconds: `0,0.12,-0.3`.

    Raises:
        ConfigError: no such list, or not one finite number for each video.
    """
    try:
        offsets = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--sync must be none, auto, motion, sound or offsets in seconds such as 0,0.12,-0.3, not {text!r}"
        ) from None
    if len(offsets) != count or not np.isfinite(offsets).all():
        raise ConfigError(
            f"--sync {text} gives {len(offsets)} offsets for {count} videos; give one number of seconds for each, "
            "in their order"
        )
    return Timing(tuple(offsets), (0.0,) * count, "given")


def common_rate(clips: Sequence[Clip]) -> Fraction:
    """Return the highest rate that at least half of the clips reach: one slow-motion camera does not set it."""
    rates = sorted((clip.fps for clip in clips), reverse=True)
    return rates[(len(rates) - 1) // 2]


def _ticks(clips: Sequence[Clip], timing: Timing) -> _Ticks:
    """Return the ticks of the time in which at least two of the clips run.

    Raises:
        InvalidData: not one offset for each clip, or there is no such time.
    """
    if len(timing.offsets) != len(clips) or not clips:
        raise InvalidData(f"there are {len(timing.offsets)} offsets for {len(clips)} videos")
    fps = common_rate(clips)
    zeros = [clip.start + offset for clip, offset in zip(clips, timing.offsets, strict=True)]
    ends = [zero + (clip.frames - 1) / float(clip.fps) for clip, zero in zip(clips, zeros, strict=True)]
    second = min(1, len(clips) - 1)
    begin, end = sorted(zeros)[second], sorted(ends, reverse=True)[second]
    zero = next(zero for clip, zero in zip(clips, zeros, strict=True) if clip.fps == fps)
    first = int(np.ceil((begin - zero) * float(fps) - ON_TICK))
    last = int(np.floor((end - zero) * float(fps) + ON_TICK))
    if last - first < 1:
        runs = ", ".join(
            f"{clip.path.name} from {a:.2f} to {b:.2f} s"
            for clip, a, b in zip(clips, zeros, ends, strict=True)
        )
        raise InvalidData(
            f"no two of the videos show the same moments ({runs}, on one clock); check their offsets"
        )
    numbers = np.arange(first, last + 1)
    places, stretches = [], []
    for clip, own_zero in zip(clips, zeros, strict=True):
        # Exact for equal rates: whole numbers stay whole however long the clip is.
        places.append((zero - own_zero) * float(clip.fps) + numbers * float(clip.fps / fps))
        start = clip.start + zero - own_zero + float(first / fps)
        stretches.append(replace(clip, fps=fps, frames=len(numbers), start=start))
    return _Ticks(fps, tuple(places), tuple(stretches))


def seen_at(view: Keypoints2D, places: Float[np.ndarray, "T"], fps: Fraction) -> Keypoints2D:
    """Return what was seen at places between frames; missing where a neighbouring frame is."""
    seen = view.conf > 0
    before, share, is_between = _neighbours(places, len(view.xy))
    after = np.where(is_between, before + 1, before)
    there = (before >= 0)[:, None] & seen[before] & seen[after]
    conf = np.where(there, np.minimum(view.conf[before], view.conf[after]), 0.0)
    xy = np.where(there[..., None], _cubic(view.xy, seen, before, after, share), np.nan)
    landmarks = None
    if view.landmarks is not None:
        landmarks = _between(view.landmarks, places)
    return Keypoints2D(xy, conf, view.layout, float(fps), view.size, landmarks=landmarks)


def _neighbours(
    places: Float[np.ndarray, "T"], length: int
) -> tuple[np.ndarray, Float[np.ndarray, "T"], Bool[np.ndarray, "T"]]:
    """Return the frame before each place (-1 outside the clip), the share of the way on, and if there is any."""
    nearest = np.rint(places)
    is_on = np.abs(places - nearest) <= ON_TICK
    before = np.where(is_on, nearest, np.floor(places)).astype(int)
    inside = (before >= 0) & (before + ~is_on < length)
    return np.where(inside, before, -1), np.where(is_on, 0.0, places - before), ~is_on & inside


def _cubic(
    xy: Float[np.ndarray, "T J 2"],
    seen: Bool[np.ndarray, "T J"],
    before: np.ndarray,
    after: np.ndarray,
    share: Float[np.ndarray, "N"],
) -> Float[np.ndarray, "N J 2"]:
    """Return points on the cubic whose slope at a frame is that between its neighbours."""
    a, b, s = xy[before], xy[after], share[:, None, None]
    earlier, later = np.maximum(before - 1, 0), np.minimum(after + 1, len(xy) - 1)
    is_slope = (seen[earlier] & (before > 0)[:, None])[..., None]
    start = np.where(is_slope, (b - xy[earlier]) / 2, b - a)
    is_slope = (seen[later] & (after < len(xy) - 1)[:, None])[..., None]
    end = np.where(is_slope, (xy[later] - a) / 2, b - a)
    rest = s * (1 - s)
    cubic = a + s * (b - a) + rest * ((1 - s) * (start - (b - a)) - s * (end - (b - a)))
    # On a frame itself, neighbours that are missing must not spread.
    return np.where(s == 0, a, cubic)


def _between(
    values: Float[np.ndarray, "T *rest"], places: Float[np.ndarray, "T2"]
) -> Float[np.ndarray, "T2 *rest"]:
    """Return values at places between frames, on straight lines; NaN outside and next to missing ones."""
    before, share, is_between = _neighbours(places, len(values))
    after = np.where(is_between, before + 1, before)
    lead = (-1,) + (1,) * (values.ndim - 1)
    first = values[before]
    mixed = np.where(is_between.reshape(lead), first + share.reshape(lead) * (values[after] - first), first)
    return np.where((before >= 0).reshape(lead), mixed, np.nan)
