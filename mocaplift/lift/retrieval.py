"""Lifting by retrieval: the library pose that looks most like each frame, chosen over time by Viterbi.

Needs no training beyond a library of a few hundred recorded poses (upright ones, and copies tilted to the floor).
Every pose at 24 headings is compared with the keypoints under weak perspective; a scale that agrees with the
neighbouring frames and a pose near theirs are preferred. It is the start of the `smplify` lifter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from mocaplift.cameras import centre, rays
from mocaplift.confidence import sigma as confidence_sigma
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.layouts import BODY21, remap_keypoints
from mocaplift.rotations import about_axis, rotate
from mocaplift.values import Camera, Keypoints2D, Motion3D
from mocaplift.weights import load_arrays, locate

HEADINGS = 24  # steps of 15 degrees
# Frames per second at which poses are looked up; the library is too coarse to tell more.
LOOKUP_FPS = 15.0
FRAMES_AT_ONCE = 64  # frames compared with the whole library at once: 15 MB for each array of them
CANDIDATES = 60  # poses kept per frame for the search over time
# Nothing in the library is nearer to a real pose than this (m): it blurs every keypoint's error.
LIBRARY_BLUR = 0.06
SCALE_SPREAD = 0.07  # standard deviation of the log of a frame's scale about its neighbours'
FACTOR_RANGE = (0.7, 1.4)  # how far a pose's scale may be from the usual one
SCALE_WINDOW = 2.0  # s, over which neighbouring scales are pooled
ACROSS = 0.75  # quantile of the bones' scales that is taken for the one of bones across the line of sight
SCALE_BONES = (
    ("left_hip", "left_knee"), ("right_hip", "right_knee"), ("left_knee", "left_ankle"),
    ("right_knee", "right_ankle"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
)  # fmt: skip
STEP_SPREAD = 0.40  # m, mean distance of the keypoints from one looked-up frame to the next
TILT_PRICE = 5.0  # cost of a floor pose over an upright one, before anything was seen
ERROR_TAIL = 4.0  # degrees of freedom of the Student-t of a keypoint
# What a looked-up pose is worth (m), its path in depth counted: a start of the fit, and hardly more (measured).
POSE_SIGMA = 0.5
FEWEST_POINTS = 5  # a frame with fewer seen keypoints says nothing about the pose


@dataclass(frozen=True, eq=False)
class Library:
    """Poses to look up: body21 points about the middle of the hips, +Y up, facing +Z, metres."""

    points: Float[np.ndarray, "M 21 3"]
    price: Float[np.ndarray, "M"]

    def turned(self) -> Float[np.ndarray, "N 21 3"]:
        """Return every pose at every heading (headings of one pose are neighbours)."""
        headings = about_axis("Y", np.arange(HEADINGS) * 2 * np.pi / HEADINGS)
        return rotate(headings[None, :, None], self.points[:, None]).reshape(-1, *self.points.shape[1:])


@lru_cache(maxsize=2)
def load_library(name: str = "pose-prior") -> Library:
    """Return the library of a weight file.

    Raises:
        WeightsError: the file is missing, damaged or has no library.
    """
    path = locate(name)
    arrays, _ = load_arrays(path, "pose-prior")
    try:
        tilted = arrays["library_tilted"].astype(bool)
        return Library(
            points=arrays["library_keypoints"].astype(float), price=np.where(tilted, TILT_PRICE, 0.0)
        )
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error}") from error


def lift(views: Sequence[Keypoints2D], cameras: Sequence[Camera], library: Library | None = None) -> Motion3D:
    """Return the motion of one person seen by one camera, in body21, world metres.

    Raises:
        InvalidData: not exactly one view, or too few keypoints in every frame.
    """
    if len(views) != 1 or len(cameras) != 1:
        raise InvalidData(f"retrieval lifts one view, but {len(views)} were given")
    keypoints, camera = remap_keypoints(views[0], BODY21), cameras[0]
    library = library or load_library()
    frames = len(keypoints.xy)
    usable = np.flatnonzero((keypoints.conf > 0).sum(axis=-1) >= FEWEST_POINTS)
    if not len(usable):
        raise InvalidData(f"no frame shows {FEWEST_POINTS} or more keypoints; nothing can be lifted")
    step = max(1, round(keypoints.fps / LOOKUP_FPS))
    looked_up = usable[np.unique(np.searchsorted(usable, np.arange(usable[0], usable[-1] + 1, step)))]
    seen = _Seen.of(keypoints, camera, looked_up)
    poses = library.turned()
    chosen, scales = _search(seen, poses, np.repeat(library.price, HEADINGS))
    found = seen.place(poses[chosen], scales)
    xyz = np.stack(
        [np.interp(np.arange(frames), looked_up, column) for column in found.reshape(len(found), -1).T],
        axis=1,
    ).reshape(frames, len(BODY21), 3)
    return Motion3D(xyz=xyz, sigma=np.full(xyz.shape[:2], POSE_SIGMA), layout=BODY21, fps=keypoints.fps)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Keypoints as seen by a camera that is turned, frame by frame, to have the person in its middle.

    `axes` rows are that camera's right, down and forward in the world; `plane` is x/z, y/z in them.
    """

    plane: Float[np.ndarray, "T 21 2"]
    weight: Float[np.ndarray, "T 21"]  # 1/m^2
    axes: Float[np.ndarray, "T 3 3"]
    eye: Float[np.ndarray, "3"]

    @classmethod
    def of(cls, keypoints: Keypoints2D, camera: Camera, frames: Int[np.ndarray, "T"]) -> _Seen:
        spread = np.hypot(confidence_sigma(keypoints)[frames], LIBRARY_BLUR)
        weight = np.where(np.isfinite(spread), 1 / spread**2, 0.0)
        direction = rays(camera, np.nan_to_num(keypoints.xy[frames]))
        forward = (direction * weight[..., None]).sum(axis=1)
        forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.maximum(np.linalg.norm(right, axis=-1, keepdims=True), 1e-9)
        axes = np.stack([right, np.cross(forward, right), forward], axis=1)
        local = direction @ np.swapaxes(axes, 1, 2)
        plane = local[..., :2] / np.maximum(local[..., 2:], 1e-3)
        return cls(plane=plane, weight=weight, axes=axes, eye=centre(camera))

    @property
    def elevation(self) -> float:
        """How far the camera looks down on the person, radians, typical of the clip."""
        return float(np.median(np.arcsin(np.clip(-self.axes[:, 2, 1], -1, 1))))

    def place(
        self, poses: Float[np.ndarray, "T 21 3"], scales: Float[np.ndarray, "T"]
    ) -> Float[np.ndarray, "T 21 3"]:
        """Return poses (in the turned camera's heading) in the world, at depth 1 / scale on their ray."""
        level = self.axes[:, 2] * [1.0, 0.0, 1.0]
        level /= np.maximum(np.linalg.norm(level, axis=-1, keepdims=True), 1e-9)
        right, up = self.axes[:, 0], np.array([0.0, 1.0, 0.0])
        world = poses[..., :1] * right[:, None] + poses[..., 1:2] * up - poses[..., 2:] * level[:, None]
        # Where the pose's own middle of the hips is in the picture: the best translation under that scale.
        flat = np.einsum("tkc,tac->tka", world, self.axes[:, :2])
        total = self.weight.sum(axis=1, keepdims=True)
        shift = ((self.plane / scales[:, None, None] - flat) * self.weight[..., None]).sum(axis=1) / total
        centre_ray = shift[:, :1] * self.axes[:, 0] + shift[:, 1:] * self.axes[:, 1]
        return world + (self.eye + centre_ray + self.axes[:, 2] / scales[:, None])[:, None]


def _search(
    seen: _Seen, poses: Float[np.ndarray, "N 21 3"], price: Float[np.ndarray, "N"]
) -> tuple[Int[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Return the pose of every frame and the scale (1 / depth) at which it was seen."""
    e = seen.elevation
    # A camera that looks along -Z and down by e has right = (1, 0, 0) and down = (0, -cos e, sin e).
    flat = np.stack([poses[..., 0], -np.cos(e) * poses[..., 1] + np.sin(e) * poses[..., 2]], axis=-1).astype(
        np.float32
    )
    usual = _usual_scale(seen, poses)
    # The scale needs no exact heading.
    _, _, first_scale = _best(seen, flat[::3], price[::3], np.log(usual), 1)
    around = _running(np.log(first_scale[:, 0]), 0.5)
    keep, cost, scale = _best(seen, flat, price, around, CANDIDATES)
    path = _viterbi(cost, keep, poses)
    rows = np.arange(len(path))
    return keep[rows, path], scale[rows, path]


def _best(
    seen: _Seen,
    flat: Float[np.ndarray, "N 21 2"],
    price: Float[np.ndarray, "N"],
    around: np.ndarray,
    count: int,
) -> tuple[Int[np.ndarray, "T C"], Float[np.ndarray, "T C"], Float[np.ndarray, "T C"]]:
    """Return each frame's cheapest poses, their costs and scales; a few frames at a time, to bound memory."""
    found = []
    for begin in range(0, len(seen.plane), FRAMES_AT_ONCE):
        part = slice(begin, begin + FRAMES_AT_ONCE)
        some = _Seen(plane=seen.plane[part], weight=seen.weight[part], axes=seen.axes[part], eye=seen.eye)
        cost, scale = _compare(some, flat, price, around[part])
        # A copy: a view would keep the whole table of every chunk in memory.
        keep = np.argpartition(cost, count, axis=1)[:, :count].copy()
        found.append((keep, *(np.take_along_axis(values, keep, axis=1) for values in (cost, scale))))
    keep, cost, scale = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return keep, cost, scale


def _compare(
    seen: _Seen,
    flat: Float[np.ndarray, "N 21 2"],
    price: Float[np.ndarray, "N"],
    around: Float[np.ndarray, "T"],
) -> tuple[Float[np.ndarray, "T N"], Float[np.ndarray, "T N"]]:
    """Return the cost and the scale of every pose in every frame, weak perspective: plane = scale pose + shift.

    Least squares in closed form with a prior on the log of the scale (`around`); all sums over keypoints are
    matrix products. Residuals are judged at the usual scale and not at the pose's own, or else a crouching pose
    near the camera would always look better than a standing one far away.
    """
    weight = seen.weight.astype(np.float32)
    total = weight.sum(axis=1, keepdims=True)
    mean_plane = (seen.plane * weight[..., None]).sum(axis=1, keepdims=True) / total[..., None]
    usual = np.exp(around)[:, None]
    plane = ((seen.plane - mean_plane) / usual[..., None]).astype(np.float32)
    spread_plane = (np.square(plane) * weight[..., None]).sum(axis=(1, 2))[:, None]
    points = flat.reshape(len(flat), -1).T
    cross = (plane * weight[..., None]).reshape(len(plane), -1) @ points
    mean_x, mean_y = weight @ flat[..., 0].T / total, weight @ flat[..., 1].T / total
    spread_points = weight @ np.square(flat).sum(-1).T - total * (mean_x**2 + mean_y**2)
    # Near 1 the log of the factor is the factor less 1, so the prior on it is one more least-squares row.
    stiffness = 1 / SCALE_SPREAD**2
    factor = (cross + stiffness) / (np.maximum(spread_points, 0) + stiffness)
    factor = np.clip(factor, *FACTOR_RANGE)
    residual = np.maximum(spread_plane - 2 * factor * cross + factor**2 * spread_points, 0.0)
    points_seen = (weight > 0).sum(axis=1, keepdims=True)
    cost = 0.5 * points_seen * ERROR_TAIL * np.log1p(residual / points_seen / ERROR_TAIL) + price
    cost = cost + 0.5 * stiffness * np.square(factor - 1)
    return cost, factor * usual


def _usual_scale(seen: _Seen, poses: Float[np.ndarray, "N 21 3"]) -> Float[np.ndarray, "T"]:
    """Return the scale of each frame from the bones that lie across the line of sight.

    A bone never looks longer than it is, so the high ones among the ratios of seen to true length tell the scale,
    in a frame as over time.
    """
    ratios, sure = [], []
    for a, b in SCALE_BONES:
        i, j = BODY21.at(a), BODY21.at(b)
        length = np.linalg.norm(poses[0, i] - poses[0, j])
        ratios.append(np.linalg.norm(seen.plane[:, i] - seen.plane[:, j], axis=-1) / length)
        sure.append(np.minimum(seen.weight[:, i], seen.weight[:, j]) > 0)
    ratio = np.where(np.array(sure), np.array(ratios), np.nan)
    known = np.isfinite(ratio).any(axis=0)
    frames = np.arange(ratio.shape[1])
    in_frame = np.nanquantile(ratio[:, known], ACROSS, axis=0)
    return _running(np.interp(frames, frames[known], in_frame), ACROSS)


def _running(values: Float[np.ndarray, "T"], quantile: float) -> Float[np.ndarray, "T"]:
    """Return the running quantile over `SCALE_WINDOW`."""
    half = max(1, round(SCALE_WINDOW * LOOKUP_FPS / 2))
    padded = np.pad(values, half, mode="reflect" if len(values) > half else "edge")
    return np.quantile(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), quantile, axis=-1)


def _viterbi(
    cost: Float[np.ndarray, "T C"], keep: Int[np.ndarray, "T C"], poses: Float[np.ndarray, "N 21 3"]
) -> Int[np.ndarray, "T"]:
    """Return the cheapest path through the candidates: their own costs and the distance between neighbours."""
    frames, candidates = cost.shape
    flat = poses.reshape(len(poses), -1)
    num_points = poses.shape[1]
    total = cost[0]
    came_from = np.zeros((frames, candidates), dtype=int)
    for t in range(1, frames):
        a, b = flat[keep[t - 1]], flat[keep[t]]
        squared = np.square(a).sum(-1)[:, None] + np.square(b).sum(-1)[None] - 2 * a @ b.T
        step = 0.5 * num_points * np.maximum(squared, 0) / num_points / STEP_SPREAD**2
        reach = total[:, None] + step
        came_from[t] = reach.argmin(axis=0)
        total = reach.min(axis=0) + cost[t]
    path = np.zeros(frames, dtype=int)
    path[-1] = total.argmin()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path
