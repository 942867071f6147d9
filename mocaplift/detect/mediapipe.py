"""The embedded detector: MediaPipe's pose networks on a CPU, no download, several people.

Each known body is read in a region that follows it, turned with its torso; looks at the rest of the picture find
those who come in, and looks around a lost body at four turns find it again (`search`).
"""

from __future__ import annotations

import importlib.metadata
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from mocaplift.detect.blazepose import BlazePose, Reading, Region
from mocaplift.detect.calibration import reference_confidence
from mocaplift.detect.people import Person, is_same
from mocaplift.detect.search import Search, angle_between, is_same_body
from mocaplift.errors import ConfigError
from mocaplift.layouts import BODY21, MEDIAPIPE33, remap

# Bodies followed at once; reading one costs about 10 ms a frame. Larger people come first.
MOST_PEOPLE = 6
# Frames that a lost body is searched around its last place before it is forgotten.
PATIENCE = 15
# Mean visibility of shoulders and hips below which a reading is no person, and below which it is doubted.
LEAST_VISIBILITY = 0.3
DOUBTFUL_VISIBILITY = 0.6
# Frames between two searches for a better reading of a body that is doubted: somebody behind a table always is.
REST = 10
# Another reading of a body must be more visible by this much to replace the one that is followed.
HYSTERESIS = 0.05
# A found region that is turned against the followed one by more than this (rad) is worth a second reading.
OTHER_WAY_UP = 1.0
# A body turned further than this (rad) from upright lies or is upside down.
TURNED = math.radians(60)
TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass
class _Body:
    """Where one body is, for how many frames it has been lost, and how many frames doubt has to rest."""

    region: Region
    lost: int = 0
    rest: int = 0


class MediaPipeDetector:
    """People of a picture in body21, by MediaPipe. Create it with `load`."""

    layout = BODY21
    name = "mediapipe"
    reads_turned = True

    def __init__(self, networks: BlazePose) -> None:
        self._networks = networks
        self._search = Search(networks)
        self._bodies: list[_Body] = []
        # Pictures in which somebody was read in a region turned this far, as lying or upside down.
        self.frames_turned = 0
        self.facts = {
            "mediapipe": importlib.metadata.version("mediapipe"),
            "network": "BlazePose full",
            "licence": "Apache-2.0",
        }

    def fresh(self) -> MediaPipeDetector:
        """Return a detector with the same networks that remembers nothing."""
        return MediaPipeDetector(self._networks)

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Person]:
        """Return the people in an RGB picture."""
        size = (image.shape[1], image.shape[0])
        seen: list[tuple[_Body, Reading]] = []
        for body in self._bodies:
            reading = self._follow(image, body)
            if reading is not None:
                seen.append((body, reading))
        lost = [body for body in self._bodies if 0 < body.lost <= PATIENCE]
        for region in self._search.everywhere(image, bool(seen)):
            self._consider(image, region, seen)
        people = _without_repeats([(body, _person(reading, size), reading) for body, reading in seen])
        for body, _, reading in people:
            body.region, body.lost = reading.region, 0
        self.frames_turned += any(abs(body.region.turn) > TURNED for body, _, _ in people)
        found = [body for body, _, _ in people]
        # A lost body that somebody else's region has reached is not lost any more.
        waiting = [b for b in lost if b.lost and not any(is_same_body(b.region, f.region) for f in found)]
        self._bodies = found + waiting[: max(0, MOST_PEOPLE - len(found))]
        return [person for _, person, _ in people]

    def _follow(self, image: UInt8[np.ndarray, "H W 3"], body: _Body) -> Reading | None:
        """Return the body in this picture, searched around its last place where it got lost."""
        reading = None if body.lost else self._read(image, body.region)
        body.rest = max(0, body.rest - 1)
        if reading is not None and (body.rest or _torso_visibility(reading) >= DOUBTFUL_VISIBILITY):
            return reading
        body.rest = REST
        # All four turns at once when it gets lost, one a frame after that.
        turns = [(body.lost + 1) % 4] if body.lost else [0, 1, 2, 3]
        for region in self._search.around(image, body.region, turns):
            other = self._read(image, region)
            if other is not None and (reading is None or _is_better(other, reading)):
                reading = other
        body.lost = 0 if reading is not None else body.lost + 1
        return reading

    def _consider(
        self, image: UInt8[np.ndarray, "H W 3"], region: Region, seen: list[tuple[_Body, Reading]]
    ) -> None:
        """Take a found region for a new body, or for a second opinion on a known one; extends `seen`."""
        for place, (body, reading) in enumerate(seen):
            if is_same_body(region, reading.region):
                if angle_between(region, reading.region) > OTHER_WAY_UP:
                    other = self._read(image, region)
                    if other is not None and _is_better(other, reading):
                        seen[place] = (body, other)
                return
        if len(seen) < MOST_PEOPLE:
            reading_here = self._read(image, region)
            if reading_here is not None:
                seen.append((_Body(reading_here.region), reading_here))

    def _read(self, image: UInt8[np.ndarray, "H W 3"], region: Region) -> Reading | None:
        reading = self._networks.read(image, region)
        if reading is None or _torso_visibility(reading) < LEAST_VISIBILITY:
            return None
        return reading


def load(weights: str | None = None, device: str = "cpu", *, config: str | None = None) -> MediaPipeDetector:
    """Return the embedded detector.

    Args:
        weights: must stay None: the networks come with the mediapipe package.
        device: only "cpu".
        config: None, or "1" or "full": the one network that is in the package.

    Raises:
        MissingDependency: mediapipe 0.10.14 is not installed.
        ConfigError: weights, another device or another network were asked for.
    """
    if config not in (None, "1", "full"):
        raise ConfigError(
            f"the mediapipe detector has one network, `full` (complexity 1); {config!r} is not in its package "
            "and would have to be fetched. Use the mmpose detector for other networks"
        )
    if weights is not None:
        raise ConfigError(
            f"the mediapipe detector takes no weights ({weights!r} given): its networks come with the package. "
            "Use the mmpose detector for a checkpoint of your own"
        )
    if device != "cpu":
        raise ConfigError(f"the mediapipe detector runs on the CPU only, not on {device!r}")
    return MediaPipeDetector(BlazePose())


def _torso_visibility(reading: Reading) -> float:
    return float(reading.visibility[MEDIAPIPE33.index(*TORSO)].mean())


def _is_better(reading: Reading, than: Reading) -> bool:
    return bool(reading.visibility.mean() > than.visibility.mean() + HYSTERESIS)


def _without_repeats(
    found: list[tuple[_Body, Person, Reading]],
) -> list[tuple[_Body, Person, Reading]]:
    """Return the bodies, of two regions that slid onto one body only the earlier; larger people first."""
    kept: list[tuple[_Body, Person, Reading]] = []
    for each in found:
        if not any(is_same(each[1], other) for _, other, _ in kept):
            kept.append(each)
    return sorted(kept, key=lambda each: -each[2].region.side)[:MOST_PEOPLE]


def _person(reading: Reading, size: tuple[int, int]) -> Person:
    """Return a reading in body21 with confidences on the reference scale; size is the picture's (px)."""
    xy = remap(reading.xy, MEDIAPIPE33, BODY21)
    visibility = remap(reading.visibility[:, None], MEDIAPIPE33, BODY21)[:, 0]
    is_inside = np.all((xy > -0.5) & (xy < np.array(size) - 0.5), axis=-1)
    conf = reference_confidence(visibility, is_inside)
    return Person(xy, conf, remap(reading.landmarks, MEDIAPIPE33, BODY21))
