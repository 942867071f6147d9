"""The sanity pass: cameras held against the bodies they saw, before anything is built on them.

Files disagree about which way a matrix goes, which axes a camera has, which unit and which way up, and people pair
videos with the wrong cameras. Where several cameras saw the same joints all of that shows: only the right reading
makes the rays meet. Pixels here are those of a picture whose longer side is 1920, lens distortion removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift.calibrate import Calibration
from mocaplift.calibrate.bodies import JOINTS, keeps_unit, stand_up
from mocaplift.calibrate.readings import orders, readings
from mocaplift.cameras import cam_points, centre, normalized, triangulate
from mocaplift.errors import CalibrationError
from mocaplift.values import Camera, Keypoints2D

# Median distance (px) between a joint and where the other cameras put it: over all cameras, and of the worst one.
# A rough but usable rig (Pose2Sim's demonstration) has 9 and 24; wrong readings and orders have 60 to thousands.
LARGEST_ERROR, LARGEST_OF_ONE = 20.0, 45.0
# Where the worst camera is below this (px) nothing else is tried.
FINE_ERROR = 8.0
# Another reading must fit so many times better than the file as it is: the file has the benefit of the doubt.
CLEARLY_BETTER = 0.4
# A joint behind a camera that sees it is as wrong as this (px).
BEHIND = 1000.0
# Keypoints of lower confidence say little about cameras: their error is above 3 cm (`confidence`).
CONFIDENT = 0.3
# As many frames are looked at, evenly spread, and fewer while readings are compared.
MOST_FRAMES, SEARCH_FRAMES = 200, 25
# A camera with fewer joints in common with others is not judged.
LEAST_POINTS = 40
# Steps of robust triangulation, and the error (px) at which an observation has half its weight.
ROBUST_STEPS, ROBUST_ERROR = 5, 10.0
# So many of the readings that fit best are held against all frames, and so many of a kind are named in a refusal.
MOST_REFITTED, MOST_NAMED = 3, 3
AS_IS = "as is"
# Cameras nearer to each other than this (m) see the same rays: no depth comes from them.
SAME_PLACE = 0.01


class Sample(NamedTuple):
    """Confident joints (`bodies.JOINTS`) of some frames in all views; confidence 0 where not seen."""

    xy: Float[np.ndarray, "V F J 2"]
    conf: Float[np.ndarray, "V F J"]


class Fit(NamedTuple):
    """Where the rays of some cameras meet, and how well: px for every observation, by camera, and over all."""

    cameras: tuple[Camera, ...]
    points: Float[np.ndarray, "F J 3"]
    by_camera: Float[np.ndarray, "V"]
    overall: float
    worst: float

    @property
    def is_good(self) -> bool:
        """Whether cameras may be read so."""
        return self.overall <= LARGEST_ERROR and self.worst <= LARGEST_OF_ONE


class Trial(NamedTuple):
    """One way to understand the file, and how well it fits."""

    reading: str
    fit: Fit


def settle_calibration(
    calibration: Calibration, views: Sequence[Keypoints2D], *, stature: float | None = None
) -> tuple[tuple[Camera, ...], dict[str, object]]:
    """Return the cameras in metres, +Y up and the floor near y = 0, and what was found out about them.

    Facts: `calibration_reading`, `calibration_unit`, `calibration_up_source`, `calibration_px` (median error),
    `calibration_unchecked` (cameras that saw too little to be judged) and `calibration_notes` (sentences).

    Args:
        calibration: one camera for each view, in the order of the views.
        views: one person on one clock.
        stature: the person's height (m) where it is known; it gives the scale where the file has none.

    Raises:
        CalibrationError: fewer than two cameras see the person, two stand at one place, or no reading fits.
    """
    cameras = calibration.cameras
    if len(cameras) != len(views):
        raise CalibrationError(f"{calibration.path}: {len(cameras)} cameras for {len(views)} videos")
    if len(cameras) < 2:
        raise CalibrationError(
            f"{calibration.path}: one camera alone gives no depth; give two or more videos, or leave out --calib"
        )
    sample = sampled(views)
    counts = _shared(sample)
    judged = counts >= LEAST_POINTS
    if judged.sum() < 2:
        seen = ", ".join(f"{c.name} {n}" for c, n in zip(cameras, counts, strict=True))
        raise CalibrationError(
            f"{calibration.path}: two cameras must see the same person to be checked; joints in common with "
            f"another camera: {seen}. Check that the videos show one moment (--sync auto) and one person"
        )
    trial = _best(calibration, sample)
    found = stand_up(trial.fit.cameras, trial.fit.points, calibration, stature)
    _check_places(found.cameras, calibration)
    unchecked = [c.name for c, known in zip(found.cameras, judged, strict=True) if not known]
    notes = [
        *_notes(trial),
        *(f"camera {name!r} saw too little of the person to be checked" for name in unchecked),
        *found.notes,
    ]
    return found.cameras, {
        "calibration_reading": trial.reading,
        "calibration_unit": found.unit,
        "calibration_up_source": found.up_source,
        "calibration_px": trial.fit.overall,
        "calibration_unchecked": unchecked,
        "calibration_notes": notes,
    }


def _notes(trial: Trial) -> list[str]:
    notes = []
    if trial.reading != AS_IS:
        notes.append(f"the camera file does not fit as it is; it was read with: {trial.reading}")
    for camera, error in zip(trial.fit.cameras, trial.fit.by_camera, strict=True):
        if LARGEST_ERROR < error < np.inf:
            notes.append(
                f"camera {camera.name!r} lies {error:.0f} px from where the others put the joints: it may have "
                "been moved since it was calibrated"
            )
    return notes


def sampled(views: Sequence[Keypoints2D], most: int = MOST_FRAMES) -> Sample:
    """Return evenly spread frames with confident joints that two or more views share.

    A view that saw the person for a short while only has its frames too.

    Raises:
        CalibrationError: the views differ in length: they are not on one clock.
        InvalidData: a view's layout has no limbs.
    """
    lengths = [len(view.xy) for view in views]
    if len(set(lengths)) > 1:
        raise CalibrationError(f"the views are not on one clock: they have {lengths} frames")
    xy = np.stack([view.xy[:, view.layout.index(*JOINTS)] for view in views])
    conf = np.stack([view.conf[:, view.layout.index(*JOINTS)] for view in views])
    conf = np.where(conf >= CONFIDENT, conf, 0.0)
    conf = np.where((conf > 0).sum(axis=0) >= 2, conf, 0.0)
    chosen: set[int] = set(_spread(np.flatnonzero(conf.any(axis=(0, 2))), most).tolist())
    for view in conf:
        chosen |= set(_spread(np.flatnonzero(view.any(axis=-1)), most // len(views)).tolist())
    frames = sorted(chosen)
    return Sample(xy[:, frames], conf[:, frames])


def fitted(cameras: Sequence[Camera], sample: Sample) -> Fit:
    """Return where the rays meet, outliers and single wrong cameras weighted down."""
    rig = tuple(cameras)
    ideal = tuple(Camera(c.name, c.intrinsics, np.zeros(5), c.cam_from_world, c.size) for c in rig)
    with np.errstate(all="ignore"):
        plane = np.stack([normalized(camera, xy) for camera, xy in zip(rig, sample.xy, strict=True)])
    plane[np.abs(plane).max(axis=-1) > BEHIND] = np.nan
    focal = [camera.intrinsics[:2, :2] for camera in rig]
    xy = np.stack([p @ k.T + c.intrinsics[:2, 2] for p, k, c in zip(plane, focal, rig, strict=True)])
    weights = sample.conf
    for _ in range(ROBUST_STEPS):
        points = triangulate(ideal, xy, weights)
        errors = np.stack([_errors(c, points, p) for c, p in zip(rig, plane, strict=True)])
        errors[(sample.conf == 0) | ~np.isfinite(points).all(axis=-1)] = np.nan
        weights = np.nan_to_num(sample.conf / (1 + (errors / ROBUST_ERROR) ** 2))
    # A point that not even two cameras agree on says nothing about the body.
    agreed = np.sort(np.nan_to_num(errors, nan=BEHIND), axis=0)[1] <= LARGEST_ERROR
    points = np.where(agreed[..., None], points, np.nan)
    by_camera = np.array([_median(of_camera) for of_camera in errors])
    counts = np.isfinite(errors).sum(axis=(1, 2))
    judged = by_camera[counts >= LEAST_POINTS]
    return Fit(rig, points, by_camera, _median(errors), float(judged.max()) if len(judged) > 1 else np.inf)


def _spread(frames: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of the frames, evenly chosen."""
    if len(frames) <= most:
        return frames
    return frames[np.linspace(0, len(frames) - 1, most).astype(int)]


def _shared(sample: Sample) -> np.ndarray:
    return (sample.conf > 0).sum(axis=(1, 2))


def _errors(
    camera: Camera, points: Float[np.ndarray, "F J 3"], plane: Float[np.ndarray, "F J 2"]
) -> Float[np.ndarray, "F J"]:
    """Return the distance between observations and points in px at 1080p, at most `BEHIND`."""
    seen = cam_points(camera, points)
    with np.errstate(all="ignore"):
        miss = (seen[..., :2] / seen[..., 2:] - plane) @ camera.intrinsics[:2, :2].T
        error = np.linalg.norm(miss, axis=-1) * (1920 / max(camera.size))
    return np.where((seen[..., 2] > 0) & (error < BEHIND), error, BEHIND)


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.inf


def _best(calibration: Calibration, sample: Sample) -> Trial:
    """Return the reading to use.

    Raises:
        CalibrationError: none fits.
    """
    as_is = Trial(AS_IS, fitted(calibration.cameras, sample))
    if as_is.fit.worst <= FINE_ERROR:
        return as_is
    few = _thinned(sample)
    trials = [Trial(name, fitted(rig, few)) for name, rig in readings(calibration)]
    exchanged: list[Trial] = []
    if not any(trial.fit.is_good for trial in [as_is, *trials]):
        seen = [bool((conf > 0).any()) for conf in sample.conf]
        exchanged = [Trial(name, fitted(rig, few)) for name, rig in orders(calibration, seen)]
    bar = CLEARLY_BETTER * as_is.fit.worst if as_is.fit.is_good else np.inf
    for trial in _best_first([*trials, *exchanged])[:MOST_REFITTED]:
        full = Trial(trial.reading, fitted(trial.fit.cameras, sample))
        # A second thing wrong, the unit, would be one guess too many.
        if full.fit.is_good and full.fit.worst <= bar and keeps_unit(full.fit.points, calibration):
            return full
    if as_is.fit.is_good:
        return as_is
    raise CalibrationError(_explained(calibration, few, as_is, [trials, exchanged]))


def _best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Return trials by their worst camera; of equal ones the plainer, which was made first."""
    return sorted(trials, key=lambda trial: round(trial.fit.worst, 3))


def _thinned(sample: Sample) -> Sample:
    frames = _spread(np.arange(sample.xy.shape[1]), SEARCH_FRAMES)
    return Sample(sample.xy[:, frames], sample.conf[:, frames])


def _check_places(cameras: Sequence[Camera], calibration: Calibration) -> None:
    """Raise CalibrationError if two cameras (m) stand at one place."""
    for a, b in itertools.combinations(cameras, 2):
        apart = float(np.linalg.norm(centre(a) - centre(b)))
        if apart < SAME_PLACE:
            raise CalibrationError(
                f"{calibration.path}: cameras {a.name!r} and {b.name!r} stand at the same place "
                f"({apart * 1000:.1f} mm apart): together they see no depth. One of them may have been given the "
                "other's numbers; correct its entry, or leave one of the two videos out"
            )


def _explained(calibration: Calibration, few: Sample, as_is: Trial, trials: Sequence[Sequence[Trial]]) -> str:
    """Return why nothing fits: figures by camera and by reading, and the camera that does not fit the others."""
    cameras = calibration.cameras
    by_camera = ", ".join(
        f"{camera.name} {_px(error)}" for camera, error in zip(cameras, as_is.fit.by_camera, strict=True)
    )
    by_reading = "; ".join(
        f"{trial.reading} {_px(trial.fit.worst)}"
        for kind in trials
        for trial in _best_first(kind)[:MOST_NAMED]
    )
    lines = [
        f"the cameras of {calibration.path} do not fit what they saw: joints lie {_px(as_is.fit.overall)} px "
        f"(median, at 1920 px width; at most {LARGEST_ERROR:.0f}, and {LARGEST_OF_ONE:.0f} for a camera) from "
        f"where the other cameras put them. By camera: {by_camera}. Other readings of the file, by their worst "
        f"camera: {by_reading}.",
        *_same_places(cameras),
        _odd_one(cameras, few),
    ]
    return " ".join(lines)


def _same_places(cameras: Sequence[Camera]) -> list[str]:
    centres = np.array([centre(camera) for camera in cameras])
    size = max(float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max()), 1e-12)
    return [
        f"Cameras {cameras[a].name!r} and {cameras[b].name!r} stand at the same place: one may have the other's "
        "numbers."
        for a, b in itertools.combinations(range(len(cameras)), 2)
        if np.linalg.norm(centres[a] - centres[b]) < SAME_PLACE * size
    ]


def _odd_one(cameras: Sequence[Camera], sample: Sample) -> str:
    """Return what to do: about the camera without which the others fit, or about all of them."""
    without = []
    for view in range(len(cameras)) if len(cameras) > 2 else ():
        rest = [other for other in range(len(cameras)) if other != view]
        part = Sample(sample.xy[rest], sample.conf[rest])
        without.append((fitted([cameras[v] for v in rest], part).worst, cameras[view].name))
    without.sort()
    if without and without[0][0] <= LARGEST_OF_ONE and without[0][0] < CLEARLY_BETTER * without[1][0]:
        error, name = without[0]
        return (
            f"Camera {name!r} does not fit the others, which agree within {_px(error)} px without it: it moved "
            "after calibration, its entry is wrong, or its video shows another moment or another person. "
            "Correct it or leave its video out"
        )
    return (
        "Check that each video belongs to its camera, that the cameras stood still since they were calibrated, "
        "and that the videos show the same moment (--sync auto finds the offsets)"
    )


def _px(error: float) -> str:
    return (
        "(too few joints)"
        if not np.isfinite(error)
        else f"over {BEHIND:.0f}"
        if error >= BEHIND
        else f"{error:.1f}"
    )
