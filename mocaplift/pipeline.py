"""The product on one screen: the clips of a take in, the motion of every chosen person out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from mocaplift import quality, video
from mocaplift.assume import Gravity, find_gravity, pitch_and_roll
from mocaplift.body import attachments_of, body_keypoints
from mocaplift.calibrate import Calibration
from mocaplift.cameras import moved
from mocaplift.clean.contacts import find_contacts
from mocaplift.clean.feet import pin_feet
from mocaplift.clean.gaps import fill_gaps
from mocaplift.clean.ground import find_floor, move_motion, sole_drops, start_transform
from mocaplift.clean.outliers import repair_outliers
from mocaplift.clean.smoothing import smooth
from mocaplift.clean.swaps import repair_swaps
from mocaplift.detect import Detector, detect
from mocaplift.detect.track import choose
from mocaplift.fit import Fitter, fit_skeleton, settle
from mocaplift.lift import AUTO, Lifter, applicable, load_lifter
from mocaplift.options import Options
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, SkeletonMotion
from mocaplift.views.seen import seen_part
from mocaplift.views.together import paired, together

# (stage, done, total): what is going on, for a progress bar.
Progress = Callable[[str, int, int], None]


def capture(
    paths: Sequence[Path | str],
    cameras: Calibration | Sequence[Camera] | None,
    detector: Detector,
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Capture]:
    """Return the motion of every chosen person in a take: one video, or several of the same moment.

    Args:
        paths: a video for each camera.
        cameras: a calibration, whose cameras are paired with the videos by name, or one camera for each video in
            a world of metres with +Y up; None assumes the camera of a single video and says so.
        detector: from `detect.load_detector`.
        options: what the user decided.
        progress: called with (stage, done, total).

    Raises:
        VideoError: a video cannot be read.
        NoPersonFound: nobody was seen, or too little of them.
        ConfigError: the options ask for a person or lifter that does not exist, or several videos lack cameras.
        CalibrationError: the cameras are not those of the videos, or do not fit what they saw.
        InvalidData: the videos do not show the same moments.
    """
    options, tell = options or Options(), progress or (lambda stage, done, total: None)
    seconds: dict[str, float] = {}
    clips = [
        video.probe(path, start=options.start, end=options.end, slow_motion=options.slow_motion)
        for path in paths
    ]
    calibration = paired(cameras, clips)
    with _timed(seconds, "detect"):
        sightings = [
            detect(clip, detector, progress=partial(tell, stage))
            for clip, stage in zip(clips, _stages(calibration, len(clips)), strict=True)
        ]
    with _timed(seconds, "match"):
        scene = together(sightings, calibration, options)
    chosen = [(person.id, *seen_part(scene.clips, person)) for person in choose(scene.people, options.person)]
    rig, found, gravity = scene.cameras, scene.facts, "given" if scene.is_level else None
    del sightings, scene  # everybody's keypoints over the whole take: only those asked for stay in memory
    return [
        reconstruct(parts, views, rig, options, tell, facts | found | {"person": person}, seconds, gravity)
        for person, parts, views, facts in chosen
    ]


def reconstruct(
    clips: Sequence[Clip],
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    options: Options,
    tell: Progress = lambda stage, done, total: None,
    facts: Mapping[str, object] | None = None,
    seconds: Mapping[str, float] | None = None,
    gravity: str | None = None,
) -> Capture:
    """Return one person's motion, standing on the floor, from what the cameras saw of them.

    `gravity` is "given" where the cameras' world is known to be level; None lets the person's stance decide.

    Raises:
        NoPersonFound: too little of the body was seen.
    """
    seconds = dict(seconds or {})
    fitter = Fitter.for_views(len(views), options.height)
    with _timed(seconds, "repair"):
        views, repairs = repair(views, options.longest_gap)
    names = lifters_for(options.lifter, views)
    with _timed(seconds, "lift"):
        starts = [load_lifter(name)(views, cameras) for name in names]
    with _timed(seconds, "fit"):
        motion = fit_skeleton(
            starts, views, cameras, fitter, progress=lambda done, total: tell("fit", done, total)
        )
        points = body_keypoints(motion)
        contacts = find_contacts(points, views, cameras)
        level = Gravity(np.eye(4), gravity) if gravity else find_gravity(points, contacts, cameras[0])
        motion, cameras = _moved(motion, cameras, level.level_from_world)
        contacts = find_contacts(body_keypoints(motion), views, cameras)
        motion = settle(motion, views, cameras, contacts, fitter)
    with _timed(seconds, "clean"):
        motion = smooth(motion, options.smooth)
        contacts = find_contacts(body_keypoints(motion), views, cameras)
        attachments = attachments_of(motion.skeleton, fitter.body)
        drops = sole_drops(motion.skeleton, attachments, fitter.body.sole_drop)
        floor = find_floor(body_keypoints(motion), contacts, drops)
        motion, cameras = _moved(motion, cameras, floor.transform)
        motion = pin_feet(motion, contacts, attachments, mode=options.foot_lock, drops=drops)
        motion, cameras = _moved(motion, cameras, start_transform(motion))
    points = body_keypoints(motion)
    report = {
        **_clip_facts(clips[0]),
        **(facts or {}),
        **repairs,
        **quality.measure(motion, points, contacts, views, cameras),
        **_facts_of_scale(motion, fitter, len(cameras)),
        **(_facts_of_lens(cameras[0]) if len(cameras) == 1 else quality.by_camera(points, views, cameras)),
        "lifter": "+".join(names),
        "gravity_source": level.source,
        "floor_tilt_deg": floor.tilt_deg,
        "seconds": seconds,
    }
    return Capture(clips, cameras, views, points, motion, contacts, report)


def lift_and_fit(
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    lifters: Sequence[str] = (AUTO,),
    fitter: Fitter | None = None,
    load: Callable[[str], Lifter] = load_lifter,
) -> SkeletonMotion:
    """Return the fitted motion in the world of known cameras (+Y up), feet on a floor of unknown height.

    This is `reconstruct` without what moves or smooths the result: what benchmarks with true cameras judge.
    `load` finds a lifter by its name: benchmarks know more of them than users do.

    Raises:
        ConfigError: there is no such lifter.
    """
    views, _ = repair(views, Options().longest_gap)
    names = [name for given in lifters for name in lifters_for(given, views)]
    starts = [load(name)(views, cameras) for name in names]
    motion = fit_skeleton(starts, views, cameras, fitter)
    contacts = find_contacts(body_keypoints(motion), views, cameras)
    return settle(motion, views, cameras, contacts, fitter)


def repair(
    views: Sequence[Keypoints2D], longest_gap: float
) -> tuple[tuple[Keypoints2D, ...], dict[str, object]]:
    """Return the views with swaps put back, jumps down-weighted and short gaps filled, and how many of each."""
    counts = {"swaps_repaired": 0, "outliers_repaired": 0, "gaps_filled": 0, "gaps_left": 0}
    repaired = []
    for view in views:
        view, swaps = repair_swaps(view)
        view, outliers = repair_outliers(view)
        view, filled, left = fill_gaps(view, longest_gap)
        counts["swaps_repaired"] += swaps
        counts["outliers_repaired"] += outliers
        counts["gaps_filled"] += filled
        counts["gaps_left"] += left
        repaired.append(view)
    return tuple(repaired), dict(counts)


def lifters_for(name: str, views: Sequence[Keypoints2D]) -> list[str]:
    """Return the lifters that a name stands for: `auto` is all that can work with these views."""
    return applicable(views) if name == AUTO else [name]


def _stages(calibration: Calibration | None, count: int) -> list[str]:
    """Return what is told while each video is detected: which camera it is, where there are several."""
    if calibration is None or count == 1:
        return ["detect"] * count
    return [f"detect {camera.name}" for camera in calibration.cameras]


def _moved(
    motion: SkeletonMotion, cameras: Sequence[Camera], transform: np.ndarray
) -> tuple[SkeletonMotion, tuple[Camera, ...]]:
    """Return motion and cameras in the world that a rigid transform leads to."""
    return move_motion(motion, transform), tuple(moved(camera, transform) for camera in cameras)


def _facts_of_scale(motion: SkeletonMotion, fitter: Fitter, num_cameras: int) -> dict[str, object]:
    """Return how tall the person is taken to be, and why."""
    assert motion.skeleton.shape is not None  # the fit made it
    seen = "prior" if num_cameras == 1 else "cameras"
    return {
        "person_height_m": fitter.body.stature(motion.skeleton.shape),
        "scale_source": seen if fitter.height is None else "given",
    }


def _facts_of_lens(camera: Camera) -> dict[str, object]:
    """Return what one camera cannot see and the result rests on, for the report."""
    pitch, roll = pitch_and_roll(camera)
    return {
        "focal_px": float(camera.intrinsics[0, 0]),
        "camera_pitch_deg": pitch,
        "camera_roll_deg": roll,
    }


def _clip_facts(clip: Clip) -> dict[str, object]:
    """Return what the report says of a clip's clock and picture."""
    return {
        **clip.facts,
        "fps": float(clip.fps),
        "fps_exact": str(clip.fps),
        "frames": clip.frames,
        "duration_s": clip.frames / float(clip.fps),
        "start_s": clip.start,
        "width_px": clip.size[0],
        "height_px": clip.size[1],
    }


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time spent in the block to a stage."""
    begun = time.monotonic()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - begun
