"""What moves: the joints of a person or another creature, where its middle is, and how long its bones are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import SCALE_BONES
from mocaplift.values import Layout

# No creature has more joints: what a file says of itself must not fill the memory.
MOST_JOINTS = 256
# A frame with fewer seen keypoints says nothing about a pose: of people. Of figures with few joints, half of them.
FEWEST_SEEN = 5


@dataclass(frozen=True)
class Figure:
    """Joints, those whose mean is the root, and bones: two joints and the length (m) of a usual one.

    The bones tell how large the figure looks, and so how far away it is. Networks count lengths in `unit` (m), so
    that figures of all sizes look alike to them: a person's unit is a metre. Without `has_lengths` the lengths are
    guesses, which training replaces.
    """

    layout: Layout
    root: tuple[str, ...]
    bones: tuple[tuple[str, str, float], ...]
    unit: float = 1.0
    has_lengths: bool = True

    def __post_init__(self) -> None:
        """Refuse a figure that cannot be measured.

        Raises:
            InvalidData: a root or a bone names an unknown joint.
            ConfigError: there is no root or no bone, too many joints, or a bone without a length.
        """
        if not self.root or not self.bones or len(self.layout) > MOST_JOINTS:
            raise ConfigError(
                f"figure {self.layout.name} needs a root, a bone and at most {MOST_JOINTS} joints"
            )
        self.layout.index(*self.root)
        for start, end, length in self.bones:
            self.layout.index(start, end)
            if start == end or not 0 < length < float("inf"):
                raise ConfigError(
                    f"the bone from {start} to {end} needs two ends and a length (m), not {length}"
                )
        if not 0 < self.unit < float("inf"):
            raise ConfigError(f"figure {self.layout.name} needs a unit (m), not {self.unit}")

    @property
    def starts(self) -> list[int]:
        """Where each bone begins, as positions in the layout."""
        return self.layout.index(*(start for start, _, _ in self.bones))

    @property
    def ends(self) -> list[int]:
        """Where each bone ends, as positions in the layout."""
        return self.layout.index(*(end for _, end, _ in self.bones))

    @property
    def lengths(self) -> np.ndarray:
        """How long the bones usually are, in units."""
        return np.array([length for _, _, length in self.bones]) / self.unit

    @property
    def fewest(self) -> int:
        """How many joints a frame must show to say anything about the pose."""
        return min(FEWEST_SEEN, (len(self.layout) + 1) // 2)

    def scaled(self, factor: float, *, unit: float) -> Figure:
        """Return the figure with longer bones, and this unit (m)."""
        bones = tuple((start, end, factor * length) for start, end, length in self.bones)
        return replace(self, bones=bones, unit=unit)

    def as_header(self) -> dict[str, Any]:
        """Return the figure as a weight file tells it."""
        return {
            "name": self.layout.name, "joints": list(self.layout.joints),
            "pairs": [list(pair) for pair in self.layout.pairs], "root": list(self.root),
            "bones": [list(bone) for bone in self.bones], "unit": self.unit,
        }  # fmt: skip

    @classmethod
    def of_header(cls, told: Mapping[str, Any]) -> Figure:
        """Return the figure that a weight file is for.

        Raises:
            ConfigError: something is missing or of another kind.
            InvalidData: unknown joints are named.
        """
        try:
            pairs = tuple((str(a), str(b)) for a, b in told["pairs"])
            layout = Layout(str(told["name"]), tuple(map(str, told["joints"])), pairs)
            bones = tuple((str(a), str(b), float(length)) for a, b, length in told["bones"])
            return cls(layout, tuple(map(str, told["root"])), bones, float(told.get("unit", 1.0)))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, InvalidData | ConfigError):
                raise
            raise ConfigError(f"not the description of a figure ({error})") from error


PERSON = Figure(
    layout=BODY21,
    root=("left_hip", "right_hip"),
    bones=tuple((start, end, length) for (start, end), length in SCALE_BONES.items()),
)


def bone_order(figure: Figure) -> list[tuple[int, int]]:
    """Return the bones as (parent, child) positions, each parent before its children, from the root's first joint.

    Of further trees of bones, each begins with its first joint in the layout.

    Raises:
        ConfigError: bones form a cycle; the message names the joints.
    """
    joints = figure.layout.joints
    next_to: dict[int, list[int]] = {place: [] for place in range(len(joints))}
    for start, end in zip(figure.starts, figure.ends, strict=True):
        next_to[start].append(end)
        next_to[end].append(start)
    order: list[tuple[int, int]] = []
    above: dict[int, int] = {}
    for first in (figure.layout.at(figure.root[0]), *next_to):
        if first in above:
            continue
        above[first], waiting = -1, [first]
        while waiting:
            parent = waiting.pop(0)
            # Twice the same bone is a cycle as well.
            others = list(next_to[parent])
            if above[parent] >= 0:
                others.remove(above[parent])
            for child in others:
                if child in above:
                    raise ConfigError(
                        f"bones: they form a cycle through {joints[parent]!r} and {joints[child]!r}; leave one out"
                    )
                above[child] = parent
                order.append((parent, child))
                waiting.append(child)
    return order


def reach_of(figure: Figure) -> float:
    """Return half the longest way (m) along the bones from joint to joint, of those that hang on the root.

    Raises:
        ConfigError: bones form a cycle.
    """
    length = {frozenset(ends): length for *ends, length in figure.bones}
    joints, order = figure.layout.joints, bone_order(figure)

    def ways(start: int) -> dict[int, float]:
        way = {start: 0.0}
        for pairs in ([(child, parent) for parent, child in reversed(order)], order):
            for near, far in pairs:
                if near in way and far not in way:
                    way[far] = way[near] + length[frozenset((joints[near], joints[far]))]
        return way

    first = ways(figure.layout.at(figure.root[0]))
    return max(ways(max(first, key=first.__getitem__)).values()) / 2
