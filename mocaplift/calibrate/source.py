"""A calibration file as it lies on the disk: opened once, limited in size, parsed at most once a syntax."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from mocaplift.errors import CalibrationError

# The largest real files are COLMAP's lists of image points, some MB a rig; more is not a camera file.
MOST_BYTES = 32 << 20
# The parser of TOML is written in Python, about 1 MB/s.
MOST_TOML_BYTES = 4 << 20
# As many bytes tell what kind of file it is.
HEAD_BYTES = 4096
# An element costs a hundred times its text in memory.
MOST_XML_BYTES = 4 << 20
# Marks of byte order at the start of a text, and what they mean.
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# What no TOML starts with: there "[" opens a table's name.
_JSON_START = re.compile(r"\{|\[\s*[\[{]?\s*[\d\"{-]")
# A line as TOML has them and prose has not: [cam_1], or size = ...
_TOML_LINE = re.compile(r"^[ \t]*(?:\[[\w.\"' -]+\][ \t]*$|[\w.\"'-]+[ \t]*=)", re.MULTILINE)
# A key of so many parts: tables lie one in another in no camera file, and parsing takes the square of them.
_DEEP_KEY = re.compile(r"(?<![\"'\w-])(?:[\"'\w-]++[ \t]*+\.[ \t]*+){32}")
# What no camera file has: own entities can grow without bounds (the "billion laughs") or name other files.
_DECLARATIONS = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Source:
    """A file or folder to read cameras from.

    Attributes:
        path: the file or folder.
        content: all bytes of the file; empty for a folder.
        subject: whose session to read, for formats that hold several.
    """

    path: Path
    content: bytes = b""
    subject: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder: formats of several files look inside themselves."""
        return self.path.is_dir()

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return self.content[:HEAD_BYTES]

    @cached_property
    def text(self) -> str | None:
        """The file as text, None if it is none (UTF-8, or UTF-16 with its mark; line ends as LF)."""
        encoding = next((name for mark, name in _MARKS.items() if self.head.startswith(mark)), "utf-8")
        try:
            text = self.content.decode(encoding)
        except UnicodeDecodeError:
            return None
        return None if "\0" in text or not text.strip() else text.replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def json(self) -> Any:
        """What the file holds if it is JSON, else None."""
        return self._parsed_json[0]

    @cached_property
    def toml(self) -> dict[str, Any] | None:
        """What the file holds if it is TOML, else None."""
        return self._parsed_toml[0]

    @cached_property
    def xml(self) -> ElementTree.Element | None:
        """The root of the file if it is XML without declarations of its own, else None."""
        return self._parsed_xml[0]

    @cached_property
    def _parsed_json(self) -> tuple[Any, str]:
        if self.text is None or self.text.lstrip()[0] not in "{[":
            return None, "it is no JSON"
        try:
            return json.loads(self.text, object_pairs_hook=_once), ""
        except json.JSONDecodeError as error:
            return None, f"it ends or breaks at line {error.lineno}, column {error.colno} ({error.msg})"
        except (ValueError, RecursionError) as error:
            return None, _sentence(error)

    @cached_property
    def _parsed_toml(self) -> tuple[dict[str, Any] | None, str]:
        if self.text is None:
            return None, "it is no text"
        if len(self.content) > MOST_TOML_BYTES:
            return None, f"it is larger than {MOST_TOML_BYTES >> 20} MB"
        if _DEEP_KEY.search(self.text):
            return None, "it is nested too deeply"
        try:
            return tomllib.loads(self.text), ""
        except (ValueError, RecursionError) as error:
            if "end of document" in str(error):
                return None, f"it breaks off in line {len(self.text.splitlines())} ({error})"
            return None, _sentence(error)

    @cached_property
    def _parsed_xml(self) -> tuple[ElementTree.Element | None, str]:
        text = (self.text or "").lstrip()
        if not text.startswith("<"):
            return None, "it is no XML"
        if len(self.content) > MOST_XML_BYTES:
            return None, f"it is XML of more than {MOST_XML_BYTES >> 20} MB"
        if _DECLARATIONS.search(text):
            return None, "it is XML that declares a document type or entities, which no camera file needs"
        try:
            return ElementTree.fromstring(text), ""
        except ElementTree.ParseError as error:
            return None, f"it is damaged XML: {error}"
        except (ValueError, LookupError, RecursionError) as error:
            return None, f"it is damaged XML: {_sentence(error)}"

    def nature(self) -> str:
        """Return what the file seems to be, and where it is damaged, for a message."""
        if self.is_folder:
            return "it is a folder without the camera files of a make that uses folders; name the file itself"
        if not self.content.strip():
            return "it is empty"
        if self.text is None:
            return "it is not a text"
        start = self.text.lstrip()
        if start[0] == "<":
            return self._parsed_xml[1] or "its XML names no cameras"
        if self.json is not None:
            return "its JSON names no cameras"
        if _JSON_START.match(start):
            return f"it is damaged JSON: {self._parsed_json[1]}"
        if start.startswith("%YAML"):
            return "it is YAML that holds no cameras"
        if self.toml is not None:
            return "its TOML names no cameras"
        if _TOML_LINE.search(self.text):
            return f"read as TOML: {self._parsed_toml[1]}"
        return "it is a text, but no JSON, TOML, XML or YAML"


def open_source(path: str | Path, *, subject: str | None = None) -> Source:
    """Return a file's content, or a folder, ready to be recognised.

    Raises:
        CalibrationError: there is nothing there, it cannot be read, or it is too large for a camera file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return Source(path, subject=subject)
        if path.exists() and not path.is_file():
            raise CalibrationError(f"{path} is neither a file nor a folder")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise CalibrationError(f"no such calibration file: {path}") from None
    except (OSError, ValueError) as error:
        raise CalibrationError(f"cannot read the calibration {path}: {error}") from error
    if len(content) > MOST_BYTES:
        raise CalibrationError(f"{path} is larger than {MOST_BYTES >> 20} MB: that is no camera file")
    return Source(path, content, subject)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; refuse one that gives the same name twice, of which Python would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"it names {twice!r} twice")
    return found


def _sentence(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
