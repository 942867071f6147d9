"""The linear algebra of the fit: a block-banded system in time, bordered by a few unknowns of the whole clip.

A frame touches only its next two neighbours (through accelerations), so the normal equations are block
pentadiagonal; bone lengths and the floor touch every frame and form the border, removed by a Schur complement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded

# Smallest share of the largest diagonal entry that every diagonal entry gets, so that unknowns nobody sees
# (a twist, say) stay where they are instead of making the matrix singular.
DIAGONAL_FLOOR = 1e-9


@dataclass(eq=False)
class NormalEquations:
    """Gauss-Newton's H x = -g for frames (D unknowns each) and globals (S unknowns).

    `lower1[t]` is the block of row t + 1, column t; `lower2[t]` of row t + 2, column t.
    """

    diagonal: Float[np.ndarray, "T D D"]
    lower1: Float[np.ndarray, "T D D"]
    lower2: Float[np.ndarray, "T D D"]
    border: Float[np.ndarray, "T D S"]
    corner: Float[np.ndarray, "S S"]
    gradient: Float[np.ndarray, "T D"]
    gradient_global: Float[np.ndarray, "S"]

    @classmethod
    def zeros(cls, frames: int, unknowns: int, global_unknowns: int) -> NormalEquations:
        """Return the system with nothing in it yet."""
        blocks = (frames, unknowns, unknowns)
        return cls(
            diagonal=np.zeros(blocks),
            lower1=np.zeros(blocks),
            lower2=np.zeros(blocks),
            border=np.zeros((frames, unknowns, global_unknowns)),
            corner=np.zeros((global_unknowns, global_unknowns)),
            gradient=np.zeros((frames, unknowns)),
            gradient_global=np.zeros(global_unknowns),
        )

    def solve(self, damping: float) -> tuple[Float[np.ndarray, "T D"], Float[np.ndarray, "S"]] | None:
        """Return the step (frames, globals) under Levenberg-Marquardt damping; None if not positive definite.

        Damping scales the diagonal by (1 + damping), as Marquardt proposed.
        """
        frames, unknowns = self.gradient.shape
        band = self._band(damping)
        try:
            factor = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
        except LinAlgError:
            return None
        right = np.concatenate(
            [self.gradient.reshape(-1, 1), self.border.reshape(frames * unknowns, -1)], axis=1
        )
        solved = cho_solve_banded((factor, True), right, overwrite_b=False, check_finite=False)
        by_gradient, by_border = solved[:, 0], solved[:, 1:]
        flat_border = right[:, 1:]
        corner = self.corner + np.diag(damping * np.diag(self.corner))
        schur = corner - flat_border.T @ by_border
        try:
            step_global = np.linalg.solve(schur, flat_border.T @ by_gradient - self.gradient_global)
        except np.linalg.LinAlgError:
            return None
        step = -(by_gradient + by_border @ step_global)
        if not (np.isfinite(step).all() and np.isfinite(step_global).all()):
            return None
        return step.reshape(frames, unknowns), step_global

    def _band(self, damping: float) -> Float[np.ndarray, "W N"]:
        """Return LAPACK's lower band storage: entry [i - j, j] holds A[i, j]."""
        frames, unknowns, _ = self.diagonal.shape
        width = 3 * unknowns
        columns = np.zeros((frames, unknowns, width))
        stacked = np.concatenate([self.diagonal, self.lower1, self.lower2], axis=1)
        for c in range(unknowns):
            columns[:, c, : width - c] = stacked[:, c:, c]
        diagonal = columns[:, :, 0]
        columns[:, :, 0] = diagonal * (1 + damping) + DIAGONAL_FLOOR * diagonal.max()
        return columns.reshape(frames * unknowns, width).T
