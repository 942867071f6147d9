"""A parametric person anyone may use: Anny's mesh and skin, moved by our SMPL-named joints.

Anny (Apache-2.0 code, CC0 body data made from MakeHuman and MPFB) gives the mesh of a phenotype in its own
A-pose, the heads of its bones and skinning weights. Its `game_engine` rig has SMPL's joints one to one. Here its
arms are stretched into a T-pose, its fingers are merged into the hand, and its world (+Z up, facing -Y) becomes
ours. Linear blend skinning happens once, from the A-pose, so the T-pose costs no second deformation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mocaplift.errors import InvalidData, MissingDependency
from mocaplift.kinematics import forward
from mocaplift.layouts import BODY21, SMPL24, SMPL_PARENTS
from mocaplift.rotations import Y_UP_FROM_Z_UP, from_two_vectors, to_matrix
from mocaplift.values import Skeleton

PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions")

# Regions for painting clothes. "hair" is cut from the head by `_hair`.
PARTS = (
    "head", "hair", "neck", "torso", "hips", "upper_arms", "forearms", "hands", "thighs", "shins", "feet",
)  # fmt: skip

_BONE_OF_JOINT = {
    "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03",
    "neck": "neck_01", "head": "head",
    **{
        f"{side}_{joint}": f"{bone}_{side[0]}"
        for side in ("left", "right")
        for joint, bone in {
            "hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball", "collar": "clavicle",
            "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand", "hand": "middle_01",
        }.items()
    },
}  # fmt: skip

_PART_OF_JOINT = {
    "pelvis": "hips", "spine1": "torso", "spine2": "torso", "spine3": "torso", "collar": "torso",
    "neck": "neck", "head": "head", "shoulder": "upper_arms", "elbow": "forearms", "wrist": "hands",
    "hand": "hands", "hip": "thighs", "knee": "shins", "ankle": "feet", "foot": "feet",
}  # fmt: skip

# Mean and standard deviation of adults' stature (m): middle of the national means in NCD-RisC, "A century of
# trends in adult human height", eLife 2016; spread within a population, same source.
ADULT_STATURE = {"woman": (1.63, 0.065), "man": (1.76, 0.07)}
# Anny interpolates its height targets linearly between these values, so stature is piecewise linear in them.
HEIGHT_ANCHORS = (0.0, 0.5, 1.0)
FRAME_BATCH = 64  # frames skinned at a time: bounds memory to about 60 MB


@dataclass(frozen=True, eq=False)
class _Rig:
    """What does not depend on the phenotype."""

    model: Any  # anny.Anny
    faces: Int[np.ndarray, "F 3"]
    skin: Float[np.ndarray, "V 24"]
    keypoint_weights: Float[np.ndarray, "21 V"]


@lru_cache(maxsize=2)
def _load_rig(cache: Path | None) -> _Rig:
    """Return Anny's rig; the first call on a machine takes about a minute and fills Anny's cache.

    `cache` overrides Anny's own choice ($ANNY_CACHE_DIR, else a folder in the user's cache).
    """
    try:
        import anny
        import anny.paths
        import torch
    except ImportError as error:
        raise MissingDependency(
            f"Anny is not installed ({error}); pip install 'mocaplift[train]' && pip install --no-deps anny==0.6.2"
        ) from error
    if cache is not None:
        anny.paths.set_anny_cache_path(cache)
    model = anny.Anny(rig="game_engine", topology="anny", skinning_method="lbs")
    labels, parents = list(model.bone_labels), list(model.bone_parents)
    joint_of_bone = _joints_of_bones(labels, parents)
    skin = np.zeros((len(model.template_vertices), len(SMPL24)))
    weights = model.vertex_bone_weights.numpy()
    bones = model.vertex_bone_indices.numpy()
    for column in range(weights.shape[1]):
        np.add.at(skin, (np.arange(len(skin)), joint_of_bone[bones[:, column]]), weights[:, column])
    regressor = anny.KeypointsRegressor.coco(model, labels=list(BODY21.joints))
    faces = torch.as_tensor(model.faces).numpy().astype(np.int64)
    return _Rig(
        model=model,
        faces=faces,
        skin=skin / skin.sum(axis=1, keepdims=True),
        keypoint_weights=regressor.regression_weights.numpy().astype(np.float64),
    )


def _joints_of_bones(labels: list[str], parents: list[int]) -> np.ndarray:
    """Return, for each bone of Anny, the SMPL joint that moves it: its own or its nearest ancestor's."""
    joint_of_name = {bone: SMPL24.at(joint) for joint, bone in _BONE_OF_JOINT.items()}
    found = np.zeros(len(labels), dtype=int)
    for bone, (label, parent) in enumerate(zip(labels, parents, strict=True)):
        # All finger bones move with the hand joint: fingers are not captured.
        is_finger = any(label.startswith(f) for f in ("index", "middle", "ring", "pinky", "thumb"))
        if is_finger:
            found[bone] = SMPL24.at("left_hand" if label.endswith("_l") else "right_hand")
        elif label in joint_of_name:
            found[bone] = joint_of_name[label]
        elif parent >= 0:
            found[bone] = found[parent]
    return found


def random_phenotypes(
    rng: np.random.Generator, count: int, *, child_share: float = 0.05, cache: Path | None = None
) -> Float[np.ndarray, "N 6"]:
    """Return random people, columns as `PHENOTYPES`, mostly adults.

    Anny's age runs from 1/3 (12 years) over 2/3 (young adult) to 1 (old); its gender from 0 (male) to 1. Its
    height is a shape parameter and not calibrated (the middle is a man of 1.92 m), so adults' statures are drawn
    from `ADULT_STATURE` and the parameter is solved for.

    Raises:
        MissingDependency: Anny is not installed.
    """
    people = np.full((count, len(PHENOTYPES)), 0.5)
    column = {name: position for position, name in enumerate(PHENOTYPES)}
    is_child = rng.random(count) < child_share
    is_woman = rng.random(count) < 0.5
    people[:, column["age"]] = np.where(is_child, rng.uniform(0.2, 0.5, count), rng.uniform(0.6, 1.0, count))
    people[:, column["gender"]] = np.clip(np.where(is_woman, 0.9, 0.1) + rng.normal(0, 0.1, count), 0, 1)
    people[:, column["muscle"]] = rng.beta(3, 3, count)
    people[:, column["weight"]] = rng.beta(2.5, 2.5, count)
    people[:, column["proportions"]] = rng.beta(2.5, 2.5, count)
    people[:, column["height"]] = rng.beta(8, 8, count)
    women, men = ADULT_STATURE["woman"], ADULT_STATURE["man"]
    target = np.where(is_woman, rng.normal(*women, count), rng.normal(*men, count))
    rig = _load_rig(cache)
    for person in np.flatnonzero(~is_child):
        trial = np.tile(people[person], (3, 1))
        trial[:, column["height"]] = HEIGHT_ANCHORS
        statures = np.ptp(_a_vertices(rig, trial)[..., 1], axis=1)
        people[person, column["height"]] = np.interp(target[person], statures, HEIGHT_ANCHORS)
    return people


class Body:
    """One person: a T-pose skeleton in metres (pelvis at the origin) and the mesh that follows it.

    World as everywhere: +Y up, T-pose facing +Z, left side at +X. Arrays are read-only facts of the person:
    `skeleton`, `rest_joints` [24 3], `faces` [F 3], `skin` [V 24], `parts` [V] (numbers into `PARTS`),
    `rest_vertices` [V 3], `phenotype` [6].
    """

    def __init__(
        self,
        phenotype: Mapping[str, float] | Float[np.ndarray, "6"] | None = None,
        *,
        cache: Path | None = None,
    ) -> None:
        """Build a person from phenotype values in 0..1 by name or in the order of `PHENOTYPES` (missing: 0.5).

        Raises:
            MissingDependency: Anny is not installed.
            InvalidData: an unknown phenotype or one outside 0..1.
        """
        rig = _load_rig(cache)
        self.phenotype = _phenotype_vector(phenotype)
        self.faces, self.skin = rig.faces, rig.skin
        vertices, bones = _a_pose(rig, self.phenotype)
        # Anny's height targets leave the head of the shin bone above the middle of the knee (by 2.2 cm on average;
        # a man's thigh is 0.228 of his stature and his shin 0.260 instead of 0.245 each). So the knee bends where
        # its keypoint is, the mean of a ring of skin around it.
        for side in ("left", "right"):
            bones[_BONE_OF_JOINT[f"{side}_knee"]] = rig.keypoint_weights[BODY21.at(f"{side}_knee")] @ vertices
        heads = np.stack([bones[_BONE_OF_JOINT[joint]] for joint in SMPL24.joints])
        to_rest = _to_t_pose(bones)
        offsets = np.zeros((len(SMPL24), 3))
        for child, parent in enumerate(SMPL_PARENTS):
            if parent >= 0:
                offsets[child] = to_rest[parent] @ (heads[child] - heads[parent])
        self.skeleton = Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=offsets)
        self._a_vertices, self._heads, self._to_rest = vertices, heads, to_rest
        # Keypoint k = sum over joints b of R_b P[k b 0:3] + t_b P[k b 3]: skinning and regression in one product.
        self._keypoint_parts = np.einsum(
            "kv,vb,vc->kbc",
            rig.keypoint_weights,
            rig.skin,
            np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1),
            optimize=True,
        )
        self._keypoint_weights = rig.keypoint_weights
        identity = np.tile([1.0, 0, 0, 0], (1, len(SMPL24), 1))
        self.rest_joints = forward(self.skeleton, identity, np.zeros((1, 3)))[0][0]
        self.rest_vertices = self.pose(identity, np.zeros((1, 3)))[0]
        self.parts = _parts(self)

    @classmethod
    def random(cls, rng: np.random.Generator, *, cache: Path | None = None) -> Body:
        """Return a random person (see `random_phenotypes`).

        Raises:
            MissingDependency: Anny is not installed.
        """
        return cls(random_phenotypes(rng, 1, cache=cache)[0], cache=cache)

    @property
    def stature(self) -> float:
        """Height in metres of the top of the head above the soles, standing in the T-pose."""
        return float(np.ptp(self.rest_vertices[:, 1]))

    def joints(
        self, rotations: Float[np.ndarray, "T 24 4"], root: Float[np.ndarray, "T 3"]
    ) -> Float[np.ndarray, "T 24 3"]:
        """Return the joint centres in the world, metres."""
        return forward(self.skeleton, rotations, root)[0]

    def pose(
        self, rotations: Float[np.ndarray, "T 24 4"], root: Float[np.ndarray, "T 3"]
    ) -> Float[np.ndarray, "T V 3"]:
        """Return the mesh in the world, metres; rotations are relative to the T-pose, root is the pelvis."""
        transforms = self._transforms(rotations, root).astype(np.float32)
        skin = self.skin.astype(np.float32)
        homogeneous = np.concatenate([self._a_vertices, np.ones((len(self._a_vertices), 1))], axis=1)
        homogeneous = homogeneous.astype(np.float32)
        out = np.zeros((len(transforms), len(skin), 3))
        for begin in range(0, len(transforms), FRAME_BATCH):
            batch = transforms[begin : begin + FRAME_BATCH]
            for k, transform in enumerate(batch):
                blended = (skin @ transform.reshape(len(SMPL24), 12)).reshape(-1, 3, 4)
                out[begin + k] = np.einsum("vij,vj->vi", blended, homogeneous)
        return out

    def unposed(self, skin: Float[np.ndarray, "V 24"]) -> Float[np.ndarray, "V 3"]:
        """Return the T-pose mesh that skinning with these weights takes to Anny's own A-pose exactly.

        `rest_vertices` are skinned to the T-pose, so that skinning them back would deform the shoulders twice.
        """
        back = self._to_rest.transpose(0, 2, 1)
        shift = self._heads - np.einsum("bij,bj->bi", back, self.rest_joints)
        linear = np.einsum("vb,bij->vij", skin, back)
        return np.linalg.solve(linear, (self._a_vertices - skin @ shift)[..., None])[..., 0]

    def keypoints(self, vertices: Float[np.ndarray, "T V 3"]) -> Float[np.ndarray, "T 21 3"]:
        """Return body21 on the skin of a posed mesh, metres: Anny's regressor of COCO's points."""
        return np.einsum("kv,tvc->tkc", self._keypoint_weights, vertices, optimize=True)

    def pose_keypoints(
        self, rotations: Float[np.ndarray, "T 24 4"], root: Float[np.ndarray, "T 3"]
    ) -> Float[np.ndarray, "T 21 3"]:
        """Return body21 of the posed mesh without making the mesh: a thousand times faster, the same numbers."""
        return np.einsum(
            "tbij,kbj->tki", self._transforms(rotations, root), self._keypoint_parts, optimize=True
        )

    def _transforms(
        self, rotations: Float[np.ndarray, "T 24 4"], root: Float[np.ndarray, "T 3"]
    ) -> Float[np.ndarray, "T 24 3 4"]:
        """Return what takes an A-pose point of each bone to the world."""
        xyz, turned = forward(self.skeleton, rotations, root)
        linear = to_matrix(turned) @ self._to_rest
        shift = xyz - np.einsum("tbij,bj->tbi", linear, self._heads)
        return np.concatenate([linear, shift[..., None]], axis=-1)


def _phenotype_vector(phenotype: Mapping[str, float] | np.ndarray | None) -> np.ndarray:
    if phenotype is None:
        phenotype = {}
    if isinstance(phenotype, Mapping):
        unknown = set(phenotype) - set(PHENOTYPES)
        if unknown:
            raise InvalidData(f"unknown phenotype {sorted(unknown)}; known: {', '.join(PHENOTYPES)}")
        values = np.array([float(phenotype.get(name, 0.5)) for name in PHENOTYPES])
    else:
        values = np.asarray(phenotype, dtype=float)
    if values.shape != (len(PHENOTYPES),) or not ((values >= 0) & (values <= 1)).all():
        raise InvalidData(f"a phenotype is {len(PHENOTYPES)} numbers in 0..1, not {values}")
    return values


def _rest_model(rig: _Rig, phenotypes: Float[np.ndarray, "N 6"]) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and bone heads of the phenotypes in Anny's A-pose, in our axes."""
    import torch

    model: Any = rig.model
    order = [PHENOTYPES.index(label) for label in model.phenotype_labels]
    values = torch.as_tensor(phenotypes[:, order], dtype=model.dtype)
    empty = torch.zeros((len(values), 0), dtype=model.dtype)
    with torch.no_grad():
        rest = model.get_rest_model(model._get_phenotype_blendshape_coefficients(values, empty, empty))
    vertices, heads = (rest[name].numpy().astype(np.float64) for name in ("rest_vertices", "rest_bone_heads"))
    return vertices @ Y_UP_FROM_Z_UP.T, heads @ Y_UP_FROM_Z_UP.T


def _a_vertices(rig: _Rig, phenotypes: Float[np.ndarray, "N 6"]) -> Float[np.ndarray, "N V 3"]:
    return _rest_model(rig, phenotypes)[0]


def _a_pose(rig: _Rig, phenotype: Float[np.ndarray, "6"]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return vertices and named bone heads of one phenotype in Anny's A-pose."""
    vertices, heads = _rest_model(rig, phenotype[None])
    return vertices[0], dict(zip(rig.model.bone_labels, heads[0], strict=True))


def _to_t_pose(bones: Mapping[str, np.ndarray]) -> Float[np.ndarray, "24 3 3"]:
    """Return each joint's rotation from Anny's A-pose to the T-pose.

    Arms lie along +-X with the elbow's hinge vertical and the palm down, legs hang straight down, feet point at
    +Z; the trunk stays as it is.
    """
    turns = np.tile(np.eye(3), (len(SMPL24), 1, 1))
    down, ahead = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bone = {name: bones[f"{name}_{side[0]}"] for name in
                ("upperarm", "lowerarm", "hand", "index_01", "middle_01", "pinky_01", "thigh", "calf", "foot", "ball")}  # fmt: skip  # noqa: E501
        outward = np.array([sign, 0.0, 0.0])
        upper, lower = bone["lowerarm"] - bone["upperarm"], bone["hand"] - bone["lowerarm"]
        hinge = np.cross(upper, lower)
        # Flexing moves the hand forward: from +-X towards +Z, about -+Y.
        turns[SMPL24.at(f"{side}_shoulder")] = _frame(outward, sign * down) @ _frame(upper, hinge).T
        turns[SMPL24.at(f"{side}_elbow")] = _frame(outward, sign * down) @ _frame(lower, hinge).T
        palm = _frame(bone["middle_01"] - bone["hand"], bone["index_01"] - bone["pinky_01"])
        hand = _frame(outward, ahead) @ palm.T
        turns[SMPL24.at(f"{side}_wrist")] = turns[SMPL24.at(f"{side}_hand")] = hand
        for joint, limb in (
            ("hip", bone["calf"] - bone["thigh"]),
            ("knee", bone["foot"] - bone["calf"]),
        ):
            turns[SMPL24.at(f"{side}_{joint}")] = to_matrix(from_two_vectors(limb, down))
        sole = (bone["ball"] - bone["foot"]) * np.array([1.0, 0.0, 1.0])
        foot = to_matrix(from_two_vectors(sole, ahead))
        turns[SMPL24.at(f"{side}_ankle")] = turns[SMPL24.at(f"{side}_foot")] = foot
    return turns


def _frame(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """Return the orthonormal frame, in columns, of a direction and another one not parallel to it."""
    a = first / np.linalg.norm(first)
    b = second - a * (a @ second)
    b = b / np.linalg.norm(b)
    return np.stack([a, b, np.cross(a, b)], axis=1)


def _parts(body: Body) -> Int[np.ndarray, "V"]:
    """Return the region of each vertex: that of the joint which moves it most, hair cut from the head."""
    regions = [PARTS.index(_PART_OF_JOINT[joint.split("_")[-1]]) for joint in SMPL24.joints]
    parts = np.array(regions)[body.skin.argmax(axis=1)]
    parts[_hair(body, parts == PARTS.index("head"))] = PARTS.index("hair")
    return parts


def _hair(body: Body, is_head: np.ndarray) -> np.ndarray:
    """Return the vertices of the scalp: above the forehead's line, or behind the ears above the nose."""
    points = dict(zip(BODY21.joints, body.keypoints(body.rest_vertices[None])[0], strict=True))
    eyes, ears = (0.5 * (points[f"left_{p}"] + points[f"right_{p}"]) for p in ("eye", "ear"))
    x, y, z = body.rest_vertices.T
    top = body.rest_vertices[is_head, 1].max()
    # The hairline runs from 55 % of the way between eyes and crown at the front to the ears at the side.
    front = eyes[1] + 0.55 * (top - eyes[1])
    share = np.clip((z - ears[2]) / max(eyes[2] - ears[2], 1e-6), 0.0, 1.0)
    line = points["nose"][1] + share * (front - points["nose"][1])
    outside = np.abs(x) < 1.2 * abs(points["left_ear"][0])  # the ear shells stick out further
    return is_head & (y > line) & outside
