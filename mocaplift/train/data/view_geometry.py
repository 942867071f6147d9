"""What decides how well a detector sees: from where, what hides what, and errors that last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

from mocaplift.layouts import BODY21

# What hides joints behind it: from where to where, and how thick (m, the radius).
SEGMENTS = (
    (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), 0.13),
    (("left_ear", "right_ear"), ("nose",), 0.09),
    (("left_hip",), ("left_knee",), 0.075),
    (("right_hip",), ("right_knee",), 0.075),
    (("left_knee",), ("left_ankle",), 0.05),
    (("right_knee",), ("right_ankle",), 0.05),
)
BEHIND = 0.07  # m that a hidden joint is behind the middle of what hides it
SOFT = 0.06  # m over which hiding fades
NEAREST = 0.2  # m; points nearer to the camera's plane have no picture
# Time constants (s) that measured correlations are composed of: any such mixture is a valid correlation.
TIME_CONSTANTS = (0.01, 0.03, 0.08, 0.2, 0.5, 1.5)


@dataclass(frozen=True, eq=False)
class Sight:
    """N persons before V cameras each: pictures in units of the focal length, depths (m), and what hides what.

    `angle` is from where the body is seen, radians: 0 the front, 90 degrees the person's left. `head` and `ear`
    are cosines: 1 where the face looks into the camera, and where the left ear does. `inverted` is 1 head down.
    """

    plane: Float[np.ndarray, "N V T J 2"]
    depth: Float[np.ndarray, "N V T J"]
    hidden: Float[np.ndarray, "N V T J"]
    angle: Float[np.ndarray, "N V T"]
    head: Float[np.ndarray, "N V T"]
    ear: Float[np.ndarray, "N V T"]
    inverted: Float[np.ndarray, "N V T"]
    is_inside: Bool[np.ndarray, "N V T J"]


@dataclass(frozen=True, eq=False)
class Guess:
    """A detector's guesses: confidences, offsets (m at the joint's depth), and what is mistaken for its partner.

    `pull` is how far a joint is drawn to its partner on the other side (0..1); `swaps` lists joints and the share
    of time they are exchanged, one number or one for each window and view.
    """

    conf: Float[np.ndarray, "N V T 21"]
    offset: Float[np.ndarray, "N V T 21 2"]
    pull: Float[np.ndarray, "N V T 21"]
    swaps: tuple[tuple[list[int], float | np.ndarray], ...]


def directions(
    points: Float[np.ndarray, "N V T J 3"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return `angle`, `head`, `ear` and `inverted` of `Sight` for points in camera axes."""
    place = dict(zip(BODY21.joints, np.moveaxis(points, -2, 0), strict=True))
    shoulders, hips = (
        (place[f"left_{joint}"] + place[f"right_{joint}"]) / 2 for joint in ("shoulder", "hip")
    )
    across = place["left_shoulder"] + place["left_hip"] - place["right_shoulder"] - place["right_hip"]
    up = shoulders - hips
    ahead = _cross(across, up)
    left = _cross(up, ahead)
    away = -(shoulders + hips) / 2
    angle = np.arctan2(_dot(away, left) / _length(left), _dot(away, ahead) / _length(ahead))
    ears = (place["left_ear"] + place["right_ear"]) / 2
    head = _cosine(place["nose"] - ears, -ears)
    ear = _cosine(place["left_ear"] - place["right_ear"], -ears)
    return angle, head, ear, np.clip(up[..., 1] / _length(up), 0.0, 1.0)


def hidden_share(
    plane: Float[np.ndarray, "N V T J 2"], depth: Float[np.ndarray, "N V T J"]
) -> Float[np.ndarray, "N V T J"]:
    """Return how much (0..1) each joint is hidden by trunk, head and legs."""
    out = np.zeros_like(depth)
    x, y = np.ascontiguousarray(plane[..., 0]), np.ascontiguousarray(plane[..., 1])
    for begin, end, radius in SEGMENTS:
        ax, ay, az, bx, by, bz = (
            value[..., BODY21.index(*names)].mean(axis=-1, keepdims=True)
            for names in (begin, end)
            for value in (x, y, depth)
        )
        ux, uy = bx - ax, by - ay
        share = np.clip(
            ((x - ax) * ux + (y - ay) * uy) / np.maximum(ux * ux + uy * uy, np.float32(1e-8)), 0, 1
        )
        near = az + share * (bz - az)
        apart = np.hypot(x - ax - share * ux, y - ay - share * uy) * near
        cover = np.clip((np.float32(radius + SOFT) - apart) / np.float32(SOFT), 0, 1)
        cover *= np.clip((depth - near - np.float32(BEHIND / 2)) / np.float32(BEHIND), 0, 1)
        np.maximum(out, cover, out=out)
    return out


def heavy_tailed(
    gaussian: Float[np.ndarray, "*lead 2"], nu: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "*lead 2"]:
    """Return Gaussian vectors of variance 1 made longer, so that their lengths are Student's t with median 1.

    In two dimensions P(R > r) = (1 + r^2 / nu)^(-nu / 2), against exp(-r^2 / 2) of the Gaussian.
    """
    half = np.float32(0.5)
    square = (gaussian * gaussian).sum(-1)
    longer = np.expm1(np.minimum(square, np.float32(25)) / nu) / np.expm1(np.float32(2 * np.log(2)) / nu)
    scaled: np.ndarray = gaussian * ((longer / (square + np.float32(1e-12))) ** half)[..., None]
    return scaled


@lru_cache(maxsize=64)
def course(
    lags: tuple[float, ...], correlation: tuple[float, ...], num_frames: int, fps: float
) -> np.ndarray:
    """Return the matrix [T T] that turns white noise into noise with (nearly) these correlations.

    `lags` are seconds. Multiply it from the left onto time.
    """
    apart = np.array([0.0, *lags])[:, None]
    known = np.array([1.0, *correlation])
    trust = np.array([100.0] + [1.0] * len(lags))
    rates = 1 / np.array(TIME_CONSTANTS)
    shares, _ = nnls(trust[:, None] * np.exp(-apart * rates), trust * known)
    time = np.abs(np.subtract.outer(np.arange(num_frames), np.arange(num_frames))) / fps
    covariance = np.exp(-time[..., None] * rates) @ (shares / shares.sum())
    factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(num_frames))
    return factor.astype(np.float32)


def episodes(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    share: Float[np.ndarray, "*lead"] | float,
    *,
    seconds: float,
    num_frames: int,
    fps: float,
) -> Bool[np.ndarray, "*lead T"]:
    """Return during which frames something happens, this share of all time and so long on average.

    At most once in a window: a share too large for that is not reached.
    """
    length = (num_frames - 1) / fps
    duration = rng.exponential(seconds, shape)
    begin = rng.uniform(-duration, length)
    happens = rng.random(shape) < share / seconds * (length + duration)
    time = np.arange(num_frames) / fps
    inside: np.ndarray = (time >= begin[..., None]) & (time < (begin + duration)[..., None])
    return inside & happens[..., None]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out: np.ndarray = np.einsum("...i,...i->...", a, b)
    return out


def _length(a: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(a, a)) + np.float32(1e-9)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out: np.ndarray = _dot(a, b) / (_length(a) * _length(b))
    return out
