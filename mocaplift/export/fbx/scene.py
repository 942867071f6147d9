"""The frame of an FBX file: what stands before and after the objects, and how objects are listed and connected.

Sections in the order in which every reader expects them: header, settings, documents, definitions, objects,
connections, takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData
from mocaplift.export.fbx.records import VERSION, Node, Value
from mocaplift.rotations import IDENTITY, from_matrix, rotate, to_euler_deg

# Ticks of FBX's clock in a second, for all versions before 8000.
TICKS = 46_186_158_000
# The rates that have a name in the format (FbxTime::EMode); any other is a custom one. 9 counts every frame,
# unlike 8, which is 29.97 with numbers dropped from the clock.
TIME_MODES = {
    Fraction(120): 1, Fraction(100): 2, Fraction(60): 3, Fraction(50): 4, Fraction(48): 5, Fraction(30): 6,
    Fraction(30000, 1001): 9, Fraction(25): 10, Fraction(24): 11, Fraction(24000, 1001): 13, Fraction(96): 15,
    Fraction(72): 16, Fraction(60000, 1001): 17, Fraction(120000, 1001): 18,
}  # fmt: skip
CUSTOM_MODE = 14
# The file's unit of length is this many centimetres, and one metre this many units.
UNITS = {"cm": (1.0, 100.0), "m": (100.0, 1.0)}
# Which axis is up, to the front and to the right, each with its sign.
AXES = {"y": ((1, 1), (2, 1), (0, 1)), "z": ((2, 1), (1, -1), (0, 1))}
# Ours has +Y up; turned to +Z up, what faced +Z faces -Y, the front of programs that have Z up.
_Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# FBX's usual order "XYZ" turns about X first: R = Rz Ry Rx. One order for all bones of all files, so that curves
# can be moved from one rig to another.
ORDER = "ZYX"
# The identity and the time that Blender writes into every file: readers check that they fit each other.
_FILE_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
_CREATION_TIME = "1970-01-01 10:00:00:000"
_CREATOR = "mocaplift"
# The name that Maya and MotionBuilder give to the only take of a file.
TAKE = "Take 001"
_FIRST_ID = 1_000_000

# The second word of a property's type, where it is not empty.
_LABELS = {
    "int": "Integer", "double": "Number", "KTime": "Time", "ColorRGB": "Color", "Vector3D": "Vector",
    "object": "", "enum": "",
}  # fmt: skip


@dataclass(frozen=True)
class Space:
    """Units and axes of the file, and the way there from our world (metres, +Y up)."""

    unit: str
    up: str

    @property
    def per_metre(self) -> float:
        """Units of the file in one metre."""
        return UNITS[self.unit][1]

    @property
    def turn(self) -> Float[np.ndarray, "4"]:
        """The rotation of our world into the file's axes."""
        return IDENTITY if self.up == "y" else from_matrix(_Z_UP_FROM_Y_UP)

    def points(self, xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3"]:
        """Return world points (m) in the file's units and axes."""
        return rotate(self.turn, xyz) * self.per_metre

    @staticmethod
    def degrees(turn: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3"]:
        """Return a rotation as the angles about X, Y and Z that the format stores."""
        # Adding zero turns -0.0 into 0.0.
        return to_euler_deg(ORDER, turn)[::-1] + 0.0


def row(name: str, kind: str, *values: Value, flags: str = "") -> Node:
    """Return one property: flags "A" animatable, "U" of the user, "+" animated."""
    return Node("P", (name, kind, _LABELS.get(kind, ""), flags, *values))


def lcl(what: str, xyz: Float[np.ndarray, "3"]) -> Node:
    """Return a transform property, "Translation", "Rotation" (degrees) or "Scaling"."""
    return row(f"Lcl {what}", f"Lcl {what}", *map(float, xyz), flags="A")


def properties(rows: Sequence[Node]) -> Node:
    """Return the list of an object's properties."""
    return Node("Properties70", (), rows)


def model(rows: Sequence[Node]) -> list[Node]:
    """Return what a node in the world consists of, with these properties."""
    return [
        Node("Version", (232,)),
        properties(rows),
        Node("Shading", (True,)),
        Node("Culling", ("CullingOff",)),
    ]


def flat(matrix: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "16"]:
    """Return a matrix column by column, as FBX stores it: the translation is in the last four numbers."""
    return matrix.T.ravel().astype("<f8")


class Objects:
    """The objects of a file in the making, and who belongs to whom. The scene itself is object 0."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.connections: list[Node] = []

    def add(self, record: str, name: str, kind: str, subkind: str, children: Sequence[Node]) -> np.int64:
        """Return the number of a new object.

        Raises:
            InvalidData: the name holds a zero byte, which ends names in this format.
        """
        if "\0" in name:
            raise InvalidData(f"the name {name!r} holds a zero byte; FBX cannot store that")
        number = np.int64(_FIRST_ID + len(self.nodes))
        self.nodes.append(Node(record, (number, f"{name}\0\1{kind}", subkind), children))
        return number

    def connect(self, child: np.int64, parent: np.int64, to_property: str | None = None) -> None:
        """Hang one object below another, or onto one of its properties."""
        if to_property is None:
            self.connections.append(Node("C", ("OO", child, parent)))
        else:
            self.connections.append(Node("C", ("OP", child, parent, to_property)))


SCENE = np.int64(0)


def document(objects: Objects, space: Space, fps: Fraction, stop: np.int64) -> list[Node]:
    """Return the records of a whole file that plays from time 0 to `stop` (ticks)."""
    return [
        _header(),
        Node("FileId", (_FILE_ID,)),
        Node("CreationTime", (_CREATION_TIME,)),
        Node("Creator", (_CREATOR,)),
        _settings(space, fps, stop),
        _documents(),
        Node("References", (), []),
        _definitions(objects),
        Node("Objects", (), objects.nodes),
        Node("Connections", (), objects.connections),
        _takes(stop),
    ]


def _header() -> Node:
    moment = {"Version": 1000, "Year": 1970, "Month": 1, "Day": 1, "Hour": 10}
    moment |= {"Minute": 0, "Second": 0, "Millisecond": 0}
    texts = ("Title", "Subject", "Author", "Keywords", "Revision", "Comment")
    made_by = [
        row(f"{when}|{what}", "KString", text)
        for when in ("Original", "LastSaved")
        for what, text in (("ApplicationVendor", _CREATOR), ("ApplicationName", _CREATOR))
    ]
    info = [
        Node("Type", ("UserData",)),
        Node("Version", (100,)),
        Node("MetaData", (), [Node("Version", (100,)), *(Node(text, ("",)) for text in texts)]),
        properties([row("Original", "Compound"), row("LastSaved", "Compound"), *made_by]),
    ]
    return Node(
        "FBXHeaderExtension",
        (),
        [
            Node("FBXHeaderVersion", (1003,)),
            Node("FBXVersion", (VERSION,)),
            Node("EncryptionType", (0,)),
            Node("CreationTimeStamp", (), [Node(name, (value,)) for name, value in moment.items()]),
            Node("Creator", (_CREATOR,)),
            Node("SceneInfo", ("GlobalInfo\0\1SceneInfo", "UserData"), info),
        ],
    )


def _settings(space: Space, fps: Fraction, stop: np.int64) -> Node:
    (up, up_sign), (front, front_sign), (right, right_sign) = AXES[space.up]
    whole = {
        "UpAxis": up,
        "UpAxisSign": up_sign,
        "FrontAxis": front,
        "FrontAxisSign": front_sign,
        "CoordAxis": right,
        "CoordAxisSign": right_sign,
        "OriginalUpAxis": up,
        "OriginalUpAxisSign": up_sign,
    }
    scale = UNITS[space.unit][0]
    rows = [
        *(row(name, "int", value) for name, value in whole.items()),
        row("UnitScaleFactor", "double", scale),
        row("OriginalUnitScaleFactor", "double", scale),
        row("TimeMode", "enum", TIME_MODES.get(fps, CUSTOM_MODE)),
        row("TimeSpanStart", "KTime", np.int64(0)),
        row("TimeSpanStop", "KTime", stop),
        row("CustomFrameRate", "double", float(fps)),
    ]
    return Node("GlobalSettings", (), [Node("Version", (1000,)), properties(rows)])


def _documents() -> Node:
    rows = [row("SourceObject", "object"), row("ActiveAnimStackName", "KString", TAKE)]
    inside = [properties(rows), Node("RootNode", (SCENE,))]
    return Node(
        "Documents",
        (),
        [Node("Count", (1,)), Node("Document", (np.int64(_FIRST_ID - 1), "Scene", "Scene"), inside)],
    )


# What holds for a kind of object unless it says otherwise.
_TEMPLATES: dict[str, tuple[str, list[Node]]] = {
    "Model": (
        "FbxNode",
        [
            row("RotationOrder", "enum", 0),
            row("RotationActive", "bool", 0),
            row("InheritType", "enum", 0),
            row("DefaultAttributeIndex", "int", -1),
            lcl("Translation", np.zeros(3)),
            lcl("Rotation", np.zeros(3)),
            lcl("Scaling", np.ones(3)),
            row("Visibility", "Visibility", 1.0, flags="A"),
            row("Visibility Inheritance", "Visibility Inheritance", 1),
        ],
    ),
    "AnimationStack": (
        "FbxAnimStack",
        [
            row("Description", "KString", ""),
            *(
                row(name, "KTime", np.int64(0))
                for name in ("LocalStart", "LocalStop", "ReferenceStart", "ReferenceStop")
            ),
        ],
    ),
    "AnimationLayer": (
        "FbxAnimLayer",
        [row("Weight", "Number", 100.0, flags="A"), row("Mute", "bool", 0), row("BlendMode", "enum", 0)],
    ),
    "AnimationCurveNode": ("FbxAnimCurveNode", [row("d", "Compound")]),
    "Geometry": ("FbxMesh", [row("Primary Visibility", "bool", 1)]),
    "Material": ("FbxSurfaceLambert", [row("ShadingModel", "KString", "Lambert")]),
}


def _definitions(objects: Objects) -> Node:
    counts = {"GlobalSettings": 1} | Counter(node.name for node in objects.nodes)
    kinds = []
    for name, count in counts.items():
        inside = [Node("Count", (count,))]
        if name in _TEMPLATES:
            label, rows = _TEMPLATES[name]
            inside.append(Node("PropertyTemplate", (label,), [properties(rows)]))
        kinds.append(Node("ObjectType", (name,), inside))
    total = Node("Count", (sum(counts.values()),))
    return Node("Definitions", (), [Node("Version", (100,)), total, *kinds])


def _takes(stop: np.int64) -> Node:
    span = (np.int64(0), stop)
    take = [
        Node("FileName", (f"{TAKE.replace(' ', '_')}.tak",)),
        Node("LocalTime", span),
        Node("ReferenceTime", span),
    ]
    return Node("Takes", (), [Node("Current", (TAKE,)), Node("Take", (TAKE,), take)])
