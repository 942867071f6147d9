"""Storing: every value comes back exactly; nothing in a file is believed."""

import dataclasses
import io
import json
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import store
from mocaplift.cameras import intrinsics_from_fov
from mocaplift.errors import InvalidData, OutputError
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.values import Camera, Capture, Clip, Keypoints2D, Motion3D
from tests.walker import skeleton, walker


def _keypoints() -> Keypoints2D:
    rng = np.random.default_rng(5)
    xy, conf = rng.normal(size=(6, 21, 2)), rng.uniform(0.1, 1, size=(6, 21))
    xy[2, 3], conf[2, 3] = np.nan, 0
    return Keypoints2D(xy, conf, BODY21, 30000 / 1001, (64, 48), landmarks=rng.normal(size=(6, 21, 3)))


def _values() -> dict:
    walk = walker(6, fps=30000 / 1001)
    seen = _keypoints()
    clip = Clip(
        Path("a folder/vidéo.mp4"), Fraction(30000, 1001), 6, (64, 48), 0.25,
        facts={"rotation_deg": 90.0, "codec": "h264", "is_complete": True, "focal_px": float("nan")},
    )  # fmt: skip
    camera = Camera("front", intrinsics_from_fov(60.0, (64, 48)), np.arange(5) / 100, np.eye(4), (64, 48))
    lost = walk.keypoints.xyz.copy()
    lost[1, 2] = np.nan
    sigma = np.where(np.isfinite(lost).all(-1), 0.01, np.inf)
    joints = Motion3D(lost, sigma, BODY21, walk.motion.fps)
    body = dataclasses.replace(skeleton(), shape=np.array([0.5, -1.0]))
    report = {"fps": 29.97, "warnings": ("one", "two"), "seconds": {"detect": 1.5}, "none": None, "n": 3}
    return {
        "clip": clip, "layout": SMPL24, "keypoints": seen, "camera": camera, "joints": joints, "skeleton": body,
        "motion": walk.motion, "rig": (camera, dataclasses.replace(camera, name="side")),
        "capture": Capture((clip,), (camera,), (seen,), joints, walk.motion, walk.contacts, report),
    }  # fmt: skip


def assert_same(a, b) -> None:
    assert type(a) is type(b) or {type(a), type(b)} <= {tuple, list}
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple | list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize("name", sorted(_values()))
def test_every_value_comes_back_exactly(tmp_path, name):
    value = _values()[name]
    store.save(value, tmp_path / "value.npz")
    assert_same(store.load(tmp_path / "value.npz"), value)


def test_a_file_is_a_plain_npz_that_numpy_reads_without_pickle(tmp_path):
    store.save(_values()["motion"], tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as file:
        header = json.loads(file["header"].tobytes())
        assert header["format"] == "mocaplift" and header["version"] == 1
        place = header["value"]["fields"]["root"]["array"]
        np.testing.assert_array_equal(file[place], _values()["motion"].root)


def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path):
    clip = dataclasses.replace(_values()["clip"], facts={"thing": object()})
    with pytest.raises(InvalidData, match="cannot store a object"):
        store.save(clip, tmp_path / "value.npz")
    strings = Keypoints2D.__new__(Keypoints2D)
    object.__setattr__(strings, "xy", np.array(["text"]))
    with pytest.raises(InvalidData, match="cannot store an array of <U4"):
        store.encode(strings)
    assert not list(tmp_path.iterdir())


def test_messages_name_the_file_and_what_is_wrong(tmp_path):
    with pytest.raises(InvalidData, match=r"gone\.npz: no such file"):
        store.load(tmp_path / "gone.npz")
    (tmp_path / "text.npz").write_text("no zip at all")
    with pytest.raises(InvalidData, match=r"text\.npz: damaged, or not written by mocaplift"):
        store.load(tmp_path / "text.npz")
    np.savez(tmp_path / "foreign.npz", poses=np.zeros((3, 72)))
    with pytest.raises(InvalidData, match=r"foreign\.npz: an \.npz file, but not one of mocaplift's values"):
        store.load(tmp_path / "foreign.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        store.save(_values()["layout"], tmp_path / "file" / "value.npz")


def _forged(header: object, **members: bytes | np.ndarray) -> bytes:
    """Return a file with a header of our choice and members that are arrays or raw bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        members = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **members}
        for name, content in members.items():
            if isinstance(content, np.ndarray):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, content, allow_pickle=True)
                content = buffer.getvalue()
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def _header(value: object, version: object = 1) -> dict:
    return {"format": "mocaplift", "version": version, "value": value}


LAYOUT = {"kind": "Layout", "fields": {"name": "one", "joints": {"tuple": ["a"]}, "pairs": {"tuple": []}}}
MOTION3D = {
    "kind": "Motion3D",
    "fields": {"xyz": {"array": "xyz"}, "sigma": {"array": "sigma"}, "layout": LAYOUT, "fps": 30.0},
}


def test_a_forged_file_that_is_right_is_read():
    made = store.decode(_forged(_header(MOTION3D), xyz=np.zeros((2, 1, 3)), sigma=np.zeros((2, 1))))
    assert made.xyz.shape == (2, 1, 3)


class _Bomb:
    def __reduce__(self):
        return (print, ("this code of a stranger ran",))


def test_pickled_objects_are_never_opened(capsys):
    objects = np.array([_Bomb()], dtype=object)
    for member in (objects, objects.dumps()):
        with pytest.raises(InvalidData):
            store.decode(_forged(_header(MOTION3D), xyz=member, sigma=np.zeros((2, 1))))
    assert "stranger" not in capsys.readouterr().out


def _npy(shape: str, payload: bytes, kind: str = "<f8") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + payload


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (_npy("(1000000000, 1, 3)", bytes(48)), "not what the file holds"),
        (_npy("(-2, 1, 3)", bytes(48)), "damaged|not what the file holds"),
        (_npy("(2, 1, 3)", bytes(40)), "not what the file holds"),
        (_npy("(2, 1, 3)", bytes(56)), "not what the file holds"),
        (_npy("(2, 1, 3)", bytes(48), ">f8"), "not plain numbers"),
        (_npy("(2, 1, 3)", bytes(48), "<U2"), "not plain numbers"),
        (_npy("__import__('os')", bytes(48)), "damaged"),
        (b"", "damaged"),
        (np.full((2, 1, 3), np.nan), "finite exactly where"),
        (np.zeros((2, 2, 3)), "must have shape"),
        (np.zeros((2, 1, 3), dtype=np.int64), "cannot be a ndarray"),
    ],
)
def test_arrays_that_lie_about_themselves(member, why):
    with pytest.raises(InvalidData, match=why):
        store.decode(_forged(_header(MOTION3D), xyz=member, sigma=np.zeros((2, 1))))


def _deep(depth: int) -> object:
    tree: object = 1
    for _ in range(depth):
        tree = {"tuple": [tree]}
    return tree


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"kind": "os.system", "fields": {}}, "unknown kind of value 'os.system'"),
        ({"kind": "Clip", "fields": {"path": {"path": "a"}}}, "Clip lacks fps, frames, size"),
        ({"kind": "Layout", "fields": {**LAYOUT["fields"], "more": 1}}, "Layout has no field more"),
        ({"kind": "Layout", "fields": {**LAYOUT["fields"], "name": 3}}, "Layout.name cannot be a int"),
        (
            {"kind": "Layout", "fields": {**LAYOUT["fields"], "joints": {"tuple": [1]}}},
            "Layout.joints cannot",
        ),
        ({"array": "absent"}, "is not there"),
        ({"tuple": [{"array": "a"}, {"array": "a"}]}, "names it twice"),
        ({"fraction": [1, 0]}, "damaged"),
        ({"number": "1e400"}, "damaged"),
        ({"surprise": 1}, "unknown entry"),
        ([1, 2], "bare list"),
        (_deep(100), "nested too deeply"),
        (MOTION3D | {"fields": MOTION3D["fields"] | {"fps": {"number": "nan"}}}, "fps must be positive"),
        (MOTION3D | {"fields": MOTION3D["fields"] | {"fps": True}}, "fps cannot be a bool"),
    ],
)
def test_headers_that_make_no_sense(value, why):
    content = _forged(_header(value), a=np.zeros(1), xyz=np.zeros((2, 1, 3)), sigma=np.zeros((2, 1)))
    with pytest.raises(InvalidData, match=why):
        store.decode(content)


def test_another_version_is_named():
    with pytest.raises(InvalidData, match="format version 2, but this mocaplift reads 1; update"):
        store.decode(_forged(_header(LAYOUT, version=2)))


def test_a_bomb_is_refused_by_its_declared_size():
    """A hundred megabytes of zeros, packed to a hundred kilobytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(100 * 1024**2))
    assert len(out.getvalue()) < 200_000
    with pytest.raises(InvalidData, match="would unpack to"):
        store.decode(out.getvalue())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_a_clear_error_or_a_sound_value(data):
    whole = bytearray(store.encode(walker(3).motion))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(whole)))
    for content in (bytes(whole), bytes(whole[:cut])):
        try:
            made = store.decode(content)
        except InvalidData:
            continue
        assert np.isfinite(made.rotations).all() and made.rotations.shape[1:] == (24, 4)
