"""Settings of a training command: a frozen dataclass, changed by a file or lines of TOML."""

import dataclasses
import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from mocaplift.errors import ConfigError

Config = TypeVar("Config")
LARGEST_FILE = 1 << 20  # bytes


def override(config: Config, lines: Sequence[str]) -> Config:
    """Return the config with fields set by lines such as `people=2000` or `loop.steps=100`, read as TOML.

    Raises:
        ConfigError: a line is no TOML, names no field, or has a value of another type.
    """
    for line in lines:
        try:
            parsed = tomllib.loads(line)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"--set {line}: not understood ({error}); write name=value, text in quotes"
            ) from error
        config = _changed(config, parsed, "--set ")
    return config


def read_settings(config: Config, path: Path) -> Config:
    """Return the config with the fields that a TOML file sets, such as the `config.toml` of a run.

    Raises:
        ConfigError: the file cannot be read, is no TOML, names no field, or has a value of another type.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path}: larger than any settings")
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a file of settings ({error})") from error
    return _changed(config, parsed, f"{path}: ")


def _changed(config: Config, parsed: dict[str, Any], where: str) -> Config:
    """Return the config with the fields that parsed TOML sets; `where` begins the messages."""
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    known = {each.name: getattr(config, each.name) for each in dataclasses.fields(config)}
    return dataclasses.replace(
        config, **{name: _fitting(name, value, known, where) for name, value in parsed.items()}
    )


def _fitting(name: str, value: Any, known: dict[str, Any], where: str) -> Any:
    """Return the value as the field's type, which is that of its default; a whole number may stand for a float."""
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise ConfigError(f"{where}{name}: there is no such setting; {hint}")
    kind = type(known[name])
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _changed(known[name], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if kind is tuple and isinstance(value, list):
        return tuple(value)
    if type(value) is not kind:
        raise ConfigError(f"{where}{name}: needs {kind.__name__}, but {value!r} is {type(value).__name__}")
    return value
