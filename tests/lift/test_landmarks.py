"""Landmarks on their rays: exact where the landmarks are."""

from dataclasses import replace

import numpy as np

from mocaplift.body import body_keypoints, load_body
from mocaplift.layouts import BODY21
from mocaplift.lift import landmarks
from mocaplift.rotations import IDENTITY
from mocaplift.values import SkeletonMotion
from tests.dancer import camera, dancer, seen


def resting(frames: int = 5) -> SkeletonMotion:
    """Return the mean body in its T-pose: its bones, also those across the trunk, have their usual lengths."""
    body = load_body()
    turns = np.tile(IDENTITY, (frames, 24, 1))
    root = np.linspace([-0.5, 0.9, 0.0], [0.5, 1.1, 1.0], frames)
    return SkeletonMotion(body.skeleton(np.zeros(body.num_shape)), turns, root, 30.0)


def test_true_landmarks_of_the_mean_body_are_placed_exactly_whatever_their_scale() -> None:
    motion, lens = resting(), camera(eye=(1.5, 2.0, 3.0))
    true = body_keypoints(motion).xyz
    for scale in (1.0, 0.25, 3.0):
        found = landmarks.lift([seen(motion, lens, landmark_scale=scale)], [lens])
        np.testing.assert_allclose(found.xyz, true, atol=1e-6)


def test_a_taller_person_is_taken_for_the_usual_one_farther_away() -> None:
    lens = camera()
    tall = dancer(5, height=2.0)
    found = landmarks.lift([seen(tall, lens)], [lens]).xyz
    true = body_keypoints(tall).xyz
    eye = -lens.cam_from_world[:3, :3].T @ lens.cam_from_world[:3, 3]
    ratio = np.linalg.norm(found - eye, axis=-1) / np.linalg.norm(true - eye, axis=-1)
    assert 0.8 < ratio.mean() < 0.92
    np.testing.assert_allclose(ratio, ratio.mean(), atol=0.02)


def test_a_frame_with_too_few_points_or_without_landmarks_is_missing() -> None:
    motion, lens = resting(), camera()
    view = seen(motion, lens)
    xy, conf = view.xy.copy(), view.conf.copy()
    few = [at for at in range(21) if at not in BODY21.index("nose", "left_hip", "right_knee")]
    xy[1, few], conf[1, few] = np.nan, 0.0
    assert view.landmarks is not None
    marks = view.landmarks.copy()
    marks[3] = np.nan
    found = landmarks.lift([replace(view, xy=xy, conf=conf, landmarks=marks)], [lens])
    assert np.isnan(found.xyz[[1, 3]]).all() and np.isinf(found.sigma[[1, 3]]).all()
    assert np.isfinite(found.xyz[[0, 2, 4]]).all() and np.isfinite(found.sigma[[0, 2, 4]]).all()


def test_unsure_points_pull_less() -> None:
    motion, lens = resting(1), camera()
    view = seen(motion, lens)
    true = body_keypoints(motion).xyz
    wrist = BODY21.at("left_wrist")
    xy = view.xy.copy()
    xy[:, wrist] += 80.0
    conf = view.conf.copy()
    conf[:, wrist] = 0.02
    sure = landmarks.lift([replace(view, xy=xy)], [lens]).xyz
    unsure = landmarks.lift([replace(view, xy=xy, conf=conf)], [lens]).xyz
    assert np.abs(unsure - true).max() < 0.1 * np.abs(sure - true).max()


def test_people_behind_the_camera_are_missing() -> None:
    motion, lens = resting(2), camera()
    view = seen(motion, lens)
    assert view.landmarks is not None
    # Mirrored about the middle of the hips in depth and seen upside down: only a place behind would explain it.
    flipped = replace(view, xy=2 * np.array([639.5, 359.5]) - view.xy)
    found = landmarks.lift([flipped], [lens])
    assert np.isnan(found.xyz).all()
