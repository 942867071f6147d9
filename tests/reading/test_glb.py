"""The GLB reader: what our writer wrote, what others write, and files that are damaged or hostile."""

from __future__ import annotations

import copy
import json
import struct
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mocaplift import rotations
from mocaplift.errors import InvalidData
from mocaplift.export import TEMPLATES, ExportOptions, Rigged, gltf, rig
from mocaplift.layouts import CONTACT_POINTS
from mocaplift.reading.glb import MOST_CHUNKS, MOST_FRAMES, read_glb
from tests.walker import walker

NTSC = Fraction(30000, 1001)


def _packed(document: Any, binary: bytes = b"", *more: bytes) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    chunks = [
        struct.pack("<I4s", len(text), b"JSON") + text,
        struct.pack("<I4s", len(binary), b"BIN\0") + binary,
    ]
    body = b"".join([*chunks, *more])
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def _unpacked(content: bytes) -> tuple[dict, bytes]:
    (size,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + size]), content[28 + size :]


def _read(folder, content: bytes) -> Rigged:
    path = folder / "motion.glb"
    path.write_bytes(content)
    return read_glb(path)


def _foreign(times=(0.0, 0.04, 0.08)) -> tuple[dict, bytes]:
    """Return a hip that turns by 90 degrees a key about X, with a leg that never moves, as others write them."""
    half = np.pi / 4 * np.arange(len(times))
    turns = np.stack([np.sin(half), 0 * half, 0 * half, np.cos(half)], axis=1)
    binary = np.array(times, "<f4").tobytes() + turns.astype("<f4").tobytes()
    split = 4 * len(times)
    document = {
        "asset": {"version": "2.0"},
        "nodes": [
            {"name": "leg", "translation": [0, -1, 0]},
            {"name": "hip", "translation": [0, 2, 0], "children": [0]},
        ],
        "skins": [{"joints": [1, 0]}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteLength": split},
            {"buffer": 0, "byteOffset": split, "byteLength": 4 * split},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(times), "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": len(times), "type": "VEC4"},
        ],
        "animations": [
            {
                "samplers": [{"input": 0, "output": 1}],
                "channels": [{"sampler": 0, "target": {"node": 1, "path": "rotation"}}],
            }
        ],
    }
    return document, binary


def _small() -> bytes:
    walk = walker(4)
    made = rig(walk.motion, ExportOptions())
    contacts = np.zeros((4, len(CONTACT_POINTS)), dtype=bool)
    contacts[1:3] = True
    return gltf.encode(Rigged(**{**vars(made), "contacts": contacts}))


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_what_was_written_is_read(tmp_path, name):
    walk = walker(40, fps=float(NTSC), heading=0.6)
    made = rig(walk.motion, ExportOptions(template=name, root="floor"))
    made = Rigged(**{**vars(made), "contacts": walk.contacts})
    found = _read(tmp_path, gltf.encode(made))
    assert (found.names, found.parents, found.joints) == (made.names, made.parents, made.joints)
    assert found.fps == made.fps == NTSC
    np.testing.assert_allclose(found.world()[0], made.world()[0], atol=1e-6)
    np.testing.assert_allclose(found.rest_world()[0], made.rest_world()[0], atol=1e-9)
    np.testing.assert_array_equal(found.contacts, made.contacts)
    assert set(found.tips) == set(made.tips)


def test_bones_of_others_are_sorted_and_turn_as_computed_by_hand(tmp_path):
    found = _read(tmp_path, _packed(*_foreign()))
    assert found.names == ("hip", "leg") and found.parents == (-1, 0) and found.joints == (None, None)
    assert found.fps == 25 and len(found) == 3
    # A quarter turn about X takes the leg from -Y to -Z, the next one to +Y.
    leg = found.world()[0][:, 1]
    np.testing.assert_allclose(leg, [[0, 1, 0], [0, 2, -1], [0, 3, 0]], atol=1e-6)


def test_keys_at_uneven_moments_are_brought_to_a_rate(tmp_path):
    found = _read(tmp_path, _packed(*_foreign(times=(0.0, 0.1, 0.3))))
    assert found.fps == 10 and len(found) == 4
    # Half way between the second and the third key.
    line = np.array([1.0, 0, 0])
    expected = rotations.from_rotvec(np.radians(135.0) * line)
    assert rotations.angle_between(found.rotations[2, 0], expected) < 1e-5


def test_steps_stay_until_the_next_key(tmp_path):
    document, binary = _foreign(times=(0.0, 0.1, 0.3))
    document["animations"][0]["samplers"][0]["interpolation"] = "STEP"
    found = _read(tmp_path, _packed(document, binary))
    turns = rotations.to_matrix(found.rotations[:, 0])
    # The leg's way from the hip: its key is at the second frame, and the next one at the fourth.
    np.testing.assert_allclose(turns[:, 2, 1], [0, 1, 1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("30000/1001", NTSC),
        (12.5, Fraction(25, 2)),
        ("1e999999999", 25),
        ("1/0", 25),
        (-5, 25),
        (float("nan"), 25),
        ([], 25),
    ],
)
def test_the_rate_is_the_stated_one_if_it_is_one(tmp_path, stated, read):
    document, binary = _foreign()
    document["animations"][0]["extras"] = {"fps": stated}
    assert _read(tmp_path, _packed(document, binary)).fps == read


HOSTILE = {
    "no file of the kind": (b"glTF" + bytes(30), "no whole GLB"),
    "shorter than it says": (_small()[:-4], "no whole GLB"),
    "a chunk that is longer": (struct.pack("<4sIII4s", b"glTF", 2, 20, 2**32 - 1, b"JSON"), "cut off"),
    "no text": (_packed(b"\xff\xfe"), "damaged"),
    "text that nests": (_packed(b"[" * 200_000), "damaged"),
    "a number of 5000 digits": (_packed(b"[" + b"9" * 5000 + b"]"), "damaged"),
    "no table": (_packed([]), "no table"),
    "chunks without end": (_packed(b"", b"", *[struct.pack("<I4s", 0, b"many")] * 100_000), "no description"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_damaged_containers_are_told(tmp_path, name):
    content, message = HOSTILE[name]
    with pytest.raises(InvalidData, match=message):
        _read(tmp_path, content)


def test_a_description_behind_many_chunks_is_not_looked_for(tmp_path):
    chunks = struct.pack("<I4s", 0, b"many") * MOST_CHUNKS
    content = (
        struct.pack("<4sII", b"glTF", 2, 12 + len(chunks) + 10)
        + chunks
        + struct.pack("<I4s", 2, b"JSON")
        + b"{}"
    )
    with pytest.raises(InvalidData, match="no description"):
        _read(tmp_path, content)


CHANGES = {
    "a count of a thousand million": (("accessors", 1, "count"), 10**9, "keys are more"),
    "a count beyond the file": (("accessors", 1, "count"), 10**6, "outside of the file"),
    "a count of many digits": (("accessors", 0, "count"), 10**400, "no whole number"),
    "an offset before the file": (("bufferViews", 0, "byteOffset"), -4, "no whole number"),
    "a stride of nothing": (("bufferViews", 1, "byteStride"), 1, "outside of the file"),
    "another file": (("bufferViews", 1, "buffer"), 1, "in another one"),
    "an accessor that is not there": (("animations", 0, "samplers", 0, "output"), 7, "names accessor 7"),
    "a node below itself": (("nodes", 0, "children"), [1], "hangs below itself"),
    "a node twice": (("nodes", 1, "children"), [0, 0], "hangs below two"),
    "two skeletons": (("nodes", 1, "children"), [], "2 skeletons"),
    "a bone at infinity": (("nodes", 0, "translation"), [0, float("inf"), 0], "translation"),
    "a bone that is nowhere": (("nodes", 0, "translation"), [0, float("nan"), 0], "translation"),
    "a rotation of nothing": (("nodes", 0, "rotation"), [0, 0, 0, 0], "length zero"),
    "a scaled bone": (("nodes", 0, "scale"), [2, 2, 2], "'leg' is scaled"),
    "curves": (("animations", 0, "samplers", 0, "interpolation"), "CUBICSPLINE", "CUBICSPLINE"),
    "keys that are no turns": (("animations", 0, "channels", 0, "target", "path"), "translation", "translation"),
    "a path that is a list": (("animations", 0, "channels", 0, "target", "path"), ["rotation"], "moves no bone"),
    "turns as moments": (("animations", 0, "samplers", 0, "input"), 1, "do not follow"),
    "whole numbers as keys": (("accessors", 1, "componentType"), 5123, "no plain floats"),
    "no animation": (("animations",), [], "no animation"),
    "no motion": (("animations", 0, "channels"), [], "moves no bone"),
    "nodes that are none": (("nodes",), [1, 2], "no list of tables"),
    "too many nodes": (("nodes",), [{}] * 6000, "6000 nodes"),
    "contacts over each other": (
        ("animations", 0, "extras"),
        {"contacts": {point: [[0, 2], [0, 2]] for point in CONTACT_POINTS}},
        "do not follow each other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_what_cannot_be_is_told(tmp_path, name):
    way, value, message = CHANGES[name]
    document, binary = _foreign()
    table: Any = document
    for step in way[:-1]:
        table = table[step]
    table[way[-1]] = value
    with pytest.raises(InvalidData, match=message):
        _read(tmp_path, _packed(document, binary))


def test_a_skin_that_lists_no_joints_leaves_those_that_move(tmp_path):
    document, binary = _foreign()
    document["skins"][0]["joints"] = None
    assert _read(tmp_path, _packed(document, binary)).names == ("hip",)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ((0.0, 9e5), "more frames"),
        ((0.0, 2.0, 1.0), "do not follow"),
        ((0.0, 0.0), "do not follow"),
        ((0.0, float("nan")), "NaN"),
    ],
)
def test_times_that_cannot_be_are_told_before_memory_is_taken(tmp_path, times, message):
    document, binary = _foreign(times)
    document["animations"][0]["extras"] = {"fps": 9999}
    tracemalloc.start()
    with pytest.raises(InvalidData, match=message):
        _read(tmp_path, _packed(document, binary))
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_many_bones_over_many_frames_are_refused_before_memory_is_taken(tmp_path):
    document, binary = _foreign((0.0, 1e5))
    document["nodes"] += [{"children": []} for _ in range(4000)]
    document["nodes"][1]["children"] += list(range(2, 4002))
    document["skins"][0]["joints"] = list(range(4002))
    document["animations"][0]["extras"] = {"fps": (MOST_FRAMES - 2) / 1e5}
    tracemalloc.start()
    with pytest.raises(InvalidData, match="4002 bones"):
        _read(tmp_path, _packed(document, binary))
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.sampled_from([10**9, 2**63]),
    st.lists(st.integers(-2, 30), max_size=5), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
FILES = {"ours": _unpacked(_small()), "foreign": _foreign()}
FUZZ = settings(
    max_examples=100, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check_whole_or_refused(folder, content: bytes) -> None:
    try:
        found = _read(folder, content)
    except InvalidData:
        return
    assert np.isfinite(found.world()[0]).all() and len(found) <= MOST_FRAMES


@FUZZ
@given(data=st.data())
def test_any_change_of_the_description_gives_a_motion_or_a_clear_error(tmp_path, data):
    document, binary = copy.deepcopy(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 4))):
        table: Any = document
        while True:
            steps = list(table) if isinstance(table, dict) else list(range(len(table)))
            step = data.draw(st.sampled_from(steps))
            if (
                not isinstance(table[step], dict | list)
                or not table[step]
                or data.draw(st.integers(0, 4)) == 0
            ):
                break
            table = table[step]
        if data.draw(st.booleans()):
            table[step] = data.draw(ANYTHING)
        else:
            del table[step]
        if not document:
            break
    check_whole_or_refused(tmp_path, _packed(document, binary))


@FUZZ
@given(data=st.data())
def test_any_change_of_the_bytes_gives_a_motion_or_a_clear_error(tmp_path, data):
    content = bytearray(_packed(*FILES[data.draw(st.sampled_from(sorted(FILES)))]))
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_whole_or_refused(tmp_path, bytes(content[: data.draw(st.integers(0, len(content)))]))
