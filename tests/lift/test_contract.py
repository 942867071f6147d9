"""What every lifter of one view promises: the oracle's motion, in metres, in the camera's world, at any length.

Lifters of several views promise more: `test_several_views`.
"""

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import moved
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21, COCO17, remap_keypoints
from mocaplift.lift import AUTO, LIFTERS, applicable, load_lifter
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Keypoints2D
from tests.dancer import HIPS, camera, dancer, errors, part, seen
from tests.lift.test_several_views import SEVERAL

# Mean error about the hips and of the hips' place (m), without any noise: the library's coarseness.
BOUNDS = {
    "smplify": (0.09, 0.35), "landmarks": (0.03, 0.15), "direct": (0.12, 0.35), "mvlift": (0.12, 0.35),
    "mvlift-2d": (0.14, 0.35),
}  # fmt: skip
# Largest error (m) of a joint in a hole, where a hand moves by 0.85 m: networks guess where it went.
WILDEST = {"smplify": 0.6, "landmarks": 0.6, "direct": 0.9, "mvlift": 0.9, "mvlift-2d": 0.9}
all_lifters = pytest.mark.parametrize("name", BOUNDS)


def test_every_lifter_has_its_bounds_and_its_name() -> None:
    assert set(BOUNDS) | set(SEVERAL) == set(LIFTERS)
    assert callable(load_lifter("smplify")) and callable(load_lifter("landmarks"))
    with pytest.raises(
        ConfigError,
        match="unknown lifter 'magic'; known: auto, smplify, landmarks, direct, mvlift, mvlift-2d",
    ):
        load_lifter("magic")
    assert AUTO not in LIFTERS


@all_lifters
@pytest.mark.parametrize("frames", [1, 2, 45])
def test_the_oracle_is_found(name: str, frames: int) -> None:
    motion, lens = part(dancer(45), slice(0, frames)), camera()
    found = load_lifter(name)([seen(motion, lens)], [lens])
    assert found.xyz.shape == (frames, 21, 3)
    assert found.layout == BODY21 and found.fps == 30.0
    assert np.isfinite(found.xyz).all() and (found.sigma > 0).all()
    pose, place = BOUNDS[name]
    assert errors(found, motion).mean() < pose
    true = body_keypoints(motion).xyz[:, HIPS].mean(axis=1)
    assert np.linalg.norm(found.xyz[:, HIPS].mean(axis=1) - true, axis=-1).mean() < place


@all_lifters
def test_a_world_that_turns_with_its_camera_changes_nothing(name: str) -> None:
    motion, lens = dancer(12), camera()
    transform = np.eye(4)
    turn = about_axis("Y", 2.2)
    transform[:3, :3], transform[:3, 3] = to_matrix(turn), [3.0, 0.4, -1.0]
    view = seen(motion, lens)
    here = load_lifter(name)([view], [lens])
    there = load_lifter(name)([view], [moved(lens, transform)])
    np.testing.assert_allclose(there.xyz, rotate(turn, here.xyz) + transform[:3, 3], atol=1e-6)


@all_lifters
def test_how_many_pixels_a_picture_has_does_not_matter(name: str) -> None:
    motion = dancer(6)
    small, large = camera(size=(640, 360)), camera(size=(2560, 1440))
    a, b = (load_lifter(name)([seen(motion, lens)], [lens]).xyz for lens in (small, large))
    np.testing.assert_allclose(a, b, atol=1e-3)


@all_lifters
def test_without_feet_the_rest_is_found_all_the_same(name: str) -> None:
    motion, lens = dancer(12), camera()
    view = remap_keypoints(seen(motion, lens), COCO17)
    found = load_lifter(name)([view], [lens])
    known = BODY21.index(*COCO17.joints)
    assert np.isfinite(found.xyz[:, known]).all()
    assert errors(found, motion)[:, known].mean() < BOUNDS[name][0]


@all_lifters
def test_holes_in_time_do_not_spoil_their_neighbours(name: str) -> None:
    motion, lens = dancer(30), camera()
    view = seen(motion, lens)
    xy, conf = view.xy.copy(), view.conf.copy()
    xy[10:14], conf[10:14] = np.nan, 0.0
    xy[20:, BODY21.at("left_wrist")], conf[20:, BODY21.at("left_wrist")] = np.nan, 0.0
    landmarks = np.where(conf[..., None] > 0, view.landmarks, np.nan)
    found = load_lifter(name)([replace(view, xy=xy, conf=conf, landmarks=landmarks)], [lens])
    away = errors(found, motion)
    kept = np.r_[0:10, 14:30]
    # What lies in the hole is missing, interpolated or guessed, but never wildly.
    assert np.nanmean(away[kept]) < BOUNDS[name][0]
    assert np.nan_to_num(away).max() < WILDEST[name]


@all_lifters
def test_one_view_is_lifted_at_a_time(name: str) -> None:
    motion, lens = dancer(3), camera()
    view = seen(motion, lens)
    with pytest.raises(InvalidData, match="one view, but 2 were given"):
        load_lifter(name)([view, view], [lens, lens])


def test_one_view_is_lifted_alike_with_landmarks_and_without() -> None:
    view = seen(dancer(2), camera())
    bare = replace(view, landmarks=None)
    assert applicable([view]) == applicable([bare]) == ["smplify", "mvlift"]
    with pytest.raises(InvalidData, match="gives no 3D landmarks of its own; choose another lifter"):
        load_lifter("landmarks")([bare], [camera()])


def test_too_little_is_told() -> None:
    view = seen(dancer(4), camera())
    kept = BODY21.index("nose", "left_hip", "right_hip", "left_knee")
    conf = np.zeros_like(view.conf)
    conf[:, kept] = 0.9
    few = Keypoints2D(np.where(conf[..., None] > 0, view.xy, np.nan), conf, BODY21, 30.0, view.size)
    with pytest.raises(InvalidData, match="no frame shows 5 or more keypoints"):
        load_lifter("smplify")([few], [camera()])
    assert view.landmarks is not None
    empty = replace(view, landmarks=np.full_like(view.landmarks, np.nan))
    with pytest.raises(InvalidData, match="3D landmarks are empty in every frame"):
        load_lifter("landmarks")([empty], [camera()])
