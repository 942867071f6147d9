"""The stretch of time in which somebody is seen, and whether that is enough to capture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mocaplift.detect.people import box_of
from mocaplift.errors import InvalidData, NoPersonFound
from mocaplift.values import Clip, Keypoints2D
from mocaplift.views.people import Person

# A body whose hips and knees are seen in less than this share of the frames cannot be captured: its legs, its
# path and its contacts would be invented. A joint counts as seen from this confidence (expected error 5 cm).
LEAST_WHOLE, SEEN = 0.2, 0.15
# Of somebody smaller than this (px, median diagonal of a box) nothing can be told; and nobody is so many times
# larger than the picture, or so far outside of it: those coordinates are no pixels.
SMALLEST, MOST_PICTURES = 16.0, 10.0
# A person seen for less than this (s) has no motion to speak of.
SHORTEST = 0.2
_NEEDED = ("left_hip", "right_hip", "left_knee", "right_knee")


def seen_part(
    clips: Sequence[Clip], person: Person
) -> tuple[tuple[Clip, ...], tuple[Keypoints2D, ...], dict[str, object]]:
    """Return the stretch of the clips in which any camera sees the person, and how much of them was seen.

    Raises:
        NoPersonFound: too short, or too little of the body, to be captured.
        InvalidData: the person has no size that people in pictures have.
    """
    where = ", ".join(str(clip.path) for clip in clips)
    seen = np.flatnonzero(person.is_seen)
    if not seen.size:
        raise NoPersonFound(f"{where}: no keypoint was seen in any frame")
    first, last = int(seen[0]), int(seen[-1]) + 1
    fps = float(clips[0].fps)
    if last - first < max(2, SHORTEST * fps):
        raise NoPersonFound(
            f"{where}: {person.described()} is seen for {(last - first) / fps:.2f} s only; a motion needs at "
            f"least {SHORTEST} s"
        )
    stretch = slice(first, last)
    views = tuple(_cut(view, stretch) for view in person.views)
    # Hips may be one camera's and knees another's.
    sure = np.any([view.conf[:, view.layout.index(*_NEEDED)] >= SEEN for view in views], axis=0)
    whole = sure.all(axis=1).mean()
    if whole < LEAST_WHOLE:
        raise NoPersonFound(
            f"{where}: hips and knees of {person.described()} are seen in {whole:.0%} of the frames only; film "
            "the whole body, from head to feet"
        )
    if len(views) == 1:  # several cameras have a calibration to agree with
        _check_size(clips[0], views[0], person)
    parts = tuple(replace(clip, start=clip.start + first / fps, frames=last - first) for clip in clips)
    return parts, views, {"seen_share": len(seen) / (last - first)}


def _cut(view: Keypoints2D, stretch: slice) -> Keypoints2D:
    """Return a stretch of what a camera saw."""
    landmarks = None if view.landmarks is None else view.landmarks[stretch]
    return replace(view, xy=view.xy[stretch], conf=view.conf[stretch], landmarks=landmarks)


def _check_size(clip: Clip, view: Keypoints2D, person: Person) -> None:
    """Refuse keypoints of a size or at a place that nobody in a picture has.

    Raises:
        InvalidData: they are too small, too large, or far outside of the picture.
    """
    boxes = np.array([box_of(xy, conf) for xy, conf in zip(view.xy, view.conf, strict=True)])
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not boxes.size:
        return
    low, high = np.median(boxes[:, :2], axis=0), np.median(boxes[:, 2:], axis=0)
    size, largest = float(np.hypot(*(high - low))), MOST_PICTURES * max(view.size)
    if size < SMALLEST or size > largest or np.abs((low + high) / 2).max() > largest:
        (x, y), (width, height) = (low + high) / 2, view.size
        raise InvalidData(
            f"{clip.path}: {person.described()} is about ({x:.4g}, {y:.4g}) in a picture of {width} x {height} "
            f"px; a person needs {SMALLEST:.0f} px or more, and keypoints must be in pixels"
        )
