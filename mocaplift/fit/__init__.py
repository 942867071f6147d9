"""Metres to joint rotations: one robust least-squares problem over the clip, the last word on accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np
from jaxtyping import Bool, Float
from threadpoolctl import threadpool_limits

from mocaplift.body import Body, load_body
from mocaplift.cameras import centre
from mocaplift.errors import InvalidData
from mocaplift.fit.linearize import Pose, Tree, keypoints_of
from mocaplift.fit.pace import pace
from mocaplift.fit.prior import PosePrior, load_prior
from mocaplift.fit.problem import Problem
from mocaplift.fit.skeleton import motion_of, pose_of
from mocaplift.fit.solve import solve
from mocaplift.fit.start import filled, pose_from_points
from mocaplift.fit.terms import Ground, Observation, Strengths, Target
from mocaplift.fit.windows import crossfaded
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.rotations import slerp
from mocaplift.values import Camera, Keypoints2D, Motion3D, SkeletonMotion
from mocaplift.windows import windows

__all__ = ["Fitter", "fit_skeleton", "settle"]

# Hypotheses are solved and averaged at about this rate, which costs no accuracy (measured against 30 on the
# development set) and half the time; the last fit sees every frame.
COARSE_FPS = 15.0
# Frames of a window and frames that neighbours share: 13 s and 1.6 s at the coarse rate.
WINDOW = 200
OVERLAP = 24
# Least error (m) that a detection is believed to have while the start is still far off.
ANNEALING = (0.10, 0.03)
# Steps at each of these, then at the real error.
EARLY_STEPS = 4
STEPS = 10
SETTLE_STEPS = 6
# Expected error (m) of a solved hypothesis, beside which points as they were lifted count by their own.
SOLVED_SIGMA = 0.1
# Windows of a long clip that determine the shape of the body; the others take it over.
SHAPE_WINDOWS = 3
FIXED = 1e6  # precision of a shape that is known

Progress = Callable[[int, int], None]

Function = TypeVar("Function", bound=Callable[..., Any])


def _single_threaded(function: Function) -> Function:
    """Return the function, run with one thread of the linear algebra library.

    A fit is thousands of small products and solves: threads gain nothing on them, and beside other work on the
    machine they wait for each other (measured on two busy cores: 23 s instead of 4 s).
    """
    return cast(Function, threadpool_limits.wrap(limits=1, user_api="blas")(function))


# Several cameras see depth: detections count in full, and neither hypotheses nor how people usually move about the
# room say anything. Measured on the development set (two and four views).
SEVERAL_VIEWS = Strengths(pixel=1.0, drift=5.0, lift=0.0, consensus=0.0, settled=0.0, paces=(1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Fitter:
    """What a fit assumes: the body, the pose prior, the strengths of the terms, the height (m) if known.

    `sees_depth`: several cameras measure the height, so that it need not be held.
    """

    body: Body = field(default_factory=load_body)
    prior: PosePrior = field(default_factory=load_prior)
    strengths: Strengths = field(default_factory=Strengths)
    height: float | None = None
    sees_depth: bool = False

    @classmethod
    def for_views(cls, count: int, height: float | None = None) -> Fitter:
        """Return what suits so many views of a person of this height (m), if it is known."""
        if count == 1:
            return cls(height=height)
        return cls(strengths=SEVERAL_VIEWS, height=height, sees_depth=True)

    def shape(self) -> Float[np.ndarray, "S"]:
        """Return the shape to start from."""
        if self.height is None:
            return np.zeros(self.body.num_shape)
        return self.body.shape_of_stature(self.height)

    def size(self) -> float:
        """Return how much larger than lifted the person is: lifters of one view take everybody for usual.

        A person twice as tall who looks the same is twice as far away, and so is the whole path.
        """
        if self.height is None or self.sees_depth:
            return 1.0
        return self.height / self.body.stature_mean

    def shape_precision(self) -> Float[np.ndarray, "S S"]:
        """Return the precision of the shape prior: proportions vary as in the population.

        One camera cannot tell a tall person from a near one: stature is held there, and where it is given. Left
        free, it would take up whatever the pose prior does not explain, and the depth of the whole clip with it.
        """
        spread = np.eye(self.body.num_shape)
        if self.sees_depth and self.height is None:
            return spread
        along = self.body.stature_basis / np.linalg.norm(self.body.stature_basis)
        return spread + FIXED * np.outer(along, along)


@_single_threaded
def fit_skeleton(
    starts: Sequence[Motion3D],
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    fitter: Fitter | None = None,
    *,
    progress: Progress | None = None,
) -> SkeletonMotion:
    """Return the motion that explains the keypoints, starting from each hypothesis and agreeing between them.

    Each hypothesis is solved on its own; several are averaged and the mean is solved again, because their errors
    are partly independent (choosing one by its cost does not work: cost and truth agree in 58 % of cases).

    Args:
        starts: lifted points in body21, one motion per hypothesis.
        views: keypoints, one per camera.
        cameras: one per view, in the world of the starts.
        fitter: what is assumed; what suits the number of views by default.
        progress: called with (done, total) windows.

    Raises:
        InvalidData: no hypothesis, or views, cameras and starts of different lengths.
    """
    fitter = fitter or Fitter.for_views(len(views))
    _check(starts, views, cameras)
    fps, frames = starts[0].fps, len(starts[0].xyz)
    stride = max(1, round(fps / COARSE_FPS))
    kept = np.arange(0, frames, stride)
    middle, size = centre(cameras[0]), fitter.size()
    hypotheses = [
        Target(middle + size * (filled(start)[kept] - middle), (size * start.sigma[kept]) ** -2)
        for start in starts
    ]
    hips = np.median([_hips(each.xyz) for each in hypotheses], axis=0)
    coarse = Problem(
        tree=Tree(fitter.body),
        prior=fitter.prior,
        observations=_observed(views, cameras, kept, hips, fitter.strengths.pixel_floor),
        fps=fps / stride,
        strengths=fitter.strengths,
        shape_mean=fitter.shape(),
        shape_precision=fitter.shape_precision(),
    )
    spans = windows(len(kept), WINDOW, OVERLAP)
    shape_spans = [
        spans[i] for i in np.unique(np.linspace(0, len(spans) - 1, SHAPE_WINDOWS).round().astype(int))
    ]
    if len(spans) > 1:
        shapes = [_solve_window(coarse, hypotheses, span, fitter.shape()).shape for span in shape_spans]
        known = np.mean(shapes, axis=0)
        coarse = replace(coarse, holds_shape=True)
    else:
        known = fitter.shape()
    pieces = []
    for span in spans:
        pieces.append(_solve_window(coarse, hypotheses, span, known))
        if progress is not None:
            progress(len(pieces), len(spans))
    pose = _every_frame(crossfaded(pieces, spans), kept, frames)
    return motion_of(pose, fitter.body, fps)


@_single_threaded
def settle(
    motion: SkeletonMotion,
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    contacts: Bool[np.ndarray, "T F"],
    fitter: Fitter | None = None,
) -> SkeletonMotion:
    """Return the motion fitted again at its own rate with its feet on a floor of whatever height.

    Planted points (columns `CONTACT_POINTS`) neither slip nor leave the floor; nothing goes below it. One camera
    sees no depth: there the motion itself stands for the hypotheses that it was fitted to, else they would be
    forgotten (measured: 7 mm).

    Raises:
        InvalidData: views and motion differ in length, or the skeleton is not the body model's.
    """
    fitter = fitter or Fitter.for_views(len(views))
    pose = pose_of(motion)
    frames = len(pose.root)
    if any(len(view.xy) != frames for view in views) or len(contacts) != frames:
        raise InvalidData(f"the motion has {frames} frames, but its views or contacts have not")
    points = keypoints_of(pose, Tree(fitter.body)).xyz
    hips = _hips(points)
    feet = BODY21.index(*CONTACT_POINTS)
    drops = fitter.body.drops(pose.shape)
    heights = points[:, feet, 1] - drops
    observations = _observed(views, cameras, np.arange(frames), hips, fitter.strengths.pixel_floor)
    size = round(WINDOW * max(1.0, motion.fps / COARSE_FPS))
    spans = windows(frames, size, round(OVERLAP * max(1.0, motion.fps / COARSE_FPS)))
    pieces = []
    for span in spans:
        planted = contacts[span]
        low = heights[span][planted] if planted.any() else heights[span].min(axis=1)
        problem = Problem(
            tree=Tree(fitter.body),
            prior=fitter.prior,
            observations=tuple(each.part(span) for each in observations),
            fps=motion.fps,
            strengths=fitter.strengths,
            target=_believed(points[span], fitter.strengths.settled),
            ground=Ground(feet, planted, drops),
            holds_shape=True,
        )
        floor = float(np.median(low))
        # Who moves fast has been followed in the fit; what comes now shall be as steady as of anybody.
        problem = _paced(problem, pose.part(span), fastest=1.0)
        pieces.append(solve(problem, pose.part(span), floor, steps=SETTLE_STEPS).pose)
    settled = crossfaded([replace(piece, shape=pose.shape) for piece in pieces], spans)
    return motion_of(settled, fitter.body, motion.fps)


def _check(starts: Sequence[Motion3D], views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> None:
    if not starts:
        raise InvalidData("the fit needs at least one lifted motion to start from")
    if len(views) != len(cameras) or not views:
        raise InvalidData(f"the fit got {len(views)} views but {len(cameras)} cameras")
    lengths = {len(start.xyz) for start in starts} | {len(view.xy) for view in views}
    if len(lengths) != 1:
        raise InvalidData(f"lifted motions and views have different lengths: {sorted(lengths)}")


def _hips(points: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 3"]:
    return points[:, BODY21.index("left_hip", "right_hip")].mean(axis=1)


def _observed(
    views: Sequence[Keypoints2D],
    cameras: Sequence[Camera],
    kept: np.ndarray,
    hips: Float[np.ndarray, "N 3"],
    least: float,
) -> tuple[Observation, ...]:
    return tuple(
        Observation.of(_part(view, kept), camera, hips, least)
        for view, camera in zip(views, cameras, strict=True)
    )


def _part(view: Keypoints2D, kept: np.ndarray) -> Keypoints2D:
    return replace(view, xy=view.xy[kept], conf=view.conf[kept], landmarks=None)


def _solve_window(clip: Problem, hypotheses: Sequence[Target], span: slice, shape: np.ndarray) -> Pose:
    """Return the fitted pose of one window: each hypothesis solved, their mean solved again."""
    problem = replace(clip, observations=tuple(each.part(span) for each in clip.observations))
    lifted = [Target(each.xyz[span], each.weight[span]) for each in hypotheses]
    # The hypotheses are independent, and most of a step is products and solves that let other threads run.
    with ThreadPoolExecutor(max_workers=len(lifted)) as pool:
        solved = list(pool.map(lambda each: _solve_hypothesis(problem, each, shape), lifted))
    if len(solved) == 1:
        return solved[0]
    mean = _consensus([keypoints_of(pose, problem.tree).xyz for pose in solved], lifted)
    start = _mean_pose(solved)
    problem = _paced(replace(problem, target=_believed(mean, problem.strengths.consensus)), start)
    return solve(problem, start, steps=STEPS).pose


def _believed(points: Float[np.ndarray, "T 21 3"], weight: float) -> Target:
    """Return points on which the hypotheses agree, as a target of this weight (1/m^2)."""
    return Target(points, np.full(points.shape[:2], weight))


def _consensus(
    solved: Sequence[Float[np.ndarray, "T 21 3"]], lifted: Sequence[Target]
) -> Float[np.ndarray, "T 21 3"]:
    """Return the mean of solved and lifted points, weighted by their expected errors.

    A trained lifter knows the path of the hips better than any solve from it (measured): the solve explains the
    detections' errors by steps towards the camera and away from it.
    """
    weights = [np.full(points.shape[:2], 1 / SOLVED_SIGMA**2) for points in solved]
    weights += [each.weight for each in lifted]
    points = [*solved, *(each.xyz for each in lifted)]
    total = np.sum(weights, axis=0)[..., None]
    mean: Float[np.ndarray, "T 21 3"] = (
        sum(w[..., None] * x for w, x in zip(weights, points, strict=True)) / total
    )
    return mean


def _mean_pose(poses: Sequence[Pose]) -> Pose:
    """Return the mean of poses; turns are averaged one after the other, each with its share."""
    rotations = poses[0].rotations
    for count, pose in enumerate(poses[1:], start=2):
        rotations = slerp(rotations, pose.rotations, 1 / count)
    return Pose(
        rotations=rotations,
        root=np.mean([pose.root for pose in poses], axis=0),
        shape=np.mean([pose.shape for pose in poses], axis=0),
    )


def _solve_hypothesis(problem: Problem, lifted: Target, shape: np.ndarray) -> Pose:
    """Return the fitted pose from one start: first as if the detections were blurred, then as they are."""
    pose = pose_from_points(lifted.xyz, problem.tree, shape)
    if problem.strengths.lift > 0:
        problem = replace(problem, target=Target(lifted.xyz, problem.strengths.lift * lifted.weight))
    for least in ANNEALING:
        blurred = tuple(replace(each, least=least) for each in problem.observations)
        pose = solve(replace(problem, observations=blurred), pose, steps=EARLY_STEPS).pose
    return solve(_paced(problem, pose), pose, steps=STEPS).pose


def _paced(problem: Problem, pose: Pose, fastest: float = np.inf) -> Problem:
    """Return the problem with the accelerations of somebody who moves as this pose does, or slower."""
    low, high = problem.strengths.paces
    found = pace(keypoints_of(pose, problem.tree).xyz, problem.fps)
    return replace(problem, pace=min(max(found, low), high, fastest))


def _every_frame(pose: Pose, kept: np.ndarray, frames: int) -> Pose:
    """Return the pose at every frame: turns and root interpolated between the frames that were solved."""
    if len(kept) == frames:
        return pose
    position = np.interp(np.arange(frames), kept, np.arange(len(kept)))
    before = np.minimum(position.astype(int), len(kept) - 2) if len(kept) > 1 else np.zeros(frames, int)
    after = np.minimum(before + 1, len(kept) - 1)
    weight = position - before
    return replace(
        pose,
        rotations=slerp(pose.rotations[before], pose.rotations[after], weight[:, None]),
        root=pose.root[before] + weight[:, None] * (pose.root[after] - pose.root[before]),
    )
