"""Curves: one per number that moves, with a key on every frame.

Each key's time is rounded by itself from the exact rational rate: at 29.97 a frame is no whole number of ticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from jaxtyping import Float, Int

from mocaplift.export.fbx.records import Node, Packed, pack
from mocaplift.export.fbx.scene import TAKE, TICKS, Objects, properties, row

# Flags of all keys of a curve. Linear is as Maya and Blender write it; on constant keys 0x100 would mean that the
# value of the next key holds already.
CONSTANT, LINEAR = 0x0002, 0x6104
# A linear key's data: two slopes, then weights and velocities packed into what is a float by type only.
_NO_SLOPES = np.array([0.0, 0.0, 9.419963346924634e-30, 0.0], dtype="<f4")
_KEY_VERSION = 4008


def key_times(frames: int, fps: Fraction) -> Int[np.ndarray, "T"]:
    """Return the time of every frame in ticks, the first at 0."""
    step = TICKS / fps
    # Whole numbers of Python: past a million frames the product no longer fits into 64 bits.
    half = step.denominator // 2
    return np.array([(k * step.numerator + half) // step.denominator for k in range(frames)], dtype="<i8")


class Take:
    """The only animation of a file, on the clock of its frames."""

    def __init__(self, objects: Objects, frames: int, fps: Fraction) -> None:
        self.objects = objects
        self.times = key_times(frames, fps)
        self.stop = np.int64(self.times[-1])
        # Compressed once: every curve has them.
        self._every_frame = pack(self.times)
        span = [row(name, "KTime", self.stop) for name in ("LocalStop", "ReferenceStop")]
        stack = objects.add("AnimationStack", TAKE, "AnimStack", "", [properties(span)])
        self.layer = objects.add("AnimationLayer", "BaseLayer", "AnimLayer", "", [])
        objects.connect(self.layer, stack)

    def animate(
        self,
        owner: np.int64,
        target: str,
        name: str,
        columns: Mapping[str, Float[np.ndarray, "T"]],
        *,
        whole: bool = False,
    ) -> None:
        """Move a property of an object. `columns` are its parts (X, Y, Z), or itself.

        A part that never changes has keys on the first and the last frame only, unless `whole`.
        """
        first = [row(f"d|{part}", "Number", float(values[0]), flags="A") for part, values in columns.items()]
        node = self.objects.add("AnimationCurveNode", name, "AnimCurveNode", "", [properties(first)])
        self.objects.connect(node, self.layer)
        self.objects.connect(node, owner, target)
        for part, values in columns.items():
            moves = whole or bool(np.any(values != values[0]))
            frames = np.arange(len(values)) if moves else np.unique([0, len(values) - 1])
            times = self._every_frame if moves else pack(self.times[frames])
            self._curve(node, f"d|{part}", times, values[frames], LINEAR)

    def switch(self, owner: np.int64, name: str, values: Float[np.ndarray, "T"]) -> None:
        """Move a property that is on or off, with keys on the first frame and where it changes."""
        changes = np.concatenate([[0], 1 + np.flatnonzero(np.diff(values))])
        start = [row(f"d|{name}", "Number", float(values[0]), flags="A")]
        node = self.objects.add("AnimationCurveNode", name, "AnimCurveNode", "", [properties(start)])
        self.objects.connect(node, self.layer)
        self.objects.connect(node, owner, name)
        self._curve(node, f"d|{name}", pack(self.times[changes]), values[changes], CONSTANT)

    def _curve(
        self, node: np.int64, part: str, times: Packed, values: Float[np.ndarray, "K"], flags: int
    ) -> None:
        keys = [
            Node("Default", (float(values[0]),)),
            Node("KeyVer", (_KEY_VERSION,)),
            Node("KeyTime", (times,)),
            Node("KeyValueFloat", (values.astype("<f4"),)),
            Node("KeyAttrFlags", (np.array([flags], dtype="<i4"),)),
            Node("KeyAttrDataFloat", (_NO_SLOPES,)),
            Node("KeyAttrRefCount", (np.array([len(values)], dtype="<i4"),)),
        ]
        curve = self.objects.add("AnimationCurve", "", "AnimCurve", "", keys)
        self.objects.connect(curve, node, part)
