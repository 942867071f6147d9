"""Whether the camera moved, seen from the background: all of the picture but the people.

The picture is divided into cells, each cell has one vote, and what stands still wins early: a crowded corner, a
passing car or a person whom the detector missed is outvoted, while a moving camera moves every cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# Time between two looks (s): cheap, and a pan of one picture width a second still overlaps by three quarters.
LOOK_INTERVAL = 0.25
# Longer side of the picture that is looked at (px).
WORKING_SIDE = 480
# A cell that is displaced by less than this share of the diagonal stands still: 2.2 px at 1280 x 720. Tracking
# errs by about a tenth of it; hands hold a phone no stiller than ten times as much.
STILL = 0.0015
# A camera whose picture drifts by more than this share of the diagonal moves: 15 px at 1280 x 720, which at 4 m
# from a phone is 5 cm of person.
MOVING_DRIFT = 0.01
# The drift that was reached in all but this share of the looks: a lorry that fills the picture for a moment
# does not count.
RARE_SHARE = 0.05
# Share of the cells which, standing still, show that the camera does.
STILL_SHARE = 0.3
# Share of the cells that must agree on one displacement for the camera to have moved, and the share that may
# stand still nevertheless (a station's logo, a smudge on the lens).
AGREEING_SHARE, LOGO_SHARE = 0.6, 0.15
# How far (px of the working picture) a cell may be off the common displacement: parallax, and tracking.
AGREEING_PIXELS = 2.0
GRID = (8, 6)  # cells across, cells down
# Fewer voting cells decide nothing. Few suffice to see that nothing moves; that the camera does is only told by
# a third of the picture, for a person whom the detector missed before a blank wall covers less.
CELLS_FOR_STILL, CELLS_FOR_MOVING = 5, 16
CORNERS_PER_CELL, CORNERS_FOR_A_VOTE = 4, 2
# Smallest eigenvalue of a corner worth tracking (cornerMinEigenVal, block 5, 8-bit picture): noise of 4 grey
# levels makes 4e-4, the corners of real rooms 2e-3 and more.
CORNER_STRENGTH = 5e-4
CORNER_DISTANCE = 9  # px of the working picture
# A corner tracked there and back must return to within this (px of the working picture).
RETURN_PIXELS = 0.5
# Corners are looked for again once less than this share of the cells that voted at first still do.
RENEWAL_SHARE = 0.6
# Looks that a kept picture may be neither the same nor displaced as a whole before it is given up.
PATIENCE = 4
# Boxes of people are widened by this share of their size on each side: hair, hands and shadows.
BOX_MARGIN = 0.12
# Checked looks below this share of all mean that nothing is known.
KNOWN_SHARE = 0.3

Boxes = Float[np.ndarray, "P 4"]


@dataclass(frozen=True)
class CameraMotion:
    """What the background tells of the camera.

    `drift_px` is how far the picture's corners were from where they began, in pixels of the pictures looked
    at (all but the rarest moments). `share_moving` is the share of the checked looks in which the camera was
    not still, jitter included: a hand-held camera may move always and drift little. `verdict` is `unknown`
    where the background has too few marks to tell; `is_moving` is False then.
    """

    is_moving: bool
    verdict: Literal["static", "moving", "unknown"]
    drift_px: float
    share_moving: float
    checked_pairs: int


class BackgroundTracker:
    """Looks at the background now and then, and sums up where the camera went.

    Example:
        >>> tracker = BackgroundTracker(fps=30.0)
        >>> wall = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
        >>> for _ in range(30):
        ...     tracker.update(wall, np.zeros((0, 4)))
        >>> tracker.result().verdict
        'static'
    """

    def __init__(self, fps: float = 30.0) -> None:
        """Make a tracker for pictures that come at this rate."""
        self._stride = max(1, math.floor(LOOK_INTERVAL * fps + 0.5))
        self._num_updates = 0
        self._num_looks = 0
        self._num_moving = 0
        self._num_unclear = 0
        self._drifts: list[float] = []  # share of the diagonal
        self._diagonal = 0.0  # px of the pictures given
        self._home: _Anchor | None = None
        self._anchor: _Anchor | None = None

    def update(
        self, image: UInt8[np.ndarray, "H W 3"], boxes: Float[np.ndarray, "P 4"] | None = None
    ) -> None:
        """Take the next picture in RGB, and where its people are: x0 y0 x1 y1 in pixels, NaN for nobody."""
        is_due = self._num_updates % self._stride == 0
        self._num_updates += 1
        if not is_due:
            return
        scale = min(1.0, WORKING_SIDE / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        is_background = _background(grey.shape, boxes, scale)
        self._diagonal = float(np.hypot(*image.shape[:2]))
        if self._home is None or self._anchor is None:
            self._home = self._anchor = _Anchor.of(grey, is_background, np.eye(3))
            return
        self._num_looks += 1
        self._anchor = self._look(self._home, self._anchor, grey, is_background)

    def result(self) -> CameraMotion:
        """Return what was found so far."""
        checked = len(self._drifts)
        drift = float(np.quantile(self._drifts, 1 - RARE_SHARE)) if checked else 0.0
        is_known = checked > KNOWN_SHARE * self._num_looks
        is_moving = is_known and drift > MOVING_DRIFT
        return CameraMotion(
            is_moving=is_moving,
            verdict="moving" if is_moving else "static" if is_known else "unknown",
            drift_px=drift * self._diagonal,
            share_moving=self._num_moving / checked if checked else 0.0,
            checked_pairs=checked,
        )

    def _look(self, home: _Anchor, anchor: _Anchor, grey: np.ndarray, is_background: np.ndarray) -> _Anchor:
        """Compare a picture with the last that was kept; return the one to compare the next with."""
        seen = _compare(anchor, grey, is_background)
        if seen.verdict == "unclear":
            self._num_unclear += 1
            if seen.num_cells >= CELLS_FOR_STILL and self._num_unclear < PATIENCE:
                return anchor
            self._num_unclear = 0
            return _Anchor.of(grey, is_background, anchor.now_from_start)
        self._num_unclear = 0
        now_from_start = seen.now_from_then @ anchor.now_from_start
        if _displacement(now_from_start, grey.shape) > STILL:
            # Where the first picture is seen again, what lay between was undone, or was never the camera.
            back_home = _compare(home, grey, is_background)
            if back_home.verdict == "still":
                now_from_start = back_home.now_from_then
        self._drifts.append(_displacement(now_from_start, grey.shape))
        self._num_moving += seen.verdict == "moved"
        if seen.verdict == "still" and seen.num_cells >= RENEWAL_SHARE * anchor.num_cells:
            return anchor
        return _Anchor.of(grey, is_background, now_from_start)


class _Anchor(NamedTuple):
    """A picture that later ones are compared with, and where it lies relative to the first."""

    grey: np.ndarray  # [H W] working picture
    corners: np.ndarray  # [N 2] px
    cells: np.ndarray  # [N] number of the grid's cell
    num_cells: int
    now_from_start: np.ndarray  # [3 3] px of the first working picture to px of this one

    @classmethod
    def of(cls, grey: np.ndarray, is_background: np.ndarray, now_from_start: np.ndarray) -> _Anchor:
        """Return the anchor with the strongest corners of every cell of the background."""
        strength = cv2.cornerMinEigenVal(grey, 5)
        peaks = strength == cv2.dilate(strength, np.ones((CORNER_DISTANCE, CORNER_DISTANCE)))
        rows, columns = np.nonzero(peaks & is_background & (strength > CORNER_STRENGTH))
        across, down = GRID
        cells = (rows * down // grey.shape[0]) * across + columns * across // grey.shape[1]
        order = np.lexsort((-strength[rows, columns], cells))
        # Place of each corner within its cell, the strongest first.
        place = np.arange(len(order)) - np.searchsorted(cells[order], cells[order])
        kept = order[place < CORNERS_PER_CELL]
        corners = np.stack([columns[kept], rows[kept]], axis=1).astype(np.float32)
        return cls(grey, corners, cells[kept], _num_voting(cells[kept]), now_from_start)


class _Comparison(NamedTuple):
    """What became of an anchor's background."""

    verdict: Literal["still", "moved", "unclear"]
    num_cells: int
    now_from_then: np.ndarray  # [3 3] px


def _compare(anchor: _Anchor, grey: np.ndarray, is_background: np.ndarray) -> _Comparison:
    """Return how the background of a picture lies relative to an anchor's."""
    starts, ends, cells = _tracked(anchor, grey, is_background)
    voting = [
        cell
        for cell, count in zip(*np.unique(cells, return_counts=True), strict=True)
        if count >= CORNERS_FOR_A_VOTE
    ]
    unclear = _Comparison("unclear", len(voting), np.eye(3))
    if len(voting) < CELLS_FOR_STILL:
        return unclear
    places = np.array([np.median(starts[cells == cell], axis=0) for cell in voting])
    moves = np.array([np.median((ends - starts)[cells == cell], axis=0) for cell in voting])
    is_still = np.linalg.norm(moves, axis=1) < STILL * np.hypot(*grey.shape)
    if is_still.mean() >= STILL_SHARE:
        now_from_then = np.eye(3)
        now_from_then[:2, 2] = np.median(moves[is_still], axis=0)
        return _Comparison("still", len(voting), now_from_then)
    similarity, agrees = cv2.estimateAffinePartial2D(
        places, places + moves, method=cv2.RANSAC, ransacReprojThreshold=AGREEING_PIXELS
    )
    if similarity is None or len(voting) < CELLS_FOR_MOVING or is_still.mean() > LOGO_SHARE:
        return unclear
    if (agrees.ravel().astype(bool) & ~is_still).mean() < AGREEING_SHARE:
        return unclear
    return _Comparison("moved", len(voting), np.vstack([similarity, [0.0, 0.0, 1.0]]))


def _tracked(
    anchor: _Anchor, grey: np.ndarray, is_background: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corners found again in the background (Lucas-Kanade, there and back): then, now, cell."""
    if not len(anchor.corners):
        return anchor.corners, anchor.corners, anchor.cells
    ends, found = _flow(anchor.grey, grey, anchor.corners)
    again, found_back = _flow(grey, anchor.grey, ends)
    returns = np.linalg.norm(again - anchor.corners, axis=1) < RETURN_PIXELS
    columns, rows = np.rint(ends).astype(int).T
    height, width = grey.shape
    is_inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    in_background = is_background[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    good = found & found_back & returns & is_inside & in_background
    return anchor.corners[good], ends[good], anchor.cells[good]


def _flow(then: np.ndarray, now: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where points of one picture are in another, and which of them were found."""
    # Windows of 15 px over four sizes of the picture reach 60 px, an eighth of it.
    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        then, now, points, np.zeros_like(points), winSize=(15, 15), maxLevel=3
    )
    return np.asarray(ends), np.asarray(found).ravel() > 0


def _background(shape: tuple[int, ...], boxes: np.ndarray | None, scale: float) -> np.ndarray:
    """Return which pixels [H W] of the working picture lie outside of all widened boxes."""
    is_background = np.ones(shape, dtype=bool)
    for x0, y0, x1, y1 in np.zeros((0, 4)) if boxes is None else boxes[np.isfinite(boxes).all(axis=1)]:
        margin_x, margin_y = BOX_MARGIN * (x1 - x0), BOX_MARGIN * (y1 - y0)
        left, right = (max(0, math.floor(x * scale)) for x in (x0 - margin_x, x1 + margin_x + 1))
        top, bottom = (max(0, math.floor(y * scale)) for y in (y0 - margin_y, y1 + margin_y + 1))
        is_background[top : bottom + 1, left : right + 1] = False
    return is_background


def _displacement(now_from_start: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return how far the picture's corners and middle went (root mean square), as share of its diagonal."""
    height, width = shape
    x, y = np.array([0, width, 0, width, width / 2]), np.array([0, 0, height, height, height / 2])
    then = np.stack([x, y, np.ones(5)])
    moved = (now_from_start @ then - then)[:2]
    return float(np.sqrt((moved**2).sum(axis=0).mean()) / np.hypot(height, width))


def _num_voting(cells: np.ndarray) -> int:
    """Return how many cells have corners enough for a vote."""
    return int((np.unique(cells, return_counts=True)[1] >= CORNERS_FOR_A_VOTE).sum())
