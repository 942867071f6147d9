"""People who lie or stand on their hands, detected on the picture turned so that they stand upright.

Detectors are trained on standing people; on floor moves half of the final error is theirs. A quarter turn moves
pixels without resampling, so a turned detection costs one more detection and nothing in sharpness.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.detect.people import Detector, Person, is_same
from mocaplift.values import Layout

# A torso turned further than this from upright is detected again on the turned picture, and is so until it comes
# back within the second (degrees; a quarter turn is exact, half-way to it both pictures are equally bad).
TURNED_FROM, TURNED_UNTIL = 60.0, 45.0
# Mean confidence below which an upright reading is doubted (reference scale; 0.3 is off by 3 cm).
DOUBTFUL = 0.3
# The other reading must be better by this share before it is taken instead of the one that was taken last.
HYSTERESIS = 0.05
# For how many pictures after the last sight of somebody the turned pictures are searched for them.
SEARCH_FRAMES = 30
QUARTER_TURNS = (0, 1, 2, 3)


def turn_image(image: UInt8[np.ndarray, "H W 3"], turns: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture after so many quarter turns to the left (counter-clockwise)."""
    return np.ascontiguousarray(np.rot90(image, turns))


def points_back(
    xy: Float[np.ndarray, "*lead 2"], turns: int, size: tuple[int, int]
) -> Float[np.ndarray, "*lead 2"]:
    """Return points of a turned picture as points of the picture, whose size is (width, height)."""
    x, y = xy[..., 0], xy[..., 1]
    right, bottom = size[0] - 1, size[1] - 1
    back = {0: (x, y), 1: (right - y, x), 2: (right - x, bottom - y), 3: (y, bottom - x)}
    return np.stack(back[turns % 4], axis=-1)


def landmarks_back(landmarks: Float[np.ndarray, "*lead 3"], turns: int) -> Float[np.ndarray, "*lead 3"]:
    """Return 3D landmarks seen in a turned picture in the axes of the picture's camera."""
    x, y, z = landmarks[..., 0], landmarks[..., 1], landmarks[..., 2]
    back = {0: (x, y), 1: (-y, x), 2: (-x, -y), 3: (y, -x)}
    return np.stack([*back[turns % 4], z], axis=-1)


def person_back(person: Person, turns: int, size: tuple[int, int]) -> Person:
    """Return a person of a turned picture as one of the picture, whose size is (width, height)."""
    landmarks = person.landmarks
    return Person(
        points_back(person.xy, turns, size),
        person.conf,
        None if landmarks is None else landmarks_back(landmarks, turns),
    )


def torso_turn(person: Person, layout: Layout) -> float:
    """Return how far the torso is turned from upright, clockwise in the picture (degrees); NaN if not seen."""
    middles = []
    for part in ("shoulder", "hip"):
        joints = layout.index(f"left_{part}", f"right_{part}")
        seen = person.conf[joints] > 0
        if not seen.any():
            return math.nan
        middles.append(person.xy[joints][seen].mean(axis=0))
    up = middles[0] - middles[1]
    return math.degrees(math.atan2(up[0], -up[1])) if np.hypot(*up) > 0 else math.nan


def upright_turns(turn_deg: float) -> int:
    """Return the quarter turns to the left that bring a body with this torso turn nearest to upright."""
    return round(turn_deg / 90.0) % 4


class TurnedDetector:
    """A detector that looks again at the turned picture where people lie, are upside down, or were lost.

    Upright people cost nothing more. `frames_turned` counts the pictures in which a turned reading was taken.
    """

    def __init__(self, detector: Detector) -> None:
        self._upright = detector
        self._turned = {turns: detector.fresh() for turns in QUARTER_TURNS[1:]}
        self.layout, self.name, self.facts = detector.layout, detector.name, detector.facts
        self.reads_turned = True
        self.frames_turned = 0
        # Turns in use with whether their reading was taken last, pictures since somebody was seen, next to try.
        self._active: dict[int, bool] = {}
        self._unseen = SEARCH_FRAMES + 1
        self._next = 0

    def fresh(self) -> TurnedDetector:
        """Return a detector with the same networks that remembers nothing."""
        return TurnedDetector(self._upright.fresh())

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Person]:
        """Return the people in an RGB picture, each from the turn that shows them best."""
        people = self._upright(image)
        wanted = self._wanted(people)
        size = (image.shape[1], image.shape[0])
        taken: dict[int, bool] = {}
        for turns in wanted:
            again = self._turned[turns](turn_image(image, turns))
            again = [person_back(person, turns, size) for person in again]
            bias = HYSTERESIS if self._active.get(turns) else -HYSTERESIS
            people, is_taken = merge(people, again, bias)
            taken[turns] = is_taken
        self.frames_turned += any(taken.values())
        self._remember(people, taken)
        return people

    def _wanted(self, people: list[Person]) -> list[int]:
        """Return the turns to look at: what the torsos ask for, or one to search when somebody was lost."""
        wanted = []
        for person in people:
            turn = torso_turn(person, self.layout)
            if math.isnan(turn):
                continue
            turns = upright_turns(turn)
            if turns and (abs(turn) > TURNED_FROM or turns in self._active):
                wanted.append(turns)
        is_doubtful = any(float(person.conf.mean()) < DOUBTFUL for person in people)
        is_lost = not people and self._unseen <= SEARCH_FRAMES
        if not wanted and (is_doubtful or is_lost):
            # One turn a picture bounds the cost; the one that was of use last comes first.
            useful = [turns for turns, was_taken in self._active.items() if was_taken]
            self._next = self._next % 3 + 1
            wanted = useful[:1] or [self._next]
        return sorted(set(wanted))

    def _remember(self, people: list[Person], taken: dict[int, bool]) -> None:
        self._unseen = 0 if people else self._unseen + 1
        still = {upright_turns(turn) for turn in self._turns(people) if abs(turn) > TURNED_UNTIL}
        dropped = [turns for turns in self._active if turns not in still | set(taken)]
        for turns in dropped:
            # What it remembers is where people were, not are.
            self._turned[turns] = self._turned[turns].fresh()
        self._active = {turns: was for turns, was in taken.items() if was or turns in still}

    def _turns(self, people: list[Person]) -> list[float]:
        turns = [torso_turn(person, self.layout) for person in people]
        return [turn for turn in turns if not math.isnan(turn)]


def merge(people: list[Person], again: list[Person], bias: float) -> tuple[list[Person], bool]:
    """Return the people with those replaced or added that the second look shows better, and whether any was.

    Args:
        people: from the first look.
        again: from the second, in the same pixels.
        bias: by what share the second look's mean confidence is favoured.
    """
    merged, is_any = list(people), False
    for candidate in again:
        worth = float(candidate.conf.mean()) * (1 + bias)
        same = [place for place, person in enumerate(merged) if is_same(candidate, person)]
        if not same:
            merged.append(candidate)
            is_any = True
        elif worth > float(merged[same[0]].conf.mean()):
            merged[same[0]] = candidate
            is_any = True
    return merged, is_any
