"""The body model: bone offsets and keypoint attachments as a linear function of shape.

Learnt from a free parametric body (`mocaplift train body`). A keypoint such as the nose or a heel is a point on
the skin, attached to one bone: p = x_bone + R_bone a. Shape coefficients have mean 0 and variance 1 over adults;
the first one is stature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mocaplift.errors import InvalidData, WeightsError
from mocaplift.kinematics import forward, rest_positions
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.rotations import rotate
from mocaplift.values import Layout, Motion3D, Skeleton, SkeletonMotion
from mocaplift.weights import load_arrays, locate

# Usual accelerations of points of the body (m/s^2): people at everyday and dance speed, 30 fps. Hands and feet
# are driven harder than the trunk.
ACCELERATIONS = {
    "nose": 8.0, "eye": 8.0, "ear": 8.0, "shoulder": 7.0, "elbow": 12.0, "wrist": 20.0,
    "hip": 6.0, "knee": 11.0, "ankle": 16.0, "big_toe": 18.0, "heel": 16.0,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Body:
    """Offsets and attachments at rest (T-pose, metres), their mean and their change with each coefficient.

    `sole_drop` is how far (m) the lowest keypoint of a flat foot, the big toe, is above the sole.
    """

    mean_offsets: Float[np.ndarray, "J 3"]
    offset_basis: Float[np.ndarray, "J 3 S"]
    bones: tuple[int, ...]
    mean_attachments: Float[np.ndarray, "K 3"]
    attachment_basis: Float[np.ndarray, "K 3 S"]
    attachment_sigma: Float[np.ndarray, "K"]
    stature_mean: float
    stature_basis: Float[np.ndarray, "S"]
    sole_drop: float

    layout: Layout = SMPL24
    parents: tuple[int, ...] = SMPL_PARENTS

    @property
    def num_shape(self) -> int:
        """The number of shape coefficients."""
        return self.offset_basis.shape[-1]

    def offsets(self, shape: Float[np.ndarray, "S"]) -> Float[np.ndarray, "J 3"]:
        """Return every joint's offset from its parent at rest, metres."""
        return self.mean_offsets + self.offset_basis @ shape

    def attachments(self, shape: Float[np.ndarray, "S"]) -> Float[np.ndarray, "K 3"]:
        """Return every keypoint's place in the axes of its bone, metres."""
        return self.mean_attachments + self.attachment_basis @ shape

    def skeleton(self, shape: Float[np.ndarray, "S"]) -> Skeleton:
        """Return the skeleton of a shape."""
        return Skeleton(layout=self.layout, parents=self.parents, offsets=self.offsets(shape), shape=shape)

    def rest_keypoints(self, shape: Float[np.ndarray, "S"]) -> Float[np.ndarray, "K 3"]:
        """Return the keypoints of the T-pose, metres about the pelvis."""
        return rest_positions(self.skeleton(shape))[list(self.bones)] + self.attachments(shape)

    def drops(self, shape: Float[np.ndarray, "S"]) -> Float[np.ndarray, "F"]:
        """Return how far (m) each of `layouts.CONTACT_POINTS` is above the sole of a flat foot."""
        heights = self.rest_keypoints(shape)[BODY21.index(*CONTACT_POINTS), 1]
        return heights - heights.min() + self.sole_drop

    def stature(self, shape: Float[np.ndarray, "S"]) -> float:
        """Return the standing height of a shape, metres."""
        return float(self.stature_mean + self.stature_basis @ shape)

    def shape_of_stature(self, height: float) -> Float[np.ndarray, "S"]:
        """Return the most likely shape of a person of this height: the shortest vector that reaches it."""
        return self.stature_basis * (height - self.stature_mean) / (self.stature_basis @ self.stature_basis)


@lru_cache(maxsize=4)
def load_body(name: str = "body") -> Body:
    """Return the body model of a weight file.

    Raises:
        WeightsError: the file is missing, damaged, or made for other joints.
    """
    path = locate(name)
    arrays, header = load_arrays(path, "body")
    if (
        tuple(header.get("keypoints", ())) != BODY21.joints
        or tuple(header.get("joints", ())) != SMPL24.joints
    ):
        raise WeightsError(f"{path}: made for other joints than {SMPL24.name} and {BODY21.name}")
    try:
        return Body(
            mean_offsets=arrays["offsets"].astype(float),
            offset_basis=arrays["offset_basis"].astype(float),
            bones=tuple(int(bone) for bone in arrays["bones"]),
            mean_attachments=arrays["attachments"].astype(float),
            attachment_basis=arrays["attachment_basis"].astype(float),
            attachment_sigma=arrays["attachment_sigma"].astype(float),
            stature_mean=float(header["stature_mean"]),
            stature_basis=arrays["stature_basis"].astype(float),
            sole_drop=float(arrays["sole_drops"].min()),
        )
    except KeyError as error:
        raise WeightsError(f"{path}: lacks {error}") from error


def body_keypoints(motion: SkeletonMotion, body: Body | None = None) -> Motion3D:
    """Return the body21 keypoints (skin points such as nose and heels) that ride on the bones, world metres.

    Raises:
        InvalidData: the skeleton was not made by the body model, so nothing tells where its skin is.
    """
    body = body or load_body()
    if motion.skeleton.shape is None:
        raise InvalidData(
            "this skeleton was not fitted by mocaplift (it has no shape coefficients): keypoints cannot be "
            "attached to it"
        )
    joints, turned = forward(motion.skeleton, motion.rotations, motion.root)
    bones = list(body.bones)
    xyz = joints[:, bones] + rotate(turned[:, bones], body.attachments(motion.skeleton.shape))
    return Motion3D(xyz=xyz, sigma=np.zeros(xyz.shape[:2]), layout=BODY21, fps=motion.fps)


def attachments_of(
    skeleton: Skeleton, body: Body | None = None
) -> dict[str, tuple[str, Float[np.ndarray, "3"]]]:
    """Return where every body21 keypoint rides on a skeleton: the joint's name, and metres from it at rest.

    Raises:
        InvalidData: the skeleton was not made by the body model, so nothing tells where its skin is.
    """
    body = body or load_body()
    if skeleton.shape is None:
        raise InvalidData(
            "this skeleton was not fitted by mocaplift (it has no shape coefficients): keypoints cannot be "
            "attached to it"
        )
    places = body.attachments(skeleton.shape)
    return {
        name: (skeleton.layout.joints[bone], place)
        for name, bone, place in zip(BODY21.joints, body.bones, places, strict=True)
    }


def usual_accelerations() -> Float[np.ndarray, "K"]:
    """Return the usual acceleration of each body21 point, m/s^2."""
    return np.array(
        [next(a for part, a in ACCELERATIONS.items() if joint.endswith(part)) for joint in BODY21.joints]
    )
