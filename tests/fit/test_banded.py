"""The banded, bordered solve against the same system written out in full."""

import numpy as np
import pytest

from mocaplift.fit.banded import DIAGONAL_FLOOR, NormalEquations


def system(frames: int, unknowns: int = 4, shared: int = 2, seed: int = 0) -> NormalEquations:
    """Return a positive definite system made as the fit's is: sums of outer products within three frames."""
    rng = np.random.default_rng(seed)
    out = NormalEquations.zeros(frames, unknowns, shared)
    full = np.zeros((frames * unknowns + shared,) * 2)
    for first in range(max(frames - 2, 1)):
        touched = slice(first * unknowns, min(first + 3, frames) * unknowns)
        rows = rng.normal(size=(30, full.shape[0]))
        rows[:, : touched.start] = 0
        rows[:, touched.stop : frames * unknowns] = 0
        full += rows.T @ rows
    block = full[: frames * unknowns, : frames * unknowns].reshape(frames, unknowns, frames, unknowns)
    for t in range(frames):
        out.diagonal[t] = block[t, :, t]
        if t + 1 < frames:
            out.lower1[t] = block[t + 1, :, t]
        if t + 2 < frames:
            out.lower2[t] = block[t + 2, :, t]
    out.border[:] = full[: frames * unknowns, frames * unknowns :].reshape(frames, unknowns, shared)
    out.corner[:] = full[frames * unknowns :, frames * unknowns :]
    out.gradient[:] = rng.normal(size=(frames, unknowns))
    out.gradient_global[:] = rng.normal(size=shared)
    return out


def dense(equations: NormalEquations) -> np.ndarray:
    """Return the whole matrix, put together block by block."""
    frames, unknowns = equations.gradient.shape
    size = frames * unknowns
    full = np.zeros((size + len(equations.corner),) * 2)
    for t in range(frames):
        here = slice(t * unknowns, (t + 1) * unknowns)
        full[here, here] = equations.diagonal[t]
        for away, blocks in ((1, equations.lower1), (2, equations.lower2)):
            if t + away < frames:
                there = slice((t + away) * unknowns, (t + away + 1) * unknowns)
                full[there, here] = blocks[t]
                full[here, there] = blocks[t].T
        full[here, size:] = equations.border[t]
        full[size:, here] = equations.border[t].T
    full[size:, size:] = equations.corner
    return full


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_it_solves_what_numpy_solves(frames: int, damping: float) -> None:
    equations = system(frames)
    full = dense(equations)
    full += damping * np.diag(np.diag(full))
    right = -np.concatenate([equations.gradient.ravel(), equations.gradient_global])
    expected = np.linalg.solve(full, right)
    found = equations.solve(damping)
    assert found is not None
    np.testing.assert_allclose(np.concatenate([found[0].ravel(), found[1]]), expected, rtol=1e-5, atol=1e-7)


def test_unknowns_that_nobody_sees_stay_where_they_are() -> None:
    equations = system(5)
    for blocks in (equations.diagonal, equations.lower1, equations.lower2):
        blocks[:, 1] = 0
        blocks[:, :, 1] = 0
    equations.border[:, 1] = 0
    equations.gradient[:, 1] = 0
    found = equations.solve(1e-3)
    assert found is not None
    assert (found[0][:, 1] == 0).all()
    assert np.abs(found[0][:, 0]).min() > 0
    assert 0 < DIAGONAL_FLOOR < 1e-6


def test_a_system_without_a_minimum_has_no_step() -> None:
    equations = system(4)
    equations.diagonal[2] *= -1
    assert equations.solve(1e-3) is None


def test_solving_leaves_the_system_as_it_was() -> None:
    equations, same = system(4), system(4)
    first = equations.solve(0.1)
    second = equations.solve(0.1)
    assert first is not None and second is not None
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(dense(equations), dense(same))
