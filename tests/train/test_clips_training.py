"""Other figures from a user's own clips: pictures of them, windows of what is made, and the four commands."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mocaplift.cli.stages import export, lift
from mocaplift.cli.train import train
from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.figure_clip import FigureClip
from mocaplift.lift.mvlift.figure_file import read_figure
from mocaplift.lift.mvlift.network import DenoiserConfig
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.store import load, save
from mocaplift.train.data.figure_windows import FigureWindows
from mocaplift.train.data.keypoint_clips import pictures_of, read_clips, split, with_measured_lengths
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.values import Keypoints2D, Motion3D
from tests.puppet import FPS, LENGTHS, TOML, camera, filmed, puppet, write_clips

NETWORK = DenoiserConfig(width=16, depth=1, heads=2, frames=16, per_token=4)


@pytest.fixture(name="figure")
def _figure(tmp_path: Path) -> Figure:
    (tmp_path / "puppet.toml").write_text(TOML)
    return read_figure(tmp_path / "puppet.toml")


def clips(count: int, frames: int = 90) -> list[FigureClip]:
    return [
        FigureClip(filmed(puppet(seed, frames), camera(), seed), camera(), Path("clips") / f"{seed}.npz")
        for seed in range(count)
    ]


class TestClips:
    def test_damaged_ones_are_left_out_and_told(self, figure, tmp_path: Path, caplog) -> None:
        write_clips(tmp_path / "some", count=2, frames=20)
        folder = tmp_path / "some" / "clips"
        (folder / "3.npz").write_bytes(b"nothing")
        person = Keypoints2D(np.full((3, 21, 2), 9.0), np.ones((3, 21)), BODY21, FPS, (640, 480))
        save(person, folder / "4.npz")
        with caplog.at_level(logging.WARNING):
            assert [clip.path.name for clip in read_clips(folder, figure)] == ["0.npz", "1.npz"]
        assert (
            "2 of 4 clips are left out" in caplog.text and "4.npz: keypoints are of the layout" in caplog.text
        )
        for number in range(2):
            (folder / f"{number}.npz").unlink()
        with pytest.raises(InvalidData, match="none of 2 files can be used"):
            read_clips(folder, figure)
        with pytest.raises(InvalidData, match=r"holds 0 \.npz files"):
            read_clips(tmp_path / "none", figure)

    def test_whole_clips_are_held_out(self) -> None:
        some = clips(20, frames=2)
        learnt, held_out = split(some)
        assert len(held_out) == 2 and len(learnt) == 18
        assert not {clip.path for clip in learnt} & {clip.path for clip in held_out}
        assert split(some[:1]) == (some[:1], some[:1])

    def test_windows_show_what_was_seen(self, figure: Figure) -> None:
        """The first windows of a clip are at its own speed: every second frame of 30 for 15 a second."""
        (clip,) = clips(1)
        pictures = pictures_of([clip], figure, np.random.default_rng(0), 16, 15.0, most=100)
        assert pictures.plane.shape[1:] == (16, 5, 2) and len(pictures.plane) >= 8
        ring = Ring.around(pictures.axes[:1].astype(float), pictures.distance[:1].astype(float), ())
        truth = (puppet(0, 90)[:31:2] - [0.0, 0.5, 3.0]) / figure.unit
        seen = np.isfinite(pictures.sigma[0])
        away = np.linalg.norm(ring.see(truth[None])[0, 0] - pictures.plane[0], axis=-1)[seen]
        # A pixel is 6 mm at 3 m.
        assert np.median(away) < 0.04
        assert (~seen == (clip.keypoints.conf[:31:2] == 0)).all()

    def test_short_clips_make_no_windows(self, figure: Figure) -> None:
        with pytest.raises(InvalidData, match=r"for a window of 1\.1 s; shorter windows are made with"):
            pictures_of(clips(2, frames=20), figure, np.random.default_rng(0), 16, 15.0, most=9)

    def test_lengths_are_measured(self, figure: Figure) -> None:
        bare = replace(figure.scaled(1.0, unit=0.55), has_lengths=False)
        unlike = replace(bare, bones=tuple((start, end, 0.4) for start, end, _ in bare.bones))
        found = with_measured_lengths(unlike, clips(8))
        assert found.unit == 0.55 and found.has_lengths
        np.testing.assert_allclose([length for *_, length in found.bones], list(LENGTHS.values()), rtol=0.12)
        blind = [each._replace(keypoints=_without(each.keypoints, "nose")) for each in clips(2)]
        with pytest.raises(InvalidData, match="no clip shows the bone from neck to nose"):
            with_measured_lengths(unlike, blind)


def _without(keypoints: Keypoints2D, joint: str) -> Keypoints2D:
    xy, conf, at = keypoints.xy.copy(), keypoints.conf.copy(), keypoints.layout.at(joint)
    xy[:, at], conf[:, at] = np.nan, 0.0
    return replace(keypoints, xy=xy, conf=conf)


def test_windows_of_made_motions_are_before_the_cameras_of_clips(figure: Figure) -> None:
    pictures = pictures_of(clips(3), figure, np.random.default_rng(0), 16, 15.0, most=100)
    xyz = (puppet(0, 400) / figure.unit).astype(np.float32)
    bank = MotionBank(xyz, np.array([0]), np.array([400]), np.array([1.0]), figure=figure)
    drawn = FigureWindows(bank, pictures).draw(np.random.default_rng(1), 12, 16, 15.0)
    assert drawn.truth.shape == (12, 16, 5, 3)
    lengths = np.linalg.norm(drawn.truth[:, :, figure.starts] - drawn.truth[:, :, figure.ends], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(figure.lengths, lengths.shape), rtol=0.02)
    distance = np.linalg.norm(drawn.truth[:, 8].mean(axis=1), axis=-1)
    assert 0.5 * pictures.distance.min() < distance.min() < distance.max() < 2 * pictures.distance.max()
    away = np.linalg.norm(drawn.pictures(())[:, 0] - drawn.observed.plane, axis=-1)
    told = drawn.observed.sigma
    seen = np.isfinite(told)
    assert 0.02 < 1 - seen.mean() < 0.1
    # The error has the size that is told, in both directions of the picture.
    assert np.median(away[seen] / told[seen]) == pytest.approx(1.18, abs=0.5)


@pytest.fixture(name="line")
def _line(tmp_path: Path) -> list[str]:
    layout = write_clips(tmp_path, count=3)
    work, out = str(tmp_path / "work"), str(tmp_path / "out")
    return [str(tmp_path / "clips"), "--layout", str(layout), "--work", work, "--out", out, "--rehearse"]


def test_the_four_stages_and_a_lift(line: list[str], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    sizes = "network = {views = %d, width = 16, depth = 1, heads = 2, frames = 32}"
    loop = "loop = {steps = 20, report_every = 10, threads = 1, bf16 = false}"
    settings = {"1": [sizes % 1, loop], "2": ["windows = 12"], "3": ["kept = 1.0"], "4": [sizes % 4, loop]}
    for stage, changed in settings.items():
        lines = [part for setting in changed for part in ("--set", setting)]
        ended = CliRunner().invoke(train, ["mvlift", *line, "--stage", stage, *lines], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
    weights, layout = tmp_path / "out" / "puppet.safetensors", str(tmp_path / "puppet.toml")
    target = tmp_path / "lifted.npz"
    clip = str(tmp_path / "clips" / "0.npz")
    told = [clip, "--network", str(weights), "--layout", layout, "-o", str(target)]
    assert CliRunner().invoke(lift, told, catch_exceptions=False).exit_code == 0
    found = load(target)
    assert isinstance(found, Motion3D) and found.xyz.shape == (200, 5, 3) and np.isfinite(found.xyz).all()
    written = tmp_path / "lifted.bvh"
    told = [str(target), "--layout", layout, "-o", str(written)]
    assert CliRunner().invoke(export, told, catch_exceptions=False).exit_code == 0
    assert "JOINT left_paw" in written.read_text() and "Frames: 200" in written.read_text()
    (tmp_path / "other.toml").write_text(TOML.replace("nose", "snout"))
    told = [clip, "--network", str(weights), "--layout", str(tmp_path / "other.toml")]
    with pytest.raises(
        ConfigError, match=r"figure puppet \(5 joints\).*describes other \(5 joints\): their joints differ"
    ):
        CliRunner().invoke(lift, told, catch_exceptions=False)


def test_stages_in_a_wrong_order_are_told(line: list[str]) -> None:
    pytest.importorskip("torch")
    for stage, message in (("3", "run stage 2"), ("4", "run stage 3")):
        with pytest.raises(InvalidData, match=message):
            CliRunner().invoke(train, ["mvlift", *line, "--stage", stage], catch_exceptions=False)
    with pytest.raises(ConfigError, match="motions are 'made', not 'mocap'"):
        lines = [*line, "--stage", "4", "--set", 'motions = "mocap"']
        CliRunner().invoke(train, ["mvlift", *lines], catch_exceptions=False)
