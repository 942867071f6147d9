"""The fit's derivatives, term by term, against central differences of its cost."""

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.body import ACCELERATIONS, usual_accelerations
from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.fit.linearize import NUM_UNKNOWNS, Pose, Tree, keypoints_of
from mocaplift.fit.problem import Problem
from mocaplift.fit.terms import (
    Ground,
    Observation,
    Strengths,
    Target,
    second_differences,
    spread_second_differences,
)
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.rotations import about_axis
from mocaplift.values import Camera, Keypoints2D
from tests.fit import toy

FRAMES = 6
FLOOR = 0.02
STEP = 1e-6
# Silenced terms weigh this much less: nothing.
OFF = 1e-12
QUIET = Strengths(
    pixel=0.0, pose=0.0, limit=1e6, acceleration=1e6, drift=1e6, turn_acceleration=1e6, shape=OFF, slip=1e6,
    floor=1e6, under=1e6,
)  # fmt: skip
LOUD = Strengths()
# What each term needs to be heard alone.
TERMS: dict[str, dict[str, float]] = {
    "observation": {"pixel": LOUD.pixel},
    "prior": {"pose": LOUD.pose},
    "limit": {"limit": LOUD.limit},
    "acceleration": {"acceleration": LOUD.acceleration},
    "turn": {"turn_acceleration": LOUD.turn_acceleration},
    "drift": {"drift": LOUD.drift},
    "shape": {"shape": LOUD.shape},
    "floor": {"floor": LOUD.floor},
    "under": {"under": LOUD.under},
    "slip": {"slip": LOUD.slip},
    "target": {},
    "all": {
        name: getattr(LOUD, name)
        for name in ("pixel", "pose", "limit", "acceleration", "turn_acceleration", "drift", "shape", "floor",
                     "under", "slip")
    },
}  # fmt: skip


def tree() -> Tree:
    return Tree(toy.body())


def camera(eye=(0.5, 1.4, 4.0)) -> Camera:
    view = look_at(np.array(eye), np.array([0.5, 1.0, 0.0]))
    return Camera("c", intrinsics_from_fov(60, (1280, 720)), np.zeros(5), view, (1280, 720))


def observed(points: np.ndarray, noise: float = 3.0) -> Observation:
    rng = np.random.default_rng(1)
    xy = project(camera(), points) + rng.normal(0, noise, (*points.shape[:2], 2))
    conf = rng.uniform(0.3, 0.9, points.shape[:2])
    xy[2, 4], conf[2, 4] = np.nan, 0.0
    seen = Keypoints2D(xy, conf, BODY21, 30.0, (1280, 720))
    return Observation.of(seen, camera(), points[:, BODY21.at("left_hip")], LOUD.pixel_floor)


def problem_and_pose(name: str, fps: float = 30.0) -> tuple[Problem, Pose]:
    """Return a problem in which only one term is heard, and a pose away from its minimum."""
    body = tree()
    true = toy.smooth_pose(FRAMES)
    points = keypoints_of(true, body).xyz
    planted = np.zeros((FRAMES, 4), bool)
    planted[1:5, :2] = True
    planted[2:4, 2] = True
    # One foot above, one below the floor; and some of the points that are not planted lie under it.
    feet = points[:, BODY21.index(*CONTACT_POINTS), 1]
    ground = Ground(BODY21.index(*CONTACT_POINTS), planted, np.median(feet, axis=0) - 0.02 - FLOOR)
    target = Target(points + 0.05, np.full((FRAMES, len(BODY21)), 50.0))
    problem = Problem(
        tree=body,
        prior=toy.prior(),
        observations=(observed(points),),
        fps=fps,
        strengths=replace(QUIET, **TERMS[name]),
        target=target if name in ("target", "all") else None,
        ground=ground if name in ("floor", "under", "slip", "all") else None,
        shape_mean=np.array([0.2, -0.1]),
        shape_precision=np.array([[2.0, 0.3], [0.3, 1.0]]),
    )
    away = np.random.default_rng(7).normal(0, 0.05, (FRAMES, NUM_UNKNOWNS))
    return problem, true.moved(away, np.array([0.1, 0.1]), body)


def slope(problem: Problem, pose: Pose, frame: int, column: int) -> float:
    step = np.zeros((FRAMES, NUM_UNKNOWNS))
    step[frame, column] = STEP
    ahead, behind = (pose.moved(sign * step, np.zeros(2), problem.tree) for sign in (1, -1))
    return (problem.cost(ahead, FLOOR) - problem.cost(behind, FLOOR)) / 2 / STEP


def slope_of_shape(problem: Problem, pose: Pose, column: int) -> float:
    change = STEP * np.eye(2)[column]
    ahead, behind = (Pose(pose.rotations, pose.root, pose.shape + sign * change) for sign in (1, -1))
    return (problem.cost(ahead, FLOOR) - problem.cost(behind, FLOOR)) / 2 / STEP


@pytest.mark.parametrize("name", TERMS)
def test_the_gradient_of_every_term(name: str) -> None:
    problem, pose = problem_and_pose(name)
    system = problem.equations(pose, FLOOR)
    exact = np.concatenate([system.gradient.ravel(), system.gradient_global])
    largest = np.abs(exact).max()
    assert largest > 1e-4, "the term is silent"
    # A fifth of the unknowns of every frame, others in each of five frames: all are met.
    for frame in range(FRAMES):
        for column in range(frame % 5, NUM_UNKNOWNS, 5):
            found = slope(problem, pose, frame, column)
            assert system.gradient[frame, column] == pytest.approx(found, rel=1e-4, abs=1e-5 * largest)
    for column in range(2):
        found = slope_of_shape(problem, pose, column)
        assert system.gradient_global[column] == pytest.approx(found, rel=1e-4, abs=1e-5 * largest)
    found = (problem.cost(pose, FLOOR + STEP) - problem.cost(pose, FLOOR - STEP)) / 2 / STEP
    assert system.gradient_global[-1] == pytest.approx(found, rel=1e-4, abs=1e-5 * largest)


@pytest.mark.parametrize("name", ["shape", "floor", "slip"])
def test_the_curvature_of_quadratic_terms(name: str) -> None:
    """A quadratic cost's Gauss-Newton matrix is its second difference along any straight line of unknowns."""
    problem, pose = problem_and_pose(name)
    system = problem.equations(pose, FLOOR)
    rng = np.random.default_rng(2)
    for _ in range(3):
        # Places only: turns are not straight lines.
        step = np.zeros((FRAMES, NUM_UNKNOWNS))
        step[:, :3] = rng.normal(0, 1e-3, (FRAMES, 3))
        shared = np.array([0.0, 0.0, rng.normal(0, 1e-3)])
        if name == "shape":
            shared[:2] = rng.normal(0, 1e-2, 2)
        bent = 0.0
        for sign in (1, -1):
            moved = Pose(pose.rotations, pose.root + sign * step[:, :3], pose.shape + sign * shared[:2])
            bent += problem.cost(moved, FLOOR + sign * shared[2])
        bent -= 2 * problem.cost(pose, FLOOR)
        model = 2 * np.einsum(
            "ti,tij,tj", step, system.border, np.tile(shared, (FRAMES, 1))[:, :, None][..., 0]
        )
        model += np.einsum("ti,tij,tj", step, system.diagonal, step)
        model += 2 * np.einsum("ti,tij,tj", step[1:], system.lower1[:-1], step[:-1])
        model += 2 * np.einsum("ti,tij,tj", step[2:], system.lower2[:-2], step[:-2])
        corner = system.corner.copy()
        corner[-1, -1] -= 1e-3  # holds a floor that nothing determines
        corner[-1, :-1] = corner[:-1, -1] = (corner[-1, :-1] + corner[:-1, -1]) / 2
        model += shared @ corner @ shared
        assert model == pytest.approx(bent, rel=1e-3, abs=1e-9)


def test_the_corner_is_symmetric() -> None:
    problem, pose = problem_and_pose("all")
    corner = problem.equations(pose, FLOOR).corner
    np.testing.assert_allclose(corner, corner.T, rtol=1e-9)


def test_a_known_shape_is_neither_moved_nor_judged() -> None:
    problem, pose = problem_and_pose("all")
    held = replace(problem, holds_shape=True)
    free, system = problem.equations(pose, FLOOR), held.equations(pose, FLOOR)
    np.testing.assert_allclose(system.gradient, free.gradient, rtol=1e-9)
    np.testing.assert_allclose(system.diagonal, free.diagonal, rtol=1e-9)
    np.testing.assert_allclose(system.border, free.border[..., -1:], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(system.gradient_global, free.gradient_global[-1:], rtol=1e-9)
    away = pose.shape - problem.shape_mean
    judged = 0.5 * LOUD.shape * FRAMES * away @ problem.shape_precision @ away
    assert problem.cost(pose, FLOOR) - held.cost(pose, FLOOR) == pytest.approx(judged)


def test_limits_by_hand() -> None:
    """The toy's joints turn from -0.5 to 0.4 rad: 0.6 is 0.2 too far, at 30 fps (0.2 / 0.1)^2 / 2."""
    problem, _ = problem_and_pose("limit")
    still = np.zeros((1, 24, 4))
    still[..., 0] = 1.0
    straight = Pose(still, np.array([[0.0, 1.0, 0.0]]), problem.shape_mean)
    bent = still.copy()
    bent[0, SMPL24.at("left_elbow")] = about_axis("Y", 0.6)
    bent = replace(straight, rotations=bent)
    quiet = replace(problem, observations=())
    assert LOUD.limit == 0.1
    assert quiet.cost(bent, 0.0) - quiet.cost(straight, 0.0) == pytest.approx(2.0, rel=1e-6)


def test_a_second_counts_the_same_at_every_rate() -> None:
    """Twice the frames of the same standing person cost the same."""
    body = tree()
    still = toy.smooth_pose(1)
    costs = []
    for fps, frames in ((30.0, 30), (60.0, 60)):
        pose = Pose(np.repeat(still.rotations, frames, 0), np.repeat(still.root, frames, 0), still.shape)
        points = keypoints_of(pose, body).xyz
        xy = project(camera(), points) + 4.0
        seen = Keypoints2D(xy, np.full(xy.shape[:2], 0.8), BODY21, fps, (1280, 720))
        observation = Observation.of(seen, camera(), points[:, 0], LOUD.pixel_floor)
        problem = Problem(
            body, toy.prior(), (observation,), fps, target=Target(points + 0.1, np.ones(xy.shape[:2]))
        )
        costs.append(problem.cost(pose, 0.0))
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)


def test_the_weight_of_a_detection_by_hand() -> None:
    """At 4 m an error of 8 mm (the least) with a spread of 12 mm is an angle of hypot(8, 12) / 4000."""
    observation = replace(
        observed(keypoints_of(toy.smooth_pose(1), tree()).xyz.repeat(3, axis=0)),
        spread=np.full((3, 21), 0.012),
        depth=np.full(3, 4.0),
    )
    np.testing.assert_allclose(observation.weight, 16 / (0.008**2 + 0.012**2), rtol=1e-12)
    unseen = replace(observation, spread=np.full((3, 21), np.inf))
    assert (unseen.weight == 0).all()
    assert unseen.cost(np.ones((3, 21, 3)), 4.0) == 0


def test_parts_of_an_observation_are_its_frames() -> None:
    whole = observed(keypoints_of(toy.smooth_pose(FRAMES), tree()).xyz)
    part = whole.part(slice(2, 5))
    np.testing.assert_array_equal(part.weight, whole.weight[2:5])
    np.testing.assert_array_equal(part.plane, whole.plane[2:5])


def test_second_differences_and_their_transpose() -> None:
    np.testing.assert_array_equal(second_differences(np.array([1.0, 2.0, 4.0, 9.0])), [0, 1, 3, 0])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(8, 2))
    y[[0, -1]] = 0
    assert np.vdot(second_differences(x), y) == pytest.approx(np.vdot(x, spread_second_differences(y)))


def test_every_keypoint_has_its_usual_acceleration() -> None:
    usual = dict(zip(BODY21.joints, usual_accelerations(), strict=True))
    assert usual["left_wrist"] == ACCELERATIONS["wrist"]
    assert usual["right_big_toe"] == ACCELERATIONS["big_toe"]
    assert usual["left_hip"] == min(usual.values())
