"""Settings of a training command: a frozen dataclass, changed by lines of TOML."""

import dataclasses
import difflib
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar

from mocaplift.errors import ConfigError

Config = TypeVar("Config")


def override(config: Config, lines: Sequence[str]) -> Config:
    """Return the config with fields set by lines such as `people=2000` or `loop.steps=100`, read as TOML.

    Raises:
        ConfigError: a line is no TOML, names no field, or has a value of another type.
    """
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    known = {each.name: getattr(config, each.name) for each in dataclasses.fields(config)}
    changes: dict[str, Any] = {}
    for line in lines:
        try:
            parsed = tomllib.loads(line)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"--set {line}: not understood ({error}); write name=value, text in quotes"
            ) from error
        for name, value in parsed.items():
            changes[name] = _fitting(name, value, known | changes)
    return dataclasses.replace(config, **changes)


def _fitting(name: str, value: Any, known: dict[str, Any]) -> Any:
    """Return the value as the field's type, which is that of its default; a whole number may stand for a float."""
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise ConfigError(f"--set {name}: there is no such setting; {hint}")
    kind = type(known[name])
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        inner = {each.name: getattr(known[name], each.name) for each in dataclasses.fields(kind)}
        return dataclasses.replace(
            known[name], **{key: _fitting(key, each, inner) for key, each in value.items()}
        )
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list):
        return tuple(value)
    if type(value) is not kind:
        raise ConfigError(f"--set {name}: needs {kind.__name__}, but {value!r} is {type(value).__name__}")
    return value
