"""The network: the same in numpy and in torch, and what its files may hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mocaplift.errors import ConfigError, WeightsError
from mocaplift.lift.mvlift.conditions import num_channels
from mocaplift.lift.mvlift.figure import PERSON
from mocaplift.lift.mvlift.network import Denoiser, DenoiserConfig, told_step
from tests.lift.mvlift.tiny import SIZES, STEPS, tiny_arrays, tiny_header, tiny_network

ALONE = replace(SIZES, views=1)


def inputs(sizes: DenoiserConfig, frames: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    shape = (2, sizes.views, frames)
    noisy = rng.normal(size=(*shape, num_channels(PERSON)))
    return noisy.astype(np.float32), rng.normal(size=(*shape, sizes.num_told(PERSON))).astype(np.float32)


@pytest.mark.parametrize("sizes", [SIZES, ALONE], ids=["views", "alone"])
@pytest.mark.parametrize("frames", [16, 8, 5, 1])
def test_training_and_inference_have_the_same_network(sizes: DenoiserConfig, frames: int) -> None:
    torch = pytest.importorskip("torch")
    from mocaplift.train.mvlift_network import DenoiserModule
    from mocaplift.train.transformer import set_weights, weights_of

    module = DenoiserModule(sizes, PERSON)
    arrays = tiny_arrays(sizes)
    assert {name: array.shape for name, array in weights_of(module).items()} == {
        name: array.shape for name, array in arrays.items()
    }
    set_weights(module, arrays)
    noisy, told = inputs(sizes, frames)
    found = Denoiser.of(arrays, tiny_header(sizes))(noisy, 17, told)
    level = torch.from_numpy(told_step(np.array([17, 17]), STEPS))
    with torch.no_grad():
        same = module(torch.from_numpy(noisy), level, torch.from_numpy(told)).numpy()
    assert found.shape == noisy.shape
    np.testing.assert_allclose(found, same, atol=1e-4)


def test_views_look_at_each_other_and_frames_too() -> None:
    network = Denoiser.of(tiny_arrays(), tiny_header())
    noisy, told = inputs(SIZES, 16)
    before = network(noisy, 3, told)
    changed = noisy.copy()
    changed[0, 2, 15] += 1.0
    moved = np.abs(network(changed, 3, told) - before).max(axis=-1)
    assert (moved[0, 0, 0] > 1e-6) and (moved[0, 2, 0] > 1e-6)
    assert (moved[1] == 0).all()


def test_steps_are_told_apart() -> None:
    told = told_step(np.arange(1, STEPS + 1), STEPS)
    apart = np.linalg.norm(told[:, None] - told[None], axis=-1)
    assert (apart[~np.eye(STEPS, dtype=bool)] > 0.1).all()


@pytest.mark.parametrize(
    "change", [{"width": 15}, {"frames": 15}, {"depth": 0}, {"width": 4096}, {"heads": 3}]
)
def test_sizes_that_no_network_has_are_refused(change) -> None:
    with pytest.raises(ConfigError, match="must be"):
        replace(SIZES, **change)


@pytest.mark.parametrize(
    "change", [{"network": {}}, {"network": {"width": 15}}, {"figure": {}}, {"steps": 0}, {"signs": "paper"}]
)
def test_a_file_that_does_not_say_what_it_is_for_is_refused(change) -> None:
    with pytest.raises(WeightsError, match="MVLift weights"):
        Denoiser.of(tiny_arrays(), tiny_header() | change)


def test_a_missing_weight_is_named() -> None:
    arrays = tiny_arrays()
    del arrays["across.0.qkv.weight"]
    with pytest.raises(WeightsError, match=r"nothing for 'across\.0\.qkv\.weight'"):
        Denoiser.of(arrays, tiny_header())


def test_weights_that_are_no_numbers_are_refused() -> None:
    arrays = tiny_arrays()
    arrays["out.bias"][3] = np.nan
    with pytest.raises(WeightsError, match=r"'out\.bias' that are not finite"):
        Denoiser.of(arrays, tiny_header())


def test_weights_of_another_figure_are_refused() -> None:
    """Fewer joints than the weights were made for, or numbers that no machine holds."""
    told = PERSON.as_header()
    head = {
        "joints": ["nose", "left_eye"],
        "pairs": [],
        "root": ["nose"],
        "bones": [["nose", "left_eye", 0.1]],
    }
    with pytest.raises(WeightsError, match="is needed"):
        Denoiser.of(tiny_arrays(), tiny_header() | {"figure": told | head})
    endless = told | {"bones": [["nose", "left_eye", 10**400]]}
    with pytest.raises(WeightsError, match="do not say what network they are for"):
        Denoiser.of(tiny_arrays(), tiny_header() | {"figure": endless})


def test_an_untrained_head_says_nothing() -> None:
    noisy, told = inputs(SIZES, 16)
    out = tiny_network(head=0.0)(noisy, 5, told)
    assert (out == 0).all()
