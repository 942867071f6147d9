"""What every test may use: exact shapes are checked in all calls, and output does not depend on the terminal."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

import tests.shapes  # noqa: F401 - the hook below names it

# Before anything imports mocaplift. The values check themselves, with messages for users that tests want to see.
PACKAGE = Path(__file__).parents[1] / "mocaplift"
CHECKED = [f"mocaplift.{path.stem}" for path in PACKAGE.iterdir() if path.stem not in ("values", "__init__")]
jaxtyping.install_import_hook(CHECKED, "tests.shapes.checked")


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make output independent of the terminal that runs the tests."""
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    yield
