"""Clips filmed of any figure: what is seen is near the truth, with gaps, by a level camera."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.assume import USUAL_FOV
from mocaplift.cameras import cam_points, project
from mocaplift.train.data.creature import creature
from mocaplift.train.data.filming import LOST_SHARE, SIZE, camera_about, filmed
from mocaplift.train.figure_clips import SUBJECTS

FIGURE = SUBJECTS["creature"].figure


@pytest.fixture(name="shots", scope="module")
def _shots() -> list:
    rng = np.random.default_rng(0)
    shots = []
    for _ in range(12):
        motion = creature(rng, FIGURE.layout, 4.0)
        camera = camera_about(rng, motion, FIGURE.unit)
        shots.append((motion, camera, filmed(rng, motion, camera)))
    return shots


def test_cameras_are_level_and_as_assumed_of_unknown_ones(shots) -> None:
    focal = SIZE[0] / 2 / np.tan(np.radians(USUAL_FOV / 2))
    for motion, camera, _ in shots:
        np.testing.assert_allclose(camera.cam_from_world[:3, :3] @ [0, 1, 0], [0, -1, 0], atol=1e-12)
        assert camera.intrinsics[0, 0] == pytest.approx(focal)
        assert cam_points(camera, motion.xyz)[..., 2].mean() > 2.0


def test_what_is_seen_is_near_the_truth_and_some_is_lost(shots) -> None:
    seen = np.concatenate([view.conf.ravel() > 0 for *_, view in shots])
    assert 0.5 * LOST_SHARE < 1 - seen.mean() < 0.2
    for motion, camera, view in shots:
        true = project(camera, motion.xyz)
        size = np.median(np.linalg.norm(np.ptp(true, axis=1), axis=-1))
        away = np.linalg.norm(view.xy - true, axis=-1)
        assert 0.005 * size < np.nanmedian(away) < 0.03 * size
        inside = view.xy[view.conf > 0]
        assert (inside >= -0.5).all() and (inside <= np.array(SIZE)).all()


def test_who_is_behind_the_camera_is_not_seen(shots) -> None:
    motion, camera, _ = shots[0]
    away = camera.cam_from_world.copy()
    away[:3] *= -1
    away[1, :3] *= -1
    away[1, 3] *= -1
    behind = type(camera)(camera.name, camera.intrinsics, camera.distortion, away, camera.size)
    assert cam_points(behind, motion.xyz)[..., 2].max() < 0
    assert (filmed(np.random.default_rng(0), motion, behind).conf == 0).all()
