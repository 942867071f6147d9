"""What every lifter of several calibrated views promises, on a dancer seen by rings of cameras with errors.

Weights of `mpl` that are not there are stood in for by a small network that has learnt nothing.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import moved
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.layouts import BODY21, COCO17, MEDIAPIPE33, remap_keypoints
from mocaplift.lift import applicable, load_lifter
from mocaplift.lift.mpl import lifter as mpl_lifter
from mocaplift.rotations import about_axis, rotate, to_matrix
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import locate
from tests.dancer import dancer
from tests.lift.tiny_mpl import tiny_network
from tests.rigs import away, facing_pair, hidden, ring, watched

# Lifters of several views; the first is what the others are compared with.
SEVERAL = ("dlt", "triangulate", "mpl")
every_lifter = pytest.mark.parametrize("name", SEVERAL)
better_lifters = pytest.mark.parametrize("name", SEVERAL[1:])
FEET = BODY21.index("left_big_toe", "right_big_toe", "left_heel", "right_heel")


@pytest.fixture(autouse=True)
def _network(monkeypatch) -> None:
    try:
        locate("mpl")
    except WeightsError:
        monkeypatch.setattr(mpl_lifter, "load_network", tiny_network)


def truth(seconds: float = 1.5, fps: float = 30.0, heading: float = 0.5) -> Motion3D:
    return body_keypoints(dancer(max(1, round(seconds * fps)), fps=fps, heading=heading))


def lifted(name: str, views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> Motion3D:
    return load_lifter(name)(views, cameras)


def noise(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@every_lifter
@pytest.mark.parametrize("num_views", [2, 3, 5, 8])
def test_what_is_seen_exactly_is_found(name: str, num_views: int) -> None:
    true, cameras = truth(), ring(num_views)
    found = lifted(name, watched(true, cameras), cameras)
    assert found.layout is BODY21 and found.fps == 30.0 and found.xyz.shape == true.xyz.shape
    assert (found.sigma > 0).all()
    # What a prior takes away from exact points.
    assert away(found, true).mean() < 0.005


@better_lifters
@pytest.mark.parametrize("num_views", [2, 3, 4, 6, 8])
def test_with_errors_it_is_better_than_the_baseline(name: str, num_views: int) -> None:
    true, cameras = truth(), ring(num_views)
    views = watched(true, cameras, noise())
    ours, plain = (away(lifted(each, views, cameras), true) for each in (name, "dlt"))
    assert ours.mean() < 0.92 * plain.mean() and np.percentile(ours, 95) < np.percentile(plain, 95)
    assert ours.mean() < 0.04 / np.sqrt(num_views)


@better_lifters
@pytest.mark.parametrize("fps", [25.0, 60.0, 120.0])
def test_frame_rates_do_not_matter(name: str, fps: float) -> None:
    true, cameras = truth(fps=fps), ring(3)
    views = watched(true, cameras, noise())
    found = lifted(name, views, cameras)
    assert found.fps == fps
    assert away(found, true).mean() < min(0.022, away(lifted("dlt", views, cameras), true).mean())


@better_lifters
def test_it_is_smoother_than_the_baseline(name: str) -> None:
    true, cameras = truth(), ring(3)
    views = watched(true, cameras, noise())
    jitter = [
        np.linalg.norm(np.diff(lifted(each, views, cameras).xyz - true.xyz, n=2, axis=0), axis=-1).mean()
        for each in (name, "dlt")
    ]
    assert jitter[0] < 0.5 * jitter[1]


@every_lifter
def test_the_order_of_the_views_does_not_matter(name: str) -> None:
    true, cameras = truth(0.5), ring(4)
    views = watched(true, cameras, noise())
    order = [2, 0, 3, 1]
    here = lifted(name, views, cameras)
    there = lifted(name, [views[each] for each in order], [cameras[each] for each in order])
    np.testing.assert_allclose(there.xyz, here.xyz, atol=1e-5)
    np.testing.assert_allclose(there.sigma, here.sigma, rtol=1e-5)


@every_lifter
@pytest.mark.parametrize("angle", [0.7, 2.2, -2.9])
def test_a_world_that_turns_and_moves_changes_nothing(name: str, angle: float) -> None:
    true, cameras = truth(0.5), ring(2)
    views = watched(true, cameras, noise())
    turn, transform = about_axis("Y", angle), np.eye(4)
    transform[:3, :3], transform[:3, 3] = to_matrix(turn), [3.0, 0.4, -5.0]
    here = lifted(name, views, cameras)
    there = lifted(name, views, [moved(camera, transform) for camera in cameras])
    # The prior of any heading is learnt from headings drawn at random: it is not exactly the same all around. The
    # direct linear transform measures its errors from the origin of the world.
    tolerance = 5e-3 if name == "dlt" else 1e-3
    np.testing.assert_allclose(there.xyz, rotate(turn, here.xyz) + transform[:3, 3], atol=tolerance)


@better_lifters
def test_a_view_that_is_missing_for_a_stretch_is_missed_little(name: str) -> None:
    true, cameras = truth(), ring(3)
    views = watched(true, cameras, noise())
    holed = [views[0], hidden(views[1], slice(15, 30), slice(None)), views[2]]
    whole, found = lifted(name, views, cameras), lifted(name, holed, cameras)
    assert np.isfinite(found.xyz).all()
    assert away(found, true)[15:30].mean() < 0.04
    assert np.median(found.sigma[15:30]) > np.median(whole.sigma[15:30])
    # Nothing jumps where the view comes and goes.
    steps = np.linalg.norm(np.diff(found.xyz - true.xyz, axis=0), axis=-1)
    assert steps[[14, 29]].max() < 0.03


@better_lifters
def test_joints_that_nobody_sees_are_guessed_with_a_larger_sigma(name: str) -> None:
    true, cameras = truth(), ring(3)
    wrist = BODY21.at("left_wrist")
    views = [hidden(view, slice(None), [wrist]) for view in watched(true, cameras, noise())]
    found = lifted(name, views, cameras)
    others = np.delete(np.arange(len(BODY21)), wrist)
    assert found.sigma[:, wrist].min() > 3 * found.sigma[:, others].mean()
    known = np.isfinite(found.sigma[:, wrist])
    assert np.isnan(found.xyz[~known, wrist]).all()
    assert away(found, true)[known, wrist].max() < 0.7  # an arm's length about the shoulder
    assert away(found, true)[:, others].mean() < 0.025


@better_lifters
def test_feet_of_detectors_without_feet_are_guessed(name: str) -> None:
    true, cameras = truth(), ring(3)
    views = [remap_keypoints(view, COCO17) for view in watched(true, cameras, noise())]
    found = lifted(name, views, cameras)
    assert np.isfinite(found.xyz).all()
    assert away(found, true)[:, FEET].mean() < 0.12
    rest = np.delete(np.arange(len(BODY21)), FEET)
    assert found.sigma[:, FEET].mean() > 2 * found.sigma[:, rest].mean()


@better_lifters
def test_while_nobody_is_seen_points_are_missing_or_unsure(name: str) -> None:
    true, cameras = truth(), ring(3)
    views = [hidden(view, slice(20, 26), slice(None)) for view in watched(true, cameras, noise())]
    found = lifted(name, views, cameras)
    unknown = ~np.isfinite(found.sigma)
    assert unknown[20:26].all() and not unknown[:20].any() and not unknown[26:].any()
    assert np.isnan(found.xyz[unknown]).all()
    kept = np.r_[0:20, 26:45]
    assert away(found, true)[kept].mean() < 0.025


@better_lifters
def test_nobody_at_all_is_all_missing(name: str) -> None:
    true, cameras = truth(0.2), ring(2)
    views = [hidden(view, slice(None), slice(None)) for view in watched(true, cameras)]
    found = lifted(name, views, cameras)
    assert np.isnan(found.xyz).all() and np.isinf(found.sigma).all()


@better_lifters
def test_two_views_that_face_each_other_are_enough(name: str) -> None:
    """Rays that nearly are one say nothing about the depth along them; a body does."""
    true, cameras = truth(), facing_pair()
    views = watched(true, cameras, noise())
    ours, plain = (away(lifted(each, views, cameras), true) for each in (name, "dlt"))
    assert ours.mean() < 0.04 and np.percentile(ours, 95) < 0.1
    assert ours.mean() < 0.2 * plain.mean()


@every_lifter
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_are_enough(name: str, frames: int) -> None:
    true, cameras = truth(frames / 30), ring(3)
    found = lifted(name, watched(true, cameras, noise()), cameras)
    assert found.xyz.shape == (frames, 21, 3) and np.isfinite(found.xyz).all()
    assert away(found, true).mean() < 0.035


@better_lifters
@pytest.mark.parametrize("num_views", [3, 4, 5])
def test_another_person_in_one_view_does_not_pull(name: str, num_views: int) -> None:
    """For a second, one of the views follows somebody who stands a metre and a half away."""
    true, cameras = truth(3.0), ring(num_views)
    other = replace(true, xyz=true.xyz[::-1] + np.array([1.5, 0.0, -0.4]))
    views, wrong = watched(true, cameras, noise(1)), watched(other, cameras, noise(2))
    xy, conf = views[1].xy.copy(), views[1].conf.copy()
    xy[30:60], conf[30:60] = wrong[1].xy[30:60], wrong[1].conf[30:60]
    mixed = [views[0], replace(views[1], xy=xy, conf=conf), *views[2:]]
    ours, plain = (away(lifted(each, mixed, cameras), true) for each in (name, "dlt"))
    assert ours[30:60].mean() < 0.04 < plain[30:60].mean()
    assert np.percentile(ours, 99) < 0.2


@better_lifters
@pytest.mark.parametrize("num_views", [2, 3, 5])
def test_sigma_is_the_error_to_expect(name: str, num_views: int) -> None:
    cameras = ring(num_views)
    ratios = []
    for seed in range(3):
        true = truth(heading=2.0 * seed)
        found = lifted(name, watched(true, cameras, noise(seed)), cameras)
        ratios.append(np.square(away(found, true) / found.sigma).mean() / 3)  # three axes
    assert 1 / 1.5 < np.sqrt(np.mean(ratios)) < 1.5


@pytest.mark.parametrize("name", ["triangulate", pytest.param("mpl", marks=pytest.mark.slow)])
def test_long_clips_need_little_more_memory_than_short_ones(name: str) -> None:
    cameras = ring(2)
    peaks = []
    for frames in (500, 2000):
        true = truth(frames / 30)
        views = watched(true, cameras)
        lifted(name, views, cameras)  # what is loaded once, is
        tracemalloc.start()
        found = lifted(name, views, cameras)
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
        assert len(found.xyz) == frames
    # What a frame itself holds: points, covariances and rays; no more.
    assert peaks[1] - peaks[0] < 1500 * 0.03 and peaks[1] < 400


@every_lifter
def test_views_and_cameras_that_do_not_fit_are_refused(name: str) -> None:
    true, cameras = truth(0.2), ring(2)
    views = watched(true, cameras)
    with pytest.raises(InvalidData, match="two or more views with a camera each"):
        lifted(name, views[:1], cameras[:1])
    with pytest.raises(InvalidData, match="two or more views with a camera each"):
        lifted(name, views, cameras[:1])
    shorter = replace(views[1], xy=views[1].xy[:-1], conf=views[1].conf[:-1])
    with pytest.raises(InvalidData, match="different numbers of frames: 6, 5"):
        lifted(name, [views[0], shorter], cameras)


def test_several_views_are_not_lifted_one_by_one() -> None:
    assert applicable(watched(truth(0.2), ring(2))) == ["triangulate"]


@pytest.mark.parametrize(("count", "lifter"), [(2, "mpl"), (3, "triangulate")])
def test_the_network_is_for_two_views_of_the_detector_that_it_knows(count: int, lifter: str) -> None:
    views = [remap_keypoints(view, MEDIAPIPE33) for view in watched(truth(0.2), ring(count))]
    assert applicable(views) == [lifter]
    assert applicable([*views[:-1], remap_keypoints(views[-1], COCO17)]) == ["triangulate"]


def test_the_baseline_knows_nothing_that_two_views_do_not_see() -> None:
    true, cameras = truth(0.2), ring(3)
    views = watched(true, cameras)
    wrist = BODY21.at("left_wrist")
    one = [hidden(views[0], slice(None), [wrist]), hidden(views[1], slice(None), [wrist]), views[2]]
    found = lifted("dlt", one, cameras)
    assert np.isnan(found.xyz[:, wrist]).all() and np.isinf(found.sigma[:, wrist]).all()
    assert np.isfinite(np.delete(found.xyz, wrist, axis=1)).all()
