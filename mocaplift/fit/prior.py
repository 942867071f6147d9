"""What poses are likely: a Gaussian mixture over the rotations of the joints, learnt from motion capture.

The vector of a pose is the rotation vectors of its local joint rotations (joint order in the weight file). The
cost is the negative log of the likeliest component, with the tail of a Student-t, so that a pose that nobody
recorded costs something but is not forbidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import WeightsError
from mocaplift.layouts import SMPL24
from mocaplift.rotations import to_rotvec
from mocaplift.values import Layout
from mocaplift.weights import load_arrays, locate

# Degrees of freedom of the tail (per dimension): a pose that is not like any recorded one is pulled less.
TAIL = 1.0
# Limits are those of recorded people, widened (radians): dancers and fighters go farther than most.
LIMIT_MARGIN = 0.3


@dataclass(frozen=True, eq=False)
class PosePrior:
    """A mixture of K Gaussians over N joints, and the range (low, high) of every number of the pose vector."""

    joints: tuple[str, ...]
    weights: Float[np.ndarray, "K"]
    means: Float[np.ndarray, "K M"]
    precisions: Float[np.ndarray, "K M M"]
    limits: tuple[Float[np.ndarray, "M"], Float[np.ndarray, "M"]]

    @cached_property
    def _log_scale(self) -> Float[np.ndarray, "K"]:
        _, log_det = np.linalg.slogdet(self.precisions)
        return np.log(self.weights) + 0.5 * log_det

    @cached_property
    def _roots(self) -> Float[np.ndarray, "K M M"]:
        """Cholesky factors L of the precisions, P = L L^T."""
        return np.linalg.cholesky(self.precisions)

    def vector(self, rotations: Float[np.ndarray, "T J 4"], layout: Layout) -> Float[np.ndarray, "T M"]:
        """Return the pose vectors of local rotations."""
        return to_rotvec(rotations[:, layout.index(*self.joints)]).reshape(len(rotations), -1)

    def components(
        self, vector: Float[np.ndarray, "T M"]
    ) -> tuple[Int[np.ndarray, "T"], Float[np.ndarray, "T"]]:
        """Return each pose's likeliest component, and its squared Mahalanobis distance per dimension."""
        distance = np.zeros((len(vector), len(self.weights)))
        for k, root in enumerate(self._roots):
            distance[:, k] = np.square((vector - self.means[k]) @ root).sum(axis=-1)
        best = (self._log_scale - 0.5 * distance).argmax(axis=-1)
        return best, distance[np.arange(len(vector)), best] / vector.shape[1]

    def cost(self, vector: Float[np.ndarray, "T M"]) -> Float[np.ndarray, "T"]:
        """Return the cost of each pose: the tail of a Student-t over the Mahalanobis distance, per dimension."""
        best, distance = self.components(vector)
        offset = (self._log_scale.max() - self._log_scale[best]) / vector.shape[1]
        return 0.5 * TAIL * np.log1p(distance / TAIL) + offset


@lru_cache(maxsize=4)
def load_prior(name: str = "pose-prior") -> PosePrior:
    """Return the mixture of a weight file.

    Raises:
        WeightsError: the file is missing, damaged or incomplete.
    """
    path = locate(name)
    arrays, header = load_arrays(path, "pose-prior")
    try:
        joints = tuple(header["prior_joints"])
        places = SMPL24.index(*joints)
        low, high = (arrays[f"limits_{end}"].astype(float)[places].reshape(-1) for end in ("low", "high"))
        return PosePrior(
            joints=joints,
            limits=(low - LIMIT_MARGIN, high + LIMIT_MARGIN),
            weights=arrays["gmm_weights"].astype(float),
            means=arrays["gmm_means"].astype(float),
            precisions=arrays["gmm_precisions"].astype(float),
        )
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error}") from error


def inverse_right_jacobian(v: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return d log(R exp(w)) / dw at w = 0, log R = v: how turns in the joint's axes move its rotation vector.

    Jr^-1(v) = I + [v]/2 + (1/a^2 - (1 + cos a) / (2 a sin a)) [v]^2, a = |v| (J. Sola et al., "A micro Lie
    theory for state estimation in robotics", eq. 144).
    """
    angle = np.linalg.norm(v, axis=-1)
    small = angle < 1e-4
    a = np.where(small, 1.0, np.minimum(angle, np.pi - 1e-3))
    factor = np.where(small, 1.0 / 12.0, 1 / a**2 - (1 + np.cos(a)) / (2 * a * np.sin(a)))
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack(
        [np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], axis=-2
    )
    return np.eye(3) + 0.5 * cross + factor[..., None, None] * (cross @ cross)
