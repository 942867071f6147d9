"""Outliers: spikes and bursts lose confidence, the impossible goes, quick limbs stay."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.clean.outliers import repair_outliers
from mocaplift.clean.scale import BONES, pixels_per_metre
from mocaplift.confidence import expected_error
from mocaplift.layouts import BODY21, COCO17, remap_keypoints
from mocaplift.values import Keypoints2D
from tests.clean.seen import camera, changed, seen_walker

WRIST = BODY21.at("left_wrist")


def with_error(keypoints: Keypoints2D, frames: slice, joint: int, metres: float) -> Keypoints2D:
    xy = keypoints.xy.copy()
    xy[frames, joint] += metres * pixels_per_metre(keypoints)[frames, None] * np.array([0.6, -0.8])
    return changed(keypoints, xy=xy)


@pytest.mark.parametrize("view", [0, 60, 90, 180])
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
def test_a_walker_keeps_his_points(view: int, fps: float) -> None:
    keypoints = seen_walker(view, frames=int(3 * fps), fps=fps)
    repaired, count = repair_outliers(keypoints)
    assert count <= 0.002 * keypoints.conf.size
    assert (repaired.conf > 0).all()


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("metres", [0.25, 0.5])
def test_bursts_lose_as_much_confidence_as_they_are_off(length: int, metres: float) -> None:
    keypoints = with_error(seen_walker(20), slice(40, 40 + length), WRIST, metres)
    repaired, count = repair_outliers(keypoints)
    assert (repaired.conf[40 : 40 + length, WRIST] < 0.05).all()
    assert expected_error(repaired.conf, BODY21)[40, WRIST] > 0.12
    assert length <= count <= length + 2
    assert np.array_equal(repaired.xy, keypoints.xy), "points keep their places"
    others = np.ones_like(repaired.conf, bool)
    others[38 : 42 + length, WRIST] = False
    assert (repaired.conf == keypoints.conf)[others].all()


def test_the_impossible_goes() -> None:
    keypoints = with_error(seen_walker(20), slice(40, 42), WRIST, 1.5)
    repaired, count = repair_outliers(keypoints)
    assert (repaired.conf[40:42, WRIST] == 0).all()
    assert np.isnan(repaired.xy[40:42, WRIST]).all()
    assert np.isnan(repaired.landmarks[40:42, WRIST]).all()  # type: ignore[index]
    assert count == 2


@pytest.mark.parametrize("side", [-1, 1])
def test_a_moment_on_another_person_goes_whole(side: int) -> None:
    keypoints = seen_walker(20)
    xy = keypoints.xy.copy()
    xy[40:43] += [side * 260.0, 30.0]
    repaired, _ = repair_outliers(changed(keypoints, xy=xy))
    assert (repaired.conf[40:43] == 0).all()
    assert (repaired.conf[:40] > 0).all() and (repaired.conf[43:] > 0).all()


def test_a_bone_longer_than_any_bone_is_found_however_long_it_lasts() -> None:
    """An ankle on the floor's edge for a second is a path of its own: only its distance to the knee tells."""
    keypoints = seen_walker(20)
    ankle, knee = BODY21.index("left_ankle", "left_knee")
    xy = keypoints.xy.copy()
    xy[30:60, ankle] = xy[30:60, knee] + [0.9 * pixels_per_metre(keypoints)[40], 0.0]
    repaired, _ = repair_outliers(changed(keypoints, xy=xy))
    assert (repaired.conf[30:60, ankle] < 0.1).all()


def test_a_kick_is_kept() -> None:
    """A foot that reaches 9 m/s within 0.15 s and comes back: fast, smooth, and real."""
    keypoints = seen_walker(20, noise=0.005)
    t = (np.arange(90) - 45) / 30
    reach = 0.75 * np.exp(-((t / 0.12) ** 2))
    xy = keypoints.xy.copy()
    for joint, share in (("ankle", 1.0), ("heel", 1.0), ("big_toe", 1.0), ("knee", 0.45)):
        place = BODY21.at(f"left_{joint}")
        xy[:, place] += (share * reach * pixels_per_metre(keypoints))[:, None] * [0.7, -0.7]
    repaired, count = repair_outliers(changed(keypoints, xy=xy))
    ankle = BODY21.at("left_ankle")
    assert (repaired.conf[:, ankle] > 0).all()
    assert (repaired.conf[:, ankle] < 0.3).sum() <= 3
    assert count <= 12


def test_a_point_already_doubted_is_not_punished_again() -> None:
    keypoints = seen_walker(20)
    conf = keypoints.conf.copy()
    conf[40, WRIST] = 0.01
    doubted = with_error(changed(keypoints, conf=conf), slice(40, 41), WRIST, 0.15)
    repaired, _ = repair_outliers(doubted)
    assert repaired.conf[40, WRIST] == 0.01


def test_missing_points_stay_missing_and_other_layouts_work() -> None:
    keypoints = remap_keypoints(seen_walker(20), COCO17)
    conf = keypoints.conf.copy()
    conf[20:30] = 0
    repaired, _ = repair_outliers(changed(keypoints, conf=conf))
    assert (repaired.conf[20:30] == 0).all()
    assert np.isnan(repaired.xy[20:30]).all()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_are_left_alone(frames: int) -> None:
    keypoints = seen_walker(0, frames=frames)
    repaired, count = repair_outliers(keypoints)
    assert count == 0
    assert np.array_equal(repaired.conf, keypoints.conf)


def test_nobody_is_left_alone() -> None:
    keypoints = seen_walker(0, frames=20)
    empty = changed(keypoints, conf=np.zeros_like(keypoints.conf))
    repaired, count = repair_outliers(empty)
    assert count == 0
    assert (repaired.conf == 0).all()
    assert np.isnan(pixels_per_metre(empty)).all()


def test_long_clips_are_done_in_blocks_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    from mocaplift.clean import outliers, scale

    keypoints = with_error(seen_walker(20, frames=150), slice(70, 72), WRIST, 0.4)
    whole = repair_outliers(keypoints)[0]
    monkeypatch.setattr(outliers, "LARGEST_BLOCK", 3000)
    monkeypatch.setattr(scale, "LARGEST_BLOCK", 3000)
    assert np.array_equal(repair_outliers(keypoints)[0].conf, whole.conf)


@pytest.mark.parametrize("view", [0, 45, 90, 180])
def test_pixels_per_metre_is_near_the_truth(view: int) -> None:
    keypoints = seen_walker(view)
    eye = camera(view)
    # The walker passes the middle of the picture, 5 m away, half-way through.
    expected = eye.intrinsics[0, 0] / 5.0
    assert pixels_per_metre(keypoints)[45] == pytest.approx(expected, rel=0.12)


def test_pixels_per_metre_does_not_fold_with_the_body() -> None:
    """Somebody who curls up for a moment is as near as before."""
    keypoints = seen_walker(0)
    xy = keypoints.xy.copy()
    middle = xy[40:50].mean(axis=1, keepdims=True)
    xy[40:50] = middle + 0.4 * (xy[40:50] - middle)
    before, after = pixels_per_metre(keypoints), pixels_per_metre(changed(keypoints, xy=xy))
    assert np.abs(after / before - 1).max() < 0.08


def test_every_bone_of_the_scale_is_in_the_layout() -> None:
    assert all(joint in BODY21.joints for a, b, _ in BONES for joint in (a, b))
