"""Each metric against a number worked out by hand."""

import numpy as np
import pytest

from mocaplift import rotations
from mocaplift.evaluate import metrics
from mocaplift.layouts import COCO17
from mocaplift.values import Layout

# Four joints: the hips 0.2 m apart, and two more so that alignments are determined.
BODY = Layout("body", ("left_hip", "right_hip", "head", "hand"), (("left_hip", "right_hip"),))
POSE = np.array([[0.1, 1.0, 0.0], [-0.1, 1.0, 0.0], [0.0, 1.7, 0.1], [0.5, 1.3, 0.2]])


def still(frames: int) -> np.ndarray:
    return np.broadcast_to(POSE, (frames, 4, 3)).copy()


def walk(frames: int, step: float) -> np.ndarray:
    """The pose carried along +X by `step` metres a frame."""
    return still(frames) + np.arange(frames)[:, None, None] * np.array([step, 0.0, 0.0])


def test_mpjpe_ignores_where_the_hips_are_and_nothing_else():
    found = still(2) + np.array([5.0, -1.0, 2.0])
    found[:, BODY.at("hand")] += [0.03, 0.04, 0.0]
    # One joint of four is 50 mm off.
    assert metrics.mpjpe(found, still(2), BODY) == pytest.approx(12.5)


def test_mpjpe_sees_a_turn():
    quarter = rotations.rotate(rotations.about_axis("Y", np.pi / 2), still(1))
    # A quarter about +Y moves a point by sqrt 2 times its distance from the axis: .1, .1, .1, hypot(.5, .2).
    expected = 1000 * np.sqrt(2) * (0.1 + 0.1 + 0.1 + np.hypot(0.5, 0.2)) / 4
    assert metrics.mpjpe(quarter, still(1), BODY) == pytest.approx(expected)


def test_a_missing_joint_does_not_count():
    found = still(2)
    found[0, BODY.at("hand")] = np.nan
    found[:, BODY.at("head")] += [0.0, 0.07, 0.0]
    # Seven joints are known in the two frames, two of them 70 mm off.
    assert metrics.mpjpe(found, still(2), BODY) == pytest.approx(2 * 70 / 7)


def test_nothing_to_compare_is_nan():
    assert np.isnan(metrics.mpjpe(np.full((2, 4, 3), np.nan), still(2), BODY))
    assert np.isnan(metrics.t_root_median(np.full((2, 3), np.nan), np.zeros((2, 3))))


def test_pa_mpjpe_forgives_a_similarity_of_each_frame_but_not_a_mirror():
    turn = rotations.from_rotvec(np.array([[0.3, -1.0, 0.4], [2.0, 0.1, 0.0]]))
    found = 1.7 * rotations.rotate(turn[:, None], still(2)) + [1.0, 2.0, 3.0]
    assert metrics.pa_mpjpe(found, still(2)) == pytest.approx(0, abs=1e-9)
    # Over the sequence one rotation must serve both frames, and cannot.
    assert metrics.pa_mpjpe_sequence(found, still(2), BODY) > 50
    assert metrics.pa_mpjpe(still(1) * [-1, 1, 1], still(1)) > 10


def test_pa_mpjpe_of_a_sequence_forgives_one_similarity_and_the_path():
    turn = rotations.from_rotvec(np.array([0.3, -1.0, 0.4]))
    truth = walk(3, 0.2)
    truth[1, BODY.at("hand")] += 0.2
    found = 0.6 * rotations.rotate(turn, truth) + np.arange(3)[:, None, None]
    assert metrics.pa_mpjpe_sequence(found, truth, BODY) == pytest.approx(0, abs=1e-9)


def test_pa_mpjpe_by_hand():
    # Two corners pulled out and two pushed in: no turn and no shift help, by symmetry, only a scale does.
    square = np.array([[[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [0, -1.0, 0]]])
    found = square * np.array([1.03, 0.97, 1.03, 0.97])[None, :, None]
    scale = (1.03 + 0.97) / (1.03**2 + 0.97**2)
    expected = 1000 * (abs(1.03 * scale - 1) + abs(0.97 * scale - 1)) / 2
    assert metrics.pa_mpjpe(found, square) == pytest.approx(expected)


def test_pa_mpjpe_does_not_count_frames_with_three_points():
    found = still(2)
    found[0, 0] = np.nan
    found[:, BODY.at("hand")] += 0.1
    assert metrics.pa_mpjpe(found, still(2)) == pytest.approx(metrics.pa_mpjpe(found[1:], still(1)))


def test_t_root_in_its_three_forms():
    truth = np.zeros((3, 3))
    found = np.array([[1.0, 1.0, 1.0], [1.3, 1.4, 1.0], [1.0, 1.0, 1.1]])
    # After the first frame is subtracted: 0, (300, 400, 0), (0, 0, 100) mm.
    assert metrics.t_root(found, truth) == pytest.approx((0 + 500 + 100) / 3)
    assert metrics.t_root_released(found, truth) == pytest.approx((300 + 400 + 100) / 9)
    # The median of the differences is (1, 1, 1): the same three distances here.
    assert metrics.t_root_median(found, truth) == pytest.approx((0 + 500 + 100) / 3)


def test_a_noisy_first_frame_spoils_t_root_but_not_its_median_form():
    truth = np.zeros((101, 3))
    found = truth.copy()
    found[0, 0] = 0.2
    assert metrics.t_root(found, truth) == pytest.approx(200 * 100 / 101)
    assert metrics.t_root_median(found, truth) == pytest.approx(200 / 101)


def test_t_root_starts_at_the_first_frame_that_both_know():
    found = np.array([[np.nan] * 3, [1.0, 0, 0], [1.0, 0, 0.6]])
    assert metrics.t_root(found, np.zeros((3, 3))) == pytest.approx(300)


def test_yaw_protocol_turns_the_truth_to_the_first_found_hips():
    truth = walk(5, 0.1)
    found = rotations.rotate(rotations.about_axis("Y", 0.8), truth)
    facing = metrics.yaw_aligned(truth, found, BODY)
    assert np.abs(facing - found).max() < 1e-12
    # Pitch is not forgiven.
    leaning = rotations.rotate(rotations.about_axis("X", 0.2), truth)
    assert metrics.mpjpe(leaning, metrics.yaw_aligned(truth, leaning, BODY), BODY) > 50


def test_segments_are_whams():
    assert metrics.segments(120) == [slice(0, 120)]
    assert metrics.segments(99) == [slice(0, 99)]
    assert metrics.segments(250) == [slice(0, 100), slice(100, 250)]
    assert metrics.segments(200) == [slice(0, 100), slice(100, 200)]


def test_world_errors_forgive_a_similarity_of_each_segment():
    rng = np.random.default_rng(1)
    truth = walk(200, 0.02) + rng.normal(0, 0.02, (200, 4, 3))
    turn = rotations.from_rotvec(np.array([0.1, 2.0, 0.0]))
    found = np.concatenate([1.2 * rotations.rotate(turn, truth[:100]), truth[100:] + 3.0])
    assert metrics.w_mpjpe(found, truth) == pytest.approx(0, abs=1e-6)
    assert metrics.wa_mpjpe(found, truth) == pytest.approx(0, abs=1e-6)


def test_w_mpjpe_counts_the_drift_after_its_first_two_frames():
    truth = still(100)
    found = still(100)
    found[2:] += [0.0, 0.0, 0.1]
    assert metrics.w_mpjpe(found, truth) == pytest.approx(98)
    assert metrics.wa_mpjpe(found, truth) < 10


def test_rte_is_a_share_of_the_path():
    # 2 m along +X, found 10 % longer: aligned at its middle, it is off by 10 % of the distance from there.
    truth = np.zeros((201, 3))
    truth[:, 0] = np.linspace(0, 2, 201)
    turn = rotations.about_axis("Y", 1.0)
    found = rotations.rotate(turn, truth * 1.1) + np.array([4.0, 0.0, 1.0])
    expected = 100 * np.mean(np.abs(0.1 * (truth[:, 0] - 1))) / 2
    assert metrics.rte(found, truth) == pytest.approx(expected)
    assert np.isnan(metrics.rte(found, np.zeros((201, 3))))


def test_planted_is_below_a_centimetre_a_frame_at_30_fps():
    creep = np.zeros((5, 1, 3))
    for step, expected in ((0.0099, True), (0.0101, False)):
        creep[:, 0, 0] = step * np.arange(5)
        assert (metrics.planted(creep, fps=30) == expected).all()
    assert not metrics.planted(creep[:1], fps=30).any()


def test_acceleration_of_a_parabola():
    t = np.arange(20) / 30
    square = np.zeros((20, 1, 3))
    square[:, 0, 2] = 2 * t**2  # 4 m/s^2
    assert metrics.acceleration_error(square, np.zeros_like(square), fps=30) == pytest.approx(4)
    # A constant offset or speed is no error of acceleration.
    assert metrics.acceleration_error(square + t[:, None, None] + 1, square, fps=30) == pytest.approx(
        0, abs=1e-9
    )


def test_j2d_scales_the_first_box_to_half_the_canvas():
    seen = np.array([[[100.0, 200], [100, 200], [100, 100], [150, 200]]] * 2)
    # 50 x 100 px; the height decides: 540 px of 1080, a factor of 5.4.
    assert metrics.canvas_scale(seen) == pytest.approx(5.4)
    found = seen + np.array([7.0, 7.0])  # a constant shift goes with the first frame's hips
    found[1, BODY.at("head"), 0] += 10
    assert metrics.j2d(found, seen, BODY) == pytest.approx(10 * 5.4 / 8)
    assert metrics.canvas_scale(seen[:, :, ::-1] * [16 / 9, 1]) == pytest.approx(5.4)


def test_centred_j2d_forgives_the_scale_of_each_frame():
    seen = np.array([[[100.0, 200], [100, 200], [100, 100], [150, 200]]] * 2)
    found = np.stack([(seen[0] - 100) * 0.8, (seen[1] - 100) * 1.3 + 20])
    assert metrics.j2d_centred(found, seen, BODY) == pytest.approx(0, abs=1e-9)
    assert metrics.j2d(found, seen, BODY) > 10


def test_depth_gain_is_a_slope_about_the_mean():
    truth = np.array([4.0, 5.0, 6.0])
    gain, weight = metrics.depth_gain(7.0 + 0.7 * truth, truth)
    assert gain == pytest.approx(0.7)
    assert weight == pytest.approx(2.0)
    assert metrics.depth_gain(np.full(3, np.nan), truth)[1] == 0


def test_pops_are_those_the_truth_does_not_have():
    found = np.array([[0.0, 25.0], [30.0, 0.0], [0.0, 30.0]])
    truth = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 28.0]])
    assert metrics.pops(found, truth, limit=20) == 2


def test_the_root_is_between_the_hips_of_any_layout():
    xyz = np.zeros((1, len(COCO17), 3))
    xyz[0, COCO17.at("left_hip")] = [0.2, 1.0, 0.0]
    xyz[0, COCO17.at("right_hip")] = [0.0, 0.8, 0.4]
    assert metrics.hip_midpoint(xyz, COCO17)[0] == pytest.approx([0.1, 0.9, 0.2])


def test_spread_is_mean_median_and_95th_percentile_of_what_is_known():
    errors = np.append(np.arange(101.0), np.nan)
    errors[100] = 1000.0
    assert metrics.spread(errors) == pytest.approx(
        {"absolute_mpjpe": (4950 + 1000) / 101, "absolute_median": 50.0, "absolute_p95": 95.0}
    )
    assert np.isnan(list(metrics.spread(np.array([np.nan])).values())).all()
