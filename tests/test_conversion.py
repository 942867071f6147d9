"""Conversion: every joint is where it was, foreign skeletons stay theirs, and what a format cannot say is told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import rotations, store
from mocaplift.cli import cli
from mocaplift.errors import InvalidData
from mocaplift.export import TEMPLATES, ExportOptions, Rigged, export
from mocaplift.kinematics import joints_of
from mocaplift.layouts import SMPL24
from mocaplift.reading import read_recording
from mocaplift.values import Capture, SkeletonMotion
from tests.export.bvh_reader import positions, read
from tests.export.fbx_seen import seen
from tests.reading.test_bvh import SMALL
from tests.train.recordings import DAZ, daz_bvh
from tests.walker import walker

READ = (".bvh", ".fbx", ".glb", ".npz", ".smpl.npz")
SAME = 1e-5  # m: text rounds to a micrometre, FBX's and GLB's floats at 10 m to half of one
SAME_TURN = 0.01  # degrees


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["convert", *(str(each) for each in arguments)], prog_name="mocaplift")


def convert(source: Path, suffix: str, *flags: str) -> Path:
    out = source.with_name(f"out{len(list(source.parent.iterdir()))}{suffix}")
    result = call(source, "-o", out, *flags)
    assert result.exit_code == 0, result.output
    return out


def joints_in(path: Path) -> dict[str, np.ndarray]:
    """Return where our joints are in the world, metres."""
    recording = read_recording(path)
    xyz, _ = recording.rigged.world()
    return {joint: xyz[:, bone] for joint, bone in recording.joints.items()}


def bones_in(path: Path) -> dict[str, np.ndarray]:
    rigged = read_recording(path).rigged
    xyz, _ = rigged.world()
    return {name: xyz[:, bone] for bone, name in enumerate(rigged.names)}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Return a BVH file of CMU's names: it walks along, waves an arm, and bends."""
    t = np.linspace(0, 1, 24)
    moves = {
        ("hip", "Zposition"): 100 * t,
        ("hip", "Yrotation"): 200 * t,
        ("lShldr", "Zrotation"): 80 * np.sin(6 * t),
        ("lForeArm", "Yrotation"): -120 * t,
        ("rThigh", "Xrotation"): -40 * np.sin(9 * t),
        ("abdomen", "Xrotation"): 25 * t,
    }
    path = tmp_path / "take.bvh"
    path.write_text(daz_bvh(24, moves, 1 / 24), encoding="utf-8")
    return path


@pytest.mark.parametrize("into", READ)
@pytest.mark.parametrize("source", READ)
def test_every_pair_of_formats_keeps_every_joint_in_every_frame(tmp_path, source, into):
    walk = walker(20, heading=1.0)
    export(walk.motion, tmp_path / f"in{source}")
    there = joints_in(convert(tmp_path / f"in{source}", into))
    own = joints_of(walk.motion).xyz
    assert set(there) == set(SMPL24.joints)
    for joint, path in there.items():
        np.testing.assert_allclose(path, own[:, SMPL24.at(joint)], atol=SAME)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_a_rig_of_ours_comes_back_to_our_skeleton(tmp_path, template):
    walk = walker(8).motion
    for suffix in (".bvh", ".fbx", ".glb"):
        export(walk, tmp_path / f"in{suffix}", ExportOptions(template=template))
        there = joints_in(convert(tmp_path / f"in{suffix}", ".npz", "--template", "native"))
        for joint, path in joints_in_motion(walk).items():
            if joint.endswith(("ankle", "wrist", "knee", "elbow", "hip")):
                np.testing.assert_allclose(there[joint], path, atol=SAME)


def joints_in_motion(motion: SkeletonMotion) -> dict[str, np.ndarray]:
    xyz = joints_of(motion).xyz
    return {joint: xyz[:, SMPL24.at(joint)] for joint in SMPL24.joints}


class TestForeignSkeletons:
    def test_bvh_to_fbx_to_bvh_keeps_names_hierarchy_and_turns(self, foreign):
        back = convert(convert(foreign, ".fbx"), ".bvh")
        before, after = read_recording(foreign).rigged, read_recording(back).rigged
        assert before.names == after.names and before.parents == after.parents
        assert after.fps == Fraction(24)
        worst = np.degrees(rotations.angle_between(before.rotations, after.rotations).max())
        assert worst < SAME_TURN
        np.testing.assert_allclose(before.world()[0], after.world()[0], atol=SAME)

    def test_a_reader_of_our_own_making_finds_the_same_places(self, foreign):
        """Neither of our readers is asked: the text is read by matrices, before and after."""
        first, second = (read(path.read_text()) for path in (foreign, convert(foreign, ".bvh")))
        for row, again in zip(first[2], second[2], strict=True):
            before, after = positions(first[0], row), positions(second[0], again)
            assert set(before) == set(after)
            for name, place in before.items():
                np.testing.assert_allclose(after[name], place, atol=1e-3)  # cm

    def test_ufbx_finds_the_same_places(self, foreign):
        nodes, _, table = read(foreign.read_text())
        scene = seen(convert(foreign, ".fbx"), [0.0, 23 / 24])
        names = [node["name"] for node in scene["nodes"]]
        for moment, row in zip(scene["frames"], (table[0], table[-1]), strict=True):
            found = positions(nodes, row)
            for name in DAZ:
                np.testing.assert_allclose(moment[names.index(name)], found[name], atol=1e-3)  # cm

    @pytest.mark.parametrize("suffix", [".fbx", ".glb", ".npz", ".bvh"])
    def test_a_bone_is_where_it_was(self, foreign, suffix):
        before, after = bones_in(foreign), bones_in(convert(foreign, suffix))
        assert list(before) == list(after)
        for name, path in before.items():
            np.testing.assert_allclose(after[name], path, atol=SAME)

    @pytest.mark.parametrize("suffix", [".smpl.npz", ".angles.csv", ".trc", ".c3d"])
    def test_formats_of_a_body_take_it(self, foreign, suffix):
        assert convert(foreign, suffix).stat().st_size > 1000

    def test_a_template_is_put_on_it_where_one_is_asked_for(self, foreign):
        before = joints_in(foreign)
        for flags in (["--template", "mixamo"], ["--preset", "unreal"], ["--proportions", "template"]):
            after = joints_in(convert(foreign, ".fbx", *flags))
            assert set(before) <= set(after)
            if "--proportions" not in flags:
                np.testing.assert_allclose(after["left_wrist"], before["left_wrist"], atol=SAME)
        assert "mixamorig:Hips" in bones_in(convert(foreign, ".fbx", "--template", "mixamo"))

    def test_a_mesh_is_put_on_it(self, foreign):
        assert convert(foreign, ".glb", "--mesh").stat().st_size > 50_000

    def test_rate_place_root_and_rest_frame_are_those_asked_for(self, foreign):
        flags = ("--fps", "120", "--in-place", "--root", "floor", "--rest-frame")
        rigged = read_recording(convert(foreign, ".fbx", *flags)).rigged
        assert rigged.fps == Fraction(120) and len(rigged) == 23 * 5 + 2
        assert rigged.names[:2] == ("Root", "hip")
        xyz, _ = rigged.world()
        np.testing.assert_allclose(xyz[1:, :2, [0, 2]], 0, atol=SAME)

    def test_markers_take_the_rate_that_is_asked_for(self, foreign):
        lines = convert(foreign, ".trc", "--fps", "120").read_text().splitlines()
        assert lines[2].split("\t")[0] == "120" and len(lines) == 5 + 23 * 5 + 1

    def test_a_root_that_carries_the_hips_goes_into_them_where_bones_may_not_move(self, foreign):
        with_root = convert(foreign, ".fbx", "--root", "floor")
        own = store.load(convert(with_root, ".npz"))
        assert own.skeleton.layout.joints[0] == "hip"
        np.testing.assert_allclose(own.root, bones_in(foreign)["hip"], atol=SAME)
        still = read_recording(convert(with_root, ".fbx", "--in-place")).rigged
        np.testing.assert_allclose(still.world()[0][:, :2, [0, 2]], 0, atol=SAME)

    def test_names_that_no_format_holds_are_made_plain(self, tmp_path):
        text = SMALL.replace("JOINT limb", "JOINT left 手").replace("ROOT body", "ROOT left 手")
        (tmp_path / "odd.bvh").write_text(text, encoding="utf-8")
        for suffix in (".bvh", ".fbx", ".glb", ".trc"):
            out = convert(tmp_path / "odd.bvh", suffix)
            if suffix != ".trc":
                assert read_recording(out).rigged.names == ("left_手", "left_手_2")

    def test_a_skeleton_that_is_no_body_is_told_apart(self, tmp_path):
        (tmp_path / "arm.bvh").write_text(SMALL, encoding="utf-8")
        for into, flags in ((".smpl.npz", ()), (".fbx", ("--template", "ue5")), (".glb", ("--mesh",))):
            result = call(tmp_path / "arm.bvh", "-o", tmp_path / f"out{into}", *flags)
            assert result.exit_code == 3 and "no bone is known by its name as left_hip" in result.output
        assert convert(tmp_path / "arm.bvh", ".fbx").stat().st_size > 1000

    def test_a_bone_that_changes_its_length_is_refused_where_it_cannot_be_said(self, tmp_path):
        text = SMALL.replace("CHANNELS 3 Yrotation Zrotation Xrotation", "CHANNELS 1 Xposition", 1)
        other = "JOINT other\n{\nOFFSET 0 9 0\nCHANNELS 0\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\nJOINT limb"
        text = text.replace("JOINT limb", other)
        text = text.replace("0 0 0 0 0 0 0 0 0", "0 0 0 0 0 0 10").replace("90 90 90 0", "90 14")
        (tmp_path / "arm.bvh").write_text(text, encoding="utf-8")
        result = call(tmp_path / "arm.bvh", "-o", tmp_path / "out.npz")
        assert result.exit_code == 3 and "'limb' moves away from its parent (frame 1)" in result.output
        assert "limb" in bones_in(convert(tmp_path / "arm.bvh", ".fbx"))


class TestUnitsAndAxes:
    @pytest.mark.parametrize(
        ("factor", "unit"), [(1.0, "cm"), (0.01, "m"), (10.0, "mm"), (0.45 / 2.54, "CMU")]
    )
    def test_the_unit_is_told_by_the_body(self, foreign, factor, unit):
        rigged = read_recording(foreign).rigged
        by_hand = _scaled_text(foreign.read_text(), factor)
        foreign.write_text(by_hand)
        recording = read_recording(foreign)
        assert recording.unit == unit
        np.testing.assert_allclose(recording.rigged.world()[0], rigged.world()[0], atol=1e-4)

    def test_it_may_be_said(self, foreign):
        as_metres = joints_in(convert(foreign, ".glb", "--from-unit", "mm"))
        tall = joints_in(convert(foreign, ".glb", "--height", "80cm"))
        thigh = {name: np.linalg.norm(each["left_knee"][0] - each["left_hip"][0]) for name, each in
                 (("mm", as_metres), ("height", tall))}  # fmt: skip
        assert thigh["mm"] == pytest.approx(0.040, abs=1e-6)
        assert thigh["height"] == pytest.approx(0.8 * 0.491 / 2, abs=1e-6)

    def test_a_file_with_z_up_stands_up(self, tmp_path):
        walk = walker(10).motion
        export(walk, tmp_path / "z.bvh", ExportOptions(up="z"))
        result = call(tmp_path / "z.bvh", "-o", tmp_path / "y.glb")
        assert "+Z up" in result.output
        for joint, path in joints_in(tmp_path / "y.glb").items():
            np.testing.assert_allclose(path, joints_in_motion(walk)[joint], atol=SAME)

    def test_an_smpl_file_without_a_rate_needs_one(self, tmp_path):
        np.savez(tmp_path / "pose.npz", poses=np.zeros((5, 72)), trans=np.zeros((5, 3)))
        result = call(tmp_path / "pose.npz", "-o", tmp_path / "a.bvh")
        assert result.exit_code == 3 and "--from-fps" in result.output
        result = call(tmp_path / "pose.npz", "-o", tmp_path / "a.bvh", "--from-fps", "60")
        assert result.exit_code == 0 and "60 fps" in result.output

    def test_broadcast_rates_stay_exact(self, tmp_path):
        walk = replace(walker(30).motion, fps=30000 / 1001)
        export(walk, tmp_path / "a.bvh")
        for suffix in READ:
            rigged = read_recording(convert(tmp_path / "a.bvh", suffix)).rigged
            assert Fraction(rigged.fps) == Fraction(30000, 1001)


def _scaled_text(text: str, factor: float) -> str:
    """Return a BVH text in another unit: offsets and the root's three positions times the factor."""
    lines = text.splitlines()
    begin = lines.index("MOTION") + 3
    for at, line in enumerate(lines):
        words = line.split()
        if words and words[0] == "OFFSET":
            lines[at] = "OFFSET " + " ".join(str(float(word) * factor) for word in words[1:])
        elif at >= begin:
            lines[at] = " ".join([*(str(float(word) * factor) for word in words[:3]), *words[3:]])
    return "\n".join(lines) + "\n"


class TestOurOwnFiles:
    def test_contacts_go_from_bones_to_bones(self, tmp_path):
        walk = walker(30)
        source = tmp_path / "walk.npz"
        store.save(_capture(walk), source)
        for suffix in (".fbx", ".glb"):
            contacts = read_recording(convert(convert(source, ".fbx"), suffix)).rigged.contacts
            np.testing.assert_array_equal(contacts, walk.contacts)

    def test_every_flag_of_export_does_what_it_does_there(self, tmp_path):
        walk = walker(12).motion
        export(walk, tmp_path / "in.npz")
        options = ExportOptions(template="ue5", root="floor", fps="60", rest_frame=True, unit="m", up="z")
        export(walk, tmp_path / "there.bvh", options)
        flags = ["--template=ue5", "--root=floor", "--fps=60", "--rest-frame", "--units=m", "--up=z"]
        assert (
            convert(tmp_path / "in.npz", ".bvh", *flags).read_bytes() == (tmp_path / "there.bvh").read_bytes()
        )


def _capture(walk) -> Capture:
    return Capture([], [], [], walk.keypoints, walk.motion, walk.contacts, {})


class TestTheVerb:
    def test_it_never_writes_over_a_file_unasked(self, foreign, tmp_path):
        (tmp_path / "there.fbx").write_text("mine")
        result = call(foreign, "-o", tmp_path / "there.fbx")
        assert result.exit_code == 1 and "--overwrite" in result.output
        assert (tmp_path / "there.fbx").read_text() == "mine"
        assert call(foreign, "-o", tmp_path / "there.fbx", "--overwrite").exit_code == 0
        assert "it is the input itself" in call(foreign, "-o", foreign, "--overwrite").output

    def test_it_tells_what_was_read_and_assumed(self, foreign, tmp_path):
        said = call(foreign, "-o", tmp_path / "a.fbx").output
        assert "BVH, 24 frames at 24 fps, 19 bones, unit cm, +Y up" in said
        assert f"wrote {tmp_path / 'a.fbx'}" in said

    def test_an_unknown_format_is_told_before_anything_is_read(self, tmp_path):
        result = call(tmp_path / "nothing.bvh", "-o", tmp_path / "a.xyz")
        assert result.exit_code == 2 and "unknown format" in result.output

    def test_a_rig_may_be_given_as_a_value(self, foreign, tmp_path):
        rigged = read_recording(foreign).rigged
        assert isinstance(rigged, Rigged)
        export(rigged, tmp_path / "a.bvh", ExportOptions(fps="30"))
        assert read_recording(tmp_path / "a.bvh").rigged.fps == Fraction(30)
        with pytest.raises(InvalidData, match="our skeleton first"):
            export(rigged, tmp_path / "a.smpl.npz")
