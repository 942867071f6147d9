"""Other people's pickles: what is honest is read, what would fill the memory is refused before it does."""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - writes what is read
import pickletools

import numpy as np
import pytest

from mocaplift import pickles
from mocaplift.pickles import BoundedUnpickler

SHARED = ["a", "b"]
CONTENT = {"again": [SHARED, SHARED], "text": "\u00e4", "bytes": b"\xff\n.", "number": -(2**70), "half": 0.5}


def load(content: bytes) -> object:
    return BoundedUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("protocol", range(6))
def test_honest_pickles_are_read(protocol: int) -> None:
    content = pickle.dumps(CONTENT, protocol)
    for each in (content, pickletools.optimize(content)):
        read = load(each)
        assert read == CONTENT and read["again"][0] is read["again"][1]
    np.testing.assert_array_equal(load(pickle.dumps(np.arange(9.0), protocol)), np.arange(9.0))


def test_one_pickle_after_the_other() -> None:
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps([2]) + b"and more")
    assert [BoundedUnpickler(file).load() for _ in range(2)] == [1, [2]] and file.read() == b"and more"


def test_bytes_that_python_2_wrote_as_text() -> None:
    file = io.BytesIO(b"(dp1\nS'key'\np2\nS'\\xe9\xe9'\np3\ns.")
    assert BoundedUnpickler(file, encoding="latin1").load() == {"key": "\u00e9\u00e9"}


@pytest.mark.parametrize("store", [b"p2000000000\n", b"r\xff\xff\xff\x7f", b"p-1\n"])
def test_absurd_places_are_refused(store: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="absurd place"):
        load(b"\x80\x02}" + store + b".")


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_CODES", 100)
    with pytest.raises(pickle.UnpicklingError, match="too many codes"):
        load(b"\x80\x04(" + 200 * b"\x8f" + b"l.")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04", b"\xff", b"hello", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\x04P12\n"],
)
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        load(content)
