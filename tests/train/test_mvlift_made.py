"""Stages 2 and 3 of MVLift: views in shards, bodies in them, and the bank that stage 4 learns from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.fit import Fitter
from mocaplift.layouts import BODY21
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.network import KIND
from mocaplift.train.config import override
from mocaplift.train.data.motion_bank import MotionBank, read_bank, save_bank
from mocaplift.train.data.mvlift_pictures import Pictures, save_pictures
from mocaplift.weights import save_arrays
from tests.lift.mvlift.tiny import SIZES, tiny_arrays, tiny_header, windows
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train import mvlift, mvlift_lines, mvlift_made  # noqa: E402 - needs torch
from mocaplift.train.mvlift_made import (  # noqa: E402
    BodyFitting,
    ViewMaking,
    fit_bodies,
    make_views,
    read_shard,
    seen_again,
    shard_path,
)
from mocaplift.train.mvlift_people import People, as_motion, banks_of, fitted  # noqa: E402
from mocaplift.train.mvlift_source import MADE_BANK  # noqa: E402

FRAMES, FPS = 16, 15.0
HIPS = BODY21.index("left_hip", "right_hip")


def pictures() -> tuple[Pictures, np.ndarray]:
    """Return two windows of what a camera saw of a dancer, and where they are about the camera."""
    told, truth, _ = windows(FRAMES)
    arrays = (told.plane, told.sigma, told.axes, told.distance)
    return Pictures(*(np.concatenate([each, each]).astype(np.float32) for each in arrays)), truth[0]


@pytest.fixture(name="work")
def _work(tmp_path: Path) -> Path:
    xyz = walker(frames=900, fps=60.0).keypoints.xyz.astype(np.float32)
    bank = MotionBank(xyz, np.array([0]), np.array([900]), np.array([1.0]))
    work = tmp_path / "work"
    for split in ("train", "validation"):
        save_bank(work / f"motions-1-{split}.npz", bank)
        save_pictures(work / f"pictures-1-{split}.npz", pictures()[0])
    return work


def test_kept_pictures_are_seen_as_they_were() -> None:
    told, _, _ = windows(FRAMES)
    again = seen_again(pictures()[0], slice(1, 2), PERSON)
    np.testing.assert_allclose(again.told, told.told, atol=1e-3)
    np.testing.assert_allclose(again.axes, told.axes, atol=1e-3)
    np.testing.assert_allclose(again.distance, told.distance, rtol=1e-3)


def test_views_are_made_once(work: Path, tmp_path: Path) -> None:
    alone = replace(SIZES, views=1)
    save_arrays(tmp_path / "mvlift-lines.safetensors", KIND, tiny_arrays(alone), tiny_header(alone))
    config = ViewMaking(per_shard=1, samples=2, steps=2)
    folder = make_views(config, People(Path("none")), tmp_path, work=work)
    shards = [read_shard(shard_path(folder, number), PERSON) for number in range(2)]
    assert [shard["points"].shape for shard in shards] == [(1, FRAMES, 21, 3)] * 2
    assert all(shard["badness"] > 0 for shard in shards)
    # What was made stays: another network changes nothing.
    save_arrays(tmp_path / "mvlift-lines.safetensors", KIND, tiny_arrays(alone, head=0.0), tiny_header(alone))
    make_views(config, People(Path("none")), tmp_path, work=work)
    np.testing.assert_array_equal(read_shard(shard_path(folder, 1), PERSON)["points"], shards[1]["points"])


def test_a_body_is_fitted_to_what_was_made() -> None:
    shown, truth = pictures()
    seen = seen_again(shown, slice(0, 1), PERSON)
    noisy = truth + np.random.default_rng(0).normal(0, 0.03, truth.shape)
    body = fitted(seen, noisy, FPS, Fitter.for_views(1), 0.15)
    assert body is not None
    pose = [each - each[:, HIPS].mean(axis=1, keepdims=True) for each in (body, truth)]
    assert np.linalg.norm(pose[0] - pose[1], axis=-1).mean() < 0.06


def test_a_body_far_from_the_picture_is_refused() -> None:
    shown, truth = pictures()
    seen = seen_again(shown, slice(0, 1), PERSON)
    away = np.random.default_rng(0).normal(0, 0.6, (1, 21, 3))
    assert fitted(seen, truth + away, FPS, Fitter.for_views(1), 0.15) is None


def test_motions_stand_on_the_floor_at_the_rate_of_a_bank() -> None:
    _, truth = pictures()
    motion = as_motion(truth, FPS)
    assert motion.shape == (4 * (FRAMES - 1) + 1, 21, 3) and motion.dtype == np.float32
    feet = motion[:, BODY21.index("left_heel", "right_heel", "left_big_toe", "right_big_toe"), 1]
    assert abs(np.percentile(feet, 5.0)) < 1e-5
    step = motion[::4] - truth
    np.testing.assert_allclose(step, np.broadcast_to(step[:1, :1], step.shape), atol=1e-5)


def test_the_best_become_a_bank(work: Path, tmp_path: Path) -> None:
    folder = work / "views"
    folder.mkdir()
    _, truth = pictures()
    for number, badness in enumerate((0.9, 0.1)):
        points = (truth if number else 3 * truth)[None].astype(np.float32)
        np.savez(shard_path(folder, number), points=points, badness=np.array([badness], dtype=np.float32))
    path = fit_bodies(BodyFitting(kept=0.5), People(Path("none")), tmp_path, work=work)
    bank = read_bank(path)
    assert path == work / MADE_BANK and bank.length.tolist() == [4 * (FRAMES - 1) + 1]
    learnt, held_out = banks_of("made", Path("none"), work)
    assert len(learnt.first) == 1 and len(held_out.xyz) == 900
    # What was made is as long as a window and two frames, if it is not played faster.
    assert learnt.windows(np.random.default_rng(0), 3, FRAMES, FPS).shape == (3, FRAMES, 21, 3)
    with pytest.raises(ConfigError, match="motions are 'mocap' or 'made'"):
        banks_of("none", Path("none"), work)


def test_without_views_there_are_no_bodies(work: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="run stage 2"):
        fit_bodies(BodyFitting(), People(Path("none")), tmp_path, work=work)
    folder = work / "views"
    folder.mkdir()
    shard_path(folder, 0).write_bytes(b"nothing")
    with pytest.raises(InvalidData, match="no shard of made views"):
        fit_bodies(BodyFitting(), People(Path("none")), tmp_path, work=work)
    np.savez(shard_path(folder, 0), points=np.zeros((1, 2, 21, 3)), badness=np.zeros(2))
    with pytest.raises(InvalidData, match="do not fit together"):
        fit_bodies(BodyFitting(), People(Path("none")), tmp_path, work=work)


def test_views_of_other_pictures_are_refused(work: Path, tmp_path: Path) -> None:
    folder = work / "views"
    folder.mkdir()
    np.savez(shard_path(folder, 0), points=np.zeros((3, FRAMES, 21, 3)), badness=np.zeros(3))
    with pytest.raises(InvalidData, match="3 windows were made of 2 pictures"):
        fit_bodies(BodyFitting(), People(Path("none")), tmp_path, work=work)
    np.savez(shard_path(folder, 1), points=np.zeros((1, FRAMES + 4, 21, 3)), badness=np.zeros(1))
    with pytest.raises(InvalidData, match="shards of several settings"):
        fit_bodies(BodyFitting(), People(Path("none")), tmp_path, work=work)


def test_rehearsals_are_smaller() -> None:
    for module, config, settings in (
        (mvlift, mvlift.MultiviewTraining(), mvlift.REHEARSAL),
        (mvlift_lines, mvlift_lines.LineTraining(), mvlift_lines.REHEARSAL),
        (mvlift_made, ViewMaking(), mvlift_made.VIEWS_REHEARSAL),
        (mvlift_made, BodyFitting(), mvlift_made.BODIES_REHEARSAL),
    ):
        small = override(config, settings)
        assert small != config, module
        if hasattr(small, "loop"):
            assert small.loop.steps <= 100 and small.network.width <= 64
