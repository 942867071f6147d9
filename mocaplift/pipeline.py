"""The product on one screen: a clip in, the motion of every chosen person out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from mocaplift import quality, video
from mocaplift.assume import Gravity, assumed_camera, find_gravity, pitch_and_roll
from mocaplift.body import attachments_of, body_keypoints
from mocaplift.cameras import moved
from mocaplift.clean.contacts import find_contacts
from mocaplift.clean.feet import pin_feet
from mocaplift.clean.gaps import fill_gaps
from mocaplift.clean.ground import find_floor, move_motion, sole_drops, start_transform
from mocaplift.clean.outliers import repair_outliers
from mocaplift.clean.smoothing import smooth
from mocaplift.clean.swaps import repair_swaps
from mocaplift.detect import Detector, detect
from mocaplift.detect.track import Track, choose
from mocaplift.errors import ConfigError, NoPersonFound
from mocaplift.fit import Fitter, fit_skeleton, settle
from mocaplift.lift import AUTO, applicable, load_lifter
from mocaplift.options import Options
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, SkeletonMotion

# (stage, done, total): what is going on, for a progress bar.
Progress = Callable[[str, int, int], None]

# A body whose hips and knees are seen in less than this share of the frames cannot be captured: its legs, its
# path and its contacts would be invented. A joint counts as seen from this confidence (expected error 5 cm).
LEAST_WHOLE, SEEN = 0.2, 0.15
# A person seen for less than this (s) has no motion to speak of.
SHORTEST = 0.2


def capture(
    paths: Sequence[Path | str],
    cameras: Sequence[Camera] | None,
    detector: Detector,
    options: Options | None = None,
    progress: Progress | None = None,
) -> list[Capture]:
    """Return the motion of every chosen person in a clip.

    Args:
        paths: one video.
        cameras: its camera where it is known, in a world with +Y up; None assumes one and says so.
        detector: from `detect.load_detector`.
        options: what the user decided.
        progress: called with (stage, done, total).

    Raises:
        VideoError: the video cannot be read.
        NoPersonFound: nobody was seen, or too little of them.
        ConfigError: the options ask for a person or lifter that does not exist.
    """
    options, tell = options or Options(), progress or (lambda stage, done, total: None)
    if len(paths) != 1 or (cameras is not None and len(cameras) != 1):
        raise ConfigError(f"one video with at most one camera is captured at a time, not {len(paths)}")
    seconds: dict[str, float] = {}
    clip = video.probe(paths[0], start=options.start, end=options.end, slow_motion=options.slow_motion)
    with _timed(seconds, "detect"):
        sighting = detect(clip, detector, progress=lambda done, total: tell("detect", done, total))
    chosen = choose(sighting.tracks, options.person)
    moves = sighting.camera_motion
    found: dict[str, object] = dict(sighting.facts) | {
        "complete": bool(clip.facts.get("complete", True)) and sighting.clip.frames == clip.frames,
        "camera_is_moving": None if moves is None else moves.is_moving,
        "camera_drift_px": None if moves is None else moves.drift_px,
    }
    parts = [(track.id, *seen_part(sighting.clip, track)) for track in chosen]
    del sighting, chosen  # everybody's keypoints over the whole clip: only those asked for stay in memory
    results = []
    for person, part, view, facts in parts:
        assumed, focal_source = assumed_camera(part, options) if cameras is None else (cameras[0], "given")
        facts |= found | {"person": person, "focal_source": focal_source}
        gravity = "given" if cameras is not None or options.pitch is not None else None
        results.append(reconstruct((part,), (view,), (assumed,), options, tell, facts, seconds, gravity))
    return results


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
    fitter = Fitter(height=options.height)
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
        **_assumed_facts(motion, cameras[0], fitter),
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
) -> SkeletonMotion:
    """Return the fitted motion in the world of known cameras (+Y up), feet on a floor of unknown height.

    This is `reconstruct` without what moves or smooths the result: what benchmarks with true cameras judge.

    Raises:
        ConfigError: there is no such lifter.
    """
    views, _ = repair(views, Options().longest_gap)
    names = [name for given in lifters for name in lifters_for(given, views)]
    starts = [load_lifter(name)(views, cameras) for name in names]
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


def seen_part(clip: Clip, track: Track) -> tuple[Clip, Keypoints2D, dict[str, object]]:
    """Return the stretch of the clip in which the person is seen, and how much of them was.

    Raises:
        NoPersonFound: too short, or too little of the body, to be captured.
    """
    seen = np.flatnonzero(track.is_seen)
    first, last = int(seen[0]), int(seen[-1]) + 1
    view, fps = track.keypoints, float(clip.fps)
    if last - first < max(2, SHORTEST * fps):
        raise NoPersonFound(
            f"{clip.path}: {track.described()} is seen for {(last - first) / fps:.2f} s only; a motion needs at "
            f"least {SHORTEST} s"
        )
    needed = view.layout.index("left_hip", "right_hip", "left_knee", "right_knee")
    whole = (view.conf[first:last, needed] >= SEEN).all(axis=1).mean()
    if whole < LEAST_WHOLE:
        raise NoPersonFound(
            f"{clip.path}: hips and knees of {track.described()} are seen in {whole:.0%} of the frames only; film "
            "the whole body, from head to feet"
        )
    part = replace(clip, start=clip.start + first / fps, frames=last - first)
    stretch = slice(first, last)
    landmarks = None if view.landmarks is None else view.landmarks[stretch]
    view = replace(view, xy=view.xy[stretch], conf=view.conf[stretch], landmarks=landmarks)
    return part, view, {"seen_share": len(seen) / (last - first)}


def _moved(
    motion: SkeletonMotion, cameras: Sequence[Camera], transform: np.ndarray
) -> tuple[SkeletonMotion, tuple[Camera, ...]]:
    """Return motion and cameras in the world that a rigid transform leads to."""
    return move_motion(motion, transform), tuple(moved(camera, transform) for camera in cameras)


def _assumed_facts(motion: SkeletonMotion, camera: Camera, fitter: Fitter) -> dict[str, object]:
    """Return what one camera cannot see and the result rests on, for the report."""
    pitch, roll = pitch_and_roll(camera)
    assert motion.skeleton.shape is not None  # the fit made it
    return {
        "focal_px": float(camera.intrinsics[0, 0]),
        "person_height_m": fitter.body.stature(motion.skeleton.shape),
        "scale_source": "prior" if fitter.height is None else "given",
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
