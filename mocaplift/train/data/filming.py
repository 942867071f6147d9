"""Points of any figure as one static camera sees them: 2D keypoints with errors and gaps like a detector's.

The camera is level, has the angle of view that is assumed of unknown ones, and stands anywhere about the figure.
Nothing hides anything: a joint is lost at random, or outside the picture.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import gaussian_filter1d

from mocaplift.assume import USUAL_FOV
from mocaplift.cameras import intrinsics_from_fov, project
from mocaplift.values import Camera, Keypoints2D, Motion3D

SIZE = (1280, 960)  # px
# Where the camera stands: how far from the middle of the clip (in lengths of the figure's reach) and how high (m).
DISTANCE, HEIGHT = (3.5, 7.0), (0.2, 1.8)
AIM = np.radians(4.0)  # sigma of where it is turned to, about the vertical
# Errors as shares of the figure's size in the picture: sigma of what lasts `ERROR_SECONDS`, and of what changes
# every frame. Joints differ: log sigma.
SLOW_ERROR, FAST_ERROR, JOINTS_DIFFER = 0.010, 0.006, 0.35
ERROR_SECONDS = 0.25
# Share of the time that a joint is lost or wrong, for how long (s, mean), and how wrong (share of the size).
LOST_SHARE, LOST_SECONDS = 0.03, 0.3
WRONG_SHARE, WRONG_SECONDS, WRONG = 0.004, 0.2, 0.15
CONF, CONF_SPREAD = 0.85, 0.05


def camera_about(rng: np.random.Generator, motion: Motion3D, reach: float) -> Camera:
    """Return a random level camera, turned to the middle of a clip of a figure with this reach (m)."""
    middle = motion.xyz.reshape(-1, 3).mean(axis=0)
    azimuth = rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(*DISTANCE) * reach
    place = middle + distance * np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
    place[1] = rng.uniform(*HEIGHT)
    yaw = azimuth + np.pi + rng.normal(0.0, AIM)
    ahead = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    down = np.array([0.0, -1.0, 0.0])
    axes = np.stack([np.cross(down, ahead), down, ahead])
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3], cam_from_world[:3, 3] = axes, -axes @ place
    return Camera("camera", intrinsics_from_fov(USUAL_FOV, SIZE), np.zeros(5), cam_from_world, SIZE)


def filmed(rng: np.random.Generator, motion: Motion3D, camera: Camera) -> Keypoints2D:
    """Return what a detector would say of points that a camera sees."""
    frames, joints = motion.sigma.shape
    true = project(camera, motion.xyz)
    ahead = true[np.isfinite(true).all(axis=(1, 2))]
    size = np.median(np.linalg.norm(np.ptp(ahead, axis=1), axis=-1)) if len(ahead) else np.nan
    worse = np.exp(JOINTS_DIFFER * rng.normal(size=(joints, 1)))
    width = ERROR_SECONDS * motion.fps
    slow = gaussian_filter1d(rng.normal(size=(frames, joints, 2)), width, axis=0, mode="nearest")
    slow *= SLOW_ERROR * np.sqrt(2 * width * np.sqrt(np.pi))
    error = worse * (slow + FAST_ERROR * rng.normal(size=slow.shape))
    wrong = _episodes(rng, frames, joints, WRONG_SHARE, WRONG_SECONDS * motion.fps)
    error = error + WRONG * rng.normal(size=(1, joints, 2)) * wrong[..., None]
    xy = true + size * error
    lost = _episodes(rng, frames, joints, LOST_SHARE, LOST_SECONDS * motion.fps)
    inside = (xy >= -0.5).all(axis=-1) & (xy <= np.array(SIZE) - 0.5).all(axis=-1)
    seen = inside & ~lost
    conf = np.clip(
        CONF - 0.1 * np.log(worse[:, 0]) + CONF_SPREAD * rng.normal(size=(frames, joints)), 0.3, 1.0
    )
    return Keypoints2D(
        xy=np.where(seen[..., None], xy, np.nan),
        conf=np.where(seen, conf, 0.0),
        layout=motion.layout,
        fps=motion.fps,
        size=SIZE,
    )


def _episodes(
    rng: np.random.Generator, frames: int, joints: int, share: float, length: float
) -> Bool[np.ndarray, "T J"]:
    """Return which frames of which joints belong to episodes of random length (frames, mean)."""
    happens = np.zeros((frames, joints), dtype=bool)
    for joint in range(joints):
        for _ in range(rng.poisson(share * frames / length)):
            first = int(rng.integers(frames))
            happens[first : first + 1 + int(rng.exponential(length)), joint] = True
    return happens
