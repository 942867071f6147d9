"""The whole fit on a synthetic dancer: near the truth, in any world, at any length and rate."""

from dataclasses import replace

import numpy as np
import pytest

from mocaplift import fit
from mocaplift.body import body_keypoints, load_body
from mocaplift.cameras import moved, project
from mocaplift.errors import InvalidData
from mocaplift.fit import Fitter, fit_skeleton, settle
from mocaplift.fit.terms import Strengths
from mocaplift.layouts import BODY21, COCO17, CONTACT_POINTS, remap_keypoints
from mocaplift.lift import load_lifter
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Motion3D, SkeletonMotion
from tests.dancer import HIPS, camera, dancer, errors, part, seen

# Mean error about the hips (m) of the fit to pictures without errors by one camera. The lifted start has 0.05.
NEAR = 0.03


def started(motion: SkeletonMotion, lens, name: str = "smplify") -> Motion3D:
    return load_lifter(name)([seen(motion, lens)], [lens])


def distance(a: SkeletonMotion, b: SkeletonMotion) -> np.ndarray:
    return np.linalg.norm(body_keypoints(a).xyz - body_keypoints(b).xyz, axis=-1)


@pytest.fixture(scope="module")
def one():
    """Return a dancer of a second, how one camera sees it, and the fit to that."""
    motion, lens = dancer(30), camera()
    start = started(motion, lens)
    return motion, lens, start, fit_skeleton([start], [seen(motion, lens)], [lens])


def test_the_dancer_is_found(one) -> None:
    motion, lens, start, found = one
    assert found.rotations.shape == motion.rotations.shape and found.fps == 30.0
    points = body_keypoints(found)
    assert errors(points, motion).mean() < NEAR
    assert errors(points, motion).mean() < 0.6 * errors(start, motion).mean()
    # It explains the picture to a few pixels.
    apart = np.linalg.norm(project(lens, points.xyz) - seen(motion, lens).xy, axis=-1)
    assert np.median(apart) < 3.0
    # Signs of neighbours agree, as exporters want them.
    assert (np.sum(found.rotations[1:] * found.rotations[:-1], axis=-1) > 0).all()


def test_a_second_camera_tells_the_depth(one) -> None:
    motion, lens, start, alone = one
    other = camera(eye=(-4.0, 1.2, 1.0))
    found = fit_skeleton([start], [seen(motion, each) for each in (lens, other)], [lens, other])
    assert distance(found, motion).mean() < 0.015
    assert distance(found, motion).mean() < distance(alone, motion).mean()


def test_a_world_that_turns_turns_the_result(one) -> None:
    motion, lens, start, found = one
    turn, transform = about_axis("Y", -1.9), np.eye(4)
    transform[:3, :3], transform[:3, 3] = to_matrix(turn), [2.0, 0.0, 5.0]
    there = replace(start, xyz=rotate(turn, start.xyz) + transform[:3, 3])
    turned = fit_skeleton([there], [seen(motion, lens)], [moved(lens, transform)])
    expected = rotate(turn, body_keypoints(found).xyz) + transform[:3, 3]
    assert np.abs(body_keypoints(turned).xyz - expected).max() < 2e-3


def test_two_starts_agree_on_one_motion(one) -> None:
    motion, lens, start, _ = one
    both = [start, started(motion, lens, "landmarks")]
    found = fit_skeleton(both, [seen(motion, lens)], [lens])
    assert errors(body_keypoints(found), motion).mean() < NEAR


def test_starts_that_lead_elsewhere_are_met_half_way(one) -> None:
    """A start whose left arm points the other way in depth, as one camera cannot tell."""
    motion, lens, start, alone = one
    view, xyz = seen(motion, lens), start.xyz.copy()
    shoulder, elbow, wrist = BODY21.index("left_shoulder", "left_elbow", "left_wrist")
    away = lens.cam_from_world[2, :3]
    for joint in (elbow, wrist):
        deep = (xyz[:, joint] - xyz[:, shoulder]) @ away
        xyz[:, joint] -= 2 * np.where(np.abs(deep) < 0.2, 0.2, deep)[:, None] * away
    # So unsure that what was lifted is where to start from, and no more.
    start, other = (
        replace(start, xyz=each, sigma=np.full_like(start.sigma, 10.0)) for each in (start.xyz, xyz)
    )
    there = fit_skeleton([other], [view], [lens])
    both = fit_skeleton([start, other], [view], [lens])
    between = distance(alone, there).mean()
    assert between > 1e-4
    assert 0 < distance(both, alone).mean() < between
    assert 0 < distance(both, there).mean() < between


def test_lifted_points_count_by_what_they_are_worth(one) -> None:
    """A start half a metre farther away than the keypoints tell: the surer it is, the farther the result."""
    motion, lens, start, _ = one
    view, away = seen(motion, lens), lens.cam_from_world[2, :3]
    farther = start.xyz + 0.5 * away
    depths = []
    for sigma in (10.0, 0.1):
        told = replace(start, xyz=farther, sigma=np.full_like(start.sigma, sigma))
        found = body_keypoints(fit_skeleton([start, told], [view], [lens])).xyz
        depths.append((found[:, HIPS] @ away).mean())
    assert depths[1] > depths[0] + 0.02


def test_a_known_height_sets_the_size_and_the_distance() -> None:
    lens, body = camera(), load_body()
    motion = dancer(20, height=1.95)
    start = started(motion, lens)
    view = seen(motion, lens)
    usual = fit_skeleton([start], [view], [lens])
    told = fit_skeleton([start], [view], [lens], Fitter(height=1.95))
    assert told.skeleton.shape is not None and usual.skeleton.shape is not None
    assert body.stature(told.skeleton.shape) == pytest.approx(1.95, abs=0.005)
    assert body.stature(usual.skeleton.shape) == pytest.approx(body.stature_mean, abs=0.005)
    eye = np.array([0.5, 1.4, 4.5])
    far = [np.linalg.norm(body_keypoints(each).xyz[:, HIPS] - eye, axis=-1).mean() for each in (usual, told)]
    assert far[1] / far[0] == pytest.approx(1.95 / body.stature_mean, abs=0.03)
    assert distance(told, motion).mean() < distance(usual, motion).mean()


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 1), (30.0, 2), (60.0, 41), (24.0, 20), (119.88, 90)])
def test_any_length_and_rate(fps: float, frames: int) -> None:
    motion, lens = part(dancer(90, fps=fps), slice(0, frames)), camera()
    found = fit_skeleton([started(motion, lens)], [seen(motion, lens)], [lens])
    assert found.rotations.shape == (frames, 24, 4) and found.fps == fps
    assert errors(body_keypoints(found), motion).mean() < 0.06


def test_a_clip_of_many_windows_is_as_good_as_one_of_a_single_one(one, monkeypatch) -> None:
    motion, lens, start, whole = one
    monkeypatch.setattr(fit, "WINDOW", 8)
    monkeypatch.setattr(fit, "OVERLAP", 3)
    told: list[tuple[int, int]] = []
    found = fit_skeleton(
        [start], [seen(motion, lens)], [lens], progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found.rotations.shape == whole.rotations.shape
    assert errors(body_keypoints(found), motion).mean() < 1.5 * NEAR
    # One person, also where windows meet: no step in time that the whole does not have.
    step, usual = (
        np.linalg.norm(np.diff(body_keypoints(each).xyz, axis=0), axis=-1) for each in (found, whole)
    )
    assert step.max() < 1.5 * usual.max()


def test_missing_feet_and_holes_are_lived_with() -> None:
    motion, lens = dancer(20), camera()
    view = remap_keypoints(seen(motion, lens), COCO17)
    xy, conf = view.xy.copy(), view.conf.copy()
    xy[8:11], conf[8:11] = np.nan, 0.0
    view = replace(view, xy=xy, conf=conf, landmarks=None)
    found = fit_skeleton([load_lifter("smplify")([view], [lens])], [view], [lens])
    known = BODY21.index(*COCO17.joints)
    assert errors(body_keypoints(found), motion)[:, known].mean() < 0.05


def test_one_wrong_point_does_not_move_the_others(one) -> None:
    motion, lens, start, found = one
    view = seen(motion, lens)
    xy = view.xy.copy()
    wrist = BODY21.at("left_wrist")
    xy[10:13, wrist] += [250.0, -150.0]
    bumped = fit_skeleton([start], [replace(view, xy=xy)], [lens])
    apart = distance(bumped, found)
    assert np.delete(apart, wrist, axis=1).mean() < 0.01
    assert apart[:, wrist].max() < 0.12  # 290 px are 1.1 m at this distance


@pytest.fixture
def sliding() -> tuple[SkeletonMotion, SkeletonMotion]:
    """Return somebody who stands, and the same whose feet slide by 20 cm and sink in what was fitted."""
    motion = dancer(24, poses=(0, 0), heading=0.3)
    still = np.repeat(motion.rotations[:1], 24, axis=0)
    true = replace(motion, rotations=still, root=np.repeat(motion.root[:1], 24, axis=0))
    drift = np.linspace([0.0, 0, 0], [0.0, -0.06, 0.2], 24)
    return true, replace(true, root=true.root + drift)


class TestSettle:
    def test_planted_feet_stay_and_stand_on_one_level(self, sliding) -> None:
        true, slid = sliding
        lens = camera()
        view = seen(true, lens)
        contacts = np.ones((24, 4), bool)
        found = settle(slid, [view], [lens], contacts)
        feet = BODY21.index(*CONTACT_POINTS)
        moved_by = [np.ptp(body_keypoints(each).xyz[:, feet], axis=0).max() for each in (slid, found)]
        assert moved_by[0] > 0.19
        assert moved_by[1] < 0.015
        drops = load_body().drops(found.skeleton.shape)
        assert np.ptp(body_keypoints(found).xyz[:, feet, 1] - drops) < 0.05
        np.testing.assert_array_equal(found.skeleton.shape, slid.skeleton.shape)

    def test_long_clips_are_settled_in_pieces(self, sliding, monkeypatch) -> None:
        true, slid = sliding
        lens = camera()
        contacts = np.ones((24, 4), bool)
        whole = settle(slid, [seen(true, lens)], [lens], contacts)
        monkeypatch.setattr(fit, "WINDOW", 12)
        monkeypatch.setattr(fit, "OVERLAP", 4)
        pieces = settle(slid, [seen(true, lens)], [lens], contacts)
        assert distance(whole, pieces).mean() < 0.08
        assert pieces.rotations.shape == whole.rotations.shape

    def test_what_stands_stays_even_if_it_is_seen_to_slide(self, sliding) -> None:
        """Detections drift with a turned foot or a blurred shoe; contacts outweigh unsure ones."""
        _, slid = sliding
        lens = camera()
        view = seen(slid, lens, conf=0.1)
        feet = BODY21.index(*CONTACT_POINTS)
        reach = []
        for planted in (True, False):
            found = settle(slid, [view], [lens], np.full((24, 4), planted))
            reach.append(np.ptp(body_keypoints(found).xyz[:, feet], axis=0).max())
        assert reach[0] < 0.06
        assert reach[1] > 0.1

    def test_nobody_in_the_air_is_pulled_down(self, one) -> None:
        motion, lens, _, found = one
        free = settle(found, [seen(motion, lens)], [lens], np.zeros((30, 4), bool))
        assert errors(body_keypoints(free), motion).mean() < NEAR

    def test_what_the_hypotheses_agreed_on_is_kept(self, one) -> None:
        """Unsure detections of one camera say little of depth: without it, usual poses would take over."""
        motion, lens, _, found = one
        view, contacts = seen(motion, lens, conf=0.1), np.zeros((30, 4), bool)
        kept = settle(found, [view], [lens], contacts)
        forgot = settle(found, [view], [lens], contacts, Fitter(strengths=Strengths(settled=0.0)))
        assert distance(kept, found).mean() < 0.6 * distance(forgot, found).mean()

    def test_lengths_must_agree(self, one) -> None:
        motion, lens, _, found = one
        with pytest.raises(InvalidData, match="the motion has 30 frames"):
            settle(found, [seen(motion, lens)], [lens], np.zeros((29, 4), bool))
        with pytest.raises(InvalidData, match="the motion has 30 frames"):
            settle(found, [seen(dancer(29), lens)], [lens], np.zeros((30, 4), bool))


def test_what_does_not_fit_together_is_told(one) -> None:
    motion, lens, start, _ = one
    view = seen(motion, lens)
    with pytest.raises(InvalidData, match="at least one lifted motion"):
        fit_skeleton([], [view], [lens])
    with pytest.raises(InvalidData, match="got 1 views but 2 cameras"):
        fit_skeleton([start], [view], [lens, lens])
    with pytest.raises(InvalidData, match="got 0 views but 0 cameras"):
        fit_skeleton([start], [], [])
    with pytest.raises(InvalidData, match=r"different lengths: \[29, 30\]"):
        fit_skeleton([start], [seen(dancer(29), lens)], [lens])
