"""The pose prior and the pose library of the fit, learnt from CMU motions.

Output (`weights/pose-prior.safetensors`): a Gaussian mixture over joint rotations, a library of poses to start
from, and statistics of how fast people move and how far joints turn.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mocaplift.body import Body, load_body
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import conjugate, from_rotvec, multiply, rotate, to_rotvec
from mocaplift.train.body import CMU_ACKNOWLEDGEMENT, STRAIGHT
from mocaplift.train.data.augment import blended, limbs_turned, mirrored, tilted, without_yaw
from mocaplift.train.data.cmu import Take, read_takes
from mocaplift.train.mixture import Mixture, fit_mixture, kmeans, nearest_rows
from mocaplift.values import SkeletonMotion
from mocaplift.weights import load_arrays, locate, save_arrays

log = logging.getLogger(__name__)

PRIOR_JOINTS = tuple(joint for joint in SMPL24.joints[1:] if joint not in STRAIGHT)
LIMIT_PERCENTILES = (0.5, 99.5)
RATE_STEP = 1 / 30  # s over which speeds and accelerations are taken


@dataclass(frozen=True)
class PriorConfig:
    """How prior and library are made."""

    poses: int = 20_000  # recorded poses drawn for the mixture, before mirroring
    augmented_share: float = 0.5
    components: int = 32
    shrinkage: float = 0.3
    floor_rad: float = 0.06
    medoids: int = 1000
    tilted: int = 1000
    seed: int = 2


def train_prior(config: PriorConfig, cmu: Path, out: Path, *, body_name: str = "body") -> Path:
    """Make prior and library and return their file; about two minutes on one core.

    Raises:
        InvalidData: the CMU archives are missing or damaged.
        WeightsError: the body model is missing.
        OutputError: the file cannot be written.
    """
    started = time.monotonic()
    rng = np.random.default_rng(config.seed)
    body = load_body(body_name)
    takes = list(read_takes(cmu, body.skeleton(np.zeros(body.num_shape)), sole_y=sole_height(body_name)))
    train = [take for take in takes if not take.is_validation]
    held_out = [take for take in takes if take.is_validation]
    drawn = draw_poses(train, config.poses, rng)
    usual = usual_rotations(np.concatenate([drawn, mirrored(drawn)]))
    drawn[:, SMPL24.index(*STRAIGHT)] = [1.0, 0.0, 0.0, 0.0]
    recorded = np.concatenate([drawn, mirrored(drawn)])
    mixture = fit_mixture(
        pose_vector(_augmented(recorded, config.augmented_share, rng)),
        config.components,
        rng,
        shrinkage=config.shrinkage,
        floor=config.floor_rad,
    )
    library, shares = choose_library(body, recorded, config, rng)
    keypoints = centred_keypoints(body, library)
    arrays = {
        "gmm_weights": mixture.weights,
        "gmm_means": mixture.means,
        "gmm_covariances": mixture.covariances,
        "gmm_precisions": np.linalg.inv(mixture.covariances),
        "usual_rotations": usual,
        "library_rotations": library,
        "library_keypoints": keypoints,
        "library_share": shares,
        "library_tilted": np.arange(len(library)) >= config.medoids,
        **joint_limits(recorded),
        **motion_rates(body, train),
    }
    header = {
        "prior_joints": list(PRIOR_JOINTS),
        "joints": list(SMPL24.joints),
        "keypoints": list(BODY21.joints),
        "medoids": config.medoids,
        "measured": measure(body, mixture, library, train, held_out, rng),
        "config": asdict(config),
        "made_by": "mocaplift train prior",
        "minutes": round((time.monotonic() - started) / 60, 1),
        "train_minutes": round(_minutes(train), 1),
        "validation_minutes": round(_minutes(held_out), 1),
        "takes": len(takes),
        "source": CMU_ACKNOWLEDGEMENT,
        "licence": "Apache-2.0",
    }
    path = Path(out) / "pose-prior.safetensors"
    single = {name: _single_precision(np.asarray(array)) for name, array in arrays.items()}
    save_arrays(path, "pose-prior", single, header)
    log.info("%s: %s, %.1f minutes", path, header["measured"], header["minutes"])
    return path


def pose_vector(rotations: Float[np.ndarray, "T 24 4"]) -> Float[np.ndarray, "T 51"]:
    """Return the rotation vectors of `PRIOR_JOINTS`, joint after joint."""
    return to_rotvec(rotations[:, SMPL24.index(*PRIOR_JOINTS)]).reshape(len(rotations), -1)


def draw_poses(takes: Sequence[Take], count: int, rng: np.random.Generator) -> Float[np.ndarray, "N 24 4"]:
    """Return poses of the takes, facing +Z.

    Subjects, and takes within a subject, are drawn by the square root of their length, so that long salsa
    does not drown short walks, nor a one-second take the rest.
    """
    seconds = np.array([len(take.motion.root) / take.motion.fps for take in takes])
    subjects = np.array([take.subject for take in takes])
    chance = np.zeros(len(takes))
    for subject in np.unique(subjects):
        mine = subjects == subject
        within = np.sqrt(seconds[mine])
        chance[mine] = np.sqrt(seconds[mine].sum()) * within / within.sum()
    chosen = rng.choice(len(takes), size=count, p=chance / chance.sum())
    poses = np.zeros((count, len(SMPL24), 4))
    for place, take in enumerate(chosen):
        rotations = takes[take].motion.rotations
        poses[place] = rotations[rng.integers(len(rotations))]
    return without_yaw(poses)


def usual_rotations(poses: Float[np.ndarray, "N 24 4"]) -> Float[np.ndarray, "24 4"]:
    """Return the middle rotation of each joint: for hands and toes, which no keypoint shows turning."""
    return from_rotvec(np.median(to_rotvec(poses), axis=0))


def keypoints_of(
    body: Body, rotations: Float[np.ndarray, "T 24 4"], root: Float[np.ndarray, "T 3"]
) -> Float[np.ndarray, "T 21 3"]:
    """Return body21 of the mean body, metres: points that ride bones."""
    shape = np.zeros(body.num_shape)
    xyz, turned = forward(body.skeleton(shape), rotations, root)
    bones = list(body.bones)
    return xyz[:, bones] + rotate(turned[:, bones], body.attachments(shape))


def centred_keypoints(body: Body, rotations: Float[np.ndarray, "T 24 4"]) -> Float[np.ndarray, "T 21 3"]:
    """Return body21 of the mean body, relative to the middle of the hip keypoints, metres."""
    points = keypoints_of(body, rotations, np.zeros((len(rotations), 3)))
    return points - points[:, BODY21.index("left_hip", "right_hip")].mean(axis=1, keepdims=True)


def choose_library(
    body: Body, poses: Float[np.ndarray, "N 24 4"], config: PriorConfig, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "M 24 4"], Float[np.ndarray, "M"]]:
    """Return the poses to start from, and the share of the recorded poses that each stands for.

    First the recorded poses nearest to the k-means centres of all poses' keypoints, then tilted ones: recorded
    poses whose whole body was turned towards the floor (share 0).
    """
    flat = centred_keypoints(body, poses).reshape(len(poses), -1)
    centres, cluster = kmeans(flat, config.medoids, rng)
    chosen = nearest_rows(centres, flat)[0]
    share = np.bincount(cluster, minlength=config.medoids) / len(poses)
    lying = tilted(poses[rng.choice(len(poses), config.tilted, replace=False)], rng)
    return np.concatenate([poses[chosen], lying]), np.concatenate([share, np.zeros(config.tilted)])


def joint_limits(poses: Float[np.ndarray, "N 24 4"]) -> dict[str, np.ndarray]:
    """Return the range (rad) of each joint's rotation vector, component by component, between percentiles."""
    vectors = to_rotvec(poses)
    low, high = np.percentile(vectors, LIMIT_PERCENTILES, axis=0)
    return {"limits_low": low, "limits_high": high}


def motion_rates(body: Body, takes: Sequence[Take]) -> dict[str, np.ndarray]:
    """Return the root mean square of speed (m/s) and acceleration (m/s^2) per keypoint, in the world.

    Also of the joints' turning: rad/s and rad/s^2. Differences are over `RATE_STEP`.
    """
    rates = ("keypoint_speed", "keypoint_acceleration", "joint_speed", "joint_acceleration")
    sums: dict[str, float | np.ndarray] = dict.fromkeys(rates, 0.0)
    totals = dict.fromkeys(sums, 0)
    for take in takes:
        step = max(1, round(take.motion.fps * RATE_STEP))
        dt = step / take.motion.fps
        rotations, root = take.motion.rotations[::step], take.motion.root[::step]
        if len(root) < 3:
            continue
        points = keypoints_of(body, rotations, root)
        turning = to_rotvec(multiply(conjugate(rotations[:-1]), rotations[1:])) / dt
        found = {
            "keypoint_speed": np.diff(points, axis=0) / dt,
            "keypoint_acceleration": np.diff(points, n=2, axis=0) / dt**2,
            "joint_speed": turning,
            "joint_acceleration": np.diff(turning, axis=0) / dt,
        }
        for name, values in found.items():
            sums[name] = sums[name] + np.square(values).sum(axis=-1).sum(axis=0)
            totals[name] += len(values)
    return {name: np.sqrt(sums[name] / totals[name]) for name in sums}


def measure(
    body: Body,
    mixture: Mixture,
    library: Float[np.ndarray, "M 24 4"],
    train: Sequence[Take],
    held_out: Sequence[Take],
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return how well prior and library serve takes they never saw, beside takes they did see."""
    found: dict[str, float] = {}
    points = centred_keypoints(body, library).reshape(len(library), -1)
    for name, takes in (("train", train), ("validation", held_out)):
        poses = draw_poses(takes, 4000, rng)
        nll = mixture.negative_log_likelihood(pose_vector(poses))
        seen = centred_keypoints(body, poses)  # wrists and toes move none of them
        nearest = nearest_rows(seen.reshape(len(poses), -1), points)[0]
        distance = np.linalg.norm(seen - points[nearest].reshape(seen.shape), axis=-1).mean(axis=1)
        found[f"nll_{name}_nats"] = round(float(nll.mean()), 2)
        found[f"nearest_library_{name}_mm"] = round(1000 * float(distance.mean()), 1)
    return found


def _augmented(
    poses: Float[np.ndarray, "N 24 4"], share: float, rng: np.random.Generator
) -> Float[np.ndarray, "N 24 4"]:
    """Return the poses, a share of them with other legs or turned limbs."""
    order = rng.permutation(len(poses))
    count = int(share * len(poses) / 2)
    first, second, rest = order[:count], order[count : 2 * count], order[2 * count :]
    return np.concatenate([blended(poses[first], rng), limbs_turned(poses[second], rng), poses[rest]])


def _single_precision(array: np.ndarray) -> np.ndarray:
    """Return floats as float32; truth values as bytes, which every reader of the format knows."""
    return array.astype(np.uint8 if array.dtype == bool else np.float32)


def sole_height(body_name: str = "body") -> float:
    """Return where the soles of the mean body are at rest, metres about the pelvis (below it: negative)."""
    arrays, _ = load_arrays(locate(body_name), "body")
    return -float(arrays["pelvis_height"][0])


def _minutes(takes: Sequence[Take]) -> float:
    return sum(_seconds(take.motion) for take in takes) / 60


def _seconds(motion: SkeletonMotion) -> float:
    return len(motion.root) / motion.fps


def _main() -> None:
    parser = argparse.ArgumentParser(description="Make the pose prior and library of the fit.")
    parser.add_argument("--cmu", type=Path, required=True, help="folder of the CMU archives")
    parser.add_argument("--out", type=Path, default=Path("weights"), help="where to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train_prior(PriorConfig(), arguments.cmu, arguments.out)


if __name__ == "__main__":
    _main()
