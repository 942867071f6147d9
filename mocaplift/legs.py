"""Legs that reach for a given ankle: two bones, solved exactly, with as little change as possible."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.values import Skeleton

# A leg is not stretched beyond this share of its length: the last half percent is 11 degrees of the knee, which
# would snap straight. A leg that was straighter before may stay so.
LONGEST_REACH = 0.995
# Below this bend the plane of the knee is noise; the knee's own hinge axis takes over.
STRAIGHT_KNEE = np.radians(8.0)
# A knee bent backwards by less than this was meant to be straight.
BACKWARD_SLACK = np.radians(3.0)
_HINGE = np.array([1.0, 0.0, 0.0])  # a positive turn about +X of the rest pose bends the knee


class Leg(NamedTuple):
    """A leg in the world: where its joints are, and how its bones are turned."""

    hip: Float[np.ndarray, "T 3"]
    knee: Float[np.ndarray, "T 3"]
    ankle: Float[np.ndarray, "T 3"]
    hip_turn: Float[np.ndarray, "T 4"]
    knee_turn: Float[np.ndarray, "T 4"]


def leg_of(
    skeleton: Skeleton, xyz: Float[np.ndarray, "T J 3"], turned: Float[np.ndarray, "T J 4"], side: str
) -> Leg:
    """Return one leg from world positions and rotations of all joints.

    Raises:
        InvalidData: the skeleton has no such leg.
    """
    hip, knee, ankle = skeleton.layout.index(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
    return Leg(xyz[:, hip], xyz[:, knee], xyz[:, ankle], turned[:, hip], turned[:, knee])


def leg_length(leg: Leg) -> float:
    """Return the length (m) of the stretched leg, from hip to ankle."""
    bones = (leg.knee - leg.hip, leg.ankle - leg.knee)
    return float(sum(np.linalg.norm(bone, axis=-1).mean() for bone in bones))


def usual_leg_length(skeleton: Skeleton) -> float:
    """Return thigh and shin (m) of a skeleton, the mean of both sides.

    Raises:
        InvalidData: the skeleton has no such legs.
    """
    bones = skeleton.layout.index("left_knee", "left_ankle", "right_knee", "right_ankle")
    return float(np.linalg.norm(skeleton.offsets[bones], axis=-1).sum() / 2)


def reach_limit(leg: Leg) -> Float[np.ndarray, "T"]:
    """Return how far (m) the ankle may be from the hip in every frame."""
    now = np.linalg.norm(leg.ankle - leg.hip, axis=-1)
    return np.maximum(LONGEST_REACH * leg_length(leg), now)


def knee_bend(leg: Leg) -> Float[np.ndarray, "T"]:
    """Return the angle (rad) between thigh and shin; 0 is a straight leg."""
    thigh, shin = _unit(leg.knee - leg.hip), _unit(leg.ankle - leg.knee)
    return np.arctan2(np.linalg.norm(np.cross(thigh, shin), axis=-1), np.sum(thigh * shin, axis=-1))


def reach(
    leg: Leg, hip: Float[np.ndarray, "T 3"], ankle: Float[np.ndarray, "T 3"], limit: Float[np.ndarray, "T"]
) -> Leg:
    """Return the leg moved to a hip and stretched or bent until its ankle is there, or as near as `limit` allows.

    The knee turns about the axis about which it is bent already, then the whole leg by the smallest turn that
    brings the ankle to its place. With hip and ankle where they were, nothing changes.
    """
    target = ankle - hip
    distance = np.linalg.norm(target, axis=-1)
    thigh, shin = leg.knee - leg.hip, leg.ankle - leg.knee
    lengths = np.linalg.norm(thigh, axis=-1), np.linalg.norm(shin, axis=-1)
    shortest = np.abs(lengths[0] - lengths[1]) + 1e-6
    wanted = np.clip(distance, shortest, limit)
    bend = _bend_change(leg, thigh, shin, wanted)
    new_shin = rotations.rotate(bend, shin)
    whole = rotations.from_two_vectors(thigh + new_shin, target)
    knee = hip + rotations.rotate(whole, thigh)
    return Leg(
        hip=hip,
        knee=knee,
        ankle=knee + rotations.rotate(whole, new_shin),
        hip_turn=rotations.multiply(whole, leg.hip_turn),
        knee_turn=rotations.multiply(whole, rotations.multiply(bend, leg.knee_turn)),
    )


def _bend_change(
    leg: Leg,
    thigh: Float[np.ndarray, "T 3"],
    shin: Float[np.ndarray, "T 3"],
    distance: Float[np.ndarray, "T"],
) -> Float[np.ndarray, "T 4"]:
    """Return the turn of the shin about the knee (world axes) that puts the ankle this far from the hip.

    With axis n, the turned shin is n (n.s) + cos(a) (s - n (n.s)) + sin(a) n x s, so |thigh + shin|^2 is a
    constant plus m cos(a - straight): two solutions, either side of the straightest leg.
    """
    axis = _knee_axis(leg, thigh, shin)
    along = axis * np.sum(axis * shin, axis=-1, keepdims=True)
    cosine = np.sum(thigh * (shin - along), axis=-1)
    sine = np.sum(thigh * np.cross(axis, shin), axis=-1)
    straightest = np.arctan2(sine, cosine)
    squares = np.sum(thigh * thigh, axis=-1) + np.sum(shin * shin, axis=-1)
    needed = (distance**2 - squares) / 2 - np.sum(thigh * along, axis=-1)
    offset = np.arccos(np.clip(needed / np.maximum(np.hypot(cosine, sine), 1e-12), -1.0, 1.0))
    # Now the knee is at 0, so it is bent forwards by -straightest.
    sign = np.where(-straightest < -BACKWARD_SLACK, -1.0, 1.0)
    change = straightest + sign * offset
    return rotations.from_rotvec(axis * change[:, None])


def _knee_axis(
    leg: Leg, thigh: Float[np.ndarray, "T 3"], shin: Float[np.ndarray, "T 3"]
) -> Float[np.ndarray, "T 3"]:
    """Return the unit axis of every knee, pointing so that a positive turn bends it."""
    hinge = rotations.rotate(leg.hip_turn, _HINGE)
    hinge = _unit(hinge - _unit(thigh) * np.sum(hinge * _unit(thigh), axis=-1, keepdims=True))
    bent = np.cross(_unit(thigh), _unit(shin))
    sine = np.linalg.norm(bent, axis=-1, keepdims=True)
    facing = np.where(np.sum(bent * hinge, axis=-1, keepdims=True) < 0, -1.0, 1.0)
    trust = np.clip(sine / np.sin(STRAIGHT_KNEE), 0.0, 1.0)
    trust = trust * trust * (3 - 2 * trust)
    return _unit(trust * facing * bent / np.maximum(sine, 1e-9) + (1 - trust) * hinge)


def _unit(v: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)
