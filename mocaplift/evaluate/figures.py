"""Figures of any joints against their truth: the path of the root, the pose about it, and a rigid thing's pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mocaplift.cameras import centre, rays
from mocaplift.evaluate import metrics
from mocaplift.evaluate.alignment import Transform, align
from mocaplift.lift.mvlift.conditions import expected_sigma, observed
from mocaplift.lift.mvlift.figure import Figure
from mocaplift.values import Camera, Keypoints2D

# The row of what was seen, put onto a plane as far away as the bones say: no depth at all.
FLAT = "flat"
# After a lifter's name: the points of the rigid thing are those of its shape at the fitted pose.
RIGID = "+rigid"
UNITS = {
    "t_root": "mm",
    "t_root_released": "mm",
    "mpjpe": "mm",
    "pa_mpjpe": "mm",
    "pa_mpjpe_sequence": "mm",
    "t_object": "mm",
    "object_mpjpe": "mm",
    "object_turn": "deg",
}


def root_of(xyz: Float[np.ndarray, "*lead J 3"], figure: Figure) -> Float[np.ndarray, "*lead 3"]:
    """Return the middle of the joints that the figure calls its root."""
    return xyz[..., figure.layout.index(*figure.root), :].mean(axis=-2)


def bone_lengths(xyz: Float[np.ndarray, "T J 3"], figure: Figure) -> Float[np.ndarray, "B"]:
    """Return the mean lengths of the bones, metres."""
    lengths: np.ndarray = np.linalg.norm(xyz[:, figure.starts] - xyz[:, figure.ends], axis=-1).mean(axis=0)
    return lengths


def size_of(xyz: Float[np.ndarray, "T J 3"], figure: Figure) -> float:
    """Return how large a figure is against the usual one: the ratio of the summed lengths of bones."""
    return float(bone_lengths(xyz, figure).sum() / (figure.lengths.sum() * figure.unit))


def pose_scores(
    found: Float[np.ndarray, "T J 3"], truth: Float[np.ndarray, "T J 3"], figure: Figure, parts: Sequence[str]
) -> dict[str, float]:
    """Return the errors of the root's path and of some joints about the root, mm. No rotation, no scale."""
    chosen = figure.layout.index(*parts)
    root, true_root = root_of(found, figure), root_of(truth, figure)
    pose = found[:, chosen] - root[:, None]
    true = truth[:, chosen] - true_root[:, None]
    together = align(pose.reshape(-1, 3), true.reshape(-1, 3), with_scale=True)
    return {
        "t_root": metrics.t_root(root, true_root),
        "t_root_released": metrics.t_root_released(root, true_root),
        "mpjpe": float(metrics.joint_errors(pose, true).mean()),
        "pa_mpjpe": metrics.pa_mpjpe(pose, true),
        "pa_mpjpe_sequence": float(
            metrics.joint_errors(together.apply(pose.reshape(-1, 3)), true.reshape(-1, 3)).mean()
        ),
    }


def rigid_pose(points: Float[np.ndarray, "T K 3"], shape: Float[np.ndarray, "K 3"]) -> Transform:
    """Return the rotations and places (m) at which a rigid shape is nearest to its points, frame by frame.

    Least squares, every point alike (Kabsch). Frames with fewer than four known points are NaN.
    """
    return align(np.broadcast_to(shape, points.shape), points, with_scale=False)


def made_rigid(
    points: Float[np.ndarray, "T K 3"], shape: Float[np.ndarray, "K 3"]
) -> Float[np.ndarray, "T K 3"]:
    """Return the points of a rigid shape that is nearest to given ones, frame by frame."""
    return rigid_pose(points, shape).apply(np.broadcast_to(shape, points.shape))


def object_scores(
    found: Float[np.ndarray, "T K 3"],
    truth: Float[np.ndarray, "T K 3"],
    shape: Float[np.ndarray, "K 3"],
    root: Float[np.ndarray, "T 3"],
    true_root: Float[np.ndarray, "T 3"],
) -> dict[str, float]:
    """Return the errors of a rigid thing's points: of their middle, about it (mm), and of the fitted turn (deg).

    As MVLift measures on OMOMO, the first frame's roots are put onto each other; the middle is not.
    """
    middle, true_middle = found.mean(axis=1) - root[0], truth.mean(axis=1) - true_root[0]
    pose, true_pose = rigid_pose(found, shape), rigid_pose(truth, shape)
    turn = np.swapaxes(true_pose.rotation, -1, -2) @ pose.rotation
    cosine = np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0)
    about = found - found.mean(axis=1, keepdims=True)
    true_about = truth - truth.mean(axis=1, keepdims=True)
    return {
        "t_object": float(metrics.joint_errors(middle, true_middle).mean()),
        "object_mpjpe": float(metrics.joint_errors(about, true_about).mean()),
        "object_turn": float(np.degrees(np.arccos(cosine)).mean()),
    }


def flat(view: Keypoints2D, camera: Camera, figure: Figure) -> Float[np.ndarray, "T J 3"]:
    """Return what was seen, put onto a plane as far away as the bones say; world metres.

    Joints that were not seen are in the middle of the others.
    """
    direction = rays(camera, np.nan_to_num(view.xy))
    seen = observed(direction[None], expected_sigma(view, figure)[None], figure)
    depth = np.broadcast_to(seen.distance[:, None, None, None], (*seen.plane.shape[:-1], 1))
    points = np.concatenate([seen.plane, depth], axis=-1) @ seen.axes[:, None]
    return figure.unit * points[0] + centre(camera)
