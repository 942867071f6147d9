"""Levenberg-Marquardt: an exact pose from exact pictures, and never uphill."""

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.fit.banded import NormalEquations
from mocaplift.fit.linearize import NUM_UNKNOWNS, Pose, Tree, keypoints_of
from mocaplift.fit.problem import Problem
from mocaplift.fit.solve import solve
from mocaplift.fit.terms import Ground, Observation, Strengths
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.values import Camera, Keypoints2D
from tests.fit import toy

FRAMES = 5
# Only what is seen counts; the rest merely keeps unseen twists where they are.
SEEING = Strengths(
    pose=1e-9, limit=1e6, acceleration=1e4, turn_acceleration=1e6, drift=1e4, shape=1e-9, pixel_floor=1e-4
)


def camera(eye: tuple[float, float, float]) -> Camera:
    view = look_at(np.array(eye), np.array([0.2, 1.0, 0.0]))
    return Camera("c", intrinsics_from_fov(60, (1280, 720)), np.zeros(5), view, (1280, 720))


def two_views(points: np.ndarray) -> tuple[Observation, ...]:
    out = []
    for eye in ((0.5, 1.4, 4.0), (4.0, 1.2, -0.5)):
        lens = camera(eye)
        xy = project(lens, points)
        seen = Keypoints2D(xy, np.full(xy.shape[:2], 0.9), BODY21, 30.0, lens.size)
        out.append(Observation.of(seen, lens, points[:, BODY21.at("left_hip")], 1e-4))
    return tuple(out)


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(toy.body())


def off(pose: Pose, tree: Tree, size: float, seed: int = 3) -> Pose:
    step = np.random.default_rng(seed).normal(0, size, (len(pose.root), NUM_UNKNOWNS))
    return pose.moved(step, np.array([0.3, -0.3]), tree)


def test_an_exact_pose_is_found_from_two_exact_pictures(tree: Tree) -> None:
    true = toy.smooth_pose(FRAMES)
    points = keypoints_of(true, tree).xyz
    problem = Problem(tree, toy.prior(), two_views(points), 30.0, strengths=SEEING)
    start = off(true, tree, 0.15)
    assert np.linalg.norm(keypoints_of(start, tree).xyz - points, axis=-1).mean() > 0.1
    found = solve(problem, start, steps=40)
    np.testing.assert_allclose(keypoints_of(found.pose, tree).xyz, points, atol=1e-3)
    assert found.cost == pytest.approx(problem.cost(found.pose, found.floor))


def test_the_start_may_be_the_answer(tree: Tree) -> None:
    true = toy.smooth_pose(FRAMES)
    problem = Problem(tree, toy.prior(), two_views(keypoints_of(true, tree).xyz), 30.0, strengths=SEEING)
    found = solve(problem, true)
    assert found.steps <= 3
    assert found.cost <= problem.cost(true, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_no_step_goes_uphill(tree: Tree, seed: int) -> None:
    """Even far from the answer, with wild detections and every term on."""
    rng = np.random.default_rng(seed)
    true = toy.smooth_pose(FRAMES, seed=seed)
    points = keypoints_of(true, tree).xyz
    observations = two_views(points + rng.normal(0, 0.3, points.shape))
    problem = Problem(tree, toy.prior(), observations, 30.0)
    pose, costs = off(true, tree, 0.6, seed), []
    costs.append(problem.cost(pose, 0.0))
    for _ in range(6):
        found = solve(problem, pose, steps=1)
        pose = found.pose
        costs.append(problem.cost(pose, 0.0))
    assert (np.diff(costs) <= 1e-9).all()
    assert costs[-1] < 0.9 * costs[0]


class Rash(Problem):
    """A problem whose normal equations promise steps that are a hundred times too long."""

    def equations(self, pose: Pose, floor: float) -> NormalEquations:
        system = super().equations(pose, floor)
        for name in ("diagonal", "lower1", "lower2", "border", "corner"):
            setattr(system, name, getattr(system, name) / 100)
        return system


def test_steps_that_overshoot_are_taken_back(tree: Tree) -> None:
    true = toy.smooth_pose(FRAMES)
    observations = two_views(keypoints_of(true, tree).xyz)
    problem = Rash(tree, toy.prior(), observations, 30.0, strengths=SEEING)
    start = off(true, tree, 0.02)
    found = solve(problem, start, steps=20)
    assert found.cost < 0.5 * problem.cost(start, 0.0)


def test_the_floor_is_found_under_planted_feet(tree: Tree) -> None:
    """Feet that are seen at 0.30 m, minus their own heights above the sole, tell a floor that started at 0."""
    true = toy.smooth_pose(FRAMES, size=0.0)
    points = keypoints_of(true, tree).xyz
    feet = BODY21.index(*CONTACT_POINTS)
    true = replace(true, root=np.tile([0.0, 1.1, 0.0], (FRAMES, 1)))
    points = keypoints_of(true, tree).xyz
    drops = points[0, feet, 1] - 0.30
    ground = Ground(feet, np.ones((FRAMES, 4), bool), drops)
    problem = Problem(tree, toy.prior(), two_views(points), 30.0, strengths=SEEING, ground=ground)
    found = solve(problem, off(true, tree, 0.02), 0.0, steps=30)
    assert found.floor == pytest.approx(0.30, abs=2e-3)


def test_a_known_shape_stays(tree: Tree) -> None:
    true = toy.smooth_pose(FRAMES)
    problem = Problem(
        tree, toy.prior(), two_views(keypoints_of(true, tree).xyz), 30.0, strengths=SEEING, holds_shape=True
    )
    start = off(true, tree, 0.05)
    found = solve(problem, start)
    np.testing.assert_array_equal(found.pose.shape, start.shape)
    assert found.cost < problem.cost(start, 0.0)
