"""Triangulation that knows what a body is: the most likely points given the rays of all views.

1. Frame by frame: weighted least squares of the distances to the rays, each with the error that its confidence
   tells, Student-t reweighted, with a Gaussian over the body's points as prior (`point_prior`). First for any
   heading, then in the heading that was found. A point seen by one view, or by none, gets its most likely place.
   Where a view of three or more disagrees as a whole, the points without it are tried too.
2. Over time: the same, with bones of constant length and heavy-tailed accelerations, as one banded system.
3. The motion tells by how much each camera's clock is late; where that matters, step 2 goes on with rays on time.

Every step is a closed-form solve; there is nothing to train but the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_solve_banded, cholesky_banded
from threadpoolctl import threadpool_limits

from mocaplift.body import usual_accelerations
from mocaplift.layouts import BODY21
from mocaplift.lift.bone_lengths import length_terms, measured_lengths, settled_lengths
from mocaplift.lift.clock_offsets import SMALLEST_OFFSET, clock_offsets, on_time
from mocaplift.lift.point_prior import NUM_COORDINATES, PointPrior, load_point_prior
from mocaplift.lift.view_rays import ViewRays
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.windows import crossfaded_points, windows

# A point that is so many expected errors off its ray, is far off: 2 in 100 are by chance.
DOUBTFUL = 4.0
# Share of the prior's log likelihood. Chosen, like all strengths here, on the AIST++ development set, where the
# errors are flat within a factor of 2 to 4 of each.
PRIOR_SHARE = 0.5
STEPS_ANYWHERE, STEPS_FACING, STEPS_OVER_TIME = 3, 2, 4
CLOCK_ROUNDS, STEPS_ON_TIME = 2, 1
# Frames at 30 fps that say the same: errors of detections and poses last.
FRAMES_AS_ONE = 2.0
REFERENCE_FPS = 30.0
ACCELERATION_FACTOR = 2.0  # on the usual accelerations
ACCELERATION_TAIL = 3.0  # degrees of freedom: a kick is no mistake
BELIEF_TAIL = 4.0  # degrees of freedom of somebody else's error
# Frames solved at once and frames that neighbours share: bounds memory at 25 MB whatever the clip's length.
WINDOW, OVERLAP = 240, 24
# A point that is not known to better than this (m) is missing.
UNKNOWN = 0.5
# Frames repeat each other's errors less than the weights above say, where the pose is well seen: the covariance
# of a frame by itself, brought to the errors found on held-out synthetic takes.
SIGMA_FACTOR = 1.0


def lift(views: Sequence[Keypoints2D], cameras: Sequence[Camera]) -> Motion3D:
    """Return the motion of one person seen by several calibrated cameras, in body21, world metres (+Y up).

    `sigma` is the expected error per axis. Points in frames in which nobody knows where they are, are missing.

    Raises:
        InvalidData: fewer than two views, not one camera for each, or views of different lengths.
        WeightsError: the prior is missing.
    """
    found = triangulate(ViewRays.of(views, cameras), load_point_prior(), views[0].fps)
    sigma = expected_errors(found.covariance)
    known = (sigma < UNKNOWN) & np.isfinite(found.xyz).all(axis=-1)
    return Motion3D(
        xyz=np.where(known[..., None], found.xyz, np.nan),
        sigma=np.where(known, sigma, np.inf),
        layout=BODY21,
        fps=views[0].fps,
    )


@dataclass(frozen=True, eq=False)
class Triangulated:
    """Points (world metres), each one's covariance (m^2) in its frame by itself, and the bones' lengths (m).

    `rays` are those of the views, at the moments of the frames.
    """

    rays: ViewRays
    xyz: Float[np.ndarray, "T 21 3"]
    covariance: Float[np.ndarray, "T 21 3 3"]
    lengths: Float[np.ndarray, "B"]


@dataclass(frozen=True, eq=False)
class Belief:
    """Where somebody else believes the points to be (world metres), and how firmly (1/m^2)."""

    xyz: Float[np.ndarray, "T 21 3"]
    weight: Float[np.ndarray, "T 21"]

    def part(self, frames: slice) -> Belief:
        """Return the belief about some of the frames."""
        return Belief(self.xyz[frames], self.weight[frames])

    def reweighted(self, xyz: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T 21"]:
        """Return the weights as a Student-t has them, seen from these points."""
        squared = np.square(xyz - self.xyz).sum(axis=-1) * self.weight
        return self.weight * (BELIEF_TAIL + 3) / (BELIEF_TAIL + squared)


@threadpool_limits.wrap(limits=1, user_api="blas")
def triangulate(rays: ViewRays, prior: PointPrior, fps: float) -> Triangulated:
    """Return the most likely points at every frame.

    Thousands of small solves: threads of the linear algebra library would only wait for each other.
    """
    spans = windows(rays.direction.shape[1], WINDOW, OVERLAP)
    points, spreads, lengths, weights = [], [], [], []
    for span in spans:
        xyz, covariance = per_frame(rays.part(span), prior)
        length, weight = measured_lengths(xyz, covariance)
        points.append(xyz)
        spreads.append(own_covariances(covariance))
        lengths.append(length)
        weights.append(weight)
    settled = settled_lengths(np.concatenate(lengths), np.concatenate(weights), prior)
    covariance = crossfaded_points(spreads, spans)
    xyz = bridged(crossfaded_points(points, spans), expected_errors(covariance))

    def solved(rays: ViewRays, start: np.ndarray, steps: int) -> Float[np.ndarray, "T 21 3"]:
        pieces = [over_time(start[span], rays.part(span), prior, settled, fps, steps=steps) for span in spans]
        return crossfaded_points(pieces, spans)

    xyz = solved(rays, xyz, STEPS_OVER_TIME)
    late = np.zeros(len(rays.centre))
    timed = rays
    for _ in range(CLOCK_ROUNDS):
        late = late + clock_offsets(timed, xyz, fps)
        if np.abs(late).max() < SMALLEST_OFFSET:
            break
        timed = on_time(rays, late, fps)
        xyz = solved(timed, xyz, STEPS_ON_TIME)
    return Triangulated(timed, xyz, covariance, settled)


def per_frame(
    rays: ViewRays, prior: PointPrior
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 63 63"]]:
    """Return every frame's most likely points (metres) by themselves, and their covariance (m^2)."""
    xyz, information = _most_likely(rays, prior)
    doubtful = np.flatnonzero(_is_doubtful(rays, xyz))
    if len(doubtful):
        some = rays.part(doubtful)
        start = _outvoting(some, prior, xyz[doubtful])
        xyz[doubtful], information[doubtful] = _most_likely(some, prior, start)
    return xyz, np.linalg.inv(information)


def _most_likely(
    rays: ViewRays, prior: PointPrior, start: Float[np.ndarray, "T 21 3"] | None = None
) -> tuple[Float[np.ndarray, "T 21 3"], Float[np.ndarray, "T 63 63"]]:
    """Return the most likely points and their information, looking from `start` or from nowhere."""
    frames = rays.direction.shape[1]
    for _ in range(STEPS_ANYWHERE if start is None else 0):
        information, pull = _with_rays(rays, start, *prior.anywhere(frames))
        start = np.linalg.solve(information, pull[..., None]).reshape(frames, -1, 3)
    assert start is not None
    xyz = start
    for _ in range(STEPS_FACING):
        information, pull = _with_rays(rays, xyz, *prior.facing(xyz))
        xyz = np.linalg.solve(information, pull[..., None]).reshape(frames, -1, 3)
    return xyz, information


def _is_doubtful(rays: ViewRays, xyz: Float[np.ndarray, "T 21 3"]) -> Bool[np.ndarray, "T"]:
    """Return the frames in which most points of a view are far from its rays, so that it may see somebody else.

    Two views cannot tell which of them does.
    """
    seen = np.isfinite(rays.sigma)
    far = seen & (np.linalg.norm(rays.misses(xyz), axis=-1) > DOUBTFUL * np.where(seen, rays.sigma, 1.0))
    is_far = 2 * far.sum(axis=-1) > seen.sum(axis=-1)
    return is_far.any(axis=0) & (seen.any(axis=-1).sum(axis=0) > 2)


def _outvoting(
    rays: ViewRays, prior: PointPrior, xyz: Float[np.ndarray, "T 21 3"]
) -> Float[np.ndarray, "T 21 3"]:
    """Return the likeliest of `xyz` and of the points without one of the views: of three, two are right."""
    best, least = xyz, _cost(rays, prior, xyz)
    for view in range(len(rays.sigma)):
        sigma = rays.sigma.copy()
        sigma[view] = np.inf
        found, _ = _most_likely(replace(rays, sigma=sigma), prior)
        cost = _cost(rays, prior, found)
        best = np.where((cost < least)[:, None, None], found, best)
        least = np.minimum(cost, least)
    return best


def _cost(rays: ViewRays, prior: PointPrior, xyz: Float[np.ndarray, "T 21 3"]) -> Float[np.ndarray, "T"]:
    """Return the negative log likelihood of the points of every frame, up to a constant."""
    precision, pull = prior.facing(xyz)
    flat = xyz.reshape(len(xyz), -1)
    usual = ((precision @ flat[..., None])[..., 0] / 2 - pull) * flat
    return PRIOR_SHARE * usual.sum(axis=-1) + rays.cost(xyz)


def over_time(
    xyz: Float[np.ndarray, "T 21 3"],
    rays: ViewRays,
    prior: PointPrior,
    lengths: Float[np.ndarray, "B"],
    fps: float,
    *,
    steps: int = STEPS_OVER_TIME,
    belief: Belief | None = None,
) -> Float[np.ndarray, "T 21 3"]:
    """Return the points of all frames at once, starting from `xyz`: bones keep their lengths, nothing jumps.

    `belief` is what else is known of the points.
    """
    frames = len(xyz)
    rate = REFERENCE_FPS / fps  # a second counts the same at any rate
    usual = np.square(fps**2 / (ACCELERATION_FACTOR * usual_accelerations())) * rate
    usual_points = prior.facing(xyz)  # the heading is settled by now
    for _ in range(steps):
        information, pull = _with_rays(rays, xyz, *usual_points)
        bones, bone_pull = length_terms(xyz, lengths)
        if belief is not None:
            weight = np.repeat(belief.reweighted(xyz), 3, axis=1)
            information = information + weight[:, :, None] * np.eye(NUM_COORDINATES)
            pull = pull + weight * belief.xyz.reshape(frames, -1)
        information = (information + bones) * (rate / FRAMES_AS_ONE)
        pull = (pull + bone_pull) * (rate / FRAMES_AS_ONE)
        smooth = np.zeros((frames, len(BODY21)))
        if frames > 2:
            squared = np.square(xyz[:-2] - 2 * xyz[1:-1] + xyz[2:]).sum(axis=-1) * usual / rate
            smooth[1:-1] = usual * (ACCELERATION_TAIL + 3) / (ACCELERATION_TAIL + squared)
        factor = cholesky_banded(
            _band(information, smooth), overwrite_ab=True, lower=True, check_finite=False
        )
        xyz = cho_solve_banded((factor, True), pull.ravel(), check_finite=False).reshape(xyz.shape)
    return xyz


def own_covariances(covariance: Float[np.ndarray, "T 63 63"]) -> Float[np.ndarray, "T 21 3 3"]:
    """Return each point's own block of the covariance."""
    each = np.arange(len(BODY21))
    blocks = covariance.reshape(-1, len(each), 3, len(each), 3)
    return np.moveaxis(blocks[:, each, :, each], 0, 1)


def expected_errors(covariance: Float[np.ndarray, "*lead 3 3"]) -> Float[np.ndarray, "*lead"]:
    """Return the expected error per axis (m) of points with these covariances."""
    variance = np.trace(covariance, axis1=-2, axis2=-1) / 3
    return SIGMA_FACTOR * np.sqrt(np.maximum(variance, 0.0))


def bridged(
    xyz: Float[np.ndarray, "T 21 3"], sigma: Float[np.ndarray, "T 21"]
) -> Float[np.ndarray, "T 21 3"]:
    """Return the points with frames in which nobody knows where the person is taken from their neighbours."""
    known = np.median(sigma, axis=1) < UNKNOWN
    if known.all() or not known.any():
        return xyz
    frames = np.arange(len(xyz))
    columns = [np.interp(frames, frames[known], column[known]) for column in xyz.reshape(len(xyz), -1).T]
    return np.stack(columns, axis=1).reshape(xyz.shape)


def _with_rays(
    rays: ViewRays,
    xyz: Float[np.ndarray, "T 21 3"] | None,
    precision: Float[np.ndarray, "T 63 63"],
    pull: Float[np.ndarray, "T 63"],
) -> tuple[Float[np.ndarray, "T 63 63"], Float[np.ndarray, "T 63"]]:
    """Return information and pull of the rays and the prior together."""
    across, toward = rays.quadratic(xyz)
    frames, points = toward.shape[:2]
    information = (PRIOR_SHARE * precision).reshape(frames, points, 3, points, 3)
    each = np.arange(points)
    information[:, each, :, each, :] += across.swapaxes(0, 1)
    return information.reshape(precision.shape), PRIOR_SHARE * pull + toward.reshape(frames, -1)


def _band(
    information: Float[np.ndarray, "T 63 63"], smooth: Float[np.ndarray, "T 21"]
) -> Float[np.ndarray, "W N"]:
    """Return LAPACK's lower band storage of the frames' information and of weighted second differences.

    Row t of D takes x[t-1] - 2 x[t] + x[t+1] with weight `smooth[t]`; D^T W D couples a frame to the next two.
    """
    frames = len(information)
    weight = np.repeat(smooth, 3, axis=1)
    columns = np.zeros((frames, NUM_COORDINATES, 3 * NUM_COORDINATES))
    for c in range(NUM_COORDINATES):
        columns[:, c, : NUM_COORDINATES - c] = information[:, c:, c]
    columns[:, :, 0] += 4 * weight
    columns[:-1, :, 0] += weight[1:]
    columns[1:, :, 0] += weight[:-1]
    columns[:-1, :, NUM_COORDINATES] -= 2 * (weight[:-1] + weight[1:])
    columns[:-2, :, 2 * NUM_COORDINATES] += weight[1:-1]
    return columns.reshape(frames * NUM_COORDINATES, -1).T
