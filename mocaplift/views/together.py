"""What several cameras saw, put together: one clock, people who are the same in all of them, cameras that fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mocaplift.assume import assumed_camera
from mocaplift.calibrate import Calibration
from mocaplift.calibrate.sanity import AS_IS, settle_calibration
from mocaplift.detect import Sighting
from mocaplift.detect.track import NOBODY, Track, choose
from mocaplift.errors import CalibrationError, ConfigError, NoPersonFound
from mocaplift.options import Options
from mocaplift.values import Camera, Clip
from mocaplift.views.pairing import pair_cameras
from mocaplift.views.people import Person, match_people
from mocaplift.views.shared_clock import tracks_on_one_clock
from mocaplift.views.synchronise import find_offsets

# People whom the cameras, read as they are, show together for less than this share of the time in which the
# largest of every camera are in sight together, are chance: the cameras are to be read another way.
LEAST_WITNESSED = 0.5
# Two cameras may agree on somebody who is not there; so many do not.
SURE_CAMERAS = 3
# What every camera's facts are in the report of all: added up, or the worst of them.
_COUNTS = ("identity_jumps", "frames_turned", "frames_empty", "ghosts")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Scene:
    """Everybody whom the cameras saw, one camera for each clip, everything on one clock.

    The cameras' world is metres with +Y up where `is_level`; else up is only assumed.
    """

    clips: tuple[Clip, ...]
    cameras: tuple[Camera, ...]
    people: list[Person]
    is_level: bool
    facts: dict[str, object]


def paired(cameras: Calibration | Sequence[Camera] | None, clips: Sequence[Clip]) -> Calibration | None:
    """Return a calibration with one camera for each clip, in the clips' order; None for one unknown camera.

    Cameras that are no calibration belong to the clips in their order, in metres with +Y up.

    Raises:
        ConfigError: no clip, several clips without cameras, or another number of cameras than clips.
        CalibrationError: a calibration does not have the cameras of these clips.
    """
    if not clips:
        raise ConfigError("there is no video to capture")
    if cameras is None:
        if len(clips) > 1:
            raise ConfigError(
                f"{len(clips)} videos of one take need calibrated cameras: give their file with --calib "
                "(`mocaplift calibrate` makes one), or capture each video on its own"
            )
        return None
    if isinstance(cameras, Calibration):
        return replace(cameras, cameras=pair_cameras(cameras, clips))
    if len(cameras) != len(clips):
        raise ConfigError(
            f"there must be one camera for each video, but there are {len(cameras)} for {len(clips)}"
        )
    return Calibration(tuple(cameras), "given", Path("given cameras"), unit="m", up="y")


def together(sightings: Sequence[Sighting], calibration: Calibration | None, options: Options) -> Scene:
    """Return everybody in a take.

    Raises:
        CalibrationError: the cameras do not fit what they saw, or two of them stand at one place.
        ConfigError: the options ask for a synchronisation that does not exist.
        InvalidData: the videos do not show the same moments.
        NoPersonFound: several cameras, and nobody was seen.
    """
    if len(sightings) == 1:
        return _alone(sightings[0], calibration, options)
    assert calibration is not None  # `paired` refuses several clips without cameras
    seen, clips = [each.tracks for each in sightings], [each.clip for each in sightings]
    timing = find_offsets(seen, clips, calibration.cameras, options.sync)
    tracks, shared = tracks_on_one_clock(seen, clips, timing)
    cameras, people, facts = _settled(calibration, tracks, options.height)
    facts = _facts_of_all(sightings, calibration.cameras) | timing.facts() | facts | {"people": len(people)}
    return Scene(shared, cameras, people, True, facts | {"focal_source": "given"})


def _alone(sighting: Sighting, calibration: Calibration | None, options: Options) -> Scene:
    """Return everybody in a single video, whose camera is assumed as far as it is not known."""
    camera, source = assumed_camera(sighting.clip, options)
    is_level = options.pitch is not None
    if calibration is not None:
        known, source = calibration.cameras[0], "given"
        pose = (known if calibration.up == "y" else camera).cam_from_world.copy()
        is_level |= calibration.up == "y"
        if calibration.unit != "m":
            # Where one camera stands is not seen anyway.
            pose[:3, 3] = 0.0
        camera = replace(known, cam_from_world=pose)
    moves = sighting.camera_motion
    facts: dict[str, object] = dict(sighting.facts)
    facts |= {
        "camera_is_moving": None if moves is None else moves.is_moving,
        "camera_drift_px": None if moves is None else moves.drift_px,
        "focal_source": source,
    }
    people = [Person(track.id, (track.keypoints,)) for track in sighting.tracks]
    return Scene((sighting.clip,), (camera,), people, is_level, facts)


def _settled(
    calibration: Calibration, tracks: Sequence[Sequence[Track]], height: float | None
) -> tuple[tuple[Camera, ...], list[Person], dict[str, object]]:
    """Return the cameras in metres with +Y up, everybody, and what the report says of both."""
    people = match_people(tracks, calibration.cameras)
    if not people:
        raise NoPersonFound(NOBODY)
    if sum(map(bool, tracks)) == 1 and (calibration.unit, calibration.up) == ("m", "y"):
        # Nothing to hold the cameras against: one of them is all there is.
        _warn_of_blind(calibration.cameras, tracks, people)
        return calibration.cameras, people, {"calibration_unchecked": [c.name for c in calibration.cameras]}
    matched, presumed = people[0], _largest_of_each(tracks, calibration.cameras)
    agreeing = matched.sightings.any(axis=1)
    are_all = not (presumed.sightings.any(axis=1) & ~agreeing).any()
    is_sure = _witnessed(matched) >= max(1.0, LEAST_WITNESSED * _witnessed(presumed))
    is_sure &= are_all or agreeing.sum() >= SURE_CAMERAS
    try:
        witness = matched if is_sure else presumed
        cameras, facts = settle_calibration(calibration, witness.views, stature=height)
    except CalibrationError:
        if is_sure or max(map(len, tracks)) == 1 or not _witnessed(matched):
            raise
        # Where cameras show several people, the largest of each may not be one person.
        cameras, facts = settle_calibration(calibration, matched.views, stature=height)
        is_sure = True
    if not is_sure or facts.get("calibration_reading") != AS_IS:
        people = match_people(tracks, cameras)
    _warn_of_blind(cameras, tracks, people)
    return cameras, people, facts


def _warn_of_blind(
    cameras: Sequence[Camera], tracks: Sequence[Sequence[Track]], people: Sequence[Person]
) -> None:
    """Warn of cameras that see nobody, or nobody whom the others see."""
    shown = np.any([person.sightings.any(axis=1) for person in people], axis=0)
    for camera, own, shows in zip(cameras, tracks, shown, strict=True):
        if not own:
            _log.warning("camera %s never sees anybody; the others go on without it", camera.name)
        elif not shows:
            _log.warning(
                "whom camera %s sees no other camera sees there; it was moved since it was calibrated, or filmed "
                "somebody else. The others go on without it",
                camera.name,
            )


def _witnessed(person: Person) -> float:
    """Return in how many frames at least two cameras see a person."""
    return float((person.sightings.sum(axis=0) >= 2).sum())


def _largest_of_each(tracks: Sequence[Sequence[Track]], cameras: Sequence[Camera]) -> Person:
    """Return the person that the largest tracks of the cameras are, if they are one person."""
    some = next(track.keypoints for own in tracks for track in own)
    nobody = replace(some, xy=np.full_like(some.xy, np.nan), conf=np.zeros_like(some.conf), landmarks=None)
    views = [
        choose(own, "largest")[0].keypoints if own else replace(nobody, size=camera.size)
        for own, camera in zip(tracks, cameras, strict=True)
    ]
    return Person(1, tuple(views))


def _facts_of_all(sightings: Sequence[Sighting], cameras: Sequence[Camera]) -> dict[str, object]:
    """Return what the report says of several sightings: counts added up, and the worst of the rest."""
    facts: dict[str, object] = dict(sightings[0].facts)
    for key in _COUNTS:
        facts[key] = sum(int(each.facts.get(key, 0)) for each in sightings)
    moves = {camera.name: each.camera_motion for camera, each in zip(cameras, sightings, strict=True)}
    moving = [name for name, motion in moves.items() if motion is not None and motion.is_moving]
    if moving:
        _log.warning(
            "camera %s moves while it films; calibrated cameras must stand still, its view may be wrong",
            ", ".join(moving),
        )
    drifts = [motion.drift_px for motion in moves.values() if motion is not None]
    return facts | {
        "complete": all(each.facts["complete"] for each in sightings),
        "camera_is_moving": bool(moving) if drifts else None,
        "camera_drift_px": max(drifts, default=None),
    }
