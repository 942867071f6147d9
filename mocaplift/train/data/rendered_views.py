"""Takes of several cameras rendered and detected: a validation set whose detections are no model of a detector.

    python -m mocaplift.train.data.rendered_views --cmu DIR --out DIR --takes 12

Held-out motions on random bodies stand before random rigs, are rendered, and shown to the embedded detector, each
camera's pictures as a video. One .npz a take keeps what it said, the truth and the cameras, and no picture;
`read_take` gives them back as values. A take of 3 s and 3 cameras costs about two minutes on one core,
the first body on a machine another one.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from jaxtyping import UInt8

from mocaplift.detect.mediapipe import MediaPipeDetector
from mocaplift.detect.mediapipe import load as load_detector
from mocaplift.errors import InvalidData
from mocaplift.files import whole_file
from mocaplift.layouts import BODY21
from mocaplift.train.data.anny_body import Body
from mocaplift.train.data.cmu import read_takes
from mocaplift.train.data.motions import cut
from mocaplift.train.data.rigs import Rigs, as_calibrated, placed, random_rigs
from mocaplift.train.data.scenes import SceneConfig
from mocaplift.train.data.synthetic_mesh import Shot, film, perform
from mocaplift.train.data.view_windows import Take
from mocaplift.values import Camera, Keypoints2D, Motion3D, SkeletonMotion

log = logging.getLogger(__name__)

SECONDS = 3.0
VIEWS = (2, 4)
LONGEST_SIDE = 960  # px; small enough to render thousands of pictures
# A rig is drawn anew until every camera sees this share of the truth's points, and gives up after so many.
SEEN, MOST_TRIES = 0.9, 50
LARGEST_FILE = 64 << 20  # bytes; a take is some 100 kB
ARRAYS = ("xy", "conf", "truth", "fps", "size", "intrinsics", "cam_from_world", "told_intrinsics", "told_cam_from_world")  # fmt: skip  # noqa: E501


def rig_before(
    rng: np.random.Generator, truth: Motion3D, num_views: int
) -> tuple[tuple[Camera, ...], tuple[Camera, ...]]:
    """Return a random rig that sees a person, with pictures of `LONGEST_SIDE`, and its calibration.

    Raises:
        InvalidData: no rig saw the whole passage, or cannot have so many cameras.
    """
    xyz = truth.xyz[None]
    middle = np.array([1.0, 0.0, 1.0]) * (xyz.min(axis=(0, 1, 2)) + xyz.max(axis=(0, 1, 2))) / 2
    for _ in range(MOST_TRIES):
        rigs, _ = placed(rng, _small(random_rigs(rng, 1, num_views)), xyz - middle)
        points = rigs.points(xyz - middle)
        inside = rigs.is_inside(points[..., :2] / points[..., 2:]) & (points[..., 2] > 0)
        if inside.mean(axis=(2, 3)).min() > SEEN:
            rigs = replace(rigs, centre=rigs.centre + middle)
            return rigs.cameras(0), as_calibrated(rng, rigs).cameras(0)
    raise InvalidData(f"no random rig of {num_views} cameras saw the whole passage")


def take_of(shot: Shot, told: tuple[Camera, ...], detector: MediaPipeDetector) -> Take:
    """Return what the detector says of a shot in every camera: of its largest person.

    Raises:
        MissingDependency: moderngl or an EGL driver is absent.
    """
    views = tuple(
        _watch(detector.fresh(), list(shot.frames(view)), shot.truth.fps, camera.size)
        for view, camera in enumerate(shot.cameras)
    )
    return Take(shot.truth, views, told, shot.cameras, detector.name)


def write_take(path: Path, take: Take) -> None:
    """Write a take as .npz.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays = {
        "xy": np.stack([view.xy for view in take.views]),
        "conf": np.stack([view.conf for view in take.views]),
        "truth": take.truth.xyz,
        "fps": np.array(take.truth.fps),
        "size": np.array([camera.size for camera in take.true_cameras]),
    }
    for prefix, cameras in (("", take.true_cameras), ("told_", take.cameras)):
        arrays[f"{prefix}intrinsics"] = np.stack([camera.intrinsics for camera in cameras])
        arrays[f"{prefix}cam_from_world"] = np.stack([camera.cam_from_world for camera in cameras])
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_take(path: Path) -> Take:
    """Return a take that `write_take` wrote.

    Raises:
        InvalidData: the file is missing, too large, damaged, or no take.
    """
    try:
        if Path(path).stat().st_size > LARGEST_FILE:
            raise InvalidData(f"{path}: larger than any rendered take")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidData(f"{path}: not a rendered take ({error})") from error
    fps, sizes = float(arrays["fps"]), [(int(width), int(height)) for width, height in arrays["size"]]
    true_cameras, cameras = (
        tuple(
            Camera(f"cam{view + 1}", intrinsics, np.zeros(5), pose, sizes[view])
            for view, (intrinsics, pose) in enumerate(
                zip(arrays[f"{prefix}intrinsics"], arrays[f"{prefix}cam_from_world"], strict=True)
            )
        )
        for prefix in ("", "told_")
    )
    truth = arrays["truth"]
    views = tuple(
        Keypoints2D(xy, conf, BODY21, fps, size)
        for xy, conf, size in zip(arrays["xy"], arrays["conf"], sizes, strict=True)
    )
    motion = Motion3D(truth, np.zeros(truth.shape[:2]), BODY21, fps)
    return Take(motion, views, cameras, true_cameras, MediaPipeDetector.name)


def _watch(
    detector: MediaPipeDetector,
    images: list[UInt8[np.ndarray, "H W 3"]],
    fps: float,
    size: tuple[int, int],
) -> Keypoints2D:
    xy, conf = np.full((len(images), len(BODY21), 2), np.nan), np.zeros((len(images), len(BODY21)))
    for frame, image in enumerate(images):
        people = detector(image)
        if people:
            seen = people[0].conf > 0
            xy[frame, seen], conf[frame] = people[0].xy[seen], people[0].conf
    return Keypoints2D(xy, conf, BODY21, fps, size)


def _small(rigs: Rigs) -> Rigs:
    """Return the rigs with pictures whose longer side is `LONGEST_SIDE`: the same angles, fewer pixels."""
    scale = LONGEST_SIDE / rigs.size.max(axis=-1, keepdims=True)
    size = np.rint(rigs.size * scale / 2).astype(int) * 2  # video wants even sides
    return replace(rigs, size=size, focal=rigs.focal * scale[..., 0])


def _shoot(rng: np.random.Generator, motions: list[SkeletonMotion]) -> tuple[Shot, tuple[Camera, ...]]:
    """Return a random passage before a random rig, and the rig's calibration."""
    scene = SceneConfig()
    motion = motions[int(rng.integers(len(motions)))]
    length = len(motion.root) / motion.fps
    begin = rng.uniform(0.0, length - SECONDS)
    body = Body.random(rng)
    passage = perform(cut(motion, begin, begin + SECONDS), body, scene.fps)
    keypoints = body.keypoints(body.pose(passage.rotations, passage.root))
    truth = Motion3D(keypoints, np.zeros(keypoints.shape[:2]), BODY21, scene.fps)
    cameras, told = rig_before(rng, truth, int(rng.integers(VIEWS[0], VIEWS[1] + 1)))
    return film(scene, rng, passage, body, cameras=cameras), told


@click.command()
@click.option("--cmu", type=click.Path(path_type=Path), required=True, help="Folder of the CMU archives.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where to write the takes.")
@click.option("--takes", type=int, default=12, show_default=True, help="How many takes.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(cmu: Path, out: Path, takes: int, seed: int) -> None:
    """Render held-out motions before random rigs, run the embedded detector, keep what it said and the truth."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rng = np.random.default_rng(seed)
    default = Body()
    recorded = read_takes(cmu, default.skeleton, sole_y=float(default.rest_vertices[:, 1].min()))
    motions = [
        take.motion
        for take in recorded
        if take.is_validation and len(take.motion.root) >= SECONDS * take.motion.fps
    ]
    detector = load_detector()
    out.mkdir(parents=True, exist_ok=True)
    for number in range(takes):
        shot, told = _shoot(rng, motions)
        take = take_of(shot, told, detector)
        write_take(out / f"take-{number:03d}.npz", take)
        seen = [(view.conf > 0).mean() for view in take.views]
        log.info("take %d: %d frames, seen %s", number, len(take.truth.xyz), np.round(seen, 2))


if __name__ == "__main__":
    main()
