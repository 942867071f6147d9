"""How near the sight lines of two views come to one body: the evidence for who is who.

Two lines in space nearly meet more often than bodies do: cameras at one height see everybody's hips in one plane.
What a body looks large or small like says how far away it is, so that each line is a stretch, and the lines of
somebody else meet where nobody of their size can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import percentile_filter

from mocaplift.body import load_body
from mocaplift.cameras import centre, rays
from mocaplift.detect.people import LEAST_CONFIDENCE
from mocaplift.layouts import BODY21
from mocaplift.values import Camera, Keypoints2D

# What a depth costs that is twice or none of what the body's size says (m). Adults differ in stature by 7 %, a
# bone's length in the picture by 10 %; 30 % (a child of 1.2 m) costs 13 cm in two views.
DEPTH_COST = 0.3
# One joint counts as no farther away than this (m): a wrong wrist must not part a person from himself.
FARTHEST = 0.6
# Fewer joints than this in both views say nothing.
LEAST_JOINTS = 4
# The size of a body is the largest of this time (s), in most frames of it: bones look shorter, never longer.
SIZE_SPAN, SIZE_PERCENTILE = 1.0, 80.0
# Lines at a smaller angle than this (degrees) do not tell a depth, nor how large the calibration's unit is.
LEAST_ANGLE = 10.0
# Depths whose sizes disagree by more than this factor are of two people; lines farther apart than this (m) too.
SAME_SIZE, SAME_PLACE = 1.25, 0.2
# A calibration whose people are as tall as this share of an adult, or its inverse, is in metres.
IN_METRES = 0.6
# Bones that say how far away a body is: the middle of the shoulders to the middle of the hips, and the legs.
_BONES = (
    (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    (("left_hip",), ("left_knee",)),
    (("right_hip",), ("right_knee",)),
    (("left_knee",), ("left_ankle",)),
    (("right_knee",), ("right_ankle",)),
)
_TORSO = BODY21.index("left_shoulder", "right_shoulder", "left_hip", "right_hip")


class Sight(NamedTuple):
    """A track as lines in space: through the camera's centre (in the calibration's unit), unit directions.

    `weight` is 0 where a joint was not seen, `distance` (m) where an adult of that size in the picture would be.
    """

    centre: Float[np.ndarray, "3"]
    directions: Float[np.ndarray, "T J 3"]
    weight: Float[np.ndarray, "T J"]
    distance: Float[np.ndarray, "T"]


def sight(view: Keypoints2D, camera: Camera) -> Sight:
    """Return the lines along which a camera sees a person in body21."""
    seen = view.conf >= LEAST_CONFIDENCE
    directions = rays(camera, np.where(seen[..., None], view.xy, 0.0))
    return Sight(
        centre(camera), directions, np.where(seen, view.conf, 0.0), _distance(directions, seen, view.fps)
    )


def gap(a: Sight, b: Sight, unit: float = 1.0) -> Float[np.ndarray, "T"]:
    """Return how far (m) two views are from seeing one body in each frame; NaN where they share too little.

    For each joint the least of |p - q|^2 + `DEPTH_COST`^2 ((s - r)^2 / r^2 + (t - u)^2 / u^2) over points p, q at
    depths s, t on the two lines, r and u being where a body of that size would be; its root, in the mean of the
    joints. `unit` is how many metres the calibration's unit has.
    """
    apart = (b.centre - a.centre) * unit
    one, two = (1.0 / np.where(each.distance > 0, each.distance, np.inf)[:, None] for each in (a, b))
    price = DEPTH_COST**2
    cosine = (a.directions * b.directions).sum(axis=-1)
    left, right = 1.0 + price * one**2, 1.0 + price * two**2
    pull_a, pull_b = a.directions @ apart + price * one, -(b.directions @ apart) + price * two
    # Both factors exceed 1 wherever a distance is known, so that even parallel lines have a nearest point.
    scale = np.maximum(left * right - cosine**2, 1e-12)
    s = (right * pull_a + cosine * pull_b) / scale
    t = (left * pull_b + cosine * pull_a) / scale
    between = s[..., None] * a.directions - t[..., None] * b.directions - apart
    cost = (between**2).sum(axis=-1) + price * ((s * one - 1.0) ** 2 + (t * two - 1.0) ** 2)
    weight = np.sqrt(a.weight * b.weight)
    known = (a.distance > 0) & (b.distance > 0) & ((weight > 0).sum(axis=1) >= LEAST_JOINTS)
    total = np.where(known, weight.sum(axis=1), 1.0)
    mean = (weight * np.minimum(np.sqrt(np.maximum(cost, 0.0)), FARTHEST)).sum(axis=1) / total
    return np.where(known, mean, np.nan)


def unit_of(views: Sequence[Sequence[Sight]]) -> float:
    """Return how many metres the calibration's unit has, from how large the people are; 1 if it is metres.

    Wrong pairs of tracks meet at all sorts of sizes, right ones at one: the most frequent size is the people's.
    """
    found = [
        _sizes(a, b)
        for place, one in enumerate(views)
        for two in views[place + 1 :]
        for a in one
        for b in two
    ]
    sizes = np.concatenate([np.zeros(0), *found])
    if not len(sizes):
        return 1.0
    width = np.log(SAME_SIZE)
    ordered = np.sort(sizes)
    counts = np.searchsorted(ordered, ordered + width) - np.arange(len(ordered))
    first = int(counts.argmax())
    usual = float(np.exp(np.median(ordered[first : first + counts[first]])))
    return 1.0 if IN_METRES < usual < 1 / IN_METRES else usual


def _sizes(a: Sight, b: Sight) -> Float[np.ndarray, "N"]:
    """Return the logarithms of the metres per unit at which two tracks are one body, frame by frame."""
    seen = (a.weight[:, _TORSO] > 0).all(axis=1) & (b.weight[:, _TORSO] > 0).all(axis=1)
    seen &= (a.distance > 0) & (b.distance > 0)
    one, two = (each.directions[seen][:, _TORSO].mean(axis=1) for each in (a, b))
    one, two = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (one, two))
    apart = b.centre - a.centre
    cosine = (one * two).sum(axis=-1)
    sine2 = np.maximum(1.0 - cosine**2, 1e-12)
    s = (one @ apart - cosine * (two @ apart)) / sine2
    t = (cosine * (one @ apart) - two @ apart) / sine2
    ahead = (s > 0) & (t > 0) & (sine2 > np.sin(np.radians(LEAST_ANGLE)) ** 2)
    s, t = np.where(ahead, s, 1.0), np.where(ahead, t, 1.0)
    between = np.linalg.norm(s[:, None] * one - t[:, None] * two - apart, axis=-1)
    sizes = np.log(np.stack([a.distance[seen] / s, b.distance[seen] / t]))
    size = sizes.mean(axis=0)
    meets = ahead & (np.abs(sizes[0] - sizes[1]) < np.log(SAME_SIZE)) & (between * np.exp(size) < SAME_PLACE)
    return size[meets]


def _distance(directions: Float[np.ndarray, "T J 3"], seen: np.ndarray, fps: float) -> Float[np.ndarray, "T"]:
    """Return how far away (m) an adult would be who looks that large; 0 where nothing tells."""
    sizes = np.zeros((len(directions), len(_BONES)))
    for column, (bone, length) in enumerate(zip(_BONES, _lengths(), strict=True)):
        ends = [BODY21.index(*end) for end in bone]
        start, end = (directions[:, joints].mean(axis=1) for joints in ends)
        known = seen[:, ends[0] + ends[1]].all(axis=1)
        sizes[known, column] = np.linalg.norm(start - end, axis=-1)[known] / length
    # The second largest: one joint in a wrong place does not make a giant.
    size = np.sort(sizes, axis=1)[:, -2]
    told = size > 0
    if told.any():
        span = max(1, round(SIZE_SPAN * float(fps)))
        size[told] = percentile_filter(size[told], SIZE_PERCENTILE, size=span, mode="nearest")
    return np.divide(1.0, size, out=np.zeros_like(size), where=told)


@lru_cache(maxsize=1)
def _lengths() -> tuple[float, ...]:
    """Return the lengths (m) of `_BONES` in the mean adult."""
    body = load_body()
    rest = body.rest_keypoints(np.zeros(body.num_shape))
    return tuple(
        float(np.linalg.norm(np.subtract(*(rest[BODY21.index(*end)].mean(axis=0) for end in bone))))
        for bone in _BONES
    )
