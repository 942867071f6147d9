"""A first guess of joint rotations from keypoints alone, bone by bone.

Each bone's frame is built from the directions that the keypoints show, with the axes of the rest pose: T-pose
facing +Z, left at +X. A knee bends about +X of its thigh; a left elbow about -Y, a right elbow about +Y.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift.layouts import BODY21
from mocaplift.rotations import conjugate, from_matrix, from_two_vectors, multiply, rotate, slerp
from mocaplift.values import Layout

# How much a limb's bend axis leans on its parent's axes: it decides when the limb is straight (sine of the bend).
STRAIGHT_BLEND = 0.15
# Directions whose sine is below this are taken for parallel; feet shorter than this (m) for unseen.
LEAST_SINE, SHORTEST_FOOT = 1e-3, 1e-3


def rotations_from_points(xyz: Float[np.ndarray, "T 21 3"], layout: Layout) -> Float[np.ndarray, "T J 4"]:
    """Return local rotations (wxyz) that bring the rest pose near body21 points; all points must be finite.

    Joints that body21 does not tell (wrists, hands, toes, collars) stay at rest.
    """
    at = {joint: xyz[:, i] for i, joint in enumerate(BODY21.joints)}
    world = _torso_frames(at)
    for side in ("left", "right"):
        world |= _leg_frames(at, side, world["pelvis"])
        world |= _arm_frames(at, side, world["spine3"])
    local = np.zeros((len(xyz), len(layout), 4))
    local[..., 0] = 1.0
    turned = {"pelvis": from_matrix(world["pelvis"])}
    local[:, layout.at("pelvis")] = turned["pelvis"]
    chest = multiply(conjugate(turned["pelvis"]), from_matrix(world["spine3"]))
    third = slerp(np.broadcast_to([1.0, 0, 0, 0], chest.shape), chest, 1 / 3)
    for joint in ("spine1", "spine2", "spine3"):
        local[:, layout.at(joint)] = third
    turned["spine3"] = multiply(turned["pelvis"], chest)
    nod = multiply(conjugate(turned["spine3"]), from_matrix(world["head"]))
    half = slerp(np.broadcast_to([1.0, 0, 0, 0], nod.shape), nod, 0.5)
    for joint in ("neck", "head"):
        local[:, layout.at(joint)] = half
    for side in ("left", "right"):
        for chain, base in (
            (("hip", "knee", "ankle"), "pelvis"),
            (("shoulder", "elbow"), "spine3"),
        ):
            parent = turned[base]
            for joint in chain:
                name = f"{side}_{joint}"
                turned[name] = from_matrix(world[name])
                local[:, layout.at(name)] = multiply(conjugate(parent), turned[name])
                parent = turned[name]
    return local


def _unit(v: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def _frame(x: Float[np.ndarray, "T 3"], y: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """Return rotation matrices whose y column is exact and whose x column is as near as it can be."""
    y = _unit(y)
    z = _unit(np.cross(x, y))
    # Parallel x and y leave z undefined: any normal of y will do.
    lost = np.linalg.norm(z, axis=-1, keepdims=True) < 0.5
    z = np.where(lost, _unit(np.cross(y + np.array([0.3, 0.1, 0.7]), y)), z)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def _torso_frames(at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    up = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
    pelvis = _frame(at["left_hip"] - at["right_hip"], up)
    chest = _frame(at["left_shoulder"] - at["right_shoulder"], up)
    ears = (at["left_ear"] + at["right_ear"]) / 2
    # The nose lies in front of the ears and a little below them: turn that line up to the face's forward.
    forward = _unit(at["nose"] - ears)
    across = _unit(at["left_ear"] - at["right_ear"])
    head = _frame(across, np.cross(forward, across))
    # Of a face with one point known (the others stand in its place), the chest tells the direction.
    lost = np.linalg.norm(np.cross(forward, across), axis=-1) < LEAST_SINE
    head = np.where(lost[:, None, None], chest, head)
    return {"pelvis": pelvis, "spine3": chest, "head": head}


def _leg_frames(at: dict[str, np.ndarray], side: str, pelvis: np.ndarray) -> dict[str, np.ndarray]:
    hip, knee, ankle = (at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
    thigh, shin = _unit(knee - hip), _unit(ankle - knee)
    bend = np.cross(thigh, shin) + STRAIGHT_BLEND * pelvis[..., 0]
    upper, lower = _frame(bend, -thigh), _frame(bend, -shin)
    foot = at[f"{side}_big_toe"] - at[f"{side}_heel"]
    # Feet that nobody saw stand in their ankle's place: they point as at rest.
    foot = np.where(np.linalg.norm(foot, axis=-1, keepdims=True) < SHORTEST_FOOT, lower[..., 2], foot)
    # Smallest turn from where the shin would point the foot to where it points.
    turn = from_two_vectors(lower[..., 2], foot)
    return {
        f"{side}_hip": upper,
        f"{side}_knee": lower,
        f"{side}_ankle": np.stack([rotate(turn, lower[..., i]) for i in range(3)], axis=-1),
    }


def _arm_frames(at: dict[str, np.ndarray], side: str, chest: np.ndarray) -> dict[str, np.ndarray]:
    shoulder, elbow, wrist = (at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    upper, fore = _unit(elbow - shoulder), _unit(wrist - elbow)
    outwards = 1.0 if side == "left" else -1.0
    bend = -outwards * np.cross(upper, fore) + STRAIGHT_BLEND * chest[..., 1]
    frames = {}
    for joint, direction in (("shoulder", upper), ("elbow", fore)):
        x = outwards * direction
        z = _unit(np.cross(x, bend))
        frames[f"{side}_{joint}"] = np.stack([x, np.cross(z, x), z], axis=-1)
    return frames
