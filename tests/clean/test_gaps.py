"""Gaps: short ones are filled along the path and told, long ones stay."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.clean.gaps import fill_gaps
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.values import Keypoints2D
from tests.clean.seen import changed, seen_walker

FPS = 30.0
ELBOW = BODY21.at("right_elbow")


def moving(path: np.ndarray, gaps: list[slice]) -> Keypoints2D:
    """Return keypoints whose joints all follow a path [T 2], missing in the gaps."""
    xy = np.tile(path[:, None], (1, len(BODY21), 1))
    conf = np.full(xy.shape[:2], 0.6)
    for gap in gaps:
        conf[gap] = 0
    landmarks = np.where(conf[..., None] > 0, np.arange(len(xy))[:, None, None] * np.ones(3), np.nan)
    xy = np.where(conf[..., None] > 0, xy, np.nan)
    return Keypoints2D(xy, conf, BODY21, FPS, (640, 480), landmarks=landmarks)


def line(frames: int = 60) -> np.ndarray:
    return np.stack([100 + 4.0 * np.arange(frames), 200 - 2.0 * np.arange(frames)], axis=-1)


def test_a_straight_path_is_filled_exactly() -> None:
    filled, count, left = fill_gaps(moving(line(), [slice(20, 30)]), 0.5)
    assert np.allclose(filled.xy, np.tile(line()[:, None], (1, len(BODY21), 1)))
    assert (count, left) == (10 * len(BODY21), 0)
    assert np.allclose(filled.landmarks[25], 25.0)  # type: ignore[index]


def test_a_curve_is_followed_better_than_by_a_chord() -> None:
    t = np.arange(60) / FPS
    curve = np.stack([300 + 80 * np.cos(4 * t), 200 + 80 * np.sin(4 * t)], axis=-1)
    filled, _, _ = fill_gaps(moving(curve, [slice(20, 32)]), 0.5)
    chord = curve[19] + (np.arange(1, 13) / 13)[:, None] * (curve[32] - curve[19])
    error = np.linalg.norm(filled.xy[20:32, ELBOW] - curve[20:32], axis=-1).max()
    assert error < 3
    assert error < np.linalg.norm(chord - curve[20:32], axis=-1).max() / 5


def test_filled_points_are_less_sure_the_deeper_they_lie() -> None:
    filled, _, _ = fill_gaps(moving(line(), [slice(20, 35)]), 0.5)
    conf = filled.conf[20:35, ELBOW]
    assert (conf < 0.31).all() and (conf > 0.05).all()
    assert (np.diff(conf[:8]) < 0).all() and (np.diff(conf[7:]) > 0).all()
    assert (filled.conf[:20] == 0.6).all()


def test_the_longest_gap_is_in_seconds() -> None:
    keypoints = moving(line(), [slice(20, 35)])  # 15 frames, 0.5 s
    assert fill_gaps(keypoints, 0.5)[1:] == (15 * len(BODY21), 0)
    filled, count, left = fill_gaps(keypoints, 0.49)
    assert (count, left) == (0, 15 * len(BODY21))
    assert np.isnan(filled.xy[20:35]).all()
    faster = Keypoints2D(keypoints.xy, keypoints.conf, BODY21, 60.0, (640, 480))
    assert fill_gaps(faster, 0.25)[1] == 15 * len(BODY21)


def test_nothing_is_invented_before_the_first_or_after_the_last() -> None:
    filled, count, left = fill_gaps(moving(line(), [slice(0, 3), slice(57, 60)]), 1.0)
    assert count == 0
    assert left == 6 * len(BODY21)
    assert np.isnan(filled.xy[:3]).all() and np.isnan(filled.xy[57:]).all()


def test_gaps_of_one_joint_leave_the_others() -> None:
    whole = seen_walker(20)
    conf = whole.conf.copy()
    conf[30:34, ELBOW] = 0
    filled, count, left = fill_gaps(changed(whole, conf=conf), 0.5)
    assert (count, left) == (4, 0)
    others = [place for place in range(len(BODY21)) if place != ELBOW]
    assert np.array_equal(filled.xy[:, others], whole.xy[:, others])
    assert np.linalg.norm(filled.xy[30:34, ELBOW] - whole.xy[30:34, ELBOW], axis=-1).max() < 12


def test_joints_that_a_detector_lacks_are_neither_filled_nor_counted() -> None:
    whole = seen_walker(20)
    conf = whole.conf.copy()
    conf[:, BODY21.index("left_heel", "right_heel")] = 0
    filled, count, left = fill_gaps(changed(whole, conf=conf), 0.5)
    assert (count, left) == (0, 0)
    assert (filled.conf[:, BODY21.at("left_heel")] == 0).all()


def test_a_noisy_edge_does_not_fling_the_path() -> None:
    path = line()
    path[19] += [25.0, -25.0]
    filled, _, _ = fill_gaps(moving(path, [slice(20, 34)]), 0.5)
    assert np.linalg.norm(filled.xy[20:34, ELBOW] - line()[20:34], axis=-1).max() < 40


def test_lone_frames_between_gaps_are_joined() -> None:
    filled, count, left = fill_gaps(moving(line(), [slice(10, 14), slice(15, 20)]), 0.5)
    assert (count, left) == (9 * len(BODY21), 0)
    assert np.allclose(filled.xy[:, ELBOW], line(), atol=6)


@pytest.mark.parametrize("longest", [-1.0, float("nan")])
def test_impossible_lengths_are_refused(longest: float) -> None:
    with pytest.raises(InvalidData, match="longest gap"):
        fill_gaps(seen_walker(0, frames=5), longest)


def test_zero_fills_nothing() -> None:
    keypoints = moving(line(), [slice(20, 21)])
    assert fill_gaps(keypoints, 0.0)[1] == 0
    assert np.isnan(keypoints.xy[20]).all()
