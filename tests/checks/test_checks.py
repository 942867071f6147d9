"""Every defect is found where it was planted, and nothing is found in what is good."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import rotations
from mocaplift.checks import CHECKS, PROBLEM, Finding, check
from mocaplift.checks.feet import HEEL_BEHIND, _away
from mocaplift.checks.finding import shown, spans_of
from mocaplift.cli import cli
from mocaplift.export import EXPORTERS, PRESETS, ExportOptions, Rigged, export, rig
from mocaplift.layouts import SMPL24, SMPL_PARENTS
from mocaplift.reading import read_recording
from mocaplift.reading.recording import Recording
from mocaplift.values import Skeleton, SkeletonMotion
from tests.reading.test_bvh import SMALL
from tests.walker import walker

SAMPLES = Path(__file__).parents[2] / "sample_videos"
FPS = 30
READ = (".bvh", ".fbx", ".glb", ".npz", ".smpl.npz")


def problems(recording: Recording) -> dict[str, Finding]:
    return {each.kind: each for each in check(recording) if each.level == PROBLEM}


def recorded(motion: SkeletonMotion | Rigged) -> Recording:
    return Recording(motion if isinstance(motion, Rigged) else rig(motion, ExportOptions()), "test")


def sample(name: str) -> SkeletonMotion:
    """Return the true motion of a sample video."""
    with np.load(SAMPLES / f"{name}.truth.npz") as truth:
        turns = rotations.normalize(truth["rotations"].astype(float))
        skeleton = Skeleton(SMPL24, SMPL_PARENTS, truth["offsets"].astype(float))
        return SkeletonMotion(skeleton, turns, truth["root"].astype(float), float(truth["fps"]))


@pytest.fixture(scope="module")
def walk() -> SkeletonMotion:
    return walker(120, fps=FPS).motion


def moved(motion: SkeletonMotion, by: np.ndarray, frames: slice = slice(None)) -> SkeletonMotion:
    root = motion.root.copy()
    root[frames] += by
    return replace(motion, root=root)


def turned(motion: SkeletonMotion, joint: str, by: np.ndarray, frames: slice | int) -> SkeletonMotion:
    turns = motion.rotations.copy()
    at = SMPL24.at(joint)
    turns[frames, at] = rotations.multiply(
        turns[frames, at], rotations.from_rotvec(np.asarray(by, dtype=float))
    )
    return replace(motion, rotations=turns)


class TestGoodFiles:
    @pytest.mark.parametrize("suffix", READ)
    @pytest.mark.parametrize("name", ["walk", "salsa", "karate"])
    def test_true_motions_of_people_have_no_problem_in_any_format(self, tmp_path, name, suffix):
        export(sample(name), tmp_path / f"a{suffix}")
        assert check(read_recording(tmp_path / f"a{suffix}")) == []

    @pytest.mark.parametrize("preset", sorted(PRESETS))
    def test_every_preset_is_fine(self, tmp_path, walk, preset):
        for suffix in (".bvh", ".fbx", ".glb"):
            export(walk, tmp_path / f"a{suffix}", PRESETS[preset])
            assert problems(read_recording(tmp_path / f"a{suffix}")) == {}

    @pytest.mark.parametrize("fps", [24, 25, 30000 / 1001, 60, 120, 240])
    def test_every_rate_is_fine(self, fps):
        assert check(recorded(walker(int(3 * fps), fps=fps).motion)) == []

    @pytest.mark.parametrize(
        "options",
        [
            ExportOptions(in_place=True),
            ExportOptions(rest_frame=True),
            ExportOptions(fps="60"),
            ExportOptions(template="ue5", proportions="template", root="floor"),
        ],
    )
    def test_every_choice_is_fine(self, tmp_path, options):
        export(sample("karate"), tmp_path / "a.fbx", options)
        assert problems(read_recording(tmp_path / "a.fbx")) == {}

    def test_a_pose_of_one_frame_is_noted(self, walk):
        pose = replace(walk, rotations=walk.rotations[:1], root=walk.root[:1])
        assert [(each.level, each.kind) for each in check(recorded(pose))] == [("note", "rate")]

    def test_a_body_that_lies_down_is_no_wrong_axis(self, walk):
        lies = rotations.from_rotvec(np.array([np.pi / 2, 0, 0]))
        turns = walk.rotations.copy()
        turns[:, 0] = rotations.multiply(lies, turns[:, 0])
        assert "up_axis" not in problems(recorded(replace(walk, rotations=turns)))

    def test_ten_thousand_frames_take_seconds(self):
        long = recorded(walker(10_000, fps=120).motion)
        began = time.perf_counter()
        assert check(long) == []
        assert time.perf_counter() - began < 10


class TestFeet:
    def test_a_standing_foot_that_is_dragged_slides(self, walk):
        drift = np.zeros((120, 3))
        drift[:, 0] = 0.2 * np.arange(120) / FPS  # m: sideways at 0.2 m/s
        found = problems(recorded(moved(walk, drift)))
        assert set(found) == {"foot_slide"}
        slide = found["foot_slide"]
        # A foot stands flat from 8 to 40 % of a stride of 1.1 s: 0.35 s, 7 cm.
        assert slide.size == pytest.approx(0.07, abs=0.02) and len(slide.frames) >= 2
        assert "foot slides by up to" in slide.message

    def test_a_whole_body_that_skates_is_found_too(self, walk):
        drift = np.zeros((120, 3))
        drift[:, 2] = 1.0 * np.arange(120) / FPS
        assert "foot_slide" in problems(recorded(moved(walk, drift)))

    def test_only_the_frames_that_slide_are_told(self, walk):
        drift = np.zeros((120, 3))
        drift[60:, 0] = 0.3 * np.arange(60) / FPS
        frames = problems(recorded(moved(walk, drift)))["foot_slide"].frames
        assert min(first for first, _ in frames) >= 40 and max(last for _, last in frames) > 80

    @pytest.mark.parametrize("pivot", [0.0, HEEL_BEHIND, 1 + HEEL_BEHIND])
    def test_a_foot_turns_about_its_heel_its_ankle_or_its_ball(self, pivot):
        along = np.array(
            [HEEL_BEHIND, 1 + HEEL_BEHIND]
        )  # ankle and ball, in lengths between them from the heel
        angle = np.linspace(0, np.pi / 2, 10)
        ahead = np.stack([np.sin(angle), np.zeros(10), np.cos(angle)], axis=-1)
        ankle, ball = 0.13 * (along - pivot)[:, None, None] * ahead
        assert _away([ankle, ball], ((0, 9),)) == pytest.approx(0, abs=1e-12)
        drawn = [each + [0.3, 0, 0] * np.linspace(0, 1, 10)[:, None] for each in (ankle, ball)]
        assert _away(drawn, ((0, 9),)).max() > 0.1

    def test_a_body_on_the_spot_is_noted_only(self, walk):
        on_spot = replace(walk, root=walk.root * [0, 1, 0])
        found = check(recorded(on_spot))
        assert [(each.level, each.kind) for each in found] == [("note", "foot_slide")]

    def test_feet_in_the_floor_are_found_in_their_frames(self, walk):
        found = problems(recorded(moved(walk, np.array([0, -0.06, 0]), slice(50, 71))))
        ((first, last),) = found["floor"].frames
        assert 50 <= first <= 52 and 68 <= last <= 70
        assert 50 <= found["floor"].worst <= 70 and found["floor"].size < 0.03

    def test_four_centimetres_are_enough(self, walk):
        assert set(problems(recorded(moved(walk, np.array([0, -0.04, 0]))))) == {"floor"}

    def test_a_floating_body_is_found(self, walk):
        found = problems(recorded(moved(walk, np.array([0, 0.12, 0]))))
        assert set(found) == {"floor"} and "they stay 13 cm above" in found["floor"].message

    @pytest.mark.parametrize("suffix", [".bvh", ".fbx", ".glb", ".smpl.npz"])
    def test_what_is_wrong_is_wrong_in_every_format(self, tmp_path, walk, suffix):
        export(moved(walk, np.array([0, -0.08, 0])), tmp_path / f"a{suffix}")
        assert "floor" in problems(read_recording(tmp_path / f"a{suffix}"))


class TestMovement:
    @pytest.mark.parametrize("fps", [30, 60, 120])
    def test_shaking_is_found_where_it_is(self, fps):
        motion = walker(4 * fps, fps=fps).motion
        noise = np.radians(1.5) * np.random.default_rng(3).standard_normal((2 * fps, 3))
        found = problems(recorded(turned(motion, "left_shoulder", noise, slice(fps, 3 * fps))))
        assert set(found) == {"jitter"}
        ((first, last),) = found["jitter"].frames
        assert abs(first - fps) < fps / 3 and abs(last - 3 * fps) < fps / 3
        assert "Left" in found["jitter"].message and "Right" not in found["jitter"].message
        assert 0.002 < found["jitter"].size < 0.03

    def test_shaking_that_was_resampled_is_found(self, tmp_path):
        noise = np.radians(2.0) * np.random.default_rng(3).standard_normal((120, 3))
        shaken = turned(walker(120, fps=30).motion, "right_shoulder", noise, slice(None))
        export(shaken, tmp_path / "a.glb", ExportOptions(fps="120"))
        assert "Right" in problems(read_recording(tmp_path / "a.glb"))["jitter"].message

    def test_noise_too_small_to_see_is_left_alone(self, walk):
        noise = np.radians(0.03) * np.random.default_rng(3).standard_normal((120, 3))
        assert problems(recorded(turned(walk, "left_shoulder", noise, slice(None)))) == {}

    @pytest.mark.parametrize("joint", ["left_elbow", "head", "right_hip"])
    def test_a_flip_of_one_frame_is_found(self, walk, joint):
        found = problems(recorded(turned(walk, joint, [0, np.radians(120), 0], 64)))
        assert found["flips"].frames == ((64, 65),)
        assert found["flips"].size == pytest.approx(120, abs=12) and found["flips"].unit == "deg"

    def test_a_pop_that_stays_is_found_at_its_frame(self, walk):
        found = problems(recorded(turned(walk, "spine2", [0, np.radians(60), 0], slice(80, None))))
        assert found["flips"].frames == ((80, 80),)

    def test_a_body_that_leaps_is_found(self, walk):
        found = problems(recorded(moved(walk, np.array([0.7, 0, 0]), slice(33, None))))
        assert found["flips"].frames == ((33, 33),)
        assert found["flips"].unit == "m" and found["flips"].size == pytest.approx(0.7, abs=0.05)

    def test_angles_that_jump_by_a_turn_are_found(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        lines = (tmp_path / "a.bvh").read_text().splitlines()
        at = lines.index("MOTION") + 3 + 40
        words = lines[at].split()
        words[3] = f"{float(words[3]) + 360:.6f}"
        lines[at] = " ".join(words)
        (tmp_path / "a.bvh").write_text("\n".join(lines))
        found = problems(read_recording(tmp_path / "a.bvh"))
        assert set(found) == {"flips"} and found["flips"].frames == ((40, 41),)
        assert "angles of Hips" in found["flips"].message

    def test_frames_that_are_there_twice_are_found(self, walk):
        twice = replace(
            walk,
            rotations=np.repeat(walk.rotations, 2, axis=0),
            root=np.repeat(walk.root, 2, axis=0),
            fps=60.0,
        )
        found = problems(recorded(twice))
        assert found["rate"].frames[0] == (1, 1) and "50% of the frames repeat" in found["rate"].message
        assert "about 30 frames per second" in found["rate"].message

    @pytest.mark.parametrize(
        ("fps", "level"), [(37.5, "note"), (30.303, "note"), (4.0, PROBLEM), (2000.0, PROBLEM)]
    )
    def test_rates_that_no_program_knows_are_told(self, walk, fps, level):
        found = [each for each in check(recorded(replace(walk, fps=fps))) if each.kind == "rate"]
        assert [each.level for each in found] == [level]

    def test_nothing_that_moves_is_noted(self, walk):
        still = replace(
            walk, rotations=np.repeat(walk.rotations[:1], 90, axis=0), root=np.repeat(walk.root[:1], 90, 0)
        )
        assert [each.message for each in check(recorded(still))] == ["nothing moves: every frame is the same"]


class TestBody:
    def test_left_and_right_exchanged_are_found(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        text = (tmp_path / "a.bvh").read_text()
        text = text.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        (tmp_path / "a.bvh").write_text(text)
        found = problems(read_recording(tmp_path / "a.bvh"))
        assert set(found) == {"names"} and "left and right are exchanged" in found["names"].message

    @pytest.mark.parametrize("suffix", [".bvh", ".fbx", ".glb"])
    @pytest.mark.parametrize("template", ["native", "ue5", "rigify"])
    def test_so_are_they_on_every_rig(self, tmp_path, walk, template, suffix):
        rigged = rig(walk, ExportOptions(template=template))
        names = {joint: name for joint, name in zip(rigged.joints, rigged.names, strict=True) if joint}
        other = {names[a]: names[b] for a, b in _both_ways(names)}
        swapped = replace(
            rigged,
            names=tuple(other.get(name, name) for name in rigged.names),
            joints=(None,) * len(rigged.names),
        )
        export(swapped, tmp_path / f"a{suffix}")
        assert (
            "left and right are exchanged"
            in problems(read_recording(tmp_path / f"a{suffix}"))["names"].message
        )

    def test_arms_alone_exchanged_are_found(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        text = (tmp_path / "a.bvh").read_text()
        for part in ("Shoulder", "Arm", "ForeArm", "Hand", "Fingers"):
            text = text.replace(f" Left{part}\n", f" ?{part}\n").replace(f" Right{part}\n", f" Left{part}\n")
            text = text.replace(f" ?{part}\n", f" Right{part}\n")
        (tmp_path / "a.bvh").write_text(text)
        assert "left and right of the arms" in problems(read_recording(tmp_path / "a.bvh"))["names"].message

    def test_one_pair_exchanged_is_found(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        text = (tmp_path / "a.bvh").read_text()
        text = text.replace("LeftLeg", "?").replace("RightLeg", "LeftLeg").replace("?", "RightLeg")
        (tmp_path / "a.bvh").write_text(text)
        assert "does not hang on" in problems(read_recording(tmp_path / "a.bvh"))["names"].message

    def test_names_that_break_programs_are_found(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        text = (tmp_path / "a.bvh").read_text()
        (tmp_path / "a.bvh").write_text(text.replace("Spine2", "Upper Spine").replace("Spine1", "Spine"))
        found = [each for each in check(read_recording(tmp_path / "a.bvh")) if each.kind == "names"]
        assert ["'Spine'" in found[0].message, "'Upper Spine'" in found[1].message] == [True, True]

    def test_no_body_is_noted(self, tmp_path):
        (tmp_path / "arm.bvh").write_text(SMALL)
        found = check(read_recording(tmp_path / "arm.bvh"))
        assert [(each.level, each.kind) for each in found if each.level != PROBLEM] == [("note", "names")]

    @pytest.mark.parametrize(
        ("factor", "said"), [(100, "written as centimetres"), (0.01, "taken for metres")]
    )
    def test_a_giant_and_a_dwarf_are_found(self, walk, factor, said):
        big = replace(walk, skeleton=replace(walk.skeleton, offsets=walk.skeleton.offsets * factor))
        big = replace(big, root=walk.root * factor)
        assert said in problems(recorded(big))["scale"].message

    def test_units_that_programs_do_not_expect_are_found(self, tmp_path, walk):
        rigged = rig(walk, ExportOptions())
        big = replace(rigged, offsets=rigged.offsets * 10, places={0: rigged.places[0] * 10})
        export(big, tmp_path / "mm.bvh")
        found = problems(read_recording(tmp_path / "mm.bvh"))
        assert set(found) == {"scale"} and "in mm" in found["scale"].message

    def test_a_leg_longer_than_the_other_is_found(self, walk):
        offsets = walk.skeleton.offsets.copy()
        offsets[SMPL24.at("left_ankle")] *= 1.25
        found = problems(recorded(replace(walk, skeleton=replace(walk.skeleton, offsets=offsets))))
        assert "knee to ankle: 51.2 cm on the left, but 41.0 cm on the right" in found["scale"].message

    @pytest.mark.parametrize(
        ("turn", "axis"), [([np.pi / 2, 0, 0], "+Z"), ([0, 0, np.pi / 2], "-X"), ([np.pi, 0, 0], "-Y")]
    )
    def test_a_body_along_another_axis_is_found(self, tmp_path, walk, turn, axis):
        rigged, by = rig(walk, ExportOptions()), rotations.from_rotvec(np.array(turn))
        rest, turns, offsets = rigged.rest.copy(), rigged.rotations.copy(), rigged.offsets.copy()
        rest[0], turns[:, 0] = rotations.multiply(by, rest[0]), rotations.multiply(by, turns[:, 0])
        offsets[0] = rotations.rotate(by, offsets[0])
        places = {0: rotations.rotate(by, rigged.places[0])}
        laid = replace(rigged, rest=rest, rotations=turns, offsets=offsets, places=places)
        for suffix in (".fbx", ".glb"):
            export(laid, tmp_path / f"a{suffix}")
            assert (
                f"stands along {axis}" in problems(read_recording(tmp_path / f"a{suffix}"))["up_axis"].message
            )

    def test_a_bvh_file_with_z_up_is_noted(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh", ExportOptions(up="z"))
        found = check(read_recording(tmp_path / "a.bvh"))
        assert [(each.level, each.kind) for each in found] == [("note", "up_axis")]

    def test_a_bone_that_stretches_is_found_in_its_frames(self, tmp_path, walk):
        rigged = rig(walk, ExportOptions())
        knee = rigged.joints.index("left_knee")
        path = np.repeat(rigged.offsets[knee][None], len(walk.root), axis=0)
        path[40:50] *= 1.2
        export(replace(rigged, places=dict(rigged.places) | {knee: path}), tmp_path / "a.fbx")
        found = problems(read_recording(tmp_path / "a.fbx"))["bone_lengths"]
        assert found.frames == ((40, 49),) and found.size == pytest.approx(0.2 * 0.42, abs=1e-3)
        assert "LeftLeg" in found.message


def _both_ways(names: dict[str, str]) -> list[tuple[str, str]]:
    pairs = [(joint, joint.replace("left", "right")) for joint in names if joint.startswith("left")]
    return pairs + [(right, left) for left, right in pairs]


class TestFrames:
    def test_stretches_of_frames(self):
        flags = np.array([1, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
        assert spans_of(flags) == ((0, 1), (3, 3), (7, 7))
        assert spans_of(flags, 10, bridge=1) == ((10, 13), (17, 17))
        assert spans_of(np.zeros(3, dtype=bool)) == ()

    def test_they_are_written_as_people_write_them(self):
        assert shown(((3, 3),), 3) == "frame 3"
        assert shown(((3, 3), (5, 9)), 7) == "frames 3, 5-9; worst at 7"
        assert shown(tuple((k, k) for k in range(0, 20, 2))).endswith("10, and 4 more")


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *(str(each) for each in arguments)], prog_name="mocaplift")


class TestTheVerb:
    def test_a_good_file_is_no_problem(self, tmp_path, walk):
        export(walk, tmp_path / "a.bvh")
        result = call(tmp_path / "a.bvh")
        assert result.exit_code == 0 and result.output.splitlines() == [
            f"{tmp_path / 'a.bvh'}: BVH, 120 frames at 30 fps, 24 bones, a body of 1.69 m, unit cm, +Y up",
            "no problems",
        ]

    def test_a_problem_is_a_sentence_and_an_exit_code(self, tmp_path, walk):
        export(moved(walk, np.array([0, -0.08, 0])), tmp_path / "a.bvh", ExportOptions(in_place=True))
        result = call(tmp_path / "a.bvh")
        assert result.exit_code == 1
        lines = result.output.splitlines()
        assert lines[1].startswith("problem: floor: the body is in the floor: the ")
        assert "frames 0-" in lines[1] and lines[2].startswith("note: foot slide: ")
        assert lines[-1] == "1 problem, 1 note"

    def test_json_has_everything(self, tmp_path, walk):
        export(turned(walk, "head", [0, 2, 0], 64), tmp_path / "a.glb")
        told = json.loads(call(tmp_path / "a.glb", "--json").output)
        assert told["format"] == "GLB" and told["fps"] == 30.0 and told["frames"] == 120
        (problem,) = told["problems"]
        assert problem["kind"] == "flips" and problem["frames"] == [[64, 65]] and problem["unit"] == "deg"

    def test_its_help_tells_the_exit_codes_and_every_check(self):
        said = " ".join(call("--help").output.split())
        assert (
            "Exit code: 0" in said and "1 where one is" in said and "3 where the file cannot be read" in said
        )
        words = {"bone_lengths": "length", "foot_slide": "slide"}
        assert [kind for kind in CHECKS if words.get(kind, kind.replace("_", " ")) not in said] == []

    def test_what_cannot_be_read_is_told(self, tmp_path):
        assert call(tmp_path / "nothing.bvh").exit_code == 3
        for suffix in (".trc", ".c3d", ".angles.csv"):
            (tmp_path / f"a{suffix}").write_bytes(EXPORTERS[suffix](walker(4).motion, ExportOptions()))
            result = call(tmp_path / f"a{suffix}")
            assert result.exit_code == 2 and "of no kind that is read" in result.output
