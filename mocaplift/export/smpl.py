"""SMPL's layout as AMASS files have it: `poses`, `trans`, `betas`, `gender`, `mocap_framerate` in one .npz.

No model file is needed, and none is shipped. What AMASS means and what we mean differ in four ways, each
converted here and nowhere else:

* World: AMASS is right-handed with +Z up; a vector (x, y, z) of ours is (x, -z, y) there.
* Root: SMPL turns the body about its rest pelvis J0 and then adds `trans`, so the pelvis is at J0 + trans, J0
  not being turned. Without the model, J0 is the mean adult's (`MEAN_PELVIS`, written into the file).
* Rest pose: SMPL's arms and legs are not quite along the axes at rest; ours may differ. A limb's rotation is
  corrected by the smallest turn between the two directions, so that the limbs point the same way.
* Joints: `poses` has 52 joints (SMPL-H): 22 of the body, then 30 fingers, which we leave at rest.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.export.presets import MEAN_PELVIS
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.values import Skeleton, SkeletonMotion

# Which way the limbs of the mean neutral model point at rest, sides averaged (unit vectors, left side): the
# published offsets of its joint tree, to two digits. Keyed by the joint that turns the limb and its end.
_LIMBS = {
    ("hip", "knee"): (0.10, -1.00, -0.02),
    ("knee", "ankle"): (-0.04, -0.99, -0.11),
    ("shoulder", "elbow"): (0.99, -0.05, -0.10),
    ("elbow", "wrist"): (1.00, 0.03, -0.01),
}
BODY_JOINTS = SMPL24.joints[:-2]  # SMPL-H has fingers instead of SMPL's two hand joints
NUM_FINGERS = 30
NUM_BETAS = 16  # AMASS's count
GENDERS = ("neutral", "female", "male")


def rest_corrections(skeleton: Skeleton) -> Float[np.ndarray, "J 4"]:
    """Return, per joint, the turn (wxyz) from SMPL's rest direction of the limb to the skeleton's.

    Joints that are no limb keep their orientation: chest, head, hands and feet rest alike in both.

    Raises:
        InvalidData: the skeleton lacks SMPL's joints.
    """
    turns = np.tile(rotations.IDENTITY, (len(skeleton.layout), 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for (joint, end), direction in _LIMBS.items():
            at, to = skeleton.layout.index(f"{side}_{joint}", f"{side}_{end}")
            smpl = np.array(direction) * (sign, 1.0, 1.0)
            turns[at] = rotations.from_two_vectors(smpl, skeleton.offsets[to])
    return turns


def smpl_rotations(motion: SkeletonMotion) -> Float[np.ndarray, "T J 4"]:
    """Return local rotations (wxyz, our world) with which SMPL's limbs point where the motion's do.

    Raises:
        InvalidData: the skeleton lacks SMPL's joints.
    """
    _, world = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    world = rotations.multiply(world, rest_corrections(motion.skeleton))
    local = world.copy()
    for child, parent in enumerate(motion.skeleton.parents):
        if parent >= 0:
            local[:, child] = rotations.multiply(rotations.conjugate(world[:, parent]), world[:, child])
    return rotations.make_continuous(local)


def z_up(xyz: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3"]:
    """Return our +Y-up vectors in AMASS's +Z-up world."""
    return xyz @ rotations.Y_UP_FROM_Z_UP


def arrays(
    motion: SkeletonMotion,
    *,
    gender: str = "neutral",
    betas: Sequence[float] | None = None,
    pelvis: Sequence[float] = MEAN_PELVIS,
) -> dict[str, np.ndarray]:
    """Return the fields of an AMASS file.

    `betas` and `pelvis` (J0, metres) come from a fit to the user's own model (`fit.smpl`); the motion is then
    that model's own and its rotations are taken as they are. Without betas the shape is the mean (zeros) and
    the limbs are corrected for their rest directions.

    Raises:
        InvalidData: the skeleton is not SMPL's, or the gender is none of SMPL's.
    """
    if gender not in GENDERS:
        raise InvalidData(f"SMPL knows the genders {', '.join(GENDERS)}, but not {gender!r}")
    layout = motion.skeleton.layout
    if layout.joints != SMPL24.joints or tuple(motion.skeleton.parents) != SMPL_PARENTS:
        raise InvalidData(f"SMPL files need the skeleton {SMPL24.name}, but this is {layout.name}")
    turns = smpl_rotations(motion) if betas is None else motion.rotations.copy()
    turns[:, 0] = rotations.multiply(rotations.from_matrix(rotations.Y_UP_FROM_Z_UP.T), turns[:, 0])
    vectors = _continuous_vectors(rotations.make_continuous(turns[:, : len(BODY_JOINTS)]))
    frames = len(vectors)
    body = vectors.reshape(frames, -1)
    fingers = np.zeros((frames, 3 * NUM_FINGERS))
    shape = np.zeros(NUM_BETAS)
    if betas is not None:
        shape[: len(betas)] = betas[:NUM_BETAS]
    return {
        "poses": np.concatenate([body, fingers], axis=1),
        "trans": z_up(motion.root) - np.asarray(pelvis, dtype=float),
        "betas": shape,
        "gender": np.array(gender),
        # Both spellings: older AMASS files and their readers have the first, SMPL-X ones the second.
        "mocap_framerate": np.array(float(motion.fps)),
        "mocap_frame_rate": np.array(float(motion.fps)),
        "mocap_time_length": np.array(frames / float(motion.fps)),
        "surface_model_type": np.array("smplh"),
        "root_orient": body[:, :3],
        "pose_body": body[:, 3:],
        "pose_hand": fingers,
        # Ours, so that nobody needs to guess: what was subtracted, and where the joints truly are (+Z up, m).
        "pelvis_offset": np.asarray(pelvis, dtype=float),
        "joints": z_up(kinematics.joints_of(motion).xyz),
        "joint_names": np.array(layout.joints),
    }


def encode(
    motion: SkeletonMotion,
    *,
    gender: str = "neutral",
    betas: Sequence[float] | None = None,
    pelvis: Sequence[float] = MEAN_PELVIS,
) -> bytes:
    """Return the motion as an AMASS-like .npz file; keywords as in `arrays`.

    Raises:
        InvalidData: the skeleton is not SMPL's, or the gender is none of SMPL's.
    """
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays(motion, gender=gender, betas=betas, pelvis=pelvis))
    return out.getvalue()


def _continuous_vectors(turns: Float[np.ndarray, "T J 4"]) -> Float[np.ndarray, "T J 3"]:
    """Return rotation vectors that do not jump: a hemisphere-continuous quaternion may pass half a turn.

    The first frame's vector is the shorter way round; later ones follow the quaternion's sign, so that an
    angle goes on past pi. Only where it comes to a full turn does it start again at zero.
    """
    turns = turns * np.where(turns[:1, :, :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(turns[..., 1:], axis=-1, keepdims=True)
    small = sine < rotations.SMALL_ANGLE
    angle = 2 * np.arctan2(sine, turns[..., :1])
    # Near a full turn sine is small and cosine -1: the vector is the shorter way, near zero.
    scale = np.where(small, 2.0 * np.sign(turns[..., :1]), angle / np.where(small, 1.0, sine))
    return scale * turns[..., 1:]
