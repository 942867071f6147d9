"""Calibration boards: what they are, and where their corners are in a picture.

The board's axes: x along its columns, y along its rows, z into the board as its front is seen; metres. A
chessboard's origin is its first inner corner, a ChArUco board's the outer corner of its first square.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mocaplift.errors import ConfigError

# Corners of a chessboard (inner) or squares of a ChArUco board along a side: others are a slip of the keys.
COUNTS = (2, 50)
# Squares of a printed board (m): from a stamp's width to a wall's.
SQUARES = (0.002, 2.0)
# The longer side (px) to which pictures are shrunk for the search: large squares are found better in it.
SEARCH_SIDES = (1000, 2000)
# Pictures smaller than this (px) have no room for the window in which corners are placed.
SMALLEST_SIDE = 64
# The half width of the window in which corners are placed, as a part of the distance to the next; at most (px).
WINDOW, WIDEST_WINDOW = 0.3, 15
# A corner of four squares differs along its diagonals by this part of the board's contrast at least; at the rim
# of a board, where two squares are missing, it differs by none.
CORNER_CONTRAST = 0.4
# The part of a row's corners that must look like corners for the row to count.
ROW_SHARE = 0.7
# Between one square and the next, perspective and lens change the side by less than this factor; a row of
# corners that was skipped changes it by 2.
UNEVEN = 1.5
# Corners that a partly hidden ChArUco board must show: a pose needs four.
FEWEST_CORNERS = 6


@dataclass(frozen=True, eq=False)
class Sighting:
    """Corners of a board that a picture shows: their numbers in `Board.points`, and pixels."""

    ids: Int[np.ndarray, "N"]
    xy: Float[np.ndarray, "N 2"]


@dataclass(frozen=True)
class Board:
    """A chessboard, or a ChArUco board where it has a dictionary.

    Attributes:
        columns: inner corners along x; of a ChArUco board: squares, as it is named in its own tools.
        rows: the same along y.
        square: side of a square, m.
        dictionary: name of the ArUco dictionary, as "DICT_4X4_50", or None for a chessboard.
        marker: side of a ChArUco board's markers, m.
        is_legacy: the ChArUco pattern of OpenCV before 4.6, which starts with a white square where rows are even.
        is_inverted: white on black.
    """

    columns: int
    rows: int
    square: float
    dictionary: str | None = None
    marker: float | None = None
    is_legacy: bool = False
    is_inverted: bool = False

    def __post_init__(self) -> None:
        low, high = COUNTS
        if not (low <= min(self.columns, self.rows) and max(self.columns, self.rows) <= high):
            raise ConfigError(f"a board of {self.counts} cannot be; count {low} to {high} along each side")
        if not SQUARES[0] <= self.square <= SQUARES[1]:
            raise ConfigError(
                f"squares of {self.square:g} m cannot be; measure one side of one square and write its "
                "unit, as in --square 60mm"
            )
        if self.dictionary is not None:
            if self.dictionary not in dictionaries():
                raise ConfigError(
                    f"there is no ArUco dictionary {self.dictionary!r}; there are {', '.join(dictionaries())}"
                )
            if self.marker is None or not 0 < self.marker < self.square:
                raise ConfigError(
                    "the markers of a ChArUco board are smaller than its squares; measure the black side "
                    "of one, as in --marker 45mm"
                )

    @property
    def counts(self) -> str:
        """The counts as people write them."""
        return f"{self.columns}x{self.rows}"

    @property
    def is_charuco(self) -> bool:
        """Whether the board has markers, which number its corners."""
        return self.dictionary is not None

    @property
    def is_two_way(self) -> bool:
        """Whether the board looks the same after half a turn: no markers, and both counts odd or both even."""
        return not self.is_charuco and (self.columns + self.rows) % 2 == 0

    @cached_property
    def points(self) -> Float[np.ndarray, "N 3"]:
        """The corners on the board, m, row after row."""
        if self.is_charuco:
            return np.asarray(self._detector.getBoard().getChessboardCorners(), dtype=float)
        x, y = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
        return self.square * np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=-1)

    @cached_property
    def half_turn(self) -> Int[np.ndarray, "N"]:
        """For every corner of a chessboard the number that it has after half a turn."""
        return np.arange(self.columns * self.rows)[::-1]

    def find(self, image: UInt8[np.ndarray, "H W"]) -> Sighting | None:
        """Return the board's corners in a grey picture, or None where it is not seen.

        A chessboard must be seen whole, and with exactly these counts: a part of a larger one is none.
        """
        if self.is_inverted:
            image = 255 - image
        return self._find_charuco(image) if self.is_charuco else self._find_chessboard(image)

    def counted(self, image: UInt8[np.ndarray, "H W"]) -> tuple[int, int] | None:
        """Return the counts of the chessboard in a grey picture of which this one is a part, or None."""
        grid = None if self.is_charuco else search(image, self.columns, self.rows)
        return None if grid is None else grown(image, grid)

    def _find_charuco(self, image: np.ndarray) -> Sighting | None:
        xy, ids, _, _ = self._detector.detectBoard(image)
        if ids is None:
            # Some boards bear the mirror image on their back, corner behind corner: cameras on both sides see one.
            xy, ids, _, _ = self._detector.detectBoard(np.ascontiguousarray(image[:, ::-1]))
            if ids is not None:
                xy = xy * [-1, 1] + [image.shape[1] - 1, 0]
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        ids, xy = ids.reshape(-1), xy.reshape(-1, 2).astype(float)
        # All corners on one line give no pose.
        if np.linalg.matrix_rank(self.points[ids] - self.points[ids[0]], tol=self.square / 2) < 2:
            return None
        return Sighting(ids, xy)

    def _find_chessboard(self, image: np.ndarray) -> Sighting | None:
        grid = search(image, self.columns, self.rows)
        if grid is None or grown(image, grid) != (self.columns, self.rows):
            return None
        grid = _canonical(image, grid)
        return Sighting(np.arange(self.columns * self.rows), grid.reshape(-1, 2))

    @cached_property
    def _detector(self) -> cv2.aruco.CharucoDetector:
        assert self.dictionary is not None and self.marker is not None
        made = cv2.aruco.CharucoBoard(
            (self.columns, self.rows),
            self.square,
            self.marker,
            cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary)),
        )
        made.setLegacyPattern(self.is_legacy)
        return cv2.aruco.CharucoDetector(made)


def dictionaries() -> list[str]:
    """Return the names of the ArUco dictionaries that this OpenCV knows."""
    return sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_") and "TAG" not in name)


def alternatives(board: Board) -> list[tuple[Board, str]]:
    """Return the boards that people often mean when they describe this one, each with what was wrong.

    A chessboard may be counted in squares or miscounted by one; a ChArUco board may be counted rows first, be of
    the older pattern, or be printed white on black.
    """
    if board.is_charuco:
        found = []
        for is_turned in (False, True):
            for is_inverted in (False, True):
                for is_legacy in (False, True):
                    said = ["rows and columns exchanged"] * is_turned + ["white on black"] * is_inverted
                    said += ["the pattern of OpenCV before 4.6"] * is_legacy
                    counts = (board.rows, board.columns) if is_turned else (board.columns, board.rows)
                    found.append(
                        (
                            replace(
                                board,
                                columns=counts[0],
                                rows=counts[1],
                                is_inverted=is_inverted,
                                is_legacy=is_legacy,
                            ),
                            ", ".join(said),
                        )
                    )
        return [(each, said) for each, said in found if said]
    steps = sorted(
        ((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)),
        key=lambda step: step != (-1, -1),
    )
    low, high = COUNTS
    return [
        (
            replace(board, columns=board.columns + x, rows=board.rows + y),
            "squares were counted, not the corners between them" if (x, y) == (-1, -1) else "miscounted",
        )
        for x, y in steps
        if low <= min(board.columns + x, board.rows + y) and max(board.columns + x, board.rows + y) <= high
    ]


def search(
    image: UInt8[np.ndarray, "H W"], columns: int, rows: int
) -> Float[np.ndarray, "rows columns 2"] | None:
    """Return the pixels of a grid of corners in a grey picture, or None. Which end is first is left open."""
    if min(image.shape) < SMALLEST_SIDE:
        return None
    for side in SEARCH_SIDES:
        scale = min(1.0, side / max(image.shape))
        small = image
        if scale < 1:
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for detect in (_by_squares, _by_corners):
            found, xy = detect(small, (columns, rows))
            if not found or xy is None:
                continue
            factor = np.array(image.shape[::-1]) / small.shape[::-1]
            grid = (xy.reshape(rows, columns, 2).astype(float) + 0.5) * factor - 0.5
            if (grid < 0).any() or (grid > np.array(image.shape[::-1]) - 1).any():
                continue
            grid = _placed(image, grid)
            if _is_even(grid) and _looks_like_corners(image, grid).mean() > ROW_SHARE:
                return grid
        if scale == 1:
            break
    return None


def _by_squares(image: np.ndarray, counts: tuple[int, int]) -> tuple[bool, np.ndarray | None]:
    return cv2.findChessboardCorners(
        image, counts, flags=cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    )


def _by_corners(image: np.ndarray, counts: tuple[int, int]) -> tuple[bool, np.ndarray | None]:
    return cv2.findChessboardCornersSB(image, counts, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)


def _placed(image: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the corners placed to a part of a pixel."""
    gaps = [np.linalg.norm(np.diff(grid, axis=axis), axis=-1).min() for axis in (0, 1)]
    window = int(np.clip(WINDOW * min(gaps), 2, WIDEST_WINDOW))
    until = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
    xy = np.ascontiguousarray(grid.reshape(-1, 1, 2), dtype=np.float32)
    return cv2.cornerSubPix(image, xy, (window, window), (-1, -1), until).reshape(grid.shape).astype(float)


def _plane(grid: np.ndarray) -> np.ndarray | None:
    """Return the homography from (column, row) to pixels, or None where there is none."""
    rows, columns = grid.shape[:2]
    x, y = np.meshgrid(np.arange(columns, dtype=float), np.arange(rows, dtype=float))
    homography, _ = cv2.findHomography(np.stack([x.ravel(), y.ravel()], axis=-1), grid.reshape(-1, 2))
    return homography


def _seen_at(homography: np.ndarray, places: np.ndarray) -> np.ndarray:
    flat = cv2.perspectiveTransform(np.ascontiguousarray(places.reshape(-1, 1, 2)), homography)
    return flat.reshape(places.shape)


def _is_even(grid: np.ndarray) -> bool:
    """Tell whether squares that lie side by side are seen of like size."""
    for axis in (0, 1):
        sides = np.linalg.norm(np.diff(grid, axis=axis), axis=-1)
        one, other = np.delete(sides, -1, axis=axis), np.delete(sides, 0, axis=axis)
        if sides.min() == 0 or (np.maximum(one, other) > UNEVEN * np.minimum(one, other)).any():
            return False
    return _plane(grid) is not None


def _looks_like_corners(image: np.ndarray, grid: np.ndarray) -> Bool[np.ndarray, "rows columns"]:
    """Tell which places of a grid have four squares around them, dark and light in turn."""
    rows, columns = grid.shape[:2]
    places = np.stack(np.meshgrid(np.arange(columns, dtype=float), np.arange(rows, dtype=float)), axis=-1)
    homography = _plane(grid)
    return np.zeros((rows, columns), bool) if homography is None else _corners_at(image, homography, places)


def _corners_at(image: np.ndarray, homography: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Tell at which places (column, row) of a plane four squares meet, dark and light in turn."""
    around = np.array([[-0.4, -0.4], [0.4, -0.4], [-0.4, 0.4], [0.4, 0.4]])
    xy = _seen_at(homography, places[..., None, :] + around).astype(np.float32)
    height, width = image.shape
    inside = ((xy >= 0) & (xy <= [width - 1, height - 1])).all((-1, -2))
    # Each square is looked at as a patch: one pixel of a noisy picture may be anything.
    smooth = cv2.blur(image, (5, 5))
    flat = xy.reshape(-1, 1, 2)
    light = cv2.remap(smooth, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    light = light.reshape(xy.shape[:-1]).astype(float)
    contrast = np.ptp(light, axis=-1)
    one, other = light[..., [0, 3]], light[..., [1, 2]]
    apart = np.maximum(one.min(-1) - other.max(-1), other.min(-1) - one.max(-1))
    return inside & (apart > CORNER_CONTRAST * contrast) & (contrast > 0.25 * np.median(contrast))


def grown(image: UInt8[np.ndarray, "H W"], grid: Float[np.ndarray, "rows columns 2"]) -> tuple[int, int]:
    """Return how many columns and rows of corners a board has of which this grid is a part."""
    rows, columns = grid.shape[:2]
    homography = _plane(grid)
    if homography is None:
        return columns, rows
    left, right, top, bottom = 0, columns - 1, 0, rows - 1
    while right - left < COUNTS[1] and bottom - top < COUNTS[1]:
        across, down = np.arange(left, right + 1.0), np.arange(top, bottom + 1.0)
        sides = {
            "left": np.stack([np.full(down.size, left - 1.0), down], axis=-1),
            "right": np.stack([np.full(down.size, right + 1.0), down], axis=-1),
            "top": np.stack([across, np.full(across.size, top - 1.0)], axis=-1),
            "bottom": np.stack([across, np.full(across.size, bottom + 1.0)], axis=-1),
        }
        more = {
            name: bool(_corners_at(image, homography, line).mean() > ROW_SHARE)
            for name, line in sides.items()
        }
        if not any(more.values()):
            break
        left, right = left - more["left"], right + more["right"]
        top, bottom = top - more["top"], bottom + more["bottom"]
    return right - left + 1, bottom - top + 1


def _canonical(image: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the grid with its x and y as on the board's front, and its first square dark if the last is light.

    Half a turn makes no difference to a board with both counts odd or both even; its grid is left as it is.
    """
    x, y = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    if x[0] * y[1] - x[1] * y[0] < 0:
        grid = grid[::-1]
    rows, columns = grid.shape[:2]
    if (rows + columns) % 2 == 0:
        return grid
    homography = _plane(grid)
    assert homography is not None
    ends = np.array([[0.5, 0.5], [columns - 1.5, rows - 1.5]])
    smooth = cv2.blur(image, (5, 5))
    xy = _seen_at(homography, ends).astype(np.float32)[:, None]
    first, last = cv2.remap(smooth, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR).reshape(-1).astype(float)
    return grid if first < last else grid[::-1, ::-1]
