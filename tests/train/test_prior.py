"""The pose prior and library: what is shipped is plausible, and what trains it is repeatable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.fit.prior import load_prior
from mocaplift.layouts import BODY21, SMPL24
from mocaplift.rotations import about_axis, from_rotvec, rotate
from mocaplift.train.data.augment import mirrored
from mocaplift.train.data.cmu import Take, find_impossible
from mocaplift.train.prior import (
    PRIOR_JOINTS,
    PriorConfig,
    centred_keypoints,
    motion_rates,
    pose_vector,
    train_prior,
)
from mocaplift.values import SkeletonMotion
from mocaplift.weights import load_arrays, locate
from tests.train.recordings import daz_bvh, write_archives


@pytest.fixture(name="arrays")
def _arrays():
    return load_arrays(locate("pose-prior"), "pose-prior")[0]


def _samples(arrays, count: int) -> np.ndarray:
    """Return poses drawn from the shipped mixture."""
    rng = np.random.default_rng(0)
    weights = arrays["gmm_weights"].astype(float)
    chosen = rng.choice(len(weights), size=count, p=weights / weights.sum())
    roots = np.linalg.cholesky(arrays["gmm_covariances"].astype(float))
    noise = rng.normal(size=(count, roots.shape[1]))
    vectors = arrays["gmm_means"][chosen] + np.einsum("nij,nj->ni", roots[chosen], noise)
    poses = np.tile([1.0, 0.0, 0.0, 0.0], (count, len(SMPL24), 1))
    poses[:, SMPL24.index(*PRIOR_JOINTS)] = from_rotvec(vectors.reshape(count, -1, 3))
    return poses


def test_precisions_are_the_covariances_inverses(arrays):
    product = arrays["gmm_precisions"].astype(float) @ arrays["gmm_covariances"].astype(float)
    identity = np.broadcast_to(np.eye(product.shape[-1]), product.shape)
    np.testing.assert_allclose(product, identity, atol=1e-2)
    assert arrays["gmm_weights"].sum() == pytest.approx(1.0, abs=1e-5)


def test_what_the_prior_draws_is_what_people_can_do(arrays):
    poses = _samples(arrays, 2000)
    assert find_impossible(poses).mean() < 0.03
    # Standing on the legs and not on the head: knees are below the hips in nearly every draw.
    points = centred_keypoints(load_body(), poses)
    knees = points[:, BODY21.index("left_knee", "right_knee"), 1]
    assert (knees < 0.1).mean() > 0.95
    # Elbows bend one way only, about a degree of play aside.
    forearm = rotate(poses[:, SMPL24.at("left_elbow")], np.array([1.0, 0, 0]))
    assert (forearm[:, 2] > -0.2).mean() > 0.98


def test_the_fit_reads_the_prior_and_prefers_people(arrays):
    prior = load_prior()
    assert prior.joints == PRIOR_JOINTS
    likely = prior.cost(pose_vector(arrays["library_rotations"][:200].astype(float)))
    odd = from_rotvec(np.random.default_rng(0).uniform(-2, 2, (200, len(SMPL24), 3)))
    assert np.median(prior.cost(pose_vector(odd))) > 3 * np.median(likely)


def test_mirror_images_are_as_likely(arrays):
    prior = load_prior()
    poses = arrays["library_rotations"][:300].astype(float)
    cost, other = (prior.cost(pose_vector(p)) for p in (poses, mirrored(poses)))
    assert np.median(cost) == pytest.approx(np.median(other), rel=0.15)


def test_library_points_are_those_of_its_poses(arrays):
    poses = arrays["library_rotations"].astype(float)
    np.testing.assert_allclose(np.linalg.norm(poses, axis=-1), 1.0, atol=1e-5)
    points = centred_keypoints(load_body(), poses / np.linalg.norm(poses, axis=-1, keepdims=True))
    np.testing.assert_allclose(points, arrays["library_keypoints"], atol=1e-4)
    hips = points[:, BODY21.index("left_hip", "right_hip")]
    np.testing.assert_allclose(hips.mean(axis=1), 0.0, atol=1e-6)


def test_the_library_faces_ahead_and_its_tilted_poses_lie(arrays):
    is_tilted = arrays["library_tilted"].astype(bool)
    assert 300 < is_tilted.sum() < len(is_tilted) - 300
    np.testing.assert_allclose(arrays["library_share"][~is_tilted].sum(), 1.0, atol=1e-4)
    pelvis = arrays["library_rotations"][:, 0].astype(float)
    np.testing.assert_allclose(pelvis[:, 2], 0.0, atol=1e-5)
    up = rotate(pelvis, np.array([0.0, 1.0, 0.0]))[:, 1]
    assert np.median(up[~is_tilted]) > 0.95
    assert np.median(up[is_tilted]) < 0.3
    left, right = (
        arrays["library_keypoints"][~is_tilted][:, BODY21.at(f"{s}_hip"), 0] for s in ("left", "right")
    )
    assert (left > right).mean() > 0.99


def test_rates_are_those_of_a_known_swing():
    # An arm that swings with 1 Hz and 0.5 rad: its turning has a root mean square of 0.5 * 2 pi / sqrt(2).

    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (601, len(SMPL24), 1))
    rotations[:, SMPL24.at("left_elbow")] = about_axis("Y", 0.5 * np.sin(2 * np.pi * np.arange(601) / 60))
    person = load_body().skeleton(np.zeros(load_body().num_shape))
    motion = SkeletonMotion(skeleton=person, rotations=rotations, root=np.zeros((601, 3)), fps=60.0)
    rates = motion_rates(load_body(), [Take(7, 1, 0, "", motion)])
    turning = rates["joint_speed"]
    assert turning[SMPL24.at("left_elbow")] == pytest.approx(0.5 * 2 * np.pi / np.sqrt(2), rel=0.02)
    assert turning[SMPL24.at("right_elbow")] == 0
    assert rates["keypoint_speed"][BODY21.at("nose")] == 0


def test_training_is_repeatable_and_writes_what_the_fit_reads(tmp_path: Path):
    rng = np.random.default_rng(0)
    joints = ("lShldr", "rShldr", "lForeArm", "lThigh", "rThigh", "lShin", "abdomen", "head")
    takes = {}
    for number in (1, 2):
        waves = {
            (joint, "Xrotation"): 20 * np.sin(np.linspace(0, 9, 150) * rng.uniform(0.5, 2))
            for joint in joints
        }
        takes[f"everyday/07/07_{number:02d}.bvh"] = daz_bvh(150, waves)
        takes[f"everyday/08/08_{number:02d}.bvh"] = daz_bvh(150, waves)
    write_archives(tmp_path, takes)
    config = PriorConfig(poses=400, components=3, medoids=20, tilted=10, shrinkage=0.3)
    paths = [train_prior(config, tmp_path, tmp_path / name) for name in ("a", "b")]
    arrays, header = load_arrays(paths[0], "pose-prior")
    again, _ = load_arrays(paths[1], "pose-prior")
    assert {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in arrays.items()} == {
        k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in again.items()
    }
    assert header["takes"] == 4
    assert header["validation_minutes"] == header["train_minutes"]
    prior = load_prior(str(paths[0]))
    assert prior.means.shape == (3, 3 * len(PRIOR_JOINTS))
    assert arrays["library_rotations"].shape == (30, 24, 4)
