"""Scores by name: every one has a unit, and those that `quality` defines arrive in it."""

import numpy as np
import pytest

from mocaplift.evaluate import scores
from mocaplift.layouts import BODY21, COCO17, remap
from mocaplift.values import Layout
from tests.walker import walker

BONE = Layout("bone", ("left_ankle", "right_ankle"))


def test_jitter_is_the_jerk_of_the_points_that_are_there():
    t = np.arange(20) / 30
    cubic = np.zeros((20, 2, 3))
    cubic[:, 0, 1] = t**3  # jerk 6 m/s^3
    cubic[:, 1] = np.nan
    assert scores.jitter(cubic, BONE, 30.0) == pytest.approx(6)


def test_feet_slide_only_where_the_truth_stands():
    truth = np.zeros((4, 2, 3))
    truth[:, 1, 0] = [0.0, 1.0, 2.0, 3.0]  # the right foot walks
    found = truth.copy()
    found[:, :, 2] = 0.002 * np.arange(4)[:, None]
    assert scores.motion_scores(found, truth, BONE, 30.0)["foot_slide"] == pytest.approx(2)


def test_heels_and_toes_are_used_where_the_layout_has_them():
    truth = walker(60).keypoints.xyz
    found = truth.copy()
    found[:, BODY21.index("left_ankle", "right_ankle")] += np.arange(60)[:, None, None]
    whole = scores.motion_scores(found, truth, BODY21, 30.0)["foot_slide"]
    part = scores.motion_scores(remap(found, BODY21, COCO17), remap(truth, BODY21, COCO17), COCO17, 30.0)
    assert whole < 10 and part["foot_slide"] > 1000


def test_every_score_has_a_unit():
    truth = walker(30).keypoints.xyz
    found = scores.pose_scores(truth, truth, BODY21) | scores.world_scores(truth, truth, BODY21)
    made = scores.rows(found, benchmark="b", sequence="s", views=1, lifter="l", frames=30)
    assert [row.metric for row in made] == list(found)
    assert {row.unit for row in made} == {"mm", "%"}
    with pytest.raises(KeyError):
        scores.rows({"beauty": 1.0}, benchmark="b", sequence="s", views=1, lifter="l", frames=1)
