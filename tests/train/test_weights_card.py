"""The card beside the weights names every file by its checksum."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from mocaplift.weights import locate, read_header

WEIGHTS = Path(__file__).parents[2] / "weights"
FILES = sorted(WEIGHTS.glob("*.safetensors"))
CARD = (WEIGHTS / "README.md").read_text(encoding="utf-8")


def test_there_are_weights():
    assert {"body", "pose-prior"} <= {path.stem for path in FILES}
    assert locate("body").read_bytes() == (WEIGHTS / "body.safetensors").read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_card_has_the_checksum_size_and_licence(path):
    (line,) = (line for line in CARD.splitlines() if line.startswith(f"| `{path.name}`"))
    assert f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`" in line
    number, unit = re.search(r"\| ([\d.]+) (kB|MB) \|", line).groups()
    size = path.stat().st_size / {"kB": 1e3, "MB": 1e6}[unit]
    assert size == pytest.approx(float(number), rel=0.06) and path.stat().st_size < 40e6
    assert f"## {path.name}" in CARD and read_header(path)["licence"].split(";")[0] in CARD


def test_the_card_names_no_checksum_of_a_file_that_is_not_there():
    listed = re.findall(r"^\| `([\w-]+\.safetensors)` \|.*`[0-9a-f]{64}` \|$", CARD, re.MULTILINE)
    assert sorted(listed) == [path.name for path in FILES]


def test_the_recordings_are_acknowledged():
    assert "The database was created with funding from NSF EIA-0196217." in CARD
