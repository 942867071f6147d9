"""The page from its parts: one file that asks nothing of a network, and runs nothing but our own scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import mocaplift

# Our own scripts, in the order in which they need each other; what they declare is shared.
_SCRIPTS = ("motion.js", "stage.js", "film.js", "timeline.js", "player.js", "app.js")
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def assemble(
    *,
    title: str,
    subtitle: str,
    figures: str,
    data: Mapping[str, Any],
    films: Sequence[bytes | None],
) -> str:
    """Return the page as text.

    Names of files, cameras and joints come from outside: in HTML they are escaped, as data they stand in JSON
    without any sign that HTML knows, and the page's policy runs scripts of known checksums only.

    Args:
        title: what the take is called.
        subtitle: a line about it.
        figures: HTML, escaped already.
        data: what the scripts show, as JSON takes it.
        films: an MP4 file for every camera, or None.
    """
    library, own, style = _part("three.min.js"), "".join(map(_part, _SCRIPTS)), _part("style.css")
    parts = {
        "policy": escape(_policy([library, own], style)),
        "version": escape(mocaplift.__version__),
        "title": escape(title),
        "subtitle": escape(subtitle),
        "figures": figures,
        "style": style,
        "data": as_json(data),
        "films": "\n".join(_film(number, content) for number, content in enumerate(films) if content),
        "library": library,
        "script": own,
    }
    return _PLACE.sub(lambda place: parts[place[1]], _part("page.html"))


def as_json(data: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside a script element: ASCII without <, > and &."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _film(number: int, content: bytes) -> str:
    text = base64.b64encode(content).decode("ascii")
    return f'<script type="text/plain" id="film-{number}">{text}</script>'


def _policy(scripts: Sequence[str], style: str) -> str:
    """Return what the page may do: run these scripts, have this style, play what it holds itself."""
    allowed = " ".join(f"'{_checksum(each)}'" for each in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{_checksum(style)}'; media-src blob:; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _checksum(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _part(name: str) -> str:
    """Return a file of this folder; browsers read every line end as a line feed before they take checksums."""
    text = files("mocaplift.viewer").joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")
