"""Smoothing: the gain it promises, no lag, straight lines untouched, gestures as large as before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.transform import Rotation

from mocaplift import kinematics, rotations
from mocaplift.clean.smoothing import amplitude_kept, difference_band, low_pass, smooth
from mocaplift.errors import ConfigError
from mocaplift.layouts import SMPL24
from mocaplift.values import SkeletonMotion
from tests.walker import skeleton, walker


def _gain(frequency: float, fps: float, cutoff: float) -> float:
    """Return what is left of a sine, measured in the middle of a long clip."""
    t = np.arange(round(40 * fps)) / fps
    wave = np.sin(2 * np.pi * frequency * t)[:, None]
    inside = slice(len(t) // 4, 3 * len(t) // 4)
    return float(np.sum(low_pass(wave, fps, cutoff)[inside] * wave[inside]) / np.sum(wave[inside] ** 2))


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("cutoff", [3.0, 6.0])
def test_the_gain_is_the_same_at_every_frame_rate(fps, cutoff):
    assert _gain(cutoff / 2, fps, cutoff) > 0.995
    assert _gain(cutoff, fps, cutoff) == pytest.approx(0.5, abs=0.01)
    if 2 * cutoff < 0.45 * fps:
        assert abs(_gain(2 * cutoff, fps, cutoff)) < 0.05


def test_there_is_no_lag():
    t = np.arange(300) / 30
    bump = np.exp(-(((t - 5) / 0.15) ** 2))[:, None]
    smoothed = low_pass(bump, 30.0, 3.0)
    assert int(smoothed.argmax()) == 150
    np.testing.assert_allclose(smoothed[100:201], smoothed[200:99:-1], atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 60))
def test_lines_and_parabolas_stay_to_their_very_ends(seed, frames):
    rng = np.random.default_rng(seed)
    t = np.linspace(-1, 1, frames)
    curve = np.stack([np.polyval(rng.normal(size=3), t) for _ in range(3)], axis=-1)
    np.testing.assert_allclose(low_pass(curve, 30.0, 4.0), curve, atol=1e-7)


def test_the_penalty_is_the_textbook_matrix():
    d = sparse.diags([-1.0, 3.0, -3.0, 1.0], [0, 1, 2, 3], shape=(9, 12))
    full = (d.T @ d).toarray()
    band = difference_band(12)
    for below in range(4):
        np.testing.assert_allclose(band[below, : 12 - below], np.diag(full, -below))


def test_rotations_are_smoothed_as_rotations_whatever_their_signs():
    """Against scipy's rotation vectors: noise on a slow turn of more than a full circle is taken off."""
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 2.5 * np.pi, 200)
    true = Rotation.from_rotvec(angle[:, None] * [0.6, 0.0, 0.8])
    noisy = true * Rotation.from_rotvec(rng.normal(size=(200, 3)) * 0.05)
    turns = np.tile(rotations.IDENTITY, (200, 24, 1))
    turns[:, 0] = noisy.as_quat()[:, [3, 0, 1, 2]] * np.where(rng.random(200) < 0.5, -1, 1)[:, None]
    motion = SkeletonMotion(skeleton(), turns, np.zeros((200, 3)), 30.0)
    out = smooth(motion, 3.0).rotations[:, 0]
    found = Rotation.from_quat(out[:, [1, 2, 3, 0]])
    before, after = ((true.inv() * each).magnitude() for each in (noisy, found))
    assert after.mean() < 0.55 * before.mean()
    assert np.sum(out[1:] * out[:-1], axis=-1).min() > 0


def test_a_large_swing_keeps_its_size():
    t = np.arange(120) / 30
    turns = np.tile(rotations.IDENTITY, (120, 24, 1))
    swing = np.radians(80) * np.sin(2 * np.pi * 1.5 * t)
    turns[:, SMPL24.at("left_shoulder")] = rotations.about_axis("Z", swing)
    motion = SkeletonMotion(skeleton(), turns, np.zeros((120, 3)), 30.0)
    out = rotations.to_rotvec(smooth(motion, 6.0).rotations[:, SMPL24.at("left_shoulder")])[:, 2]
    assert np.degrees(np.abs(out - swing)[10:-10].max()) < 1.0


def test_a_walk_keeps_its_size_and_loses_its_jitter():
    walk = walker(120).motion
    rng = np.random.default_rng(2)
    shaken = SkeletonMotion(
        walk.skeleton,
        rotations.multiply(
            walk.rotations, rotations.from_rotvec(0.03 * rng.normal(size=walk.rotations[..., 1:].shape))
        ),
        walk.root + 0.01 * rng.normal(size=walk.root.shape),
        walk.fps,
    )
    out = smooth(shaken)

    def distance(motion):
        xyz = [kinematics.joints_of(each).xyz for each in (motion, walk)]
        return np.linalg.norm(xyz[0] - xyz[1], axis=-1).mean()

    assert distance(out) < 0.75 * distance(shaken)
    assert amplitude_kept(walk, smooth(walk)) > 0.98


def test_automatic_smoothing_gives_way_to_fast_gestures():
    """Hands that shake at 5 Hz over 20 cm: 4 Hz, as an order, takes it away; automatic does not."""
    t = np.arange(240) / 60
    turns = np.tile(rotations.IDENTITY, (240, 24, 1))
    turns[:, SMPL24.at("left_shoulder")] = rotations.about_axis("Z", 0.5 * np.sin(2 * np.pi * 6.5 * t))
    motion = SkeletonMotion(skeleton(), turns, np.zeros((240, 3)), 60.0)
    assert amplitude_kept(motion, smooth(motion, 4.0)) < 0.3
    assert amplitude_kept(motion, smooth(motion)) > 0.9


def test_jitter_is_no_gesture():
    rng = np.random.default_rng(3)
    turns = np.tile(rotations.IDENTITY, (90, 24, 1))
    still = SkeletonMotion(skeleton(), turns, 0.01 * rng.normal(size=(90, 3)), 30.0)
    assert amplitude_kept(still, smooth(still, 3.0)) == 1.0


def test_off_too_short_and_too_fast_leave_the_motion_alone():
    walk = walker(30).motion
    assert smooth(walk, 0) is walk
    for motion, cutoff in ((walker(3).motion, 2.0), (walk, 15.0), (walk, 200.0)):
        out = smooth(motion, cutoff)
        np.testing.assert_array_equal(out.root, motion.root)
        assert rotations.angle_between(out.rotations, motion.rotations).max() < 1e-7
    with pytest.raises(ConfigError, match="above 0 Hz, but is -1"):
        smooth(walk, -1.0)


@settings(max_examples=15, deadline=None)
@given(yaw=st.floats(-3, 3), frames=st.integers(5, 50))
def test_turning_the_world_turns_the_result(yaw, frames):
    walk = walker(frames).motion
    turn = rotations.about_axis("Y", yaw)

    def turned(motion):
        turns = motion.rotations.copy()
        turns[:, 0] = rotations.multiply(turn, turns[:, 0])
        return SkeletonMotion(motion.skeleton, turns, rotations.rotate(turn, motion.root), motion.fps)

    a, b = smooth(turned(walk), 4.0), turned(smooth(walk, 4.0))
    np.testing.assert_allclose(a.root, b.root, atol=1e-9)
    assert rotations.angle_between(a.rotations, b.rotations).max() < 1e-6
