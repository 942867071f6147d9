"""Weight files: found in the right place, checked before they are believed, written whole or not at all."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from mocaplift import weights
from mocaplift.errors import OutputError, WeightsError

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([1, 2], dtype=np.int32)}


def written(path: Path, kind: str = "toy", **header: object) -> Path:
    weights.save_arrays(path, kind, ARRAYS, header)
    return path


def raw(path: Path, header: object, body: bytes = b"") -> Path:
    """Write a safetensors file by hand: the header's length, the header, the numbers."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


class TestLocate:
    def test_the_users_folder_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shipped = weights.locate("body")
        assert shipped.parent in weights.search_path()
        monkeypatch.setenv("MOCAPLIFT_WEIGHTS", str(tmp_path))
        assert weights.locate("body") == shipped  # the folder has none: the next one is asked
        own = written(tmp_path / "body.safetensors")
        assert weights.locate("body") == own
        assert weights.visible()["body"] == own
        assert weights.visible()["pose-prior"] == shipped.with_name("pose-prior.safetensors")

    def test_the_installed_package_comes_before_the_checkout(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MOCAPLIFT_WEIGHTS", raising=False)
        package = Path(weights.__file__).parent
        assert weights.search_path() == [package / "_weights", package.parent / "weights"]

    def test_a_path_is_taken_as_it_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written(tmp_path / "mine.safetensors")
        assert weights.locate(str(path)) == path
        monkeypatch.chdir(tmp_path)
        assert weights.locate("mine.safetensors") == Path("mine.safetensors")
        with pytest.raises(WeightsError, match=r"other\.safetensors: no such weight file"):
            weights.locate(str(tmp_path / "other.safetensors"))
        with pytest.raises(WeightsError, match="no such weight file"):
            weights.locate(f"nowhere{os.sep}body")

    def test_what_is_missing_is_named_with_where_it_was_looked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MOCAPLIFT_WEIGHTS", str(tmp_path))
        with pytest.raises(
            WeightsError, match=f"weights 'bodies' not found; looked in {tmp_path}, .*_weights"
        ):
            weights.locate("bodies")


class TestLoad:
    def test_arrays_and_header_come_back(self, tmp_path: Path) -> None:
        path = written(tmp_path / "toy.safetensors", licence="CC0", joints=["a", "b"])
        arrays, header = weights.load_arrays(path, "toy")
        assert header == {"kind": "toy", "format": 1, "licence": "CC0", "joints": ["a", "b"]}
        assert weights.read_header(path) == header
        assert set(arrays) == {"a", "b"}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype

    def test_views_are_stored_in_their_own_order(self, tmp_path: Path) -> None:
        turned = ARRAYS["a"].T
        weights.save_arrays(tmp_path / "t.safetensors", "toy", {"t": turned}, {})
        np.testing.assert_array_equal(weights.load_arrays(tmp_path / "t.safetensors", "toy")[0]["t"], turned)

    def test_a_file_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="holds 'toy', but 'body' is needed here"):
            weights.load_arrays(written(tmp_path / "toy.safetensors"), "body")

    @pytest.mark.parametrize("keep", [0, 4, 40, -1])
    def test_a_damaged_file_is_told(self, tmp_path: Path, keep: int) -> None:
        path = written(tmp_path / "toy.safetensors")
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(WeightsError, match=r"toy\.safetensors: damaged or not a safetensors file"):
            weights.load_arrays(path, "toy")

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"gone\.safetensors: damaged or not a safetensors file"):
            weights.read_header(tmp_path / "gone.safetensors")

    @pytest.mark.parametrize(
        ("header", "told"),
        [
            ({}, "not one of mocaplift's"),
            ({"__metadata__": {"other": "1"}}, "not one of mocaplift's"),
            ({"__metadata__": {"mocaplift": ""}}, "not one of mocaplift's"),
            ({"__metadata__": {"mocaplift": "{"}}, "its header is not JSON"),
            ({"__metadata__": {"mocaplift": "[1]"}}, "its header is no object, but list"),
            ({"__metadata__": {"mocaplift": '"' + "x" * (1 << 20) + '"'}}, "not one of mocaplift's"),
            ({"__metadata__": {"mocaplift": 3}}, "damaged"),
            (b"\xff\xfe{", "damaged"),
            (
                {
                    "__metadata__": {"mocaplift": '{"kind": "toy"}'},
                    "a": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]},
                },
                "damaged",
            ),
        ],
    )
    def test_hostile_headers_are_refused(self, tmp_path: Path, header: object, told: str) -> None:
        path = raw(tmp_path / "bad.safetensors", header)
        with pytest.raises(WeightsError, match=f"bad.safetensors: .*{told}"):
            weights.load_arrays(path, "toy")

    def test_a_header_that_claims_to_be_endless_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "endless.safetensors"
        path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
        with pytest.raises(WeightsError, match="damaged"):
            weights.read_header(path)

    def test_deeply_nested_headers_do_not_end_the_program(self, tmp_path: Path) -> None:
        deep = "[" * 200_000 + "]" * 200_000
        path = raw(tmp_path / "deep.safetensors", {"__metadata__": {"mocaplift": deep}})
        with pytest.raises(WeightsError, match="its header is not JSON"):
            weights.read_header(path)


class TestSave:
    def test_a_failed_write_leaves_the_old_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = written(tmp_path / "toy.safetensors", version=1)
        before = path.read_bytes()

        def fails(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", fails)
        with pytest.raises(OutputError, match="disk is full"):
            written(path, version=2)
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["toy.safetensors"]

    def test_checksums_follow_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        path.write_bytes(b"abc")
        # FIPS 180-2, the example of one block.
        assert weights.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        path.write_bytes(b"")
        os.utime(path, ns=(1, 1))
        assert weights.sha256(path).startswith("e3b0c44298fc1c14")
