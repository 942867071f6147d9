"""Joint angles of hip, knee, ankle, shoulder and elbow as CSV, by the conventions of the ISB.

G. Wu et al., J. Biomechanics 35 (2002) 543-548 (hip, ankle) and 38 (2005) 981-992 (shoulder, elbow); E. Grood and
W. Suntay, J. Biomech. Eng. 105 (1983) 136-144 (knee). Axes of every segment in the neutral pose (standing, arms
hanging, palms forward): X forward, Y up, Z to the person's right. The left side is mirrored, so that every
angle means the same on both sides. Degrees; the proximal segment's axes come first.

* hip (thigh to pelvis), Z-X-Y: flexion + (thigh forward), adduction + (towards the other leg), rotation +
  internal.
* knee (shank to thigh), Z-X-Y: flexion + (heel to buttock: minus the turn about Z), adduction + (varus), rotation
  + internal.
* ankle (foot to shank), Z-X-Y: dorsiflexion + (toes up), inversion + (sole inwards), rotation + internal.
* shoulder (upper arm to thorax), Y-X-Y: plane of elevation (0 sideways, 90 forward, -90 backward), elevation (0
  hanging, 90 level; the ISB's angle with its sign turned), rotation + internal. While the arm hangs (elevation
  near 0) or is straight up, plane and rotation cannot be told apart: only their sum means something.
* elbow (forearm to upper arm), Z-X-Y: flexion +, adduction + (towards the body: minus the carrying angle),
  pronation + (0 palm forward, 90 palm down in a T-pose). Detectors without fingers do not see pronation.

Neutral is straight: segments of limbs lie along the lines between joint centres (hip-knee, knee-ankle,
shoulder-elbow, elbow-wrist). Pelvis, thorax (spine3) and foot have no bony landmarks here; their neutral is the
upright T-pose of the person's own skeleton, feet flat.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics
from mocaplift.rotations import (
    IDENTITY,
    about_axis,
    conjugate,
    from_two_vectors,
    multiply,
    to_euler_deg,
    to_matrix,
)
from mocaplift.values import SkeletonMotion

SIDES = ("left", "right")
# The three angles of every joint, in the order of the turns.
ANGLES = {
    "hip": ("flexion", "adduction", "rotation"),
    "knee": ("flexion", "adduction", "rotation"),
    "ankle": ("dorsiflexion", "inversion", "rotation"),
    "shoulder": ("elevation_plane", "elevation", "rotation"),
    "elbow": ("flexion", "adduction", "pronation"),
}
COLUMNS = tuple(
    f"{side}_{joint}_{angle}" for joint, angles in ANGLES.items() for side in SIDES for angle in angles
)
# Which joints of ours turn the two segments.
_SEGMENTS = {
    "hip": ("pelvis", "*_hip"),
    "knee": ("*_hip", "*_knee"),
    "ankle": ("*_knee", "*_ankle"),
    "shoulder": ("spine3", "*_shoulder"),
    "elbow": ("*_shoulder", "*_elbow"),
}
# Which way a segment points in an exact T-pose (left side, our axes), and the joint it ends in.
_LIMBS = {
    "*_hip": ((0.0, -1.0, 0.0), "*_knee"),
    "*_knee": ((0.0, -1.0, 0.0), "*_ankle"),
    "*_shoulder": ((1.0, 0.0, 0.0), "*_elbow"),
    "*_elbow": ((1.0, 0.0, 0.0), "*_wrist"),
}
# So near (degrees) to hanging or straight up, only the sum of plane and rotation is known: the plane is 0 there.
POLE = 1e-6
_HEADER = (
    "joint angles in degrees by the ISB (Wu et al. 2002, 2005; knee: Grood and Suntay 1983), left side mirrored",
    "hip Z-X-Y: flexion + forward, adduction + inwards, rotation + internal",
    "knee Z-X-Y: flexion + heel to buttock, adduction + varus, rotation + internal",
    "ankle Z-X-Y: dorsiflexion + toes up, inversion + sole inwards, rotation + internal",
    "shoulder Y-X-Y: elevation_plane 0 sideways 90 forward, elevation 0 hanging, rotation + internal",
    "elbow Z-X-Y: flexion +, adduction + inwards, pronation 0 palm forward (not seen without finger keypoints)",
)


def joint_angles(motion: SkeletonMotion) -> Float[np.ndarray, "T C"]:
    """Return the angles of `COLUMNS` in degrees, without jumps over time.

    Raises:
        InvalidData: the skeleton lacks one of the joints.
    """
    _, world = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    columns = []
    for joint, segments in _SEGMENTS.items():
        for side in SIDES:
            proximal, distal = (_segment(motion, world, name, side) for name in segments)
            turn = multiply(conjugate(proximal), distal)
            if side == "left":  # mirrored in the plane that parts left from right
                turn = turn * np.array([1.0, -1.0, -1.0, 1.0])
            columns.append(_shoulder(turn) if joint == "shoulder" else _hinge(turn, joint))
    return np.concatenate(columns, axis=1)


def encode(motion: SkeletonMotion, fps: Fraction | float) -> bytes:
    """Return the angles as CSV: lines that define them (beginning with #), names, then a line for each frame.

    Raises:
        InvalidData: the skeleton lacks one of the joints.
    """
    table = np.round(joint_angles(motion), 4) + 0.0
    lines = [f"# {line}" for line in _HEADER]
    lines.append(",".join(("frame", "time_s", *(f"{name}_deg" for name in COLUMNS))))
    row, step = ",".join(["%.4f"] * len(COLUMNS)), 1 / Fraction(fps)
    lines.extend(
        f"{frame},{float(frame * step):.9f},{row % tuple(angles)}"
        for frame, angles in enumerate(table.tolist())
    )
    return ("\n".join(lines) + "\n").encode("ascii")


def _segment(
    motion: SkeletonMotion, world: Float[np.ndarray, "T J 4"], name: str, side: str
) -> Float[np.ndarray, "T 4"]:
    """Return how a segment's anatomical axes are turned from the neutral pose, in the axes of the ISB."""
    layout, sign = motion.skeleton.layout, 1.0 if side == "left" else -1.0
    turned = world[:, layout.at(name.replace("*", side))]
    if name in _LIMBS:
        along, end = _LIMBS[name]
        offset = motion.skeleton.offsets[layout.at(end.replace("*", side))]
        straight = from_two_vectors(np.array(along) * (sign, 1.0, 1.0), offset)
        turned = multiply(turned, straight)
    return multiply(_isb(turned), _at_rest(name, sign))


def _isb(q: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """Return rotations of our axes (x left, y up, z forward) in the ISB's (x forward, y up, z right)."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    return np.stack([w, z, y, -x], axis=-1)


def _at_rest(name: str, sign: float) -> Float[np.ndarray, "4"]:
    """Return how a segment's axes are turned in the T-pose, relative to the neutral pose.

    The upper arm is raised sideways by a right angle; the elbow's hinge, which points sideways while the arm
    hangs with the palm forward, is then vertical, as ours is. The forearm rests with the palm down besides.
    """
    if name not in ("*_shoulder", "*_elbow"):
        return IDENTITY
    raised = about_axis("X", sign * np.pi / 2)
    return raised if name == "*_shoulder" else multiply(raised, about_axis("Y", -sign * np.pi / 2))


def _hinge(turn: Float[np.ndarray, "T 4"], joint: str) -> Float[np.ndarray, "T 3"]:
    """Return the angles about Z, then the floating axis, then Y."""
    degrees = np.unwrap(to_euler_deg("ZXY", turn), axis=0, period=360.0)
    return degrees * np.array([-1.0 if joint == "knee" else 1.0, 1.0, 1.0])


def _shoulder(turn: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 3"]:
    """Return plane of elevation, elevation and rotation: R = Ry(plane) Rx(-elevation) Ry(rotation)."""
    m = to_matrix(turn)
    elevation = np.degrees(np.arccos(np.clip(m[:, 1, 1], -1.0, 1.0)))
    # Column 1 is (-sin e sin p, cos e, -sin e cos p): the upper arm's +Y, from the elbow up.
    plane = np.degrees(np.arctan2(-m[:, 0, 1], -m[:, 2, 1]))
    rotation = np.degrees(np.arctan2(-m[:, 1, 0], m[:, 1, 2]))
    hangs = (elevation < POLE) | (elevation > 180.0 - POLE)
    plane = np.where(hangs, 0.0, plane)
    rotation = np.where(hangs, np.degrees(np.arctan2(m[:, 0, 2], m[:, 0, 0])), rotation)
    return np.stack([np.unwrap(plane, period=360.0), elevation, np.unwrap(rotation, period=360.0)], axis=-1)
