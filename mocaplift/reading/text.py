"""Text files of others: any usual encoding, bounded size."""

from __future__ import annotations

import codecs
from pathlib import Path

from mocaplift.errors import InvalidData

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a file of at most so many bytes.

    Raises:
        InvalidData: there is no such file, it cannot be read, or it is larger.
    """
    try:
        if path.is_dir():
            raise InvalidData(f"{path}: is a folder; name a file")
        size = path.stat().st_size
        if size > most:
            raise InvalidData(f"{path}: larger than {most >> 20} MB, which no recording of a person needs")
        with path.open("rb") as file:
            # Not so many as are allowed: that much memory would be taken before anything is read.
            return file.read(size)
    except OSError as error:
        raise InvalidData(f"{path}: cannot be read: {error.strerror}") from error


def read_text(path: Path, most: int) -> str:
    """Return the text of a file: as its mark says, else UTF-8, else Latin-1 (older programs' names).

    Raises:
        InvalidData: there is no such file, it cannot be read, it is larger, or it is no text.
    """
    content = read_bytes(path, most)
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise InvalidData(f"{path}: no text in {encoding}, which it says it is") from error
    return content.decode("latin-1")
