"""Training windows of several cameras, drawn online: motions, rigs, calibrations and detections, all random.

`Sampler.batch` draws many windows as arrays; `Sampler.take` draws one as the values that inference consumes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.blazepose_noise import BlazePoseNoise
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.noise import Detector, Faults, keypoints, single
from mocaplift.train.data.rigs import Rigs, as_calibrated, placed, random_rigs
from mocaplift.train.data.topdown_noise import TopDown
from mocaplift.values import Camera, Keypoints2D, Motion3D

DETECTORS = ("coco", "blazepose")
COCO_SHARE = 0.6


@dataclass(frozen=True, eq=False)
class Draw:
    """N windows: the truth in the world, the rigs as they are and as calibrated, and what was detected.

    `plane` are points in units of the focal length, in the pictures of the true cameras. `detector` counts in
    `DETECTORS`.
    """

    truth: Float[np.ndarray, "N T 21 3"]
    rigs: Rigs
    calibrated: Rigs
    plane: Float[np.ndarray, "N V T 21 2"]
    conf: Float[np.ndarray, "N V T 21"]
    detector: Int[np.ndarray, "N"]


@dataclass(frozen=True, eq=False)
class Take:
    """One window as values: what is true, and what a lifter gets (`views`, `cameras`)."""

    truth: Motion3D
    views: tuple[Keypoints2D, ...]
    cameras: tuple[Camera, ...]
    true_cameras: tuple[Camera, ...]
    detector: str


@dataclass(frozen=True, eq=False)
class Sampler:
    """Random windows of a bank's motions, each before a rig of its own, or all before the one that is given.

    The given one is what a calibration tells (`Rigs.centred`): the true cameras are where its errors put them.
    """

    bank: MotionBank
    faults: Faults = field(default_factory=Faults)
    coco_share: float = COCO_SHARE
    rig: Rigs | None = None

    def batch(
        self, rng: np.random.Generator, count: int, num_views: int, num_frames: int, fps: float
    ) -> dict[str, np.ndarray]:
        """Return windows as single-precision arrays.

        * `rays` [N V T 21 3]: unit directions in the world by the calibration; zero where missing
        * `centres` [N V 3]: where the calibration says that the cameras stand, m
        * `conf` [N V T 21]: on the reference scale, 0 where missing
        * `truth` [N T 21 3]: m, floor at y = 0
        * `error` [N V T 21]: how far (m) the true point is from the ray; 0 where missing
        * `detector` [N]: which of `DETECTORS`

        Raises:
            InvalidData: no motion is long enough, or the rigs cannot have so many cameras.
            WeightsError: the table of the embedded detector's errors is missing.
        """
        draw = self.draw(rng, count, num_views, num_frames, fps)
        zoom = (draw.rigs.focal / draw.calibrated.focal)[:, :, None, None, None]
        centres = draw.calibrated.centre
        rays = np.ones((*draw.plane.shape[:-1], 3), dtype=np.float32)
        np.multiply(draw.plane, zoom, out=rays[..., :2])
        flat = rays.reshape(count, num_views, -1, 3)
        rays = np.matmul(flat, draw.calibrated.rotation).reshape(rays.shape)
        rays *= ((draw.conf > 0) / np.sqrt(np.einsum("...i,...i->...", rays, rays)))[..., None]
        away = draw.truth[:, None] - centres[:, :, None, None]
        along = np.einsum("...i,...i->...", away, rays)
        across = away - along[..., None] * rays
        error = np.sqrt(np.einsum("...i,...i->...", across, across)) * (draw.conf > 0)
        return {
            "rays": rays, "centres": centres, "conf": draw.conf, "truth": draw.truth, "error": error,
            "detector": draw.detector,
        }  # fmt: skip

    def draw(self, rng: np.random.Generator, count: int, num_views: int, num_frames: int, fps: float) -> Draw:
        """Return windows of everything that is random.

        Raises:
            InvalidData: no motion is long enough, or the rigs cannot have so many cameras.
            WeightsError: the table of the embedded detector's errors is missing.
        """
        # A frame more at both ends tells how fast the person is, for cameras that are not quite in step.
        longer = self.bank.windows(rng, count, num_frames + 2, fps)
        truth = np.ascontiguousarray(longer[:, 1:-1])
        truth, rigs, calibrated = self._before_cameras(rng, truth, num_views)
        points = rigs.points(truth)
        late = np.flatnonzero(rng.random(count) < self.faults.sync)
        speed = (longer[late, 2:] - longer[late, :-2]) / 2  # per frame
        delay = rng.uniform(-1, 1, (len(late), num_views, 1, 1, 1)).astype(np.float32)
        turned = np.matmul(
            speed.reshape(len(late), 1, num_frames * len(BODY21), 3),
            rigs.rotation[late].transpose(0, 1, 3, 2),
        ).reshape(points[late].shape)
        points[late] += delay * turned
        is_coco = rng.random(count) < self.coco_share
        plane = np.zeros((*points.shape[:-1], 2), dtype=np.float32)
        conf = np.zeros(points.shape[:-1], dtype=np.float32)
        for kind, chosen in ((TopDown(), is_coco), (BlazePoseNoise(), ~is_coco)):
            if chosen.any():
                some = _some(rigs, chosen)
                plane[chosen], conf[chosen] = Detector(kind, self.faults).look(rng, points[chosen], some, fps)
        return Draw(truth, rigs, calibrated, plane, conf, (~is_coco).astype(np.int64))

    def _before_cameras(
        self, rng: np.random.Generator, truth: Float[np.ndarray, "N T 21 3"], num_views: int
    ) -> tuple[Float[np.ndarray, "N T 21 3"], Rigs, Rigs]:
        """Return the windows where their rigs see them, the rigs, and what their calibrations tell of them."""
        if self.rig is None:
            rigs, _ = placed(rng, random_rigs(rng, len(truth), num_views), truth)
            return truth, single(rigs), single(as_calibrated(rng, rigs))
        told = self.rig.repeated(len(truth))
        if told.focal.shape[1] != num_views:
            raise InvalidData(f"the given rig has {told.focal.shape[1]} cameras, not {num_views}")
        moved, _ = placed(rng, told, truth)
        step = (told.centre - moved.centre)[:, :1, None]
        return (truth + step).astype(np.float32), single(as_calibrated(rng, told)), single(told)

    def take(self, rng: np.random.Generator, num_views: int, num_frames: int, fps: float) -> Take:
        """Return one window as the values that inference consumes.

        Raises:
            InvalidData: no motion is long enough, or the rigs cannot have so many cameras.
            WeightsError: the table of the embedded detector's errors is missing.
        """
        draw = self.draw(rng, 1, num_views, num_frames, fps)
        xyz = draw.truth[0].astype(float)
        true_cameras = draw.rigs.cameras(0)
        return Take(
            truth=Motion3D(xyz=xyz, sigma=np.zeros(xyz.shape[:2]), layout=BODY21, fps=fps),
            views=tuple(
                keypoints(camera, draw.plane[0, view], draw.conf[0, view], fps)
                for view, camera in enumerate(true_cameras)
            ),
            cameras=draw.calibrated.cameras(0),
            true_cameras=true_cameras,
            detector=DETECTORS[int(draw.detector[0])],
        )


def _some(rigs: Rigs, chosen: Bool[np.ndarray, "N"]) -> Rigs:
    return Rigs(rigs.rotation[chosen], rigs.centre[chosen], rigs.focal[chosen], rigs.size[chosen])
