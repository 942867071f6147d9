"""From a video to the people in it: keypoints in pixels, one track a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mocaplift import video
from mocaplift.camera_motion import BackgroundTracker, CameraMotion
from mocaplift.detect.people import Detector, Person, boxes_of
from mocaplift.detect.track import Track, Tracker
from mocaplift.detect.turned import TurnedDetector
from mocaplift.errors import ConfigError
from mocaplift.values import Clip

# Larger pictures are shrunk to this side (px) while they are decoded: detectors read people at 256 px.
LARGEST_SIDE = 2560


@dataclass(frozen=True, eq=False)
class Sighting:
    """Everything that a detector saw in a clip.

    `clip` holds the frames that could really be decoded. `facts` are for the report: `detector`, `people`,
    `complete`, `identity_jumps`, `frames_turned`, `frames_empty`, `ghosts`, and what the detector says of itself.
    """

    clip: Clip
    tracks: tuple[Track, ...]
    camera_motion: CameraMotion | None = None
    facts: Mapping[str, float | str | bool] = field(default_factory=dict)


def _mediapipe(**options: Any) -> Detector:
    from mocaplift.detect import mediapipe

    return mediapipe.load(**options)


def _mmpose(**options: Any) -> Detector:
    from mocaplift.detect import mmpose

    return mmpose.load(**options)


# Name to loader: `loader(weights=None, device="cpu", config=None)`.
DETECTORS: dict[str, Callable[..., Detector]] = {"mediapipe": _mediapipe, "mmpose": _mmpose}


def load_detector(
    name: str, weights: str | None = None, device: str = "cpu", *, config: str | None = None
) -> Detector:
    """Return a detector by name.

    Raises:
        ConfigError: no such detector, or it does not take these options.
        MissingDependency: its package is not installed.
        WeightsError: its checkpoint cannot be used.
    """
    if name not in DETECTORS:
        raise ConfigError(f"there is no detector {name!r}; there is {', '.join(DETECTORS)}")
    return DETECTORS[name](weights=weights, device=device, config=config)


def detect(
    clip: Clip,
    detector: Detector,
    *,
    progress: Callable[[int, int], None] | None = None,
    camera_motion: bool = True,
) -> Sighting:
    """Return the people of a clip, tracked, in one pass over the video that keeps no picture.

    People who lie or stand on their hands are detected on the turned picture. Frames without anybody are gaps.

    Args:
        clip: from `video.probe`.
        detector: from `load_detector`; it starts anew, so that one serves many clips.
        progress: called with the frames done and the frames of the clip after every frame.
        camera_motion: also look at the background for a moving camera.

    Raises:
        VideoError: nothing of the clip can be decoded.
    """
    fps = float(clip.fps)
    eyes = detector.fresh() if detector.reads_turned else TurnedDetector(detector.fresh())
    tracker = Tracker(eyes.layout, fps)
    background = BackgroundTracker(fps) if camera_motion else None
    done = empty = 0
    with closing(video.frames(clip, max_side=LARGEST_SIDE)) as pictures:
        for image in pictures:
            people = eyes(image)
            if background is not None:
                background.update(image, boxes_of(people))
            tracker.add([_in_clip(person, image, clip) for person in people])
            done, empty = done + 1, empty + (not people)
            if progress is not None:
                progress(done, clip.frames)
    tracks = tracker.tracks(clip.size)
    facts: dict[str, float | str | bool] = {
        "detector": detector.name,
        "people": len(tracks),
        "complete": bool(clip.facts.get("complete", True)) and done == clip.frames,
        "identity_jumps": tracker.jumps(),
        "frames_turned": eyes.frames_turned,
        "frames_empty": empty,
        "ghosts": tracker.ghosts,
        **{f"detector_{key}": value for key, value in detector.facts.items()},
    }
    return Sighting(
        clip if done == clip.frames else replace(clip, frames=done),
        tracks,
        background.result() if background is not None else None,
        facts,
    )


def _in_clip(person: Person, image: np.ndarray, clip: Clip) -> Person:
    """Return a person of a picture that may have been shrunk in pixels of the clip."""
    if (image.shape[1], image.shape[0]) == clip.size:
        return person
    return person._replace(xy=video.clip_pixels(person.xy, image, clip))
