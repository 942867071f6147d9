"""Every value as one .npz file: arrays as they are, everything else as JSON. No pickle, neither way.

The file is a zip of .npy members; the member `header` holds JSON: format, version, and a tree in which a
value is `{"kind": name, "fields": {...}}` and an array is `{"array": member}`. Reading trusts nothing: sizes
are checked before memory is taken, and every value is made by its own constructor, which checks the rest.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import types
import typing
import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mocaplift.errors import InvalidData
from mocaplift.files import write_whole
from mocaplift.values import (
    Camera,
    Capture,
    Clip,
    Keypoints2D,
    Layout,
    Motion3D,
    Skeleton,
    SkeletonMotion,
)

FORMAT = "mocaplift"
VERSION = 1
HEADER = "header"
KINDS = {
    kind.__name__: kind
    for kind in (Clip, Layout, Keypoints2D, Camera, Motion3D, Skeleton, SkeletonMotion, Capture)
}
Value = Clip | Layout | Keypoints2D | Camera | Motion3D | Skeleton | SkeletonMotion | Capture

# An hour at 120 fps of eight views is 2.5 GB; a file that declares more is damaged or hostile.
LARGEST_TOTAL = 4 * 1024**3  # bytes, unpacked
LARGEST_HEADER = 16 * 1024**2  # bytes, unpacked
# Numbers that were measured pack to a few percent at best; only long runs of zeros pack better than this, and
# those are refused only where there is much of them.
LARGEST_RATIO = 200
RATIO_MATTERS_FROM = 64 * 1024**2  # bytes, unpacked
MOST_MEMBERS = 4096
DEEPEST_TREE = 32
# Numbers only, in the machine's own width: objects, strings, records and extended floats are refused.
_DTYPES = {np.dtype(code) for code in ("f8", "f4", "i8", "i4", "i2", "u1", "?")}


def encode(value: Value | tuple[Value, ...]) -> bytes:
    """Return a value, or a tuple of values (a rig, say), as the bytes of an .npz file.

    Raises:
        InvalidData: it holds something that is no value, array, number or text.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _to_tree(value, arrays)
    header = json.dumps({"format": FORMAT, "version": VERSION, "value": tree}, ensure_ascii=True)
    arrays[HEADER] = np.frombuffer(header.encode("ascii"), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def decode(content: bytes | Path, source: str = "") -> Any:
    """Return the value of an .npz file's bytes or path; `source` names it in messages.

    Raises:
        InvalidData: this is no such file, is damaged, or holds values that do not fit together.
    """
    source = source or (str(content) if isinstance(content, Path) else "these bytes")
    try:
        with zipfile.ZipFile(content if isinstance(content, Path) else io.BytesIO(content)) as archive:
            members = _checked_members(archive)
            header = _read_header(archive, members)
            return _from_tree(header["value"], lambda name: _read_array(archive, members, name))
    except InvalidData as error:
        raise InvalidData(f"{source}: {error}") from error
    except Exception as error:
        # A damaged or hostile file can fail anywhere inside zipfile, zlib, numpy, json and the constructors.
        raise InvalidData(f"{source}: damaged, or not written by mocaplift ({error!r})") from error


def save(value: Value | tuple[Value, ...], path: Path) -> None:
    """Write a value, or a tuple of values, to an .npz file, whole or not at all.

    Raises:
        InvalidData: it holds something that cannot be stored.
        OutputError: the file cannot be written.
    """
    write_whole(path, encode(value))


def load(path: Path | str) -> Any:
    """Return the value, or the tuple of values, in a file that `save` wrote.

    Raises:
        InvalidData: there is no such file, it is damaged, or holds values that do not fit together.
    """
    if not Path(path).is_file():
        raise InvalidData(f"{path}: no such file")
    return decode(Path(path))


def _to_tree(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return a value as JSON, putting its arrays aside under new names."""
    if isinstance(value, np.ndarray):
        if value.dtype not in _DTYPES:
            raise InvalidData(f"cannot store an array of {value.dtype}")
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if type(value).__name__ in KINDS and isinstance(value, KINDS[type(value).__name__]):
        fields = {
            each.name: _to_tree(getattr(value, each.name), arrays) for each in dataclasses.fields(value)
        }
        return {"kind": type(value).__name__, "fields": fields}
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        # JSON has no NaN and no infinity.
        return number if math.isfinite(number) else {"number": str(number)}
    if isinstance(value, Fraction):
        return {"fraction": [value.numerator, value.denominator]}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {"map": [[_key(key), _to_tree(entry, arrays)] for key, entry in value.items()]}
    if isinstance(value, tuple | list):
        return {"tuple": [_to_tree(entry, arrays) for entry in value]}
    raise InvalidData(f"cannot store a {type(value).__name__}")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise InvalidData(f"cannot store a table with the key {key!r}: keys must be text")
    return key


def _from_tree(tree: Any, read_array: Callable[[str], np.ndarray], depth: int = 0) -> Any:
    """Return the value that a JSON tree describes."""
    if depth > DEEPEST_TREE:
        raise InvalidData("the header is nested too deeply")
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise InvalidData("the header holds a bare list")
        return tree

    def inner(entry: Any) -> Any:
        return _from_tree(entry, read_array, depth + 1)

    tags = set(tree)
    if tags == {"kind", "fields"}:
        return _make(tree["kind"], {name: inner(entry) for name, entry in tree["fields"].items()})
    if len(tags) == 1:
        tag, content = next(iter(tree.items()))
        if tag == "array":
            return read_array(content)
        if tag == "tuple":
            return tuple(inner(entry) for entry in content)
        if tag == "map":
            return {_key(key): inner(entry) for key, entry in content}
        if tag == "fraction":
            return Fraction(int(content[0]), int(content[1]))
        if tag == "number":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        if tag == "path":
            return Path(content)
    raise InvalidData(f"the header holds an unknown entry {sorted(tags)}")


def _make(kind: str, fields: dict[str, Any]) -> Any:
    """Return the value of that kind, after a check that every field has a fitting type."""
    if kind not in KINDS:
        raise InvalidData(f"unknown kind of value {kind!r}; known: {', '.join(KINDS)}")
    made = KINDS[kind]
    wanted = {each.name: each for each in dataclasses.fields(made)}
    if unknown := set(fields) - set(wanted):
        raise InvalidData(f"{kind} has no field {', '.join(sorted(unknown))}")
    missing = {
        name
        for name, each in wanted.items()
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    } - set(fields)
    if missing:
        raise InvalidData(f"{kind} lacks {', '.join(sorted(missing))}")
    hints = typing.get_type_hints(made)
    for name, value in fields.items():
        if not _fits(value, hints[name]):
            raise InvalidData(f"{kind}.{name} cannot be a {type(value).__name__}")
    return made(**fields)


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value may stand in a field so annotated."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or isinstance(hint, types.UnionType):
        return any(_fits(value, each) for each in arguments)
    if hasattr(hint, "array_type"):
        return isinstance(value, hint)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_fits(entry, arguments[0]) for entry in value)
        return len(value) == len(arguments) and all(
            _fits(entry, each) for entry, each in zip(value, arguments, strict=True)
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if origin is not None:  # a sequence
        return isinstance(value, tuple) and all(_fits(entry, arguments[0]) for entry in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if hint is type(None) else isinstance(value, hint)


def _checked_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's members by name, after a check that they can be unpacked without harm."""
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise InvalidData(f"it holds {len(infos)} arrays, more than {MOST_MEMBERS}")
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > LARGEST_TOTAL or (
        unpacked > RATIO_MATTERS_FROM and unpacked > LARGEST_RATIO * max(packed, 1)
    ):
        raise InvalidData(f"it would unpack to {unpacked / 1e9:.1f} GB, which no capture needs")
    members = {info.filename.removesuffix(".npy"): info for info in infos}
    if len(members) != len(infos):
        raise InvalidData("it holds two arrays of one name")
    if HEADER not in members:
        raise InvalidData("an .npz file, but not one of mocaplift's values (it has no header)")
    if members[HEADER].file_size > LARGEST_HEADER:
        raise InvalidData("its header is too large")
    return members


def _read_header(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """Return the header, after a check of format and version."""
    text = _read_array(archive, members, HEADER)
    if text.dtype != np.uint8 or text.ndim != 1:
        raise InvalidData("its header is not text")
    header = json.loads(text.tobytes().decode("ascii"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InvalidData("an .npz file, but not one of mocaplift's values")
    if header.get("version") != VERSION:
        raise InvalidData(
            f"format version {header.get('version')}, but this mocaplift reads {VERSION}; update mocaplift"
        )
    return header


def _read_array(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: Any) -> np.ndarray:
    """Return one array; its declared size must be what the archive holds, before memory is taken for it."""
    if name not in members:
        raise InvalidData(f"the header names an array {name!r} that is not there, or names it twice")
    # Each array once: a small header could otherwise ask for a large array a million times.
    info = members.pop(name)
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise InvalidData(f"array {name!r} has an unknown format {version}")
        formats = np.lib.format
        read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype not in _DTYPES:
            raise InvalidData(f"array {name!r} holds {dtype}, not plain numbers")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != info.file_size - file.tell():
            raise InvalidData(f"array {name!r} declares {list(shape)}, which is not what the file holds")
        content = file.read(size)
        if len(content) != size or file.read(1):
            raise InvalidData(f"array {name!r} is cut off")
    array = np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.copy()
