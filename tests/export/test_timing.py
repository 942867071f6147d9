"""Other frame rates: exact moments for hours, end points kept, rotations on their way and never a jump."""

from fractions import Fraction

import numpy as np
import pytest

from mocaplift import kinematics, rotations
from mocaplift.export import ExportOptions, rig
from mocaplift.export.timing import RATES, exact_rate, moments, rate_named, turns_at, values_at
from mocaplift.layouts import SMPL24
from mocaplift.values import Capture, SkeletonMotion
from tests.export.test_export import _capture
from tests.walker import skeleton, walker

TEN_MINUTES = 600  # s


@pytest.mark.parametrize("have", ["23.976", "29.97", "59.94", "30", "120"])
@pytest.mark.parametrize("want", RATES)
def test_ten_minutes_stay_in_step_to_the_last_frame(have, want):
    """Every new frame is at its exact moment: computed with fractions, one by one, at the far end."""
    frames = int(TEN_MINUTES * RATES[have]) + 1
    at = moments(frames, RATES[have], RATES[want])
    if have == want:
        assert at is None
        return
    for frame in (0, 1, len(at.first) // 2, len(at.first) - 2):
        expected = Fraction(frame) / RATES[want] * RATES[have]
        assert Fraction(int(at.first[frame])) + Fraction(at.part[frame]).limit_denominator(10**6) == expected
    ends = Fraction(len(at.first) - 1) / RATES[want], Fraction(frames - 1) / RATES[have]
    assert abs(ends[0] - ends[1]) <= Fraction(1, 2) / RATES[want]
    assert at.first.max() == frames - 2 and at.part.min() >= 0 and at.part.max() <= 1


def test_rates_of_floats_are_known_again():
    for rate in RATES.values():
        assert exact_rate(float(rate)) == rate
    assert exact_rate(29.97) == Fraction(2997, 100) and exact_rate(1000 / 7) == Fraction(1000, 7)
    assert exact_rate(np.pi * 10) == np.pi * 10
    assert rate_named("source", 30000 / 1001) == Fraction(30000, 1001)


def test_a_frame_at_the_time_of_a_frame_is_that_frame():
    walk = walker(61, fps=60).motion
    half = rig(walk, ExportOptions(fps="30"))
    assert len(half) == 31 and half.fps == Fraction(30)
    np.testing.assert_allclose(half.rotations, rig(walk, ExportOptions()).rotations[::2], atol=1e-12)
    np.testing.assert_allclose(half.places[0], walk.root[::2], atol=1e-12)
    twice = rig(walk, ExportOptions(fps="120"))
    assert len(twice) == 121
    np.testing.assert_allclose(twice.places[0][::2], walk.root, atol=1e-12)


def test_ends_are_kept_where_the_rates_do_not_meet():
    walk = walker(50, fps=24).motion  # 49/24 s: 61.2 frames at 30 fps
    rigged = rig(walk, ExportOptions(fps="30"))
    assert len(rigged) == 62
    np.testing.assert_allclose(rigged.places[0][0], walk.root[0], atol=1e-12)
    assert np.linalg.norm(rigged.places[0][-1] - walk.root[-1]) < 0.01


def test_a_path_and_a_turn_are_as_smooth_as_they_were():
    """A parabola and a steady turn, by hand: 24 to 60 fps."""
    seconds = np.arange(49) / 24
    path = np.stack([seconds, 4.905 * seconds**2, 0 * seconds], axis=-1)
    turns = rotations.about_axis("Y", 2.0 * seconds)[:, None]
    at = moments(49, 24, 60)
    fine = np.arange(len(at.first)) / 60
    inner = slice(3, -3)  # at the ends the cubic has one neighbour only
    np.testing.assert_allclose(
        values_at(at, path)[inner], np.stack([fine, 4.905 * fine**2, 0 * fine], -1)[inner], atol=1e-9
    )
    expected = rotations.about_axis("Y", 2.0 * fine)[:, None]
    assert np.degrees(rotations.angle_between(turns_at(at, turns), expected)).max() < 1e-3


def test_a_flip_between_two_frames_takes_the_shortest_arc():
    turns = rotations.about_axis("Z", np.radians([0.0, 0.0, 170.0, 170.0]))[:, None]
    at = moments(4, 10, 40)
    angles = 2 * np.degrees(np.arctan2(turns_at(at, turns)[:, 0, 3], turns_at(at, turns)[:, 0, 0]))
    np.testing.assert_allclose(angles, [0, 0, 0, 0, 0, 42.5, 85, 127.5, 170, 170, 170, 170, 170], atol=1e-6)


def test_feet_that_stand_still_stand_at_every_rate():
    walk = walker(120, fps=30)
    for rate in ("24", "60"):
        rigged = rig(walk.motion, ExportOptions(fps=rate))
        ankle = rigged.world()[0][:, rigged.joints.index("left_ankle")]
        step = np.linalg.norm(np.diff(ankle, axis=0), axis=-1)
        xyz, _ = kinematics.forward(walk.motion.skeleton, walk.motion.rotations, walk.motion.root)
        was = np.linalg.norm(np.diff(xyz[:, SMPL24.at("left_ankle")], axis=0), axis=-1)
        assert np.sort(step)[len(step) // 4] < 3e-4 + np.sort(was)[len(was) // 4]


def test_contacts_and_length_follow(tmp_path):
    capture = _capture(tmp_path / "walk.mp4")
    rigged = rig(capture, ExportOptions(fps="60"))
    assert isinstance(capture, Capture) and rigged.fps == Fraction(60)
    assert rigged.contacts.shape == (len(rigged), 4) == (9, 4)
    np.testing.assert_array_equal(rigged.contacts[::2], capture.contacts)


def test_one_frame_and_odd_rates_are_no_trouble():
    still = SkeletonMotion(skeleton(), np.tile(rotations.IDENTITY, (1, 24, 1)), np.zeros((1, 3)), 25.0)
    assert len(rig(still, ExportOptions(fps="60"))) == 1
    odd = walker(40, fps=29.9871234).motion
    rigged = rig(odd, ExportOptions(fps="24"))
    assert abs((len(rigged) - 1) / 24 - 39 / 29.9871234) <= 0.5 / 24


def test_a_motion_on_bones_of_its_own_can_have_another_rate_too():
    rigged = rig(walker(31, fps=30).motion, ExportOptions(template="ue5", root="floor"))
    again = rig(rigged, ExportOptions(fps="60", in_place=True))
    assert len(again) == 61 and again.names == rigged.names
    np.testing.assert_allclose(again.rotations[::2], rigged.rotations, atol=1e-12)
    np.testing.assert_allclose(again.places[1][::2], rigged.places[1], atol=1e-12)
    assert np.all(again.places[0] == 0)


def test_euler_curves_never_jump_at_any_rate():
    walk = walker(90, heading=3.0).motion
    for rate in RATES:
        rigged = rig(walk, ExportOptions(fps=rate, template="ue5"))
        angles = rotations.to_continuous_euler_deg("XYZ", rigged.rotations)
        turn = np.degrees(rotations.angle_between(rigged.rotations[1:], rigged.rotations[:-1]))
        # Away from the pole, curves are not much faster than the bone turns.
        away = np.abs(np.cos(np.radians(angles[1:, :, 1]))) > 0.3
        assert (np.abs(np.diff(angles, axis=0)).max(-1)[away] < 5 * turn[away] + 1e-3).all()
