"""The direct lifter with a tiny random network: what holds whatever the network says."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import cam_points, centre, moved, rays
from mocaplift.confidence import sigma
from mocaplift.errors import ConfigError, WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import SCALE_BONES, Features, features, mirrored, points
from mocaplift.lift.direct.lifter import lift
from mocaplift.lift.direct.network import DirectConfig, DirectNetwork
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Camera, Keypoints2D
from tests.dancer import HIPS, camera, dancer, part, seen
from tests.lift.tiny_direct import SIZES, tiny_arrays, tiny_network

FPS = SIZES.fps


def filmed(frames: int, fps: float = FPS) -> tuple[Keypoints2D, Camera]:
    lens = camera()
    return seen(dancer(frames, fps=fps), lens), lens


def told_of(view: Keypoints2D, lens: Camera) -> Features:
    return features(rays(lens, view.xy)[None], sigma(view)[None])


class TestFeatures:
    def test_a_flat_person_across_the_line_of_sight_shows_its_scale(self) -> None:
        """All bones across the line of sight, 5 m away: the scale is 1 / 5."""
        xyz = np.zeros((6, 21, 3))
        xyz[:, :, 2] = 5.0
        for (start, end), length in SCALE_BONES.items():
            side = -1.0 if start.startswith("left") else 1.0
            xyz[:, BODY21.index(start, end)] += [[0.0, 0.0, 0.0], [side * 1e-3, -length, 0.0]]
        for (start, end), length in SCALE_BONES.items():
            xyz[:, BODY21.at(end)] = xyz[:, BODY21.at(start)] + [0.0, -length, 0.0]
        told = features(xyz / np.linalg.norm(xyz, axis=-1, keepdims=True), np.full((6, 21), 0.02))
        np.testing.assert_allclose(told.scale, 0.2, rtol=0.02)

    def test_the_virtual_camera_looks_at_the_person_and_stands_upright(self) -> None:
        told = told_of(*filmed(8))
        right, down, _ = told.axes[0]
        assert abs(right[1]) < 1e-9 and down[1] < 0
        np.testing.assert_allclose(told.axes[0] @ told.axes[0].T, np.eye(3), atol=1e-9)
        assert np.linalg.det(told.axes[0]) == pytest.approx(1.0)
        assert np.abs(told.plane[0][:, HIPS].mean(axis=(0, 1))).max() < 0.1

    def test_the_truth_is_among_the_answers(self) -> None:
        """The offsets that lead to the truth lead there."""
        motion = dancer(8, fps=FPS)
        lens = camera()
        told = told_of(seen(motion, lens), lens)
        local = (body_keypoints(motion).xyz - centre(lens)) @ told.axes[0].T
        hips = local[:, HIPS, 2].mean(axis=1)
        behind = local[..., 2] - hips[:, None]
        offset = np.concatenate([np.zeros((8, 21, 2)), behind[..., None]], axis=-1)
        found = points(told, offset[None], np.log(hips * told.scale[0])[None])
        np.testing.assert_allclose(found[0], local, atol=1e-5)

    def test_mirror_images_are_those_of_the_mirrored_world(self) -> None:
        view, lens = filmed(8)
        flip = np.array([-1.0, 1.0, 1.0])
        direction = rays(lens, view.xy)[None]
        error = np.random.default_rng(0).uniform(0.01, 0.1, (1, 8, 21))
        error[0, 2:5, 3] = np.inf
        one = mirrored(features(direction, error).told)
        other = features(direction[..., list(BODY21.mirror), :] * flip, error[..., list(BODY21.mirror)])
        np.testing.assert_allclose(one, other.told, atol=1e-5)

    def test_what_a_missing_joint_would_have_said_does_not_matter(self) -> None:
        view, lens = filmed(8)
        direction, error = rays(lens, view.xy)[None], sigma(view)[None]
        error[..., BODY21.index("left_wrist", "nose")] = np.inf
        junk = np.where(np.isinf(error)[..., None], [0.0, 0.6, -0.8], direction)
        one, other = features(direction, error), features(junk, error)
        np.testing.assert_array_equal(one.told, other.told)
        np.testing.assert_array_equal(one.plane, other.plane)

    def test_nothing_seen_is_told_as_nothing(self) -> None:
        told = features(np.zeros((1, 5, 21, 3)), np.full((1, 5, 21), np.inf))
        assert np.isfinite(told.told).all() and np.isfinite(told.scale).all() and not told.plane.any()


class TestLifter:
    def test_an_untrained_network_puts_all_joints_on_their_rays_at_one_depth(self) -> None:
        view, lens = filmed(8)
        found = lift([view], [lens], tiny_network())
        depth = (found.xyz - centre(lens)) @ told_of(view, lens).axes[0, 2]
        assert np.ptp(depth, axis=1).max() < 1e-3
        again = (found.xyz - centre(lens)) / np.linalg.norm(found.xyz - centre(lens), axis=-1, keepdims=True)
        np.testing.assert_allclose(again, rays(lens, view.xy), atol=1e-5)
        assert np.abs(depth / cam_points(lens, body_keypoints(dancer(8)).xyz)[..., 2] - 1).max() < 0.3

    @pytest.mark.parametrize("yaw", [0.7, 2.2, -3.0])
    def test_a_camera_elsewhere_that_sees_the_same_finds_the_same(self, yaw: float) -> None:
        view, lens = filmed(11)
        network, turn = tiny_network(head=0.05), about_axis("Y", yaw)
        transform = np.eye(4)
        transform[:3, :3], transform[:3, 3] = to_matrix(turn), [3.0, 0.4, -1.0]
        here = lift([view], [lens], network).xyz
        there = lift([view], [moved(lens, transform)], network).xyz
        np.testing.assert_allclose(there, rotate(turn, here) + transform[:3, 3], atol=1e-4)

    def test_another_lens_from_the_same_place_changes_nothing(self) -> None:
        motion, lens = dancer(9, fps=FPS), camera()
        turn = np.eye(4)
        turn[:3, :3] = to_matrix(about_axis("Y", 0.15))
        zoom = lens.intrinsics.copy()
        zoom[[0, 1], [0, 1]] *= 0.7
        other = replace(lens, intrinsics=zoom, cam_from_world=turn @ lens.cam_from_world)
        network = tiny_network(head=0.05)
        one, two = (lift([seen(motion, each)], [each], network).xyz for each in (lens, other))
        np.testing.assert_allclose(one, two, atol=1e-4)

    def test_the_mirrored_world_is_lifted_to_the_mirror_image(self) -> None:
        view, lens = filmed(9)
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        mirror = list(BODY21.mirror)
        width = lens.size[0]
        other = replace(view, xy=(view.xy * [-1, 1] + [width - 1, 0])[:, mirror], conf=view.conf[:, mirror])
        flipped = replace(lens, cam_from_world=flip @ lens.cam_from_world @ flip)
        middle = lens.intrinsics.copy()
        middle[0, 2] = width - 1 - middle[0, 2]
        flipped = replace(flipped, intrinsics=middle)
        network = tiny_network(head=0.05)
        one, two = lift([view], [lens], network), lift([other], [flipped], network)
        np.testing.assert_allclose(two.xyz, one.xyz[:, mirror] * [-1, 1, 1], atol=1e-4)
        np.testing.assert_allclose(two.sigma, one.sigma[:, mirror], atol=1e-5)

    @pytest.mark.parametrize(("frames", "fps"), [(1, FPS), (2, 60.0), (7, 30.0), (8, FPS), (40, 50.0)])
    def test_any_length_at_any_rate(self, frames: int, fps: float) -> None:
        view, lens = filmed(frames, fps)
        found = lift([view], [lens], tiny_network(head=0.05))
        assert found.xyz.shape == (frames, 21, 3) and found.fps == fps
        assert np.isfinite(found.xyz).all() and (found.sigma > 0).all()

    def test_a_long_clip_is_joined_without_steps(self) -> None:
        motion, lens = dancer(60, fps=FPS), camera()
        whole = lift([seen(motion, lens)], [lens], tiny_network(head=0.02)).xyz
        step = np.linalg.norm(np.diff(whole, axis=0), axis=-1)
        assert step.max() < 0.4
        first = lift([seen(part(motion, slice(0, 8)), lens)], [lens], tiny_network(head=0.02)).xyz
        np.testing.assert_allclose(whole[:3], first[:3], atol=1e-4)

    def test_a_long_hole_is_bridged_in_a_straight_line(self) -> None:
        view, lens = filmed(60)
        conf = view.conf.copy()
        conf[10:50] = 0.0
        xy = np.where(conf[..., None] > 0, view.xy, np.nan)
        found = lift([replace(view, xy=xy, conf=conf)], [lens], tiny_network(head=0.02)).xyz
        bend = np.diff(found[20:40], n=2, axis=0)
        np.testing.assert_allclose(bend, 0.0, atol=1e-9)


class TestNetwork:
    def test_sizes_that_no_network_has_are_refused(self) -> None:
        for wrong in (
            {"width": 0},
            {"heads": 3},
            {"frames": 7},
            {"width": 4096},
            {"fps": -1.0},
        ):
            with pytest.raises(ConfigError):
                DirectConfig(**{**asdict(SIZES), **wrong})

    def test_weights_that_do_not_fit_are_refused(self) -> None:
        arrays = tiny_arrays()
        header = {"network": asdict(SIZES)}
        with pytest.raises(WeightsError, match="do not say what network"):
            DirectNetwork.of(arrays, {})
        with pytest.raises(WeightsError, match="do not say what network"):
            DirectNetwork.of(arrays, {"network": {**asdict(SIZES), "width": "wide"}})
        with pytest.raises(WeightsError, match="nothing for 'time'"):
            DirectNetwork.of({name: array for name, array in arrays.items() if name != "time"}, header)
        with pytest.raises(WeightsError, match=r"for 'out\.bias'"):
            DirectNetwork.of({**arrays, "out.bias": np.zeros(3)}, header)
