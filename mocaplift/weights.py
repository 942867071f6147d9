"""Weight files: from a name to a checked file, and from a file to arrays.

A weight file is one `.safetensors` whose header key `mocaplift` holds a JSON object: kind, format, what made
it, licence. There is no pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mocaplift.errors import WeightsError
from mocaplift.files import write_whole

HEADER_KEY = "mocaplift"
SUFFIX = ".safetensors"
# Larger headers than this (bytes) are not ours; refusing them bounds what a hostile file can make us read.
LARGEST_HEADER = 1 << 20


def search_path() -> list[Path]:
    """Return the folders that are searched for weight files, first match wins."""
    package = Path(__file__).parent
    folders = [package / "_weights", package.parent / "weights"]
    override = os.environ.get("MOCAPLIFT_WEIGHTS")
    return [Path(override), *folders] if override else folders


def locate(name: str) -> Path:
    """Return the file of a weight set, given its name (`body`) or a path to a file.

    Raises:
        WeightsError: there is no such file; the message lists where it was looked for.
    """
    if name.endswith(SUFFIX) or os.sep in name:
        path = Path(name)
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such weight file")
    folders = search_path()
    for folder in folders:
        path = folder / (name + SUFFIX)
        if path.is_file():
            return path
    looked = ", ".join(str(folder) for folder in folders)
    raise WeightsError(
        f"weights {name!r} not found; looked in {looked}. Reinstall mocaplift, or set MOCAPLIFT_WEIGHTS "
        "to the folder that holds them"
    )


def load_arrays(path: Path | str, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the header of a weight file.

    Raises:
        WeightsError: not a readable weight file, or one of another kind.
    """
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    if header.get("kind") != kind:
        raise WeightsError(f"{path}: holds {header.get('kind')!r}, but {kind!r} is needed here")
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, header  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file ({error})") from error


def read_header(path: Path | str) -> dict[str, Any]:
    """Return what a weight file says of itself: kind, what made it, licence.

    Raises:
        WeightsError: not a readable weight file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(HEADER_KEY, "")
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file ({error})") from error
    if not text or len(text) > LARGEST_HEADER:
        raise WeightsError(
            f"{path}: a safetensors file, but not one of mocaplift's (no `{HEADER_KEY}` header)"
        )
    try:
        header = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise WeightsError(f"{path}: its header is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise WeightsError(f"{path}: its header is no object, but {type(header).__name__}")
    return header


def visible() -> dict[str, Path]:
    """Return every weight file that `locate` would find by name."""
    found: dict[str, Path] = {}
    for folder in search_path():
        for path in sorted(folder.glob("*" + SUFFIX)):
            found.setdefault(path.stem, path)
    return found


def save_arrays(
    path: Path | str, kind: str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> None:
    """Write a weight file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors.numpy import save

    content = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata={HEADER_KEY: json.dumps({"kind": kind, "format": 1, **header})},
    )
    write_whole(Path(path), content)


@lru_cache(maxsize=16)
def _sha256_of(path: str, modified_ns: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def sha256(path: Path | str) -> str:
    """Return the checksum of a weight file, remembered until the file changes."""
    return _sha256_of(str(path), Path(path).stat().st_mtime_ns)
