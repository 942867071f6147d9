"""Records, the bytes that an FBX file is made of: named nodes with typed values and children.

The layout (Blender Foundation, "FBX binary file format specification", public domain) is: where the record
ends in the file, how many values, how many bytes they take, the name, the values, the children, and an empty
record where there is a list of children, be it empty.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from mocaplift.errors import InvalidData

MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
# 2014's version: every program reads it, and from 7500 on the offsets are twice as wide.
VERSION = 7400
# Arrays above this many bytes are compressed; the number is Blender's.
LARGEST_PLAIN = 128
# The letters of array values, by the arrays' type.
ARRAY_CODES = {"<f4": "f", "<f8": "d", "<i8": "l", "<i4": "i"}
# The end of every file that Blender writes: a signature that nobody is known to check.
_FOOTER = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
_LAST_BYTES = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
_HEADER = struct.Struct("<III")
_NULL_RECORD = bytes(_HEADER.size + 1)
_ALIGNMENT = 16
_ZEROS_AFTER_VERSION = 120


@dataclass(frozen=True)
class Packed:
    """A value already in bytes, so that what hundreds of records share is compressed once."""

    content: bytes


Value = bool | int | float | str | bytes | np.int64 | np.ndarray | Packed


@dataclass(frozen=True, eq=False)
class Node:
    """One record. Python's int is written with 32 bits and `np.int64` with 64.

    `children` None means no list at all; readers of some records (AnimationLayer) want one even if empty.
    """

    name: str
    values: tuple[Value, ...] = ()
    children: Sequence[Node] | None = None


def encode(nodes: Sequence[Node]) -> bytes:
    """Return a whole file: header, records, footer.

    Raises:
        InvalidData: the file would be larger than its 32-bit offsets can tell.
    """
    out = bytearray(MAGIC + struct.pack("<I", VERSION))
    for node in nodes:
        _write(out, node)
    out += _NULL_RECORD + _FOOTER + bytes(4)
    out += bytes(_ALIGNMENT - len(out) % _ALIGNMENT)
    out += struct.pack("<I", VERSION) + bytes(_ZEROS_AFTER_VERSION) + _LAST_BYTES
    if len(out) >= 2**32:
        raise InvalidData("the motion is too long for one FBX file (4 GiB): cut it into several")
    return bytes(out)


def _write(out: bytearray, node: Node) -> None:
    """Append one record, then go back and say where it ends."""
    start, name = len(out), node.name.encode("ascii")
    out += bytes(_HEADER.size) + bytes([len(name)]) + name
    values_start = len(out)
    for value in node.values:
        out += pack(value).content
    length = len(out) - values_start
    if node.children is not None:
        for child in node.children:
            _write(out, child)
        out += _NULL_RECORD
    # An end past 4 GiB is refused by `encode`, once, with the whole file's size.
    _HEADER.pack_into(out, start, len(out) & 0xFFFFFFFF, len(node.values), length)


@singledispatch
def pack(value: object) -> Packed:
    """Return the bytes of one value: its letter, then its content, little-endian.

    Raises:
        TypeError: the format has no such value.
    """
    raise TypeError(f"FBX has no value of type {type(value).__name__}")


@pack.register
def _(value: Packed) -> Packed:
    return value


@pack.register
def _(value: bool) -> Packed:
    return Packed(b"C" + struct.pack("<?", value))


@pack.register
def _(value: int) -> Packed:
    return Packed(b"I" + struct.pack("<i", value))


@pack.register
def _(value: np.int64) -> Packed:
    return Packed(b"L" + struct.pack("<q", value))


@pack.register
def _(value: float) -> Packed:
    return Packed(b"D" + struct.pack("<d", value))


@pack.register
def _(value: bytes) -> Packed:
    return Packed(b"R" + struct.pack("<I", len(value)) + value)


@pack.register
def _(value: str) -> Packed:
    content = value.encode("utf-8")
    return Packed(b"S" + struct.pack("<I", len(content)) + content)


@pack.register
def _(value: np.ndarray) -> Packed:
    code = ARRAY_CODES[value.dtype.newbyteorder("<").str]
    content = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes()
    is_packed = len(content) > LARGEST_PLAIN
    stored = zlib.compress(content) if is_packed else content
    head = struct.pack("<III", value.size, int(is_packed), len(stored))
    return Packed(code.encode() + head + stored)
