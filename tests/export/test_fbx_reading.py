"""The reader of FBX: what we write comes back, and no file makes it hang, crash or fill the memory."""

import struct
import tracemalloc
import zlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import rotations
from mocaplift.errors import InvalidData
from mocaplift.export import TEMPLATES, ExportOptions, Rigged, fbx, rig
from mocaplift.export.fbx import parsing, records
from mocaplift.export.fbx.reading import decode
from mocaplift.export.fbx.records import Node
from mocaplift.export.fbx.scene import Objects, Space, document, properties, row
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import walker

CM = ExportOptions()


def _walk(frames=8, fps=30000 / 1001, options=CM) -> Rigged:
    walk = walker(frames, fps=fps, heading=2.0)
    return replace(rig(walk.motion, options), contacts=walk.contacts)


@pytest.fixture(scope="module")
def content() -> bytes:
    """Return a file with everything in it but few bones, so that it can be damaged often."""
    stick = Skeleton(Layout("stick", ("base", "middle", "tip")), (-1, 0, 1), np.eye(3))
    turns = rotations.from_rotvec(np.random.default_rng(1).normal(0, 0.3, (4, 3, 3)))
    rigged = rig(SkeletonMotion(stick, turns, np.ones((4, 3)), 30.0), CM)
    return fbx.encode(replace(rigged, contacts=np.eye(4, dtype=bool)), CM)


def _file(nodes: list[Node]) -> bytes:
    return records.encode(nodes)


def _bone(objects: Objects, name: str, parent: np.int64, *rows: Node, frames=2) -> np.int64:
    """Add a bone with a key in each of the frames."""
    node = objects.add("Model", name, "Model", "LimbNode", [properties(list(rows))])
    objects.connect(node, parent)
    curve_node = objects.add("AnimationCurveNode", "T", "AnimCurveNode", "", [properties([])])
    objects.connect(curve_node, node, "Lcl Translation")
    keys = [
        Node("KeyTime", (np.arange(frames) * 1539538600,)),
        Node("KeyValueFloat", (np.zeros(frames, dtype="<f4"),)),
    ]
    objects.connect(objects.add("AnimationCurve", "", "AnimCurve", "", keys), curve_node, "d|X")
    return node


def _made(objects: Objects) -> bytes:
    return _file(document(objects, Space("cm", "y"), Fraction(30), np.int64(0)))


class TestWhatWeWrite:
    @pytest.mark.parametrize("template", sorted(TEMPLATES))
    @pytest.mark.parametrize(("up", "unit"), [("y", "cm"), ("z", "m")])
    def test_comes_back(self, template, up, unit):
        options = ExportOptions(template=template, up=up, unit=unit)
        told = _walk(20, options=options)
        found = decode(fbx.encode(told, options))
        assert (found.names, found.parents, found.fps) == (told.names, told.parents, Fraction(30000, 1001))
        assert sorted(found.places) == sorted(told.places)
        assert np.abs(found.world()[0] - told.world()[0]).max() < 1e-6
        assert np.abs(found.rest_world()[0] - told.rest_world()[0]).max() < 1e-6
        assert np.degrees(rotations.angle_between(found.rotations, told.rotations)).max() < 1e-4
        assert np.degrees(rotations.angle_between(found.rest, told.rest)).max() < 1e-4
        np.testing.assert_array_equal(found.contacts, told.contacts)

    @pytest.mark.parametrize("fps", [24, 25, 30, 60, 120, 24000 / 1001, 60000 / 1001, 1000 / 7, 12.5, 23.0])
    def test_keeps_its_rate(self, fps):
        told = _walk(4, fps)
        assert float(decode(fbx.encode(told, CM)).fps) == pytest.approx(fps, rel=1e-12)

    def test_a_body_that_stands_still_keeps_its_length(self):
        told = _walk(2)
        still = replace(
            told,
            rotations=np.repeat(told.rotations[:1], 50, axis=0),
            places={0: np.repeat(told.places[0][:1], 50, axis=0)},
            contacts=None,
        )
        found = decode(fbx.encode(still, CM))
        assert len(found) == 50 and found.contacts is None


class TestByHand:
    def test_units_axes_and_orders_of_rotation(self):
        objects = Objects()
        _bone(
            objects,
            "root",
            np.int64(0),
            row("RotationActive", "bool", 1),
            row("RotationOrder", "enum", 5),
            row("Lcl Translation", "Lcl Translation", 100.0, 200.0, 300.0),
            row("Lcl Rotation", "Lcl Rotation", 90.0, 0.0, 90.0),
        )
        file = _file(document(objects, Space("cm", "z"), Fraction(30), np.int64(0)))
        found = decode(file)
        # Z up: (1, 2, 3) m is (1, 3, -2) with Y up. X has a curve, which says 0.
        np.testing.assert_allclose(found.places[0], [[0, 3, -2]] * 2, atol=1e-9)
        np.testing.assert_allclose(found.offsets[0], [1, 3, -2], atol=1e-9)
        # Order 5 is ZYX: the turn about Z comes first. Its +X goes to +Y, then about X to +Z, which is up.
        up = rotations.rotate(found.rotations[0, 0], np.array([1.0, 0, 0]))
        np.testing.assert_allclose(up, [0, 1, 0], atol=1e-9)

    def test_bones_come_parents_first_whatever_the_order_in_the_file(self):
        objects = Objects()
        child = _bone(objects, "child", np.int64(1_000_003))
        parent = _bone(objects, "parent", np.int64(0))
        assert (child, parent) == (1_000_000, 1_000_003)
        found = decode(_made(objects))
        assert (found.names, found.parents) == (("parent", "child"), (-1, 0))

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([row("Lcl Scaling", "Lcl Scaling", 2.0, 1.0, 1.0)], "'hips' is scaled"),
            ([row("RotationPivot", "Vector3D", 0.0, 1.0, 0.0)], "has a RotationPivot"),
            ([row("PostRotation", "Vector3D", 0.0, 1.0, 0.0)], "has a PostRotation"),
            ([row("Lcl Translation", "Lcl Translation", float("nan"), 0.0, 0.0)], "NaN or infinity"),
            ([row("Lcl Translation", "Lcl Translation", 0.0)], "no three numbers"),
            ([row("Lcl Rotation", "Lcl Rotation", "a", "b", "c")], "no three numbers"),
            ([row("RotationActive", "bool", 1), row("RotationOrder", "enum", 7)], "rotation order 7"),
            ([row("RotationActive", "bool", "yes")], "no whole number"),
        ],
    )
    def test_what_would_be_read_wrongly_is_refused(self, rows, message):
        objects = Objects()
        _bone(objects, "hips", np.int64(0), *rows)
        with pytest.raises(InvalidData, match=message):
            decode(_made(objects))

    def test_two_skeletons_two_takes_and_two_bones_of_a_name(self):
        objects = Objects()
        _bone(objects, "a", np.int64(0))
        _bone(objects, "b", np.int64(0))
        with pytest.raises(InvalidData, match=r"2 skeletons \(a, b\)"):
            decode(_made(objects))
        objects = Objects()
        _bone(objects, "a", np.int64(0))
        _bone(objects, "a", np.int64(1_000_000))
        with pytest.raises(InvalidData, match="two bones of the name 'a'"):
            decode(_made(objects))
        objects = Objects()
        _bone(objects, "a", np.int64(0))
        objects.add("AnimationStack", "one", "AnimStack", "", [])
        objects.add("AnimationStack", "two", "AnimStack", "", [])
        with pytest.raises(InvalidData, match="holds 2 takes"):
            decode(_made(objects))

    def test_a_circle_of_bones_and_a_bone_below_a_null(self):
        objects = Objects()
        _bone(objects, "a", np.int64(1_000_003))
        _bone(objects, "b", np.int64(1_000_000))
        with pytest.raises(InvalidData, match="below itself"):
            decode(_made(objects))
        objects = Objects()
        null = objects.add("Model", "armature", "Model", "Null", [])
        _bone(objects, "a", null)
        with pytest.raises(InvalidData, match="no bone"):
            decode(_made(objects))

    def test_nothing_to_read(self):
        with pytest.raises(InvalidData, match="no bones"):
            decode(_made(Objects()))
        objects = Objects()
        objects.connect(objects.add("Model", "a", "Model", "LimbNode", []), np.int64(0))
        with pytest.raises(InvalidData, match="no curve that moves one"):
            decode(_made(objects))

    def test_keys_that_are_on_no_frames(self):
        objects = Objects()
        _bone(objects, "a", np.int64(0), frames=3)
        file = _file(document(objects, Space("cm", "y"), Fraction(24), np.int64(0)))
        with pytest.raises(InvalidData, match="not one a frame at 24 fps"):
            decode(file)

    @pytest.mark.parametrize(
        ("times", "values", "message"),
        [
            (np.array([0, 0]), np.zeros(2, dtype="<f4"), "do not follow each other"),
            (np.array([2**63 - 1, -(2**63)]), np.zeros(2, dtype="<f4"), "do not follow each other"),
            (np.array([0]), np.zeros(2, dtype="<f4"), "1 times for 2 values"),
            (np.array([0]), np.array([np.nan], dtype="<f4"), "no numbers"),
            (np.array([0.0]), np.zeros(1, dtype="<f4"), "another type"),
            (np.zeros(0, dtype="<i8"), np.zeros(0, dtype="<f4"), "0 times"),
        ],
    )
    def test_keys_that_contradict_themselves(self, times, values, message):
        objects = Objects()
        node = _bone(objects, "a", np.int64(0))
        turn = objects.add("AnimationCurveNode", "R", "AnimCurveNode", "", [])
        objects.connect(turn, node, "Lcl Rotation")
        keys = [Node("KeyTime", (times,)), Node("KeyValueFloat", (values,))]
        objects.connect(objects.add("AnimationCurve", "", "AnimCurve", "", keys), turn, "d|X")
        with pytest.raises(InvalidData, match=message):
            decode(_made(objects))

    def test_more_frames_of_more_bones_than_memory_should_hold(self, monkeypatch):
        objects = Objects()
        _bone(objects, "a", np.int64(0), frames=1000)
        monkeypatch.setattr("mocaplift.export.fbx.reading.MOST_ROTATIONS", 999)
        with pytest.raises(InvalidData, match="1000 frames of 1 bones"):
            decode(_made(objects))


class TestHostile:
    @pytest.mark.parametrize(
        ("start", "message"),
        [
            (b"", "no binary FBX"),
            (b"; FBX 7.4.0 project file\n", "text FBX; save it as binary"),
            (records.MAGIC, "cut off"),
            (records.MAGIC + struct.pack("<I", 6100), "version 6100"),
            (records.MAGIC + struct.pack("<I", 9000), "version 9000"),
        ],
    )
    def test_no_fbx(self, start, message):
        with pytest.raises(InvalidData, match=message):
            decode(start)

    def test_every_truncation_is_noticed(self, content):
        ends = np.unique(np.linspace(0, len(content) - 200, 100).astype(int))
        for end in ends:
            with pytest.raises(InvalidData):
                decode(content[:end])

    @pytest.mark.parametrize(
        ("head", "message"),
        [
            # Ends before it begins, ends outside of the file, more values than bytes, values past the end.
            (struct.pack("<IIIB", 5, 0, 0, 1) + b"A", "ends outside"),
            (struct.pack("<IIIB", 2**32 - 1, 0, 0, 1) + b"A", "ends outside"),
            (struct.pack("<IIIB", 27 + 14 + 13, 2**32 - 1, 0, 1) + b"A", "more records or values"),
            (struct.pack("<IIIB", 27 + 14 + 13, 1, 2**32 - 1, 1) + b"A", "longer than itself"),
            (struct.pack("<IIIB", 27 + 14 + 5, 1, 5, 1) + b"A" + b"S\xff\xff\xff\xff", "cut off"),
            (struct.pack("<IIIB", 27 + 14 + 1, 1, 1, 1) + b"A" + b"Q", "unknown type 'Q'"),
            (struct.pack("<IIIB", 27 + 14 + 5, 0, 5, 1) + b"A" + b"I\0\0\0\0", "another length"),
        ],
    )
    def test_lengths_that_lie(self, head, message):
        with pytest.raises(InvalidData, match=message):
            decode(records.MAGIC + struct.pack("<I", 7400) + head + bytes(64))

    @pytest.mark.parametrize(
        ("count", "packing", "stored"),
        [
            (2**32 - 1, 0, b""),
            (2**32 - 1, 1, zlib.compress(bytes(10_000_000))),
            (10, 1, zlib.compress(bytes(10_000_000))),
            (10, 1, b"no zlib at all"),
            (10, 7, bytes(80)),
            (10, 0, bytes(79)),
        ],
    )
    def test_arrays_that_lie(self, count, packing, stored):
        value = b"d" + struct.pack("<III", count, packing, len(stored)) + stored
        end = 27 + 14 + len(value)
        head = struct.pack("<IIIB", end, 1, len(value), 1) + b"A"
        tracemalloc.start()
        with pytest.raises(InvalidData, match="array"):
            decode(records.MAGIC + struct.pack("<I", 7400) + head + value + bytes(64))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        tracemalloc.stop()

    def test_many_small_bombs_are_counted_together(self, monkeypatch):
        monkeypatch.setattr(parsing, "MOST_UNPACKED_BYTES", 1_000_000)
        with pytest.raises(InvalidData, match="declares"):
            decode(_file([Node("A", (np.zeros(50_000),)), Node("B", (np.zeros(90_000),))]))

    def test_nesting_without_end(self):
        node = Node("A", (), [])
        for _ in range(200):
            node = Node("A", (), [node])
        with pytest.raises(InvalidData, match="deeper"):
            decode(_file([node]))

    def test_more_records_than_any_motion_has(self, monkeypatch):
        monkeypatch.setattr(parsing, "MOST_RECORDS", 10)
        with pytest.raises(InvalidData, match="more records"):
            decode(_file([Node("A") for _ in range(11)]))

    def test_a_file_that_is_too_large(self, monkeypatch):
        monkeypatch.setattr(parsing, "MOST_BYTES", 10)
        with pytest.raises(InvalidData, match="larger than"):
            decode(records.MAGIC)

    @settings(max_examples=100, deadline=None)
    @given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12))
    def test_damaged_bytes_are_refused_or_read(self, content, changes):
        damaged = bytearray(content)
        for share, value in changes:
            damaged[int(share * (len(damaged) - 1))] = value
        check_read_or_refused(bytes(damaged))

    @settings(max_examples=100, deadline=None)
    @given(place=st.integers(0, 3000), piece=st.binary(min_size=1, max_size=40), cut=st.integers(0, 40))
    def test_bytes_put_in_and_taken_out(self, content, place, piece, cut):
        check_read_or_refused(content[:place] + piece + content[place + cut :])

    @settings(max_examples=100, deadline=None)
    @given(rest=st.binary(max_size=400), version=st.sampled_from([7100, 7400, 7500, 7700]))
    def test_any_bytes_after_the_magic(self, rest, version):
        check_read_or_refused(records.MAGIC + struct.pack("<I", version) + rest)


_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["LimbNode", "OO", "OP", "Lcl Rotation", "d|X", "a\0\1Model", "UpAxis", "TimeMode"]),
    st.binary(max_size=4),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4).map(lambda x: np.array(x, dtype="<i8")),
    st.lists(st.floats(width=32), max_size=4).map(lambda x: np.array(x, dtype="<f4")),
)
_NAMES = st.sampled_from(
    ["Model", "AnimationCurve", "AnimationCurveNode", "AnimationStack", "Properties70", "P", "C", "KeyTime",
     "KeyValueFloat", "Objects", "Connections", "GlobalSettings"]
)  # fmt: skip
_HEADS = st.tuples(_NAMES, st.lists(_VALUES, max_size=5).map(tuple))
# Name, values and children. Nodes are made of them later: what checks their types would draw from `random` here.
_RECORDS = st.recursive(
    st.tuples(_HEADS, st.none()),
    lambda inner: st.tuples(_HEADS, st.lists(inner, max_size=4)),
    max_leaves=12,
)


def _node(record: tuple) -> Node:
    head, children = record
    return Node(*head, None if children is None else [_node(child) for child in children])


@settings(max_examples=50, deadline=None)
@given(drawn=st.lists(_RECORDS, max_size=4))
def test_well_formed_records_without_sense(content, drawn):
    """Records of any kind in a sound file: into its objects, connections and settings."""
    told = parsing.parse(content)
    sections = {name: [] for name in ("GlobalSettings", "Objects", "Connections")}
    for place, record in enumerate(drawn):
        sections[("GlobalSettings", "Objects", "Connections")[place % 3]].append(_node(record))
    whole = [
        Node(record.name, (), [*map(_again, record.children), *sections.get(record.name, [])])
        for record in told.children
        if record.name in sections
    ]
    check_read_or_refused(_file(whole))


def _again(record: parsing.Record) -> Node:
    """Return a record as it can be written: whole numbers that need 64 bits get them."""
    wide = tuple(
        np.int64(v) if isinstance(v, int) and (abs(v) > 2**31 - 1 or record.name in ("C", "Model")) else v
        for v in record.values
    )
    return Node(record.name, wide, list(map(_again, record.children)))


def check_read_or_refused(file: bytes) -> None:
    """Read a file; whatever it holds, either finite numbers or `InvalidData` come of it."""
    try:
        found = decode(file)
    except InvalidData:
        return
    assert np.isfinite(found.rotations).all() and np.isfinite(found.offsets).all()
    assert all(-1 <= parent < bone for bone, parent in enumerate(found.parents))
