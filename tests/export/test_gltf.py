"""GLB: bytes and numbers computed by hand, and what readers that we did not write make of the files."""

import json
import shutil
import struct
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift import cameras, kinematics, rotations
from mocaplift.errors import InvalidData
from mocaplift.export import PRESETS, TEMPLATES, ExportOptions, Rigged, export, gltf, rig
from mocaplift.export.body_mesh import body_skin
from mocaplift.export.rigged import prepared
from mocaplift.export.skin import Skin
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.values import Camera
from tests.walker import walker

pytest.importorskip("pygltflib")
from tests.export.gltf_seen import posed, seen

NTSC = Fraction(30000, 1001)
NEAR = 1e-5  # m; positions are float32
FOLDER = Path(__file__).parent
CASES = {name: ExportOptions(template=name) for name in TEMPLATES}
CASES |= {f"preset {name}": options for name, options in PRESETS.items()}
CASES |= {
    "floor": ExportOptions(template="mixamo", root="floor"),
    "body": ExportOptions(template="ue5", root="floor", mesh=True),
    "all at once": ExportOptions(
        template="rigify", proportions="template", in_place=True, fps="24", rest_frame=True, mesh=True
    ),
}
every_case = pytest.mark.parametrize("case", CASES)


def walk(frames: int = 12):
    return walker(frames, fps=float(NTSC), heading=0.7).motion


def front() -> Camera:
    intrinsics = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
    view = cameras.look_at(np.array([2.0, 1.5, 4.0]), np.array([0.3, 1.0, 0.6]))
    return Camera("front", intrinsics, np.zeros(5), view, (1280, 720))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return every case: the rig, and what pygltflib sees in its file."""
    folder, found = tmp_path_factory.mktemp("glb"), {}
    for case, options in CASES.items():
        path = (folder / case).with_suffix(".glb")
        export(walk(), path, options)
        found[case] = rig(walk(), options), seen(path)
    return found


class TestBytes:
    def test_header_and_chunks(self):
        content = gltf.encode(rig(walk(2), ExportOptions()))
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON" and size % 4 == 0
        more, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0" and more % 4 == 0 and 28 + size + more == len(content)

    def test_quaternions_are_stored_with_the_real_part_last(self):
        turns = np.tile(rotations.IDENTITY, (1, len(SMPL24), 1))
        turns[0, SMPL24.at("pelvis")] = rotations.about_axis("Y", np.pi / 2)
        content = gltf.encode(rig(replace(walk(1), rotations=turns), ExportOptions()))
        (size,) = struct.unpack_from("<I", content, 12)
        document = json.loads(content[20 : 20 + size])
        (channel, *_) = document["animations"][0]["channels"]
        assert channel["target"] == {"node": 0, "path": "rotation"}
        accessor = document["accessors"][document["animations"][0]["samplers"][0]["output"]]
        at = 28 + size + document["bufferViews"][accessor["bufferView"]]["byteOffset"]
        half = np.sqrt(0.5)
        assert struct.unpack_from("<4f", content, at) == pytest.approx((0, half, 0, half), abs=1e-7)

    def test_every_key_is_the_nearest_number_to_its_moment_for_ten_minutes(self, tmp_path):
        frames = 17983
        still = rig(walk(2), ExportOptions())
        turns, places = np.tile(still.rest, (frames, 1, 1)), {0: np.zeros((frames, 3))}
        (tmp_path / "long.glb").write_bytes(gltf.encode(replace(still, rotations=turns, places=places)))
        times = seen(tmp_path / "long.glb").moments
        assert times.tolist() == [np.float32(float(k / NTSC)) for k in range(frames)]
        # Frame 17982 is at 17982 * 1001 / 30000 = 599.9994 s.
        assert times[-1] == pytest.approx(599.9994, abs=3e-5) and np.diff(times).min() > 0


@every_case
def test_every_joint_of_every_frame_is_where_the_motion_has_it(opened, case):
    (rigged, found), options = opened[case], CASES[case]
    motion, _ = prepared(walk(), options)
    xyz, _ = kinematics.forward(motion.skeleton, motion.rotations, motion.root)
    places = found.world[..., :3, 3]
    expected, turned = rigged.world()
    assert places.shape == expected.shape and np.abs(places - expected).max() < NEAR
    assert np.abs(found.world[..., :3, :3] - rotations.to_matrix(turned)).max() < NEAR
    assert sum(joint is not None for joint in rigged.joints) >= 22
    for bone, joint in enumerate(rigged.joints):
        if joint is not None:
            place = places[int(options.rest_frame) :, bone]
            assert np.abs(place - xyz[:, SMPL24.at(joint)]).max() < NEAR, joint


@every_case
def test_names_hierarchy_and_rate_are_exact(opened, case):
    rigged, found = opened[case]
    assert found.names == list(rigged.names) and len(set(found.names)) == len(found.names)
    assert found.parents == [None if above < 0 else rigged.names[above] for above in rigged.parents]
    rate = NTSC if CASES[case].fps == "source" else Fraction(24)
    assert Fraction(found.file.animations[0].extras["fps"]) == rate
    np.testing.assert_array_equal(found.moments, [np.float32(float(k / rate)) for k in range(len(rigged))])


@every_case
def test_left_is_left_and_the_person_faces_forward_at_rest(opened, case):
    rigged, found = opened[case]
    at = {joint: found.rest[bone, :3, 3] for bone, joint in enumerate(rigged.joints) if joint}
    lefts = [joint for joint in at if joint.startswith("left_")]
    assert len(lefts) >= 8
    for joint in lefts:
        assert at[joint][0] > 0 > at["right" + joint[4:]][0]
    assert at["left_foot"][2] > at["left_ankle"][2] and at["head"][1] > at["left_knee"][1]


@every_case
def test_the_surface_rests_on_the_bones_at_rest_and_follows_them(opened, case):
    rigged, found = opened[case]
    np.testing.assert_allclose(
        found.rest @ found.binds, np.tile(np.eye(4), (len(found.rest), 1, 1)), atol=1e-6
    )
    if not CASES[case].mesh:
        # The tail of the stick from the left knee to the left ankle is where the ankle is, in any frame.
        knee, ankle = (rigged.joints.index(f"left_{joint}") for joint in ("knee", "ankle"))
        shin = posed(found, 7)[found.mesh["joints"][:, 0] == knee]
        nearest = np.linalg.norm(shin - found.world[7, ankle, :3, 3], axis=1).min()
        assert nearest < NEAR
        return
    skin = body_skin(rigged)
    np.testing.assert_allclose(found.mesh["vertices"], skin.vertices, atol=1e-6)
    np.testing.assert_array_equal(found.mesh["triangles"], skin.triangles)
    assert np.abs(np.linalg.norm(found.mesh["normals"], axis=1) - 1).max() < 1e-5


def test_contacts_and_camera_are_delivered(tmp_path):
    contacts = np.zeros((12, len(CONTACT_POINTS)), dtype=bool)
    contacts[2:5, 0] = contacts[11, 0] = True
    rigged = replace(rig(walk(), ExportOptions()), contacts=contacts, camera=front())
    (tmp_path / "shot.glb").write_bytes(gltf.encode(rigged))
    file = seen(tmp_path / "shot.glb").file
    assert file.animations[0].extras["contacts"]["left_heel"] == [[2, 4], [11, 11]]
    assert file.animations[0].extras["contacts"]["right_heel"] == []
    (node,) = (node for node in file.nodes if node.camera is not None)
    assert node.translation == pytest.approx([2.0, 1.5, 4.0])
    # It looks along its own -Z.
    xyzw = np.array(node.rotation)
    ahead = rotations.rotate(np.roll(xyzw, 1), np.array([0.0, 0, -1]))
    line = np.array([0.3 - 2.0, 1.0 - 1.5, 0.6 - 4.0])
    np.testing.assert_allclose(ahead, line / np.linalg.norm(line), atol=1e-9)
    assert file.cameras[0].perspective.yfov == pytest.approx(2 * np.arctan(360 / 900))


def test_what_the_format_cannot_hold_is_told():
    rigged = rig(walk(3), ExportOptions())
    with pytest.raises(InvalidData, match="share a name"):
        gltf.encode(replace(rigged, names=("Hips",) * len(rigged.names)))
    with pytest.raises(InvalidData, match="tell apart"):
        gltf.encode(replace(rigged, fps=1e45))


def test_a_bone_that_is_called_like_the_body_keeps_its_name(tmp_path):
    rigged = rig(walk(3), ExportOptions())
    rigged = replace(rigged, names=("Skeleton", *rigged.names[1:]))
    (tmp_path / "a.glb").write_bytes(gltf.encode(rigged))
    names = [node.name for node in seen(tmp_path / "a.glb").file.nodes]
    assert names[0] == "Skeleton" and names[-1] == "Skeleton_"


def _validated(paths: list[Path]) -> list[dict]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = str(FOLDER / "validate_glb.js")
    run = subprocess.run(
        [node, script, *map(str, paths)], capture_output=True, text=True, timeout=300, check=False
    )
    if "Cannot find module 'gltf-validator'" in run.stderr:
        pytest.skip(
            "node does not find gltf-validator: npm install gltf-validator, and name the folder in NODE_PATH"
        )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_khronos_validator_has_nothing_to_say(tmp_path):
    rigged = rig(walk(), ExportOptions())
    contacts = np.ones((len(rigged), len(CONTACT_POINTS)), dtype=bool)
    made: dict[str, tuple[Rigged, Skin | None]] = {
        name: (rig(walk(), options), body_skin(rig(walk(), options)) if options.mesh else None)
        for name, options in CASES.items()
    }
    made["shot"] = replace(rigged, contacts=contacts, camera=front()), None
    made["one frame"] = rig(walk(1), ExportOptions()), None
    # A bone alone has no stick: a file without a surface.
    base = replace(
        rigged, names=("Hips",), parents=(-1,), offsets=np.zeros((1, 3)), rest=rigged.rest[:1],
        rotations=rigged.rotations[:, :1], joints=("pelvis",), tips={},
    )  # fmt: skip
    made["no surface"] = base, None
    paths = [tmp_path / f"{name}.glb" for name in made]
    for path, (bones, skin) in zip(paths, made.values(), strict=True):
        path.write_bytes(gltf.encode(bones, skin))
    for name, issues in zip(made, _validated(paths), strict=True):
        assert issues["messages"] == [], name


def test_the_validator_is_one(tmp_path):
    """A file that is wrong is found to be wrong: silence above means something."""
    content = bytearray(gltf.encode(rig(walk(2), ExportOptions())))
    content[-4:] = struct.pack("<f", float("nan"))
    (tmp_path / "wrong.glb").write_bytes(content.replace(b'"VEC4"', b'"VEC3"', 1))
    (issues,) = _validated([tmp_path / "wrong.glb"])
    assert issues["numErrors"] > 0


def test_a_skeleton_of_other_joints_is_a_file_too(tmp_path):
    found = rig(walk(2), ExportOptions())
    plain = replace(found, joints=(None,) * len(found.joints), tips={})
    (tmp_path / "plain.glb").write_bytes(gltf.encode(plain))
    assert all("joint" not in (node.extras or {}) for node in seen(tmp_path / "plain.glb").file.nodes)
