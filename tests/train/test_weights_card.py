"""The card beside the weights names every file by its checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mocaplift.weights import locate

WEIGHTS = Path(__file__).parents[2] / "weights"
FILES = sorted(WEIGHTS.glob("*.safetensors"))


def test_there_are_weights():
    assert {"body", "pose-prior"} <= {path.stem for path in FILES}
    assert locate("body").read_bytes() == (WEIGHTS / "body.safetensors").read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_card_has_the_checksum_and_the_acknowledgement(path):
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert path.name in card
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert "The database was created with funding from NSF EIA-0196217." in card
    assert path.stat().st_size < 40e6
