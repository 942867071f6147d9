"""How the drawn errors compare with those measured on real pictures.

    python -m mocaplift.train.data.noise_table --cmu DIR --banks DIR

Prints, for each kind of joint, quantiles of the errors in metres at the joint's depth and of the confidences, and
beside them what the COCO top-down detector did on two AIST++ sequences (nine cameras, every frame; left and right
together); then how long errors last, and how often a wrong elbow or knee has a wrong hand or foot with it.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float

from mocaplift.layouts import BODY21
from mocaplift.train.data.motion_bank import load_banks
from mocaplift.train.data.topdown_noise import ERROR_CORRELATION, LAGS
from mocaplift.train.data.view_windows import DETECTORS, Draw, Sampler

log = logging.getLogger(__name__)

ERROR_LEVELS = (0.5, 0.75, 0.9, 0.95, 0.99)
CONF_LEVELS = (0.1, 0.5, 0.9)
# Measured: errors (m) at `ERROR_LEVELS`, confidences at `CONF_LEVELS`.
MEASURED = {
    "nose": ((0.027, 0.049, 0.081, 0.130, 0.215), (0.00, 0.48, 0.99)),
    "eye": ((0.028, 0.048, 0.088, 0.132, 0.23), (0.00, 0.21, 0.99)),
    "ear": ((0.023, 0.036, 0.068, 0.095, 0.16), (0.00, 0.40, 0.93)),
    "shoulder": ((0.020, 0.033, 0.050, 0.068, 0.13), (0.22, 0.62, 0.83)),
    "elbow": ((0.024, 0.044, 0.100, 0.172, 0.35), (0.06, 0.48, 0.76)),
    "wrist": ((0.024, 0.045, 0.144, 0.315, 0.67), (0.04, 0.56, 0.85)),
    "hip": ((0.025, 0.043, 0.069, 0.089, 0.13), (0.16, 0.45, 0.71)),
    "knee": ((0.019, 0.038, 0.088, 0.155, 0.34), (0.07, 0.57, 0.85)),
    "ankle": ((0.018, 0.048, 0.184, 0.305, 0.57), (0.13, 0.62, 0.85)),
}
# Measured: how often the outer joint is over `FAR` off where the inner one is.
FAR = 0.1  # m
TOGETHER = {("elbow", "wrist"): 0.73, ("knee", "ankle"): 0.58}
FPS, NUM_FRAMES = 60.0, 31
CLIPPED = 0.1  # m; longer errors are cut to this before they are correlated


def residuals(draw: Draw) -> Float[np.ndarray, "N V T 21 2"]:
    """Return how far (m, at the joint's depth) detections are from the truth in the true cameras' pictures."""
    points = draw.rigs.points(draw.truth)
    depth = points[..., 2:]
    out: np.ndarray = (draw.plane - points[..., :2] / depth) * depth
    return out


def quantiles(draw: Draw) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each kind of joint of `MEASURED`, the errors (m) and the confidences at their levels."""
    length = np.linalg.norm(residuals(draw), axis=-1)
    out = {}
    for kind in MEASURED:
        places = [place for place, name in enumerate(BODY21.joints) if kind in name]
        conf = draw.conf[..., places]
        seen = conf > 0
        out[kind] = (
            np.quantile(length[..., places][seen], ERROR_LEVELS),
            np.quantile(conf[seen], CONF_LEVELS),
        )
    return out


def correlations(draw: Draw, steps: tuple[int, ...]) -> Float[np.ndarray, "K"]:
    """Return the correlation of clipped errors of trunk and limbs with themselves so many frames later."""
    kinds = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    places = BODY21.index(*(f"{side}_{kind}" for side in ("left", "right") for kind in kinds))
    error = residuals(draw)[..., places, :]
    error = error * np.minimum(1, CLIPPED / np.maximum(np.linalg.norm(error, axis=-1, keepdims=True), 1e-9))
    power = (error * error).mean()
    return np.array([(error[:, :, step:] * error[:, :, :-step]).mean() / power for step in steps])


def together(draw: Draw, inner: str, outer: str) -> tuple[float, float]:
    """Return how often the outer joint is `FAR` off where the inner one is, and how often at all."""
    length = np.linalg.norm(residuals(draw), axis=-1)
    near, far = (
        np.stack([length[..., BODY21.at(f"{side}_{name}")] for side in ("left", "right")]) > FAR
        for name in (inner, outer)
    )
    return float(far[near].mean()), float(far.mean())


@click.command()
@click.option("--cmu", type=click.Path(path_type=Path), required=True, help="Folder of the CMU archives.")
@click.option("--banks", type=click.Path(path_type=Path), required=True, help="Where the banks are kept.")
@click.option("--windows", type=int, default=400, show_default=True, help="Windows of half a second.")
def main(cmu: Path, banks: Path, windows: int) -> None:
    """Compare drawn errors with measured ones."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    bank, _ = load_banks(cmu, banks)
    for detector, share in zip(DETECTORS, (1.0, 0.0), strict=True):
        draw = Sampler(bank, coco_share=share).draw(np.random.default_rng(0), windows, 3, NUM_FRAMES, FPS)
        log.info("%s: errors in mm at %s, confidences at %s", detector, ERROR_LEVELS, CONF_LEVELS)
        for kind, found in quantiles(draw).items():
            rows = [
                f"{' '.join(f'{1e3 * x:4.0f}' for x in error)} | {' '.join(f'{x:.2f}' for x in conf)}"
                for error, conf in (found, MEASURED[kind])
            ]
            log.info("%-9s %s || coco measured %s", kind, *rows)
        steps = tuple(round(lag * FPS) for lag in LAGS)
        log.info(
            "frames later %s: %s, measured %s", steps, correlations(draw, steps).round(2), ERROR_CORRELATION
        )
        for (inner, outer), measured in TOGETHER.items():
            log.info("%s wrong with the %s: %.2f (at all %.2f), measured %.2f",
                     outer, inner, *together(draw, inner, outer), measured)  # fmt: skip


if __name__ == "__main__":
    main()
