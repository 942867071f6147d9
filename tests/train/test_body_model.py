"""The body model: symmetric, scaled by stature, and true to the mesh that it was learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mocaplift.body import load_body
from mocaplift.kinematics import rest_positions
from mocaplift.layouts import BODY21, CONTACT_POINTS, SMPL24, SMPL_PARENTS
from mocaplift.rotations import about_axis, from_rotvec, normalize
from mocaplift.train.body import BodyConfig, fit_shape, in_bones, train_body
from mocaplift.weights import load_arrays, locate
from tests.train.recordings import daz_bvh, write_archives

MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(name="arrays")
def _arrays():
    return load_arrays(locate("body"), "body")[0]


def test_left_and_right_are_mirror_images(arrays):
    for name, layout in (("offsets", SMPL24), ("attachments", BODY21)):
        values = arrays[name]
        np.testing.assert_allclose(values[list(layout.mirror)] * MIRROR, values, atol=1e-6)
        basis = arrays[name[:-1] + "_basis"].transpose(2, 0, 1)
        np.testing.assert_allclose(basis[:, list(layout.mirror)] * MIRROR, basis, atol=1e-6)
    body = load_body()
    for point, bone in zip(BODY21.joints, body.bones, strict=True):
        twin = body.bones[BODY21.mirror[BODY21.at(point)]]
        assert SMPL24.mirror[bone] == twin


def test_the_mean_person_has_human_proportions():
    # Segment lengths as shares of stature (D. Winter, Biomechanics and Motor Control of Human Movement, 2009,
    # fig. 4.1): thigh 0.245, shin 0.246, upper arm 0.186, forearm 0.146; ours are between joint centres.
    body = load_body()
    offsets, stature = body.offsets(np.zeros(body.num_shape)), body.stature(np.zeros(body.num_shape))
    shares = {
        j: np.linalg.norm(offsets[SMPL24.at(j)]) / stature for j in ("left_knee", "left_ankle", "left_wrist")
    }
    assert shares == pytest.approx({"left_knee": 0.245, "left_ankle": 0.246, "left_wrist": 0.146}, abs=0.012)
    assert 1.62 < stature < 1.75


@pytest.mark.parametrize("height", [1.50, 1.95])
def test_stature_moves_the_body_as_a_whole(height):
    body = load_body()
    shape = body.shape_of_stature(height)
    assert body.stature(shape) == pytest.approx(height)
    rest, mean = (rest_positions(body.skeleton(s)) for s in (shape, np.zeros(body.num_shape)))
    ratio = height / body.stature(np.zeros(body.num_shape))
    spans = [np.linalg.norm(r[SMPL24.at("head")] - r[SMPL24.at("left_ankle")]) for r in (rest, mean)]
    assert spans[0] / spans[1] == pytest.approx(ratio, rel=0.03)


def test_ends_and_soles_are_where_ends_and_soles_are(arrays):
    body = load_body()
    rest = rest_positions(body.skeleton(np.zeros(body.num_shape)))
    points = rest[list(body.bones)] + body.attachments(np.zeros(body.num_shape))
    soles = -float(arrays["pelvis_height"][0])
    np.testing.assert_allclose(
        points[BODY21.index(*CONTACT_POINTS), 1] - soles, arrays["sole_drops"], atol=0.004
    )
    top = rest[SMPL24.at("head"), 1] + arrays["head_top"][1]
    assert top - soles == pytest.approx(body.stature_mean, abs=0.005)
    tip = rest[SMPL24.at("left_foot")] + arrays["toe_tip"]
    assert tip[2] > points[BODY21.at("left_big_toe"), 2]


def test_shape_is_recovered_from_people_made_of_stature_and_one_more_direction():
    rng = np.random.default_rng(0)
    people = 300
    base = load_body()
    stature, width = rng.normal(size=(2, people))
    wide = np.zeros((24, 3))
    wide[SMPL24.index("left_hip", "right_hip"), 0] = [0.01, -0.01]
    mean = base.offsets(np.zeros(base.num_shape))
    offsets = mean * (1 + 0.05 * stature)[:, None, None] + width[:, None, None] * wide
    attachments = np.tile(base.mean_attachments, (people, 1, 1))
    facts = [
        {"stature": np.array(1.7 + 0.1 * s), "head_top": np.zeros(3), "toe_tip": np.zeros(3),
         "sole_drops": np.zeros(4), "pelvis_height": np.array(0.9 + 0.045 * s)}
        for s in stature
    ]  # fmt: skip
    arrays, header = fit_shape(offsets, attachments, facts, base.bones, 3)
    assert header["variance_explained"] == pytest.approx(1.0, abs=1e-6)
    knee = SMPL24.at("left_knee")
    np.testing.assert_allclose(
        arrays["offset_basis"][knee, 1, 0], 0.05 * mean[knee, 1] * stature.std(), rtol=0.01
    )
    np.testing.assert_allclose(
        np.abs(arrays["offset_basis"][SMPL24.at("left_hip"), 0, 1]), 0.01 * width.std(), rtol=0.05
    )
    np.testing.assert_allclose(arrays["pelvis_height_basis"][0, 0], 0.045 * stature.std(), rtol=0.01)
    np.testing.assert_allclose(arrays["stature_basis"], [0.1 * stature.std(), 0, 0], atol=1e-6)


@pytest.fixture(name="anny", scope="module")
def _anny():
    """Give the parametric body, where Anny is installed (its first construction takes about a minute)."""
    pytest.importorskip("anny", reason="Anny, the parametric body of the training data, is not installed")
    from mocaplift.train.data import anny_body

    return anny_body


@pytest.mark.slow
class TestAnny:
    """Against the mesh itself."""

    def test_keypoints_come_out_alike_with_and_without_the_mesh(self, anny):
        body = anny.Body({"weight": 0.8})
        rotations = from_rotvec(np.random.default_rng(0).normal(0, 0.5, (5, 24, 3)))
        root = np.random.default_rng(1).normal(size=(5, 3))
        slow = body.keypoints(body.pose(rotations, root))
        np.testing.assert_allclose(body.pose_keypoints(rotations, root), slow, atol=1e-5)

    def test_the_rest_is_a_t_pose_facing_ahead(self, anny):
        body = anny.Body()
        at = {name: body.rest_joints[SMPL24.at(name)] for name in SMPL24.joints}
        np.testing.assert_allclose(at["pelvis"], 0.0)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            arm = at[f"{side}_wrist"] - at[f"{side}_shoulder"]
            leg = at[f"{side}_ankle"] - at[f"{side}_hip"]
            np.testing.assert_allclose(arm / np.linalg.norm(arm), [sign, 0, 0], atol=1e-6)
            np.testing.assert_allclose(leg / np.linalg.norm(leg), [0, -1, 0], atol=1e-6)
        nose = body.keypoints(body.rest_vertices[None])[0, BODY21.at("nose")]
        assert nose[2] > at["head"][2] + 0.05

    def test_a_turned_person_turns_as_a_whole(self, anny):
        body = anny.Body()
        turned = np.tile([1.0, 0.0, 0.0, 0.0], (1, 24, 1))
        turned[0, 0] = about_axis("Y", np.pi / 2)
        mesh = body.pose(turned, np.array([[1.0, 2.0, 3.0]]))[0]
        x, y, z = body.rest_vertices.T
        np.testing.assert_allclose(mesh, np.stack([z + 1, y + 2, 3 - x], axis=1), atol=1e-5)

    def test_parts_are_where_they_belong(self, anny):
        body = anny.Body()
        height = {part: body.rest_vertices[body.parts == k, 1].mean() for k, part in enumerate(anny.PARTS)}
        order = ["feet", "shins", "thighs", "hips", "torso", "neck", "head", "hair"]
        assert [height[part] for part in order] == sorted(height[part] for part in order)

    def test_attachments_reproduce_the_mesh(self, anny, arrays):
        rng = np.random.default_rng(5)
        model = load_body()
        library = load_arrays(locate("pose-prior"), "pose-prior")[0]["library_rotations"].astype(float)
        poses = normalize(library[::20])
        person = anny.Body(anny.random_phenotypes(rng, 1, child_share=0.0)[0])
        local = in_bones(person, poses, model.bones)
        wander = np.sqrt(local.var(axis=0).sum(axis=-1))
        # Twice the residual over the training poses, and no less than 2 mm: one person, few poses.
        assert (wander < np.maximum(2 * arrays["attachment_sigma"], 0.002)).all()
        height = person.stature
        near = model.attachments(model.shape_of_stature(height))
        assert np.linalg.norm(local.mean(axis=0) - near, axis=-1).max() < 0.03

    def test_random_people_are_of_human_size_and_repeatable(self, anny):
        people = anny.random_phenotypes(np.random.default_rng(3), 12, child_share=0.0)
        np.testing.assert_array_equal(
            people, anny.random_phenotypes(np.random.default_rng(3), 12, child_share=0.0)
        )
        statures = np.array([anny.Body(person).stature for person in people])
        assert statures.min() > 1.45 and statures.max() < 2.0

    def test_training_writes_a_model_that_loads(self, anny, tmp_path: Path):
        takes = {"everyday/07/07_01.bvh": daz_bvh(130, {("lShldr", "Zrotation"): np.linspace(-70, 60, 130)})}
        write_archives(tmp_path, takes)
        config = BodyConfig(people=24, components=4, poses=8, people_for_bones=2, poses_for_bones=12)
        train_body(config, tmp_path, tmp_path / "out")
        body = load_body(str(tmp_path / "out" / "body.safetensors"))
        assert body.num_shape == 4
        assert body.parents == SMPL_PARENTS
        assert 1.4 < body.stature_mean < 1.9
