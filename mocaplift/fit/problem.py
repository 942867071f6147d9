"""The fit as one problem: its cost and the normal equations of a step.

Unknowns are those of `linearize`, plus the height of the floor. Rows are the 63 coordinates of the keypoints and
the rotation vectors of the pose prior's joints; every term is a quadratic model on these rows, so that the
derivatives of the body are computed once per step for all terms together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mocaplift.body import usual_accelerations
from mocaplift.fit.banded import NormalEquations
from mocaplift.fit.linearize import (
    NUM_UNKNOWNS,
    SOLVED_JOINTS,
    Points,
    Pose,
    Tree,
    jacobian,
    keypoints_of,
    shape_jacobian,
)
from mocaplift.fit.prior import TAIL, PosePrior, inverse_right_jacobian
from mocaplift.fit.terms import (
    REFERENCE_FPS,
    Ground,
    Observation,
    Strengths,
    Target,
    second_differences,
    spread_second_differences,
)
from mocaplift.layouts import BODY21

# Curvature (1/m^2) that holds the floor where nothing determines it.
FREE_FLOOR = 1e-3
_HIPS = BODY21.index("left_hip", "right_hip")


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that is known of one person's clip (or window of it)."""

    tree: Tree
    prior: PosePrior
    observations: tuple[Observation, ...]
    fps: float
    strengths: Strengths = field(default_factory=Strengths)
    target: Target | None = None
    ground: Ground | None = None
    shape_mean: Float[np.ndarray, "S"] | None = None
    shape_precision: Float[np.ndarray, "S S"] | None = None
    pace: float = 1.0  # factor on the accelerations: how the person moves, compared with people's usual ways
    holds_shape: bool = False  # the shape is known: it is neither moved nor judged

    @property
    def rate_weight(self) -> float:
        """What one frame counts: a second of any clip counts as much as at `REFERENCE_FPS`."""
        return REFERENCE_FPS / self.fps

    @cached_property
    def _acceleration_weight(self) -> Float[np.ndarray, "K"]:
        spread = usual_accelerations() * self.strengths.acceleration * self.pace / self.fps**2
        return self.rate_weight / spread**2

    @cached_property
    def _turn_weight(self) -> float:
        return self.rate_weight / (self.strengths.turn_acceleration / self.fps**2) ** 2

    @cached_property
    def _prior_columns(self) -> list[int]:
        """Positions of the prior's joints among the solved joints."""
        return [SOLVED_JOINTS.index(joint) for joint in self.prior.joints]

    def vector(self, pose: Pose) -> Float[np.ndarray, "T M"]:
        """Return the pose vectors that the prior judges."""
        return self.prior.vector(pose.rotations, self.tree.body.layout)

    def cost(self, pose: Pose, floor: float) -> float:
        """Return the total cost of a pose."""
        points = keypoints_of(pose, self.tree)
        strengths, rate = self.strengths, self.rate_weight
        total = 0.0
        for observation in self.observations:
            total += rate * strengths.pixel * observation.cost(points.xyz, strengths.pixel_tail)
        if self.target is not None:
            total += rate * self.target.cost(points.xyz, strengths.lift_tail)
        vector = self.vector(pose)
        total += rate * strengths.pose * float(self.prior.cost(vector).sum()) * vector.shape[1]
        bend = np.square(second_differences(points.xyz)).sum(-1) * self._acceleration_weight
        tail = strengths.acceleration_tail
        total += 0.5 * tail * float(np.log1p(bend / tail).sum())
        total += 0.5 * self._turn_weight * float(np.square(second_differences(vector)).sum())
        total += 0.5 * rate * float(np.square(self._beyond_limits(vector)).sum()) / strengths.limit**2
        tail = strengths.drift_tail
        total += 0.5 * rate * tail * float(np.log1p(self._drift(points) / tail).sum())
        if self.ground is not None:
            total += self._ground_cost(points, floor)
        if self.holds_shape:
            return total
        away = pose.shape - (0 if self.shape_mean is None else self.shape_mean)
        return total + 0.5 * float(away @ self._shape_weight(len(pose.root)) @ away)

    def equations(self, pose: Pose, floor: float) -> NormalEquations:
        """Return Gauss-Newton's normal equations at a pose; globals are the shape and the floor's height."""
        points = keypoints_of(pose, self.tree)
        vector = self.vector(pose)
        frames, num_points = points.xyz.shape[:2]
        split = 3 * num_points
        # Derivatives of all rows by the unknowns of their frame, and of the points by the globals.
        rows = np.zeros((frames, split + vector.shape[1], NUM_UNKNOWNS))
        rows[:, :split] = jacobian(points, self.tree).reshape(frames, split, -1)
        turn = inverse_right_jacobian(vector.reshape(frames, -1, 3))
        for n, slot in enumerate(self._prior_columns):
            rows[:, split + 3 * n : split + 3 * n + 3, 3 + 3 * slot : 6 + 3 * slot] = turn[:, n]
        # The last global is the floor's height, which moves no point.
        by_shape = np.zeros((frames, split, 1))
        if not self.holds_shape:
            moved = shape_jacobian(points, self.tree).reshape(frames, split, -1)
            by_shape = np.concatenate([moved, by_shape], axis=-1)

        curvature, gradient = self._point_terms(points)
        weighted = np.zeros_like(rows)
        weighted[:, :split] = _apply_blocks(curvature, rows[:, :split])
        weighted_shape = _apply_blocks(curvature, by_shape)
        row_gradient = np.zeros(rows.shape[:2])
        row_gradient[:, :split] = gradient.reshape(frames, -1)
        self._add_prior(vector, rows[:, split:], weighted[:, split:], row_gradient[:, split:])
        self._add_limits(vector, rows[:, split:], weighted[:, split:], row_gradient[:, split:])

        smooth = np.zeros(rows.shape[:2])
        bend = second_differences(points.xyz)
        tail = self.strengths.acceleration_tail
        robust = tail / (tail + np.square(bend).sum(-1) * self._acceleration_weight)
        smooth[1:-1, :split] = np.repeat(robust * self._acceleration_weight, 3, axis=-1)[1:-1]
        smooth[1:-1, split:] = self._turn_weight
        values = np.concatenate([points.xyz.reshape(frames, -1), vector], axis=1)
        row_gradient += spread_second_differences(smooth * second_differences(values))
        weighted_shape += spread_second_differences(smooth[:, :split, None] * second_differences(by_shape))
        slip = np.zeros(rows.shape[:2])
        self._add_drift(points, by_shape, weighted_shape, row_gradient, slip)
        system = NormalEquations.zeros(frames, NUM_UNKNOWNS, by_shape.shape[-1])
        if self.ground is not None:
            self._add_ground(
                points, floor, rows, by_shape, weighted, weighted_shape, row_gradient, slip, system
            )
        _assemble(system, rows, weighted, smooth, slip)
        system.border[:] = np.swapaxes(rows[:, :split], 1, 2) @ weighted_shape
        system.corner += np.einsum("tra,trb->ab", by_shape, weighted_shape, optimize=True)
        system.gradient[:] = (np.swapaxes(rows, 1, 2) @ row_gradient[..., None])[..., 0]
        system.gradient_global += np.einsum("tra,tr->a", by_shape, row_gradient[:, :split], optimize=True)
        # The floor's height is free; without planted feet nothing determines it, so hold it where it is.
        system.corner[-1, -1] += FREE_FLOOR
        if not self.holds_shape:
            self._add_shape_prior(pose, system)
        return system

    def _point_terms(self, points: Points) -> tuple[Float[np.ndarray, "T K 3 3"], Float[np.ndarray, "T K 3"]]:
        curvature = np.zeros((*points.xyz.shape, 3))
        gradient = np.zeros_like(points.xyz)
        for observation in self.observations:
            bent, slope = observation.quadratic(points.xyz, self.strengths.pixel_tail)
            curvature += self.strengths.pixel * bent
            gradient += self.strengths.pixel * slope
        if self.target is not None:
            stiff, pull = self.target.quadratic(points.xyz, self.strengths.lift_tail)
            curvature += stiff[..., None, None] * np.eye(3)
            gradient += pull
        return self.rate_weight * curvature, self.rate_weight * gradient

    def _add_prior(self, vector, rows, weighted, gradient) -> None:
        best, distance = self.prior.components(vector)
        scale = self.rate_weight * self.strengths.pose * TAIL / (TAIL + distance)
        stiff = self.prior.precisions[best] * scale[:, None, None]
        weighted += stiff @ rows
        gradient += (stiff @ (vector - self.prior.means[best])[..., None])[..., 0]

    def _beyond_limits(self, vector: Float[np.ndarray, "T M"]) -> Float[np.ndarray, "T M"]:
        """Return by how much (radians, signed) joints are turned farther than people turn them."""
        low, high = self.prior.limits
        return np.maximum(vector - high, 0.0) + np.minimum(vector - low, 0.0)

    def _add_limits(self, vector, rows, weighted, gradient) -> None:
        beyond = self._beyond_limits(vector)
        stiff = self.rate_weight / self.strengths.limit**2
        weighted += stiff * (beyond != 0)[..., None] * rows
        gradient += stiff * beyond

    def _drift(self, points: Points) -> Float[np.ndarray, "U 2"]:
        """Return the squared speed of both hips from frame to frame, in units of its usual size."""
        moved = np.diff(points.xyz[:, _HIPS], axis=0) * self.fps / self.strengths.drift
        return np.square(moved).sum(-1)

    def _add_drift(self, points, by_shape, weighted_shape, gradient, slip) -> None:
        tail = self.strengths.drift_tail
        stiff = self.rate_weight * (self.fps / self.strengths.drift) ** 2
        weight = stiff * tail / (tail + self._drift(points))
        for column, point in enumerate(_HIPS):
            self._add_steps(point, weight[:, column], points, by_shape, weighted_shape, gradient, slip)

    @staticmethod
    def _add_steps(point, weight, points, by_shape, weighted_shape, gradient, slip) -> None:
        """Add weight |p[t + 1] - p[t]|^2 / 2 of one point to the model."""
        rows = slice(3 * point, 3 * point + 3)
        slip[:-1, rows] += weight[:, None]
        step = np.diff(points.xyz[:, point], axis=0) * weight[:, None]
        gradient[1:, rows] += step
        gradient[:-1, rows] -= step
        moved = np.diff(by_shape[:, rows], axis=0) * weight[:, None, None]
        weighted_shape[1:, rows] += moved
        weighted_shape[:-1, rows] -= moved

    def _shape_weight(self, frames: int) -> Float[np.ndarray, "S S"]:
        precision = np.eye(self.tree.body.num_shape) if self.shape_precision is None else self.shape_precision
        return precision * self.strengths.shape * self.rate_weight * frames

    def _add_shape_prior(self, pose: Pose, system: NormalEquations) -> None:
        weight = self._shape_weight(len(pose.root))
        count = len(weight)
        away = pose.shape - (0 if self.shape_mean is None else self.shape_mean)
        system.corner[:count, :count] += weight
        system.gradient_global[:count] += weight @ away

    def _ground_cost(self, points: Points, floor: float) -> float:
        ground, strengths = self.ground, self.strengths
        assert ground is not None
        feet = points.xyz[:, ground.points]
        slip = self._slip_weight()[:, :, None] * np.square(np.diff(feet, axis=0))
        height = feet[..., 1] - ground.drops - floor
        touch = np.where(ground.planted, height / strengths.floor, np.minimum(height, 0) / strengths.under)
        return 0.5 * float(slip.sum()) + 0.5 * self.rate_weight * float(np.square(touch).sum())

    def _slip_weight(self) -> Float[np.ndarray, "U F"]:
        ground = self.ground
        assert ground is not None
        both = ground.planted[1:] & ground.planted[:-1]
        return both * self.rate_weight / (self.strengths.slip / self.fps) ** 2

    def _add_ground(
        self, points, floor, rows, by_shape, weighted, weighted_shape, gradient, slip, system
    ) -> None:
        ground, strengths = self.ground, self.strengths
        assert ground is not None
        feet = points.xyz[:, ground.points]
        weights = self._slip_weight()
        height = feet[..., 1] - ground.drops - floor
        stiff = (
            np.where(ground.planted, 1 / strengths.floor**2, (height < 0) / strengths.under**2)
            * self.rate_weight
        )
        for column, point in enumerate(ground.points):
            up = 3 * point + 1
            weighted[:, up] += stiff[:, column, None] * rows[:, up]
            weighted_shape[:, up, :] += stiff[:, column, None] * by_shape[:, up]
            weighted_shape[:, up, -1] -= stiff[:, column]
            gradient[:, up] += stiff[:, column] * height[:, column]
            system.gradient_global[-1] -= float(stiff[:, column] @ height[:, column])
            system.corner[-1, -1] += float(stiff[:, column].sum())
            system.corner[-1, :-1] -= stiff[:, column] @ by_shape[:, up, :-1]
            self._add_steps(point, weights[:, column], points, by_shape, weighted_shape, gradient, slip)


def _apply_blocks(
    curvature: Float[np.ndarray, "T K 3 3"], rows: Float[np.ndarray, "T R D"]
) -> Float[np.ndarray, "T R D"]:
    frames, num_points = curvature.shape[:2]
    return (curvature @ rows.reshape(frames, num_points, 3, -1)).reshape(rows.shape)


def _assemble(
    system: NormalEquations,
    rows: Float[np.ndarray, "T R D"],
    weighted: Float[np.ndarray, "T R D"],
    smooth: Float[np.ndarray, "T R"],
    slip: Float[np.ndarray, "T R"],
) -> None:
    """Fill the blocks: D^T a D of the accelerations and of the slips couples a frame to the next two."""
    # Single precision halves the time of these products and costs a step nothing: the gradient stays exact.
    rows, weighted, smooth, slip = (each.astype(np.float32) for each in (rows, weighted, smooth, slip))
    around = 4 * smooth
    around[:-1] += smooth[1:]
    around[1:] += smooth[:-1]
    around += slip
    around[1:] += slip[:-1]
    transposed = np.swapaxes(rows, 1, 2)
    system.diagonal[:] = transposed @ (weighted + around[..., None] * rows)
    next_one = -2 * (smooth[:-1] + smooth[1:]) - slip[:-1]
    system.lower1[:-1] = transposed[1:] @ (next_one[..., None] * rows[:-1])
    system.lower2[:-2] = transposed[2:] @ (smooth[1:-1, :, None] * rows[:-2])
