"""The comparison of drawn errors with measured ones, on errors that the test itself put in."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from click.testing import CliRunner

from mocaplift.layouts import BODY21
from mocaplift.train.data import noise_table
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.rigs import random_rigs
from mocaplift.train.data.view_windows import Draw
from tests.walker import walker


def draw(offset: np.ndarray) -> Draw:
    """Return a draw whose detections are these offsets (m at the joint's depth) from the truth."""
    count, views, frames = offset.shape[:3]
    rigs = random_rigs(np.random.default_rng(0), count, views)
    xyz = walker(frames=frames).keypoints.xyz
    truth = np.repeat((xyz - xyz.mean(axis=(0, 1)) * [1, 0, 1])[None], count, axis=0)
    points = rigs.points(truth)
    plane = (points[..., :2] + offset) / points[..., 2:]
    return Draw(truth, rigs, rigs, plane, np.full(offset.shape[:-1], 0.5), np.zeros(count, dtype=int))


def test_residuals_are_metres_at_the_joints_depth():
    offset = np.random.default_rng(1).normal(0, 0.03, (3, 2, 5, 21, 2))
    np.testing.assert_allclose(noise_table.residuals(draw(offset)), offset, atol=1e-9)


def test_quantiles_and_correlations_are_those_put_in():
    offset = np.zeros((4, 2, 20, 21, 2))
    offset[..., 0] = 0.02
    offset[..., BODY21.index("left_wrist", "right_wrist"), 0] = np.where(np.arange(20) % 2, 0.05, -0.05)[
        :, None
    ]
    found = noise_table.quantiles(draw(offset))
    np.testing.assert_allclose(found["knee"][0], 0.02, atol=1e-9)
    np.testing.assert_allclose(found["wrist"][0], 0.05, atol=1e-9)
    np.testing.assert_allclose(found["wrist"][1], 0.5, atol=1e-9)
    # Ten joints of .02 keep their errors, two of .05 turn them over: (10 * 4 - 2 * 25) / (10 * 4 + 2 * 25).
    np.testing.assert_allclose(noise_table.correlations(draw(offset), (1, 2)), [-1 / 9, 1.0], atol=1e-9)


def test_joints_that_are_wrong_together_are_counted():
    offset = np.zeros((2, 1, 4, 21, 2))
    offset[0, 0, :2, BODY21.index("left_elbow", "left_wrist"), 0] = 0.2
    offset[1, 0, 0, BODY21.at("right_wrist"), 0] = 0.2
    share, usual = noise_table.together(draw(offset), "elbow", "wrist")
    assert share == 1.0 and usual == pytest.approx(3 / 16)


def test_the_command_prints_both(monkeypatch, tmp_path, caplog):
    xyz = walker(frames=200, fps=60.0).keypoints.xyz.astype(np.float32)
    bank = MotionBank(xyz, np.array([0]), np.array([200]), np.array([1.0]))
    monkeypatch.setattr(noise_table, "load_banks", lambda cmu, banks: (bank, bank))
    with caplog.at_level(logging.INFO):
        done = CliRunner().invoke(
            noise_table.main, ["--cmu", str(tmp_path), "--banks", str(tmp_path), "--windows", "4"]
        )
    assert done.exit_code == 0, done.output
    assert "coco: errors in mm" in caplog.text and "blazepose: errors in mm" in caplog.text
    assert caplog.text.count("ankle wrong with the knee") == 2
