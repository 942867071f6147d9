"""Arrays of .npz files of others: plain numbers and words only, sizes checked before memory is taken."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from mocaplift.errors import InvalidData

MOST_MEMBERS = 256
MOST_BYTES = 1 << 30  # unpacked; two hours at 120 fps of SMPL-H poses
# A zip member unpacks to at most a thousand times its size; numbers that were measured never come near.
LARGEST_RATIO = 200
RATIO_MATTERS_FROM = 64 << 20  # bytes
_KINDS = "fiuUSb"


def read_arrays(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Return the arrays of these names that the file has; others are never touched.

    Raises:
        InvalidData: the file is no such archive, is damaged, or an array is too large or no plain numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS:
                raise InvalidData(f"{path}: holds {len(infos)} arrays, more than {MOST_MEMBERS}")
            members = {info.filename.removesuffix(".npy"): info for info in infos}
            chosen = {name: members[name] for name in wanted if name in members}
            _check_sizes(path, list(chosen.values()))
            return {name: _array(archive, info, f"{path}: array {name!r}") for name, info in chosen.items()}
    except InvalidData:
        raise
    except Exception as error:
        # A damaged or hostile file can fail anywhere inside zipfile, zlib and numpy.
        raise InvalidData(f"{path}: damaged: {error}") from error


def _check_sizes(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    unpacked, packed = (sum(getattr(info, name) for info in infos) for name in ("file_size", "compress_size"))
    is_bomb = unpacked > RATIO_MATTERS_FROM and unpacked > LARGEST_RATIO * max(packed, 1)
    if unpacked > MOST_BYTES or is_bomb:
        raise InvalidData(
            f"{path}: would unpack to {unpacked / 1e9:.1f} GB, which no recording of a person needs"
        )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, label: str) -> np.ndarray:
    """Return one array; its declared size must be what the archive holds."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        formats = np.lib.format
        read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
        if dtype.kind not in _KINDS:
            raise InvalidData(f"{label} holds {dtype}, not plain numbers or words")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != info.file_size - file.tell():
            raise InvalidData(f"{label} declares {list(shape)}, which is not what the file holds")
        content = file.read(size)
        if len(content) != size:
            raise InvalidData(f"{label} is cut off")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")
