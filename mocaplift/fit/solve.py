"""Levenberg-Marquardt over a whole window of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.fit.linearize import Pose
from mocaplift.fit.problem import Problem

# Marquardt's damping: where it starts, how it falls after a good step and grows after a bad one.
FIRST_DAMPING = 1e-3
DAMPING_DOWN = 0.3
DAMPING_UP = 8.0
LARGEST_DAMPING = 1e6
# A step that improves the cost by less than this share ends the iteration.
ENOUGH = 1e-4


@dataclass(frozen=True, eq=False)
class Solution:
    """A fitted pose, the floor's height (m), and how the fit ended."""

    pose: Pose
    floor: float
    cost: float
    steps: int


def solve(problem: Problem, pose: Pose, floor: float = 0.0, *, steps: int = 15) -> Solution:
    """Return the pose of least cost near a start.

    Args:
        problem: what is known.
        pose: the start.
        floor: height of the floor at the start, metres; only used when the problem has a ground.
        steps: most steps to take.
    """
    damping = FIRST_DAMPING
    cost = float("inf")
    taken = 0
    for taken in range(1, steps + 1):
        before = problem.cost(pose, floor)
        system = problem.equations(pose, floor)
        while damping < LARGEST_DAMPING:
            step = system.solve(damping)
            if step is not None:
                moved = pose.moved(step[0], _shape_step(step[1], pose), problem.tree)
                new_floor = floor + float(step[1][-1])
                cost = problem.cost(moved, new_floor)
                if cost < before:
                    break
            damping *= DAMPING_UP
        else:
            return Solution(pose, floor, before, taken)
        pose, floor = moved, new_floor
        damping = max(damping * DAMPING_DOWN, 1e-7)
        if before - cost < ENOUGH * abs(before):
            break
    return Solution(pose, floor, cost, taken)


def _shape_step(step: Float[np.ndarray, "G"], pose: Pose) -> Float[np.ndarray, "S"]:
    """Return the shape's part of a global step; zero where the problem holds the shape."""
    return step[:-1] if len(step) > 1 else np.zeros_like(pose.shape)
