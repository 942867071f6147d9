"""Planted feet: they stay, and the rest of the body hardly notices."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from mocaplift import kinematics, legs, rotations
from mocaplift.clean.contacts import find_contacts
from mocaplift.clean.feet import contact_positions, pin_feet
from mocaplift.clean.ground import SOLE_DROP
from mocaplift.clean.smoothing import low_pass
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.quality import foot_slide, largest_turn
from mocaplift.values import SkeletonMotion
from tests.walker import FOOT_POINTS, keypoints_of, skeleton, walker

LEGS = SMPL24.index(*(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")))


def _spoiled(seed: int, *, turn=0.015, root=0.01, drift=0.05, frames=150, fps=30.0):
    """Return a walk as a fit delivers it: joints and root off by slow noise, the root drifting; and the truth."""
    walk = walker(frames, fps=fps)
    rng = np.random.default_rng(seed)
    noise = low_pass(rng.normal(size=(frames, 75)), fps, 2.0)
    noise /= noise.std()
    turns = rotations.from_rotvec(turn * noise[:, :72].reshape(frames, 24, 3))
    away = drift * np.sin(np.arange(frames) / fps)[:, None] * np.array([1, 0, 1])
    motion = SkeletonMotion(
        walk.motion.skeleton,
        rotations.normalize(rotations.multiply(walk.motion.rotations, turns)),
        walk.motion.root + root * noise[:, 72:] + away,
        fps,
    )
    return motion, walk


def _slide(motion, contacts, **options) -> float:
    return foot_slide(contact_positions(motion, FOOT_POINTS), contacts, **options)


def test_a_walk_without_a_fault_is_left_alone():
    walk = walker(120)
    out = pin_feet(walk.motion, walk.contacts, FOOT_POINTS)
    np.testing.assert_allclose(out.root, walk.motion.root, atol=1e-9)
    assert rotations.angle_between(out.rotations, walk.motion.rotations).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_sliding_feet_stand_still(seed, fps):
    motion, walk = _spoiled(seed, fps=fps, frames=round(4 * fps))
    out = pin_feet(motion, walk.contacts, FOOT_POINTS)
    assert _slide(motion, walk.contacts) > 0.1 * 1000 / fps
    assert _slide(out, walk.contacts) < 0.5 * 30 / fps
    assert _slide(out, walk.contacts, percentile=95.0) < 2.0 * 30 / fps


@pytest.mark.parametrize("seed", range(3))
def test_with_contacts_that_were_found_and_not_given(seed):
    motion, _ = _spoiled(seed)
    contacts = find_contacts(keypoints_of(motion))
    assert contacts.mean() > 0.3
    assert _slide(pin_feet(motion, contacts, FOOT_POINTS), contacts) < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_nothing_pops_and_the_upper_body_keeps_its_pose(seed):
    motion, walk = _spoiled(seed)
    out = pin_feet(motion, walk.contacts, FOOT_POINTS)
    assert largest_turn(out) < largest_turn(motion) + 2.0
    others = [joint for joint in range(24) if joint not in LEGS]
    assert rotations.angle_between(out.rotations[:, others], motion.rotations[:, others]).max() < 1e-7
    knees = [
        np.degrees(np.diff(legs.knee_bend(legs.leg_of(m.skeleton, *kinematics.forward(
            m.skeleton, m.rotations, m.root), "left"))))
        for m in (motion, out)
    ]  # fmt: skip
    assert np.abs(knees[1]).max() < np.abs(knees[0]).max() + 2.0


def test_a_drift_of_the_root_is_undone_while_feet_stand():
    motion, walk = _spoiled(0, turn=0.0, root=0.0, drift=0.15)
    out = pin_feet(motion, walk.contacts, FOOT_POINTS)
    step = np.linalg.norm(np.diff(out.root - walk.motion.root, axis=0), axis=-1)
    assert step.mean() < 0.8 * np.linalg.norm(np.diff(motion.root - walk.motion.root, axis=0), axis=-1).mean()


def test_planted_points_are_on_the_floor_and_none_is_below():
    motion, walk = _spoiled(1)
    points = contact_positions(pin_feet(motion, walk.contacts, FOOT_POINTS), FOOT_POINTS)
    assert contact_positions(motion, FOOT_POINTS)[..., 1].min() < -0.005
    np.testing.assert_allclose(points[..., 1][walk.contacts], SOLE_DROP, atol=0.003)
    assert points[..., 1].min() > 0.005


def test_the_toe_stays_while_the_heel_rises():
    motion, walk = _spoiled(2)
    heel, toe = CONTACT_POINTS.index("left_heel"), CONTACT_POINTS.index("left_big_toe")
    heel_off = walk.contacts[:, toe] & ~walk.contacts[:, heel]
    pairs = heel_off[1:] & heel_off[:-1]
    assert pairs.sum() > 10
    points = contact_positions(pin_feet(motion, walk.contacts, FOOT_POINTS), FOOT_POINTS)
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    assert step[pairs, toe].max() < 0.002
    assert step[pairs, heel].mean() > 0.01


def test_a_step_on_stairs_keeps_its_height():
    walk = walker(60)
    raised = dataclasses.replace(walk.motion, root=walk.motion.root + np.array([0, 0.34, 0]))
    out = pin_feet(raised, walk.contacts, FOOT_POINTS)
    points = contact_positions(out, FOOT_POINTS)
    np.testing.assert_allclose(points[..., 1][walk.contacts], 0.34 + SOLE_DROP, atol=1e-6)


def test_auto_lets_a_foot_glide_that_always_holds():
    """Both feet planted by name, but the whole body glides 1.2 m in four seconds: a skater."""
    turns = np.tile(walker(1).motion.rotations, (120, 1, 1))
    t = np.arange(120) / 30
    root = np.stack([0 * t, 0 * t + 0.845, 0.3 * t], axis=-1)
    motion = SkeletonMotion(skeleton(), turns, root, 30.0)
    contacts = np.ones((120, 4), dtype=bool)
    glide = {}
    for mode in ("auto", "always", "never"):
        feet = contact_positions(pin_feet(motion, contacts, FOOT_POINTS, mode=mode), FOOT_POINTS)
        glide[mode] = np.linalg.norm(feet[-1, :, [0, 2]] - feet[0, :, [0, 2]], axis=0).mean()
    assert glide["never"] == pytest.approx(1.19, abs=0.01)
    assert glide["always"] < 0.1 and glide["auto"] > 0.4
    assert pin_feet(motion, contacts, FOOT_POINTS, mode="never") is motion


def test_feet_out_of_reach_lower_the_hips_and_do_not_break_knees():
    """Hips 6 cm too high for the feet: the hips come down, the knees stay bent."""
    walk = walker(60)
    high = dataclasses.replace(walk.motion, root=walk.motion.root + np.array([0, 0.06, 0]))
    out = pin_feet(high, walk.contacts, FOOT_POINTS)
    assert _slide(out, walk.contacts) < 0.5
    xyz, _ = kinematics.forward(out.skeleton, out.rotations, out.root)
    for side in ("left", "right"):
        hip, ankle = SMPL24.index(f"{side}_hip", f"{side}_ankle")
        assert np.linalg.norm(xyz[:, hip] - xyz[:, ankle], axis=-1).max() < 0.42 + 0.41 - 1e-4


def test_wrong_arguments_are_named():
    walk = walker(10)
    with pytest.raises(ConfigError, match="knows auto, always, never, but not 'sometimes'"):
        pin_feet(walk.motion, walk.contacts, FOOT_POINTS, mode="sometimes")
    with pytest.raises(InvalidData, match=r"must have shape \[10 4\], not \[9 4\]"):
        pin_feet(walk.motion, walk.contacts[:9], FOOT_POINTS)
    with pytest.raises(InvalidData, match="where left_heel is"):
        pin_feet(walk.motion, walk.contacts, {})


def test_one_frame_and_no_contact_at_all():
    walk = walker(40)
    one = SkeletonMotion(skeleton(), walk.motion.rotations[:1], walk.motion.root[:1], 30.0)
    assert pin_feet(one, walk.contacts[:1], FOOT_POINTS) is one
    two = SkeletonMotion(skeleton(), walk.motion.rotations[:2], walk.motion.root[:2], 30.0)
    assert len(pin_feet(two, walk.contacts[:2], FOOT_POINTS).root) == 2
    out = pin_feet(walk.motion, np.zeros_like(walk.contacts), FOOT_POINTS)
    np.testing.assert_allclose(out.root, walk.motion.root, atol=1e-9)


def _leg(bend_deg: float) -> legs.Leg:
    """Return one leg of the walker, knee bent about its hinge, in odd world axes."""
    turns = np.tile(rotations.IDENTITY, (1, 24, 1))
    turns[0, 0] = rotations.from_rotvec(np.array([0.3, 1.0, -0.2]))
    turns[0, SMPL24.at("left_hip")] = rotations.from_rotvec(np.array([-0.4, 0.1, 0.2]))
    turns[0, SMPL24.at("left_knee")] = rotations.about_axis("X", np.radians(bend_deg))
    body = skeleton()
    return legs.leg_of(body, *kinematics.forward(body, turns, np.zeros((1, 3))), "left")


@given(bend=st.floats(0, 150), share=st.floats(0.2, 0.994), seed=st.integers(0, 2**32 - 1))
def test_a_leg_reaches_exactly_with_its_bones_unchanged(bend, share, seed):
    leg = _leg(bend)
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    target = leg.hip + 0.83 * share * direction / np.linalg.norm(direction)
    out = legs.reach(leg, leg.hip, target, legs.reach_limit(leg))
    np.testing.assert_allclose(out.ankle, target, atol=1e-7)
    assert np.linalg.norm(out.knee - out.hip) == pytest.approx(0.42)
    assert np.linalg.norm(out.ankle - out.knee) == pytest.approx(0.41)
    # Positions and rotations tell the same story.
    np.testing.assert_allclose(
        out.hip + rotations.rotate(out.hip_turn, np.array([0, -0.42, 0])), out.knee, atol=1e-9
    )
    np.testing.assert_allclose(
        out.knee + rotations.rotate(out.knee_turn, np.array([0, -0.41, 0])), out.ankle, atol=1e-9
    )


@pytest.mark.parametrize("bend", [3.0, 20.0, 60.0, 120.0])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.98])
def test_the_knee_angle_is_that_of_a_root_finder(bend, share):
    """Against scipy: the bend at which thigh and shin span the distance; and it bends forward."""
    leg = _leg(bend)
    target = leg.hip + 0.83 * share * (leg.ankle - leg.hip) / np.linalg.norm(leg.ankle - leg.hip)
    out = legs.reach(leg, leg.hip, target, legs.reach_limit(leg))

    def miss(angle: float) -> float:
        return float(np.linalg.norm([0.42 + 0.41 * np.cos(angle), 0.41 * np.sin(angle)]) - 0.83 * share)

    assert legs.knee_bend(out)[0] == pytest.approx(brentq(miss, 0, np.pi), abs=1e-6)
    hinge = rotations.rotate(out.hip_turn, np.array([1.0, 0.0, 0.0]))
    assert np.sum(np.cross(out.knee - out.hip, out.ankle - out.knee) * hinge) > 0


def test_a_leg_asked_to_stay_stays_even_if_straight_or_bent_backwards():
    for bend in (0.0, 0.5, 5.0, 90.0, -10.0):
        leg = _leg(bend)
        out = legs.reach(leg, leg.hip, leg.ankle, legs.reach_limit(leg))
        assert np.degrees(rotations.angle_between(out.knee_turn, leg.knee_turn)).max() < 1e-5
        assert np.degrees(rotations.angle_between(out.hip_turn, leg.hip_turn)).max() < 1e-5


def test_a_leg_asked_for_too_much_stops_short_of_straight():
    leg = _leg(30.0)
    down = leg.hip + np.array([[0.0, -2.0, 0.0]])
    out = legs.reach(leg, leg.hip, down, legs.reach_limit(leg))
    assert np.linalg.norm(out.ankle - out.hip) == pytest.approx(legs.LONGEST_REACH * 0.83)
    assert np.degrees(legs.knee_bend(out)[0]) > 10


@settings(max_examples=15, deadline=None)
@given(yaw=st.floats(-3, 3), x=st.floats(-3, 3), seed=st.integers(0, 100))
def test_turning_the_world_turns_the_result(yaw, x, seed):
    motion, walk = _spoiled(seed, frames=60)
    turn = rotations.about_axis("Y", yaw)

    def turned(m):
        turns = m.rotations.copy()
        turns[:, 0] = rotations.multiply(turn, turns[:, 0])
        return SkeletonMotion(m.skeleton, turns, rotations.rotate(turn, m.root) + np.array([x, 0, 0]), m.fps)

    a = pin_feet(turned(motion), walk.contacts, FOOT_POINTS)
    b = turned(pin_feet(motion, walk.contacts, FOOT_POINTS))
    np.testing.assert_allclose(kinematics.joints_of(a).xyz, kinematics.joints_of(b).xyz, atol=1e-6)
