"""FBX: bytes and numbers computed by hand, and what ufbx, a reader that we did not write, makes of the files."""

import itertools
import struct
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mocaplift import cameras, rotations
from mocaplift.errors import InvalidData
from mocaplift.export import ExportOptions, Rigged, fbx, rig
from mocaplift.export.fbx.animation import key_times
from mocaplift.export.fbx.records import Node, encode, pack
from mocaplift.export.skin import Skin, inverse_binds
from mocaplift.layouts import CONTACT_POINTS, SMPL24
from mocaplift.values import Camera, SkeletonMotion
from tests.export.fbx_seen import seen
from tests.walker import skeleton, walker

CM, Z_UP = ExportOptions(), ExportOptions(up="z")
NTSC = Fraction(30000, 1001)


def _rigged(turns=None, root=None, fps=30.0) -> Rigged:
    turns = np.tile(rotations.IDENTITY, (2, 24, 1)) if turns is None else np.asarray(turns, dtype=float)
    root = np.zeros((len(turns), 3)) if root is None else root
    return rig(SkeletonMotion(skeleton=skeleton(), rotations=turns, root=root, fps=fps), CM)


def _still(frames=1) -> np.ndarray:
    return np.tile(rotations.IDENTITY, (frames, len(SMPL24), 1))


def _seen(folder, rigged, options=CM, skin=None, times=()) -> dict:
    path = folder / "motion.fbx"
    path.write_bytes(fbx.encode(rigged, options, skin))
    return seen(path, list(times))


def _y_up(xyz, up) -> np.ndarray:
    xyz = np.array(xyz)
    return xyz if up == "y" else np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)


def _curves(found, owner, name) -> dict[str, dict]:
    return {
        each["part"]: each for each in found["curves"] if (each["owner"], each["property"]) == (owner, name)
    }


def _camera(size=(1280, 720)) -> Camera:
    intrinsics = np.array([[900.0, 0, 700], [0, 900.0, 340], [0, 0, 1]])
    view = cameras.look_at(np.array([2.0, 1.5, 4.0]), np.array([0.3, 1.0, 0.6]), roll=0.2)
    return Camera("front", intrinsics, np.zeros(5), view, size)


def _patch() -> Skin:
    """Return two triangles, one corner of which hangs on two bones."""
    return Skin(
        vertices=np.array([[0.0, 1, 0], [0.1, 1, 0], [0, 1.2, 0], [0.1, 1.2, 0.3]]),
        triangles=np.array([[0, 1, 2], [1, 3, 2]]),
        joints=np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 0], [3, 0, 0, 0]]),
        weights=np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [0.25, 0.75, 0, 0], [1, 0, 0, 0]]),
        normals=np.array([[0.0, 0, 1]] * 4),
        uvs=np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]),
    )


class TestBytes:
    def test_a_record_is_the_bytes_that_one_writes_by_hand(self):
        content = encode([Node("Ab", (True, 7, np.int64(-1), "x"), [Node("C", (), [])])])
        assert content[:27] == b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", 7400)
        values = b"C\x01" + b"I\x07\0\0\0" + b"L" + b"\xff" * 8 + b"S\x01\0\0\0x"
        inner_start = 27 + 13 + 2 + len(values)
        inner_end = inner_start + 13 + 1 + 13
        outer_end = inner_end + 13
        inner = struct.pack("<IIIB", inner_end, 0, 0, 1) + b"C" + bytes(13)
        outer = struct.pack("<IIIB", outer_end, 4, len(values), 2) + b"Ab" + values + inner + bytes(13)
        assert content[27 : outer_end + 13] == outer + bytes(13)

    def test_a_list_that_is_empty_is_closed_and_none_is_not(self):
        with_list, without = (encode([Node("A", (1,), children)]) for children in ([], None))
        assert struct.unpack_from("<I", with_list, 27)[0] == struct.unpack_from("<I", without, 27)[0] + 13

    @pytest.mark.parametrize("length", range(16))
    def test_the_version_in_the_footer_stands_on_a_multiple_of_16(self, length):
        content = encode([Node("A" * (length + 1))])
        assert (len(content) - 16 - 120 - 4) % 16 == 0
        assert struct.unpack_from("<I", content, len(content) - 140)[0] == 7400
        assert content.endswith(bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b"))

    def test_long_arrays_are_packed_and_short_ones_are_not(self):
        short, long = (encode([Node("A", (np.zeros(count),))]) for count in (16, 1000))
        assert struct.unpack_from("<III", short, 27 + 13 + 1 + 1) == (16, 0, 128)
        count, packing, size = struct.unpack_from("<III", long, 27 + 13 + 1 + 1)
        assert (count, packing) == (1000, 1) and size < 100

    def test_what_has_no_form_in_the_format_is_a_bug(self):
        with pytest.raises(TypeError, match="no value of type dict"):
            pack({})


class TestTime:
    def test_keys_of_29_97_are_rounded_one_by_one(self):
        times = key_times(17983, NTSC)
        # 46186158000 / 29.97... = 1541078138.6 ticks, so that five frames are a whole number of them.
        assert times[:3].tolist() == [0, 1541078139, 3082156277]
        assert times[5] == 7705390693 and times[1000] == 1541078138600
        # Ten minutes: 17982 frames later no tick is lost.
        assert times[17982] == round(Fraction(46186158000) * 17982 / NTSC)

    def test_hours_do_not_overflow(self):
        # Half an hour at 119.88: the product of frame, ticks and denominator has passed 2**63.
        rate, frames = Fraction(120000, 1001), 250_000
        assert frames * 46186158000 * 1001 > 2**63
        assert key_times(frames, rate)[-1] == round(Fraction(46186158000) * (frames - 1) / rate)

    @pytest.mark.parametrize(
        ("fps", "mode"),
        [
            (24, 11), (25, 10), (30, 6), (50, 4), (60, 3), (120, 1), (30000 / 1001, 9), (24000 / 1001, 13),
            (60000 / 1001, 17), (1000 / 7, 14), (12.5, 14),
        ],
    )  # fmt: skip
    def test_rates_have_their_name_and_keys_their_time(self, tmp_path, fps, mode):
        found = _seen(tmp_path, _rigged(_still(4), fps=fps))
        assert found["time_mode"] == mode
        # ufbx knows the named rates to four digits.
        assert found["fps"] == pytest.approx(fps, rel=1e-5 if mode != 14 else 1e-12)
        times = _curves(found, "Hips", "Lcl Translation")["X"]["times"]
        assert times == pytest.approx([k / fps for k in range(4)], abs=1e-10)
        assert found["takes"] == [["Take 001", 0.0, pytest.approx(3 / fps, abs=1e-10)]]


class TestCurves:
    def test_a_quarter_turn_of_the_left_arm_is_the_number_one_computes_by_hand(self, tmp_path):
        turns = _still(2)
        turns[:, SMPL24.at("left_shoulder")] = [np.sqrt(0.5), 0, 0, -np.sqrt(0.5)]
        found = _seen(tmp_path, _rigged(turns, np.tile([1.0, 2.0, 3.0], (2, 1))))
        arm = {part: curve["values"] for part, curve in _curves(found, "LeftArm", "Lcl Rotation").items()}
        assert arm == {"X": [0, 0], "Y": [0, 0], "Z": [-90, -90]}
        root = _curves(found, "Hips", "Lcl Translation")
        assert [root[part]["values"][0] for part in "XYZ"] == [100, 200, 300]

    def test_the_turn_about_x_comes_first(self, tmp_path):
        # Rz(90) Rx(90), by quaternions: (1 + i)(1 + k) in the order k after i is (1, 1, 1, 1) / 2.
        turns = _still(1)
        turns[0, 0] = [0.5, 0.5, 0.5, 0.5]
        found = _seen(tmp_path, _rigged(turns))
        hips = _curves(found, "Hips", "Lcl Rotation")
        assert [round(hips[part]["values"][0], 4) for part in "XYZ"] == [90, 0, 90]

    def test_a_pirouette_counts_past_a_full_turn(self, tmp_path):
        turns = _still(61)
        turns[:, 0] = rotations.about_axis("X", np.linspace(0, 4 * np.pi, 61))
        hips = _curves(_seen(tmp_path, _rigged(turns)), "Hips", "Lcl Rotation")
        np.testing.assert_allclose(hips["X"]["values"], np.linspace(0, 720, 61), atol=1e-4)

    def test_no_curve_jumps(self, tmp_path):
        rng = np.random.default_rng(3)
        turns = _still(200)
        phase = np.cumsum(rng.normal(0, 0.1, (200, 24, 3)), axis=0)
        turns[:] = rotations.from_rotvec(phase)
        found = _seen(tmp_path, _rigged(turns))
        angles = [curve for curve in found["curves"] if curve["property"] == "Lcl Rotation"]
        for curve in angles:
            # Near the pole the outer angles may turn by half a circle in a frame, but never by a whole one.
            assert np.abs(np.diff(curve["values"])).max() <= 181
            assert curve["kinds"] == ["LINEAR"]

    def test_what_never_moves_has_its_keys_at_both_ends_and_the_root_has_all(self, tmp_path):
        found = _seen(tmp_path, _rigged(_still(9)))
        assert len(_curves(found, "Hips", "Lcl Translation")["Y"]["times"]) == 9
        for part in "XYZ":
            assert _curves(found, "LeftFoot", "Lcl Rotation")[part]["times"] == pytest.approx([0, 8 / 30])

    def test_one_frame_is_enough(self, tmp_path):
        found = _seen(tmp_path, _rigged(_still(1), np.array([[0, 1.0, 0]])), times=[0.0])
        assert _curves(found, "Hips", "Lcl Translation")["Y"]["values"] == [100]
        assert found["warnings"] == []


class TestPlaces:
    def test_left_is_left_and_the_toes_point_forward(self, tmp_path):
        for options in (CM, Z_UP):
            found = _seen(tmp_path, _rigged(), options, times=[0.0])
            names = [node["name"] for node in found["nodes"]]
            place = dict(zip(names, _y_up(found["frames"][0], options.up), strict=True))
            assert place["LeftHand"][0] > 0 > place["RightHand"][0]
            assert place["LeftToeBase"][2] > place["LeftFoot"][2] + 5
            assert place["Head"][1] > place["LeftFoot"][1] + 100

    def test_the_file_says_its_unit_and_its_axes(self, tmp_path):
        found = _seen(tmp_path, _rigged())
        assert (found["unit_metres"], found["axes"]) == (0.01, ["POSITIVE_X", "POSITIVE_Y", "POSITIVE_Z"])
        found = _seen(tmp_path, _rigged(), ExportOptions(unit="m", up="z"))
        assert (found["unit_metres"], found["axes"]) == (1.0, ["POSITIVE_X", "POSITIVE_Z", "NEGATIVE_Y"])

    @pytest.mark.parametrize("template", ["native", "ue5"])
    def test_the_bind_pose_holds_every_bone_at_rest(self, tmp_path, template):
        rigged = rig(walker(2).motion, ExportOptions(template=template))
        (pose,) = _seen(tmp_path, rigged)["poses"]
        assert sorted(name for name, _ in pose) == sorted(rigged.names)
        xyz, turned = rigged.rest_world()
        for name, matrix in pose:
            bone = rigged.names.index(name)
            np.testing.assert_allclose(matrix[3], 100 * xyz[bone], atol=1e-4)
            axes = rotations.to_matrix(turned[bone]).T
            np.testing.assert_allclose(matrix[:3], axes, atol=1e-6)

    def test_bones_have_no_rotation_of_their_own_at_rest(self, tmp_path):
        """The rest is the joint's orientation, so that curves are zero in the T-pose."""
        rigged = rig(walker(2).motion, ExportOptions(template="ue5"))
        for node in _seen(tmp_path, rigged)["nodes"]:
            if not node["is_root"]:
                assert node["props"]["Lcl Rotation"][:3] == [0, 0, 0]
                assert node["props"]["RotationActive"][0] == 1

    def test_a_name_with_a_colon_stays_and_one_with_a_zero_byte_is_refused(self, tmp_path):
        rigged = _rigged()
        named = replace(rigged, names=("mixamorig:Hüfte", *rigged.names[1:]))
        assert "mixamorig:Hüfte" in [node["name"] for node in _seen(tmp_path, named)["nodes"]]
        with pytest.raises(InvalidData, match="zero byte"):
            fbx.encode(replace(rigged, names=("a\0b", *rigged.names[1:])), CM)


class TestContacts:
    def test_feet_have_switches_that_hold_until_the_next_key(self, tmp_path):
        contacts = np.zeros((6, 4), dtype=bool)
        contacts[2:5, CONTACT_POINTS.index("left_heel")] = True
        found = _seen(tmp_path, replace(_rigged(_still(6)), contacts=contacts))
        heel = _curves(found, "LeftFoot", "contact_left_heel")["X"]
        assert heel["times"] == pytest.approx([0, 2 / 30, 5 / 30]) and heel["values"] == [0, 1, 0]
        assert heel["kinds"] == ["CONSTANT_PREV"]
        user = {node["name"]: node["user"] for node in found["nodes"] if node["user"]}
        assert user == {
            "LeftFoot": ["contact_left_heel"], "LeftToeBase": ["contact_left_big_toe"],
            "RightFoot": ["contact_right_heel"], "RightToeBase": ["contact_right_big_toe"],
        }  # fmt: skip
        assert found["warnings"] == []

    def test_a_motion_of_unknown_contacts_has_none(self, tmp_path):
        assert not any(node["user"] for node in _seen(tmp_path, _rigged())["nodes"])


class TestCamera:
    @pytest.mark.parametrize("options", [CM, Z_UP])
    def test_it_stands_and_looks_as_it_did(self, tmp_path, options):
        camera = _camera()
        found = _seen(tmp_path, replace(_rigged(), camera=camera), options)
        node = next(node for node in found["nodes"] if node["name"] == "front")
        matrix = _y_up(node["world"], options.up)
        np.testing.assert_allclose(matrix[3], [200, 150, 400], atol=1e-9)
        right, down, ahead = camera.cam_from_world[:3, :3]
        # The format's camera looks along its own +X, with +Y up.
        np.testing.assert_allclose(matrix[:3], [ahead, -down, right], atol=1e-9)
        assert node["parent"] == "" and found["warnings"] == []

    def test_its_lens_is_the_intrinsics(self, tmp_path):
        (lens,) = _seen(tmp_path, replace(_rigged(), camera=_camera()))["cameras"]
        # 36 mm of film for 1280 px: 900 px are 25.3125 mm. Half of the picture is 640 px / 900 px.
        assert lens["focal_mm"] == pytest.approx(25.3125)
        wide, high = np.degrees(2 * np.arctan([640 / 900, 360 / 900]))
        assert lens["fov_deg"] == pytest.approx([wide, high], rel=1e-6)
        # The principal point is 60.5 px right of the middle: the film lies to the left, 36 / 1280 mm a pixel.
        assert lens["offset_inch"][0] == pytest.approx(-60.5 * 36 / 1280 / 25.4)
        # And 19.5 px above the middle: the film lies below.
        assert lens["offset_inch"][1] == pytest.approx(-19.5 * 36 / 1280 / 25.4)
        assert lens["resolution"] == [1280, 720]

    def test_oblong_pixels_make_the_film_taller(self, tmp_path):
        camera = _camera()
        intrinsics = camera.intrinsics.copy()
        intrinsics[1, 1] = 880.0
        (lens,) = _seen(tmp_path, replace(_rigged(), camera=replace(camera, intrinsics=intrinsics)))[
            "cameras"
        ]
        assert lens["film_inch"] == pytest.approx([36 / 25.4, 720 * 25.3125 / 880 / 25.4])

    def test_it_gives_way_to_a_bone_of_the_same_name(self, tmp_path):
        named = replace(_rigged(), camera=replace(_camera(), name="Hips"))
        found = _seen(tmp_path, named)
        assert [each["name"] for each in found["cameras"]] == ["Hips_camera"]


class TestSkin:
    @pytest.mark.parametrize("options", [CM, ExportOptions(unit="m", up="z")])
    def test_the_mesh_hangs_on_every_bone(self, tmp_path, options):
        rigged, skin = _rigged(), _patch()
        found = _seen(tmp_path, rigged, options, skin)
        (mesh,) = found["meshes"]
        vertices = _y_up(np.array(mesh["vertices"]) * found["unit_metres"], options.up)
        np.testing.assert_allclose(vertices, skin.vertices, atol=1e-12)
        assert mesh["indices"] == skin.triangles.ravel().tolist()
        np.testing.assert_allclose(_y_up(mesh["normals"], options.up)[0], [0, 0, 1], atol=1e-12)
        assert mesh["uvs"] == skin.uvs.tolist() and mesh["materials"] == 1
        clusters = {each["bone"]: each for each in mesh["clusters"]}
        assert sorted(clusters) == sorted(rigged.names)
        assert clusters["Hips"]["vertices"] == [0, 1, 2] and clusters["Hips"]["weights"] == [1, 1, 0.25]
        spine = clusters[rigged.names[3]]
        assert spine["vertices"] == [2, 3] and spine["weights"] == [0.75, 1]
        assert sum(len(each["vertices"]) for each in clusters.values()) == 5
        assert found["warnings"] == []

    def test_bones_are_bound_where_they_rest(self, tmp_path):
        rigged = _rigged()
        (mesh,) = _seen(tmp_path, rigged, CM, _patch())["meshes"]
        xyz, turned = rigged.rest_world()
        binds = inverse_binds(xyz, turned)
        for each in mesh["clusters"]:
            bone = rigged.names.index(each["bone"])
            np.testing.assert_allclose(each["bind"][3], 100 * xyz[bone], atol=1e-9)
            np.testing.assert_allclose(each["mesh_to_bone"][3], 100 * binds[bone, :3, 3], atol=1e-9)

    def test_a_skin_for_another_rig_is_refused(self):
        skin = _patch()
        other = replace(skin, joints=skin.joints + 24)
        with pytest.raises(InvalidData, match="names bone 27, but the rig has 24"):
            fbx.encode(_rigged(), CM, other)

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("triangles", np.array([[0, 1, 4]]), "vertices that do not exist"),
            ("weights", np.full((4, 4), 0.2), "sum to 1"),
            ("weights", np.array([[2.0, -1, 0, 0]] * 4), "must be positive"),
            ("joints", np.full((4, 4), -1), "must not be negative"),
            ("normals", np.full((4, 3), np.inf), "normals holds NaN or infinity"),
            ("vertices", np.full((4, 3), np.nan), "NaN"),
        ],
    )
    def test_a_skin_that_contradicts_itself_is_refused(self, field, value, message):
        with pytest.raises(InvalidData, match=message):
            replace(_patch(), **{field: value})

    def test_inverse_binds_take_a_bone_to_its_own_origin(self):
        xyz = np.array([[0.0, 1, 0], [1, 2, 3]])
        turned = rotations.from_rotvec(np.array([[0, 0, 0], [0, 0, np.pi / 2]]))
        binds = inverse_binds(xyz, turned)
        np.testing.assert_allclose(binds[1] @ [1, 2, 3, 1], [0, 0, 0, 1], atol=1e-12)
        # A point one metre along the world's +Y from a bone turned a quarter about +Z lies on the bone's own +X.
        np.testing.assert_allclose(binds[1] @ [1, 3, 3, 1], [1, 0, 0, 1], atol=1e-12)


def test_numbers_of_objects_are_unique_and_the_bytes_the_same_every_time():
    rigged = replace(_rigged(), camera=_camera(), contacts=np.ones((2, 4), dtype=bool))
    first, second = (fbx.encode(rigged, CM, _patch()) for _ in range(2))
    assert first == second
    from mocaplift.export.fbx.parsing import parse

    numbers = [record.values[0] for record in parse(first).first("Objects").children]
    assert len(set(numbers)) == len(numbers)
    counted = {
        record.values[0]: record.first("Count").values[0]
        for record in parse(first).first("Definitions").all("ObjectType")
    }
    names = sorted(record.name for record in parse(first).first("Objects").children)
    for name, group in itertools.groupby(names):
        assert counted[name] == len(list(group))
