"""One failure never stops the rest, an interrupt loses nothing, finished work is recognised by its content."""

import gc
import json
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mocaplift import batch, report, resume
from mocaplift.batch import Outcome
from mocaplift.errors import NoPersonFound, OutputError, VideoError
from mocaplift.jobs import Job
from mocaplift.options import Options
from mocaplift.takes import Take, single


class Log:
    """A watcher that remembers what it heard."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.ended: list[Outcome] = []
        self.stages: list[tuple[str, int, int | None]] = []

    def begin(self, job: Job, place: int, total: int) -> None:
        self.begun.append((job.take.short, place, total))

    def progress(self, stage: str, done: int, total: int | None) -> None:
        self.stages.append((stage, done, total))

    def end(self, outcome: Outcome) -> None:
        self.ended.append(outcome)


def jobs_named(*names: str) -> list[Job]:
    return [Job(single(Path(f"{name}.mp4")), Path(name), (".bvh",)) for name in names]


def work_that_raises(failures: dict[str, BaseException]) -> batch.Work:
    def work(job, progress):
        progress("solve", 1, 2)
        if job.take.clips[0].stem in failures:
            raise failures[job.take.clips[0].stem]
        return "done", [{"input": job.take.label}]

    return work


def statuses(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {outcome.job.take.clips[0].stem: outcome.status for outcome in outcomes}


class TestRun:
    def test_a_failure_does_not_stop_the_rest(self) -> None:
        log = Log()
        failures = {"b": VideoError("b.mp4: broken"), "c": ZeroDivisionError("oops")}
        outcomes = batch.run(jobs_named("a", "b", "c", "d"), work_that_raises(failures), log)
        assert statuses(outcomes) == {"a": "done", "b": "failed", "c": "failed", "d": "done"}
        assert batch.exit_code(outcomes) == 6
        assert outcomes[1].error == "b.mp4: broken"
        assert outcomes[1].exit_code == 3
        assert "bug" in outcomes[2].error
        assert "ZeroDivisionError: oops" in outcomes[2].trace
        assert log.begun == [("a.mp4", 1, 4), ("b.mp4", 2, 4), ("c.mp4", 3, 4), ("d.mp4", 4, 4)]
        assert log.ended == outcomes
        assert ("solve", 1, 2) in log.stages

    @pytest.mark.parametrize(
        ("failure", "code"), [(NoPersonFound("nobody"), 4), (VideoError("gone"), 3), (ValueError("bug"), 1)]
    )
    def test_one_clip_gives_its_own_exit_code(self, failure: Exception, code: int) -> None:
        assert batch.exit_code(batch.run(jobs_named("a"), work_that_raises({"a": failure}), Log())) == code

    def test_several_clips_that_all_fail_give_6(self) -> None:
        failures = {"a": VideoError("x"), "b": VideoError("y")}
        assert batch.exit_code(batch.run(jobs_named("a", "b"), work_that_raises(failures), Log())) == 6

    def test_a_sentence_says_which_video_it_is_about(self) -> None:
        failures = {"a": NoPersonFound("nobody was found"), "b": VideoError("b.mp4: broken")}
        outcomes = batch.run(jobs_named("a", "b"), work_that_raises(failures), Log())
        assert [each.error for each in outcomes] == ["a.mp4: nobody was found", "b.mp4: broken"]

    def test_a_sentence_that_names_a_camera_s_video_or_the_calibration_needs_no_more(self) -> None:
        clips = (Path("d/cam1.mp4"), Path("d/cam2.mp4"))
        take = Take(clips, "d", Path("d"), ("cam1", "cam2"), Path("rig.toml"))
        said = []
        for text in ("cam2.mp4: broken", "rig.toml names camera 'a' twice", "nobody was found"):
            job = Job(take, Path("d/d"), (".bvh",))
            (outcome,) = batch.run([job], work_that_raises({"cam1": NoPersonFound(text)}), Log())
            said.append(outcome.error)
        assert said[:2] == ["cam2.mp4: broken", "rig.toml names camera 'a' twice"]
        assert said[2] == "d: cam1.mp4, cam2.mp4: nobody was found"
        assert batch.as_json([outcome])["clips"][0]["videos"] == [str(clip) for clip in clips]

    def test_success_and_skipping_give_0(self) -> None:
        assert batch.exit_code(batch.run(jobs_named("a", "b"), work_that_raises({}), Log())) == 0
        skipped = batch.run(jobs_named("a"), lambda job, progress: ("skipped", [{}]), Log())
        assert (skipped[0].status, batch.exit_code(skipped)) == ("skipped", 0)

    def test_an_interrupt_stops_the_batch_and_names_what_is_left(self) -> None:
        outcomes = batch.run(jobs_named("a", "b", "c"), work_that_raises({"b": KeyboardInterrupt()}), Log())
        assert statuses(outcomes) == {"a": "done", "b": "interrupted", "c": "not started"}
        assert batch.exit_code(outcomes) == 130

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            ("begin b", {"a": "done", "b": "interrupted", "c": "not started"}),
            ("end b", {"a": "done", "b": "done", "c": "interrupted"}),
            ("end c", {"a": "done", "b": "done", "c": "done"}),
        ],
    )
    def test_an_interrupt_between_two_clips_is_one_too(self, moment: str, expected: dict[str, str]) -> None:
        class Impatient(Log):
            def begin(self, job: Job, place: int, total: int) -> None:
                if moment == f"begin {job.take.clips[0].stem}":
                    raise KeyboardInterrupt

            def end(self, outcome: Outcome) -> None:
                if moment == f"end {outcome.job.take.clips[0].stem}" and outcome.status == "done":
                    raise KeyboardInterrupt

        assert statuses(batch.run(jobs_named("a", "b", "c"), work_that_raises({}), Impatient())) == expected

    def test_nothing_of_a_finished_clip_stays_in_memory(self) -> None:
        class Big:
            pass

        alive: list[weakref.ref] = []

        def work(job, progress):
            big = Big()
            alive.append(weakref.ref(big))
            if job.take.clips[0].stem == "b":
                raise VideoError("a failure keeps no frame of the stack alive either")
            return "done", [{"frames": 3}]

        outcomes = batch.run(jobs_named("a", "b", "c"), work, Log())
        gc.collect()
        assert [each() for each in alive] == [None, None, None]
        assert len(outcomes) == 3

    def test_json_has_an_entry_for_every_clip(self) -> None:
        outcomes = batch.run(
            jobs_named("a", "b"), work_that_raises({"b": VideoError("b.mp4: broken")}), Log()
        )
        found = json.loads(json.dumps(batch.as_json(outcomes)))
        assert found["exit_code"] == 6
        assert [clip["status"] for clip in found["clips"]] == ["done", "failed"]
        assert found["clips"][0]["reports"] == [{"input": "a.mp4"}]
        assert found["clips"][1]["error"] == "b.mp4: broken"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(b"pixels")
    return Job(single(clip), tmp_path / "out" / "walk", (".bvh",))


def clip_of(job: Job) -> Path:
    return job.take.clips[0]


def mark_of(job: Job, options: Options | None = None, export: dict | None = None) -> str:
    content = resume.checksum_of_take(job.take, lambda *_: None)
    return resume.fingerprint(job, content, options or Options(), export or {"unit": "cm"})


def leave_results(
    job: Job, *, people: Sequence[int] = (1,), status: str = "finished", mark: str = ""
) -> None:
    """Write what a run would leave: results and reports."""
    for person in people:
        names = {}
        place = job.report(person)
        for path in job.files(person):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"motion of {person} for {path.name}".encode())
            names[resume.relative(path, place.parent)] = (
                resume.checksum(path) if status == "finished" else None
            )
        facts = {
            "status": status,
            "input": str(clip_of(job).resolve()),
            "input_sha256": resume.checksum(clip_of(job)),
            "fingerprint": mark or mark_of(job),
            "people_written": len(people),
            "outputs": names,
        }
        report.write(place, facts)


class TestFingerprint:
    def test_it_is_the_same_for_the_same_work(self, job: Job, tmp_path: Path) -> None:
        copy = tmp_path / "elsewhere" / "copy.mp4"
        copy.parent.mkdir()
        copy.write_bytes(clip_of(job).read_bytes())
        assert mark_of(job) == mark_of(replace(job, take=single(copy), stem=tmp_path / "other"))

    def test_everything_that_decides_the_result_changes_it(
        self, job: Job, monkeypatch, tmp_path: Path
    ) -> None:
        marks = [
            mark_of(job),
            mark_of(job, Options(height=1.8)),
            mark_of(job, Options(person="all")),
            mark_of(job, export={"unit": "m"}),
            mark_of(replace(job, suffixes=(".bvh", ".npz"))),
            mark_of(replace(job, overlay=tmp_path / "check")),
        ]
        clip_of(job).write_bytes(b"other pixels")
        marks.append(mark_of(job))
        monkeypatch.setattr("mocaplift.__version__", "99.0")
        marks.append(mark_of(job))
        monkeypatch.setattr(resume, "checksums_of_weights", lambda: {"body": "0" * 64})
        marks.append(mark_of(job))
        assert len(set(marks)) == len(marks)

    def test_a_checkpoint_counts_by_content(self, job: Job, tmp_path: Path) -> None:
        checkpoint = tmp_path / "pose.pth"
        checkpoint.write_bytes(b"one")
        before = mark_of(job, Options(detector_weights=str(checkpoint)))
        checkpoint.write_bytes(b"two")
        assert mark_of(job, Options(detector_weights=str(checkpoint))) != before


class TestFinished:
    def test_whole_results_with_the_fingerprint_are_finished(self, job: Job) -> None:
        leave_results(job)
        (facts,) = resume.finished(job, mark_of(job))
        assert list(facts["outputs"]) == ["walk.bvh"]

    def test_files_alone_are_not(self, job: Job) -> None:
        leave_results(job)
        job.report(1).unlink()
        assert resume.finished(job, mark_of(job)) == []

    def test_a_changed_result_is_not(self, job: Job) -> None:
        leave_results(job)
        job.results(1)[".bvh"].write_bytes(b"edited")
        assert resume.finished(job, mark_of(job)) == []

    def test_a_missing_result_is_not(self, job: Job) -> None:
        leave_results(job)
        job.results(1)[".bvh"].unlink()
        assert resume.finished(job, mark_of(job)) == []

    def test_other_options_are_not(self, job: Job) -> None:
        leave_results(job)
        assert resume.finished(job, mark_of(job, Options(height=1.8))) == []

    def test_an_interrupted_run_is_not(self, job: Job) -> None:
        leave_results(job, status="started")
        assert resume.finished(job, mark_of(job)) == []

    def test_a_damaged_report_is_not_and_is_said(self, job: Job, caplog: pytest.LogCaptureFixture) -> None:
        leave_results(job)
        job.report(1).write_text('{"fingerprint": ')
        assert resume.finished(job, mark_of(job)) == []
        assert "not a readable report" in caplog.text

    def test_everybody_must_be_there(self, job: Job) -> None:
        many = replace(job, is_per_person=True)
        leave_results(many, people=(1, 4))
        assert len(resume.finished(many, mark_of(many))) == 2
        many.report(4).unlink()
        assert resume.finished(many, mark_of(many)) == []

    def test_results_and_report_can_move_together(self, job: Job, tmp_path: Path) -> None:
        leave_results(job)
        (tmp_path / "out").rename(tmp_path / "moved")
        assert resume.finished(replace(job, stem=tmp_path / "moved" / "walk"), mark_of(job))


class TestRefuseForeign:
    def check_may_write(self, job: Job) -> None:
        resume.refuse_foreign(job, resume.checksum(clip_of(job)))

    def test_an_empty_place_is_fine(self, job: Job) -> None:
        self.check_may_write(job)

    def test_a_file_of_somebody_else_is_never_replaced(self, job: Job) -> None:
        path = job.results(1)[".bvh"]
        path.parent.mkdir()
        path.write_bytes(b"an animator's week")
        with pytest.raises(OutputError, match=r"walk\.bvh is there already.*--overwrite"):
            self.check_may_write(job)

    def test_our_own_result_of_the_same_video_may_be_made_again(self, job: Job) -> None:
        leave_results(job, mark="of other options")
        self.check_may_write(job)
        clip_of(job).write_bytes(b"the same file, rendered again")
        self.check_may_write(job)

    def test_our_own_result_that_was_edited_is_never_replaced(self, job: Job) -> None:
        leave_results(job)
        job.results(1)[".bvh"].write_bytes(b"edited")
        with pytest.raises(OutputError, match="was changed since"):
            self.check_may_write(job)

    def test_the_result_of_another_video_is_never_replaced(self, job: Job, tmp_path: Path) -> None:
        leave_results(job)
        other = tmp_path / "other.mp4"
        other.write_bytes(b"other pixels")
        with pytest.raises(OutputError):
            self.check_may_write(replace(job, take=single(other)))

    def test_what_an_interrupt_left_may_be_replaced(self, job: Job) -> None:
        leave_results(job, status="started")
        self.check_may_write(job)

    def test_all_people_are_looked_at(self, job: Job) -> None:
        many = replace(job, is_per_person=True)
        leave_results(many, people=(1, 2))
        self.check_may_write(many)
        many.results(2)[".bvh"].write_bytes(b"edited")
        with pytest.raises(OutputError, match=r"walk_p2\.bvh"):
            self.check_may_write(many)


class TestChecksumOfClip:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none.mp4", "no such file"),
            ("empty.mp4", "the file is empty"),
            ("folder", "no videos in this folder"),
        ],
    )
    def test_what_cannot_be_a_video_is_said(self, tmp_path: Path, name: str, message: str) -> None:
        (tmp_path / "empty.mp4").touch()
        (tmp_path / "folder").mkdir()
        with pytest.raises(VideoError, match=message):
            resume.checksum_of_clip(tmp_path / name, lambda *_: None)

    def test_it_is_sha256_and_tells_how_far_it_is(self, tmp_path: Path) -> None:
        clip = tmp_path / "abc.mp4"
        clip.write_bytes(b"abc")
        heard: list[tuple] = []
        # FIPS 180-2, appendix B.1
        wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert resume.checksum_of_clip(clip, lambda *step: heard.append(step)) == wanted
        assert heard == [("read", 3, 3)]
