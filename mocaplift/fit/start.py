"""From lifted points to a pose to start the fit from."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.fit.ik import rotations_from_points
from mocaplift.fit.linearize import Pose, Tree, keypoints_of
from mocaplift.layouts import BODY21
from mocaplift.rotations import make_continuous
from mocaplift.values import Motion3D

# A body without some joints borrows them from where a standing person has them, in this order of need.
_STANDINS = {
    "left_eye": "nose", "right_eye": "nose", "left_ear": "left_eye", "right_ear": "right_eye",
    "nose": "left_ear", "left_big_toe": "left_ankle", "right_big_toe": "right_ankle",
    "left_heel": "left_ankle", "right_heel": "right_ankle",
}  # fmt: skip


def filled(motion: Motion3D) -> Float[np.ndarray, "T 21 3"]:
    """Return the points with gaps in time interpolated; whole missing joints are taken from the rest of the body.

    Raises:
        InvalidData: a joint other than face and feet is missing in every frame.
    """
    xyz = motion.xyz.copy()
    frames = np.arange(len(xyz))
    for joint in range(xyz.shape[1]):
        seen = np.isfinite(xyz[:, joint, 0])
        if seen.any() and not seen.all():
            for axis in range(3):
                xyz[:, joint, axis] = np.interp(frames, frames[seen], xyz[seen, joint, axis])
    for name, other in _STANDINS.items():
        here, there = motion.layout.at(name), motion.layout.at(other)
        if np.isnan(xyz[:, here]).any():
            xyz[:, here] = xyz[:, there]
    missing = [joint for i, joint in enumerate(motion.layout.joints) if np.isnan(xyz[:, i]).any()]
    if missing:
        raise InvalidData(f"these joints were lifted in no frame: {', '.join(missing)}")
    return xyz


def pose_from_points(xyz: Float[np.ndarray, "T 21 3"], tree: Tree, shape: Float[np.ndarray, "S"]) -> Pose:
    """Return a pose whose bones point where the points do, its hips' middle where theirs is."""
    rotations = make_continuous(rotations_from_points(xyz, tree.body.layout))
    there = Pose(rotations=rotations, root=np.zeros((len(xyz), 3)), shape=shape)
    hips = BODY21.index("left_hip", "right_hip")
    offset = keypoints_of(there, tree).xyz[:, hips].mean(axis=1)
    return Pose(rotations=rotations, root=xyz[:, hips].mean(axis=1) - offset, shape=shape)
