"""The depth-gain curve: passages towards the camera, the same from every distance, and the slope of the found."""

import numpy as np
import pytest

from mocaplift.cameras import cam_points, project
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21, COCO17
from mocaplift.train import depth_curve
from mocaplift.train.data.motion_bank import BANK_FPS, MotionBank
from mocaplift.values import Motion3D
from tests.walker import walker


def bank(speed: float) -> MotionBank:
    """Ten seconds of a walker (m/s) at the bank's rate."""
    xyz = walker(600, fps=BANK_FPS, speed=speed).keypoints.xyz.astype(np.float32)
    return MotionBank(xyz, np.array([0]), np.array([len(xyz)]), np.array([1.0]))


def hips(xyz: np.ndarray) -> np.ndarray:
    return xyz[..., BODY21.index("left_hip", "right_hip"), :].mean(-2)


def test_paths_are_turned_to_follow_the_line_of_sight():
    still = walker(30, fps=30.0, speed=0.0).keypoints.xyz[:1]
    along = np.linspace(0.0, 1.0, 30)[:, None, None]
    diagonal = still + along * np.array([0.6, 0.0, 0.8]) + [5.0, 0.0, -3.0]
    (turned,) = depth_curve.along_z(diagonal[None])
    path = hips(turned)
    assert path.mean(axis=0)[[0, 2]] == pytest.approx([0, 0], abs=1e-9)
    assert np.ptp(path[:, 0]) == pytest.approx(0, abs=1e-9) and np.ptp(path[:, 2]) == pytest.approx(1)
    # A turn about the vertical and a step along the floor: heights and lengths stay, left stays left.
    assert np.allclose(turned[..., 1], diagonal[..., 1])
    assert np.allclose(turned[0] - turned[0, :1], turned[9] - turned[9, :1])
    before, after = diagonal[0, 1:] - diagonal[0, :-1], turned[0, 1:] - turned[0, :-1]
    assert np.allclose(np.linalg.norm(before, axis=-1), np.linalg.norm(after, axis=-1))
    assert np.allclose(np.cross(before[0], before[1])[1], np.cross(after[0], after[1])[1])


def test_passages_go_as_far_as_wanted_and_are_always_the_same():
    found = depth_curve.passages(bank(0.2), 3)  # 0.8 m in 4 s, at 0.7 to 1.4 times the speed
    way = np.ptp(hips(found)[..., 2], axis=1)
    assert found.shape == (3, depth_curve.WINDOW, len(BODY21), 3)
    assert (way >= depth_curve.WAY[0]).all() and (way <= depth_curve.WAY[1]).all()
    assert np.array_equal(found, depth_curve.passages(bank(0.2), 3))
    with pytest.raises(InvalidData, match="only 0 passages go"):
        depth_curve.passages(bank(0.01), 1)


def test_the_camera_stands_where_it_should_and_loses_what_leaves_its_picture():
    camera = depth_curve.camera_at(4.0)
    assert project(camera, np.array([0.0, 0.9, 0.0])) == pytest.approx([539.5, 959.5])
    assert cam_points(camera, np.array([0.0, 1.2, 4.0])) == pytest.approx([0, 0, 0], abs=1e-9)
    xyz = np.zeros((1, len(BODY21), 3))
    xyz[0, 0] = [3.0, 0.9, 0.0]  # 37 degrees to the side; the picture ends at 20
    view = depth_curve.seen(Motion3D(xyz, np.zeros((1, len(BODY21))), BODY21, 30.0), camera)
    assert np.isnan(view.xy[0, 0]).all() and view.conf[0].tolist() == [0.0] + [1.0] * (len(BODY21) - 1)


def half_of_the_depth(count: int):
    """A lifter that cheats: the truths one after the other, their way in depth halved."""
    windows = iter(depth_curve.filmed(depth_curve.passages(bank(0.2), count)))

    def solve(views, cameras, lifter) -> Motion3D:
        truth = next(windows).truth
        root = truth[:, COCO17.index("left_hip", "right_hip")].mean(axis=1, keepdims=True)
        pose = cameras[0].cam_from_world[:3, :3]
        depth = (root @ pose.T)[..., 2:]
        found = truth - 0.5 * (depth - depth.mean()) * pose[2]
        return Motion3D(found, np.ones(found.shape[:2]), COCO17, 30.0)

    return solve


def test_the_curve_is_the_slope_at_every_distance(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(depth_curve, "recordings", lambda folder: iter([]))
    monkeypatch.setattr(depth_curve, "bank_of", lambda motions: bank(0.2))
    rows = depth_curve.depth_curve("", lifters=["half"], windows=2, solve=half_of_the_depth(2))
    value = {(row.sequence, row.metric): row.value for row in rows}
    for kind in ("exact", "coco"):
        for distance in (2, 3, 4, 5, 6, 7, 8):
            assert value[kind, f"depth_gain_at_{distance}_m"] == pytest.approx(0.5)
            assert value[kind, f"mpjpe_at_{distance}_m"] == pytest.approx(0, abs=1e-6)
        assert value[kind, "depth_gain_furthest"] == pytest.approx(0.5)
    frames = {row.metric: row.frames for row in rows}
    assert frames["depth_gain_at_2_m"] == 2 * depth_curve.WINDOW == frames["depth_gain_furthest"] / 7
    assert {row.benchmark for row in rows} == {"depth"} and {row.lifter for row in rows} == {"half"}
    with pytest.raises(ConfigError, match="one or more windows"):
        depth_curve.depth_curve("", windows=0)
