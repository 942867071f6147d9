"""People as what MVLift learns from: pictures of CMU motions, and the body that fits what was made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline

from mocaplift.body import body_keypoints
from mocaplift.confidence import confidence_of_error
from mocaplift.errors import ConfigError
from mocaplift.fit import Fitter, fit_skeleton
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.lift.mvlift.conditions import Observed
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.line_views import AZIMUTHS
from mocaplift.lift.mvlift.network import DenoiserConfig
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import ring_of
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank, load_banks, read_bank
from mocaplift.train.data.mvlift_pictures import FORMAT, Pictures, read_pictures, save_pictures
from mocaplift.train.data.mvlift_windows import draw, one_camera
from mocaplift.train.mvlift_source import MADE, MADE_BANK, MOCAP, Draw, FitBody
from mocaplift.values import Camera, Keypoints2D, Motion3D

# What was made lasts as long as a window: nothing is left to be faster.
MADE_SPEEDS = (0.7, 0.95)
# The made views that a body is fitted to, beside the real one: 60 degrees to each side.
FITTED_VIEWS = (0, 1, 5)
# What a made view is worth in the fit (m), and the picture that its points are put in.
MADE_ERROR = 0.05
FOCAL_PX, SIZE_PX = 1000.0, (2000, 2000)
WORST_PICTURE = 0.08  # m, mean: bodies further off what was observed are no good examples
LOWEST_SHARE = 5.0  # per cent of the feet's heights that lie below the floor
# Errors (m) between which confidences are interpolated.
ERRORS = np.linspace(0.005, 0.2, 64)
SEED = 17  # of the pictures
WEIGHTS = {None: "mvlift-lines", MOCAP: "mvlift", MADE: "mvlift-2d"}


@dataclass(frozen=True)
class People:
    """People as the CMU archives in a folder have them."""

    cmu: Path

    @property
    def facts(self) -> dict[str, str]:
        """Return whom the recordings are owed to, and the licence of the weights."""
        return {"source": CMU_ACKNOWLEDGEMENT, "licence": "Apache-2.0"}

    def weights_name(self, motions: str | None) -> str:
        """Return the name of a weight file.

        Raises:
            ConfigError: there are no such motions.
        """
        if motions not in WEIGHTS:
            raise ConfigError(f"motions are {MOCAP!r} or {MADE!r}, not {motions!r}")
        return WEIGHTS[motions]

    def figure(self, work: Path) -> Figure:
        """Return a person."""
        return PERSON

    def pictures(
        self, work: Path, network: DenoiserConfig, most: int, held_out: int
    ) -> tuple[Pictures, Pictures]:
        """Return the pictures of training and of validation, made where the work folder lacks them.

        Raises:
            InvalidData: the CMU archives are missing or damaged, or kept pictures are.
            OutputError: the folder cannot be written.
        """
        banks: tuple[MotionBank, MotionBank] | None = None
        out = []
        for number, (split, count) in enumerate((("train", most), ("validation", held_out))):
            path = work / f"pictures-{FORMAT}-{split}.npz"
            if not path.is_file():
                banks = banks or load_banks(self.cmu, work)
                rng = np.random.default_rng((SEED, number))
                shown = Pictures.filmed(banks[number], rng, network.frames, network.fps, count)
                save_pictures(path, shown)
            out.append(read_pictures(path))
        return out[0], out[1]

    def fit_body(self, work: Path, farthest: float) -> FitBody:
        """Return what fits the body model to a window and puts it on the floor."""
        fitter = Fitter.for_views(1)

        def fit(seen: Observed, points: np.ndarray, fps: float) -> np.ndarray | None:
            body = fitted(seen, points, fps, fitter, farthest)
            return None if body is None else as_motion(body, fps)

        return fit

    def windows(self, motions: str, work: Path) -> tuple[Draw, Draw]:
        """Return windows of recordings or of what stage 3 made, and of held-out recordings.

        Raises:
            InvalidData: the CMU archives are missing or damaged, or stage 3 has made nothing.
            ConfigError: there are no such motions.
            OutputError: the folder cannot be written.
        """
        learnt, held_out = banks_of(motions, self.cmu, work)
        sampler = one_camera(learnt, is_varied=motions == MOCAP)
        return partial(draw, sampler), partial(draw, one_camera(held_out, is_varied=False))


def banks_of(motions: str, cmu: Path, work: Path) -> tuple[MotionBank, MotionBank]:
    """Return the motions to learn from and those of held-out recordings to measure on.

    Raises:
        InvalidData: the CMU archives are missing or damaged, or stage 3 has made nothing.
        ConfigError: there are no such motions.
        OutputError: the folder cannot be written.
    """
    if motions not in (MOCAP, MADE):
        raise ConfigError(f"motions are {MOCAP!r} or {MADE!r}, not {motions!r}")
    recorded, held_out = load_banks(cmu, work)
    if motions == MOCAP:
        return recorded, held_out
    return replace(read_bank(work / MADE_BANK), speeds=MADE_SPEEDS), held_out


def fitted(
    seen: Observed, points: Float[np.ndarray, "T 21 3"], fps: float, fitter: Fitter, farthest: float
) -> Float[np.ndarray, "T 21 3"] | None:
    """Return the points of a body fitted to one window's points and picture, or None if it is far from either."""
    ring = ring_of(seen, AZIMUTHS).part(FITTED_VIEWS)
    plane = ring.see(points[None].astype(float))[0]
    sigma = np.full(plane.shape[:-1], MADE_ERROR)
    plane[0], sigma[0] = seen.plane[0], seen.sigma[0]
    start = Motion3D(points.astype(float), np.full(points.shape[:2], MADE_ERROR), BODY21, fps)
    views = [
        _keypoints(*pair, ring.radius[0, view], fps)
        for view, pair in enumerate(zip(plane, sigma, strict=True))
    ]
    body = body_keypoints(fit_skeleton([start], views, _cameras(ring), fitter)).xyz
    is_seen = np.isfinite(seen.sigma[0])
    missed = np.linalg.norm(ring.part([0]).see(body[None])[0, 0] - seen.plane[0], axis=-1)[is_seen]
    moved = np.linalg.norm(body - points, axis=-1)
    return body if missed.mean() < WORST_PICTURE and moved.mean() < farthest else None


def as_motion(body: Float[np.ndarray, "T 21 3"], fps: float) -> Float[np.ndarray, "F 21 3"]:
    """Return points at the rate of a bank, their feet on the floor and their middle over (0, 0)."""
    frames = len(body)
    at = np.arange(0, frames - 1 + 1e-9, fps / BANK_FPS)
    xyz = make_interp_spline(np.arange(frames), body, k=3)(at)
    feet = xyz[:, BODY21.index(*CONTACT_POINTS), 1]
    middle = xyz[len(xyz) // 2].mean(axis=0)
    moved: Float[np.ndarray, "F 21 3"] = xyz - [middle[0], np.percentile(feet, LOWEST_SHARE), middle[2]]
    return moved.astype(np.float32)


def _keypoints(
    plane: Float[np.ndarray, "T 21 2"], sigma: Float[np.ndarray, "T 21"], radius: np.floating, fps: float
) -> Keypoints2D:
    """Return a picture as keypoints of `_cameras`, with the confidences that go with the expected errors."""
    conf = np.stack(
        [
            np.interp(sigma[:, place], ERRORS, [confidence_of_error(each, joint) for each in ERRORS])
            for place, joint in enumerate(BODY21.joints)
        ],
        axis=-1,
    )
    is_seen = np.isfinite(sigma)
    xy = plane / radius * FOCAL_PX + (np.array(SIZE_PX) - 1) / 2
    return Keypoints2D(
        xy=np.where(is_seen[..., None], xy, np.nan),
        conf=np.where(is_seen, conf, 0.0),
        layout=BODY21,
        fps=fps,
        size=SIZE_PX,
    )


def _cameras(ring: Ring) -> list[Camera]:
    """Return the cameras of one window's ring."""
    middle = (np.array(SIZE_PX) - 1) / 2
    intrinsics = np.array([[FOCAL_PX, 0.0, middle[0]], [0.0, FOCAL_PX, middle[1]], [0.0, 0.0, 1.0]])
    cameras = []
    for view, (axes, centre) in enumerate(zip(ring.axes[0], ring.centre[0], strict=True)):
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3], cam_from_world[:3, 3] = axes, -axes @ centre
        cameras.append(Camera(f"view {view}", intrinsics, np.zeros(5), cam_from_world, SIZE_PX))
    return cameras
