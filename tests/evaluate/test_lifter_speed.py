"""Lifters are timed on a clip made for it."""

import time

import numpy as np
import pytest

from mocaplift.errors import ConfigError
from mocaplift.evaluate import lifter_speed
from mocaplift.layouts import BODY21
from mocaplift.lift import load_lifter
from mocaplift.values import Motion3D

PER_FRAME, PER_CALL = 0.0001, 0.004  # s


def slow(views, cameras, lifter) -> Motion3D:
    """A lifter that takes 4 ms and a tenth of a millisecond for each frame."""
    frames = len(views[0].xy)
    time.sleep(PER_CALL + PER_FRAME * frames)
    return Motion3D(np.zeros((frames, 21, 3)), np.ones((frames, 21)), BODY21, views[0].fps)


def test_whole_clips_and_single_frames_are_timed():
    steps = []
    rows = lifter_speed.lifter_speed(
        3, lifters=["a", "b"], solve=slow, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(1, 2), (2, 2)]
    value = {(row.lifter, row.metric): row.value for row in rows}
    assert {row.views for row in rows} == {3} and {row.benchmark for row in rows} == {"speed"}
    for lifter in ("a", "b"):
        # 600 frames in 64 ms; a busy machine is slower, never faster.
        assert 1000 < value[lifter, "fps_batch"] <= 600 / (PER_CALL + 600 * PER_FRAME)
        assert 4.1 <= value[lifter, "ms_frame"] < 40
        assert 7.0 <= value[lifter, "ms_frame_with_past"] < 60


def test_the_clip_is_a_person_seen_by_all_cameras():
    views, rig = lifter_speed.made_clip(4, frames=30)
    assert len(views) == len(rig) == 4 and views[0].xy.shape == (30, 21, 2)
    for view in views:
        assert (view.xy > 0).all() and (view.xy < view.size).all()
    found = load_lifter("dlt")(views, rig).xyz
    assert np.isfinite(found).all()
    height = np.ptp(found[..., 1], axis=1)
    assert 1.3 < height.min() < height.max() < 2.2
    assert np.ptp(found[:, BODY21.at("left_wrist")], axis=0).max() > 0.2  # it moves


def test_one_view_is_timed_on_a_window_with_and_without_the_fit():
    rows = lifter_speed.lifter_speed(1, lifters=["a"], solve=slow)
    value = {row.metric: row.value for row in rows}
    assert set(value) == {"s_window", "fps_batch"} and {row.frames for row in rows} == {120}
    # 120 frames in 16 ms; a busy machine is slower, never faster.
    assert 0.016 <= value["s_window"] < 0.16
    assert value["fps_batch"] == pytest.approx(120 / value["s_window"])
    names = lifter_speed.lifters_of(1)
    assert names[:2] == ("smplify+raw", "smplify") and names[-1] == "auto" and "auto+raw" not in names
    assert lifter_speed.lifters_of(2) == ("dlt", "triangulate", "mpl")


def test_no_view_is_refused():
    with pytest.raises(ConfigError, match="one or more views, not 0"):
        lifter_speed.lifter_speed(0)
