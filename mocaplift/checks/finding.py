"""One thing that was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

PROBLEM, NOTE = "problem", "note"
# As many stretches of frames are written out in text; JSON has them all.
MOST_SHOWN = 6

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Finding:
    """Something that an animator would find wrong ("problem"), or should know ("note").

    `frames` are stretches, first and last frame of each, counted from 0; none means the whole file. `size` is
    how large the worst is, in the `unit`.
    """

    kind: str
    message: str
    level: str = PROBLEM
    frames: Spans = ()
    worst: int | None = None
    size: float | None = None
    unit: str = ""

    def text(self) -> str:
        """Return the message with the frames."""
        return self.message + (f" ({shown(self.frames, self.worst)})" if self.frames else "")


def shown(frames: Spans, worst: int | None = None) -> str:
    """Return stretches of frames as people write them: "frames 3, 10-25; worst at 17"."""
    parts = [str(first) if first == last else f"{first}-{last}" for first, last in frames[:MOST_SHOWN]]
    if len(frames) > MOST_SHOWN:
        parts.append(f"and {len(frames) - MOST_SHOWN} more")
    word = "frame" if len(frames) == 1 and frames[0][0] == frames[0][1] else "frames"
    return f"{word} {', '.join(parts)}" + (
        f"; worst at {worst}" if worst is not None and word == "frames" else ""
    )


def spans_of(flags: Bool[np.ndarray, "T"], first: int = 0, *, bridge: int = 0) -> Spans:
    """Return the stretches of frames that are true; `first` is the number of the first.

    Stretches with up to `bridge` false frames between them are one.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    merged: list[list[int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        if merged and begin - merged[-1][1] <= bridge:
            merged[-1][1] = end
        else:
            merged.append([begin, end])
    return tuple((begin + first, end - 1 + first) for begin, end in merged)
