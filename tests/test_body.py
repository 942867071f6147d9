"""The body model: what every body has, and what is told when a file is not one."""

import json
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import Body, attachments_of, body_keypoints, load_body
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, CONTACT_POINTS
from mocaplift.rotations import IDENTITY, about_axis, multiply, rotate
from mocaplift.values import SkeletonMotion
from mocaplift.weights import load_arrays, locate, save_arrays
from tests.fit import toy
from tests.walker import walker


def standing(body: Body, shape: np.ndarray, frames: int = 1) -> SkeletonMotion:
    return SkeletonMotion(
        body.skeleton(shape), np.tile(IDENTITY, (frames, 24, 1)), np.zeros((frames, 3)), 30.0
    )


class TestShipped:
    def test_at_rest_it_faces_forward_with_its_left_at_plus_x(self) -> None:
        body = load_body()
        rest = body.rest_keypoints(np.zeros(body.num_shape))
        at = {joint: rest[BODY21.at(joint)] for joint in BODY21.joints}
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "big_toe"):
            assert at[f"left_{part}"][0] > 0.02 > -0.02 > at[f"right_{part}"][0]
        assert at["nose"][2] > at["left_ear"][2] + 0.05
        assert at["left_big_toe"][2] > at["left_heel"][2] + 0.15
        # A T-pose: arms level, the nose above the shoulders, feet at the bottom.
        assert abs(at["left_wrist"][1] - at["left_shoulder"][1]) < 0.1
        assert at["nose"][1] > at["left_shoulder"][1] > at["left_hip"][1] > at["left_knee"][1]

    @pytest.mark.parametrize("height", [1.45, 1.6, 1.75, 2.0])
    def test_a_height_is_reached_by_the_likeliest_shape(self, height: float) -> None:
        body = load_body()
        shape = body.shape_of_stature(height)
        assert body.stature(shape) == pytest.approx(height)
        # The nose of a standing person is a hand's breadth below the crown, the heel near the sole.
        rest = body.rest_keypoints(shape)
        span = rest[BODY21.at("nose"), 1] - rest[BODY21.at("left_heel"), 1] + body.sole_drop
        assert 0.86 * height < span < 0.95 * height
        # Any other shape of that height is farther from the mean.
        other = shape + np.random.default_rng(0).normal(0, 0.3, len(shape))
        other += body.shape_of_stature(height - body.stature(other) + body.stature_mean)
        assert body.stature(other) == pytest.approx(height)
        assert np.linalg.norm(other) > np.linalg.norm(shape)

    def test_feet_stand_above_the_sole(self) -> None:
        body = load_body()
        drops = body.drops(np.zeros(body.num_shape))
        assert drops.shape == (len(CONTACT_POINTS),)
        assert drops.min() == pytest.approx(body.sole_drop)
        assert 0 < body.sole_drop < 0.06 and drops.max() < 0.08


class TestKeypoints:
    def test_they_ride_on_the_bones(self) -> None:
        body, shape = toy.body(), np.array([0.7, -0.4])
        motion = standing(body, shape)
        np.testing.assert_allclose(
            body_keypoints(motion, body).xyz[0], body.rest_keypoints(shape), atol=1e-12
        )
        turned = motion.rotations.copy()
        turned[0, 0] = about_axis("Z", np.pi / 2)
        moved = SkeletonMotion(motion.skeleton, turned, np.array([[1.0, 2, 3]]), 30.0)
        # A quarter turn about Z takes (x, y, z) to (-y, x, z).
        expected = body.rest_keypoints(shape)[:, [1, 0, 2]] * [-1, 1, 1] + [1, 2, 3]
        found = body_keypoints(moved, body)
        np.testing.assert_allclose(found.xyz[0], expected, atol=1e-12)
        assert (found.layout, found.fps) == (BODY21, 30.0)

    def test_attachments_tell_the_same_places(self) -> None:
        body = load_body()
        motion = standing(body, np.zeros(body.num_shape), 2)
        turns = np.random.default_rng(1).normal(size=motion.rotations.shape)
        turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
        motion = SkeletonMotion(motion.skeleton, turns, motion.root, 30.0)
        joints, world = forward(motion.skeleton, motion.rotations, motion.root)
        points = body_keypoints(motion).xyz
        places = attachments_of(motion.skeleton)
        assert tuple(places) == BODY21.joints
        for name, (joint, offset) in places.items():
            at = motion.skeleton.layout.at(joint)
            np.testing.assert_allclose(
                points[:, BODY21.at(name)], joints[:, at] + rotate(world[:, at], offset), atol=1e-12
            )

    def test_bones_are_as_long_in_every_pose(self) -> None:
        body = toy.body()
        motion = standing(body, np.zeros(2), 5)
        turns = np.broadcast_to(about_axis("X", np.linspace(0, 1, 5))[:, None], (5, 24, 4))
        bent = SkeletonMotion(motion.skeleton, multiply(turns, motion.rotations), motion.root, 30.0)
        points = body_keypoints(bent, body).xyz
        ear, nose = BODY21.index("left_ear", "nose")
        length = np.linalg.norm(points[:, ear] - points[:, nose], axis=-1)
        np.testing.assert_allclose(length, length[0], atol=1e-12)

    def test_other_skeletons_have_no_skin(self) -> None:
        motion = walker(2).motion
        with pytest.raises(InvalidData, match="not fitted by mocaplift"):
            body_keypoints(motion)
        with pytest.raises(InvalidData, match="not fitted by mocaplift"):
            attachments_of(motion.skeleton)


class TestFile:
    def changed(self, path: Path, without: str = "", **header: object) -> str:
        arrays, given = load_arrays(locate("body"), "body")
        arrays.pop(without, None)
        given = {key: value for key, value in given.items() if key != without}
        save_arrays(path, "body", arrays, json.loads(json.dumps({**given, **header})))
        return str(path)

    def test_a_body_of_other_joints_is_refused(self, tmp_path: Path) -> None:
        name = self.changed(tmp_path / "odd.safetensors", keypoints=list(reversed(BODY21.joints)))
        with pytest.raises(
            WeightsError, match=r"odd\.safetensors: made for other joints than smpl24 and body21"
        ):
            load_body(name)

    @pytest.mark.parametrize("missing", ["attachments", "stature_mean"])
    def test_an_incomplete_body_is_refused(self, tmp_path: Path, missing: str) -> None:
        name = self.changed(tmp_path / f"no-{missing}.safetensors", without=missing)
        with pytest.raises(WeightsError, match=f"lacks '{missing}'"):
            load_body(name)
