"""The records of an FBX file, read without trusting a single number in it.

Every length is compared with what is left of the file before anything is made of it; arrays are unpacked up to
the size that they declare and no further.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mocaplift.errors import InvalidData
from mocaplift.export.fbx.records import ARRAY_CODES, MAGIC

# A take of an hour with 70 bones takes about 150 MB.
MOST_BYTES = 512 * 2**20
MOST_RECORDS = 1_000_000
MOST_VALUES = 4_000_000
# All arrays of a file together, unpacked.
MOST_UNPACKED_BYTES = 512 * 2**20
# Our own files are 5 deep, Maya's 8.
DEEPEST = 32
# The versions whose offsets have 32 bits, and the first with 64.
OLDEST, FIRST_WIDE, FIRST_UNKNOWN = 7100, 7500, 8000
# zlib cannot shrink anything more than this (its FAQ: 1032 to 1).
STRONGEST_COMPRESSION = 1040

_SCALARS = {
    "C": struct.Struct("<b"),
    "Y": struct.Struct("<h"),
    "I": struct.Struct("<i"),
    "L": struct.Struct("<q"),
    "F": struct.Struct("<f"),
    "D": struct.Struct("<d"),
}
_ARRAYS = {code: np.dtype(kind) for kind, code in ARRAY_CODES.items()} | {"b": np.dtype("i1")}
_LENGTH = struct.Struct("<I")
_ARRAY_HEAD = struct.Struct("<III")

Read = int | float | str | bytes | np.ndarray


@dataclass(frozen=True, eq=False)
class Record:
    """One record as read: strings decoded, arrays unpacked."""

    name: str
    values: tuple[Read, ...]
    children: tuple[Record, ...]

    def all(self, name: str) -> Iterator[Record]:
        """Yield the children of this name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Record:
        """Return the first child of this name, or an empty record if there is none."""
        return next(self.all(name), Record(name, (), ()))


def parse(content: bytes) -> Record:
    """Return the whole file as one nameless record.

    Raises:
        InvalidData: no binary FBX file, or truncated, contradictory or too large.
    """
    if len(content) > MOST_BYTES:
        raise InvalidData(f"the FBX file is larger than {MOST_BYTES // 2**20} MB")
    if not content.startswith(MAGIC):
        kind = "text FBX; save it as binary" if content.lstrip()[:1] == b";" else "no binary FBX file"
        raise InvalidData(f"the file does not begin as an FBX file does: {kind}")
    return _Parser(content).file()


class _Parser:
    """A position in the file and what has been spent so far."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = len(MAGIC)
        self.limit = len(content)
        self.records = 0
        self.values = 0
        self.unpacked = 0

    def file(self) -> Record:
        """Return the whole file as one nameless record.

        Raises:
            InvalidData: the version is not read, or the file is damaged.
        """
        (version,) = self._take(_LENGTH)
        if not OLDEST <= version < FIRST_UNKNOWN:
            raise InvalidData(f"FBX version {version} is not read; 7100 to 7900 are")
        self.head = struct.Struct("<QQQB" if version >= FIRST_WIDE else "<IIIB")
        return Record("", (), self._children(len(self.content), depth=0))

    def _take(self, form: struct.Struct) -> tuple:
        if self.at + form.size > self.limit:
            raise InvalidData(f"the FBX file is cut off or damaged at byte {self.at}")
        found = form.unpack_from(self.content, self.at)
        self.at += form.size
        return found

    def _raw(self, length: int) -> bytes:
        if length > self.limit - self.at:
            raise InvalidData(f"the FBX file is cut off or damaged at byte {self.at}")
        found = self.content[self.at : self.at + length]
        self.at += length
        return found

    def _children(self, end: int, depth: int) -> tuple[Record, ...]:
        """Return the records up to the empty one that closes the list, which may not lie past `end`."""
        found: list[Record] = []
        while True:
            self.limit = end
            record = self._record(end, depth)
            if record is None:
                return tuple(found)
            found.append(record)

    def _record(self, limit: int, depth: int) -> Record | None:
        start = self.at
        end, count, length, name_length = self._take(self.head)
        if end == 0:
            return None
        self.records += 1
        self.values += count
        if depth > DEEPEST or self.records > MOST_RECORDS or self.values > MOST_VALUES:
            raise InvalidData(
                "the FBX file holds more records or values, or deeper ones, than any motion needs"
            )
        if not self.at <= end <= limit:
            raise InvalidData(f"the FBX record at byte {start} ends outside of the one around it")
        self.limit = end
        name = _text(self._raw(name_length))
        values_end = self.at + length
        if values_end > end:
            raise InvalidData(f"the values of FBX record {name!r} at byte {start} are longer than itself")
        self.limit = values_end
        values = tuple(self._value() for _ in range(count))
        if self.at != values_end:
            raise InvalidData(
                f"the values of FBX record {name!r} at byte {start} have another length than told"
            )
        inside = self._children(end, depth + 1) if self.at < end else ()
        if self.at != end:
            raise InvalidData(f"the FBX record {name!r} at byte {start} ends elsewhere than it tells")
        return Record(name, values, inside)

    def _value(self) -> Read:
        code = self._raw(1).decode("latin-1")
        if code in _SCALARS:
            return self._take(_SCALARS[code])[0]
        if code in "SR":
            content = self._raw(self._take(_LENGTH)[0])
            return _text(content) if code == "S" else content
        if code in _ARRAYS:
            return self._array(_ARRAYS[code])
        raise InvalidData(f"the FBX file holds a value of unknown type {code!r} at byte {self.at - 1}")

    def _array(self, kind: np.dtype) -> np.ndarray:
        start = self.at
        count, packing, stored = self._take(_ARRAY_HEAD)
        size = count * kind.itemsize
        content = self._raw(stored)
        self.unpacked += size
        if packing > 1 or size > STRONGEST_COMPRESSION * (stored + 1) or self.unpacked > MOST_UNPACKED_BYTES:
            raise InvalidData(f"the FBX array at byte {start} declares {count} numbers in {stored} bytes")
        if packing:
            try:
                content = zlib.decompressobj().decompress(content, size + 1)
            except zlib.error as error:
                raise InvalidData(f"the FBX array at byte {start} cannot be unpacked: {error}") from None
        if len(content) != size:
            raise InvalidData(
                f"the FBX array at byte {start} holds another count of numbers than it declares"
            )
        return np.frombuffer(content, dtype=kind)


def _text(content: bytes) -> str:
    # Foreign files hold names in the encoding of somebody's machine: a sign that is no UTF-8 stays visible.
    return content.decode("utf-8", errors="replace")
