"""The lens of a camera from pictures of a board: focal length, principal point, distortion.

OpenCV's calibration (Zhang's method with bundle adjustment), of which only as much is kept as the pictures tell:
coefficients that they leave open stay zero, pictures that contradict the others are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from mocaplift.calibrate.board import Board, Sighting
from mocaplift.calibrate.pictures import Seen
from mocaplift.errors import CalibrationError

# Pictures with the board: with fewer than 4 the distortion is anybody's guess; 10 in different tilts are good.
FEWEST_PICTURES, GOOD_PICTURES = 4, 10
# Pictures that are used at most, those farthest apart: the time grows with the cube of their number.
MOST_USED = 40
# A picture whose error is above this many times the median of all is left out, if it is also above this many px:
# the board was bent, moved while the picture was taken, or not found where it is.
OUTLIER, OUTLIER_PX = 3.0, 0.5
# A focal length that is known to no better than this part (one standard deviation) is refused; above the second
# it is told.
OPEN_FOCAL, VAGUE_FOCAL = 0.05, 0.005
# Boards that differ in tilt by less than this (degrees) leave the focal length open, whatever its deviation says.
LEAST_TILT_DEG = 10.0
# A distortion coefficient is kept where it is this many standard deviations from zero.
TOLD = 3.0
# A median error above this many px is no calibration: a wrong board, or a bent one.
WORST_PX = 3.0
# The picture is divided into this many parts along each side to tell how much of it the board reached.
COVERAGE_PARTS = 8


@dataclass(frozen=True, eq=False)
class Lens:
    """A camera's lens, and how well it is known.

    Attributes:
        camera: its name.
        size: of its pictures, (width, height) px.
        intrinsics: px.
        distortion: k1 k2 p1 p2 k3.
        error_px: root mean square distance between corners seen and corners computed, px.
        focal_sigma: standard deviation of the focal length as a part of it.
        used: keys of the pictures that the lens was computed from.
        rejected: labels of the pictures left out because they contradict the others, with their error, px.
        num_pictures: of all pictures looked at.
        coverage: part of the picture that the board reached in some picture, 0..1.
    """

    camera: str
    size: tuple[int, int]
    intrinsics: Float[np.ndarray, "3 3"]
    distortion: Float[np.ndarray, "5"]
    error_px: float
    focal_sigma: float
    used: tuple[str, ...]
    rejected: Mapping[str, float]
    num_pictures: int
    coverage: float

    @property
    def advice(self) -> list[str]:
        """What to do for a better calibration, as sentences; none where it is good."""
        said = []
        if len(self.used) < GOOD_PICTURES:
            said.append(f"{len(self.used)} pictures are few; {GOOD_PICTURES} to 30 are better")
        if self.focal_sigma > VAGUE_FOCAL:
            said.append(
                f"its focal length is known to {100 * self.focal_sigma:.1f} % only; hold the board nearer "
                "and more tilted, in all directions"
            )
        if self.coverage < 0.4:
            said.append(
                f"the board reached {100 * self.coverage:.0f} % of the picture; hold it into the corners too"
            )
        return said


def fit_lens(seen: Seen, board: Board) -> Lens:
    """Return the lens that fits best to what a camera saw.

    Pictures are left out one round after the other: those above `OUTLIER` times the median error.

    Raises:
        CalibrationError: too few pictures show the board, or they leave the focal length open; the message names
            the camera and tells what pictures to take.
    """
    _check_number(seen, len(seen.sightings))
    keys = spread(seen.sightings, seen.size, MOST_USED)
    rejected: dict[str, float] = {}
    while True:
        found = _solve([seen.sightings[key] for key in keys], board, seen)
        limit = max(OUTLIER * float(np.median(found.errors)), OUTLIER_PX)
        bad = {key: float(error) for key, error in zip(keys, found.errors, strict=True) if error > limit}
        if not bad:
            break
        rejected |= {seen.labels[key]: error for key, error in bad.items()}
        keys = [key for key in keys if key not in bad]
        _check_number(seen, len(keys), rejected)
    if not found.focal_sigma < OPEN_FOCAL or found.tilt_deg < LEAST_TILT_DEG:
        raise CalibrationError(
            f"camera {seen.camera}: the pictures leave its focal length open (known to "
            f"{100 * min(found.focal_sigma, 9.99):.0f} %, tilts differ by {found.tilt_deg:.0f} degrees); "
            "the board must be tilted against the camera, by 30 degrees and more, differently in every "
            "picture"
        )
    error = float(np.sqrt(np.mean(found.errors**2)))
    if error > WORST_PX:
        raise CalibrationError(
            f"camera {seen.camera}: no lens explains its pictures of the board (error {error:.1f} px); "
            f"check the counts ({board.counts}), that the board is flat, and that zoom and focus did not "
            "change"
        )
    return Lens(
        seen.camera,
        seen.size,
        found.intrinsics,
        found.distortion,
        error,
        found.focal_sigma,
        tuple(keys),
        rejected,
        len(seen.labels),
        coverage([seen.sightings[key] for key in keys], seen.size),
    )


def coverage(sightings: list[Sighting], size: tuple[int, int]) -> float:
    """Return which part of the picture boards reached: of 8 x 8 fields, those with a corner in them."""
    xy = np.concatenate([each.xy for each in sightings])
    fields = np.clip((xy + 0.5) / size * COVERAGE_PARTS, 0, COVERAGE_PARTS - 1).astype(int)
    return len({tuple(each) for each in fields.tolist()}) / COVERAGE_PARTS**2


def spread(sightings: Mapping[str, Sighting], size: tuple[int, int], most: int) -> list[str]:
    """Return the keys of at most so many sightings, as different as can be: farthest-point sampling.

    Frames of a video in which the board hangs still tell nothing new, and would outweigh those that do.
    """
    keys = list(sightings)
    if len(keys) <= most:
        return keys
    # Where the board is seen, how large, how turned and tilted: its middle and the directions of its sides.
    looks = np.array([_look(sightings[key].xy) for key in keys]) / max(size)
    chosen = [0]
    apart = np.full(len(keys), np.inf)
    while len(chosen) < most:
        apart = np.minimum(apart, np.linalg.norm(looks - looks[chosen[-1]], axis=1))
        chosen.append(int(apart.argmax()))
    return [keys[each] for each in sorted(chosen)]


def _look(xy: np.ndarray) -> np.ndarray:
    middle = xy.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((xy - middle).T))
    sides = vectors * np.sqrt(values)
    return np.concatenate([middle, (sides @ sides.T).ravel() / max(np.sqrt(values.sum()), 1e-9)])


def _check_number(seen: Seen, number: int, rejected: Mapping[str, float] | None = None) -> None:
    if number >= FEWEST_PICTURES:
        return
    without = "" if not rejected else f" after leaving out {', '.join(rejected)}, which contradict the others"
    raise CalibrationError(
        f"camera {seen.camera}: the board was found in {number} of {len(seen.labels)} pictures{without}; "
        f"{FEWEST_PICTURES} are needed and {GOOD_PICTURES} are good. Take more, sharp, the whole board in "
        "the picture, differently tilted in each"
    )


@dataclass(frozen=True, eq=False)
class _Solution:
    intrinsics: np.ndarray
    distortion: np.ndarray
    errors: np.ndarray
    focal_sigma: float
    tilt_deg: float


# What is left out of the lens, from the richest to the plainest, and where its coefficients stand in OpenCV's
# deviations (fx fy cx cy k1 k2 p1 p2 k3).
_FLAGS = {
    "k3": (cv2.CALIB_FIX_K3, slice(8, 9)),
    "tangential": (cv2.CALIB_ZERO_TANGENT_DIST, slice(6, 8)),
    "k2": (cv2.CALIB_FIX_K2, slice(5, 6)),
    "k1": (cv2.CALIB_FIX_K1, slice(4, 5)),
}


def _solve(sightings: list[Sighting], board: Board, seen: Seen) -> _Solution:
    """Return the lens with as many distortion coefficients as the pictures tell apart from zero."""
    points = [board.points[each.ids].astype(np.float32) for each in sightings]
    pixels = [each.xy.astype(np.float32)[:, None] for each in sightings]
    # Few pictures bend k3 to their noise, and the corners of the picture with it.
    flags = 0 if len(sightings) >= GOOD_PICTURES else cv2.CALIB_FIX_K3
    for flag, place in [*_FLAGS.values(), (0, slice(0, 0))]:
        try:
            _, matrix, distortion, turns, _, sigmas, _, errors = cv2.calibrateCameraExtended(  # type: ignore[call-overload]  # None: no start
                points,
                pixels,
                seen.size,
                None,
                None,
                flags=flags,
            )
        except cv2.error as error:
            raise CalibrationError(
                f"camera {seen.camera}: no lens can be computed from its pictures; tilt the board "
                "differently in every picture"
            ) from error
        sigmas, coefficients = sigmas.ravel(), distortion.ravel()[:5]
        values = np.concatenate([[matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]], coefficients])
        told = np.abs(values[place]) > TOLD * sigmas[place]
        if not flag or told.any():
            break
        flags |= flag
    focal_sigma = float(max(sigmas[0] / matrix[0, 0], sigmas[1] / matrix[1, 1]))
    if not (np.isfinite(matrix).all() and np.isfinite(coefficients).all() and np.isfinite(focal_sigma)):
        focal_sigma = np.inf
    normals = np.array([cv2.Rodrigues(turn)[0][:, 2] for turn in turns])
    tilt_deg = float(np.degrees(np.arccos(np.clip(normals @ normals.T, -1, 1)).max()))
    return _Solution(matrix, coefficients, errors.ravel(), focal_sigma, tilt_deg)
