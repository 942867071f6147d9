"""Pose2Sim's single-person example as a benchmark: each camera alone, or several together.

The folder holds the videos (`*.mp4`), one calibration (`Calib*.toml`) and, for several views, the reference
(`*.trc`), at any depth. One view: the truth is what a confidence-weighted DLT makes of the same detections in all
views and, where the folder holds it, the reference. Several: the reference, which is Pose2Sim's own DLT of another
detector's points; and, for fewer views than there are cameras, what the same lifter makes of all. All have
centimetres of their own error (the calibration is rough), the same for every method.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.calibrate import Calibration, read_calibration
from mocaplift.cameras import cam_points
from mocaplift.detect.track import Track, choose
from mocaplift.errors import CalibrationError, ConfigError, InvalidData
from mocaplift.evaluate import pooled, several, trc
from mocaplift.evaluate.floors import DETECTOR, STATIC, static
from mocaplift.evaluate.metrics import depth_gain, hip_midpoint
from mocaplift.evaluate.report import ALL, Row, with_all
from mocaplift.evaluate.scores import image_scores, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.solvers import Solve, by_lifter
from mocaplift.layouts import BODY21, remap
from mocaplift.lift import AUTO
from mocaplift.values import Camera, Clip, Keypoints2D, Layout
from mocaplift.views.pairing import pair_cameras
from mocaplift.views.people import match_people

BENCHMARK = "pose2sim"
# Names of the truths of several views.
REFERENCE, ALL_CAMERAS = "reference", "all cameras"
# The points compared: nose, limbs and feet. Eyes and ears would count the head five times over.
_FACE = ("left_eye", "right_eye", "left_ear", "right_ear")
COMPARED = Layout(
    name="nose_limbs_feet",
    joints=tuple(joint for joint in BODY21.joints if joint not in _FACE),
    pairs=tuple(pair for pair in BODY21.pairs if pair[0] not in _FACE),
)


def find(folder: str | Path) -> tuple[list[Path], Calibration]:
    """Return the videos of a folder and its calibration.

    Raises:
        InvalidData: there is no such folder, or it holds no video.
        CalibrationError: there is no calibration, more than one, or it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidData(f"no such folder: {folder}; it should hold Pose2Sim's videos and a Calib*.toml")
    videos = sorted(folder.rglob("*.mp4"))
    if not videos:
        raise InvalidData(f"{folder} holds no video (.mp4)")
    files = sorted(folder.rglob("Calib*.toml"))
    if len(files) != 1:
        names = ", ".join(str(file.relative_to(folder)) for file in files) or "none"
        raise CalibrationError(f"{folder} must hold one calibration (Calib*.toml), but holds: {names}")
    return videos, read_calibration(files[0])


def reference(folder: str | Path) -> Float[np.ndarray, "T 17 3"]:
    """Return the reference's points of `COMPARED`, metres in our world; NaN where it has none.

    The calibration's axes (X, Y, Z up) are (Y, Z, X) in the file: its columns are Y, Z and X.

    Raises:
        InvalidData: there is no reference, more than one, or it cannot be read.
    """
    folder = Path(folder)
    files = sorted(folder.rglob("*.trc"))
    if len(files) != 1:
        raise InvalidData(
            f"{folder} must hold one reference (*.trc) to score several views, but holds {len(files)}"
        )
    found = trc.read(files[0])
    out = np.full((len(found.xyz), len(COMPARED), 3), np.nan)
    for place, joint in enumerate(COMPARED.joints):
        marker = _marker(joint)
        if marker not in found.names:
            raise InvalidData(f"{files[0]} has no marker {marker}; it has {', '.join(found.names)}")
        out[:, place] = rotations.y_up_from_z_up(found.xyz[:, found.names.index(marker)][:, [2, 0, 1]])
    return out


def pose2sim(
    folder: str | Path,
    *,
    views: int = 1,
    lifters: Sequence[str] | None = None,
    detector: str = "mediapipe",
    fit: bool = False,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark.

    One view: each camera alone, then "all", the floors beside the lifters; the same against the reference, if
    there is one, under names that end in it. Every lifter is given the true camera (focal length, distortion,
    gravity) and nothing of the other views. MPJPE is of `COMPARED`, hips at the origin, in the camera's frame: the
    frame of the detector's own landmarks.

    Several views: every set of so many cameras, absolute errors against the reference (`REFERENCE`), and against
    what the same lifter makes of all cameras (`ALL_CAMERAS`); the rows of `pooled`.

    Args:
        folder: where the videos, the calibration and the reference lie.
        views: cameras that see the person together.
        lifters: names to score, as `solve` understands them; None: auto, or all there are of several views.
        detector: which detector sees the videos.
        fit: with several views, score each lifter also with the product's fit after it.
        solve: what turns views into points.
        progress: told (videos seen, all videos), then with several views (sets scored, all sets).

    Raises:
        InvalidData: the folder holds no videos, or no reference.
        CalibrationError: cameras are missing, unreadable, or do not match the videos.
        ConfigError: there are fewer cameras than views.
    """
    videos, calibration = find(folder)
    measured = reference(folder) if views > 1 or any(Path(folder).rglob("*.trc")) else None
    clips, seen = [], []
    for number, video in enumerate(videos, start=1):
        clip, tracks = see(video, detector)
        clips.append(clip)
        seen.append(tracks)
        if progress is not None:
            progress(number, len(videos))
    rig = pair_cameras(calibration, clips)
    frames = min(len(track.keypoints.xy) for tracks in seen for track in tracks)
    seen = [[_first(track, frames) for track in tracks] for tracks in seen]
    if views == 1 or measured is None:
        alone = [choose(tracks, "largest")[0].keypoints for tracks in seen]
        return _alone(videos, alone, rig, (AUTO,) if lifters is None else lifters, solve, measured)
    # A bystander walks through two of the pictures: who is who, all views tell together, as in the product.
    person = choose(match_people(seen, rig), "largest")[0]
    names = several.default_lifters() if lifters is None else lifters
    names = several.with_fit(names) if fit else names
    return _together(person.views, rig, measured, views, names, solve, progress)


def _alone(
    videos: Sequence[Path],
    views: Sequence[Keypoints2D],
    rig: Sequence[Camera],
    lifters: Sequence[str],
    solve: Solve,
    measured: Float[np.ndarray, "T 17 3"] | None,
) -> list[Row]:
    """Return the rows of each camera alone, and "all", against all detections and then what was `measured`."""
    everything = by_lifter(views, rig, "dlt")
    truths = {"": remap(everything.xyz, everything.layout, COMPARED)}
    if measured is not None:
        truths[f" ({REFERENCE})"] = measured
    motions = {
        (video.stem, lifter): solve([view], [camera], lifter)
        for video, camera, view in zip(videos, rig, views, strict=True)
        for lifter in lifters
    }
    made: list[Row] = []
    for suffix, truth in truths.items():
        frames = min(len(truth), len(views[0].xy))
        found: list[Row] = []
        for video, camera, view in zip(videos, rig, views, strict=True):
            name, part = video.stem, _cut(view, frames)
            found += _floors(name, camera, part, truth[:frames])
            for lifter in lifters:
                motion = motions[name, lifter]
                xyz = remap(motion.xyz[:frames], motion.layout, COMPARED)
                found += _rows(_scores(xyz, truth[:frames], part, camera), name, lifter, frames)
        made += [row._replace(sequence=row.sequence + suffix) for row in with_all(found)]
    return made


def _scores(
    xyz: Float[np.ndarray, "T 17 3"], truth: Float[np.ndarray, "T 17 3"], view: Keypoints2D, camera: Camera
) -> dict[str, float]:
    """Return every metric of what one camera made."""
    scores = pose_scores(xyz, truth, COMPARED) | world_scores(xyz, truth, COMPARED)
    scores |= motion_scores(xyz, truth, COMPARED, view.fps)
    scores |= image_scores(xyz, COMPARED, view, camera)
    depths = (cam_points(camera, hip_midpoint(points, COMPARED))[:, 2] for points in (xyz, truth))
    return scores | {"depth_gain": depth_gain(*depths)[0]}


def _together(
    views: Sequence[Keypoints2D],
    rig: Sequence[Camera],
    truth: Float[np.ndarray, "T 17 3"],
    count: int,
    lifters: Sequence[str],
    solve: Solve,
    progress: Callable[[int, int], None] | None,
) -> list[Row]:
    """Return the rows of every set of `count` views against the reference and against all views together.

    Raises:
        ConfigError: there are fewer cameras than views.
    """
    frames = min(len(truth), len(views[0].xy))
    views, truth = [_cut(view, frames) for view in views], truth[:frames]
    sets = list(itertools.combinations(range(len(views)), count))
    if not sets:
        raise ConfigError(f"{count} views were asked for, but there are only {len(views)} cameras")

    def scenes(name: str, xyz: Float[np.ndarray, "T 17 3"]) -> list[several.Scene]:
        return [
            several.Scene(
                name=name,
                views=tuple(views[v] for v in chosen),
                cameras=tuple(rig[v] for v in chosen),
                truth=xyz,
                layout=COMPARED,
                without=number % count,
            )
            for number, chosen in enumerate(sets)
        ]

    made = pooled.table(
        several.scored(scenes(REFERENCE, truth), lifters, solve=solve, progress=progress), BENCHMARK
    )
    if count == len(views):
        return _unpooled(made)
    for lifter in lifters:
        motion = solve(views, rig, lifter)
        all_views = scenes(ALL_CAMERAS, remap(motion.xyz, motion.layout, COMPARED))
        made += pooled.table(several.scored(all_views, [lifter], solve=solve), BENCHMARK)
    return _unpooled(made)


def _unpooled(made: Sequence[Row]) -> list[Row]:
    """Return the rows without "all": two truths of the same takes are not to be averaged."""
    return [row for row in made if row.sequence != ALL]


def _marker(joint: str) -> str:
    """Return what the reference calls a joint: `RBigToe` for `right_big_toe`."""
    side, _, part = joint.partition("_")
    words = part.split("_") if side in ("left", "right") else [joint]
    return (side[0].upper() if part else "") + "".join(word.capitalize() for word in words)


def see(video: Path, detector: str) -> tuple[Clip, Sequence[Track]]:
    """Return a video and everybody whom a detector sees in it, in BODY21, unrepaired.

    Raises:
        VideoError: the video cannot be read.
        NoPersonFound: nobody is in it.
    """
    from mocaplift import detect
    from mocaplift.video import probe

    clip = probe(video)
    sighting = detect.detect(clip, detect.load_detector(detector), camera_motion=False)
    return clip, sighting.tracks


def _floors(name: str, camera: Camera, view: Keypoints2D, truth: Float[np.ndarray, "T J 3"]) -> list[Row]:
    """Return the rows of a held first frame and of the detector's own landmarks."""
    held = static(truth)
    scores = pose_scores(held, truth, COMPARED) | world_scores(held, truth, COMPARED)
    made = _rows(scores, name, STATIC, len(truth))
    if view.landmarks is not None:
        own = remap(view.landmarks, BODY21, COMPARED)
        made += _rows(pose_scores(own, cam_points(camera, truth), COMPARED), name, DETECTOR, len(truth))
    return made


def _rows(scores: dict[str, float], sequence: str, lifter: str, frames: int) -> list[Row]:
    return rows(scores, benchmark=BENCHMARK, sequence=sequence, views=1, lifter=lifter, frames=frames)


def _first(track: Track, frames: int) -> Track:
    """Return the first frames of a track."""
    return Track(track.id, _cut(track.keypoints, frames), track.boxes[:frames])


def _cut(view: Keypoints2D, frames: int) -> Keypoints2D:
    """Return the first frames of a view."""
    landmarks = None if view.landmarks is None else view.landmarks[:frames]
    return Keypoints2D(view.xy[:frames], view.conf[:frames], view.layout, view.fps, view.size, landmarks)
