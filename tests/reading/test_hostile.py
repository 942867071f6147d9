"""Damaged and hostile files, in every format that is read: one clear sentence, soon, and in little memory."""

from __future__ import annotations

import io
import json
import resource
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mocaplift.cli import cli
from mocaplift.errors import InvalidData
from mocaplift.export import EXPORTERS, ExportOptions
from mocaplift.reading.bvh import parse_bvh
from tests.reading.test_bvh import SMALL
from tests.walker import walker

READ = (".bvh", ".fbx", ".glb", ".npz", ".smpl.npz")
LONGEST = 10.0  # s, on a machine that does other work too
ROOM = 2 << 30  # bytes of address space, Python and numpy included
TREE = "HIERARCHY\nROOT a\n{{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n{}}}\nMOTION\n"


def _glb(document: object, binary: bytes = b"") -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = (
        struct.pack("<II", len(text), 0x4E4F534A)
        + text
        + struct.pack("<II", len(binary), 0x004E4942)
        + binary
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def _animated(nodes: list[dict], count: int = 2) -> dict:
    """Return a GLB description whose first node turns; its numbers are 40 bytes."""
    return {
        "nodes": nodes,
        "animations": [
            {
                "samplers": [{"input": 0, "output": 1}],
                "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}],
            }
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": count, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": count, "type": "VEC4"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 8}, {"buffer": 0, "byteOffset": 8, "byteLength": 32}],
    }


KEYS = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 1], "<f4").tobytes()
CHAIN = [{"children": [number + 1]} for number in range(4000)] + [{}]


def _npz(**arrays: object) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _declared(shape: str) -> bytes:
    """Return an .npz whose array declares a shape that it does not hold."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("poses.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64))
    return out.getvalue()


HOSTILE = {
    "frames.bvh": (SMALL.replace("Frames: 2", "Frames: 1000000000").encode(), "promises 1000000000 frames"),
    "digits.bvh": (SMALL.replace("Frames: 2", "Frames: " + "9" * 9999).encode(), "Frames:"),
    "nan.bvh": (SMALL.replace("3 1 2", "3 nan 2").encode(), "frame 1 holds a value that is not finite"),
    "deep.bvh": (TREE.format("JOINT b { OFFSET 0 1 0\n" * 90_000).encode(), "nested deeper than 200"),
    "wide.bvh": (TREE.format("JOINT b\n{\nOFFSET 0 1 0\n}\n" * 90_000).encode(), "more than 1000 joints"),
    "still.bvh": (
        TREE.format("JOINT b\n{\nOFFSET 0 1 0\n}\n" * 900).encode()
        + b"Frames: 90000\nFrame Time: .01\n" + b"0 0 0\n" * 90_000,
        "more than one file should hold",
    ),
    "channels.bvh": (SMALL.replace("CHANNELS 3", "CHANNELS 99999999999").encode(), "not understood"),
    "line.bvh": (b"HIERARCHY " + b"x" * (8 << 20) + b"\nMOTION\n", "larger than 4 MB"),
    "blanks.bvh": (b"HIERARCHY\n" + b" " * (8 << 20) + b"\nMOTION\n", "larger than 4 MB"),
    "numbers.bvh": (SMALL.encode() + b"1 " * (8 << 20), "more than 2 frames"),
    "rate.bvh": (SMALL.replace("0.0166667", "1e-300").encode(), "frames per second make no sense"),
    "utf16.bvh": (SMALL.encode("utf-16-le"), "no MOTION part"),
    "broken16.bvh": (b"\xff\xfe" + SMALL.encode("utf-16-le") + b"\x00", "no text in utf-16"),
    "zeros.bvh": (bytes(8 << 20), "no MOTION part"),
    "empty.bvh": (b"", "no MOTION part"),
    "keys.glb": (_glb(_animated([{}], 10**9), KEYS), "more than one file should hold"),
    "cycle.glb": (_glb(_animated([{"children": [1]}, {"children": [0]}]), KEYS), "hangs below itself"),
    "deep.glb": (_glb(_animated(CHAIN) | {"skins": [{"joints": [4000]}]}, KEYS), "4001 generations"),
    "nested.glb": (_glb(b'{"a":' + b"[" * 99_999 + b"]" * 99_999 + b"}"), "damaged"),
    "digits.glb": (_glb(b'{"a":' + b"9" * 99_999 + b"}"), "damaged"),
    "records.fbx": (b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", 7400) + b"\xff" * 99, "FBX"),
    "text.fbx": (b"; FBX 7.4.0 project file\n", "FBX as text is not read"),
    "zeros.npz": (_npz(poses=np.zeros((100_000, 156)), fps=30.0), "would unpack to"),
    "shape.npz": (_declared("(1000000000000, 156)"), "which is not what the file holds"),
    "header.npz": (_declared("(1, " * 999), "damaged"),
    "objects.npz": (_npz(poses=np.array([{}], dtype=object)), "not plain numbers"),
    "nan.npz": (_npz(poses=np.full((9, 72), np.nan), fps=30.0), "frame 0 of the poses"),
    "few.npz": (_npz(poses=np.zeros((9, 72)), trans=np.zeros((8, 3)), fps=30.0), "trans must be 9"),
    "rate.npz": (_npz(poses=np.zeros((9, 72)), fps=np.nan), "its frame rate is no rate"),
    "other.npz": (_npz(a=np.zeros(3)), "no SMPL parameters"),
    "cut.npz": (_npz(poses=np.zeros((9, 72)))[:80], "damaged"),
    "words.txt": (b"hello", "of no kind that is read"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_file_is_told_in_one_sentence_and_soon(tmp_path, name):
    content, message = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    for line in (["check", str(path)], ["convert", str(path), "-o", str(tmp_path / "out.glb")]):
        began = time.perf_counter()
        result = CliRunner().invoke(cli, line)
        assert time.perf_counter() - began < LONGEST
        assert result.exit_code in (2, 3) and message in result.output, result.output[-500:]
        assert result.output.startswith(f"error: {path}: ") and result.output.count("\n") == 1
    assert not (tmp_path / "out.glb").exists()


def test_they_all_fit_into_little_memory(tmp_path):
    """In one process of bounded address space: what asks for more fails with a MemoryError, which is a bug."""
    for name, (content, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(content)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mocaplift.errors import MocapliftError\n"
        "from mocaplift.reading import read_recording\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        read_recording(Path(name))\n"
        "    except MocapliftError as error:\n"
        "        if 'MemoryError' in str(error):\n"
        "            sys.exit(f'{name}: {error}')\n"
        "    else:\n"
        "        sys.exit(f'{name} was read')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *sorted(str(tmp_path / name) for name in HOSTILE)],
        capture_output=True, text=True, timeout=120, check=False, env={"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    motion = walker(6).motion
    return {suffix: EXPORTERS[suffix](motion, ExportOptions()) for suffix in READ}


@pytest.mark.parametrize("suffix", READ)
def test_files_that_are_cut_off_anywhere_are_refused(tmp_path, made, suffix):
    content = made[suffix]
    for share in (0.01, 0.2, 0.5, 0.9, 0.99):
        (tmp_path / f"a{suffix}").write_bytes(content[: int(share * len(content))])
        result = CliRunner().invoke(cli, ["check", str(tmp_path / f"a{suffix}")])
        assert result.exit_code in (2, 3) and result.output.startswith("error: "), result.output[-500:]


@pytest.mark.parametrize("suffix", READ)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes_are_read_or_refused_but_never_a_bug(tmp_path, made, suffix, data):
    content = bytearray(made[suffix])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path: Path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(content))
    for line in (
        ["check", str(path)],
        ["convert", str(path), "--overwrite", "-o", str(tmp_path / "out.bvh")],
    ):
        result = CliRunner().invoke(cli, line)
        assert result.exit_code in (0, 1, 2, 3) and "bug in mocaplift" not in result.output, result.output[
            -800:
        ]


# Words and marks that BVH is made of, so that what is drawn gets past the first line.
PIECES = st.sampled_from(
    ["HIERARCHY", "ROOT a", "JOINT b", "End Site", "{", "}", "OFFSET 0 1 0", "OFFSET 1e9 nan", "CHANNELS 0",
     "CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 1 Xposition", "CHANNELS", "MOTION", "Frames: 2",
     "Frames: 99999999", "Frame Time: 0.04", "Frame Time: -1", "0 0 0", "1 2", "nan", "\n", "\t", "\0", "é"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("\n".join))
@example("HIERARCHY\nROOT a\n{\nOFFSET 0 1 0\nEnd Site\n{\nEnd Site")
@settings(max_examples=300, deadline=None)
def test_texts_of_its_own_words_never_break_the_bvh_reader(text):
    check_read_or_refused(text)


@given(st.text(max_size=200), st.integers(0, len(SMALL)), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_texts_put_into_a_good_file_never_break_the_bvh_reader(text, at, gone):
    check_read_or_refused(SMALL[:at] + text + SMALL[at + gone :])


def check_read_or_refused(text: str) -> None:
    """Check that a text is refused, or that what is read holds together."""
    try:
        file = parse_bvh(text)
    except InvalidData as error:
        assert len(str(error)) < 400
        return
    frames, joints = file.rotations.shape[:2]
    assert len(file.names) == len(file.parents) == len(file.offsets) == joints
    assert all(parent < child for child, parent in enumerate(file.parents))
    assert file.root.shape == (frames, 3) and all(len(place) == frames for place in file.places.values())
    for array in (file.rotations, file.root, file.offsets, *file.places.values(), *file.tips.values()):
        assert np.isfinite(array).all()
    np.testing.assert_allclose(np.linalg.norm(file.rotations, axis=-1), 1, atol=1e-9)
    assert 0 < float(file.fps) < np.inf
