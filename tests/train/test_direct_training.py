"""Training of the direct lifter on a walker: what is drawn, learnt and kept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import SCALE_BONES, points
from mocaplift.lift.direct.lifter import load_network
from mocaplift.lift.direct.network import DirectNetwork
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.one_view import DepthBank, OneViewSampler, size_of, tilted
from tests.lift.tiny_direct import SIZES, tiny_arrays
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train import direct, direct_network  # noqa: E402 - needs torch
from mocaplift.train.direct import Batch, DirectTraining, losses, measure, train_direct  # noqa: E402
from mocaplift.train.direct_network import DirectModule  # noqa: E402
from mocaplift.train.loop import LoopConfig, train  # noqa: E402
from mocaplift.train.transformer import set_weights, weights_of  # noqa: E402

HIPS = BODY21.index("left_hip", "right_hip")
CPU = torch.device("cpu")
LOOP = LoopConfig(
    steps=20, rate=3e-3, warmup=2, report_every=5, save_every=5, threads=1, bf16=False, device="cpu"
)
CONFIG = DirectTraining(batch=6, validation=6, short_share=0.0, network=SIZES, loop=LOOP)


@pytest.fixture(name="bank", scope="module")
def _bank() -> MotionBank:
    xyz = walker(frames=400, fps=60.0).keypoints.xyz.astype(np.float32)
    return MotionBank(xyz, np.array([0]), np.array([400]), np.array([1.0]))


@pytest.fixture(name="batch", scope="module")
def _batch(bank) -> Batch:
    drawn = OneViewSampler.of(bank, is_varied=False).draw(
        np.random.default_rng(0), 6, SIZES.frames, SIZES.fps
    )
    return Batch.of(drawn, CPU)


class TestWindows:
    def test_the_truth_is_in_the_virtual_cameras_axes_and_of_mean_size(self, bank) -> None:
        drawn = OneViewSampler.of(bank, is_varied=True).draw(np.random.default_rng(1), 16, 8, 15.0)
        assert drawn.truth.shape == (16, 8, 21, 3) and drawn.truth.dtype == np.float32
        np.testing.assert_allclose(size_of(drawn.truth), 1.0, atol=1e-4)
        hips = drawn.truth[:, :, HIPS].mean(axis=2)
        assert (hips[..., 2] > 0.5).all()
        # The truth lies near the rays that were told, and near the depth that the bones show.
        seen = np.median(np.abs(hips[..., :2] / hips[..., 2:] - drawn.told.plane[:, :, HIPS].mean(axis=2)))
        assert seen < 0.02
        assert np.median(np.abs(np.log(hips[..., 2] * drawn.told.scale))) < 0.2

    def test_windows_depend_on_the_seed_alone(self, bank) -> None:
        sampler = OneViewSampler.of(bank, is_varied=True)
        one, other = (sampler.draw(np.random.default_rng(5), 4, 8, 15.0) for _ in range(2))
        np.testing.assert_array_equal(one.truth, other.truth)
        np.testing.assert_array_equal(one.told.told, other.told.told)

    def test_varied_passages_cover_more_ground(self) -> None:
        """A bank of one who stands and one who walks 1 m/s, alike in chance."""
        still, path = np.zeros((300, 21, 3), dtype=np.float32), np.arange(300, dtype=np.float32) / 60
        walking = still.copy()
        walking[..., 0] += path[:, None]
        bank = MotionBank(
            np.concatenate([still, walking]), np.array([0, 300]), np.array([300, 300]), np.array([0.5, 0.5])
        )
        varied = DepthBank(bank.xyz, bank.first, bank.length, bank.chance)
        share = []
        for each in (bank, varied):
            xyz = each.windows(np.random.default_rng(0), 200, 20, 15.0)
            share.append(
                (np.ptp(xyz[:, :, HIPS].mean(axis=2)[..., [0, 2]], axis=1).max(axis=-1) > 0.3).mean()
            )
        assert share[0] == pytest.approx(0.5, abs=0.1) and share[1] > share[0] + 0.1

    def test_tilted_bodies_keep_their_bones_and_lie_on_the_floor(self, bank) -> None:
        xyz = bank.windows(np.random.default_rng(0), 12, 40, 15.0)
        turned = tilted(np.random.default_rng(1), xyz, 15.0)
        for start, end in SCALE_BONES:
            i, j = BODY21.at(start), BODY21.at(end)
            before, after = (
                np.linalg.norm(each[..., i, :] - each[..., j, :], axis=-1) for each in (xyz, turned)
            )
            np.testing.assert_allclose(after, before, atol=1e-3)
        up = turned[..., BODY21.at("left_shoulder"), 1] - turned[..., BODY21.at("left_hip"), 1]
        assert up.min() < -0.1  # somebody is head down
        assert turned[..., 1].min() > -0.6 and np.median(turned[..., 1].min(axis=2)) < 0.2


class TestNetworks:
    @pytest.mark.parametrize("frames", [1, 5, SIZES.frames])
    def test_the_two_networks_say_the_same(self, batch, frames: int) -> None:
        module = DirectModule(SIZES)
        set_weights(module, tiny_arrays(head=0.1))
        ours = DirectNetwork.of(tiny_arrays(head=0.1), {"network": asdict(SIZES)})
        with torch.no_grad():
            theirs = module(batch.told[:, :frames])
        said = ours(batch.told[:, :frames].numpy())
        assert said.offset.std() > 0.01
        for a, b in zip((said.offset, said.log_sigma, said.log_depth), theirs, strict=True):
            np.testing.assert_allclose(a, b.numpy(), atol=1e-5)

    def test_what_an_answer_means_is_the_same_for_both(self, bank) -> None:
        drawn = OneViewSampler.of(bank, is_varied=False).draw(np.random.default_rng(2), 3, 8, 15.0)
        rng = np.random.default_rng(0)
        offset = rng.normal(0, 0.1, (3, 8, 21, 3)).astype(np.float32)
        depth = rng.normal(0, 0.1, (3, 8)).astype(np.float32)
        batch = Batch.of(drawn, CPU)
        theirs = direct_network.points(
            batch.plane, batch.scale, torch.from_numpy(offset), torch.from_numpy(depth)
        )
        np.testing.assert_allclose(points(drawn.told, offset, depth), theirs.numpy(), atol=1e-4)

    def test_the_truth_costs_nothing(self, batch) -> None:
        """A module that answers with the truth has no error but its own say of how sure it is."""

        class Knowing(torch.nn.Module):
            def forward(self, told):
                hips = batch.truth[..., HIPS, :].mean(-2)
                behind = batch.truth[..., 2] - hips[..., 2:]
                across = batch.truth[..., :2] - batch.plane * batch.truth[..., 2:]
                offset = torch.cat([across, behind[..., None]], dim=-1)
                return offset, torch.zeros(offset.shape[:-1]), torch.log(hips[..., 2] * batch.scale)

        parts = losses(Knowing(), batch, CONFIG)
        for name in ("joint", "speed", "depth", "course", "pace", "across"):
            assert float(parts[name]) == pytest.approx(0.0, abs=1e-4)
        figures = measure(Knowing(), [batch])
        assert figures["gain"] == pytest.approx(1.0, abs=1e-3)
        assert max(figures["mpjpe"], figures["t_root"], figures["away"]) < 0.1


def run(folder: Path, batch: Batch, seed: int = 0) -> dict[str, np.ndarray]:
    """Train the tiny network on one batch and return its weights."""
    torch.manual_seed(seed)
    own = DirectModule(SIZES)
    module = train(
        own, lambda step: losses(own, batch, CONFIG), lambda averaged: measure(averaged, [batch]), LOOP, folder,
        CONFIG,
    )  # fmt: skip
    return weights_of(module)


class TestRuns:
    def test_twenty_steps_lower_the_loss(self, batch, tmp_path) -> None:
        run(tmp_path, batch)
        lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [5, 10, 15, 20]
        assert lines[-1]["loss"] < lines[0]["loss"] and lines[-1]["joint"] < lines[0]["joint"]

    def test_a_finished_run_is_not_run_again(self, batch, tmp_path) -> None:
        done = run(tmp_path, batch)
        again = run(tmp_path, batch, seed=9)
        np.testing.assert_array_equal(done["out.weight"], again["out.weight"])

    @pytest.mark.slow
    def test_training_ends_in_a_weight_file_that_lifts(self, bank, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(direct, "load_banks", lambda cmu, folder: (bank, bank))
        path = train_direct(
            replace(CONFIG, short_share=0.5, loop=replace(LOOP, steps=4)),
            tmp_path / "cmu",
            tmp_path / "out",
            work=tmp_path / "work",
        )
        assert load_network(str(path)).config == SIZES
