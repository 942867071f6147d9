"""Training of MVLift on a walker: what is drawn, learnt, kept and taken up again."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.diffusion import Schedule
from mocaplift.lift.mvlift.conditions import NUM_LINE, NUM_LINE_FRAME, decoded, encoded
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.lifter import load_network
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import AZIMUTHS
from mocaplift.train.data.motion_bank import MotionBank, save_bank
from mocaplift.train.data.mvlift_pictures import (
    LineBatch,
    PassagesOnce,
    Pictures,
    read_pictures,
    save_pictures,
    trust,
)
from mocaplift.train.data.mvlift_windows import draw, one_camera
from mocaplift.train.data.one_view import size_of
from tests.lift.mvlift.tiny import SIZES
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train.loop import LoopConfig  # noqa: E402 - needs torch
from mocaplift.train.mvlift import (  # noqa: E402
    MultiviewTraining,
    drawn_steps,
    measure,
    multiview_losses,
    train_multiview,
)
from mocaplift.train.mvlift_lines import LineTraining, line_distance, line_losses, train_lines  # noqa: E402
from mocaplift.train.mvlift_people import People  # noqa: E402

CPU = torch.device("cpu")
LOOP = LoopConfig(
    steps=20, rate=3e-3, warmup=2, report_every=10, save_every=10, threads=1, bf16=False, device="cpu"
)
VIEWS = MultiviewTraining(batch=4, validation=2, steps=50, network=SIZES, loop=LOOP)
LINES = LineTraining(batch=8, validation=4, steps=50, network=replace(SIZES, views=1), loop=LOOP)


@pytest.fixture(name="bank", scope="module")
def _bank() -> MotionBank:
    xyz = walker(frames=900, fps=60.0).keypoints.xyz.astype(np.float32)
    return MotionBank(xyz, np.array([0]), np.array([900]), np.array([1.0]))


@pytest.fixture(name="work")
def _work(bank, tmp_path: Path) -> Path:
    for split in ("train", "validation"):
        save_bank(tmp_path / "work" / f"motions-1-{split}.npz", bank)
    return tmp_path / "work"


class Knows(torch.nn.Module):
    """A network that has been told the answer."""

    def __init__(self, answer: np.ndarray) -> None:
        super().__init__()
        self.answer = torch.from_numpy(answer)

    def forward(self, noisy: torch.Tensor, step: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        return self.answer


class TestWindows:
    def test_pictures_are_of_the_truth(self, bank) -> None:
        seen = draw(one_camera(bank, is_varied=True), np.random.default_rng(0), 8, 16, 15.0)
        plane = seen.pictures(AZIMUTHS)
        assert plane.shape == (8, 4, 16, 21, 2)
        np.testing.assert_allclose(size_of(seen.truth), 1.0, atol=1e-4)
        ring = Ring.around(seen.observed.axes, seen.observed.distance, AZIMUTHS)
        assert np.abs(ring.triangulated(plane, np.ones(plane.shape[:-1])) - seen.truth).max() < 1e-3
        away = np.linalg.norm(seen.observed.plane - plane[:, 0], axis=-1)
        assert np.median(away[np.isfinite(seen.observed.sigma)]) < 0.06

    def test_windows_depend_on_the_seed_alone(self, bank) -> None:
        sampler = one_camera(bank, is_varied=True)
        one, other = (draw(sampler, np.random.default_rng(3), 2, 8, 15.0) for _ in range(2))
        np.testing.assert_array_equal(one.truth, other.truth)
        np.testing.assert_array_equal(one.observed.told, other.observed.told)


def test_noisy_steps_are_drawn_more_often() -> None:
    """By hand: a chance that grows with the step has three quarters of its weight in the upper half."""
    step = drawn_steps(np.random.default_rng(0), Schedule.cosine(50), 20_000)
    assert step.min() == 1 and step.max() == 50
    assert (step > 25).mean() == pytest.approx(0.75, abs=0.02)


class TestViews:
    def test_a_network_that_knows_loses_nothing_and_measures_nothing(self, bank) -> None:
        seen = draw(one_camera(bank, is_varied=False), np.random.default_rng(0), 2, 16, 15.0)
        clean = encoded(seen.pictures(AZIMUTHS), PERSON).astype(np.float32)
        schedule = Schedule.cosine(50)
        parts = multiview_losses(Knows(clean), seen, schedule, np.random.default_rng(0), VIEWS, PERSON, CPU)
        assert float(parts["loss"]) == 0.0
        figures = measure(Knows(clean), seen, schedule, PERSON, CPU)
        # What was observed is believed too: what is left is the detector's error.
        assert set(figures) == {"mpjpe", "root", "way"} and max(figures.values()) < 120.0

    def test_it_learns_keeps_and_goes_on(self, work: Path, tmp_path: Path) -> None:
        path = train_multiview(VIEWS, People(Path("none")), tmp_path, work=work)
        lines = (work / "run-mocap" / "metrics.jsonl").read_text().splitlines()
        first, last = (json.loads(line) for line in (lines[0], lines[-1]))
        assert last["loss"] < first["loss"] and last["step"] == 20
        network = load_network(str(path))
        assert (network.config, network.figure, network.steps) == (SIZES, PERSON, 50)
        kept = path.read_bytes()
        train_multiview(VIEWS, People(Path("none")), tmp_path, work=work)
        again = load_network(str(path))
        assert all((again.weights[name] == each).all() for name, each in network.weights.items())
        assert len(kept) == len(path.read_bytes())


class TestPictures:
    def test_every_passage_is_filmed_once(self, bank) -> None:
        marked = replace(bank, xyz=bank.xyz + 0)
        marked.xyz[:, 0, 1] = np.arange(900)
        once = PassagesOnce.of(marked, np.random.default_rng(0), 16, 15.0)
        count = len(once.order)
        assert count == 900 // 61
        xyz = once.windows(np.random.default_rng(0), count, 16, 15.0)
        frames = np.sort(xyz[..., 0, 1], axis=None)
        assert len(np.unique(frames)) == 16 * count
        with pytest.raises(InvalidData, match="1 passages are wanted, but 0 are left"):
            once.windows(np.random.default_rng(0), 1, 16, 15.0)

    def test_they_are_kept_and_damage_is_told(self, bank, tmp_path: Path) -> None:
        shown = Pictures.filmed(bank, np.random.default_rng(0), 16, 15.0, most=3)
        assert shown.plane.shape == (3, 16, 21, 2)
        path = tmp_path / "pictures.npz"
        save_pictures(path, shown)
        np.testing.assert_array_equal(read_pictures(path).plane, shown.plane)
        np.savez(path, plane=shown.plane, sigma=shown.sigma, axes=shown.axes, distance=shown.distance[:2])
        with pytest.raises(InvalidData, match="do not fit together"):
            read_pictures(path)
        path.write_bytes(b"nothing")
        with pytest.raises(InvalidData, match="no pictures"):
            read_pictures(path)

    def test_lines_go_through_the_joints_and_unseen_ones_have_none(self, bank) -> None:
        shown = Pictures.filmed(bank, np.random.default_rng(0), 16, 15.0, most=12)
        batch = shown.batch(np.random.default_rng(1), 200, 12, PERSON)
        plane = decoded(batch.clean, PERSON)
        assert np.abs((batch.lines[..., :2] * plane).sum(-1) + batch.lines[..., 2]).max() < 1e-4
        has_line = np.abs(batch.lines).sum(-1) > 0
        is_seen = batch.told[..., :-NUM_LINE_FRAME].reshape(*has_line.shape, NUM_LINE)[..., -1] > 0
        assert not (has_line & ~is_seen).any()
        assert 0.5 < has_line.mean() / is_seen.mean() < 0.95
        counted = batch.weight[..., :-2].reshape(*has_line.shape, 2) > 0
        assert not (counted[..., 0] & ~is_seen).any()

    def test_lines_of_a_window_meet_in_its_epipole(self) -> None:
        rng = np.random.default_rng(0)
        plane, axes = rng.normal(0, 0.4, (50, 2, 21, 2)), np.tile(np.diag([1.0, -1.0, -1.0]), (50, 1, 1))
        batch = LineBatch.of(rng, plane, np.full((50, 2, 21), 0.02), axes, np.full(50, 4.0), PERSON)
        for lines in batch.lines.reshape(50, -1, 3):
            known = lines[np.abs(lines).sum(-1) > 0].astype(float)
            if len(known):
                assert np.linalg.svd(known, compute_uv=False)[-1] < 1e-4 * np.linalg.norm(known)

    def test_trust_is_that_of_the_worse_of_joint_and_root(self) -> None:
        sigma = np.full(21, 0.03)
        wrist = BODY21.at("left_wrist")
        sigma[wrist] = np.inf
        share = trust(sigma, PERSON)
        assert share[2 * wrist] == 0.0 and share[-1] == pytest.approx(0.5)
        sigma[BODY21.at("left_hip")] = np.inf
        assert (trust(sigma, PERSON) == 0).all()


class TestLines:
    def test_distances_are_metres_from_the_line(self) -> None:
        """By hand: all joints of a picture at (0.3, 0.1), the line x = 0.1 for one of them only."""
        plane = np.tile([0.3, 0.1], (1, 1, 1, 21, 1))
        lines = np.zeros((1, 1, 1, 21, 3), dtype=np.float32)
        lines[..., 4, :] = [1.0, 0.0, -0.1]
        channels = torch.from_numpy(encoded(plane, PERSON).astype(np.float32))
        assert float(line_distance(channels, torch.from_numpy(lines), PERSON)) == pytest.approx(0.2, abs=1e-6)

    def test_a_network_that_knows_loses_nothing(self, bank) -> None:
        shown = Pictures.filmed(bank, np.random.default_rng(0), 16, 15.0, most=4)
        batch = shown.batch(np.random.default_rng(1), 6, 16, PERSON)
        step = np.full(6, 30)
        rng = np.random.default_rng(0)
        parts = line_losses(Knows(batch.clean), batch, Schedule.cosine(50), step, rng, LINES, PERSON, CPU)
        assert float(parts["place"]) == 0.0 and float(parts["line_mm"]) < 0.01

    def test_it_learns_from_pictures_and_keeps_them(self, work: Path, tmp_path: Path) -> None:
        path = train_lines(LINES, People(Path("none")), tmp_path, work=work)
        kept = read_pictures(work / "pictures-1-train.npz")
        assert len(kept.plane) > 0
        lines = (work / "run-lines" / "metrics.jsonl").read_text().splitlines()
        first, last = (json.loads(line) for line in (lines[0], lines[-1]))
        assert last["loss"] < first["loss"]
        network = load_network(str(path))
        assert network.config == LINES.network and asdict(network.config)["views"] == 1

    def test_unknown_signs_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="signs are 'free' or 'paper'"):
            LineTraining(signs="both")
