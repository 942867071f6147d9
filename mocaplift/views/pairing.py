"""Which camera filmed which video: by name, else in natural order; adapted to the pictures that are shown."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mocaplift.calibrate import Calibration
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera, Clip
from mocaplift.views.picture import fitted, rough_up

# How far above a video its name is looked for: itself, then its folders (cam1/video.mp4, cam1/raw/video.mp4).
FOLDERS = 2

# A name as its words and numbers: "Cam_01.b" is cam, 1, b.
Words = tuple[str, ...]

_log = logging.getLogger(__name__)


def pair_cameras(calibration: Calibration, clips: Sequence[Clip]) -> tuple[Camera, ...]:
    """Return one camera for each clip, in the clips' order, for the pictures that the clip shows.

    A camera belongs to the video of the same name (upper case, separators and leading zeros aside: `cam_01` is
    `Cam1`), else to the one whose name holds the camera's, else to the one whose number is the camera's; then the
    same with the names of the videos' folders. Where no name has anything in common and there are as many videos
    as cameras, both are sorted (2 before 10) and paired one by one, with a warning. Cameras may be left over.

    Raises:
        CalibrationError: a video has no camera or several, two have the same, the calibration names a camera
            twice, or a video's pictures cannot be those that were calibrated.

    Example:
        >>> cameras = pair_cameras(read_calibration("cams.json"), clips)  # doctest: +SKIP
    """
    _check_names(calibration)
    order = _by_name(calibration, clips)
    cameras = [calibration.cameras[place] for place in order]
    up = np.array([0.0, 1.0, 0.0]) if calibration.up == "y" else rough_up(cameras, clips)
    adapted = []
    for camera, clip in zip(cameras, clips, strict=True):
        adapted.append(fitted(camera, clip, up=up, size_known=calibration.sizes_known))
        if camera.size != clip.size:
            _log.info(
                "%s: camera %s, calibrated at %d x %d px, was adapted to %d x %d px",
                *(clip.path, camera.name, *camera.size, *clip.size),
            )
    return tuple(adapted)


def _check_names(calibration: Calibration) -> None:
    counts = Counter(camera.name for camera in calibration.cameras)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise CalibrationError(
            f"{calibration.path} holds {counts[twice[0]]} cameras of the name {twice[0]!r}; give each its own"
        )


def _by_name(calibration: Calibration, clips: Sequence[Clip]) -> list[int]:
    """Return the place of every clip's camera in the calibration.

    Raises:
        CalibrationError: not every clip has exactly one.
    """
    names = [words_of(camera.name) for camera in calibration.cameras]
    found: list[list[list[int]]] = []
    for above in range(FOLDERS + 1):
        labels = [_label(clip, above) for clip in clips]
        parts = _distinct(labels)
        for match, shown in ((_same, labels), (_within, labels), (_same, parts), (_numbered, parts)):
            pairs = [
                _longest([i for i, name in enumerate(names) if match(name, label)], names) for label in shown
            ]
            taken = [places[0] for places in pairs if len(places) == 1]
            if len(taken) == len(set(taken)) == len(clips):
                return taken
            found.append(pairs)
    # The reading under which most videos have a camera of their own, or any, is the one that was meant.
    best = max(
        found,
        key=lambda pairs: (len({places[0] for places in pairs if len(places) == 1}), sum(map(bool, pairs))),
    )
    if any(best):
        raise CalibrationError(_what_is_wrong(calibration, clips, best))
    return _in_order(calibration, clips)


def _in_order(calibration: Calibration, clips: Sequence[Clip]) -> list[int]:
    """Return the places of the cameras when sorted names are paired one by one."""
    cameras = calibration.cameras
    if len(cameras) != len(clips):
        raise CalibrationError(
            f"no camera's name in {calibration.path} ({_listed(cameras)}) is in the name of a video, and "
            f"{len(clips)} video{'s' * (len(clips) != 1)} cannot be paired in order with {len(cameras)} "
            f"camera{'s' * (len(cameras) != 1)}; name each video after its camera"
        )
    sorted_cameras = sorted(range(len(cameras)), key=lambda i: _natural(cameras[i].name))
    sorted_clips = sorted(range(len(clips)), key=lambda i: _natural(clips[i].path.as_posix()))
    order = [0] * len(clips)
    for clip, camera in zip(sorted_clips, sorted_cameras, strict=True):
        order[clip] = camera
    if len(clips) > 1:
        told = ", ".join(f"{clip.path.name} by {cameras[order[i]].name}" for i, clip in enumerate(clips))
        _log.warning(
            "no video is named after a camera of %s: they are paired in order (%s)", calibration.path, told
        )
    return order


def _what_is_wrong(calibration: Calibration, clips: Sequence[Clip], pairs: Sequence[Sequence[int]]) -> str:
    """Return the sentence for videos that have no camera, several, or the same."""
    cameras = calibration.cameras
    for clip, places in zip(clips, pairs, strict=True):
        if len(places) > 1:
            several = _listed([cameras[place] for place in places])
            return (
                f"{clip.path} could have been filmed by several cameras of {calibration.path} ({several}); "
                "name it exactly like its own"
            )
    for places in pairs:
        same = [other for other, theirs in zip(clips, pairs, strict=True) if theirs == places and places]
        if len(same) > 1:
            return (
                f"{same[0].path} and {same[1].path} both fit camera {cameras[places[0]].name!r} of "
                f"{calibration.path}; give one video of each camera, named after it"
            )
    missing = ", ".join(str(clip.path) for clip, places in zip(clips, pairs, strict=True) if not places)
    return (
        f"{calibration.path} has no camera for {missing}; it has {_listed(cameras)}. Name each video after its "
        "camera, or calibrate the missing one"
    )


def words_of(name: str) -> Words:
    """Return a name's words and numbers: small letters, no separators, no leading zeros."""
    parts = re.findall(r"\d+|[^\W\d_]+", name.lower())
    return tuple(part.lstrip("0") or "0" if part.isdecimal() else part for part in parts)


def _label(clip: Clip, above: int) -> Words:
    """Return the words of a clip's own name (0) or of the folder so far above it."""
    parts = clip.path.absolute().parts
    if not above:
        return words_of(clip.path.stem)
    return words_of(parts[-1 - above]) if above < len(parts) else ()


def _same(camera: Words, label: Words) -> bool:
    return bool(camera) and camera == label


def _within(camera: Words, label: Words) -> bool:
    """Return whether the camera's words follow one another somewhere in the label."""
    length = len(camera)
    return bool(camera) and any(label[i : i + length] == camera for i in range(len(label) - length + 1))


def _numbered(camera: Words, label: Words) -> bool:
    """Return whether the camera's last number is in the label."""
    number = next((word for word in reversed(camera) if word.isdecimal()), None)
    return number is not None and number in label


def _distinct(labels: Sequence[Words]) -> list[Words]:
    """Return the labels without the words that all of them begin and end with: 2 of `day1_2`, 1 of `day1_1`."""
    if len(labels) < 2:
        return list(labels)
    rests: list[Words] = list(labels)
    for end in (0, -1):
        while all(rests) and len({rest[end] for rest in rests}) == 1:
            rests = [rest[1:] if end == 0 else rest[:-1] for rest in rests]
    return rests


def _longest(places: list[int], names: Sequence[Words]) -> list[int]:
    """Return those of the cameras whose names have the most words: `cam 1 left` rather than `cam 1`."""
    longest = max((len(names[place]) for place in places), default=0)
    return [place for place in places if len(names[place]) == longest]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers by their value: cam2 before cam10."""
    return [(0, len(word), word) if word.isdecimal() else (1, 0, word) for word in words_of(name)]


def _listed(cameras: Sequence[Camera]) -> str:
    return ", ".join(camera.name for camera in cameras)
