"""Several views against the truth, in numbers that a hand can check: angles, charged points, a view taken away."""

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_focal, look_at
from mocaplift.errors import ConfigError
from mocaplift.evaluate import several
from mocaplift.evaluate.solvers import by_lifter
from mocaplift.lift import LIFTERS
from mocaplift.values import Camera, Keypoints2D, Layout, Motion3D

# Two points on a vertical line: the body's middle is between them.
PAIR = Layout("pair", ("nose", "left_wrist"))
TRUTH = np.array([[[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]] * 4)
SIZE = (640, 480)


def camera_at(angle_deg: float) -> Camera:
    place = np.array([5 * np.sin(np.radians(angle_deg)), 1.5, 5 * np.cos(np.radians(angle_deg))])
    matrix = look_at(place, np.array([0.0, 1.5, 0.0]))
    return Camera(f"at{angle_deg:g}", intrinsics_from_focal(500.0, SIZE), np.zeros(5), matrix, SIZE)


def scene(*angles: float, without: int | None = None) -> several.Scene:
    view = Keypoints2D(np.full((4, 2, 2), 100.0), np.ones((4, 2)), PAIR, 30.0, SIZE)
    cameras = tuple(camera_at(angle) for angle in angles)
    return several.Scene("made", (view,) * len(cameras), cameras, TRUTH, PAIR, without)


@pytest.mark.parametrize(
    ("angles", "largest"), [((0, 40), 40), ((0, 180), 180), ((10, 350), 20), ((0, 40, 200), 160), ((0, 0), 0)]
)
def test_the_view_angle_is_the_largest_between_any_two(angles: tuple[float, ...], largest: float):
    rig = [camera_at(angle) for angle in angles]
    assert several.view_angle(rig, np.array([0.0, 1.5, 0.0])) == pytest.approx(largest, abs=1e-6)


def test_the_view_angle_is_seen_from_the_person():
    # They stand at (0, 0, 5) and (5, 0, 0): at right angles also of (5, 0, 5), but opposite of the middle between.
    rig = [camera_at(0), camera_at(90)]
    assert several.view_angle(rig, np.array([5.0, 1.5, 5.0])) == pytest.approx(90)
    assert several.view_angle(rig, np.array([2.5, 1.5, 2.5])) == pytest.approx(180)


def test_missing_points_are_charged_with_the_middle_of_the_body():
    found = TRUTH + np.array([0.003, 0.0, 0.004])
    found[1, 0] = np.nan
    errors = several.charged_errors(found, TRUTH)
    assert errors[0] == pytest.approx([5, 5])
    assert errors[1] == pytest.approx([500, 5])  # the middle is 0.5 m above the nose
    nowhere = several.charged_errors(np.full_like(TRUTH, np.nan), TRUTH)
    assert nowhere == pytest.approx(np.full((4, 2), 500.0))


def test_a_point_without_truth_does_not_count():
    truth = TRUTH.copy()
    truth[2, 1] = np.nan
    errors = several.charged_errors(TRUTH, truth)
    assert np.isnan(errors[2, 1]) and np.nansum(errors) == pytest.approx(0)


def a_decimetre_per_view(views, cameras, lifter) -> Motion3D:
    """A lifter that is off by 10 cm with four views, 20 with three, and expects 10 cm."""
    xyz = TRUTH + np.array([0.1 * (5 - len(views)), 0.0, 0.0])
    sigma = np.full(xyz.shape[:2], 0.1)
    xyz[0, 0], sigma[0, 0] = np.nan, np.inf
    return Motion3D(xyz, sigma, PAIR, 30.0)


def test_a_scene_is_scored_with_all_views_and_with_one_fewer():
    steps = []
    met = [scene(0, 90, 120, 200, without=1), scene(0, 60)]
    results = several.scored(
        met, ["x", "y"], solve=a_decimetre_per_view, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(1, 2), (2, 2)]
    assert [(each.lifter, each.views) for each in results] == [("x", 4), ("y", 4), ("x", 2), ("y", 2)]
    four, pair = results[0], results[2]
    assert four.angle == pytest.approx(160) and pair.angle == pytest.approx(60)
    assert four.errors[1] == pytest.approx([100, 100]) and four.fewer is not None
    assert four.fewer[1] == pytest.approx([200, 200])
    assert four.is_missing.sum() == 1 and four.is_missing[0, 0]
    assert np.isnan(four.in_sigma[0, 0]) and four.in_sigma[1] == pytest.approx([1, 1])
    assert pair.errors[1] == pytest.approx([300, 300]) and pair.fewer is None


def test_the_view_taken_away_is_the_one_named():
    asked = []

    def solve(views, cameras, lifter) -> Motion3D:
        asked.append([camera.name for camera in cameras])
        return Motion3D(TRUTH, np.ones(TRUTH.shape[:2]), PAIR, 30.0)

    several.score(scene(0, 90, 120, without=1), ("x",), solve)
    assert asked == [["at0", "at90", "at120"], ["at0", "at120"]]


def test_lifters_by_name():
    assert several.default_lifters()[0] == "dlt" and set(several.default_lifters()) <= set(LIFTERS)
    assert several.with_fit(["dlt", "x"]) == ("dlt", "dlt+fit", "x", "x+fit")
    with pytest.raises(ConfigError, match="no lifter to score"):
        several.scored([], [])
    with pytest.raises(ConfigError, match="nonsense"):
        by_lifter(scene(0, 90).views, scene(0, 90).cameras, "nonsense")
