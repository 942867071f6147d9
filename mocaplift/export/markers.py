"""A motion as named points: what marker formats (TRC, C3D) write.

Motions that we fitted have the body21 keypoints, named as OpenPose's users name them (RKnee, LBigToe), which
OpenSim's marker sets for video know; then the joints that no keypoint stands for (Pelvis, Spine1, LHand). Other
motions have their joints under their own names.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics
from mocaplift.export.presets import ExportOptions
from mocaplift.export.rigged import Exportable, Rigged, adapted, prepared
from mocaplift.export.timing import exact_rate
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.values import SkeletonMotion

MM = 1000.0
_SIDES = {"left": "L", "right": "R"}


class Markers(NamedTuple):
    """Points by name in our world: metres, +Y up."""

    names: tuple[str, ...]
    xyz: Float[np.ndarray, "T M 3"]
    fps: Fraction | float


def markers_of(value: Exportable, options: ExportOptions) -> Markers:
    """Return the markers of a motion, at the rate and in the place that the options ask for.

    Raises:
        ConfigError: the rate is unknown.
        InvalidData: the motion has no frames.
    """
    if isinstance(value, Rigged):
        rigged = adapted(value, replace(options, root="hips"))
        return Markers(_without_blanks(rigged.names), rigged.world()[0], rigged.fps)
    motion, _ = prepared(value, options)
    joints, own = motion.skeleton.layout.joints, kinematics.joints_of(motion).xyz
    keypoints = _keypoints(motion)
    if keypoints is None:
        names = tuple(marker_name(joint) for joint in joints) if joints == SMPL24.joints else joints
        return Markers(_without_blanks(names), own, exact_rate(motion.fps))
    others = [joint for joint in joints if joint not in BODY21.joints]
    xyz = np.concatenate([keypoints, own[:, motion.skeleton.layout.index(*others)]], axis=1)
    names = tuple(marker_name(joint) for joint in (*BODY21.joints, *others))
    return Markers(names, xyz, exact_rate(motion.fps))


def marker_name(joint: str) -> str:
    """Return a joint's name as marker files have it: left_big_toe is LBigToe."""
    side, _, part = joint.partition("_")
    words = part.split("_") if side in _SIDES else joint.split("_")
    return _SIDES.get(side, "") + "".join(word.capitalize() for word in words)


def _without_blanks(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names with _ for blanks: in a TRC file a tab ends a name."""
    return tuple("_".join(name.split()) for name in names)


def _keypoints(motion: SkeletonMotion) -> Float[np.ndarray, "T K 3"] | None:
    """Return the body21 points, None for skeletons that our body model did not make."""
    if motion.skeleton.shape is None or motion.skeleton.layout.joints != SMPL24.joints:
        return None
    from mocaplift.body import body_keypoints

    return body_keypoints(motion).xyz
