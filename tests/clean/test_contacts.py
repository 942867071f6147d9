"""Contacts: what a walk, a jump, stairs, a kick and a handstand must say, at every frame rate."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.clean.contacts import SHORTEST_STANCE, find_contacts
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.windows import runs
from tests.walker import walker

FEET = BODY21.index(*CONTACT_POINTS)


def _points(xyz: np.ndarray, fps: float = 30.0) -> Motion3D:
    sigma = np.where(np.isfinite(xyz).all(-1), 0.01, np.inf)
    return Motion3D(np.where(np.isfinite(sigma)[..., None], xyz, np.nan), sigma, BODY21, fps)


def _standing(frames: int) -> np.ndarray:
    """Return a body that stands: only heights matter here."""
    xyz = np.tile(walker(1).keypoints.xyz, (frames, 1, 1))
    for side, x in (("left", 0.1), ("right", -0.1)):
        heel, toe = BODY21.index(f"{side}_heel", f"{side}_big_toe")
        xyz[:, heel] = (x, 0.02, -0.05)
        xyz[:, toe] = (x, 0.02, 0.19)
    return xyz


def test_runs_by_hand():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False, False])) == [] and runs(np.zeros(0, bool)) == []


@pytest.mark.parametrize("fps", [15.0, 24.0, 30000 / 1001, 60.0, 120.0])
def test_a_walk_at_any_rate(fps):
    """Every planted frame is found; what is found besides lies within 0.15 s and a frame of a stance."""
    walk = walker(round(4 * fps), fps=fps)
    found = find_contacts(walk.keypoints)
    assert found.shape == walk.contacts.shape
    for column in range(4):
        true = walk.contacts[:, column]
        assert found[true, column].mean() > 0.97
        margin = int(np.ceil(0.15 * fps)) + 1
        near = np.convolve(true, np.ones(2 * margin + 1), mode="same") > 0
        # The end of the clip cuts a stance that is about to begin.
        near[-margin:] = True
        assert not found[~near, column].any()


def test_noise_of_millimetres_does_not_make_contacts_flicker():
    walk = walker(148)
    noise = np.random.default_rng(4).normal(size=walk.keypoints.xyz.shape) * 0.0015
    found = find_contacts(_points(walk.keypoints.xyz + noise))
    for column in range(4):
        assert len(runs(found[:, column])) == len(runs(walk.contacts[:, column]))


def test_standing_is_contact_and_stays_so_on_a_platform():
    for height in (0.0, 0.7, -3.0):
        assert find_contacts(_points(_standing(30) + np.array([0, height, 0]))).all()


def test_a_jump_leaves_the_floor_even_at_its_top():
    fps, frames = 60.0, 120
    t = np.arange(frames) / fps
    flight = 0.5  # s
    tau = np.clip(t - 0.7, 0, flight)
    rise = 9.81 / 2 * tau * (flight - tau)
    found = find_contacts(_points(_standing(frames) + np.stack([0 * t, rise, 0 * t], -1)[:, None], fps))
    in_air = (t > 0.7 + 0.06) & (t < 0.7 + flight - 0.06)
    assert not found[in_air].any()
    assert found[t < 0.68].all() and found[t > 0.7 + flight + 0.02].all()


def test_a_foot_held_still_in_the_air_is_not_planted():
    xyz = _standing(90)
    left = BODY21.index("left_heel", "left_big_toe")
    t = np.arange(90) / 30
    lift = 0.25 * np.clip(np.minimum(t - 0.5, 2.5 - t) * 5, 0, 1)
    xyz[:, left, 1] += lift[:, None]
    found = find_contacts(_points(xyz))
    held = lift > 0.24
    assert held.sum() > 40
    assert not found[held][:, :2].any() and found[:, 2:].all()


def test_stairs_count_as_ground_for_the_foot_that_lands_first():
    """Feet climb 17 cm a step, half a second each; while one is planted above, the other is still below."""
    fps, frames = 30.0, 150
    xyz = _standing(frames)
    xyz[:, [joint for joint in range(21) if joint not in FEET], 1] += (0.34 * np.arange(frames) / fps)[
        :, None
    ]
    truth = np.zeros((frames, 4), dtype=bool)
    for side, lag in (("left", 0.0), ("right", 0.5)):
        columns = BODY21.index(f"{side}_heel", f"{side}_big_toe")
        stride = np.arange(frames) / fps + lag
        number, phase = np.floor(stride), stride % 1.0
        share = np.clip((phase - 0.65) / 0.35, 0, 1)
        share = share * share * (3 - 2 * share)
        height = (number + share) * 0.34 - lag * 0.34
        xyz[:, columns, 1] += (height + 0.06 * np.sin(np.pi * share))[:, None]
        xyz[:, columns, 2] += ((number + share) * 0.5 - lag * 0.5)[:, None]
        for part in ("heel", "big_toe"):
            truth[:, CONTACT_POINTS.index(f"{side}_{part}")] = phase <= 0.65
    found = find_contacts(_points(xyz, fps))
    assert found[truth].mean() > 0.9
    deep_swing = ~truth & ~np.roll(truth, 3, axis=0) & ~np.roll(truth, -3, axis=0)
    assert found[deep_swing].mean() < 0.1


def test_hands_carry_a_handstand_so_still_feet_are_not_planted():
    xyz = _standing(60)
    xyz[:, FEET, 1] += 1.6
    xyz[:, BODY21.index("left_wrist", "right_wrist"), 1] = 0.05
    assert not find_contacts(_points(xyz)).any()


def test_missing_points_are_not_planted_and_do_not_spoil_the_others():
    xyz = _standing(40)
    gone = BODY21.at("left_heel")
    xyz[10:20, gone] = np.nan
    found = find_contacts(_points(xyz))
    assert not found[10:20, 0].any() and found[:, 1:].all() and found[:9, 0].all()
    assert not find_contacts(_points(np.full((5, 21, 3), np.nan))).any()


def test_a_short_touch_is_no_stance():
    xyz = _standing(60)
    t = np.arange(60)
    hop = 0.3 * np.clip(np.abs(t - 30) / 2, 0, 1)
    xyz[:, BODY21.index("left_heel", "left_big_toe"), 1] += hop[:, None]
    assert not find_contacts(_points(xyz))[:, :2].any()
    assert SHORTEST_STANCE * 30 == 3


@pytest.mark.parametrize(("aside", "is_one"), [(0.05, True), (0.25, False)])
def test_a_toe_that_jumps_for_a_moment_and_stays_has_not_stepped(aside: float, is_one: bool) -> None:
    """While a heel lifts a detector's toe may jump by centimetres within 0.1 s; a step is longer."""
    xyz = _standing(60)
    foot = BODY21.index("left_heel", "left_big_toe")
    xyz[:, foot, 2] += aside * np.clip((np.arange(60) - 30) / 3, 0, 1)[:, None]
    planted = find_contacts(_points(xyz))[:, CONTACT_POINTS.index("left_big_toe")]
    assert planted[:29].all() and planted[35:].all()
    assert planted.all() == is_one


def _camera() -> Camera:
    view = look_at(np.array([4.0, 1.5, 1.0]), np.array([0.0, 0.9, 1.0]))
    return Camera("side", intrinsics_from_fov(60.0, (1280, 720)), np.zeros(5), view, (1280, 720))


def _seen(xyz: np.ndarray, camera: Camera) -> Keypoints2D:
    return Keypoints2D(project(camera, xyz), np.full(xyz.shape[:2], 0.9), BODY21, 30.0, camera.size)


def test_the_picture_outvotes_a_depth_that_wobbles():
    """A planted foot whose depth wobbles fast by centimetres, as one camera's depth does, is still planted."""
    camera = _camera()
    xyz = _standing(90) + np.array([0, 0, 1.0])
    seen = _seen(xyz, camera)
    wobble = 0.04 * np.sin(2 * np.pi * 3 * np.arange(90) / 30)
    along = np.array([1.0, 0.0, 0.0])
    shaken = _points(xyz + wobble[:, None, None] * along)
    alone, voted = find_contacts(shaken), find_contacts(shaken, [seen], [camera])
    assert voted.mean() > 0.95 > alone.mean() + 0.2


def test_an_unsure_detector_has_no_vote():
    camera = _camera()
    walk = walker(90)
    seen = _seen(walk.keypoints.xyz, camera)
    noisy = dataclasses.replace(
        seen, xy=seen.xy + np.random.default_rng(0).normal(size=seen.xy.shape) * 40, conf=seen.conf * 0.2
    )
    np.testing.assert_array_equal(
        find_contacts(walk.keypoints, [noisy], [camera]), find_contacts(walk.keypoints)
    )


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-3, 3), x=st.floats(-5, 5), y=st.floats(-2, 2), z=st.floats(-5, 5))
def test_where_and_which_way_one_walks_does_not_matter(yaw, x, y, z):
    walk, other = walker(45), walker(45, heading=yaw)
    moved = _points(other.keypoints.xyz + np.array([x, y, z]))
    np.testing.assert_array_equal(find_contacts(moved), find_contacts(walk.keypoints))


def test_one_frame_and_a_foreign_layout():
    assert find_contacts(_points(_standing(1))).shape == (1, 4)
    joints = Motion3D(np.zeros((2, 24, 3)), np.zeros((2, 24)), SMPL24, 30.0)
    with pytest.raises(InvalidData, match="no joint 'left_heel'"):
        find_contacts(joints)


def test_a_heel_held_just_off_the_floor_is_raised_and_its_toe_is_planted():
    xyz = _standing(40)
    xyz[:, BODY21.at("left_heel"), 1] += 0.06
    found = find_contacts(_points(xyz))
    assert not found[:, 0].any() and found[:, 1:].all()
