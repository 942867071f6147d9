"""A body on the bones: mesh, material, skin."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mocaplift import rotations
from mocaplift.errors import InvalidData
from mocaplift.export.fbx.records import Node
from mocaplift.export.fbx.scene import SCENE, Objects, Space, flat, lcl, model, properties, row
from mocaplift.export.skin import Skin

NAME = "Body"
# Plain grey, so that a file looks the same wherever it is opened.
_GREY = (0.6, 0.6, 0.6)


def add_body(
    objects: Objects,
    skin: Skin,
    bones: list[np.int64],
    names: tuple[str, ...],
    rest: Float[np.ndarray, "J 4 4"],
    space: Space,
) -> np.int64:
    """Add the mesh with its weights; return the number of its node. `rest` are the bones in the file's world.

    Raises:
        InvalidData: the skin names bones that the rig does not have.
    """
    if skin.joints.max(initial=0) >= len(bones):
        raise InvalidData(f"the skin names bone {skin.joints.max()}, but the rig has {len(bones)}")
    name = NAME
    while name in names:
        name += "_mesh"
    rows = [
        row("InheritType", "enum", 1),
        row("DefaultAttributeIndex", "int", 0),
        *(
            lcl(what, np.full(3, value))
            for what, value in (("Translation", 0.0), ("Rotation", 0.0), ("Scaling", 1.0))
        ),
    ]
    node = objects.add("Model", name, "Model", "Mesh", model(rows))
    shape = objects.add("Geometry", name, "Geometry", "Mesh", _geometry(skin, space))
    colours = [row(colour, "Color", *_GREY, flags="A") for colour in ("AmbientColor", "DiffuseColor")]
    paint = [Node("Version", (102,)), Node("ShadingModel", ("lambert",)), Node("MultiLayer", (0,))]
    material = objects.add("Material", name, "Material", "", [*paint, properties(colours)])
    deformer = [Node("Version", (101,)), Node("Link_DeformAcuracy", (50.0,))]
    skinned = objects.add("Deformer", name, "Deformer", "Skin", deformer)
    objects.connect(node, SCENE)
    for child, parent in ((shape, node), (material, node), (skinned, shape)):
        objects.connect(child, parent)
    for place, bone in enumerate(bones):
        # Bones that move no vertex have a cluster too: it is where Blender and Unreal look for their rest pose.
        cluster = objects.add(
            "Deformer", names[place], "SubDeformer", "Cluster", _cluster(skin, place, rest[place])
        )
        objects.connect(cluster, skinned)
        objects.connect(bone, cluster)
    return node


def _geometry(skin: Skin, space: Space) -> list[Node]:
    corners = skin.triangles.astype("<i4")
    ends = corners.copy()
    # The last corner of a polygon is told by its sign: -1 - index.
    ends[:, 2] = -1 - ends[:, 2]
    layers = [
        _layer("LayerElementMaterial", "AllSame", "IndexToDirect", {"Materials": np.zeros(1, dtype="<i4")})
    ]
    if skin.normals is not None:
        turned = rotations.rotate(space.turn, skin.normals)[corners.ravel()]
        values = {"Normals": turned.astype("<f8").ravel()}
        layers.append(_layer("LayerElementNormal", "ByPolygonVertex", "Direct", values))
    if skin.uvs is not None:
        values = {"UV": skin.uvs.astype("<f8").ravel(), "UVIndex": corners.ravel()}
        layers.append(_layer("LayerElementUV", "ByPolygonVertex", "IndexToDirect", values))
    listed = [
        Node("LayerElement", (), [Node("Type", (layer.name,)), Node("TypedIndex", (0,))]) for layer in layers
    ]
    return [
        properties([]),
        Node("GeometryVersion", (124,)),
        Node("Vertices", (space.points(skin.vertices).astype("<f8").ravel(),)),
        Node("PolygonVertexIndex", (ends.ravel(),)),
        *layers,
        Node("Layer", (0,), [Node("Version", (100,)), *listed]),
    ]


def _layer(kind: str, mapping: str, reference: str, arrays: dict[str, np.ndarray]) -> Node:
    head = [
        Node("Version", (101,)),
        Node("Name", ("",)),
        Node("MappingInformationType", (mapping,)),
        Node("ReferenceInformationType", (reference,)),
    ]
    return Node(kind, (0,), [*head, *(Node(name, (array,)) for name, array in arrays.items())])


def _cluster(skin: Skin, bone: int, rest: Float[np.ndarray, "4 4"]) -> list[Node]:
    weights = np.where(skin.joints == bone, skin.weights, 0.0).sum(axis=1)
    (moved,) = np.nonzero(weights)
    return [
        Node("Version", (100,)),
        Node("UserData", ("", "")),
        Node("Indexes", (moved.astype("<i4"),)),
        Node("Weights", (weights[moved].astype("<f8"),)),
        # The mesh as its bone sees it, and the bone in the world, both at rest.
        Node("Transform", (flat(np.linalg.inv(rest)),)),
        Node("TransformLink", (flat(rest),)),
    ]
