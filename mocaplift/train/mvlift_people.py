"""People as what MVLift learns from: pictures of CMU motions, and the body that fits what was made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.body import body_keypoints
from mocaplift.cameras import NEAREST_DEPTH, cam_points
from mocaplift.errors import ConfigError
from mocaplift.fit import Fitter
from mocaplift.fit.linearize import Tree
from mocaplift.fit.problem import Problem
from mocaplift.fit.skeleton import motion_of
from mocaplift.fit.solve import solve
from mocaplift.fit.start import pose_from_points
from mocaplift.fit.terms import Observation, Target
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.lift.mvlift.conditions import Observed
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.network import DenoiserConfig
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.motion_bank import MotionBank, load_banks, read_bank
from mocaplift.train.data.mvlift_pictures import FORMAT, Pictures, read_pictures, save_pictures
from mocaplift.train.data.mvlift_windows import draw, one_camera
from mocaplift.train.made_bodies import MADE_SPEEDS, at_bank_rate, is_near
from mocaplift.train.mvlift_source import MADE, MADE_BANK, MOCAP, Draw, FitBody
from mocaplift.values import Camera

# What a made point is worth beside the picture and the pose prior (1/m^2), and the steps of the fit. On held-out
# windows 3, 10, 30 and 100 left 99, 99, 103 and 110 mm of the 138 that the points had; 8 steps gain 1 mm over 5.
MADE_WEIGHT, STEPS = 10.0, 5
LOWEST_SHARE = 5.0  # per cent of the feet's heights that lie below the floor
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
    points, tree = points.astype(float), Tree(fitter.body)
    middle = points[:, BODY21.index(*PERSON.root)].mean(axis=1)
    problem = Problem(
        tree=tree,
        prior=fitter.prior,
        observations=(_observation(seen, middle, fitter.strengths.pixel_floor),),
        fps=fps,
        strengths=fitter.strengths,
        target=Target(points, np.full(points.shape[:2], MADE_WEIGHT)),
        shape_mean=fitter.shape(),
        shape_precision=fitter.shape_precision(),
    )
    pose = solve(problem, pose_from_points(points, tree, fitter.shape()), steps=STEPS).pose
    body = body_keypoints(motion_of(pose, fitter.body, fps)).xyz
    return body if is_near(body, seen, points, farthest) else None


def as_motion(body: Float[np.ndarray, "T 21 3"], fps: float) -> Float[np.ndarray, "F 21 3"]:
    """Return points at the rate of a bank, their feet on the floor and their middle over (0, 0)."""
    xyz = at_bank_rate(body, fps)
    feet = xyz[:, BODY21.index(*CONTACT_POINTS), 1]
    middle = xyz[len(xyz) // 2].mean(axis=0)
    moved: Float[np.ndarray, "F 21 3"] = xyz - [middle[0], np.percentile(feet, LOWEST_SHARE), middle[2]]
    return moved.astype(np.float32)


def _observation(seen: Observed, middle: Float[np.ndarray, "T 3"], least: float) -> Observation:
    """Return the picture of one window as the fit knows pictures, of a person whose middle is about there."""
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = seen.axes[0]
    # The picture is in rays already: the camera's own numbers do not matter.
    camera = Camera("seen", np.eye(3), np.zeros(5), cam_from_world, (1, 1))
    return Observation(
        camera=camera,
        plane=seen.plane[0] / seen.distance[0],
        spread=seen.sigma[0],
        depth=np.maximum(cam_points(camera, middle)[:, 2], NEAREST_DEPTH),
        least=least,
    )
