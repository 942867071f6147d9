"""Fitting a Gaussian mixture with full covariances by expectation maximisation, and the k-means that starts it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import InvalidData

KMEANS_ROUNDS = 25
EM_ROUNDS = 60
EM_TOLERANCE = 1e-4  # nats per pose: stop when the likelihood grows by less
NEGLIGIBLE = 1e-6  # share of a row in a component that is not worth a multiplication
CHUNK = 8192  # rows whose distances are held at once


@dataclass(frozen=True, eq=False)
class Mixture:
    """K Gaussians over M dimensions."""

    weights: Float[np.ndarray, "K"]
    means: Float[np.ndarray, "K M"]
    covariances: Float[np.ndarray, "K M M"]

    def log_densities(self, x: Float[np.ndarray, "N M"]) -> Float[np.ndarray, "N K"]:
        """Return the log of each component's weighted density at each row."""
        out = np.zeros((len(x), len(self.weights)))
        constant = x.shape[1] * np.log(2 * np.pi)
        for k, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            factor = np.linalg.cholesky(covariance)
            white = (x - mean) @ np.linalg.inv(factor).T
            log_det = 2 * np.log(np.diag(factor)).sum()
            out[:, k] = np.log(self.weights[k]) - 0.5 * (constant + log_det + np.square(white).sum(axis=1))
        return out

    def negative_log_likelihood(self, x: Float[np.ndarray, "N M"]) -> Float[np.ndarray, "N"]:
        """Return minus the log density of each row, in nats."""
        return -_log_sum_exp(self.log_densities(x))


def kmeans(
    x: Float[np.ndarray, "N M"], count: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "K M"], Int[np.ndarray, "N"]]:
    """Return cluster centres and each row's cluster (Lloyd's rounds from a k-means++ start).

    Raises:
        InvalidData: fewer rows than clusters.
    """
    if len(x) < count:
        raise InvalidData(f"{len(x)} rows cannot make {count} clusters")
    centres = x[[int(rng.integers(len(x)))]]
    nearest = np.square(x - centres[0]).sum(axis=1)
    while len(centres) < count:
        chosen = x[rng.choice(len(x), p=nearest / nearest.sum())]
        centres = np.concatenate([centres, chosen[None]])
        nearest = np.minimum(nearest, np.square(x - chosen).sum(axis=1))
    for _ in range(KMEANS_ROUNDS):
        cluster, distance = nearest_rows(x, centres)
        for k in range(count):
            members = x[cluster == k]
            # An emptied cluster starts again at the row that is served worst.
            centres[k] = members.mean(axis=0) if len(members) else x[distance.argmax()]
    return centres, nearest_rows(x, centres)[0]


def nearest_rows(
    x: Float[np.ndarray, "N M"], centres: Float[np.ndarray, "K M"]
) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """Return for each row the nearest centre and its squared distance."""
    cluster, distance = np.zeros(len(x), dtype=int), np.zeros(len(x))
    norms = np.square(centres).sum(axis=1)
    for begin in range(0, len(x), CHUNK):
        rows = x[begin : begin + CHUNK]
        squared = norms - 2 * rows @ centres.T
        best = squared.argmin(axis=1)
        cluster[begin : begin + CHUNK] = best
        distance[begin : begin + CHUNK] = squared[np.arange(len(rows)), best] + np.square(rows).sum(axis=1)
    return cluster, np.maximum(distance, 0.0)


def fit_mixture(
    x: Float[np.ndarray, "N M"], count: int, rng: np.random.Generator, *, shrinkage: float, floor: float
) -> Mixture:
    """Return the mixture that EM finds from a k-means start.

    Every covariance is (1 - shrinkage) of its own plus shrinkage of the pooled within-cluster one, plus floor^2
    on the diagonal: with few hundred poses a component and 51 dimensions the plain estimate is singular.

    Raises:
        InvalidData: fewer rows than components.
    """
    _, cluster = kmeans(x, count, rng)
    share = np.eye(count)[cluster]
    mixture = _maximise(x, share, shrinkage, floor)
    before = -np.inf
    for _ in range(EM_ROUNDS):
        logs = mixture.log_densities(x)
        total = _log_sum_exp(logs)
        if total.mean() - before < EM_TOLERANCE:
            break
        before = total.mean()
        mixture = _maximise(x, np.exp(logs - total[:, None]), shrinkage, floor)
    return mixture


def _maximise(x: np.ndarray, share: Float[np.ndarray, "N K"], shrinkage: float, floor: float) -> Mixture:
    count = share.sum(axis=0) + 1e-9
    means = share.T @ x / count[:, None]
    covariances = np.zeros((share.shape[1], x.shape[1], x.shape[1]))
    for k, mean in enumerate(means):
        mine = share[:, k] > NEGLIGIBLE
        away = x[mine] - mean
        covariances[k] = (share[mine, k, None] * away).T @ away / count[k]
    pooled = np.einsum("k,kij->ij", count / count.sum(), covariances)
    covariances = (1 - shrinkage) * covariances + shrinkage * pooled + floor**2 * np.eye(x.shape[1])
    return Mixture(count / count.sum(), means, covariances)


def _log_sum_exp(logs: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N"]:
    top = logs.max(axis=1)
    return top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
