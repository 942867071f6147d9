"""A small MVLift network for tests, and a person before a camera."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from mocaplift.body import body_keypoints
from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma
from mocaplift.lift.mvlift.conditions import Observed, observed
from mocaplift.lift.mvlift.figure import PERSON, Figure
from mocaplift.lift.mvlift.network import Denoiser, DenoiserConfig, expected_shapes
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import AZIMUTHS
from tests.dancer import camera, dancer, seen

SIZES = DenoiserConfig(width=16, depth=1, heads=2, frames=16, per_token=4)
STEPS = 50


def tiny_header(sizes: DenoiserConfig = SIZES, figure: Figure = PERSON) -> dict[str, Any]:
    """Return what the file of a tiny network says of itself."""
    return {"network": asdict(sizes), "figure": figure.as_header(), "steps": STEPS}


def tiny_arrays(sizes: DenoiserConfig = SIZES, figure: Figure = PERSON, head: float = 0.3) -> dict[str, Any]:
    """Return random weights; those of the head have this standard deviation."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in expected_shapes(sizes, figure).items():
        arrays[name] = ((head if name.startswith("out.") else 0.2) * rng.normal(size=shape)).astype(
            np.float32
        )
        if "norm" in name and name.endswith("weight"):
            arrays[name] += 1.0
    return arrays


def tiny_network(head: float = 0.0) -> Denoiser:
    """Return a tiny network; with its head at zero it believes in a figure that is a point in the middle."""
    return Denoiser.of(tiny_arrays(head=head), tiny_header())


def windows(frames: int = 16) -> tuple[Observed, np.ndarray, Ring]:
    """Return one window of a dancer as a camera sees them, their points about the camera, and the ring."""
    motion, lens = dancer(frames), camera()
    view = seen(motion, lens)
    told = observed(rays(lens, view.xy)[None], sigma(view)[None], PERSON)
    truth = (body_keypoints(motion).xyz - centre(lens))[None]
    return told, truth, Ring.around(told.axes, told.distance, AZIMUTHS)
