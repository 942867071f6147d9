"""A small creature of five joints that nods and walks about, its figure as a file, and clips of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mocaplift.cameras import look_at, project
from mocaplift.store import save
from mocaplift.values import Camera, Keypoints2D, Layout

LAYOUT = Layout(
    "puppet", ("nose", "neck", "tail", "left_paw", "right_paw"), pairs=(("left_paw", "right_paw"),)
)
TOML = """
joints = ["nose", "neck", "tail", "left_paw", "right_paw"]
pairs = [["left_paw", "right_paw"]]
bones = [["neck", "tail", 0.6], ["neck", "nose", 0.3], ["neck", "left_paw", 0.5], ["neck", "right_paw", 0.5]]
root = ["neck", "tail"]
"""
LENGTHS = {
    ("neck", "tail"): 0.6,
    ("neck", "nose"): 0.3,
    ("neck", "left_paw"): 0.5,
    ("neck", "right_paw"): 0.5,
}
FPS, SIZE = 30.0, (640, 480)


def puppet(seed: int = 0, frames: int = 200) -> np.ndarray:
    """Return its joints [T 5 3] (m, world, +Y up): a walk on a circle, with a nod and paws that swing."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / FPS
    yaw = rng.uniform(0, 2 * np.pi) + rng.uniform(0.3, 0.8) * t
    ahead = np.stack([np.sin(yaw), 0 * t, np.cos(yaw)], axis=-1)
    aside = np.stack([np.cos(yaw), 0 * t, -np.sin(yaw)], axis=-1)
    up = np.tile([0.0, 1.0, 0.0], (frames, 1))
    neck = 0.5 * aside + 0.5 * up + 0.03 * np.sin(6 * t)[:, None] * up

    def turned(angle: np.ndarray) -> np.ndarray:
        return np.cos(angle)[:, None] * ahead + np.sin(angle)[:, None] * up

    swing = 0.5 * np.sin(5 * t + rng.uniform(0, 6))
    paws = [0.5 * turned(-np.pi / 2 + sign * swing) + 0.1 * sign * aside for sign in (1.0, -1.0)]
    paws = [0.5 * paw / np.linalg.norm(paw, axis=-1, keepdims=True) for paw in paws]
    nod = 0.3 + 0.4 * np.sin(3 * t + rng.uniform(0, 6))
    joints = [neck + 0.3 * turned(nod), neck, neck - 0.6 * turned(0 * t), *(neck + paw for paw in paws)]
    return np.stack(joints, axis=1)


def camera(distance: float = 3.0) -> Camera:
    """Return a level camera before it."""
    intrinsics = np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]])
    cam_from_world = look_at(np.array([0.0, 0.5, distance]), np.array([0.0, 0.5, 0.0]))
    return Camera("camera", intrinsics, np.zeros(5), cam_from_world, SIZE)


def filmed(xyz: np.ndarray, lens: Camera, seed: int = 0) -> Keypoints2D:
    """Return what a detector says of it: a pixel off, one joint in twenty lost."""
    rng = np.random.default_rng(seed)
    xy = project(lens, xyz) + rng.normal(0, 1.0, (*xyz.shape[:2], 2))
    conf = np.where(rng.random(xy.shape[:2]) < 0.05, 0.0, rng.uniform(0.6, 1.0, xy.shape[:2]))
    return Keypoints2D(np.where((conf > 0)[..., None], xy, np.nan), conf, LAYOUT, FPS, SIZE)


def write_clips(folder: Path, count: int = 6, frames: int = 200) -> Path:
    """Write clips of it, and its figure beside them, and return the figure's file."""
    (folder / "clips").mkdir(parents=True)
    for number in range(count):
        lens = camera(2.5 + 0.3 * number)
        save((filmed(puppet(number, frames), lens, number), lens), folder / "clips" / f"{number}.npz")
    (folder / "puppet.toml").write_text(TOML)
    return folder / "puppet.toml"
