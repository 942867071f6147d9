"""A figure as a small TOML file: joints, which of them are left and right, bones, and what is its middle.

    joints = ["nose", "neck", "tail", "left_paw", "right_paw"]
    pairs = [["left_paw", "right_paw"]]
    bones = [["tail", "neck", 0.6], ["neck", "nose", 0.2], ["neck", "left_paw", 0.4], ["neck", "right_paw", 0.4]]
    root = ["neck", "tail"]

A bone is two joints and its length (m). The root is the middle of the joints it names. Every joint is on a bone;
bones make a tree, or several that move freely of each other: a person and a box. `name` may be given (else it is
the file's). Lengths may be left out, of all bones: training measures how long they are against each other, and
half the longest way along the bones from joint to joint is `reach` (m; 1, about a person's, where it is not
given). The result then has the right shape, and that size.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from mocaplift.errors import ConfigError
from mocaplift.lift.mvlift.figure import MOST_JOINTS, Figure, bone_order, reach_of
from mocaplift.values import Layout

LARGEST_FILE = 1 << 20  # bytes
FEWEST_JOINTS = 5  # fewer tell no pose
KEYS = ("joints", "pairs", "bones", "root", "reach", "name")
LENGTHS = (1e-4, 100.0)  # m, from insects to whales
LARGEST_RATIO = 1000.0  # of the longest to the shortest bone
USUAL_REACH = 1.0  # m, about a person's
_NAME = re.compile(r"\S{1,64}")


def read_figure(path: Path | str) -> Figure:
    """Return the figure that a TOML file describes.

    Raises:
        ConfigError: the file cannot be read or is no TOML; a key is unknown, missing or of another kind; a joint
            is unknown, named twice or on no bone; bones form a cycle or have absurd lengths.
    """
    path = Path(path)
    told = _read(path)
    try:
        return _figure(told, path.stem)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{path}: larger than any description of a figure")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not a TOML file that describes a figure ({error})") from error


def _figure(told: dict[str, Any], stem: str) -> Figure:
    for key in told:
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(KEYS)}"
            raise ConfigError(f"{key}: there is no such key; {hint}")
    joints = _joints(told)
    root = _names(_list(told, "root"), "root", joints)
    name = told.get("name", stem)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"name: {name!r} is no name of at most 64 letters without blanks")
    bones, lengths = _bones(_list(told, "bones"), joints)
    layout = Layout(name, joints, _pairs(told.get("pairs", []), joints))
    sized = tuple(
        (start, end, length)
        for (start, end), length in zip(bones, lengths or [1.0] * len(bones), strict=True)
    )
    figure = Figure(layout, root, sized, has_lengths=bool(lengths))
    bone_order(figure)
    if lengths:
        if "reach" in told:
            raise ConfigError("reach: the bones have lengths, which say it; give one of them")
        return figure.scaled(1.0, unit=reach_of(figure))
    reach = _length(told.get("reach", USUAL_REACH), "reach")
    return figure.scaled(reach / reach_of(figure), unit=reach)


def _list(told: dict[str, Any], key: str) -> list[Any]:
    if key not in told:
        raise ConfigError(f"{key}: missing; a figure needs joints, bones and a root")
    if not isinstance(told[key], list) or not told[key]:
        raise ConfigError(f"{key}: needs a list with something in it, not {told[key]!r}")
    found: list[Any] = told[key]
    return found


def _joints(told: dict[str, Any]) -> tuple[str, ...]:
    joints = _list(told, "joints")
    if not FEWEST_JOINTS <= len(joints) <= MOST_JOINTS:
        raise ConfigError(
            f"joints: there are {len(joints)}, but {FEWEST_JOINTS} to {MOST_JOINTS} are needed; fewer tell no pose"
        )
    for joint in joints:
        if not isinstance(joint, str) or not _NAME.fullmatch(joint):
            raise ConfigError(f"joints: {joint!r} is no name of at most 64 letters without blanks")
        if joints.count(joint) > 1:
            raise ConfigError(f"joints: {joint!r} is there twice")
    return tuple(joints)


def _names(names: list[Any], where: str, joints: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of joints after a check that there are such joints, each once."""
    for name in names:
        if not isinstance(name, str) or name not in joints:
            close = difflib.get_close_matches(str(name), joints, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(joints)}"
            raise ConfigError(f"{where}: there is no joint {name!r}; {hint}")
        if names.count(name) > 1:
            raise ConfigError(f"{where}: names {name!r} twice")
    return tuple(names)


def _pairs(pairs: Any, joints: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    if not isinstance(pairs, list):
        raise ConfigError(f"pairs: needs a list of pairs, not {pairs!r}")
    taken: set[str] = set()
    out = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ConfigError(f"pairs: {pair!r} is no pair of a left and a right joint")
        left, right = _names(pair, f"pairs, {pair}", joints)
        if again := taken & {left, right}:
            raise ConfigError(f"pairs, {pair}: {again.pop()!r} is in another pair already")
        taken |= {left, right}
        out.append((left, right))
    return tuple(out)


def _bones(bones: list[Any], joints: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[float]]:
    """Return the ends of the bones and their lengths (m), which all have or none."""
    ends: list[tuple[str, str]] = []
    lengths = []
    for bone in bones:
        if not isinstance(bone, list) or not 2 <= len(bone) <= 3:
            raise ConfigError(f"bones: {bone!r} is no bone; write two joints and a length in metres")
        start, end = _names(bone[:2], f"bones, {bone}", joints)
        ends.append((start, end))
        lengths += [_length(each, f"bones, {bone}") for each in bone[2:]]
    if lengths and len(lengths) < len(ends):
        bare = next(bone for bone in bones if len(bone) == 2)
        raise ConfigError(f"bones, {bare}: has no length, but others do; give all of them, or none")
    if lengths and max(lengths) > LARGEST_RATIO * min(lengths):
        raise ConfigError(
            f"bones: lengths from {min(lengths):g} to {max(lengths):g} m are not of one figure; are all in metres?"
        )
    for joint in joints:
        if not any(joint in pair for pair in ends):
            raise ConfigError(f"bones: none of them reaches the joint {joint!r}")
    return ends, lengths


def _length(value: Any, where: str) -> float:
    shortest, longest = LENGTHS
    if isinstance(value, bool) or not isinstance(value, int | float) or not shortest <= value <= longest:
        raise ConfigError(f"{where}: {value!r} is no length in metres from {shortest:g} to {longest:g}")
    return float(value)
