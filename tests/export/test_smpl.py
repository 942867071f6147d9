"""AMASS-like files, read as their users read them: through smplx's own forward pass where it is installed."""

import io

import numpy as np
import pytest

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.export import smpl
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import skeleton, walker


def _read(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def _standing(turns=None, root=(0.0, 0.0, 0.0)) -> SkeletonMotion:
    rest = np.tile(rotations.IDENTITY, (1, 24, 1)) if turns is None else turns
    return SkeletonMotion(skeleton=skeleton(), rotations=rest, root=np.array([root]), fps=30.0)


def _smpl_like_skeleton() -> Skeleton:
    """Return the walker's skeleton with limbs that rest as SMPL's do: nothing is left to correct."""
    offsets = skeleton().offsets.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for (_, end), direction in smpl._LIMBS.items():
            column = SMPL24.at(f"{side}_{end}")
            along = np.array(direction) * (sign, 1, 1)
            offsets[column] = np.linalg.norm(offsets[column]) * along / np.linalg.norm(along)
    return Skeleton(layout=SMPL24, parents=SMPL_PARENTS, offsets=offsets)


def test_fields_shapes_and_kinds_are_those_of_amass():
    fields = _read(smpl.encode(walker(12, fps=29.97).motion, gender="female"))
    shapes = {"poses": (12, 156), "trans": (12, 3), "betas": (16,), "root_orient": (12, 3), "pose_body": (12, 63),
              "pose_hand": (12, 90), "joints": (12, 24, 3)}  # fmt: skip
    assert {name: fields[name].shape for name in shapes} == shapes
    assert str(fields["gender"]) == "female" and str(fields["surface_model_type"]) == "smplh"
    assert float(fields["mocap_framerate"]) == float(fields["mocap_frame_rate"]) == 29.97
    np.testing.assert_array_equal(fields["poses"][:, :3], fields["root_orient"])
    np.testing.assert_array_equal(fields["poses"][:, 3:66], fields["pose_body"])
    assert not fields["pose_hand"].any() and not fields["betas"].any()


def test_a_standing_person_by_hand():
    """One metre up and two forward (+Z) of ours is z = 1, y = -2 of theirs; the body is stood up about +X."""
    fields = _read(smpl.encode(_standing(root=(0.5, 1.0, 2.0))))
    np.testing.assert_allclose(fields["root_orient"], [[np.pi / 2, 0, 0]], atol=1e-12)
    # The pelvis is at J0 + trans, and J0 is in the model's own axes: it is not turned.
    np.testing.assert_allclose(fields["trans"] + smpl.MEAN_PELVIS, [[0.5, -2.0, 1.0]], atol=1e-12)
    # The head is above (+z) and the left hand at +x.
    joints = dict(zip(fields["joint_names"], fields["joints"][0], strict=True))
    assert joints["head"][2] > 1.4 and joints["left_hand"][0] > 1.0


def test_a_turn_of_the_pelvis_leaves_trans_alone():
    turns = np.tile(rotations.IDENTITY, (1, 24, 1))
    turns[0, 0] = rotations.about_axis("Y", 1.0)
    still, turned = (_read(smpl.encode(_standing(t, (0.3, 0.9, 0.1)))) for t in (None, turns))
    np.testing.assert_allclose(still["trans"], turned["trans"], atol=1e-12)


def test_limbs_point_where_ours_do():
    """SMPL's own rest directions, turned by the poses of the file, are the directions of our bones."""
    walk = walker(30).motion
    fields = _read(smpl.encode(walk))
    local = rotations.from_rotvec(fields["poses"][:, :66].reshape(30, 22, 3))
    world = local.copy()
    for child, parent in enumerate(SMPL_PARENTS[:22]):
        if parent >= 0:
            world[:, child] = rotations.multiply(world[:, parent], local[:, child])
    for joint, end, rest in (
        ("left_hip", "left_knee", (0.10, -1.00, -0.02)),
        ("right_knee", "right_ankle", (0.04, -0.99, -0.11)),
        ("left_shoulder", "left_elbow", (0.99, -0.05, -0.10)),
        ("right_elbow", "right_wrist", (-1.00, 0.03, -0.01)),
    ):
        column, to = SMPL24.index(joint, end)
        bone = fields["joints"][:, to] - fields["joints"][:, column]
        bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
        pointed = rotations.rotate(world[:, column], np.array(rest) / np.linalg.norm(rest))
        np.testing.assert_allclose(pointed, bone, atol=1e-9)


def test_smplx_puts_every_joint_where_we_have_it():
    """The published forward kinematics, fed with the file, against ours: world, root, order and parents."""
    torch = pytest.importorskip("torch")
    lbs = pytest.importorskip("smplx.lbs")
    body = _smpl_like_skeleton()
    walk = walker(25, heading=1.1).motion
    motion = SkeletonMotion(skeleton=body, rotations=walk.rotations, root=walk.root, fps=walk.fps)
    fields = _read(smpl.encode(motion))
    pelvis = np.array(smpl.MEAN_PELVIS)
    rest = torch.tensor(pelvis + kinematics.rest_positions(body))[None].expand(25, -1, -1)
    turns = lbs.batch_rodrigues(torch.tensor(fields["poses"]).reshape(-1, 3)).reshape(25, 52, 3, 3)
    # smpl24's hands, which SMPL-H has not, rest.
    turns = torch.cat([turns[:, :22], torch.eye(3).double().expand(25, 2, 3, 3)], dim=1)
    posed, _ = lbs.batch_rigid_transform(turns, rest, torch.tensor(SMPL_PARENTS))
    found = posed.numpy() + fields["trans"][:, None]
    np.testing.assert_allclose(found, fields["joints"], atol=1e-7)
    xyz, _ = kinematics.forward(body, motion.rotations, motion.root)
    np.testing.assert_allclose(rotations.y_up_from_z_up(found), xyz, atol=1e-7)


def test_a_body_that_turns_round_has_no_jump_before_a_full_turn():
    turns = np.tile(rotations.IDENTITY, (80, 24, 1))
    turns[:, SMPL24.at("head")] = rotations.about_axis("Y", np.linspace(0, 1.9 * np.pi, 80))
    motion = SkeletonMotion(skeleton=skeleton(), rotations=turns, root=np.zeros((80, 3)), fps=30.0)
    head = _read(smpl.encode(motion))["poses"].reshape(80, 52, 3)[:, SMPL24.at("head")]
    np.testing.assert_allclose(head[:, 1], np.linspace(0, 1.9 * np.pi, 80), atol=1e-9)


def test_a_fitted_model_is_written_as_it_is():
    walk = walker(4).motion
    fields = _read(smpl.encode(walk, betas=[1.0, -2.0], pelvis=(0.0, -0.2, 0.0), gender="male"))
    assert fields["betas"].tolist() == [1.0, -2.0] + [0.0] * 14
    knee = SMPL24.at("left_knee")
    np.testing.assert_allclose(
        rotations.from_rotvec(fields["poses"].reshape(4, 52, 3)[:, knee]),
        rotations.make_continuous(walk.rotations[:, knee]) * np.sign(walk.rotations[:1, knee, :1]),
        atol=1e-12,
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidData, match="genders neutral, female, male"):
        smpl.encode(_standing(), gender="robot")
    body = Skeleton(layout=Layout("stick", ("a", "b")), parents=(-1, 0), offsets=np.zeros((2, 3)))
    stick = SkeletonMotion(
        skeleton=body, rotations=np.tile(rotations.IDENTITY, (1, 2, 1)), root=np.zeros((1, 3)), fps=30.0
    )
    with pytest.raises(InvalidData, match="need the skeleton smpl24, but this is stick"):
        smpl.encode(stick)
