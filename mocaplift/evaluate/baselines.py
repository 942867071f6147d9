"""Methods of the literature, on the same inputs as our lifters: known to `evaluate` by name, not to `capture`."""

from __future__ import annotations

from collections.abc import Callable

from mocaplift.lift import Lifter

BASELINES: dict[str, Callable[[], Lifter]] = {}
