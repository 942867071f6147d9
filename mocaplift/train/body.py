"""The body model of the fit, learnt from random people of the Anny body moved by CMU motions.

Output (`weights/body.safetensors`): mean rest offsets and keypoint attachments, and how they change with a few
shape coefficients of mean 0 and variance 1, the first of which is stature.
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

from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.rotations import conjugate, rotate
from mocaplift.train.data.anny_body import PHENOTYPES, Body, random_phenotypes
from mocaplift.train.data.cmu import read_takes
from mocaplift.weights import save_arrays

log = logging.getLogger(__name__)

# Joints that body21 cannot see turning: the fit keeps them straight, so no keypoint may ride them.
STRAIGHT = ("left_wrist", "right_wrist", "left_hand", "right_hand", "left_foot", "right_foot")
MIRROR_X = np.array([-1.0, 1.0, 1.0])
CMU_ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)


@dataclass(frozen=True)
class BodyConfig:
    """How the body model is made."""

    people: int = 1500
    child_share: float = 0.05
    components: int = 10
    poses: int = 64  # CMU poses over which each person's attachments are averaged
    people_for_bones: int = 24  # people that decide which bone a keypoint rides
    poses_for_bones: int = 400
    seed: int = 1


def train_body(config: BodyConfig, cmu: Path, out: Path, *, cache: Path | None = None) -> Path:
    """Make the body model and return its file; about three minutes on one core.

    Raises:
        MissingDependency: Anny is not installed.
        InvalidData: the CMU archives are missing or damaged.
        OutputError: the file cannot be written.
    """
    started = time.monotonic()
    rng = np.random.default_rng(config.seed)
    poses = _cmu_poses(rng, cmu, config.poses_for_bones, cache)
    phenotypes = random_phenotypes(rng, config.people, child_share=config.child_share, cache=cache)
    bones, sigma = _choose_bones(phenotypes[: config.people_for_bones], poses, cache)
    few = poses[:: max(1, len(poses) // config.poses)][: config.poses]
    offsets, attachments, facts = [], [], []
    for phenotype in phenotypes:
        body = Body(phenotype, cache=cache)
        offsets.append(body.skeleton.offsets)
        attachments.append(in_bones(body, few, bones).mean(axis=0))
        facts.append(_facts(body))
    arrays, header = fit_shape(np.stack(offsets), np.stack(attachments), facts, bones, config.components)
    minutes = (time.monotonic() - started) / 60
    header |= {
        "made_by": "mocaplift train body",
        "config": asdict(config),
        "minutes": round(minutes, 1),
        "phenotypes": list(PHENOTYPES),
        "source": f"Anny 0.6.2 (Apache-2.0 code, CC0 body), CMU motions. {CMU_ACKNOWLEDGEMENT}",
        "licence": "Apache-2.0",
    }
    arrays |= {"bones": np.array(bones, dtype=np.int64), "attachment_sigma": sigma.astype(np.float32)}
    path = Path(out) / "body.safetensors"
    save_arrays(path, "body", arrays, header)
    log.info("%s: stature %.3f m, %.1f minutes", path, header["stature_mean"], minutes)
    return path


def in_bones(
    body: Body, poses: Float[np.ndarray, "T 24 4"], bones: Sequence[int]
) -> Float[np.ndarray, "T 21 3"]:
    """Return each keypoint of the posed mesh in the axes of its bone, metres from the bone's joint."""
    root = np.zeros((len(poses), 3))
    keypoints = body.pose_keypoints(poses, root)
    xyz, turned = forward(body.skeleton, poses, root)
    return rotate(conjugate(turned[:, list(bones)]), keypoints - xyz[:, list(bones)])


def _cmu_poses(
    rng: np.random.Generator, cmu: Path, count: int, cache: Path | None
) -> Float[np.ndarray, "T 24 4"]:
    """Return poses drawn evenly over the training takes, unsolved joints straight."""
    body = Body(cache=cache)
    sole_y = float(body.rest_vertices[:, 1].min())
    takes = [t.motion.rotations for t in read_takes(cmu, body.skeleton, sole_y=sole_y) if not t.is_validation]
    chosen = [takes[k][rng.integers(len(takes[k]))] for k in rng.integers(len(takes), size=count)]
    poses = np.stack(chosen)
    poses[:, SMPL24.index(*STRAIGHT)] = [1.0, 0.0, 0.0, 0.0]
    return poses


def _choose_bones(
    phenotypes: Float[np.ndarray, "N 6"], poses: Float[np.ndarray, "T 24 4"], cache: Path | None
) -> tuple[list[int], Float[np.ndarray, "21"]]:
    """Return, per keypoint, the bone in whose axes it wanders least, and how far (m, rms over poses).

    Left and right are decided together, so the model stays symmetric.
    """
    candidates = [k for k, joint in enumerate(SMPL24.joints) if joint not in STRAIGHT]
    variance = np.zeros((len(BODY21), len(SMPL24)))
    for phenotype in phenotypes:
        body = Body(phenotype, cache=cache)
        for bone in candidates:
            local = in_bones(body, poses, [bone] * len(BODY21))
            variance[:, bone] += local.var(axis=0).sum(axis=-1) / len(phenotypes)
    variance = 0.5 * (variance + variance[np.ix_(BODY21.mirror, SMPL24.mirror)])
    blocked = [k for k in range(len(SMPL24)) if k not in candidates]
    variance[:, blocked] = np.inf
    bones = variance.argmin(axis=1)
    return [int(bone) for bone in bones], np.sqrt(variance[np.arange(len(BODY21)), bones])


def _facts(body: Body) -> dict[str, np.ndarray]:
    """Return measures that ride along with the shape: stature, ends of bones, soles."""
    rest, joints = body.rest_vertices, body.rest_joints
    soles = rest[:, 1].min()
    points = body.keypoints(rest[None])[0]
    is_head = body.skin[:, SMPL24.at("head")] > 0.5
    top = rest[is_head][rest[is_head, 1].argmax()] * np.array([0.0, 1.0, 1.0])
    tips = []
    for side in ("left", "right"):
        bone = SMPL24.at(f"{side}_foot")
        foot = rest[body.skin[:, bone] > 0.5]
        tips.append(np.array([joints[bone, 0], joints[bone, 1], foot[:, 2].max()]) - joints[bone])
    return {
        "stature": np.array(body.stature),
        "head_top": top - joints[SMPL24.at("head")],
        "toe_tip": np.mean(tips, axis=0) * np.array([0.0, 1.0, 1.0]),
        "sole_drops": points[BODY21.index(*CONTACT_POINTS), 1] - soles,
        "pelvis_height": np.array(-soles),
    }


def fit_shape(
    offsets: Float[np.ndarray, "N 24 3"],
    attachments: Float[np.ndarray, "N 21 3"],
    facts: Sequence[dict[str, np.ndarray]],
    bones: Sequence[int],
    components: int,
) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return arrays and header of the body model: mean, and a basis whose first coefficient is stature.

    The first direction is the regression on standardised stature; the others are principal components of what
    stature leaves, so their coefficients are uncorrelated with it. Everything is symmetric left to right.
    """
    offsets, attachments = _symmetric(offsets, attachments)
    people = len(offsets)
    stacked = np.concatenate([offsets.reshape(people, -1), attachments.reshape(people, -1)], axis=1)
    mean = stacked.mean(axis=0)
    stature = np.array([float(fact["stature"]) for fact in facts])
    score = (stature - stature.mean()) / stature.std()
    centred = stacked - mean
    first = score @ centred / people
    rest = centred - np.outer(score, first)
    _, singular, directions = np.linalg.svd(rest, full_matrices=False)
    others = directions[: components - 1] * singular[: components - 1, None] / np.sqrt(people)
    basis = np.concatenate([first[None], others])
    coefficients = np.concatenate([score[:, None], rest @ np.linalg.pinv(others)], axis=1)
    split = offsets[0].size
    explained = 1 - np.square(centred - coefficients @ basis).sum() / np.square(centred).sum()
    arrays = {
        "offsets": mean[:split].reshape(24, 3),
        "offset_basis": basis[:, :split].reshape(-1, 24, 3).transpose(1, 2, 0),
        "attachments": mean[split:].reshape(21, 3),
        "attachment_basis": basis[:, split:].reshape(-1, 21, 3).transpose(1, 2, 0),
        "stature_basis": np.eye(components)[0] * stature.std(),
    }
    measured: dict[str, object] = {
        "joints": list(SMPL24.joints),
        "parents": list(SMPL_PARENTS),
        "keypoints": list(BODY21.joints),
        "bone_of_keypoint": {point: SMPL24.joints[b] for point, b in zip(BODY21.joints, bones, strict=True)},
        "stature_mean": float(stature.mean()),
        "stature_std": float(stature.std()),
        "variance_explained": float(explained),
    }
    for name in ("head_top", "toe_tip", "sole_drops", "pelvis_height"):
        values = np.stack([np.atleast_1d(fact[name]) for fact in facts])
        arrays[name] = values.mean(axis=0)
        arrays[f"{name}_basis"] = (values - values.mean(axis=0)).T @ coefficients / people
    measured["sole_drop"] = float(arrays["sole_drops"].min())
    return {name: array.astype(np.float32) for name, array in arrays.items()}, measured


def _symmetric(
    offsets: Float[np.ndarray, "N 24 3"], attachments: Float[np.ndarray, "N 21 3"]
) -> tuple[Float[np.ndarray, "N 24 3"], Float[np.ndarray, "N 21 3"]]:
    """Return the mean of each person and its mirror image."""
    mirrored = offsets[:, list(SMPL24.mirror)] * MIRROR_X, attachments[:, list(BODY21.mirror)] * MIRROR_X
    return 0.5 * (offsets + mirrored[0]), 0.5 * (attachments + mirrored[1])


def _main() -> None:
    parser = argparse.ArgumentParser(description="Make the body model of the fit.")
    parser.add_argument("--cmu", type=Path, required=True, help="folder of the CMU archives")
    parser.add_argument("--out", type=Path, default=Path("weights"), help="where to write")
    parser.add_argument("--people", type=int, default=BodyConfig.people)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train_body(BodyConfig(people=arguments.people), arguments.cmu, arguments.out)


if __name__ == "__main__":
    _main()
