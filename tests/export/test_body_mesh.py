"""The body on the bones: inside out nowhere, standing on its feet, as long as the actor, whole in any pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mocaplift import rotations
from mocaplift.body import load_body
from mocaplift.errors import InvalidData, WeightsError
from mocaplift.export import TEMPLATES, ExportOptions, Rigged, rig
from mocaplift.export.body_mesh import RAREST_SHAPE, body_skin, likely_shape, load_body_mesh, normals_of
from mocaplift.export.skin import Skin, inverse_binds
from mocaplift.kinematics import rest_positions
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.rotations import from_rotvec, to_matrix
from mocaplift.values import Skeleton, SkeletonMotion
from mocaplift.weights import save_arrays
from tests.walker import walker

AVERAGE = np.zeros(load_body().num_shape)
# Degrees about x, y and z, for both sides; y and z are mirrored.
POSES: dict[str, dict[str, tuple[float, float, float]]] = {
    "arms down": {"shoulder": (0, 0, -75)},
    "arms up": {"collar": (0, 0, 20), "shoulder": (0, 0, 65)},
    "squat": {"hip": (-110, 0, 0), "knee": (130, 0, 0), "ankle": (-25, 0, 0), "shoulder": (0, -85, 0)},
    "arms bent": {"shoulder": (0, 0, -60), "elbow": (0, -140, 0)},
    "upper arms turned": {"shoulder": (90, 0, -30), "elbow": (0, -80, 0)},
    "forearms and hands turned": {"elbow": (50, 0, 0), "wrist": (60, 0, 0)},
    "splits": {"hip": (0, 0, 70)},
    "trunk": {"spine1": (25, 20, 10), "spine2": (25, 20, 10), "neck": (20, 30, 0), "head": (20, 40, 0)},
}


def _posed(pose: dict[str, tuple[float, float, float]], shape: np.ndarray = AVERAGE) -> SkeletonMotion:
    turns = np.tile(rotations.IDENTITY, (1, len(SMPL24), 1))
    for joint, degrees in pose.items():
        names = [joint] if joint in SMPL24.joints else [f"left_{joint}", f"right_{joint}"]
        for name in names:
            sign = -1.0 if name.startswith("right_") else 1.0
            turns[0, SMPL24.at(name)] = from_rotvec(np.radians(degrees) * [1.0, sign, sign])
    return SkeletonMotion(load_body().skeleton(shape), turns, np.zeros((1, 3)), 30.0)


def _skinned(rigged: Rigged, skin: Skin) -> np.ndarray:
    """Return the vertices in the first frame."""
    xyz, turned = rigged.world()
    world = np.tile(np.eye(4), (len(rigged.names), 1, 1))
    world[:, :3, :3], world[:, :3, 3] = to_matrix(turned[0]), xyz[0]
    matrices = world @ inverse_binds(*rigged.rest_world())
    points = np.concatenate([skin.vertices, np.ones((len(skin.vertices), 1))], axis=1)
    return np.einsum("nk,nkij,nj->ni", skin.weights, matrices[skin.joints], points)[:, :3]


def _volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Return the volume (m^3), positive where triangles run counter-clockwise seen from outside."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _winding(point: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> float:
    """Return how often a surface goes around a point: 1 inside, 0 outside (van Oosterom and Strackee, 1983)."""
    a, b, c = (vertices[triangles[:, corner]] - point for corner in range(3))
    la, lb, lc = (np.linalg.norm(each, axis=1) for each in (a, b, c))
    above = np.einsum("ij,ij->i", a, np.cross(b, c))
    below = (
        la * lb * lc
        + np.einsum("ij,ij->i", a, b) * lc
        + np.einsum("ij,ij->i", b, c) * la
        + np.einsum("ij,ij->i", c, a) * lb
    )
    return float(2 * np.arctan2(above, below).sum() / (4 * np.pi))


def _joints_inside(rigged: Rigged, vertices: np.ndarray, places: np.ndarray, skin: Skin) -> None:
    for bone, joint in enumerate(rigged.joints):
        if joint is not None:
            assert _winding(places[bone], vertices, skin.triangles) > 0.9, joint


class TestAtRest:
    def test_it_is_a_person_that_stands_on_its_feet_and_faces_forward(self):
        motion = _posed({})
        rigged = rig(motion, ExportOptions())
        skin = body_skin(rigged, AVERAGE)
        low, high = skin.vertices.min(axis=0), skin.vertices.max(axis=0)
        assert high[1] - low[1] == pytest.approx(load_body().stature(AVERAGE), abs=0.005)
        assert abs(low[1]) < 0.002
        # The density of people is near that of water: 60 to 70 kg.
        assert 0.055 < _volume(skin.vertices, skin.triangles) < 0.075
        face = skin.vertices[skin.vertices[:, 1] > high[1] - 0.25]
        assert face[face[:, 2].argmax(), 0] == pytest.approx(0, abs=0.01)  # the tip of the nose
        assert skin.vertices[skin.vertices[:, 1] < low[1] + 0.05, 2].max() > 0.12  # toes ahead

    def test_left_bones_move_the_left_side(self):
        rigged = rig(_posed({}), ExportOptions(template="ue5"))
        skin = body_skin(rigged)
        for bone, joint in enumerate(rigged.joints):
            if joint is not None and joint.startswith(("left_", "right_")):
                share = (skin.weights * (skin.joints == bone)).sum(axis=1)
                side = np.sign(skin.vertices[share > 0.5, 0])
                assert (side == (1 if joint.startswith("left_") else -1)).all(), joint

    def test_triangles_and_normals_look_outside(self):
        """A millimetre along its normal a vertex has left the body; the other way it is inside."""
        rigged = rig(_posed({}), ExportOptions())
        skin = body_skin(rigged)
        assert skin.normals is not None
        # But eyes and mouth are inside of the head.
        is_free = skin.joints[:, 0] != rigged.joints.index("head")
        chosen = np.random.default_rng(0).choice(np.flatnonzero(is_free), 60, replace=False)
        for way, inside in ((0.001, False), (-0.001, True)):
            points = skin.vertices[chosen] + way * skin.normals[chosen]
            around = [_winding(point, skin.vertices, skin.triangles) > 0.5 for point in points]
            assert around == [inside] * len(chosen)

    def test_soles_are_where_the_fit_has_them(self):
        """The drop of heels and toes, which puts people on the floor, is that of the surface."""
        body, mesh = load_body(), load_body_mesh()
        rng = np.random.default_rng(1)
        for shape in (AVERAGE, rng.normal(size=body.num_shape)):
            sole = (mesh.vertices + mesh.basis @ shape)[:, 1].min()
            heights = body.rest_keypoints(shape)[BODY21.index(*CONTACT_POINTS), 1] - sole
            np.testing.assert_allclose(body.drops(shape), heights, atol=0.005)

    @pytest.mark.parametrize("template", sorted(TEMPLATES))
    @pytest.mark.parametrize("proportions", ["actor", "template"])
    def test_every_joint_is_inside_of_it(self, template, proportions):
        shape = np.random.default_rng(2).normal(size=load_body().num_shape)
        options = ExportOptions(template=template, proportions=proportions)
        rigged = rig(_posed({}, shape), options)
        skin = body_skin(rigged, shape if proportions == "actor" else None)
        _joints_inside(rigged, skin.vertices, rigged.rest_world()[0], skin)
        assert _volume(skin.vertices, skin.triangles) > 0.03


class TestInMotion:
    @pytest.mark.parametrize("name", POSES)
    @pytest.mark.parametrize("template", ["native", "mixamo", "ue5"])
    def test_it_stays_whole_in_extreme_poses(self, name, template):
        rest = _posed({})
        rigged = rig(replace(rest, rotations=_posed(POSES[name]).rotations), ExportOptions(template=template))
        skin = body_skin(rigged, AVERAGE)
        vertices = _skinned(rigged, skin)
        corners = skin.triangles
        edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        before, after = (np.linalg.norm(np.diff(each[edges], axis=1)[:, 0], axis=1)
                         for each in (skin.vertices, vertices))  # fmt: skip
        assert (after - before).max() < 0.06 and np.percentile(after / before, 99.9) < 3.5
        volume = _volume(skin.vertices, skin.triangles)
        assert _volume(vertices, skin.triangles) == pytest.approx(volume, rel=0.15)
        _joints_inside(rigged, vertices, rigged.world()[0][0], skin)

    def test_a_turned_hand_does_not_pinch_the_wrist(self):
        """Linear blending narrows a joint that is twisted by an angle to the cosine of its half, not below."""
        rigged = rig(_posed({"wrist": (90, 0, 0)}), ExportOptions())
        skin = body_skin(rigged, AVERAGE)
        wrist = rigged.joints.index("left_wrist")
        along = skin.vertices - rigged.rest_world()[0][wrist]
        ring = (np.abs(along[:, 0]) < 0.01) & (np.linalg.norm(along, axis=1) < 0.06)
        moved = _skinned(rigged, skin)[ring]
        widths = [np.sqrt(each[:, 1:].var(axis=0).sum()) for each in (skin.vertices[ring], moved)]
        assert widths[1] > 0.95 * np.cos(np.radians(45)) * widths[0]

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1), template=st.sampled_from(sorted(TEMPLATES)))
    def test_the_same_body_on_any_rig(self, seed, template):
        """Bones of every template put each vertex where our own bones put it."""
        rng = np.random.default_rng(seed)
        shape = rng.normal(size=load_body().num_shape)
        turns = from_rotvec(0.5 * rng.normal(size=(1, len(SMPL24), 3)))
        # Most templates have no bone for the fingers.
        turns[:, SMPL24.index("left_hand", "right_hand")] = rotations.IDENTITY
        motion = replace(_posed({}, shape), rotations=turns)
        expected, found = (
            _skinned(each, body_skin(each, shape))
            for each in (rig(motion, ExportOptions(template=name)) for name in ("native", template))
        )
        # Templates that rest with arms down bridge the difference at the shoulders.
        assert np.sqrt(np.square(found - expected).sum(axis=1).mean()) < 0.012


def test_the_shape_is_told_from_the_bones_alone():
    shape = np.random.default_rng(3).normal(size=load_body().num_shape)
    rigged = rig(_posed({}, shape), ExportOptions())
    known, guessed = body_skin(rigged, shape), body_skin(rigged)
    apart = np.linalg.norm(known.vertices - guessed.vertices, axis=1)
    assert apart.mean() < 0.01 and apart.max() < 0.05


def test_another_persons_bones_have_the_body_too():
    """The walker's arms and legs differ from left to right, and no coefficients tell why."""
    rigged = rig(walker(3).motion, ExportOptions())
    skin = body_skin(rigged)
    places, _ = rigged.rest_world()
    for side, sign in (("left", 1), ("right", -1)):
        end = (sign * skin.vertices[:, 0]).max()
        hand = sign * places[rigged.joints.index(f"{side}_hand")][0]
        assert 0.05 < end - hand < 0.14
    assert 0.04 < _volume(skin.vertices, skin.triangles) < 0.11  # m^3: a person of 40 to 110 kg
    assert np.abs(likely_shape(rigged, load_body())).max() <= RAREST_SHAPE


def test_a_bone_stands_once_for_a_vertex_where_joints_share_it():
    rigged = rig(_posed({}), ExportOptions(template="unity"))
    merged = replace(
        rigged, joints=tuple(None if joint == "left_elbow" else joint for joint in rigged.joints)
    )
    skin = body_skin(merged)
    for column in range(1, 4):
        again = (skin.joints[:, :column] == skin.joints[:, [column]]) & (skin.weights[:, [column]] > 0)
        assert not (again & (skin.weights[:, :column] > 0)).any()
    np.testing.assert_allclose(skin.weights.sum(axis=1), 1.0, atol=1e-6)
    # The forearm goes with the nearest joint above.
    upper = rigged.joints.index("left_shoulder")
    forearm = np.abs(skin.vertices - merged.rest_world()[0][rigged.joints.index("left_elbow")] - [0.12, 0, 0])
    assert (skin.joints[np.linalg.norm(forearm, axis=1) < 0.06, 0] == upper).all()


def test_normals_by_hand():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, -1], [5, 5, 5]])
    # Counter-clockwise seen from above; a vertex of no triangle gets some unit vector.
    found = normals_of(square, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(found, np.tile([0.0, 1, 0], (4, 1)))


def test_bones_that_are_not_ours_have_no_body():
    rigged = rig(_posed({}), ExportOptions())
    with pytest.raises(InvalidData, match="no bone of this one is the pelvis"):
        body_skin(replace(rigged, joints=(None,) * len(rigged.joints)))


@pytest.mark.parametrize(
    ("joints", "left_out", "message"),
    [
        (("pelvis",), None, "made for other joints"),
        (SMPL24.joints, "weights", "lacks 'weights'"),
        (SMPL24.joints, None, "does not fit the body model"),
    ],
)
def test_a_surface_that_does_not_fit_is_told(tmp_path, joints, left_out, message):
    arrays = {
        "vertices": np.zeros((3, 3), np.float32),
        "basis": np.zeros((3, 3, 2), np.float16),
        "triangles": np.zeros((1, 3), np.uint16),
        "joints": np.zeros((3, 4), np.uint8),
        "weights": np.zeros((3, 4), np.uint16),
    }
    arrays.pop(left_out, None)
    path = tmp_path / "mesh.safetensors"
    save_arrays(path, "body-mesh", arrays, {"joints": list(joints), "weight_unit": 65535})
    with pytest.raises(WeightsError, match=message):
        load_body_mesh(str(path))


def test_a_skeleton_without_shape_and_the_bodys_own_agree():
    body = load_body()
    own = rest_positions(body.skeleton(AVERAGE))
    bare = Skeleton(SMPL24, SMPL_PARENTS, body.offsets(AVERAGE))
    turns = np.tile(rotations.IDENTITY, (1, len(SMPL24), 1))
    rigged = rig(SkeletonMotion(bare, turns, own[[0]], 30.0), ExportOptions())
    apart = body_skin(rigged).vertices - body_skin(rigged, AVERAGE).vertices
    assert np.abs(apart).max() < 1e-6
