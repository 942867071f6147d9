"""Rendered takes of several cameras: rigs that see the passage, and files that give takes back."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.cameras import cam_points, centre, project
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.rendered_views import LONGEST_SIDE, SEEN, read_take, rig_before, write_take
from mocaplift.train.data.view_windows import Sampler, Take
from mocaplift.values import Keypoints2D, Motion3D
from tests.walker import walker

FRAMES = 10


def walk() -> Motion3D:
    """Return a person who walks far from the origin."""
    xyz = walker(frames=60).keypoints.xyz + np.array([5.0, 0.0, -3.0])
    return Motion3D(xyz, np.zeros(xyz.shape[:2]), BODY21, 30.0)


@pytest.fixture(name="take")
def _take() -> Take:
    xyz = walker(frames=200, fps=60.0).keypoints.xyz.astype(np.float32)
    bank = MotionBank(xyz, np.array([0]), np.array([200]), np.array([1.0]))
    drawn = Sampler(bank).take(np.random.default_rng(0), 3, FRAMES, 30.0)
    views = tuple(Keypoints2D(v.xy, v.conf, v.layout, v.fps, v.size) for v in drawn.views)
    return Take(drawn.truth, views, drawn.cameras, drawn.true_cameras, "mediapipe")


@pytest.mark.parametrize("num_views", [2, 4])
def test_rigs_stand_around_the_person_and_see_the_whole_passage(num_views):
    truth = walk()
    cameras, told = rig_before(np.random.default_rng(0), truth, num_views)
    assert len(cameras) == len(told) == num_views
    for camera, calibrated in zip(cameras, told, strict=True):
        assert max(camera.size) == LONGEST_SIDE and min(camera.size) % 2 == 0
        xy = project(camera, truth.xyz)
        inside = (xy > -0.5).all(-1) & (xy < np.array(camera.size) - 0.5).all(-1)
        assert inside.mean() > SEEN and cam_points(camera, truth.xyz)[..., 2].min() > 0
        assert 0 < np.linalg.norm(centre(camera) - centre(calibrated)) < 0.016
        assert camera.size == calibrated.size


def test_a_passage_that_no_rig_can_see_is_told():
    far = walk()
    far.xyz[-1] += 500.0
    with pytest.raises(InvalidData, match="no random rig of 2 cameras"):
        rig_before(np.random.default_rng(0), far, 2)


def test_takes_survive_their_files(take, tmp_path):
    write_take(tmp_path / "take.npz", take)
    again = read_take(tmp_path / "take.npz")
    np.testing.assert_array_equal(again.truth.xyz, take.truth.xyz)
    assert again.truth.fps == 30.0 and again.detector == "mediapipe"
    for name in ("cameras", "true_cameras"):
        for one, other in zip(getattr(again, name), getattr(take, name), strict=True):
            np.testing.assert_array_equal(one.cam_from_world, other.cam_from_world)
            np.testing.assert_array_equal(one.intrinsics, other.intrinsics)
            assert one.size == other.size
    for one, other in zip(again.views, take.views, strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.conf, other.conf)


def test_damaged_takes_are_refused(tmp_path):
    path = tmp_path / "take.npz"
    with pytest.raises(InvalidData, match="not a rendered take"):
        read_take(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InvalidData, match="not a rendered take"):
        read_take(path)
    np.savez(path, xy=np.zeros((2, 3, 21, 2)))
    with pytest.raises(InvalidData, match="not a rendered take"):
        read_take(path)
