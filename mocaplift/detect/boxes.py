"""Boxes around people for networks that read one body inside a box."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mocaplift.detect import openmmlab, stand_ins
from mocaplift.detect.blazepose import REGION_MARGIN, BlazePose, Region
from mocaplift.detect.checkpoints import read_checkpoint
from mocaplift.detect.people import Person, box_of, is_same, overlap
from mocaplift.detect.search import Search
from mocaplift.errors import MissingDependency, MocapliftError

# A box around points is grown by this share of its sides: eyes are not the top of a head, ankles not the sole.
MARGIN = 0.15
# Mean confidence below which a body's own points make no box for the next frame.
LEAST_MEAN = 0.2
# Score above which mmdet's box is taken for a person, and its overlap with a better one that makes it a repeat.
LEAST_SCORE, REPEAT = 0.5, 0.7
MOST_PEOPLE = 6
# Smaller boxes (px) hold nothing to read.
SMALLEST_BOX = 8.0
MMDET_CONFIG = "rtmdet_tiny_8xb32-300e_coco"

log = logging.getLogger(__name__)


@runtime_checkable
class Boxes(Protocol):
    """Where a top-down network should look."""

    name: str

    def of(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Float[np.ndarray, "4"]]:
        """Return left, top, right, bottom (px) of the people in an RGB picture."""
        ...

    def remember(self, people: list[Person]) -> list[Person]:
        """Return the people without repeats, after taking note of them for the next picture."""
        ...

    def fresh(self) -> Boxes:
        """Return a source with the same network that remembers nothing."""
        ...


class FollowedBoxes:
    """Boxes around the points of the last picture; newcomers by mediapipe's finder, or the whole picture."""

    def __init__(self, finder: BlazePose | None) -> None:
        self.name = "mediapipe finder, then last points" if finder else "whole picture, then last points"
        self._finder = finder
        self._search = Search(finder) if finder else None
        self._known: list[Float[np.ndarray, "4"]] = []

    def of(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Float[np.ndarray, "4"]]:
        """Return the boxes of the known people and of those who came in."""
        height, width = image.shape[:2]
        if self._search is None:
            return self._known or [np.array([0.0, 0.0, width - 1, height - 1])]
        found = [_box_of_region(region) for region in self._search.everywhere(image, bool(self._known))]
        return without_repeats([*self._known, *found])[:MOST_PEOPLE]

    def remember(self, people: list[Person]) -> list[Person]:
        """Return the people without repeats; those seen well enough are followed."""
        kept: list[Person] = []
        for person in people:
            if not any(is_same(person, other) for other in kept):
                kept.append(person)
        boxes = [grown(person) for person in kept if person.conf.mean() >= LEAST_MEAN]
        self._known = [box for box in boxes if (box[2:] - box[:2]).min() >= SMALLEST_BOX]
        return kept

    def fresh(self) -> FollowedBoxes:
        """Return a source with the same finder that remembers nobody."""
        return FollowedBoxes(self._finder)


class MMDetBoxes:
    """Boxes of mmdet's person detector, in every picture."""

    def __init__(self, network: Any) -> None:
        self.name = f"mmdet {MMDET_CONFIG}"
        self._network = network

    def of(self, image: UInt8[np.ndarray, "H W 3"]) -> list[Float[np.ndarray, "4"]]:
        """Return the boxes of the people."""
        from mmdet.apis import inference_detector

        found = inference_detector(self._network, np.ascontiguousarray(image[:, :, ::-1])).pred_instances
        boxes, scores, labels = (
            np.asarray(each.cpu()) for each in (found.bboxes, found.scores, found.labels)
        )
        # COCO's first class is the person.
        is_person = (labels == 0) & (scores >= LEAST_SCORE)
        order = np.argsort(-scores[is_person])
        return without_repeats([np.asarray(box, float) for box in boxes[is_person][order]])[:MOST_PEOPLE]

    def remember(self, people: list[Person]) -> list[Person]:
        """Return the people: every picture is searched anew."""
        return people

    def fresh(self) -> MMDetBoxes:
        """Return itself: it remembers nothing."""
        return self


def load_boxes(device: str) -> Boxes:
    """Return the best source of boxes that is installed; a worse one is taken with a warning, never silently."""
    if not stand_ins.is_stand_in("mmdet") and importlib.util.find_spec("mmdet") is not None:
        try:
            return MMDetBoxes(_mmdet_network(device))
        except (ImportError, AssertionError, RuntimeError, MocapliftError) as error:
            # mmdet asserts on the release of mmcv; its weights need a network the first time.
            log.warning("mmdet is installed but cannot be used (%s); people are found another way", error)
    try:
        return FollowedBoxes(BlazePose())
    except MissingDependency:
        log.warning("without mediapipe or mmdet, people are looked for in the whole picture only")
        return FollowedBoxes(None)


def _mmdet_network(device: str, weights: Path | None = None) -> Any:
    from mmdet.apis import init_detector

    config = openmmlab.find_config("mmdet", MMDET_CONFIG)
    network = init_detector(str(config), None, device=device)
    network.load_state_dict(read_checkpoint(weights or openmmlab.fetch_weights(config)), strict=False)
    return network


def grown(person: Person) -> Float[np.ndarray, "4"]:
    """Return a person's box with a margin."""
    box = box_of(person.xy, person.conf)
    margin = MARGIN * np.maximum(box[2:] - box[:2], (box[2:] - box[:2]).max() / 3)
    return np.concatenate([box[:2] - margin, box[2:] + margin])


def without_repeats(boxes: list[Float[np.ndarray, "4"]]) -> list[Float[np.ndarray, "4"]]:
    """Return the boxes without those that an earlier one covers."""
    kept: list[Float[np.ndarray, "4"]] = []
    for box in boxes:
        if not any(_is_repeat(box, other) for other in kept):
            kept.append(box)
    return kept


def _is_repeat(box: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> bool:
    # A finder's square is much larger than a box around points: its middle counts too.
    middle, corner = (box[:2] + box[2:]) / 2, (other[2:] - other[:2]) / 2
    is_inside = (np.abs(middle - (other[:2] + other[2:]) / 2) < corner / 2).all()
    return bool(overlap(box, other) > REPEAT or is_inside)


def _box_of_region(region: Region) -> Float[np.ndarray, "4"]:
    half = region.side / REGION_MARGIN / 2
    return np.array([region.x - half, region.y - half, region.x + half, region.y + half])
