"""Forward kinematics: from local rotations to joints in the world."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.rotations import multiply, rotate
from mocaplift.values import Motion3D, Skeleton, SkeletonMotion


def forward(
    skeleton: Skeleton, rotations: Float[np.ndarray, "T J 4"], root: Float[np.ndarray, "T 3"]
) -> tuple[Float[np.ndarray, "T J 3"], Float[np.ndarray, "T J 4"]]:
    """Return the joints' world positions (m) and world rotations (wxyz).

    x_child = x_parent + R_parent offset_child; R_child = R_parent R_local.
    """
    xyz = np.zeros((*rotations.shape[:2], 3))
    turned = np.array(rotations, dtype=float)
    xyz[:, 0] = root
    for child, parent in enumerate(skeleton.parents):
        if parent < 0:
            continue
        xyz[:, child] = xyz[:, parent] + rotate(turned[:, parent], skeleton.offsets[child])
        turned[:, child] = multiply(turned[:, parent], rotations[:, child])
    return xyz, turned


def joints_of(motion: SkeletonMotion) -> Motion3D:
    """Return where the skeleton's own joints are, in world metres; sigma 0, for they are no estimate."""
    xyz, _ = forward(motion.skeleton, motion.rotations, motion.root)
    return Motion3D(xyz=xyz, sigma=np.zeros(xyz.shape[:2]), layout=motion.skeleton.layout, fps=motion.fps)


def rest_positions(skeleton: Skeleton) -> Float[np.ndarray, "J 3"]:
    """Return the joints of the T-pose, in metres relative to the root."""
    rest = np.zeros_like(skeleton.offsets)
    for child, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rest[child] = rest[parent] + skeleton.offsets[child]
    return rest
