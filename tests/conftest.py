"""What every test may use: exact shapes are checked in all calls, and nothing leaks into the user's folders."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make output independent of the terminal that runs the tests."""
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    yield
