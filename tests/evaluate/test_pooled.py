"""The tables of several views, from errors made by hand."""

import numpy as np
import pytest

from mocaplift.evaluate import pooled
from mocaplift.evaluate.several import Scored
from mocaplift.values import Layout

JOINTS = Layout("three", ("nose", "left_wrist", "right_wrist"))


def made(errors, *, lifter="x", name="walk", angle=90.0, fewer=None, missing=0, in_sigma=None) -> Scored:
    errors = np.array(errors, dtype=float)
    is_missing = np.zeros(errors.shape, dtype=bool)
    is_missing.flat[:missing] = True
    ratio = np.full(errors.shape, np.nan) if in_sigma is None else np.array(in_sigma, dtype=float)
    less = None if fewer is None else np.array(fewer, dtype=float)
    return Scored(name, lifter, JOINTS, 3, angle, errors, is_missing, ratio, less)


def values(results: list[Scored]) -> dict[tuple[str, str, str], float]:
    return {(r.sequence, r.lifter, r.metric): r.value for r in pooled.table(results, "made")}


def test_errors_of_all_scenes_are_pooled_by_joint_and_by_angle():
    # Two frames and one: every point weighs the same.
    value = values(
        [
            made([[10, 20, 30], [10, 20, 30]], angle=50.0),
            made([[40, 50, 90]], angle=113.0, name="run"),
        ]
    )
    assert value["all", "x", "absolute_mpjpe"] == pytest.approx(300 / 9)
    assert value["all", "x", "absolute_median"] == 30
    assert value["all", "x", "limbs_mpjpe"] == pytest.approx(240 / 6)  # the wrists
    assert value["all", "x", "absolute_nose"] == pytest.approx(20)
    assert value["all", "x", "absolute_wrist"] == pytest.approx(40)
    assert value["walk", "x", "absolute_mpjpe"] == 20
    assert value["run", "x", "absolute_mpjpe_at_135"] == 60
    assert value["all", "x", "absolute_mpjpe_at_45"] == 20
    assert ("walk", "x", "absolute_mpjpe_at_135") not in value
    assert ("all", "x", "negative_view_joints") not in value
    assert ("all", "x", "worse_than_triangulate") not in value


@pytest.mark.parametrize(("angle", "nearest"), [(0, 0), (22, 0), (23, 45), (67, 45), (68, 90), (158, 180)])
def test_bins_are_the_nearest_multiples(angle: float, nearest: int):
    assert pooled.angle_bin(angle) == nearest


def test_the_95th_percentile_is_of_the_points():
    value = values([made(np.arange(1, 102).reshape(-1, 1) * np.ones(3))])
    assert value["all", "x", "absolute_p95"] == pytest.approx(96)


def test_the_negative_view_rate_counts_points_and_frames_that_get_worse():
    more = [[10, 10, 10], [10, 10, 10]]
    fewer = [
        [9, 11, 12],
        [9, 9, 11],
    ]  # worse: 1 of 3 and 2 of 3; the frames' means: better by 2/3, worse by 1/3
    value = values([made(more, fewer=fewer)])
    assert value["all", "x", "negative_view_joints"] == pytest.approx(50)
    assert value["all", "x", "negative_view_frames"] == pytest.approx(50)


def test_the_gate_compares_point_by_point_and_bin_by_bin():
    value = values(
        [
            made([[10, 10, 10]], lifter="triangulate", angle=90),
            made([[10, 10, 10]], lifter="triangulate", angle=180),
            made([[11.9, 12.1, 7]], lifter="mpl", angle=90),
            made([[30, 5, 1]], lifter="mpl", angle=180),
        ]
    )
    assert value["all", "mpl", "worse_than_triangulate"] == pytest.approx(100 * 2 / 6)
    assert value["all", "mpl", "better_than_triangulate"] == pytest.approx(100 * 3 / 6)
    assert value["all", "mpl", "worse_bins"] == 2  # 31/3 and 36/3 against 10
    assert ("all", "triangulate", "worse_bins") not in value


def test_missing_points_and_points_without_truth():
    value = values([made([[np.nan, 20, 40], [300, 0, 0]], missing=4)])
    # Four flags, of which one is a point without truth: three of the five that have one.
    assert value["all", "x", "missing"] == pytest.approx(60)
    assert value["all", "x", "absolute_mpjpe"] == pytest.approx(360 / 5)
    nothing = values([made([[np.nan] * 3], fewer=[[np.nan] * 3])])
    assert np.isnan(nothing["all", "x", "absolute_mpjpe"]) and np.isnan(nothing["all", "x", "missing"])
    assert np.isnan(nothing["all", "x", "negative_view_frames"])


def test_calibration_counts_what_lies_within_sigma():
    value = values([made([[10, 10, 10]], in_sigma=[[0.5, 1.5, np.nan]])])
    assert value["all", "x", "within_sigma"] == pytest.approx(50)
    assert value["all", "x", "within_2_sigma"] == pytest.approx(100)
    assert ("all", "x", "within_sigma") not in values([made([[10, 10, 10]])])


def test_units_and_frames():
    rows = pooled.table([made([[1, 2, 3]], fewer=[[1, 1, 1]]), made([[1, 2, 3]], angle=10.0)], "made")
    units = {row.metric: row.unit for row in rows}
    assert units["absolute_p95"] == "mm" and units["missing"] == units["negative_view_joints"] == "%"
    assert {row.frames for row in rows if row.metric == "absolute_mpjpe_at_90"} == {1}
    assert {(row.benchmark, row.views) for row in rows} == {("made", 3)}
