"""Looking up poses: a library pose that is seen exactly is found, and the search over time by hand."""

import tracemalloc
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import body_keypoints
from mocaplift.cameras import project
from mocaplift.errors import WeightsError
from mocaplift.layouts import BODY21
from mocaplift.lift import retrieval
from mocaplift.lift.retrieval import HEADINGS, Library, load_library
from mocaplift.rotations import about_axis, rotate
from mocaplift.values import Keypoints2D
from mocaplift.weights import load_arrays, locate, save_arrays
from tests.dancer import camera, dancer, errors, seen, upright_poses


def some(count: int) -> Library:
    """Return a library of some of the upright poses, as different as the library has them."""
    whole = load_library()
    upright = np.flatnonzero(whole.price == 0)[:: max(1, (whole.price == 0).sum() // count)][:count]
    return Library(points=whole.points[upright], price=np.zeros(len(upright)))


@pytest.mark.parametrize("number", [0, 7, 20])
@pytest.mark.parametrize("eye", [(0.0, 0.95, 30.0), (20.0, 12.0, -20.0)], ids=["level", "from above"])
def test_a_library_pose_seen_from_afar_is_found(number: int, eye: tuple[float, float, float]) -> None:
    """At 30 m the picture is as good as weak perspective: the error that is left is half a heading's step."""
    library = some(30)
    lens = camera(eye=eye)
    lens = replace(lens, intrinsics=lens.intrinsics * [[8.0, 1, 1], [1, 8.0, 1], [1, 1, 1]])
    toward = np.arctan2(eye[0], eye[2])  # headings are told relative to the camera's
    pose = rotate(about_axis("Y", toward + 5 * 2 * np.pi / HEADINGS), library.points[number])
    xy = project(lens, pose[None] + np.array([0.0, 0.95, 0.0]))
    view = Keypoints2D(xy, np.full((1, 21), 0.9), BODY21, 30.0, lens.size)
    found = retrieval.lift([view], [lens], library).xyz[0]
    hips = found[BODY21.index("left_hip", "right_hip")].mean(axis=0)
    assert np.linalg.norm(found - hips - pose, axis=-1).max() < 0.02
    # The size of the library's bodies tells how far away.
    assert np.linalg.norm(hips - [0.0, 0.95, 0.0]) < 3.0


def test_the_library_is_turned_to_every_heading() -> None:
    library = some(2)
    turned = library.turned()
    assert turned.shape == (2 * HEADINGS, 21, 3)
    np.testing.assert_array_equal(turned[0], library.points[0])
    # A quarter of the headings on, +Z looks to +X.
    np.testing.assert_allclose(
        turned[HEADINGS + HEADINGS // 4], library.points[1][:, [2, 1, 0]] * [1, 1, -1], atol=1e-9
    )


def test_floor_poses_are_found_but_cost() -> None:
    library = load_library()
    arrays, _ = load_arrays(locate("pose-prior"), "pose-prior")
    tilted = arrays["library_tilted"].astype(bool)
    assert (library.price[tilted] == retrieval.TILT_PRICE).all() and (library.price[~tilted] == 0).all()
    lens = camera(eye=(0.0, 2.0, 5.0))
    lying = library.points[np.flatnonzero(tilted)[:40]]
    height = np.ptp(lying[..., 1], axis=1)
    pose = lying[height.argmin()]
    xy = project(lens, pose[None] + np.array([0.0, 0.3, 0.0]))
    view = Keypoints2D(xy, np.full((1, 21), 0.9), BODY21, 30.0, lens.size)
    found = retrieval.lift([view], [lens]).xyz[0]
    assert np.ptp(found[:, 1]) == pytest.approx(np.ptp(pose[:, 1]), abs=0.25)


def test_the_cheapest_path_is_that_of_trying_them_all() -> None:
    """Five frames, each with its own three candidates out of eight poses."""
    rng = np.random.default_rng(0)
    cost, poses = rng.uniform(0, 2, (5, 3)), rng.normal(0, 0.1, (8, 21, 3))
    keep = np.array([rng.permutation(8)[:3] for _ in range(5)])

    def price(path: tuple[int, ...]) -> float:
        taken = poses[keep[np.arange(5), list(path)]]
        steps = 0.5 * np.square(np.diff(taken, axis=0)).sum() / retrieval.STEP_SPREAD**2
        return float(cost[np.arange(5), list(path)].sum() + steps)

    best = min(product(range(3), repeat=5), key=price)
    assert tuple(retrieval._viterbi(cost, keep, poses)) == best
    assert best != tuple(cost.argmin(axis=1))  # the way matters


def test_points_that_nobody_saw_have_no_say() -> None:
    motion, lens = dancer(6), camera()
    view = seen(motion, lens)
    wild = view.xy.copy()
    wild[:, BODY21.at("left_wrist")] = [1200.0, 20.0]
    unseen = wild.copy()
    unseen[:, BODY21.at("left_wrist")] = np.nan
    conf = view.conf.copy()
    conf[:, BODY21.at("left_wrist")] = 0.0
    found = retrieval.lift([replace(view, xy=unseen, conf=conf)], [lens])
    trusted = retrieval.lift([replace(view, xy=wild)], [lens])
    others = np.arange(21) != BODY21.at("left_wrist")
    assert errors(found, motion)[:, others].mean() < errors(trusted, motion)[:, others].mean()
    assert errors(found, motion).mean() < 0.1


def test_fast_videos_are_looked_up_at_the_same_rate() -> None:
    slow, fast = dancer(20, fps=30.0), dancer(80, fps=120.0)
    lens = camera()
    a, b = (retrieval.lift([seen(each, lens)], [lens]) for each in (slow, fast))
    assert b.fps == 120.0 and len(b.xyz) == 80
    assert abs(errors(a, slow).mean() - errors(b, fast).mean()) < 0.02


def test_a_long_clip_is_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    motion, lens = dancer(14), camera()
    whole = retrieval.lift([seen(motion, lens)], [lens])
    monkeypatch.setattr(retrieval, "FRAMES_AT_ONCE", 3)
    np.testing.assert_allclose(retrieval.lift([seen(motion, lens)], [lens]).xyz, whole.xyz, atol=1e-6)


def test_pieces_of_a_long_clip_leave_nothing_large_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long clip must not hold a table of all poses for each of its frames."""
    monkeypatch.setattr(retrieval, "FRAMES_AT_ONCE", 4)
    lens, peaks = camera(), []
    for frames in (40, 800):
        view = seen(dancer(frames), lens)
        tracemalloc.start()
        try:
            retrieval.lift([view], [lens])
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # bytes of one number for every pose at every heading: what one looked-up frame is compared with
    table = 8 * len(load_library().price) * HEADINGS
    assert peaks[1] - peaks[0] < 20 * table


def test_a_library_is_for_the_body_that_it_is_used_with() -> None:
    library = load_library()
    motion = dancer(1, heading=0.0, poses=(0,))
    assert len(upright_poses()) == (library.price == 0).sum()
    points = body_keypoints(motion).xyz[0]
    points = points - points[BODY21.index("left_hip", "right_hip")].mean(axis=0)
    apart = np.linalg.norm(library.points - points, axis=-1).mean(axis=-1)
    assert apart.min() < 0.005


def test_a_file_without_a_library_is_named(tmp_path: Path) -> None:
    arrays, header = load_arrays(locate("pose-prior"), "pose-prior")
    del arrays["library_keypoints"]
    save_arrays(tmp_path / "none.safetensors", "pose-prior", arrays, header)
    with pytest.raises(WeightsError, match=r"none\.safetensors: lacks 'library_keypoints'"):
        load_library(str(tmp_path / "none.safetensors"))
