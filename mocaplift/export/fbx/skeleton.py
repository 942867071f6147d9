"""Bones: a node for each, how they rest, and how they move.

A bone's rest rotation is the node's PreRotation (Maya's joint orient), so that its curves are zero in the rest
pose. The node's own values are the rest pose too: what programs take for it where there is no mesh.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.export.fbx.animation import Take
from mocaplift.export.fbx.records import Node
from mocaplift.export.fbx.scene import ORDER, SCENE, Objects, Space, flat, lcl, model, properties, row
from mocaplift.export.rigged import Rigged
from mocaplift.layouts import CONTACT_POINTS

# How thick programs draw a bone.
_SIZE = 0.03  # m
# Which of our joints carries a contact point: the heel is the ankle's, the toe is that of the ball of the foot.
CARRIERS = {"heel": "ankle", "big_toe": "foot"}
CONTACT_PREFIX = "contact_"


def add_bones(objects: Objects, rigged: Rigged, space: Space) -> list[np.int64]:
    """Add the nodes of all bones; return their numbers, in the rig's order."""
    numbers: list[np.int64] = []
    contacts = contact_columns(rigged)
    for bone, (name, parent) in enumerate(zip(rigged.names, rigged.parents, strict=True)):
        is_root = parent < 0
        offset = rigged.offsets[bone]
        rest = rigged.rest[bone]
        if is_root:
            rest = rotations.multiply(space.turn, rest)
        place = space.points(offset) if is_root else offset * space.per_metre
        rows = [
            row("RotationActive", "bool", 1),
            row("PreRotation", "Vector3D", *space.degrees(rest).tolist()),
            row("InheritType", "enum", 1),
            row("DefaultAttributeIndex", "int", 0),
            lcl("Translation", place),
            lcl("Rotation", np.zeros(3)),
            lcl("Scaling", np.ones(3)),
            *(row(contact, "double", 0.0, flags="A+U") for contact in contacts.get(bone, {})),
        ]
        number = objects.add("Model", name, "Model", "LimbNode", model(rows))
        drawn = [
            Node("TypeFlags", ("Skeleton",)),
            properties([row("Size", "double", _SIZE * space.per_metre)]),
        ]
        look = objects.add("NodeAttribute", name, "NodeAttribute", "LimbNode", drawn)
        objects.connect(number, SCENE if is_root else numbers[parent])
        objects.connect(look, number)
        numbers.append(number)
    return numbers


def add_bind_pose(objects: Objects, nodes: list[np.int64], matrices: Float[np.ndarray, "N 4 4"]) -> None:
    """Say where nodes are (file's units and axes) when nothing moves."""
    poses = [
        Node("PoseNode", (), [Node("Node", (node,)), Node("Matrix", (flat(matrix),))])
        for node, matrix in zip(nodes, matrices, strict=True)
    ]
    head = [Node("Type", ("BindPose",)), Node("Version", (100,)), Node("NbPoseNodes", (len(nodes),))]
    objects.add("Pose", "BindPose", "Pose", "BindPose", [*head, *poses])


def move_bones(take: Take, bones: list[np.int64], rigged: Rigged, space: Space) -> None:
    """Add the curves: rotations of all bones, translations of those that have them, contacts of the feet."""
    turns = rotations.multiply(rotations.conjugate(rigged.rest), rigged.rotations)
    angles = rotations.to_continuous_euler_deg(ORDER, turns)
    for bone, number in enumerate(bones):
        is_root = rigged.parents[bone] < 0
        if is_root or bone in rigged.places:
            still = np.broadcast_to(rigged.offsets[bone], (len(turns), 3))
            path = rigged.places.get(bone, still)
            path = space.points(path) if is_root else path * space.per_metre
            # The root has a key on every frame even if it stands still: somebody must tell how long the take is.
            take.animate(number, "Lcl Translation", "T", dict(zip("XYZ", path.T, strict=True)), whole=is_root)
        take.animate(number, "Lcl Rotation", "R", dict(zip(ORDER, angles[:, bone].T, strict=True)))
    for bone, columns in contact_columns(rigged).items():
        for name, values in columns.items():
            take.switch(bones[bone], name, values)


def contact_columns(rigged: Rigged) -> dict[int, dict[str, Float[np.ndarray, "T"]]]:
    """Return the contacts (1 on the floor, 0 off) by bone and by the property's name; none if unknown."""
    columns: dict[int, dict[str, Float[np.ndarray, "T"]]] = {}
    if rigged.contacts is None:
        return columns
    for column, point in enumerate(CONTACT_POINTS):
        side, part = point.split("_", 1)
        carriers = [f"{side}_{CARRIERS[part]}", f"{side}_ankle"]
        bone = next((rigged.joints.index(joint) for joint in carriers if joint in rigged.joints), 0)
        columns.setdefault(bone, {})[CONTACT_PREFIX + point] = rigged.contacts[:, column].astype(float)
    return columns


def rest_matrices(rigged: Rigged, space: Space) -> Float[np.ndarray, "J 4 4"]:
    """Return every bone at rest in the file's world."""
    xyz, turned = rigged.rest_world()
    out = np.tile(np.eye(4), (len(xyz), 1, 1))
    out[:, :3, :3] = rotations.to_matrix(rotations.multiply(space.turn, turned))
    out[:, :3, 3] = space.points(xyz)
    return out
