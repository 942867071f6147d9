"""Joint sets: their orders by hand, and the moves between them."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from mocaplift.layouts import (
    BODY21,
    BODY21_BONES,
    COCO17,
    CONTACT_POINTS,
    LAYOUTS,
    MEDIAPIPE33,
    OPENPOSE25,
    SMPL24,
    SMPL_PARENTS,
    remap,
    remap_keypoints,
)
from mocaplift.values import Keypoints2D
from tests.mirrored import mirror_keypoints

# Numbers as the data sets' own pages print them.
PUBLISHED = {
    "coco17": {"nose": 0, "left_shoulder": 5, "right_wrist": 10, "left_hip": 11, "right_ankle": 16},
    "body21": {"right_ankle": 16, "left_big_toe": 17, "right_big_toe": 18, "left_heel": 19, "right_heel": 20},
    "halpe26": {"head": 17, "neck": 18, "hip": 19, "left_big_toe": 20, "left_heel": 24, "right_heel": 25},
    "coco_wholebody23": {"left_big_toe": 17, "left_heel": 19, "right_big_toe": 20, "right_heel": 22},
    "mediapipe33": {"left_shoulder": 11, "right_hip": 24, "left_heel": 29, "right_big_toe": 32},
    "openpose25": {"neck": 1, "right_shoulder": 2, "left_hip": 12, "left_big_toe": 19, "right_heel": 24},
    "smpl24": {"pelvis": 0, "spine1": 3, "left_ankle": 7, "neck": 12, "left_collar": 13, "right_hand": 23},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_joints_have_their_published_numbers(name) -> None:
    for joint, number in PUBLISHED[name].items():
        assert LAYOUTS[name].at(joint) == number


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_mirroring_exchanges_left_and_right_and_twice_is_nothing(layout) -> None:
    order = layout.mirror
    assert [order[k] for k in order] == list(range(len(layout)))
    for joint, other in zip(layout.joints, order, strict=True):
        swapped = joint.replace("left_", "RIGHT_").replace("right_", "left_").replace("RIGHT_", "right_")
        assert layout.joints[other] == swapped


def test_smpl_bones_connect_what_a_body_connects() -> None:
    parent = {
        child: SMPL24.joints[p] if p >= 0 else None
        for child, p in zip(SMPL24.joints, SMPL_PARENTS, strict=True)
    }
    assert parent["pelvis"] is None
    for chain in (
        ("pelvis", "spine1", "spine2", "spine3", "neck", "head"),
        ("spine3", "left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
        ("spine3", "right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
        ("pelvis", "left_hip", "left_knee", "left_ankle", "left_foot"),
        ("pelvis", "right_hip", "right_knee", "right_ankle", "right_foot"),
    ):
        for above, below in pairwise(chain):
            assert parent[below] == above


def test_bones_and_contacts_name_joints_of_body21() -> None:
    named = {joint for bone in BODY21_BONES for joint in bone} | set(CONTACT_POINTS)
    assert named == set(BODY21.joints)


@pytest.mark.parametrize("source", [MEDIAPIPE33, OPENPOSE25], ids=lambda each: each.name)
def test_remap_moves_by_name_and_leaves_holes(source) -> None:
    values = np.arange(2.0 * len(source)).reshape(2, len(source), 1)
    out = remap(values, source, BODY21)
    for joint in BODY21.joints:
        np.testing.assert_array_equal(out[:, BODY21.at(joint)], values[:, source.at(joint)])
    back = remap(out, BODY21, source)
    shared = [joint in BODY21.joints for joint in source.joints]
    np.testing.assert_array_equal(back[:, shared], values[:, shared])
    assert np.isnan(back[:, ~np.array(shared)]).all()


def seen(layout, landmarks: bool = True) -> Keypoints2D:
    rng = np.random.default_rng(1)
    shape = (3, len(layout))
    conf = rng.uniform(0.1, 1, shape)
    xy = rng.uniform(0, 400, (*shape, 2))
    xy[1, 0], conf[1, 0] = np.nan, 0.0
    marks = rng.normal(size=(*shape, 3)) if landmarks else None
    return Keypoints2D(xy, conf, layout, 25.0, (640, 480), landmarks=marks)


def test_keypoints_that_a_detector_lacks_are_missing() -> None:
    given = seen(COCO17)
    out = remap_keypoints(given, BODY21)
    feet = BODY21.index(*CONTACT_POINTS)
    assert (out.conf[:, feet] == 0).all() and np.isnan(out.xy[:, feet]).all()
    known = BODY21.index(*COCO17.joints)
    np.testing.assert_array_equal(out.xy[:, known], given.xy)
    np.testing.assert_array_equal(out.conf[:, known], given.conf)
    assert out.landmarks is not None and np.isnan(out.landmarks[:, feet]).all()
    np.testing.assert_array_equal(out.landmarks[:, known], given.landmarks)
    assert (out.fps, out.size) == (25.0, (640, 480))
    assert remap_keypoints(seen(COCO17, landmarks=False), BODY21).landmarks is None


def test_the_mirror_image_of_the_first_pixel_is_the_last() -> None:
    given = seen(BODY21)
    xy = given.xy.copy()
    xy[0, BODY21.at("left_wrist")] = (0.0, 7.0)
    given = dataclasses.replace(given, xy=xy)
    out = mirror_keypoints(given)
    np.testing.assert_array_equal(out.xy[0, BODY21.at("right_wrist")], [639.0, 7.0])
    assert out.conf[0, BODY21.at("right_wrist")] == given.conf[0, BODY21.at("left_wrist")]
    assert out.landmarks is not None and given.landmarks is not None
    np.testing.assert_array_equal(
        out.landmarks[2, BODY21.at("right_knee")], given.landmarks[2, BODY21.at("left_knee")] * [-1, 1, 1]
    )


def test_mirrored_twice_is_as_before() -> None:
    given = seen(BODY21)
    twice = mirror_keypoints(mirror_keypoints(given))
    np.testing.assert_allclose(twice.xy, given.xy, atol=1e-9)
    np.testing.assert_array_equal(twice.conf, given.conf)
    np.testing.assert_array_equal(twice.landmarks, given.landmarks)
    assert mirror_keypoints(seen(BODY21, landmarks=False)).landmarks is None
