"""Figures without ground truth: each on a case whose number one computes by hand."""

import dataclasses

import numpy as np
import pytest

from mocaplift import quality, rotations
from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.values import Camera, Keypoints2D, Motion3D, SkeletonMotion
from tests.walker import keypoints_of, skeleton, walker

VIEW = look_at(np.array([0.0, 1.0, 5.0]), np.array([0.0, 1.0, 0.0]))
CAMERA = Camera("front", intrinsics_from_fov(60.0, (1280, 720)), np.zeros(5), VIEW, (1280, 720))


def _still(frames=30) -> SkeletonMotion:
    turns = np.tile(rotations.IDENTITY, (frames, 24, 1))
    return SkeletonMotion(skeleton(), turns, np.tile([0.0, 0.99, 0.0], (frames, 1)), 30.0)


def _seen(points: Motion3D, conf=0.9) -> Keypoints2D:
    xy = project(CAMERA, points.xyz)
    return Keypoints2D(xy, np.full(xy.shape[:2], conf), BODY21, 30.0, CAMERA.size)


def _feet(points: Motion3D) -> np.ndarray:
    return points.xyz[:, points.layout.index(*CONTACT_POINTS)]


def test_someone_who_stands_still_scores_zero_everywhere():
    motion = _still()
    points = keypoints_of(motion)
    found = quality.measure(motion, points, np.ones((30, 4), bool), [_seen(points)], [CAMERA], joints=points)
    assert found["contact_share"] == 1.0
    zero = set(found) - {"contact_share"}
    assert {name: found[name] for name in zero} == pytest.approx(dict.fromkeys(zero, 0.0), abs=1e-9)
    assert all(type(value) is float for value in found.values())


def test_reprojection_in_pixels_and_by_size():
    points = keypoints_of(_still())
    seen = _seen(points)
    shifted = dataclasses.replace(seen, xy=seen.xy + np.array([3.0, 4.0]))
    found = quality.reprojection(points, [shifted], [CAMERA])
    assert found["reprojection_px"] == pytest.approx(5.0) == found["reprojection_p95_px"]
    # Fingertips are wider apart than head and feet in a T-pose: the wrists, 1.36 m, are the larger side here.
    height = np.ptp(seen.xy[0], axis=0).max()
    assert found["reprojection_share"] == pytest.approx(5.0 / height)


def test_unsure_and_missing_points_have_no_say():
    points = keypoints_of(_still(4))
    seen = _seen(points)
    xy, conf = seen.xy + 2.0, seen.conf.copy()
    xy[:, 0] += 500
    conf[:, 0] = 0.1
    xy[:, 1], conf[:, 1] = np.nan, 0.0
    found = quality.reprojection(points, [dataclasses.replace(seen, xy=xy, conf=conf)], [CAMERA])
    assert found["reprojection_p95_px"] == pytest.approx(2 * np.sqrt(2))
    nobody = dataclasses.replace(seen, xy=np.full_like(xy, np.nan), conf=np.zeros_like(conf))
    assert np.isnan(quality.reprojection(points, [nobody], [CAMERA])["reprojection_px"])
    assert np.isnan(quality.reprojection(points, [], [])["reprojection_share"])


def test_several_cameras_have_figures_of_their_own():
    points = keypoints_of(_still(4))
    seen = _seen(points)
    conf = seen.conf.copy()
    conf[:3] = 0.0
    late = dataclasses.replace(
        seen, xy=np.where(conf[..., None] > 0, seen.xy + np.array([0.0, 7.0]), np.nan), conf=conf
    )
    side = dataclasses.replace(CAMERA, name="side")
    found = quality.by_camera(points, [seen, late], [CAMERA, side])
    assert found["camera_reprojection_px"] == pytest.approx({"front": 0.0, "side": 7.0})
    assert found["camera_seen_share"] == {"front": 1.0, "side": 0.25}


def test_foot_slide_counts_steps_between_planted_frames_only():
    feet = np.zeros((4, 4, 3))
    feet[:, 0, 0] = [0.0, 0.003, 0.009, 0.5]
    # Upwards is no slide.
    feet[:, 0, 1] = [0.0, 0.1, 0.2, 0.3]
    contacts = np.zeros((4, 4), dtype=bool)
    contacts[:3, 0] = True
    assert quality.foot_slide(feet, contacts) == pytest.approx((3 + 6) / 2)
    assert quality.foot_slide(feet, contacts, percentile=100.0) == pytest.approx(6.0)
    assert np.isnan(quality.foot_slide(feet, np.zeros((4, 4), dtype=bool)))


@pytest.mark.parametrize("fps", [30.0, 120.0])
def test_jitter_is_jerk_whatever_the_rate(fps):
    """The path x = t^3 has the jerk 6 m/s^3."""
    t = np.arange(20) / fps
    xyz = np.zeros((20, 21, 3))
    xyz[..., 0] = (t**3)[:, None]
    points = Motion3D(xyz, np.full((20, 21), 0.01), BODY21, fps)
    assert quality.jitter(points) == pytest.approx(6.0, rel=1e-6)
    short = Motion3D(xyz[:3], np.full((3, 21), 0.01), BODY21, fps)
    assert np.isnan(quality.jitter(short))


def test_the_largest_turn_is_that_of_the_one_joint_that_pops():
    motion = _still(10)
    motion.rotations[5:, SMPL24.at("left_wrist")] = -rotations.about_axis("X", np.radians(35.0))
    assert quality.largest_turn(motion) == pytest.approx(35.0)
    assert quality.largest_turn(_still(1)) == 0.0


def test_floor_penetration_is_the_lowest_foot_below_zero():
    feet = np.full((4, 4, 3), 0.5)
    feet[0, 2, 1], feet[0, 1, 1], feet[1, 0, 1] = -0.02, -0.01, 0.01
    assert quality.floor_penetration(feet) == pytest.approx(20.0 / 4)


def test_amplitude_by_hand_and_unmoved_by_the_root():
    """One joint of 23 swings a hand bone of 8 cm by +-90 degrees about its middle."""
    turns = np.tile(rotations.IDENTITY, (2, 24, 1))
    for frame, angle in enumerate((-np.pi / 2, np.pi / 2)):
        turns[frame, SMPL24.at("left_wrist")] = rotations.about_axis("Z", angle)
    motion = SkeletonMotion(skeleton(), turns, np.array([[0.0, 1, 0], [5.0, 1, 0]]), 30.0)
    # The hand is at -8 cm, then at +8 cm: 8 cm about its mean.
    assert quality.amplitude(motion) == pytest.approx(np.sqrt(0.08**2 / 23))


def test_bone_lengths_of_lifted_points_spread_and_those_of_a_skeleton_do_not():
    points = walker(60).keypoints
    assert quality.bone_length_spread(points) < 1e-9
    noise = np.random.default_rng(0).normal(size=points.xyz.shape) * 0.02
    spread = quality.bone_length_spread(dataclasses.replace(points, xyz=points.xyz + noise))
    # Two ends with 2 cm of noise each on limbs of 25 to 42 cm: 2.8 cm / 34 cm.
    assert spread == pytest.approx(0.085, rel=0.35)


def test_a_walk_has_plausible_figures_and_a_slid_one_has_worse():
    walk = walker(90)
    good = quality.measure(walk.motion, walk.keypoints, walk.contacts)
    slid = dataclasses.replace(walk.motion, root=walk.motion.root * np.array([1, 1, 1.3]))
    bad = quality.measure(slid, keypoints_of(slid), walk.contacts)
    assert good["foot_slide_mm"] < 1e-6 and bad["foot_slide_mm"] == pytest.approx(0.3 * 1000 / 30, rel=0.05)
    assert 0.5 < good["contact_share"] <= 1.0
    assert 20 < good["jitter_m_s3"] < 150
    assert good["largest_turn_deg"] < 20


def test_parts_that_do_not_fit_together_are_refused():
    walk = walker(5)
    with pytest.raises(InvalidData, match=r"different lengths: \[4, 5\]"):
        quality.measure(walk.motion, walk.keypoints, walk.contacts[:4])
    with pytest.raises(InvalidData):
        quality.measure(walk.motion, walk.keypoints, walk.contacts, [_seen(walk.keypoints)], [])
