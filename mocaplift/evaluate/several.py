"""One person before several cameras: every lifter's error in every point, and what one more view is worth.

A scene is lifted whole (time is part of what a lifter may use) and compared where it stands: absolute errors, no
alignment of any kind. `pooled` makes the tables.

A point that a lifter leaves missing is never dropped: it is charged as if it had been guessed to be in the middle
of the true body (a limb is 0.3 to 0.9 m from there), and counted as `missing`. Only points without a truth do not
count. So a method cannot win by answering the easy questions alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mocaplift.cameras import centre
from mocaplift.errors import ConfigError
from mocaplift.evaluate.metrics import MM, joint_errors
from mocaplift.evaluate.solvers import FITTED, Solve, by_lifter, shared_out
from mocaplift.layouts import remap
from mocaplift.lift import LIFTERS
from mocaplift.values import Camera, Keypoints2D, Layout

# What is compared where nobody says otherwise: plain triangulation, triangulation with a prior, the network.
LIFTERS_OF_VIEWS = ("dlt", "triangulate", "mpl")
# Fewer views than this have no depth: nothing can be taken away from a pair.
FEWEST_VIEWS = 2


@dataclass(frozen=True, eq=False)
class Scene:
    """What several cameras saw of one person, and where the points truly were (metres, the cameras' world).

    `without` is the position of the view that is taken away to see what it was worth; None: none is.
    """

    name: str
    views: tuple[Keypoints2D, ...]
    cameras: tuple[Camera, ...]
    truth: Float[np.ndarray, "T J 3"]
    layout: Layout
    without: int | None = None


class Scored(NamedTuple):
    """One scene under one lifter. Errors are in mm, NaN where there is no truth; missing points are charged."""

    name: str
    lifter: str
    layout: Layout
    views: int
    angle: float  # degrees, see `view_angle`
    errors: Float[np.ndarray, "T J"]
    is_missing: Bool[np.ndarray, "T J"]
    # Errors in units of the lifter's own sigma; NaN where it gives none.
    in_sigma: Float[np.ndarray, "T J"]
    # The same lifter's errors with one view fewer, where one was taken away.
    fewer: Float[np.ndarray, "T J"] | None


def default_lifters() -> tuple[str, ...]:
    """Return the lifters of several views that there are, in the order of the tables."""
    return tuple(name for name in LIFTERS_OF_VIEWS if name in LIFTERS)


def with_fit(lifters: Sequence[str]) -> tuple[str, ...]:
    """Return the lifters, each followed by itself with the product's fit."""
    return tuple(each for name in lifters for each in (name, name + FITTED))


def view_angle(cameras: Sequence[Camera], place: Float[np.ndarray, "3"]) -> float:
    """Return the largest angle (degrees) between the directions in which two of the cameras see a place.

    Of a pair it is the angle between the rays: near 0 and near 180 the depth is lost. Of more views it tells how
    far they stand around the person.
    """
    directions = [centre(camera) - place for camera in cameras]
    largest = 0.0
    for a, b in itertools.combinations(directions, 2):
        # atan2 is exact near 0 and 180 degrees, where arccos is not.
        sine, cosine = np.linalg.norm(np.cross(a, b)), float(a @ b)
        largest = max(largest, float(np.degrees(np.arctan2(sine, cosine))))
    return largest


def charged_errors(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"]
) -> Float[np.ndarray, "T J"]:
    """Return the absolute errors (mm), a missing point charged as a guess in the middle of the true body."""
    known = np.isfinite(truth).all(-1)
    count = np.maximum(known.sum(-1), 1)[:, None]
    middle = np.where(known[..., None], truth, 0.0).sum(-2) / count
    guess = np.broadcast_to(middle[:, None], truth.shape)
    return joint_errors(np.where(np.isfinite(found), found, guess), truth)


def scored(
    scenes: Sequence[Scene],
    lifters: Sequence[str],
    *,
    jobs: int = 1,
    solve: Solve = by_lifter,
    progress: Callable[[int, int], None] | None = None,
) -> list[Scored]:
    """Return every lifter's errors in every scene.

    Args:
        scenes: what to lift.
        lifters: names to score, as `solve` understands them.
        jobs: processes that share the scenes.
        solve: what turns views into points; a function of a module when `jobs` is above 1.
        progress: told (scenes done, scenes in all).

    Raises:
        ConfigError: no lifter is named, or `jobs` is below 1.
    """
    if not lifters:
        raise ConfigError(f"no lifter to score: name one or more, such as {', '.join(LIFTERS_OF_VIEWS)}")
    results: list[Scored] = []
    work = functools.partial(score, lifters=tuple(lifters), solve=solve)
    for done, part in enumerate(shared_out(work, scenes, jobs), start=1):
        results += part
        if progress is not None:
            progress(done, len(scenes))
    return results


def score(scene: Scene, lifters: tuple[str, ...], solve: Solve) -> list[Scored]:
    """Return every lifter's errors in one scene."""
    place = np.nanmedian(scene.truth.reshape(-1, 3), axis=0)
    angle = view_angle(scene.cameras, place)
    return [_scored(scene, angle, lifter, solve) for lifter in lifters]


def _scored(scene: Scene, angle: float, lifter: str, solve: Solve) -> Scored:
    motion = solve(scene.views, scene.cameras, lifter)
    found = remap(motion.xyz, motion.layout, scene.layout)
    sigma = remap(motion.sigma[..., None], motion.layout, scene.layout)[..., 0] * MM
    errors = charged_errors(found, scene.truth)
    fewer = None
    if scene.without is not None and len(scene.views) > FEWEST_VIEWS:
        kept = [number for number in range(len(scene.views)) if number != scene.without]
        less = solve([scene.views[v] for v in kept], [scene.cameras[v] for v in kept], lifter)
        fewer = charged_errors(remap(less.xyz, less.layout, scene.layout), scene.truth)
    is_missing = ~np.isfinite(found).all(-1)
    has_sigma = np.isfinite(sigma) & (sigma > 0) & ~is_missing
    return Scored(
        name=scene.name,
        lifter=lifter,
        layout=scene.layout,
        views=len(scene.views),
        angle=angle,
        errors=errors,
        is_missing=is_missing,
        in_sigma=np.where(has_sigma, errors / np.where(has_sigma, sigma, 1.0), np.nan),
        fewer=fewer,
    )
