"""Windows of several cameras: arrays that agree with the values of the same draw, and with the truth."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mocaplift.cameras import centre, project, rays
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.noise import Faults
from mocaplift.train.data.rigs import random_rigs
from mocaplift.train.data.view_windows import DETECTORS, Sampler
from tests.walker import walker

FRAMES = 12


@pytest.fixture(name="sampler", scope="module")
def _sampler() -> Sampler:
    xyz = walker(frames=300, fps=60.0).keypoints.xyz.astype(np.float32)
    return Sampler(MotionBank(xyz, np.array([0]), np.array([300]), np.array([1.0])))


def test_a_batch_has_the_shapes_that_it_promises(sampler):
    batch = sampler.batch(np.random.default_rng(0), 40, 3, FRAMES, 30.0)
    shapes = {name: array.shape for name, array in batch.items()}
    assert shapes == {
        "rays": (40, 3, FRAMES, 21, 3), "centres": (40, 3, 3), "conf": (40, 3, FRAMES, 21),
        "truth": (40, FRAMES, 21, 3), "error": (40, 3, FRAMES, 21), "detector": (40,),
    }  # fmt: skip
    assert all(np.isfinite(array).all() for array in batch.values())
    assert all(array.dtype == np.float32 for name, array in batch.items() if name != "detector")
    assert set(batch["detector"]) == {0, 1}
    seen = batch["conf"] > 0
    np.testing.assert_allclose(np.linalg.norm(batch["rays"][seen], axis=-1), 1.0, atol=1e-5)
    assert not batch["rays"][~seen].any() and not batch["error"][~seen].any()
    assert 0.015 < np.median(batch["error"][seen]) < 0.05


def test_the_error_is_the_distance_of_the_truth_from_the_ray(sampler):
    batch = sampler.batch(np.random.default_rng(1), 6, 2, FRAMES, 30.0)
    n, v, t, j = np.argwhere(batch["conf"] > 0.1)[50]
    away = batch["truth"][n, t, j].astype(float) - batch["centres"][n, v]
    distance = np.linalg.norm(np.cross(away, batch["rays"][n, v, t, j]))
    assert batch["error"][n, v, t, j] == pytest.approx(distance, abs=1e-5)


def test_values_and_arrays_of_one_draw_agree(sampler):
    take = sampler.take(np.random.default_rng(2), 3, FRAMES, 30.0)
    batch = sampler.batch(np.random.default_rng(2), 1, 3, FRAMES, 30.0)
    assert take.detector == DETECTORS[batch["detector"][0]] and take.truth.layout == BODY21
    np.testing.assert_allclose(take.truth.xyz, batch["truth"][0], atol=1e-6)
    for view, (seen, camera) in enumerate(zip(take.views, take.cameras, strict=True)):
        np.testing.assert_allclose(centre(camera), batch["centres"][0, view], atol=1e-5)
        there = seen.conf > 0
        direction = rays(camera, seen.xy[there])
        np.testing.assert_allclose(direction, batch["rays"][0, view][there], atol=1e-5)


def test_detections_belong_to_the_true_cameras_and_calibrations_are_near_them(sampler):
    take = sampler.take(np.random.default_rng(3), 4, FRAMES, 30.0)
    for seen, camera, told in zip(take.views, take.true_cameras, take.cameras, strict=True):
        distance = np.linalg.norm(take.truth.xyz.mean(axis=(0, 1)) - centre(camera))
        error = np.linalg.norm(seen.xy - project(camera, take.truth.xyz), axis=-1)
        assert np.nanmedian(error) * distance / camera.intrinsics[0, 0] < 0.08
        assert 0 <= np.linalg.norm(centre(camera) - centre(told)) < 0.016


def test_a_given_rig_is_what_the_calibration_tells_of_every_window(sampler):
    rig = random_rigs(np.random.default_rng(0), 1, 3).centred()
    draw = Sampler(sampler.bank, rig=rig).draw(np.random.default_rng(1), 30, 3, FRAMES, 30.0)
    np.testing.assert_allclose(draw.calibrated.centre, np.repeat(rig.centre, 30, axis=0), atol=1e-5)
    away = np.linalg.norm(draw.rigs.centre - draw.calibrated.centre, axis=-1)
    assert away.min() > 0 and away.max() < 0.016
    # People stand all over the place, and the rays of the given cameras pass by where they are.
    assert draw.truth[:, FRAMES // 2, :, [0, 2]].mean(axis=2).std(axis=1).min() > 0.2
    batch = Sampler(sampler.bank, rig=rig).batch(np.random.default_rng(1), 30, 3, FRAMES, 30.0)
    assert np.median(batch["error"][batch["conf"] > 0]) < 0.05
    with pytest.raises(InvalidData, match="the given rig has 3 cameras, not 2"):
        Sampler(sampler.bank, rig=rig).draw(np.random.default_rng(1), 1, 2, FRAMES, 30.0)


def test_without_sync_and_noise_the_rays_meet(sampler):
    """Cameras out of step see moving hands elsewhere, and standing ones where they are."""
    late = Sampler(sampler.bank, Faults(sync=1.0))
    fast = BODY21.index("left_wrist", "right_ankle")
    errors = [
        np.median(each.batch(np.random.default_rng(4), 200, 2, 3, 15.0)["error"][..., fast], axis=None)
        for each in (Sampler(sampler.bank, Faults(sync=0.0)), late)
    ]
    assert errors[1] > 1.15 * errors[0]


def test_the_same_seed_draws_the_same_windows(sampler):
    one, two = (sampler.batch(np.random.default_rng(5), 5, 2, 4, 30.0) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_single_frames_and_many_views_work(sampler):
    for num_views, frames in ((2, 1), (8, 3), (1, 5)):
        batch = sampler.batch(np.random.default_rng(6), 3, num_views, frames, 60.0)
        assert batch["rays"].shape == (3, num_views, frames, 21, 3)


def test_drawing_is_fast_enough_to_train_from(sampler):
    """3,000 frames of three views a second are needed; ten times that were measured on an idle core."""
    sampler.batch(np.random.default_rng(7), 8, 3, 27, 30.0)
    begun = time.process_time()
    sampler.batch(np.random.default_rng(7), 64, 3, 27, 30.0)
    assert 64 * 27 / (time.process_time() - begun) > 3000
