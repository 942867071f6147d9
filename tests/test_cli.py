"""The command line as it is typed: verbs, flags, sentences, exit codes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mocaplift import export, store
from mocaplift.batch import Outcome
from mocaplift.cli import cli, with_verb
from mocaplift.cli.flags import Height, Moment, Names
from mocaplift.cli.screen import Screen
from mocaplift.cli.summary import describe
from mocaplift.detect import DETECTORS
from mocaplift.jobs import Job
from mocaplift.lift import AUTO, LIFTERS
from mocaplift.options import FOOT_LOCKS, PERSON_POLICIES
from mocaplift.takes import Take, single
from tests.fit.test_smpl import arrays
from tests.walker import walker

LONGEST_WAIT_FOR_HELP = 0.5  # s, the best of three: other work on the machine is not ours


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="mocaplift")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def motion(here: Path) -> Path:
    path = here / "walk.npz"
    store.save(walker(frames=8).motion, path)
    return path


class TestVerbs:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("video.mp4 -o out.bvh", "capture video.mp4 -o out.bvh"),
            ("-o out.bvh video.mp4", "capture -o out.bvh video.mp4"),
            ("capture video.mp4", "capture video.mp4"),
            ("detect.mp4", "capture detect.mp4"),
            ("./detect", "capture ./detect"),
            ("takes/*.mp4", "capture takes/*.mp4"),
            ("export walk.npz", "export walk.npz"),
            ("doctor", "doctor"),
            ("--help", "--help"),
            ("", ""),
        ],
    )
    def test_a_line_without_a_verb_is_a_capture(self, here: Path, typed: str, meant: str) -> None:
        assert with_verb(typed.split()) == meant.split()

    def test_a_file_named_like_a_verb_is_captured(self, here: Path) -> None:
        (here / "fit").write_bytes(b"video")
        assert with_verb(["fit", "-o", "out.bvh"]) == ["capture", "fit", "-o", "out.bvh"]

    def test_a_verb_with_something_to_work_on_stays_a_verb(self, here: Path) -> None:
        for name in ("fit", "walk.npz", "doctor"):
            (here / name).write_bytes(b"")
        assert with_verb(["fit", "walk.npz"]) == ["fit", "walk.npz"]
        assert with_verb(["doctor"]) == ["doctor"]
        (here / "export").mkdir()
        assert with_verb(["export"]) == ["export"]

    def test_a_misspelt_verb_is_suggested(self, here: Path) -> None:
        with pytest.raises(click.UsageError, match="did you mean 'evaluate'"):
            with_verb(["evalute", "samples"])
        assert call("doctr").exit_code == 2

    def test_a_file_that_looks_like_a_misspelt_verb_is_a_file(self, here: Path) -> None:
        (here / "doctr").write_bytes(b"video")
        assert with_verb(["doctr"]) == ["capture", "doctr"]


class TestHelp:
    def test_it_names_verbs_flags_and_examples(self) -> None:
        shown = call("--help")
        assert shown.exit_code == 0
        for word in ("capture", "doctor", "--height", "--overlay", "mocaplift walk.mp4 -o walk.bvh"):
            assert word in shown.output

    def test_it_names_every_choice_there_is(self) -> None:
        shown = call("--help").output
        names = [suffix.split(".")[1] for suffix in export.EXPORTERS] + [*export.PRESETS]
        names += [*PERSON_POLICIES, *FOOT_LOCKS, *DETECTORS, *LIFTERS, AUTO]
        assert [name for name in names if name not in shown] == []

    def test_it_answers_at_once(self) -> None:
        waits = []
        for _ in range(3):
            begun = time.monotonic()
            subprocess.run([sys.executable, "-m", "mocaplift", "--help"], check=True, capture_output=True)
            waits.append(time.monotonic() - begun)
        assert min(waits) < LONGEST_WAIT_FOR_HELP

    def test_nothing_typed_shows_help(self) -> None:
        assert "Usage: mocaplift VIDEO..." in call().output

    def test_version(self) -> None:
        shown = call("--version")
        assert (shown.exit_code, shown.output) == (0, "mocaplift 0.1.0\n")


class TestFlags:
    @pytest.mark.parametrize(
        ("text", "metres"),
        [
            ("1.78", 1.78),
            ("1,78", 1.78),
            ("1.78m", 1.78),
            ("178cm", 1.78),
            ("178 CM", 1.78),
            ("1780mm", 1.78),
            ("5ft10", 1.778),
            ("5'10\"", 1.778),
            ("5' 10", 1.778),
            ("6ft", 1.8288),
            ("70in", 1.778),
        ],
    )
    def test_heights_as_people_write_them(self, text: str, metres: float) -> None:
        assert Height().convert(text, None, None) == pytest.approx(metres, abs=1e-9)

    @pytest.mark.parametrize("text", ["tall", "", "5ft10cm", "-1.7", "1.7.8", "178 km"])
    def test_what_is_no_height(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is no height"):
            Height().convert(text, None, None)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("62.5", 62.5), ("62.5s", 62.5), ("1:02.5", 62.5), ("1:00:02", 3602.0), ("0", 0.0)],
    )
    def test_times_as_people_write_them(self, text: str, seconds: float) -> None:
        assert Moment().convert(text, None, None) == pytest.approx(seconds, abs=1e-9)

    @pytest.mark.parametrize("text", ["soon", "", "1:2:3:4", "-5", "1:-5"])
    def test_what_is_no_time(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is no time"):
            Moment().convert(text, None, None)

    def test_names_with_commas(self) -> None:
        assert Names().convert("BVH, .smpl", None, None) == ("bvh", "smpl")
        with pytest.raises(click.BadParameter, match="empty name"):
            Names().convert("bvh,,npz", None, None)


class TestUsageErrors:
    @pytest.mark.parametrize(
        ("line", "code", "sentence"),
        [
            ("video.mp4 --heigth 1.8", 2, "--heigth"),
            ("video.mp4 --height tall", 2, "is no height; write 1.78, 178cm or 5ft10"),
            ("video.mp4 --height 178", 2, "write 178cm or 5ft10"),
            ("video.mp4 --foot-lock often", 2, "'often' is not one of"),
            ("video.mp4 --person biggest", 2, "--person knows largest"),
            ("video.mp4 --start 5 --end 2", 2, "must come after --start"),
            ("video.mp4 --fov 60 --focal 900", 2, "give one of them"),
            ("video.mp4 --preset blendr", 2, "known: blender, maya"),
            ("video.mp4 --format bhv", 2, "did you mean 'bvh'?"),
            ("video.mp4 -o out.dae", 2, ".dae is no format that is written here"),
            ("a.mp4 b.mp4 -o out.bvh", 2, "there are 2 videos"),
            ("video.mp4 --overlay video.mp4", 2, "is the input itself"),
            ("video.mp4 --viewer page.mp4", 2, "pages are written as .html"),
            ("--calib cams.json", 2, "no video is named"),
            ("a.mp4 b.mp4 --sync auto", 2, "give --calib as well"),
            ("--calib cams.json a.mp4 --fov 60", 2, "--calib cams.json says what --fov says"),
            ("--calib cams.json a.mp4 --pitch 5", 2, "--calib cams.json says what --pitch says"),
            ("--calib cams.json a.mp4 b.mp4", 3, "a.mp4: no such file"),
            ("export walk.npz --format dae", 2, "there is no format 'dae'"),
            ("export none.npz", 3, "no such file"),
            ("evaluate speed none.mp4", 3, "none.mp4"),
            ("train prior none", 3, "none"),
            ("train prior none --set medoid=3", 2, "did you mean 'medoids'?"),
        ],
    )
    def test_they_are_sentences_with_their_exit_code(
        self, here: Path, line: str, code: int, sentence: str
    ) -> None:
        shown = call(*line.split())
        assert sentence in shown.stderr
        assert "Traceback" not in shown.stderr
        assert shown.exit_code == code
        assert list(here.iterdir()) == []


class TestMissingLibraries:
    @pytest.mark.parametrize(
        ("reason", "advice"),
        [
            ("libGL.so.1: cannot open shared object file", "apt-get install libgl1 libglib2.0-0"),
            ("No module named 'scipy'", "mocaplift doctor"),
        ],
    )
    def test_they_are_sentences_that_say_what_to_install(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, reason: str, advice: str
    ) -> None:
        def fail(*_: object) -> None:
            raise ImportError(reason)

        monkeypatch.setattr("mocaplift.takes.find_takes", fail)
        shown = call("video.mp4")
        assert shown.exit_code == 1
        assert shown.stderr.startswith(f"error: {reason}; ")
        assert advice in shown.stderr


class TestExport:
    def test_formats_and_units(self, motion: Path) -> None:
        shown = call(
            "export", motion, "-o", motion.parent / "out.bvh", "--format", "bvh,smpl", "--units", "m"
        )
        assert shown.exit_code == 0, shown.stderr
        text = (motion.parent / "out.bvh").read_text()
        hips = np.array(text.partition("JOINT LeftUpLeg")[2].split("OFFSET")[1].split()[:3], dtype=float)
        assert hips == pytest.approx([0.09, -0.08, 0.0], abs=1e-6)
        assert set(np.load(motion.parent / "out.smpl.npz")) >= {"poses", "trans", "betas", "gender"}

    def test_flags_overrule_the_preset(self, motion: Path) -> None:
        line = ["export", motion, "--overwrite", "--preset", "unreal", "--format", "bvh"]
        assert call(*line, "--up", "y", "--template", "mixamo", "--fps", "60", "--in-place").exit_code == 0
        text = motion.with_suffix(".bvh").read_text()
        assert text.splitlines()[1] == "ROOT Root" and "JOINT mixamorig:Hips" in text
        assert "Frame Time: 0.016666666667\n" in text
        table = np.array(
            [line.split() for line in text.split("Frame Time:")[1].splitlines()[1:]], dtype=float
        )
        assert np.all(table[:, :3] == 0) and table[:, 7].min() > 50

    def test_a_preset_brings_its_format(self, motion: Path) -> None:
        assert call("export", motion, "--preset", "unity").exit_code == 0
        assert call("export", motion, "--preset", "opensim").exit_code == 0
        assert motion.with_suffix(".fbx").exists() and motion.with_suffix(".trc").exists()
        assert not motion.with_suffix(".bvh").exists()

    def test_what_no_preset_knows_is_said(self, motion: Path) -> None:
        for flag, value in (("--template", "ue9"), ("--fps", "31"), ("--preset", "houdini")):
            shown = call("export", motion, flag, value)
            assert shown.exit_code == 2 and f"'{value}'; known: " in shown.stderr

    def test_presets_tell_how_to_import(self) -> None:
        shown = call("presets")
        assert all(f"{name}: for " in shown.output for name in export.PRESETS)
        assert "Force Front XAxis" in call("presets", "unreal").output
        assert call("presets", "houdini").exit_code == 2

    def test_a_rest_frame_is_one_more(self, motion: Path) -> None:
        for flag, frames in (("--no-rest-frame", 8), ("--rest-frame", 9)):
            assert call("export", motion, "--overwrite", flag).exit_code == 0
            assert f"Frames: {frames}\n" in motion.with_suffix(".bvh").read_text()

    def test_files_are_not_replaced_unasked(self, motion: Path) -> None:
        target = motion.with_suffix(".bvh")
        target.write_text("an animator's week")
        assert call("export", motion).exit_code == 1
        assert target.read_text() == "an animator's week"
        assert call("export", motion, "--overwrite").exit_code == 0
        assert target.read_text().startswith("HIERARCHY")

    def test_the_input_is_never_replaced(self, motion: Path) -> None:
        before = motion.read_bytes()
        shown = call("export", motion, "-o", motion, "--overwrite")
        assert (shown.exit_code, motion.read_bytes()) == (2, before)

    def test_a_value_without_motion_is_refused(self, here: Path) -> None:
        store.save(walker(frames=4).keypoints, here / "points.npz")
        shown = call("export", here / "points.npz")
        assert shown.exit_code == 3
        assert "holds Motion3D, but a motion is needed" in shown.stderr

    @pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
    def test_damaged_files_are_said(self, here: Path, content: bytes) -> None:
        (here / "bad.npz").write_bytes(content)
        shown = call("export", "bad.npz")
        assert shown.exit_code == 3
        assert "bad.npz" in shown.stderr


class TestSmplModel:
    @pytest.fixture
    def model(self, here: Path) -> Path:
        for package in ("smplx", "torch", "trimesh"):
            pytest.importorskip(package, reason="pip install 'mocaplift[smplx]'")
        np.savez(here / "SMPL_FEMALE.npz", **arrays())
        return here / "SMPL_FEMALE.npz"

    def test_shape_pose_and_a_mesh_come_from_the_users_model(self, motion: Path, model: Path) -> None:
        shown = call("export", motion, "--format", "smpl", "--smpl-model", model, "--smpl-mesh", "body.ply")
        assert shown.exit_code == 0, shown.stderr
        assert "mm from ours on average" in shown.stdout
        written = np.load(motion.parent / "walk.smpl.npz")
        assert str(written["gender"]) == "female"
        assert np.abs(written["betas"]).max() > 0.01
        header = (motion.parent / "body.ply").read_bytes()[:200]
        assert header.startswith(b"ply")
        assert f"element vertex {len(arrays()['v_template'])}".encode() in header

    def test_a_mesh_needs_a_model(self, motion: Path) -> None:
        shown = call("export", motion, "--smpl-mesh", "body.ply")
        assert (shown.exit_code, "--smpl-mesh needs --smpl-model" in shown.stderr) == (2, True)

    def test_a_model_that_is_none_is_said(self, motion: Path, model: Path) -> None:
        (motion.parent / "bad.pkl").write_bytes(b"no model")
        assert call("export", motion, "--smpl-model", "none.pkl").exit_code == 3
        shown = call("export", motion, "--smpl-model", "bad.pkl")
        assert (shown.exit_code, "bad.pkl" in shown.stderr) == (3, True)


FACTS = {
    "duration_s": 6.0,
    "frames": 180,
    "fps": 30000 / 1001,
    "fps_exact": "30000/1001",
    "width_px": 720,
    "height_px": 1280,
    "rotation_deg": 90,
    "is_variable_rate": True,
    "complete": False,
    "person": 2,
    "people": 3,
    "seen_share": 0.97,
    "swaps_repaired": 1,
    "gaps_filled": 12,
    "camera_is_moving": True,
    "focal_px": 1180.4,
    "focal_source": "prior",
    "camera_pitch_deg": -4.2,
    "gravity_source": "contacts",
    "person_height_m": 1.724,
    "scale_source": "given",
    "contact_share": 0.61,
    "foot_slide_mm": 1.23,
    "reprojection_px": 6.06,
    "outputs": {"out.bvh": "sha"},
    "seconds": {"detect": 2.0},
}


OF_FOUR = {
    "videos": {"cam1": "a.mp4", "cam2": "b.mp4", "cam3": "c.mp4"},
    "calibration": "rigs/rig.toml",
    "calibration_format": "pose2sim",
    "calibration_reading": "inverse extrinsics",
    "calibration_px": 2.5,
    "sync_source": "motion",
    "sync_offsets_s": [0.0, -0.12, 0.04],
    "sync_error_ms": 4.2,
    "camera_seen_share": {"cam1": 1.0, "cam2": 0.97, "cam3": 0.0},
    "camera_reprojection_px": {"cam1": 4.0, "cam2": 26.0, "cam3": None},
    "lifter": "triangulate",
}


class TestSummary:
    def test_what_was_found_and_assumed_is_said(self) -> None:
        said = dict(describe(FACTS))
        assert said["video"].startswith(
            "6.0 s, 180 frames at 29.97 fps (30000/1001), 720 x 1280, turned by 90°"
        )
        assert "constant clock" in said["video"]
        assert "cut off" in said["video"]
        assert said["person"] == "number 2 of 3, seen in 97 % of the frames"
        assert said["repaired"] == "left and right exchanged in 1 frame, 12 missing points filled in"
        assert "MOVING" in said["camera"]
        assert "focal length 1180 px (assumed; --focal sets it)" in said["camera"]
        assert "looking 4° up (from the planted feet)" in said["camera"]
        assert said["scale"] == "1.72 m tall (given)"
        assert said["feet"] == "planted in 61 % of the frames, slide 1.2 mm per frame"
        assert said["fit"] == "6.1 px from the keypoints (median)"

    def test_several_cameras_are_told_one_by_one(self) -> None:
        facts = {key: value for key, value in FACTS.items() if key not in ("focal_px", "camera_pitch_deg")}
        facts |= OF_FOUR
        said = dict(describe(facts))
        assert (
            said["cameras"]
            == "3, which see cam1 100 %, cam2 97 %, cam3 0 %, from rig.toml (pose2sim), READ AS "
            "inverse extrinsics: that agrees with what they saw, 2.5 px apart"
        )
        assert (
            said["clock"] == "offsets found by motion: cam1 +0.000 s, cam2 -0.120 s, cam3 +0.040 s, to 4 ms"
        )
        assert said["camera"] == "MOVING: this is not compensated"
        assert said["fit"] == (
            "6.1 px from the keypoints (median), lifted by triangulate, cam2 26.0 px: moved, or on another clock?"
        )
        assert "clock" not in dict(describe(facts | {"sync_source": "same clock"}))

    def test_what_is_not_known_is_not_said(self) -> None:
        assert describe({}) == []
        assert describe({"reprojection_px": None, "person_height_m": None}) == []


def outcome(status: str = "done", **changes) -> Outcome:
    job = Job(single(Path("takes/walk [1].mp4")), Path("out"), (".bvh",))
    return Outcome(
        job, status, **({"reports": (FACTS,), "seconds": 3.0} if status == "done" else {}) | changes
    )


class TestScreen:
    def show(self, capsys: pytest.CaptureFixture[str], made: Outcome, **flags: bool) -> tuple[str, str]:
        screen = Screen(**flags)
        screen.begin(made.job, 1, 1)
        for done in range(3):
            screen.progress("detect", done + 1, 3)
        screen.end(made)
        screen.table([made])
        return capsys.readouterr()

    def test_without_a_terminal_lines_are_plain(self, capsys: pytest.CaptureFixture[str]) -> None:
        out, err = self.show(capsys, outcome())
        assert "takes/walk [1].mp4" in out
        assert "  detect 3 of 3" in out
        assert "  wrote     out.bvh (3.0 s)" in out
        assert "\x1b" not in out
        assert err == ""

    def test_quiet_prints_failures_only(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.show(capsys, outcome(), is_quiet=True) == ("", "")
        failed = outcome("failed", error="walk [1].mp4: broken", exit_code=3)
        assert self.show(capsys, failed, is_quiet=True) == ("", "error: walk [1].mp4: broken\n")

    def test_verbose_prints_times(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "detect 2.0 s" in self.show(capsys, outcome(), is_verbose=True)[0]

    def test_tracebacks_are_for_bugs_and_debug(self, capsys: pytest.CaptureFixture[str]) -> None:
        expected = outcome("failed", error="broken", exit_code=3, trace="Traceback: line 1")
        bug = outcome("failed", error="unexpected ValueError: x", exit_code=1, trace="Traceback: line 1")
        assert "Traceback" not in self.show(capsys, expected)[1]
        assert "Traceback" in self.show(capsys, expected, is_debug=True)[1]
        assert "Traceback" in self.show(capsys, bug)[1]

    def test_standard_output_is_left_to_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        out, err = self.show(capsys, outcome(), to_stderr=True)
        assert out == ""
        assert "wrote" in err

    def test_takes_are_called_takes(self, capsys: pytest.CaptureFixture[str]) -> None:
        clips = (Path("jump/cam1.mp4"), Path("jump/cam2.mp4"))
        job = Job(Take(clips, "jump", Path("jump"), ("cam1", "cam2")), Path("out"), (".bvh",))
        screen = Screen()
        screen.begin(job, 1, 2)
        screen.table([Outcome(job, "done")] * 2)
        out = capsys.readouterr().out
        assert out.startswith("[1/2] jump: cam1.mp4, cam2.mp4")
        assert "2 takes: 2 done" in out

    def test_a_batch_ends_with_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        failed = outcome("failed", error="broken", exit_code=3)
        Screen().table([outcome(), failed, outcome("interrupted"), outcome("not started")])
        out, err = capsys.readouterr()
        assert out.count("walk [1].mp4") == 4
        assert "4 videos: 1 done, 1 failed, 1 interrupted, 1 not started" in err
        assert "the same command again goes on" in err


class TestDoctor:
    def test_it_tells_what_is_here_as_text_and_as_json(self) -> None:
        shown, data = call("doctor"), call("doctor", "--json")
        findings = {each["subject"]: each for each in json.loads(data.stdout)}
        assert set(findings) >= {"machine", "video", "mediapipe", "weights", "disk", "mmpose"}
        assert findings["video"]["state"] == "ok"
        assert all(subject in shown.stdout for subject in findings)
        assert (
            shown.exit_code
            == data.exit_code
            == any(each["is_needed"] and each["state"] != "ok" for each in findings.values())
        )

    def test_what_is_needed_and_broken_decides(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mocaplift.resume.checksums_of_weights", dict)
        shown = call("doctor")
        assert shown.exit_code == 1
        assert "no weight files; reinstall mocaplift" in shown.stdout

    def test_a_check_that_fails_in_any_way_is_a_finding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> dict[str, Path]:
            raise RuntimeError("disk on fire")

        monkeypatch.setattr("mocaplift.resume.checksums_of_weights", broken)
        assert "RuntimeError: disk on fire" in call("doctor").stdout
