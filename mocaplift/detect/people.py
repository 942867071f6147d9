"""A person in one picture, and how alike two of them are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.values import Layout

# Points below this confidence say nothing about where a person is. On the reference scale a point of 0.05 is off
# by 10 cm in the median.
LEAST_CONFIDENCE = 0.05
# Joint distances count up to this share of the body's size: one lost hand must not part a person from himself.
FARTHEST = 0.5
# Two readings are of the same person when their joints are nearer than this (`distance`), or their boxes overlap
# more than this. Two dancers in a closed hold, rendered side by side, stay above the first.
SAME_DISTANCE = 0.3
SAME_OVERLAP = 0.6


class Person(NamedTuple):
    """What a detector saw of one person in one picture: pixels, confidences, and its own 3D where it has one.

    Points that the detector lacks are NaN with confidence 0. `landmarks` are metres about the middle of the hips
    in camera axes (x right, y down, z forward).
    """

    xy: Float[np.ndarray, "J 2"]
    conf: Float[np.ndarray, "J"]
    landmarks: Float[np.ndarray, "J 3"] | None = None


@runtime_checkable
class Detector(Protocol):
    """From a picture to the people in it. May remember the last picture; knows neither time nor identity."""

    layout: Layout
    # For the report: the name it is listed under, and what of it can change a result.
    name: str
    facts: dict[str, str]
    # Whether it reads people who lie or stand on their hands as well as upright ones.
    reads_turned: bool
    # Pictures so far in which somebody was read turned.
    frames_turned: int

    def __call__(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Person]:
        """Return the people in an RGB picture."""
        ...

    def fresh(self) -> Detector:
        """Return a detector with the same networks that remembers nothing."""
        ...


def box_of(xy: Float[np.ndarray, "J 2"], conf: Float[np.ndarray, "J"]) -> Float[np.ndarray, "4"]:
    """Return left, top, right, bottom (px) of the points that are seen; NaN where there are none."""
    seen = conf >= LEAST_CONFIDENCE
    if not seen.any():
        seen = conf > 0
    if not seen.any():
        return np.full(4, np.nan)
    return np.concatenate([xy[seen].min(axis=0), xy[seen].max(axis=0)])


def boxes_of(people: Sequence[Person]) -> Float[np.ndarray, "P 4"]:
    """Return the boxes of several people (px)."""
    return np.array([box_of(person.xy, person.conf) for person in people]).reshape(-1, 4)


def size_of(xy: Float[np.ndarray, "J 2"], conf: Float[np.ndarray, "J"]) -> float:
    """Return the diagonal of a person's box (px): near the height of a standing body, and less foldable."""
    left, top, right, bottom = box_of(xy, conf)
    return float(np.hypot(right - left, bottom - top))


def distance(a: Person, b: Person, size: float) -> float:
    """Return how far two persons' joints are apart, 0 for the same place and 1 for elsewhere.

    The mean over joints that both show, weighted by confidence, of distances in shares of `size` (px).
    """
    weight = np.sqrt(a.conf * b.conf)
    shared = weight > 0
    if not shared.any() or not size > 0:
        return 1.0
    apart = np.linalg.norm(a.xy[shared] - b.xy[shared], axis=-1) / size
    return float(np.average(np.minimum(apart / FARTHEST, 1.0), weights=weight[shared]))


def overlap(a: Float[np.ndarray, "4"], b: Float[np.ndarray, "4"]) -> float:
    """Return the area that two boxes share over the area that they cover, 0 to 1; 0 where one is missing."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if not (sides > 0).all():
        return 0.0
    shared = float(sides.prod())
    return shared / float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def is_same(a: Person, b: Person) -> bool:
    """Return whether two readings of one picture are of the same person: joints or boxes coincide."""
    size = max(size_of(a.xy, a.conf), size_of(b.xy, b.conf))
    return (
        distance(a, b, size) < SAME_DISTANCE
        or overlap(box_of(a.xy, a.conf), box_of(b.xy, b.conf)) > SAME_OVERLAP
    )
