"""Training of MPL on a walker: what is drawn, learnt, kept and taken up again."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.mpl.features import Features, features
from mocaplift.lift.mpl.lifter import load_network
from mocaplift.lift.mpl.network import MplNetwork
from mocaplift.train.config import override
from mocaplift.train.data import triangulated
from mocaplift.train.data.motion_bank import MotionBank
from mocaplift.train.data.triangulated import make_shard, make_shards, rays_of, read_shard
from mocaplift.train.data.view_windows import Sampler
from tests.lift.tiny_mpl import HEADS, SIZES
from tests.walker import walker

torch = pytest.importorskip("torch")
from mocaplift.train import mpl  # noqa: E402 - needs torch
from mocaplift.train.loop import LoopConfig, as_toml, cosine_rate, train  # noqa: E402
from mocaplift.train.mpl import MplTraining, Windows, losses, measure, train_mpl  # noqa: E402
from mocaplift.train.mpl_network import MplModule, robust_length, student_log_likelihood  # noqa: E402
from mocaplift.train.transformer import set_weights, weights_of  # noqa: E402

LOOP = LoopConfig(
    steps=20, rate=3e-3, warmup=2, report_every=10, save_every=5, threads=1, bf16=False, device="cpu"
)
CONFIG = MplTraining(shards=2, validation_shards=1, batch=6, network=SIZES, loop=LOOP)


@pytest.fixture(name="sampler", scope="module")
def _sampler() -> Sampler:
    xyz = walker(frames=400, fps=60.0).keypoints.xyz.astype(np.float32)
    return Sampler(MotionBank(xyz, np.array([0]), np.array([400]), np.array([1.0])))


@pytest.fixture(name="shard", scope="module")
def _shard(sampler) -> dict[str, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triangulated, "PER_SHARD", 6)
        patch.setattr(triangulated, "FRAMES", 16)
        return make_shard(sampler, 0, 0)


@pytest.fixture(autouse=True)
def _small(monkeypatch) -> None:
    monkeypatch.setattr(triangulated, "PER_SHARD", 6)
    for module in (triangulated, mpl):
        monkeypatch.setattr(module, "FRAMES", 16)


def random_module(seed: int = 0) -> MplModule:
    """Return a tiny network whose heads say something."""
    torch.manual_seed(seed)
    module = MplModule(SIZES)
    for name in HEADS:
        torch.nn.init.normal_(getattr(module, name).weight, std=0.3)
        torch.nn.init.normal_(getattr(module, name).bias, std=0.3)
    return module


def window(shard: dict[str, np.ndarray], frames: int = SIZES.frames) -> Windows:
    return Windows.of(shard).part(np.arange(4), np.zeros(4, dtype=int), frames, torch.device("cpu"))


class TestNetworks:
    @pytest.mark.parametrize("frames", [1, 5, SIZES.frames])
    def test_the_two_networks_say_the_same(self, shard, frames: int) -> None:
        module, batch = random_module(), window(shard, frames)
        ours = MplNetwork.of(weights_of(module), {"network": asdict(SIZES)})
        told = Features(
            batch.observation.numpy(), batch.seen.numpy(), batch.point.numpy(), np.zeros((4, frames, 3, 3))
        )
        with torch.no_grad():
            theirs = module(batch.observation, batch.seen, batch.point)
        said = ours(told)
        assert said.correction.std() > 0.01
        for a, b in zip((said.correction, said.log_sigma, said.log_error), theirs, strict=True):
            np.testing.assert_allclose(a, b.numpy(), atol=1e-5)

    def test_an_untrained_network_corrects_nothing(self, shard) -> None:
        batch = window(shard)
        correction, _, _ = MplModule(SIZES)(batch.observation, batch.seen, batch.point)
        assert not correction.any()

    def test_weights_are_given_whole_or_not_at_all(self) -> None:
        module, weights = MplModule(SIZES), weights_of(random_module())
        set_weights(module, weights)
        np.testing.assert_array_equal(weights_of(module)["out.weight"], weights["out.weight"])
        del weights["joint"]
        with pytest.raises(RuntimeError, match="joint"):
            set_weights(module, weights)


class TestLosses:
    def test_numbers(self) -> None:
        """A 3-4-5 triangle in units of 1 cm with s = 12 cm: 3 x (13 - 12)."""
        away = torch.tensor([[0.03, 0.04, 0.0]])
        assert robust_length(away, 0.12).item() == pytest.approx(3 * 0.01, abs=1e-6)
        sigma = torch.log(torch.tensor([2.0]))
        assert student_log_likelihood(torch.tensor([0.0]), sigma, 3, 4.0).item() == pytest.approx(
            -3 * np.log(2)
        )
        # Squared length 16 = tail x sigma^2: half of (4 + 3) times log 2 less.
        far = student_log_likelihood(torch.tensor([16.0]), sigma, 3, 4.0).item()
        assert far == pytest.approx(-3 * np.log(2) - 3.5 * np.log(2))

    def test_the_likeliest_sigma_is_the_true_one(self) -> None:
        """Of Student-t errors with sigma 5 cm, 5 cm is the most likely spread."""
        rng = np.random.default_rng(0)
        errors = 0.05 * rng.normal(size=(40_000, 3)) / np.sqrt(rng.chisquare(4, 40_000) / 4)[:, None]
        squared = torch.from_numpy(np.square(errors).sum(axis=1))
        likely = [
            student_log_likelihood(squared, torch.full_like(squared, np.log(sigma)), 3, 4.0).mean().item()
            for sigma in (0.04, 0.05, 0.06)
        ]
        assert np.argmax(likely) == 1

    def test_the_rate_rises_then_falls(self) -> None:
        assert cosine_rate(0, 100, 10) == pytest.approx(0.1) and cosine_rate(10, 100, 10) == 1.0
        assert cosine_rate(55, 100, 10) == pytest.approx(0.5) and cosine_rate(100, 100, 10) == pytest.approx(
            0.0
        )


class TestWindows:
    def test_a_shard_holds_what_was_drawn_and_what_it_makes(self, shard) -> None:
        assert set(shard) == set(triangulated.ARRAYS) and all(a.dtype == np.float32 for a in shard.values())
        error = np.linalg.norm(shard["xyz"] - shard["truth"], axis=-1)
        assert np.isfinite(error).all() and np.median(error) < 0.06
        rays = rays_of(shard, 2)
        assert np.isinf(rays.sigma[shard["conf"][2] == 0]).all() and np.isfinite(rays.sigma).any()
        missed = np.linalg.norm(rays.misses(shard["truth"][2].astype(float)), axis=-1)
        seen = shard["conf"][2] > 0
        np.testing.assert_allclose(missed[seen], shard["error"][2][seen], atol=1e-4)

    def test_the_correction_to_learn_leads_to_the_truth(self, shard) -> None:
        windows = Windows.of(shard)
        told = features(
            shard["rays"], shard["centres"], np.where(shard["conf"] > 0, 0.02, np.inf), shard["xyz"],
            shard["covariance"],
        )  # fmt: skip
        back = shard["xyz"] + windows.away.numpy() @ np.swapaxes(told.turn, -1, -2)
        np.testing.assert_allclose(back, shard["truth"], atol=1e-5)

    def test_mirror_images_are_those_of_the_mirrored_world(self, shard) -> None:
        flip, mirror = np.array([-1, 1, 1], dtype=np.float32), list(BODY21.mirror)
        mirrored = {name: array.copy() for name, array in shard.items()}
        for name in ("xyz", "truth", "rays"):
            mirrored[name] = shard[name][..., mirror, :] * flip
        mirrored["centres"] = shard["centres"] * flip
        mirrored["covariance"] = shard["covariance"][..., mirror, :, :] * np.outer(flip, flip)
        for name in ("conf", "error"):
            mirrored[name] = shard[name][..., mirror]
        one, other = Windows.of(shard).in_single().mirrored(), Windows.of(mirrored).in_single()
        for name in ("observation", "seen", "point", "away", "error"):
            # Half precision.
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=5e-3, rtol=2e-3)

    def test_shards_are_made_once_and_depend_on_their_number_alone(self, sampler, tmp_path) -> None:
        whole = make_shards(sampler, tmp_path / "whole", 3, 5)
        halves = make_shards(sampler, tmp_path / "halves", 3, 5, first=1, step=2)
        assert [path.name for path in halves] == ["windows-00001.npz"]
        here, there = read_shard(whole[1]), read_shard(halves[0])
        for name in here:
            np.testing.assert_array_equal(here[name], there[name])
        before = whole[0].stat().st_mtime_ns
        make_shards(sampler, tmp_path / "whole", 3, 5)
        assert whole[0].stat().st_mtime_ns == before

    def test_damaged_shards_are_refused(self, shard, tmp_path) -> None:
        path = tmp_path / "windows-00000.npz"
        with pytest.raises(InvalidData, match="is no shard"):
            read_shard(path)
        np.savez(path, **shard)
        content = path.read_bytes()
        for damaged in (b"", b"PK nonsense", content[: len(content) // 2]):
            path.write_bytes(damaged)
            with pytest.raises(InvalidData, match="delete it"):
                read_shard(path)
        np.savez(path, rays=shard["rays"])
        with pytest.raises(InvalidData, match="is no shard"):
            read_shard(path)


def run(folder: Path, shard, config: MplTraining = CONFIG, seed: int = 0):
    """Train the tiny network on one shard and return its weights."""
    torch.manual_seed(seed)
    pool = {shard["rays"].shape[1]: Windows.of(shard)}
    device = torch.device("cpu")
    own = MplModule(config.network)
    module = train(
        own,
        lambda step: losses(own, mpl._batch(pool, config, step, device), config),
        lambda averaged: measure(averaged, list(pool.values()), config, device),
        config.loop,
        folder,
        config,
    )
    return weights_of(module)


class TestRuns:
    def test_twenty_steps_lower_the_loss(self, shard, tmp_path) -> None:
        config = replace(CONFIG, loop=replace(LOOP, report_every=5))
        run(tmp_path, shard, config)
        lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [5, 10, 15, 20]
        assert lines[-1]["loss"] < lines[0]["loss"]
        views = shard["rays"].shape[1]
        assert lines[-1][f"v{views}_before"] == lines[0][f"v{views}_before"] > 0

    def test_a_run_that_was_interrupted_ends_where_it_would_have(self, shard, tmp_path) -> None:
        whole = run(tmp_path / "whole", shard)

        class Interrupted(Exception):
            pass

        def cut(step: int, steps: int) -> None:
            if step == 12:  # two steps after the last state that was kept
                raise Interrupted

        torch.manual_seed(0)
        own, device = MplModule(SIZES), torch.device("cpu")
        pool = {shard["rays"].shape[1]: Windows.of(shard)}
        with pytest.raises(Interrupted):
            train(
                own, lambda step: losses(own, mpl._batch(pool, CONFIG, step, device), CONFIG), lambda _: {},
                LOOP, tmp_path / "cut", CONFIG, progress=cut,
            )  # fmt: skip
        again = run(tmp_path / "cut", shard, seed=99)
        for name in whole:
            np.testing.assert_allclose(again[name], whole[name], atol=1e-6)
        # A finished run is not run again.
        done = run(tmp_path / "cut", shard, seed=98)
        np.testing.assert_array_equal(done["out.weight"], again["out.weight"])

    def test_a_folder_belongs_to_one_configuration(self, shard, tmp_path) -> None:
        run(tmp_path, shard)
        with pytest.raises(ConfigError, match="is of another run; choose another folder"):
            run(tmp_path, shard, replace(CONFIG, batch=5))

    def test_what_was_asked_is_kept_as_toml_that_asks_the_same(self) -> None:
        config = replace(CONFIG, loop=replace(LOOP, rate=1e-7), soft=0.123)
        text = as_toml(asdict(config))
        read = tomllib.loads(text)
        rebuilt = MplTraining(
            **{**read, "network": type(SIZES)(**read["network"]), "loop": LoopConfig(**read["loop"])}
        )
        assert rebuilt == config
        tables = [as_toml({name: value}) for name, value in asdict(config).items() if name == "soft"]
        assert override(MplTraining(), tables) == replace(MplTraining(), soft=0.123)

    @pytest.mark.slow
    def test_training_ends_in_a_weight_file_that_lifts(self, sampler, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(mpl, "load_banks", lambda cmu, folder: (sampler.bank, sampler.bank))
        stages: set[str] = set()
        path = train_mpl(
            replace(CONFIG, loop=replace(LOOP, steps=4)),
            tmp_path / "cmu",
            tmp_path / "out",
            work=tmp_path / "work",
            progress=lambda stage, done, total: stages.add(stage),
        )
        network = load_network(str(path))
        assert network.config == SIZES and len(stages) == 3
