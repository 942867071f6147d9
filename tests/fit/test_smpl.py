"""SMPL by a model file: a small made-up one, in every form that the published ones come in."""

import io
import pickle  # noqa: TID251 - writes the files whose reading is tested
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from mocaplift import kinematics, rotations
from mocaplift.errors import InvalidData, UnsupportedFormat, WeightsError
from mocaplift.export import ExportOptions, export
from mocaplift.fit.smpl_model import load_smpl_model
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.values import Layout, Skeleton, SkeletonMotion
from tests.walker import skeleton, walker

AROUND = 8  # vertices about each joint
PELVIS = np.array([0.01, -0.24, 0.03])


def arrays(joints: int = 24) -> dict:
    """Return a body of little clouds about the walker's joints; its shape is size, width and arm length."""
    rng = np.random.default_rng(7)
    parents = [
        *SMPL_PARENTS[: min(joints, 22)],
        *([20] * (joints - 22) if joints > 24 else SMPL_PARENTS[22:]),
    ]
    rest = np.zeros((joints, 3))
    rest[:24] = kinematics.rest_positions(skeleton())
    # The elbows hang a little, as SMPL's do: rest directions differ from ours.
    rest[list(SMPL24.index("left_elbow", "right_elbow")), 1] -= 0.03
    rest[24:] = rest[20] + rng.normal(size=(joints - 24, 3)) * 0.05
    cloud = rng.normal(size=(joints, AROUND, 3)) * 0.03
    cloud -= cloud.mean(axis=1, keepdims=True)
    template = (rest[:, None] + cloud + PELVIS).reshape(-1, 3)
    owner = np.repeat(np.arange(joints), AROUND)
    shapes = np.zeros((len(template), 3, 10))
    shapes[..., 0] = (template - PELVIS) * 0.05
    shapes[:, 0, 1] = template[:, 0] * 0.06
    shapes[:, 1, 2] = np.where(template[:, 1] < PELVIS[1], (template[:, 1] - PELVIS[1]) * 0.08, 0)
    regressor = (owner == np.arange(joints)[:, None]) / AROUND
    tree = np.array([[2**32 - 1, *parents[1:]], np.arange(joints)], dtype=np.uint32)
    return {
        "v_template": template, "shapedirs": shapes, "J_regressor": regressor,
        "posedirs": rng.normal(size=(len(template), 3, 9 * (joints - 1))) * 1e-3,
        "weights": (owner[:, None] == np.arange(joints)).astype(float), "kintree_table": tree,
        "f": rng.integers(0, len(template), size=(40, 3)).astype(np.uint32),
    }  # fmt: skip


class _Ch:
    """What chumpy's pickles look like: an object of a module that nobody has."""

    def __init__(self, **state):
        self.__dict__.update(state)


def _chumpy_pickle(content: dict, protocol: int) -> bytes:
    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    _Ch.__module__, _Ch.__qualname__, _Ch.__name__ = "chumpy.ch", "Ch", "Ch"
    module.Ch = _Ch
    sys.modules |= {"chumpy": package, "chumpy.ch": module}
    try:
        return pickle.dumps(content, protocol=protocol)
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


@pytest.fixture
def model_file(tmp_path) -> Path:
    path = tmp_path / "SMPL_SMALL.npz"
    np.savez(path, **arrays())
    return path


@pytest.mark.parametrize("form", ["npz", "plain", "sparse", "chumpy-0", "chumpy-2", "chumpy-4", "bytes keys"])
def test_every_published_form_reads_the_same(tmp_path, model_file, form):
    content, expected = arrays(), load_smpl_model(model_file)
    path = tmp_path / "model.pkl"
    if form == "npz":
        path = tmp_path / "model.npz"
        np.savez(path, **content, joint2num=np.array({"pelvis": 0}, dtype=object))
    elif form == "plain":
        path.write_bytes(pickle.dumps(content, protocol=2))
    elif form == "bytes keys":
        path.write_bytes(pickle.dumps({key.encode(): value for key, value in content.items()}, protocol=2))
    else:
        content["J_regressor"] = csc_matrix(content["J_regressor"])
        if form.startswith("chumpy"):
            wide = np.concatenate([content["shapedirs"], np.ones_like(content["shapedirs"])], axis=-1)
            chosen = np.arange(wide.size).reshape(wide.shape)[..., :10]
            content["v_template"] = _Ch(x=content["v_template"], _dirty_vars=set())
            content["shapedirs"] = _Ch(a=_Ch(x=wide), idxs=chosen.ravel(), preferred_shape=chosen.shape)
        protocol = int(form[-1]) if form.startswith("chumpy") else 2
        path.write_bytes(_chumpy_pickle(content, protocol))
    found = load_smpl_model(path)
    assert found.parents == SMPL_PARENTS == expected.parents
    for name in ("template", "shape_basis", "pose_basis", "joint_regressor", "skin_weights", "faces"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


class _Harm:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [
        (eval, ("open('harmed', 'w')",)),
        (__import__("os").system, ("touch harmed",)),
        (getattr, ("", "join")),
        (np.load, ("model.pkl",)),
        (__import__("builtins").open, ("harmed", "w")),
    ],
    ids=["eval", "system", "getattr", "numpy.load", "open"],
)
def test_a_file_that_wants_to_run_code_is_refused(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    for protocol in (0, 2, 5):
        Path("model.pkl").write_bytes(pickle.dumps(arrays() | {"more": _Harm(*call)}, protocol=protocol))
        with pytest.raises(WeightsError, match="refused, it could run code"):
            load_smpl_model(Path("model.pkl"))
    assert not Path("harmed").exists()


def test_an_array_that_asks_for_a_terabyte_gets_none(tmp_path):
    huge = _Harm(np._core.multiarray._reconstruct, (np.ndarray, (10**12,), b"b"))
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"v_template": huge}, protocol=2))
    with pytest.raises(WeightsError, match="it lacks shapedirs"):
        load_smpl_model(path)


def test_a_number_for_reuse_takes_no_room(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    with pytest.raises(WeightsError, match="absurd place"):
        load_smpl_model(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"weights": np.zeros((3, 24))}, r"weights has shape \[3, 24\]"),
        ({"posedirs": np.zeros((192, 3, 5))}, "posedirs has shape"),
        ({"v_template": np.full((192, 3), np.nan)}, "holds NaN"),
        ({"f": np.full((2, 3), 999, dtype=np.uint32)}, "faces name vertices"),
        ({"kintree_table": np.zeros((2, 24), dtype=np.uint32)}, "its joints are not SMPL's"),
        ({"shapedirs": None}, "lacks shapedirs"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, why):
    content = {name: value for name, value in (arrays() | change).items() if value is not None}
    np.savez(tmp_path / "model.npz", **content)
    with pytest.raises(WeightsError, match=why):
        load_smpl_model(tmp_path / "model.npz")


def test_files_that_are_no_model(tmp_path, model_file):
    with pytest.raises(WeightsError, match="no such file"):
        load_smpl_model(tmp_path / "absent.pkl")
    (tmp_path / "text.pkl").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(model_file.read_bytes()[:500])
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    for name in ("text.pkl", "cut.npz", "list.pkl"):
        with pytest.raises(WeightsError, match=f"{name}: (damaged, or )?no SMPL model"):
            load_smpl_model(tmp_path / name)


smpl = pytest.importorskip("mocaplift.fit.smpl")
needs_smplx = pytest.mark.skipif(
    not all(__import__("importlib").util.find_spec(name) for name in ("smplx", "torch", "trimesh")),
    reason="smplx, torch or trimesh is not installed: pip install 'mocaplift[smplx]'",
)


def _of_model(model, betas, motion) -> SkeletonMotion:
    """Return the motion on the model's own bones at a shape."""
    rest = model.joints(betas)
    offsets = np.array([rest[c] - rest[p] if p >= 0 else np.zeros(3) for c, p in enumerate(SMPL_PARENTS)])
    return SkeletonMotion(Skeleton(SMPL24, SMPL_PARENTS, offsets), motion.rotations, motion.root, motion.fps)


@needs_smplx
def test_a_motion_of_the_model_itself_is_found_again(model_file):
    model = load_smpl_model(model_file)
    betas = np.array([1.2, -0.8, 0.9] + [0.0] * 7)
    true = _of_model(model, betas, walker(40, heading=0.6).motion)
    fit = smpl.fit_smpl(true, model)
    # The prior pulls the shape a little towards the mean: millimetres.
    assert fit.error < 5e-3
    lengths = [np.linalg.norm(motion.skeleton.offsets, axis=-1) for motion in (fit.motion, true)]
    limbs = SMPL24.index("left_knee", "right_ankle", "left_elbow", "right_wrist")
    np.testing.assert_allclose(lengths[0][limbs], lengths[1][limbs], atol=3e-3)
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-2)
    assert np.degrees(rotations.angle_between(fit.motion.rotations, true.rotations)).max() < 6.0
    np.testing.assert_allclose(fit.pelvis, model.joints(fit.betas)[0])


@needs_smplx
def test_another_skeleton_is_met_within_centimetres_and_stays_smooth(model_file):
    model = load_smpl_model(model_file)
    motion = walker(40).motion
    fit = smpl.fit_smpl(motion, model)
    assert fit.error < 0.01
    step = np.degrees(rotations.angle_between(fit.motion.rotations[1:], fit.motion.rotations[:-1])).max()
    true = np.degrees(rotations.angle_between(motion.rotations[1:], motion.rotations[:-1])).max()
    assert step < true + 2.0


@needs_smplx
@pytest.mark.parametrize("joints", [24, 52])
def test_the_skin_is_that_of_smplx_with_its_own_translation(tmp_path, joints):
    """Against smplx's linear blend skinning from axis-angles, with transl = root - J0."""
    import torch
    from smplx.lbs import lbs

    content = arrays(joints)
    np.savez(tmp_path / "model.npz", **content)
    model = load_smpl_model(tmp_path / "model.npz")
    fit = smpl.fit_smpl(walker(6, heading=2.0).motion, model)
    pose = np.zeros((1, joints, 3))
    shared = 24 if joints == 24 else 22
    pose[0, :shared] = rotations.to_rotvec(fit.motion.rotations[4, :shared])
    vertices, posed = lbs(
        *(torch.tensor(each) for each in (fit.betas[None], pose.reshape(1, -1), content["v_template"],
          content["shapedirs"], content["posedirs"].reshape(-1, 9 * (joints - 1)).T.copy(),
          content["J_regressor"], model.parents, content["weights"]))
    )  # fmt: skip
    transl = fit.motion.root[4] - fit.pelvis
    found = smpl.vertices_of(fit, model, 4)
    np.testing.assert_allclose(found, vertices[0].numpy() + transl, atol=1e-9)
    # And the joints of that body are those of the fitted motion.
    xyz = kinematics.joints_of(fit.motion).xyz[4, :22]
    np.testing.assert_allclose(posed[0, :22].numpy() + transl, xyz, atol=1e-9)
    with pytest.raises(InvalidData, match="frame 6 is not one of the motion's 6"):
        smpl.vertices_of(fit, model, 6)


@needs_smplx
def test_the_exported_file_moves_the_model_to_where_we_have_it(tmp_path, model_file):
    """Fit, export as AMASS, read the file, run smplx: every joint is where the fitted motion has it."""
    import torch
    from smplx.lbs import batch_rigid_transform, batch_rodrigues

    model = load_smpl_model(model_file)
    fit = smpl.fit_smpl(walker(12, heading=-1.0).motion, model)
    options = ExportOptions(gender="male", betas=tuple(fit.betas), pelvis=tuple(fit.pelvis))
    export(fit.motion, tmp_path / "walk.smpl.npz", options)
    with np.load(io.BytesIO((tmp_path / "walk.smpl.npz").read_bytes()), allow_pickle=False) as file:
        rest = torch.tensor(model.joints(file["betas"][:10]))[None, :22].expand(12, -1, -1)
        turns = batch_rodrigues(torch.tensor(file["poses"][:, :66]).reshape(-1, 3)).reshape(12, 22, 3, 3)
        posed, _ = batch_rigid_transform(turns, rest, torch.tensor(SMPL_PARENTS[:22]))
        found = rotations.y_up_from_z_up(posed.numpy() + file["trans"][:, None])
    np.testing.assert_allclose(found, kinematics.joints_of(fit.motion).xyz[:, :22], atol=1e-7)


@needs_smplx
@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_a_mesh_is_written_and_read_back(tmp_path, model_file, suffix):
    import trimesh

    model = load_smpl_model(model_file)
    fit = smpl.fit_smpl(walker(2).motion, model)
    vertices = smpl.vertices_of(fit, model, 1)
    smpl.write_mesh(tmp_path / f"body{suffix}", vertices, model.faces)
    assert [path.name for path in tmp_path.glob("body*")] == [f"body{suffix}"]
    back = trimesh.load(tmp_path / f"body{suffix}", force="mesh", process=False)
    used = vertices[np.unique(model.faces)]
    np.testing.assert_allclose(back.bounds, [used.min(axis=0), used.max(axis=0)], atol=1e-5)
    assert len(back.faces) == len(model.faces)


def test_what_cannot_be_is_refused(tmp_path, model_file):
    with pytest.raises(UnsupportedFormat, match=r"\.glb, \.obj, \.ply"):
        smpl.write_mesh(tmp_path / "body.fbx", np.zeros((3, 3)), np.array([[0, 1, 2]]))
    body = Skeleton(layout=Layout("stick", ("a",)), parents=(-1,), offsets=np.zeros((1, 3)))
    stick = SkeletonMotion(body, np.tile(rotations.IDENTITY, (1, 1, 1)), np.zeros((1, 3)), 30.0)
    with pytest.raises(InvalidData, match="needs the joints of smpl24, not stick"):
        smpl.fit_smpl(stick, load_smpl_model(model_file))
