"""What moves: the joints of a person or another creature, where its middle is, and how long its bones are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mocaplift.errors import ConfigError, InvalidData
from mocaplift.layouts import BODY21
from mocaplift.lift.direct.features import SCALE_BONES
from mocaplift.values import Layout

# No creature has more: what a file says of itself must not fill the memory.
MOST_JOINTS = 256


@dataclass(frozen=True)
class Figure:
    """Joints, those whose mean is the root, and bones: two joints and the length (m) of a usual one.

    The bones tell how large the figure looks, and so how far away it is.
    """

    layout: Layout
    root: tuple[str, ...]
    bones: tuple[tuple[str, str, float], ...]

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
        """How long the bones usually are, metres."""
        return np.array([length for _, _, length in self.bones])

    def as_header(self) -> dict[str, Any]:
        """Return the figure as a weight file tells it."""
        return {
            "name": self.layout.name, "joints": list(self.layout.joints),
            "pairs": [list(pair) for pair in self.layout.pairs], "root": list(self.root),
            "bones": [list(bone) for bone in self.bones],
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
            return cls(layout, tuple(map(str, told["root"])), bones)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidData | ConfigError):
                raise
            raise ConfigError(f"not the description of a figure ({error})") from error


PERSON = Figure(
    layout=BODY21,
    root=("left_hip", "right_hip"),
    bones=tuple((start, end, length) for (start, end), length in SCALE_BONES.items()),
)
