"""Transformers in numpy, so that nobody needs a training library to lift; weights are found by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import erf

from mocaplift.errors import ConfigError, WeightsError

Weights = Mapping[str, np.ndarray]
Shapes = dict[str, tuple[int, ...]]
# No size is larger: what a file says of itself must not make us count for hours.
LARGEST_SIZE = 1024
_EPSILON = 1e-6


def check_sizes(config: Any) -> None:
    """Refuse a dataclass of sizes that no network has. All are whole numbers but `fps`.

    Raises:
        ConfigError: a size is no number, too small or too large.
    """
    for name, value in asdict(config).items():
        if type(value) not in (int, float) or not 0 < value <= LARGEST_SIZE:
            raise ConfigError(f"{name} must be a number from 1 to {LARGEST_SIZE}, not {value!r}")
        if name != "fps" and type(value) is not int:
            raise ConfigError(f"{name} must be a whole number, not {value!r}")


def fitting(arrays: Weights, shapes: Shapes, whose: str) -> dict[str, np.ndarray]:
    """Return the weights in single precision. `whose` names them in the error.

    Raises:
        WeightsError: one is missing, has another shape, or is not finite.
    """
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise WeightsError(f"the {whose} weights hold {found} for {name!r} where {shape} is needed")
        if not np.isfinite(arrays[name]).all():
            raise WeightsError(f"the {whose} weights hold numbers for {name!r} that are not finite")
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def linear(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Return x after a matrix and a shift, on its last axis."""
    shifted: np.ndarray = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return shifted


def norm(weights: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Return x with mean 0 and variance 1 on its last axis, then scaled and shifted as was learnt."""
    away = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.square(away).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
    scaled: np.ndarray = away / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    return scaled


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x times the share of a normal distribution below it."""
    passed: np.ndarray = x * (0.5 * (1 + erf(x / np.float32(np.sqrt(2)))))
    return passed


def block(
    weights: Weights,
    name: str,
    x: Float[np.ndarray, "N S D"],
    heads: int,
    present: Bool[np.ndarray, "N S"] | None = None,
) -> Float[np.ndarray, "N S D"]:
    """Return tokens after self-attention and a two-layer perceptron, both on normalised input (pre-norm).

    `present` says which tokens may be looked at.
    """
    count, length, width = x.shape
    joined = linear(weights, f"{name}.qkv", norm(weights, f"{name}.norm1", x))
    q, k, v = joined.reshape(count, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    score = (q @ k.swapaxes(-1, -2)) / np.float32(np.sqrt(width // heads))
    if present is not None:
        score = np.where(present[:, None, None], score, np.float32(-1e9))
    score = np.exp(score - score.max(axis=-1, keepdims=True))
    score /= score.sum(axis=-1, keepdims=True)
    mixed = (score @ v).transpose(0, 2, 1, 3).reshape(count, length, width)
    x = x + linear(weights, f"{name}.proj", mixed)
    hidden = linear(weights, f"{name}.up", norm(weights, f"{name}.norm2", x))
    return x + linear(weights, f"{name}.down", gelu(hidden))


def linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    """Return the shapes of the weights of `linear`."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm_shapes(name: str, width: int) -> Shapes:
    """Return the shapes of the weights of `norm`."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def block_shapes(name: str, width: int) -> Shapes:
    """Return the shapes of the weights of `block`."""
    return {
        **norm_shapes(f"{name}.norm1", width),
        **linear_shapes(f"{name}.qkv", width, 3 * width),
        **linear_shapes(f"{name}.proj", width, width),
        **norm_shapes(f"{name}.norm2", width),
        **linear_shapes(f"{name}.up", width, 2 * width),
        **linear_shapes(f"{name}.down", 2 * width, width),
    }
