"""The errors and confidences of the embedded detector, drawn from the table of `train.detector_noise`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from mocaplift.detect.calibration import OUTSIDE_ERROR, error_of, reference_confidence
from mocaplift.layouts import BODY21
from mocaplift.train.data.view_geometry import Guess, Sight, course, heavy_tailed
from mocaplift.train.detector_noise import LIMBS, NUM_DIRECTIONS
from mocaplift.weights import load_arrays, locate

TABLE_FPS = 30.0  # of the clips that the table was fitted on
STATURE = 1.7  # m; the table's bias is a share of it
DIRECTIONS = 32  # steps of the view's direction, between the table's
LATENTS = np.linspace(-3.5, 3.5, 57)  # steps of the Gaussian that a visibility is drawn by
# Where quantiles of visibility are known, and what is assumed at both ends: half of the lowest, and 1.
LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
# Of the visibility's Gaussian over time; the network follows its own last reading.
VISIBILITY_LAGS, VISIBILITY_CORRELATION = (1 / 30, 4 / 30, 15 / 30), (0.95, 0.82, 0.5)
LIMB_SHARE = 0.6  # of a visibility's Gaussian, shared by the whole limb (root of the variance's share)
# Of an error, shared by the whole limb (as above): in one rendered take of three cameras errors of elbow and wrist
# correlated by .75, knee and ankle .47, ankle and heel .71, nose and eye .88, hip and shoulder .27.
ERROR_SHARE = 0.7
RATIO_QUANTILE = 0.99  # of the table's tail that fixes Student's nu


class BlazePoseNoise:
    """Confidences and errors of the embedded detector."""

    forgets_outside = False
    may_lack_feet = False

    def guess(self, rng: np.random.Generator, sight: Sight, fps: float) -> Guess:
        """Return confidences and errors of what there is to see.

        Raises:
            WeightsError: the detector's table is missing or damaged.
        """
        table = _tables()
        shape = sight.depth.shape
        step = np.rint(sight.angle * (DIRECTIONS / (2 * np.pi))).astype(np.int32) % DIRECTIONS
        latent = self._latent(rng, shape, fps)
        scale = np.float32((len(LATENTS) - 1) / np.ptp(LATENTS))
        place = np.clip((latent - np.float32(LATENTS[0])) * scale + np.float32(0.5), 0, len(LATENTS) - 1)
        row = (np.arange(len(BODY21)) * DIRECTIONS + step[..., None]) * len(LATENTS) + place.astype(np.int32)
        conf, median = table["conf"].ravel()[row], table["median"].ravel()[row]
        conf = np.where(sight.is_inside, conf, np.minimum(conf, table["outside"]))
        median = np.where(sight.is_inside, median, np.float32(OUTSIDE_ERROR))
        offset = heavy_tailed(self._errors(rng, shape, fps), table["nu"]) * median[..., None]
        offset += table["bias"][step]
        middle = step[:, :, shape[2] // 2]
        swaps = tuple(
            (BODY21.index(*(f"{side}_{kind}" for side in ("left", "right") for kind in kinds)), rates[middle])
            for kinds, rates in zip(LIMBS.values(), table["swaps"], strict=True)
        )
        return Guess(conf, offset, np.zeros_like(conf), swaps)

    def _latent(
        self, rng: np.random.Generator, shape: tuple[int, ...], fps: float
    ) -> Float[np.ndarray, "N V T 21"]:
        own = rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(1 - LIMB_SHARE**2))
        parts = _tables()["parts"]
        shared = rng.standard_normal((*shape[:3], int(parts.max()) + 1), dtype=np.float32)
        own += np.float32(LIMB_SHARE) * shared[..., parts]
        return np.matmul(course(VISIBILITY_LAGS, VISIBILITY_CORRELATION, shape[2], fps), own)

    def _errors(
        self, rng: np.random.Generator, shape: tuple[int, ...], fps: float
    ) -> Float[np.ndarray, "N V T 21 2"]:
        table = _tables()
        white = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(1 - ERROR_SHARE**2))
        shared = rng.standard_normal((*shape[:3], int(table["parts"].max()) + 1, 2), dtype=np.float32)
        white += np.float32(ERROR_SHARE) * shared[..., table["parts"], :]
        lags = tuple((k + 1) / TABLE_FPS for k in range(table["persistence"].shape[1]))
        out = np.zeros_like(white)
        for group in range(len(table["persistence"])):
            joints = np.flatnonzero(table["group"] == group)
            matrix = course(lags, tuple(table["persistence"][group].tolist()), shape[2], fps)
            some = white[..., joints, :].reshape(*shape[:3], -1)
            out[..., joints, :] = np.matmul(matrix, some).reshape(*shape[:3], len(joints), 2)
        return out


@lru_cache(maxsize=1)
def _tables() -> dict[str, np.ndarray]:
    """Return the table by joint, direction (`DIRECTIONS`) and Gaussian (`LATENTS`), ready to be looked up."""
    arrays, header = load_arrays(locate("detector-noise"), "detector-noise")
    groups = list(header["groups"].values())
    group = np.array([next(g for g, kinds in enumerate(groups) if any(k in j for k in kinds)) for j in BODY21.joints])  # fmt: skip  # noqa: E501
    visibility = _visibilities(_round_about(arrays["visibility"].astype(float), axis=1))
    inside = np.ones(len(BODY21), dtype=bool)
    conf = np.zeros_like(visibility)
    for index in np.ndindex(visibility.shape[1:]):
        conf[:, *index] = reference_confidence(visibility[:, *index], inside)
    outside = reference_confidence(np.ones(len(BODY21)), ~inside)
    median = np.stack([error_of(row.ravel(), name).reshape(row.shape) for name, row in zip(BODY21.joints, visibility, strict=True)])  # fmt: skip  # noqa: E501
    by_view = arrays["view_error"] / arrays["view_error"].mean(axis=1, keepdims=True)
    median *= _round_about(by_view.astype(float), axis=1)[group][..., None]
    swaps = _round_about(arrays["swaps"].astype(float), axis=1)
    nu = np.array([_nu_of_ratio(float(row[-1] / row[0])) for row in arrays["tail"]])
    bias = _round_about(arrays["bias"].astype(float), axis=1).transpose(1, 0, 2) * STATURE
    names = [next(limb for limb, kinds in _parts().items() if name in kinds) for name in BODY21.joints]
    tables = {
        "conf": conf, "median": median, "outside": outside, "nu": nu[group], "bias": bias, "swaps": swaps,
    }  # fmt: skip
    single = {name: value.astype(np.float32) for name, value in tables.items()}
    parts = np.array([list(_parts()).index(name) for name in names])
    return single | {"group": group, "parts": parts, "persistence": arrays["persistence"]}


def _parts() -> dict[str, list[str]]:
    """Return the joints that are seen or hidden together: each arm, each leg, trunk, head."""
    out: dict[str, list[str]] = {}
    limbs = {"arm": LIMBS["arms"][1:], "leg": LIMBS["legs"][1:]}
    trunk = LIMBS["torso"]
    for name in BODY21.joints:
        side, _, kind = name.partition("_")
        limb = next((f"{side} {limb}" for limb, kinds in limbs.items() if kind in kinds), "head")
        limb = "trunk" if kind in trunk else limb
        out.setdefault(limb, []).append(name)
    return out


def _round_about(values: Float[np.ndarray, "..."], axis: int) -> Float[np.ndarray, "..."]:
    """Return values by direction in finer steps, between neighbours and round the circle."""
    at = np.arange(DIRECTIONS) * (NUM_DIRECTIONS / DIRECTIONS)
    low = at.astype(int)
    shape = [1] * values.ndim
    shape[axis] = DIRECTIONS
    share = (at - low).reshape(shape)
    below, above = (np.take(values, (low + k) % NUM_DIRECTIONS, axis=axis) for k in (0, 1))
    return below * (1 - share) + above * share


def _visibilities(quantiles: Float[np.ndarray, "21 D Q"]) -> Float[np.ndarray, "21 D L"]:
    """Return the visibility that each value of a Gaussian stands for."""
    known = np.concatenate([0.5 * quantiles[..., :1], quantiles, np.ones_like(quantiles[..., :1])], axis=-1)
    share = ndtr(LATENTS)
    out = np.zeros((*quantiles.shape[:2], len(LATENTS)))
    for index in np.ndindex(quantiles.shape[:2]):
        out[index] = np.interp(share, LEVELS, known[index])
    return out


def _nu_of_ratio(ratio: float) -> float:
    """Return Student's nu for which `RATIO_QUANTILE` of lengths in two dimensions is this many medians."""
    nus = np.linspace(2.0, 30.0, 281)
    ratios = np.sqrt(np.expm1(-2 / nus * np.log1p(-RATIO_QUANTILE)) / np.expm1(2 / nus * np.log(2)))
    return float(np.interp(-ratio, -ratios, nus))
