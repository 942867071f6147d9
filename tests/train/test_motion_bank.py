"""The bank of motions: random passages of it, what is done to a recording, and its file."""

from __future__ import annotations

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.errors import InvalidData
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import angle_between, rotate
from mocaplift.train.data.augment import LOWER_BODY
from mocaplift.train.data.cmu import Take
from mocaplift.train.data.motion_bank import (
    BANK_FPS,
    SIZES,
    SPEEDS,
    TRAIN_COPIES,
    VALIDATION_COPIES,
    MotionBank,
    load_banks,
    make_bank,
    read_bank,
    save_bank,
    with_other_legs,
    with_slow_tilt,
    with_slow_turns,
)
from mocaplift.values import SkeletonMotion
from tests.train.recordings import daz_bvh, write_archives
from tests.walker import walker

HIPS = BODY21.index("left_hip", "right_hip")


def take(subject: int = 1, frames: int = 120) -> Take:
    body = load_body()
    motion = walker(frames=frames).motion
    ours = SkeletonMotion(body.skeleton(np.zeros(body.num_shape)), motion.rotations, motion.root, 60.0)
    return Take(subject=subject, trial=1, part=0, label="walk", motion=ours)


@pytest.fixture(name="bank", scope="module")
def _bank() -> MotionBank:
    return make_bank([take()], load_body(), np.random.default_rng(0), 6)


def line() -> MotionBank:
    """Return a bank of one motion in which every joint moves 0.6 m/s along +X, each a bit further out."""
    frames = np.arange(240) / BANK_FPS * 0.6
    xyz = np.zeros((240, 21, 3), dtype=np.float32)
    xyz[..., 0] = frames[:, None] + 0.01 * np.arange(21)
    xyz[..., 1] = 1.0
    return MotionBank(xyz=xyz, first=np.array([0]), length=np.array([240]), chance=np.array([1.0]))


def test_windows_run_at_the_rate_asked_for():
    for fps in (25.0, 30.0, 60.0):
        windows = line().windows(np.random.default_rng(0), 200, 9, fps)
        speed = np.linalg.norm(np.diff(windows[:, :, 0], axis=1), axis=-1) * fps / 0.6
        assert np.abs(speed - speed[:, :1]).max() < 0.02
        assert speed.min() > SPEEDS[0] * SIZES[0] - 0.01 and speed.max() < SPEEDS[1] * SIZES[1] + 0.01
        assert speed.max() > 1.25 and speed.min() < 0.8


def test_windows_are_centred_turned_and_mirrored(bank):
    windows = bank.windows(np.random.default_rng(1), 300, 11, 30.0)
    assert windows.shape == (300, 11, 21, 3) and windows.dtype == np.float32
    np.testing.assert_allclose(windows[:, 5, HIPS].mean(axis=1)[:, [0, 2]], 0.0, atol=1e-5)
    left = windows[:, 5, BODY21.at("left_hip")] - windows[:, 5, BODY21.at("right_hip")]
    heading = np.arctan2(left[:, 2], left[:, 0])
    assert np.histogram(heading, 8, (-np.pi, np.pi))[0].min() > 15
    # Mirror images are people too: the nose is in front of the ears, between left and right.
    up = windows[:, 5, BODY21.index("left_shoulder", "right_shoulder")].mean(1) - windows[:, 5, HIPS].mean(1)
    nose = windows[:, 5, BODY21.at("nose")]
    ahead = nose - windows[:, 5, BODY21.index("left_ear", "right_ear")].mean(axis=1)
    assert (np.einsum("ni,ni->n", np.cross(left, up), ahead) > 0).all()


def test_motions_that_are_too_short_are_not_drawn():
    with pytest.raises(InvalidData, match="no motion of the bank lasts"):
        line().windows(np.random.default_rng(0), 2, 200, 30.0)


def test_every_copy_has_its_own_body(bank):
    shin = np.linalg.norm(bank.xyz[:, BODY21.at("left_knee")] - bank.xyz[:, BODY21.at("left_ankle")], axis=-1)
    lengths = [
        shin[first : first + length].mean() for first, length in zip(bank.first, bank.length, strict=True)
    ]
    assert len(lengths) == 6 and np.ptp(lengths) > 0.01 and bank.chance.sum() == pytest.approx(1.0)
    assert np.isfinite(bank.xyz).all() and -0.2 < bank.xyz[..., 1].min() < 0.2


def test_long_subjects_do_not_drown_short_ones():
    bank = make_bank([take(1, 120), take(2, 480)], load_body(), np.random.default_rng(0), 1)
    assert bank.chance[1] / bank.chance[0] == pytest.approx(2.0, rel=0.02)
    with pytest.raises(InvalidData, match="at least one take"):
        make_bank([], load_body(), np.random.default_rng(0), 1)


def test_other_legs_come_and_go_smoothly():
    ours, other = walker(frames=200).motion.rotations, walker(frames=150).motion.rotations[::-1]
    mixed = with_other_legs(ours, other, np.random.default_rng(0))
    legs = SMPL24.index(*LOWER_BODY)
    rest = [place for place in range(len(SMPL24)) if place not in legs]
    np.testing.assert_allclose(angle_between(mixed[:, rest], ours[:, rest]), 0.0, atol=1e-6)
    assert angle_between(mixed[:, legs], ours[:, legs]).max() > 0.1
    assert angle_between(mixed[1:], mixed[:-1]).max() < 3 * angle_between(ours[1:], ours[:-1]).max()


def test_slow_turns_and_tilts_are_smooth():
    ours = np.tile(walker(frames=2).motion.rotations[:1], (300, 1, 1))
    turned = with_slow_turns(ours, np.random.default_rng(0))
    assert angle_between(turned[1:], turned[:-1]).max() < 0.05
    shoulder = angle_between(turned, ours)[:, SMPL24.at("left_shoulder")]
    assert 0.1 < np.median(shoulder) < 1.2
    tilts = [with_slow_tilt(ours, np.random.default_rng(seed)) for seed in range(20)]
    assert max(angle_between(tilt[1:], tilt[:-1]).max() for tilt in tilts) < 0.25
    up = np.concatenate([rotate(tilt[:, 0], np.array([0.0, 1.0, 0.0]))[:, 1] for tilt in tilts])
    assert up.min() < -0.5 and np.median(up) > 0.2


def test_a_bank_survives_its_file(bank, tmp_path):
    save_bank(tmp_path / "deep" / "bank.npz", bank)
    again = read_bank(tmp_path / "deep" / "bank.npz")
    np.testing.assert_array_equal(again.xyz, bank.xyz)
    np.testing.assert_array_equal(again.length, bank.length)


def test_damaged_banks_are_refused(bank, tmp_path):
    path = tmp_path / "bank.npz"
    with pytest.raises(InvalidData, match="not a bank"):
        read_bank(path)
    for nonsense in (b"PK nonsense", b"PK\x03\x04 nonsense", b""):
        path.write_bytes(nonsense)
        with pytest.raises(InvalidData, match="not a bank"):
            read_bank(path)
    np.savez(path, xyz=np.zeros((3, 21, 3)), first=np.array([0]))
    with pytest.raises(InvalidData, match="not a bank"):
        read_bank(path)
    np.savez(path, xyz=bank.xyz[:50], first=bank.first, length=bank.length, chance=bank.chance)
    with pytest.raises(InvalidData, match="do not fit together"):
        read_bank(path)
    np.savez(path, xyz=np.array([{"a": 1}], dtype=object), first=np.zeros(1), length=np.zeros(1), chance=np.zeros(1))  # fmt: skip  # noqa: E501
    with pytest.raises(InvalidData, match="not a bank"):
        read_bank(path)


def test_banks_are_made_once_and_keep_the_splits_apart(tmp_path):
    moves = {("lThigh", "Xrotation"): 20 * np.sin(np.arange(200) / 20)}
    names = ("everyday/05/05_02", "everyday/05/05_06", "everyday/08/08_01")  # two of them held out
    write_archives(tmp_path, {f"{name}.bvh": daz_bvh(200, moves) for name in names})
    train, validation = load_banks(tmp_path, tmp_path / "banks")
    assert len(train.first) == TRAIN_COPIES and len(validation.first) == 2 * VALIDATION_COPIES
    for archive in tmp_path.glob("*.tar.xz"):
        archive.unlink()
    again, _ = load_banks(tmp_path, tmp_path / "banks")
    np.testing.assert_array_equal(again.xyz, train.xyz)
