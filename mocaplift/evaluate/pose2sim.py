"""Pose2Sim's single-person example as a benchmark: each of its cameras alone against all of them together.

The folder holds the videos (`*.mp4`) and one calibration (`Calib*.toml`: metres, world +Z up), at any depth. The
truth is what a confidence-weighted DLT makes of the same detections in all views: a reference with centimetres of
its own error (the calibration is rough), the same for every method.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.cameras import cam_points, normalized
from mocaplift.errors import CalibrationError, InvalidData
from mocaplift.evaluate.floors import DETECTOR, STATIC, static
from mocaplift.evaluate.report import Row, with_all
from mocaplift.evaluate.scores import image_scores, motion_scores, pose_scores, rows, world_scores
from mocaplift.evaluate.solvers import Solve, by_pipeline
from mocaplift.layouts import BODY21, remap
from mocaplift.values import Camera, Keypoints2D, Layout

# The points compared: nose, limbs and feet. Eyes and ears would count the head five times over.
_FACE = ("left_eye", "right_eye", "left_ear", "right_ear")
COMPARED = Layout(
    name="nose_limbs_feet",
    joints=tuple(joint for joint in BODY21.joints if joint not in _FACE),
    pairs=tuple(pair for pair in BODY21.pairs if pair[0] not in _FACE),
)
# A DLT needs two views; parallel rays make the second-smallest singular value vanish too.
FEWEST_VIEWS = 2
# Widths that differ by more than this are another video, not another padding of the same one.
SIZE_TOLERANCE = 0.02


def read_cameras(path: str | Path) -> tuple[Camera, ...]:
    """Return the cameras of a Pose2Sim calibration file, in our world: +Y up.

    Raises:
        CalibrationError: the file is missing or holds no such cameras.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        found = tuple(
            _camera(entry) for entry in tables.values() if isinstance(entry, dict) and "matrix" in entry
        )
    except OSError as error:
        raise CalibrationError(f"cannot read the calibration {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, InvalidData) as error:
        raise CalibrationError(f"{path} is not a Pose2Sim calibration: {error}") from error
    if not found:
        raise CalibrationError(
            f"{path} names no camera (a table with size, matrix, rotation and translation)"
        )
    return found


def find(folder: str | Path) -> list[tuple[Path, Camera]]:
    """Return the videos of a folder, each with its camera: matched by name, else in order.

    Raises:
        InvalidData: there is no such folder, or it holds no video.
        CalibrationError: there is no calibration, more than one, or its cameras do not match the videos.
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
    rig = read_cameras(files[0])
    if len(rig) != len(videos):
        raise CalibrationError(f"{files[0]} names {len(rig)} cameras, but there are {len(videos)} videos")
    by_name = {_plain(camera.name): camera for camera in rig}
    if {_plain(video.stem) for video in videos} == set(by_name):
        return [(video, by_name[_plain(video.stem)]) for video in videos]
    return list(zip(videos, rig, strict=True))


def resized(camera: Camera, size: tuple[int, int]) -> Camera:
    """Return the camera for a picture of another size: the calibrated picture was stretched to it.

    Raises:
        CalibrationError: the shapes differ by more than the padding of a video codec.
    """
    if camera.size == size:
        return camera
    ratio = np.array(size, dtype=float) / np.array(camera.size)
    if abs(ratio[0] / ratio[1] - 1) > SIZE_TOLERANCE:
        raise CalibrationError(f"camera {camera.name!r} was calibrated at {camera.size}, its video is {size}")
    # Pixel centres lie at integers: the edge of the picture is at -0.5.
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, :2] *= ratio[:, None]
    intrinsics[:2, 2] = (intrinsics[:2, 2] + 0.5) * ratio - 0.5
    return Camera(camera.name, intrinsics, camera.distortion, camera.cam_from_world, size)


def dlt(cameras: Sequence[Camera], views: Sequence[Keypoints2D]) -> Float[np.ndarray, "T J 3"]:
    """Return the points that a confidence-weighted direct linear transform makes of several views, world metres.

    Hartley and Zisserman 2004, section 12.2, in normalised coordinates, each view's two equations times its
    confidence. NaN where fewer than two views see the point.
    """
    equations = []
    count = np.zeros(views[0].conf.shape, dtype=int)
    for camera, view in zip(cameras, views, strict=True):
        seen = view.conf > 0
        ideal = normalized(camera, np.where(seen[..., None], view.xy, 0.0))
        matrix = camera.cam_from_world[:3]
        for axis in (0, 1):
            equations.append(view.conf[..., None] * (ideal[..., axis, None] * matrix[2] - matrix[axis]))
        count += seen
    _, _, vt = np.linalg.svd(np.stack(equations, axis=-2))
    point = vt[..., -1, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        xyz = point[..., :3] / point[..., 3:]
    return np.where((count >= FEWEST_VIEWS)[..., None], xyz, np.nan)


def pose2sim(
    folder: str | Path,
    *,
    lifters: Sequence[str] = ("smplify",),
    detector: str = "mediapipe",
    solve: Solve = by_pipeline,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return the rows of the benchmark: each camera alone, then "all", the floors beside the lifters.

    Every lifter is given the true camera (focal length, distortion, gravity) and nothing of the other views.
    MPJPE is of `COMPARED`, hips at the origin, in the camera's frame: the frame of the detector's own landmarks.

    Args:
        folder: where the videos and the calibration lie.
        lifters: names to score, as `solve` understands them.
        detector: which detector sees the videos.
        solve: what turns a view into points.
        progress: told (videos seen or scored, all of these).

    Raises:
        InvalidData: the folder holds no videos.
        CalibrationError: cameras are missing, unreadable, or do not match the videos.
    """
    found = find(folder)
    views: list[Keypoints2D] = []
    steps = len(found) * (1 + len(lifters))
    for video, _ in found:
        views.append(see(video, detector))
        _tell(progress, len(views), steps)
    rig = [resized(camera, view.size) for (_, camera), view in zip(found, views, strict=True)]
    frames = min(len(view.xy) for view in views)
    views = [_first(view, frames) for view in views]
    truth = remap(dlt(rig, views), BODY21, COMPARED)
    made: list[Row] = []
    for number, ((video, _), camera, view) in enumerate(zip(found, rig, views, strict=True)):
        made += _floors(video.stem, camera, view, truth)
        for place, lifter in enumerate(lifters):
            motion = solve([view], [camera], lifter)
            xyz = remap(motion.xyz, motion.layout, COMPARED)
            scores = pose_scores(xyz, truth, COMPARED) | world_scores(xyz, truth, COMPARED)
            scores |= motion_scores(xyz, truth, COMPARED, view.fps)
            scores |= image_scores(xyz, COMPARED, view, camera)
            made += _rows(scores, video.stem, lifter, frames)
            _tell(progress, len(found) + number * len(lifters) + place + 1, steps)
    return with_all(made)


def see(video: Path, detector: str) -> Keypoints2D:
    """Return what a detector sees of the largest person in a video, in BODY21, unrepaired.

    Raises:
        VideoError: the video cannot be read.
        NoPersonFound: nobody is in it.
    """
    from mocaplift import detect
    from mocaplift.detect import track
    from mocaplift.video import probe

    sighting = detect.detect(probe(video), detect.load_detector(detector), camera_motion=False)
    return track.choose(sighting.tracks, "largest")[0].keypoints


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
    return rows(scores, benchmark="pose2sim", sequence=sequence, views=1, lifter=lifter, frames=frames)


def _tell(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _first(view: Keypoints2D, frames: int) -> Keypoints2D:
    """Return the first frames of a view."""
    landmarks = None if view.landmarks is None else view.landmarks[:frames]
    return Keypoints2D(view.xy[:frames], view.conf[:frames], view.layout, view.fps, view.size, landmarks)


def _plain(name: str) -> str:
    """Return a name without the signs that separate words: `cam_01` is `cam01`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _camera(entry: dict) -> Camera:
    cam_from_world = np.eye(4)
    turn = rotations.to_matrix(rotations.from_rotvec(np.asarray(entry["rotation"], dtype=float)))
    # Columns of the turn are the world's axes; y_up_from_z_up of rows turns those axes.
    cam_from_world[:3, :3] = rotations.y_up_from_z_up(turn)
    cam_from_world[:3, 3] = entry["translation"]
    distortion = np.zeros(5)
    distortion[: len(entry["distortions"])] = entry["distortions"]
    width, height = entry["size"]
    return Camera(
        name=str(entry["name"]),
        intrinsics=np.asarray(entry["matrix"], dtype=float),
        distortion=distortion,
        cam_from_world=cam_from_world,
        size=(round(width), round(height)),
    )
