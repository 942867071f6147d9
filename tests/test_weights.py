"""Weight files: found in a known order, read strictly, written whole; damage is a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from mocaplift import weights
from mocaplift.errors import OutputError, WeightsError

ARRAYS = {"offsets": np.arange(6.0).reshape(2, 3), "flags": np.array([1, 0], np.uint8)}


def test_arrays_and_header_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "body.safetensors"
    weights.save_arrays(path, "body", ARRAYS, {"licence": "Apache-2.0", "joints": ["pelvis"]})
    arrays, header = weights.load_arrays(path, "body")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert header == weights.read_header(path)
    assert header == {"kind": "body", "format": 1, "licence": "Apache-2.0", "joints": ["pelvis"]}


def test_an_array_that_is_not_in_order_in_memory_is_written_right(tmp_path: Path) -> None:
    turned = np.arange(6.0).reshape(2, 3).T
    weights.save_arrays(tmp_path / "x.safetensors", "x", {"turned": turned}, {})
    np.testing.assert_array_equal(weights.load_arrays(tmp_path / "x.safetensors", "x")[0]["turned"], turned)


def test_the_users_folder_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = weights.locate("body")
    weights.save_arrays(tmp_path / "body.safetensors", "body", ARRAYS, {})
    weights.save_arrays(tmp_path / "extra.safetensors", "extra", ARRAYS, {})
    monkeypatch.setenv("MOCAPLIFT_WEIGHTS", str(tmp_path))
    assert weights.locate("body") == tmp_path / "body.safetensors" != ours
    assert weights.visible()["body"] == tmp_path / "body.safetensors"
    assert weights.visible()["extra"] == tmp_path / "extra.safetensors"
    assert weights.locate(str(ours)) == ours


@pytest.mark.parametrize("name", ["none", "none.safetensors", "folder/none"])
def test_what_is_not_there_is_said(name: str) -> None:
    with pytest.raises(WeightsError, match="none"):
        weights.locate(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged or not a safetensors file"),
        (b"text", "damaged or not a safetensors file"),
        (save(ARRAYS), "not one of mocaplift's"),
        (save(ARRAYS, metadata={"mocaplift": "{"}), "its header is not JSON"),
        (save(ARRAYS, metadata={"mocaplift": "[1]"}), "its header is no object, but list"),
        (save(ARRAYS, metadata={"mocaplift": json.dumps({"kind": "prior"})}), "holds 'prior', but 'body'"),
        (save(ARRAYS, metadata={"mocaplift": json.dumps({"kind": "body"})})[:-8], "damaged"),
    ],
)
def test_damage_and_mistakes_are_said(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        weights.load_arrays(path, "body")
    assert "bad.safetensors" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        weights.save_arrays(tmp_path / "file" / "x.safetensors", "x", ARRAYS, {})


def test_a_checksum_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert weights.sha256(path).startswith("ba7816bf8f01cfea")
    path.write_bytes(b"abcd")
    assert not weights.sha256(path).startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("name", ["body", "pose-prior"])
def test_what_we_ship_says_where_it_comes_from(name: str) -> None:
    path = weights.locate(name)
    header = weights.read_header(path)
    assert header["licence"] == "Apache-2.0"
    assert "mocap.cs.cmu.edu" in json.dumps(header)
    assert path.stat().st_size < 40e6
