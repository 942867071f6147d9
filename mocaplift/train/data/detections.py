"""Real detections of rendered people beside their exact truth: what `train.detector_noise` is fitted on.

    python -m mocaplift.train.data.detections --cmu DIR --out FILE.npz

Short clips of random people, motions of the training split, places and cameras are rendered and shown to the
embedded detector as a video would be. The file keeps what it said and what was true, and no picture.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.cameras import cam_points, project
from mocaplift.detect.blazepose import BlazePose, Reading, Region
from mocaplift.detect.mediapipe import MediaPipeDetector
from mocaplift.files import whole_file
from mocaplift.layouts import BODY21, MEDIAPIPE33, remap
from mocaplift.train.data.anny_body import Body
from mocaplift.train.data.cmu import read_takes
from mocaplift.train.data.scenes import SceneConfig
from mocaplift.train.data.synthetic_mesh import Shot, generate

log = logging.getLogger(__name__)

# Clips of these seconds at this size: long enough for errors to come and go, small enough to render thousands.
SCENES = SceneConfig(size=(960, 540), seconds=(2.5, 3.5))
NUM_BODIES = 16


class _Listening(BlazePose):
    """The detector's networks, which remember what they last said: visibilities are not in a `Person`."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[Reading] = []

    def read(
        self, image: UInt8[np.ndarray, "H W 3"], region: Region, *, is_mirrored: bool = False
    ) -> Reading | None:
        """Return what `BlazePose.read` does, and keep it."""
        reading = super().read(image, region, is_mirrored=is_mirrored)
        if reading is not None:
            self.readings.append(reading)
        return reading


def watch(shot: Shot) -> dict[str, Float[np.ndarray, "T ..."]]:
    """Return what the embedded detector says of the largest person in each frame of a shot, and the truth.

    `xy`, `true_xy` [T 21 2] px; `visibility`, `conf` [T 21], the network's own and the one on our scale;
    `landmarks` [T 21 3], the detector's 3D, and `true_cam` [T 21 3], metres in camera axes. NaN (visibility 0)
    where nobody was seen.

    Raises:
        MissingDependency: moderngl, an EGL driver or mediapipe is absent.
    """
    networks = _Listening()
    detector = MediaPipeDetector(networks)
    camera = shot.cameras[0]
    frames, joints = shot.truth.xyz.shape[:2]
    out = {
        "xy": np.full((frames, joints, 2), np.nan),
        "visibility": np.zeros((frames, joints)),
        "conf": np.zeros((frames, joints)),
        "landmarks": np.full((frames, joints, 3), np.nan),
        "true_xy": project(camera, shot.truth.xyz),
        "true_cam": cam_points(camera, shot.truth.xyz),
    }
    for frame, image in enumerate(shot.frames()):
        networks.readings.clear()
        people = detector(image)
        if not people:
            continue
        person = people[0]
        out["xy"][frame], out["conf"][frame] = person.xy, person.conf
        if person.landmarks is not None:
            out["landmarks"][frame] = person.landmarks
        out["visibility"][frame] = _visibility(networks.readings, person.xy)
    return out


def _visibility(readings: list[Reading], xy: Float[np.ndarray, "21 2"]) -> Float[np.ndarray, "21"]:
    """Return the visibilities of the reading that a person was made from: the one at the same place."""
    apart = [np.abs(remap(reading.xy, MEDIAPIPE33, BODY21) - xy).sum() for reading in readings]
    made_from = readings[int(np.argmin(apart))]
    return remap(made_from.visibility[:, None], MEDIAPIPE33, BODY21)[:, 0]


def collect(shots: Iterable[Shot]) -> dict[str, np.ndarray]:
    """Return what was seen and true in all frames of some shots, one after the other.

    Beside the arrays of `watch`: `clip` [N], the number of the shot of each frame, `fps`, and for each shot
    `focal` (px), `stature` (m) and `height_px`, the person's median height in the picture.

    Raises:
        MissingDependency: moderngl, an EGL driver or mediapipe is absent.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for number, shot in enumerate(shots):
        seen = watch(shot)
        frames = len(seen["xy"])
        per_shot = {
            "clip": np.full(frames, number),
            "focal": np.array([shot.cameras[0].intrinsics[0, 0]]),
            "stature": np.array([shot.body.stature]),
            "height_px": np.array([np.median(np.ptp(seen["true_xy"][..., 1], axis=1))]),
        }
        for key, value in (seen | per_shot).items():
            parts.setdefault(key, []).append(value)
        found = np.isfinite(seen["xy"][:, 0, 0])
        error = np.nanmedian(np.linalg.norm(seen["xy"] - seen["true_xy"], axis=-1))
        log.info("shot %d: %d frames, %.0f %% seen, %.1f px", number, frames, 100 * found.mean(), error)
    out = {key: np.concatenate(values) for key, values in parts.items()}
    out = {
        key: value.astype(np.float32 if value.dtype.kind == "f" else np.int32) for key, value in out.items()
    }
    return out | {"fps": np.array(SCENES.fps, dtype=np.float32)}


@click.command()
@click.option("--cmu", type=click.Path(path_type=Path), required=True, help="Folder of the CMU archives.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .npz to write.")
@click.option("--shots", type=int, default=48, show_default=True, help="How many clips.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(cmu: Path, out: Path, shots: int, seed: int) -> None:
    """Render clips, run the embedded detector on them, keep what it said beside the truth."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rng = np.random.default_rng(seed)
    default = Body()
    takes = read_takes(cmu, default.skeleton, sole_y=float(default.rest_vertices[:, 1].min()))
    motions = [take.motion for take in takes if not take.is_validation]
    bodies = [Body.random(rng) for _ in range(NUM_BODIES)]
    arrays = collect(itertools.islice(generate(SCENES, rng, motions, bodies), shots))
    with whole_file(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
