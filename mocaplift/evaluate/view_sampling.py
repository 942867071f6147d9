"""Points from views that the network of stage 1 samples without triangulation in the loop, or without lines.

Each takes windows of what a camera saw and returns their points about it (m, world axes).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.lift.diffusion import Draw, Schedule, sample
from mocaplift.lift.mvlift.conditions import Observed, decoded, encoded, num_channels
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.lift.mvlift.line_views import AZIMUTHS, each_alone, told_by_lines
from mocaplift.lift.mvlift.network import Denoiser
from mocaplift.lift.mvlift.ring import Ring
from mocaplift.lift.mvlift.sampling import points_of, ring_of

# The ring of multi-view ancestral sampling: seven cameras, the first of which is the real one here.
MAS_AZIMUTHS = tuple(2 * np.pi / 7 * np.arange(1, 7))
# There it takes 100 steps, of a schedule of so many.
MAS_STEPS = 25
# The paper takes all 1000 steps; on AIST++ (every ninth window) 50 of them do worse than 16, and those than 8.
ALONE_STEPS = 8


def multi_view_ancestral(
    network: Denoiser, seen: Observed, rng: np.random.Generator, steps: int = MAS_STEPS
) -> Float[np.ndarray, "N T J 3"]:
    """Return one sample of multi-view ancestral sampling (Kapon et al. 2024): no lines, one body at every step.

    At each step points are fitted to the predicted views, in closed form, and what they look like takes the
    predictions' place; all noise is noise of points, seen by every camera. The observed picture takes part in the
    fit as in our own sampling.
    """
    ring = ring_of(seen, MAS_AZIMUTHS)
    told = told_by_lines(seen, ring, has_lines=False)
    views, figure = each_alone(network), network.figure
    points = np.zeros((*seen.plane.shape[:-1], 3))

    def guide(clean: np.ndarray, step: int) -> np.ndarray:
        points[:] = points_of(seen, decoded(clean, figure), ring)
        return encoded(ring.see(points), figure).astype(clean.dtype)

    draw, schedule = noise_of_points(ring, rng, figure), Schedule.cosine(network.steps)
    sample(
        schedule,
        lambda noisy, step: views(noisy, step, told),
        draw((*told.shape[:3], num_channels(figure))).astype(np.float32),
        schedule.spaced(steps),
        guide=guide,
        churn=1.0,
        draw=draw,
    )
    return points


def noise_of_points(ring: Ring, rng: np.random.Generator, figure: Figure) -> Draw:
    """Return what draws noise of channels [N V T C] that is noise of points and of the root, seen from afar."""

    def draw(shape: tuple[int, ...]) -> Float[np.ndarray, "N V T C"]:
        count, _, frames, _ = shape
        noise = rng.standard_normal((count, 1, frames, len(figure.layout) + 1, 3))
        across = np.swapaxes(ring.axes[..., :2, :], -1, -2)[:, :, None]
        seen: Float[np.ndarray, "N V T C"] = (noise @ across).reshape(shape)
        return seen

    return draw


def views_alone(
    network: Denoiser, seen: Observed, rng: np.random.Generator, steps: int = ALONE_STEPS
) -> Float[np.ndarray, "N T J 3"]:
    """Return the points nearest to views that are sampled from their lines, each knowing nothing of the others.

    Stage 1 of MVLift alone, as its paper ablates it: ancestral sampling, then a triangulation.
    """
    ring = ring_of(seen, AZIMUTHS)
    told = told_by_lines(seen, ring)
    views, schedule = each_alone(network), Schedule.cosine(network.steps)
    clean = sample(
        schedule,
        lambda noisy, step: views(noisy, step, told),
        rng.standard_normal((*told.shape[:3], num_channels(network.figure))).astype(np.float32),
        schedule.spaced(steps),
        churn=1.0,
        draw=rng.standard_normal,
    )
    return points_of(seen, decoded(clean, network.figure), ring)
