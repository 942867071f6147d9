"""How fast somebody moves, told from points."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.body import usual_accelerations
from mocaplift.fit.pace import USUAL, pace


def accelerated(share: float, fps: float, seconds: float = 2.0) -> np.ndarray:
    """Return points that accelerate steadily, each by this share of what is usual for it, along all three axes."""
    time = np.arange(round(seconds * fps)) / fps
    along = 0.5 * share * usual_accelerations() * time[:, None] ** 2
    return np.repeat(along[..., None], 3, axis=-1)


@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
def test_the_pace_is_the_same_at_every_rate(fps) -> None:
    assert pace(accelerated(USUAL, fps), fps) == pytest.approx(1.0)
    assert pace(accelerated(3 * USUAL, fps), fps) == pytest.approx(3.0)


def test_one_kick_makes_nobody_fast() -> None:
    points = accelerated(USUAL, 30.0)
    points[20:24, :3] += 0.4
    assert pace(points, 30.0) == pytest.approx(1.0)


def test_two_frames_tell_nothing() -> None:
    assert pace(np.zeros((2, 21, 3)), 30.0) == 1.0
