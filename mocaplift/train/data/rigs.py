"""Random rigs of calibrated cameras around a person, and the calibration a lifter would be given of them.

Rings, arcs, facing pairs and places at will; the person anywhere that all cameras see. Many rigs at once are
arrays (`Rigs`); one rig is a tuple of `Camera`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mocaplift.errors import InvalidData
from mocaplift.values import Camera

MOST_VIEWS = 8
RADIUS = (1.5, 10.0)  # m
HEIGHT = (0.3, 4.0)  # m
FOV_DEG = (35.0, 100.0)  # of the longer side
LARGEST_ROLL = np.radians(10.0)
ROLL = np.radians(3.0)  # sigma
PORTRAIT_SHARE = 0.05
SIZES = ((1920, 1080), (1280, 720), (1440, 1080), (960, 540))
AIM_HEIGHT = (0.7, 1.2)  # m
AIM = 0.25  # m, sigma of the place that each camera is turned to
# What a camera must see at the middle of the room (m): nobody films with half a person in the picture.
LEAST_SEEN = 2.0
# Shares of the ways to place cameras: ring, arc, facing pairs, anywhere.
PATTERNS = (0.25, 0.3, 0.27, 0.18)
ARC_DEG, PAIR_DEG = (40.0, 200.0), (30.0, 150.0)
FACING = np.radians(8.0)  # sigma about 180 degrees
JITTER = np.radians(10.0)  # sigma of an azimuth on ring and arc
APART = np.radians(15.0)  # two cameras anywhere are at least this far apart
# How far the person stands from the middle, as a share of the nearest camera's distance; tried until all see them.
FURTHEST = 0.6
TRIES = (1.0, 0.5, 0.2, 0.0)
NEAREST_DEPTH = 0.8  # m
# Weight of a camera's own place, against its axis, where the middle of a rig is looked for.
UNKNOWN_MIDDLE = 1e-6
# Errors of a calibration: sigma of a typical one, cut off at the worst. A rig has its own quality between 0 and 1.
ANGLE, WORST_ANGLE = np.radians(0.15), np.radians(0.5)
PLACE, WORST_PLACE = 0.005, 0.015  # m
FOCAL, WORST_FOCAL = 0.003, 0.01


@dataclass(frozen=True, eq=False)
class Rigs:
    """N rigs of V cameras: world-to-camera rotations, places (m), focal lengths and picture sizes (px)."""

    rotation: Float[np.ndarray, "N V 3 3"]
    centre: Float[np.ndarray, "N V 3"]
    focal: Float[np.ndarray, "N V"]
    size: Int[np.ndarray, "N V 2"]

    def points(self, xyz: Float[np.ndarray, "N T J 3"]) -> Float[np.ndarray, "N V T J 3"]:
        """Return world points in the axes of every camera, metres."""
        count, num_frames, joints = xyz.shape[:3]
        flat = xyz.reshape(count, 1, num_frames * joints, 3) - self.centre[:, :, None]
        turned = np.matmul(flat, self.rotation.transpose(0, 1, 3, 2))
        return turned.reshape(count, -1, num_frames, joints, 3)

    def is_inside(self, plane: Float[np.ndarray, "N V T J 2"]) -> Bool[np.ndarray, "N V T J"]:
        """Return which points (x/z, y/z) lie in the pictures."""
        reach = (self.size / self.focal[..., None] / 2)[:, :, None, None]
        inside: Bool[np.ndarray, "N V T J"] = (np.abs(plane) < reach).all(-1)
        return inside

    def cameras(self, rig: int) -> tuple[Camera, ...]:
        """Return the cameras of one rig."""
        out = []
        for view in range(self.focal.shape[1]):
            rotation = self.rotation[rig, view].astype(float)
            left, _, right = np.linalg.svd(rotation)  # single precision is no rotation in double
            cam_from_world = np.eye(4)
            cam_from_world[:3, :3] = left @ right
            cam_from_world[:3, 3] = -cam_from_world[:3, :3] @ self.centre[rig, view]
            focal, size = float(self.focal[rig, view]), self.size[rig, view]
            middle = (size - 1) / 2
            intrinsics = np.array([[focal, 0.0, middle[0]], [0.0, focal, middle[1]], [0.0, 0.0, 1.0]])
            shape = (int(size[0]), int(size[1]))
            out.append(Camera(f"cam{view + 1}", intrinsics, np.zeros(5), cam_from_world, shape))
        return tuple(out)

    def repeated(self, count: int) -> Rigs:
        """Return so many rigs that are all like the first of these."""
        parts = (self.rotation, self.centre, self.focal, self.size)
        return Rigs(*(np.repeat(each[:1], count, axis=0) for each in parts))

    def centred(self) -> Rigs:
        """Return the rigs moved along the floor, so that their cameras look at the vertical axis of the world."""
        ahead = self.rotation[..., 2, :]
        across = np.eye(3) - ahead[..., :, None] * ahead[..., None, :]
        # Of two cameras that face each other only the line between them is known: its middle, then.
        across = across + UNKNOWN_MIDDLE * np.eye(3)
        pull = (across @ self.centre[..., None])[..., 0].sum(axis=1)
        middle = np.linalg.solve(across.sum(axis=1), pull[..., None])[..., 0]
        return replace(self, centre=self.centre - (middle * [1, 0, 1])[:, None])

    @staticmethod
    def of(cameras: tuple[Camera, ...]) -> Rigs:
        """Return one rig as arrays; distortion and an off-centre principal point are left out."""
        pose = np.stack([camera.cam_from_world for camera in cameras])
        rotation = pose[:, :3, :3]
        return Rigs(
            rotation=rotation[None],
            centre=-np.einsum("vji,vj->vi", rotation, pose[:, :3, 3])[None],
            focal=np.array([[camera.intrinsics[0, 0] for camera in cameras]]),
            size=np.array([[camera.size for camera in cameras]]),
        )


def random_rig(rng: np.random.Generator, num_views: int) -> tuple[Camera, ...]:
    """Return one random rig around the origin; the floor is y = 0.

    Raises:
        InvalidData: there must be 1 to `MOST_VIEWS` views.
    """
    return random_rigs(rng, 1, num_views).cameras(0)


def random_rigs(rng: np.random.Generator, count: int, num_views: int) -> Rigs:
    """Return random rigs around the origin; the floor is y = 0.

    Raises:
        InvalidData: there must be 1 to `MOST_VIEWS` views.
    """
    if not 1 <= num_views <= MOST_VIEWS:
        raise InvalidData(f"a rig has 1 to {MOST_VIEWS} cameras, not {num_views}")
    shape = (count, num_views)
    radius = RADIUS[0] * (0.8 * RADIUS[1] / RADIUS[0]) ** rng.random((count, 1))
    radius = np.clip(radius * rng.uniform(0.8, 1.25, shape), *RADIUS)
    same = np.clip(rng.uniform(HEIGHT[0], 3.0, (count, 1)) + rng.normal(0.0, 0.3, shape), *HEIGHT)
    height = np.where(rng.random((count, 1)) < 0.3, rng.uniform(*HEIGHT, shape), same)
    azimuth = _azimuths(rng, count, num_views)
    centre = np.stack([radius * np.sin(azimuth), height, radius * np.cos(azimuth)], axis=-1)
    aim = rng.normal(0.0, AIM, (*shape, 3))
    aim[..., 1] += rng.uniform(*AIM_HEIGHT, (count, 1))
    roll = np.clip(rng.normal(0.0, ROLL, shape), -LARGEST_ROLL, LARGEST_ROLL)

    size = np.array(SIZES)[rng.integers(len(SIZES), size=(count, 1))] * np.ones((1, num_views, 1), dtype=int)
    size = np.where((rng.random(shape) < PORTRAIT_SHARE)[..., None], size[..., ::-1], size)
    longest = size.max(-1)
    distance = np.linalg.norm(centre - aim, axis=-1)
    needed = 2 * np.arctan(LEAST_SEEN / 2 / distance * longest / size[..., 1])
    widest = np.radians(FOV_DEG[1])
    low = np.clip(needed, np.radians(FOV_DEG[0]), widest)
    # The cameras of a rig are alike more often than not.
    wide = np.where(rng.random((count, 1)) < 0.6, rng.random((count, 1)), rng.random(shape)) ** 1.5
    focal = longest / 2 / np.tan((low + wide * (widest - low)) / 2)
    return Rigs(rotation=_looking(centre, aim, roll), centre=centre, focal=focal, size=size)


def placed(
    rng: np.random.Generator, rigs: Rigs, xyz: Float[np.ndarray, "N T J 3"]
) -> tuple[Rigs, Float[np.ndarray, "N"]]:
    """Return the rigs moved so that each person stands somewhere that all cameras see, and how far off the middle.

    The persons stay where they are.
    """
    radius = np.linalg.norm(rigs.centre[..., [0, 2]], axis=-1).min(axis=1)
    heading = rng.uniform(0, 2 * np.pi, len(xyz))
    far = FURTHEST * radius * np.sqrt(rng.random(len(xyz)))
    step = far[:, None] * np.stack([np.sin(heading), np.zeros(len(xyz)), np.cos(heading)], axis=-1)
    body = xyz[:, len(xyz[0]) // 2]
    chosen, is_settled = np.zeros(len(xyz)), np.zeros(len(xyz), dtype=bool)
    for share in TRIES:
        seen = rigs.points((body + share * step[:, None])[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = seen[..., :2] / seen[..., 2:]
        good = (rigs.is_inside(plane) & (seen[..., 2] > NEAREST_DEPTH)).mean(axis=(2, 3)).min(axis=1) > 0.8
        chosen = np.where(good & ~is_settled, share, chosen)
        is_settled |= good
    centre = rigs.centre - (chosen[:, None] * step)[:, None]
    return replace(rigs, centre=centre), chosen * far


def as_calibrated(rng: np.random.Generator, rigs: Rigs) -> Rigs:
    """Return the rigs as a calibration would tell them: turned, shifted and zoomed by its errors."""
    shape = rigs.focal.shape
    quality = rng.random((len(rigs.focal), 1)) ** 2 * 2  # most calibrations are good, a few are bad
    angle = _cut(rng.normal(0.0, ANGLE, (*shape, 3)) * quality[..., None], WORST_ANGLE)
    place = _cut(rng.normal(0.0, PLACE, (*shape, 3)) * quality[..., None], WORST_PLACE)
    focal = np.clip(rng.normal(0.0, FOCAL, shape) * quality, -WORST_FOCAL, WORST_FOCAL)
    return replace(
        rigs,
        rotation=np.matmul(_small_turns(angle), rigs.rotation),
        centre=rigs.centre + place,
        focal=rigs.focal * (1 + focal),
    )


def _azimuths(rng: np.random.Generator, count: int, num_views: int) -> Float[np.ndarray, "N V"]:
    """Return where the cameras stand, radians about the vertical from +Z towards +X, in no order."""
    jitter = rng.normal(0.0, JITTER, (count, num_views))
    steps = np.arange(num_views)
    # Two cameras on a ring would face each other: they stand at any angle instead.
    spacing = 2 * np.pi / num_views if num_views > 2 else np.radians(rng.uniform(*PAIR_DEG, (count, 1)))
    ring = steps * spacing + jitter
    arc = np.radians(rng.uniform(*ARC_DEG, (count, 1))) * steps / max(1, num_views - 1) + jitter
    pair = rng.uniform(0, 2 * np.pi, (count, (num_views + 1) // 2))
    across = pair + np.pi + rng.normal(0.0, FACING, pair.shape)
    facing = np.stack([pair, across], axis=-1).reshape(count, -1)[:, :num_views]
    free = rng.uniform(0, 2 * np.pi, (count, 1)) + np.cumsum(
        APART + rng.dirichlet(np.ones(num_views), count) * (2 * np.pi - num_views * APART), axis=1
    )
    pattern = rng.choice(len(PATTERNS), count, p=PATTERNS)
    out = np.stack([ring, arc, facing, free])[pattern, np.arange(count)]
    out = out + rng.uniform(0, 2 * np.pi, (count, 1))
    return rng.permuted(out, axis=1)


def _looking(
    centre: Float[np.ndarray, "N V 3"], target: Float[np.ndarray, "N V 3"], roll: Float[np.ndarray, "N V"]
) -> Float[np.ndarray, "N V 3 3"]:
    """Return world-to-camera rotations as `cameras.look_at` does."""
    ahead = target - centre
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    right = np.cross(ahead, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(ahead, right)
    cos, sin = np.cos(roll)[..., None], np.sin(roll)[..., None]
    return np.stack([cos * right + sin * down, cos * down - sin * right, ahead], axis=-2)


def _small_turns(vector: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Return the rotations of rotation vectors (radians), by Rodrigues' formula."""
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vector.shape[:-1], 3, 3)
    safe = np.maximum(angle, 1e-12)
    return np.eye(3) + np.sin(angle) / safe * cross + (1 - np.cos(angle)) / safe**2 * (cross @ cross)


def _cut(vector: Float[np.ndarray, "*lead 3"], longest: float) -> Float[np.ndarray, "*lead 3"]:
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector * np.minimum(1.0, longest / np.maximum(length, 1e-12))
