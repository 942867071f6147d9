"""Names of lifters in benchmarks: baselines, and what is judged with and without the fit."""

import numpy as np
import pytest

from mocaplift.cameras import intrinsics_from_fov, look_at, project
from mocaplift.errors import ConfigError
from mocaplift.evaluate import solvers
from mocaplift.evaluate.baselines import BASELINES
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D, Motion3D
from tests.walker import walker

SIZE = (1280, 720)
FRAMES = 12
AWAY = np.array([7.0, 0.0, 0.0])  # m


def camera(x: float) -> Camera:
    pose = look_at(np.array([x, 1.2, 4.0]), np.array([0.0, 0.9, 0.0]))
    return Camera(f"at {x:g}", intrinsics_from_fov(60.0, SIZE), np.zeros(5), pose, SIZE)


def truth() -> np.ndarray:
    return walker(FRAMES, fps=30.0, speed=0.2).keypoints.xyz


def seen(by: Camera) -> Keypoints2D:
    """A walker, unseen in one frame."""
    points = project(by, truth())
    conf = np.ones(points.shape[:2])
    points[5], conf[5] = np.nan, 0.0
    return Keypoints2D(points, conf, BODY21, 30.0, SIZE)


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list:
    """The views that a baseline met, one that is right but for 7 m."""
    met = []

    def lift(views, cameras) -> Motion3D:
        met.append(views)
        return Motion3D(truth() + AWAY, np.full((FRAMES, len(BODY21)), 1.0), BODY21, views[0].fps)

    monkeypatch.setitem(BASELINES, "away", lambda: lift)
    solvers._loaded.cache_clear()
    yield met
    solvers._loaded.cache_clear()


def test_points_of_one_view_are_judged_with_the_fit_unless_raw_is_asked_for(met: list):
    raw = solvers.by_lifter([seen(camera(0))], [camera(0)], "away" + solvers.RAW)
    assert np.array_equal(raw.xyz, truth() + AWAY)
    assert met[0][0].conf.all()  # the unseen frame was filled in, as in the product
    for name in ("away", "away" + solvers.FITTED):
        fitted = solvers.by_lifter([seen(camera(0))], [camera(0)], name)
        assert np.abs(np.median(fitted.xyz - truth(), axis=(0, 1))[:2]).max() < 0.1  # the picture says where


def test_points_of_several_views_are_judged_as_they_are_unless_the_fit_is_asked_for(met: list):
    rig = [camera(-1), camera(1)]
    views = [seen(each) for each in rig]
    assert np.array_equal(solvers.by_lifter(views, rig, "away").xyz, truth() + AWAY)
    assert not met[0][0].conf[5].any()
    assert np.array_equal(solvers.by_lifter(views, rig, "away" + solvers.RAW).xyz, truth() + AWAY)
    fitted = solvers.by_lifter(views, rig, "away" + solvers.FITTED)
    assert np.abs(np.median(fitted.xyz - truth(), axis=(0, 1))).max() < 0.1


def test_what_has_no_points_of_its_own_is_refused():
    with pytest.raises(ConfigError, match=r"no points without the fit"):
        solvers.by_lifter([seen(camera(0))], [camera(0)], "auto" + solvers.RAW)
    with pytest.raises(ConfigError, match="unknown lifter 'best'"):
        solvers.by_lifter([seen(camera(0))], [camera(0)], "best" + solvers.RAW)
