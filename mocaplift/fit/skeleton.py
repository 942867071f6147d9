"""Poses of the fit as motions, and back."""

from __future__ import annotations

from mocaplift.body import Body
from mocaplift.errors import InvalidData
from mocaplift.fit.linearize import Pose
from mocaplift.rotations import make_continuous
from mocaplift.values import SkeletonMotion


def motion_of(pose: Pose, body: Body, fps: float) -> SkeletonMotion:
    """Return a pose as a motion of the body's skeleton."""
    return SkeletonMotion(
        skeleton=body.skeleton(pose.shape),
        rotations=make_continuous(pose.rotations),
        root=pose.root,
        fps=fps,
    )


def pose_of(motion: SkeletonMotion) -> Pose:
    """Return a motion of the body model's skeleton as unknowns of the fit.

    Raises:
        InvalidData: the skeleton was not made by the body model.
    """
    if motion.skeleton.shape is None:
        raise InvalidData(
            "this skeleton was not fitted by mocaplift (it has no shape coefficients), so keypoints cannot be "
            "attached to it"
        )
    return Pose(rotations=motion.rotations, root=motion.root, shape=motion.skeleton.shape)
