"""The point prior of triangulation, learnt from CMU motions on many bodies.

Output (`weights/point-prior.safetensors`): what `lift.point_prior` describes.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.body import Body, load_body
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21
from mocaplift.lift.point_prior import BONE_ENDS, BONE_STARTS, BONES, KIND, about_vertical, heading
from mocaplift.rotations import rotate
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT
from mocaplift.train.data.augment import blended, limbs_turned, mirrored, tilted
from mocaplift.train.data.cmu import read_takes
from mocaplift.train.prior import draw_poses, sole_height
from mocaplift.weights import save_arrays

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PointPriorConfig:
    """How the point prior is made."""

    poses: int = 16_000  # recorded poses drawn, before mirroring
    blended_share: float = 0.25
    turned_share: float = 0.25
    tilted_share: float = 0.05  # copies of poses, tilted towards the floor
    bodies: int = 600
    seed: int = 3


def train_points(config: PointPriorConfig, cmu: Path, out: Path) -> Path:
    """Make the point prior and return its file; half a minute on one core.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        WeightsError: the body model is missing.
        OutputError: the file cannot be written.
    """
    started = time.monotonic()
    rng = np.random.default_rng(config.seed)
    body = load_body()
    takes = list(read_takes(cmu, body.skeleton(np.zeros(body.num_shape)), sole_y=sole_height()))
    train = [take for take in takes if not take.is_validation]
    recorded = draw_poses(train, config.poses, rng)
    poses = _varied(np.concatenate([recorded, mirrored(recorded)]), config, rng)
    points = points_of_bodies(body, poses, config.bodies, rng)
    bones = np.linalg.norm(points[:, BONE_ENDS] - points[:, BONE_STARTS], axis=-1)
    ahead = points @ np.swapaxes(about_vertical(-heading(points)), 1, 2)
    anywhere = ahead @ np.swapaxes(about_vertical(rng.uniform(0, 2 * np.pi, len(ahead))), 1, 2)
    arrays = {
        **_gaussian("anywhere", anywhere),
        **_gaussian("ahead", ahead),
        "bone_mean": bones.mean(axis=0),
        "bone_sigma": bones.std(axis=0),
    }
    arrays["mean_anywhere"][:, [0, 2]] = 0.0  # exactly so over all headings
    header = {
        "keypoints": list(BODY21.joints),
        "bones": [list(bone) for bone in BONES],
        "config": asdict(config),
        "made_by": "mocaplift train points",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "source": CMU_ACKNOWLEDGEMENT,
        "licence": "Apache-2.0",
    }
    path = Path(out) / "point-prior.safetensors"
    save_arrays(path, KIND, {name: array.astype(np.float32) for name, array in arrays.items()}, header)
    log.info("%s: %d poses, %.1f minutes", path, len(points), header["minutes"])
    return path


def points_of_bodies(
    body: Body, poses: Float[np.ndarray, "N 24 4"], bodies: int, rng: np.random.Generator
) -> Float[np.ndarray, "N 21 3"]:
    """Return body21 of the poses, each on one of so many random bodies; pelvis at the origin, metres."""
    points = np.zeros((len(poses), len(BODY21), 3))
    bones = list(body.bones)
    for group in np.array_split(rng.permutation(len(poses)), bodies):
        shape = rng.normal(size=body.num_shape)
        xyz, turned = forward(body.skeleton(shape), poses[group], np.zeros((len(group), 3)))
        points[group] = xyz[:, bones] + rotate(turned[:, bones], body.attachments(shape))
    return points


def _varied(
    poses: Float[np.ndarray, "N 24 4"], config: PointPriorConfig, rng: np.random.Generator
) -> Float[np.ndarray, "M 24 4"]:
    """Return the poses, shares of them with other legs or turned limbs, and tilted copies of a share."""
    poses = poses[rng.permutation(len(poses))]
    first = round(config.blended_share * len(poses))
    second = first + round(config.turned_share * len(poses))
    upright = np.concatenate(
        [blended(poses[:first], rng), limbs_turned(poses[first:second], rng), poses[second:]]
    )
    lying = rng.choice(len(poses), round(config.tilted_share * len(poses)), replace=False)
    return np.concatenate([upright, tilted(upright[lying], rng)])


def _gaussian(name: str, points: Float[np.ndarray, "N 21 3"]) -> dict[str, np.ndarray]:
    centred = points - points.mean(axis=1, keepdims=True)
    return {
        f"mean_{name}": centred.mean(axis=0),
        f"covariance_{name}": np.cov(centred.reshape(len(centred), -1).T),
    }
