"""What the checks look at: a recording's bones in the world, and which frames count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mocaplift.export.rigged import Rigged
from mocaplift.reading.recording import Recording
from mocaplift.rotations import angle_between

# A first frame this near (degrees) to the rest pose, after which all moves at once, is no part of the motion.
NEAR_REST = 15.0
# How far (degrees) a bone leaps from such a frame to the next.
LEAP = 20.0


@dataclass(frozen=True, eq=False)
class Subject:
    """A recording, where its bones are (m, +Y up) and how they are turned in the world, at work and at rest.

    `start` is the first frame of the motion: 1 where frame 0 is the rest pose.
    """

    recording: Recording
    xyz: Float[np.ndarray, "T J 3"]
    turned: Float[np.ndarray, "T J 4"]
    rest: Float[np.ndarray, "J 3"]
    start: int

    @classmethod
    def of(cls, recording: Recording) -> Subject:
        """Return a recording with its bones placed."""
        rigged = recording.rigged
        xyz, turned = rigged.world()
        rest, _ = rigged.rest_world()
        return cls(recording, xyz, turned, rest, int(_begins_at_rest(rigged)))

    @property
    def rigged(self) -> Rigged:
        """The bones."""
        return self.recording.rigged

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.rigged.fps)

    @property
    def joints(self) -> Mapping[str, int]:
        """The bones of our joints, as far as they were found."""
        return self.recording.joints

    def frames(self, seconds: float) -> int:
        """Return how many frames this time takes, at least 1."""
        return max(1, round(seconds * self.fps))


def _begins_at_rest(rigged: Rigged) -> bool:
    if len(rigged) < 3:
        return False
    from_rest = np.degrees(angle_between(rigged.rotations[0], rigged.rest))[1:]
    step = np.degrees(angle_between(rigged.rotations[0], rigged.rotations[1]))
    return bool(from_rest.max(initial=0.0) < NEAR_REST and step.max() > LEAP)
