"""OpenCap: one pickle a camera, `cameraIntrinsicsExtrinsics.pickle`; millimetres.

A table of `intrinsicMat` 3 x 3, `distortion` 1 x 5, `imageSize` (height, width), `rotation` 3 x 3 and
`translation` (mm), world to camera. The world is that of a board on the wall: x right, y down, z into the wall. A
pickle is a program: the unpickler here knows numpy's arrays and nothing else, and whatever else a file names is
refused.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mocaplift.calibrate import Calibration, Format, Source, open_source
from mocaplift.calibrate.assemble import assemble, field, numbers
from mocaplift.errors import CalibrationError
from mocaplift.pickles import BoundedUnpickler
from mocaplift.values import Camera

NAME = "opencap"
# Real files have 2 kB; they are arrays of a few dozen numbers.
MOST_BYTES = 1 << 20
MOST_FILES = 100
# The name that every camera's file has: the folder is named like the camera.
_COMMON_NAME = "cameraIntrinsicsExtrinsics"
_PATTERNS = ("*.pickle", "*.pkl", "Cam*/*.pickle", "Videos/Cam*/*.pickle")
_KEYS = {"intrinsicMat", "rotation", "translation", "imageSize"}
_OPTIONAL = {"distortion"}
MOST_NUMBERS = 64


def recognizes(source: Source) -> bool:
    """Tell whether a file is a pickle, or a folder holds some."""
    return bool(_files(source.path)) if source.is_folder else _is_pickle(source.content)


def read(source: Source) -> Calibration:
    """Return the camera of a file, or those of a folder by the files' or subfolders' names, in metres, +Y up.

    Raises:
        CalibrationError: a file is damaged, holds code, or is no such camera.
    """
    paths = _files(source.path) if source.is_folder else [source.path]
    if len(paths) > MOST_FILES:
        raise CalibrationError(f"{source.path} holds {len(paths)} pickles; at most {MOST_FILES} are read")
    cameras = tuple(
        _camera(path, source.content if path == source.path else open_source(path).content) for path in paths
    )
    return Calibration(cameras, NAME, source.path, unit="m", up="y")


def _files(folder: Path) -> list[Path]:
    return sorted(path for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file())


def _is_pickle(content: bytes) -> bool:
    """Tell whether bytes begin with a protocol of pickle 2 to 5, or look like the older protocol in text."""
    if content[:1] == b"\x80":
        return len(content) > 1 and 2 <= content[1] <= 5
    return content[:1] in (b"(", b"c", b"}") and content.rstrip()[-1:] == b"."


def _camera(path: Path, content: bytes) -> Camera:
    name = path.parent.name if path.stem == _COMMON_NAME else path.stem
    table = _table(path, content)
    height, width = numbers(field(table, ["imageSize"], path, name), (2,), "imageSize", path, name)
    return assemble(
        path,
        name,
        matrix=field(table, ["intrinsicMat"], path, name),
        distortion=table.get("distortion"),
        rotation=field(table, ["rotation"], path, name),
        translation=field(table, ["translation"], path, name),
        size=[width, height],
        unit="mm",
        up="-y",
    )


def _table(path: Path, content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise CalibrationError(f"{path} has {len(content)} bytes: too large for one camera of OpenCap")
    try:
        table = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from None
    except Exception as error:
        # A damaged or hostile file can fail anywhere inside the unpickler and numpy.
        raise CalibrationError(f"{path}: damaged, or no camera of OpenCap ({error!r})") from error
    if not isinstance(table, dict) or not table.keys() >= _KEYS:
        raise CalibrationError(f"{path}: no camera of OpenCap; it should hold {', '.join(sorted(_KEYS))}")
    return {key: _plain(table[key], f"{path}: {key}") for key in _KEYS | (_OPTIONAL & table.keys())}


class _Recorded:
    """Stands for an object of numpy's: keeps what it was made from, does nothing."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _DType(_Recorded):
    """A data type: (name, ...) and the state (version, byte order, ...)."""


class _Array(_Recorded):
    """An array: the state (version, shape, type, is in Fortran's order, bytes)."""


class _Scalar(_Recorded):
    """A number: (type, bytes)."""


class _FromBuffer(_Recorded):
    """An array of the newest protocol: (bytes, type, shape, order)."""


def _plain(value: Any, where: str) -> Any:
    """Return numbers, or an array of them, of what was read.

    Raises:
        CalibrationError: it is anything else, or has more bytes or fewer than it says.
    """
    if isinstance(value, _Array) and isinstance(value.state, tuple) and len(value.state) == 5:
        _, shape, dtype, is_fortran, content = value.state
        return _numbers(content, dtype, shape, "F" if is_fortran else "C", where)
    if isinstance(value, _FromBuffer) and len(value.arguments) == 4:
        content, dtype, shape, order = value.arguments
        return _numbers(content, dtype, shape, "F" if order == "F" else "C", where)
    if isinstance(value, _Scalar) and len(value.arguments) == 2:
        return _numbers(value.arguments[1], value.arguments[0], (), "C", where)
    if isinstance(value, list | tuple):
        flat = [each for row in value for each in (row if isinstance(row, list | tuple) else [row])]
        if len(flat) <= MOST_NUMBERS and all(isinstance(each, int | float) for each in flat):
            return [float(each) for each in flat]
    if isinstance(value, int | float):
        return float(value)
    raise CalibrationError(f"{where} is a {type(value).__name__} and no array of numbers")


def _numbers(content: Any, dtype: Any, shape: Any, order: Literal["C", "F"], where: str) -> np.ndarray:
    content = content.encode("latin1") if isinstance(content, str) else content
    name = dtype.arguments[0] if isinstance(dtype, _DType) and dtype.arguments else None
    name = name.decode("latin1") if isinstance(name, bytes) else name
    if not isinstance(name, str) or not re.fullmatch(r"[<>=|]?[fiu][1248]", name):
        raise CalibrationError(f"{where} is an array of {name!r}, which are no numbers")
    byte_order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    kind = np.dtype(name.lstrip("<>=|")).newbyteorder(">" if byte_order in (">", b">") else "<")
    sides = (
        list(shape) if isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) else None
    )
    if sides is None or len(sides) > 2 or not isinstance(content, bytes | bytearray):
        raise CalibrationError(f"{where} is no array of numbers")
    if math.prod(sides) > MOST_NUMBERS or math.prod(sides) * kind.itemsize != len(content):
        raise CalibrationError(f"{where} should have {sides} numbers, but has {len(content)} bytes")
    return np.frombuffer(bytes(content), dtype=kind).reshape(sides, order=order).astype(float)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes that Python 3 wrote as text for Python 2 to read.

    Raises:
        CalibrationError: they are in another encoding, which that never needs.
    """
    if encoding != "latin1":
        raise CalibrationError(f"the file holds bytes in an unexpected encoding {encoding!r}")
    return text.encode("latin1")


# What a file of arrays may name: the last part of numpy's module, and the name.
_KNOWN = {
    ("multiarray", "_reconstruct"): _Array,
    ("multiarray", "scalar"): _Scalar,
    ("numeric", "_frombuffer"): _FromBuffer,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
}


class _ArraysOnly(BoundedUnpickler):
    """An unpickler that makes tables, numbers, text and records of arrays; all else is an error."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the file stands for.

        Raises:
            CalibrationError: it stands for something that is no array.
        """
        parts = module.split(".")
        if parts[0] == "numpy" and (parts[-1], name) in _KNOWN:
            return _KNOWN[parts[-1], name]
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise CalibrationError(
            f"the file holds code ({module}.{name}), which a camera file has no need of; it was not run. "
            "Get the file from its source again"
        )

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what refers outside the file.

        Raises:
            CalibrationError: always.
        """
        raise CalibrationError("the file refers to something outside itself; it was not opened")


FORMAT = Format(NAME, recognizes, read)
