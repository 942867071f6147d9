"""From a capture to files and report: whole, resumable, and nothing of anybody else's replaced."""

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mocaplift import deliver, export, pipeline, report, resume, video
from mocaplift.calibrate import write_calibration
from mocaplift.cameras import intrinsics_from_focal, intrinsics_from_fov, look_at, project
from mocaplift.deliver import Order
from mocaplift.errors import CalibrationError, ConfigError, OutputError, VideoError
from mocaplift.jobs import Job
from mocaplift.layouts import BODY21
from mocaplift.options import Options
from mocaplift.takes import Take, find_takes, single
from mocaplift.values import Camera, Capture, Clip, Keypoints2D
from tests.walker import walker

FRAMES, FPS, SIZE = 6, 30, (96, 64)


def capture_of(clip, person: int = 1) -> Capture:
    """Return what a perfect pipeline would make of a walker seen from the front."""
    walk = walker(frames=FRAMES, fps=FPS)
    pose = look_at(np.array([0.0, 1.2, 6.0]), np.array([0.0, 1.0, 0.0]))
    camera = Camera("front", intrinsics_from_fov(60, SIZE), np.zeros(5), pose, SIZE)
    xy = project(camera, walk.keypoints.xyz)
    seen = Keypoints2D(xy, np.ones(xy.shape[:2]), BODY21, FPS, SIZE)
    facts = {"person": person, "people": 2, "frames": FRAMES, "fps": float(FPS), "seconds": {"solve": 0.5}}
    return Capture([clip], [camera], [seen], walk.keypoints, walk.motion, walk.contacts, facts)


def of_several(capture: Capture, clips: Sequence[Clip]) -> Capture:
    """Return the capture as if as many cameras had stood at the same place: cam1, cam2 and so on."""
    rig = [replace(capture.cameras[0], name=f"cam{number}") for number in range(1, len(clips) + 1)]
    return replace(capture, clips=clips, cameras=rig, views=[*capture.views] * len(clips))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    with video.write(path, Fraction(FPS), SIZE) as append:
        for shade in range(FRAMES):
            append(np.full((SIZE[1], SIZE[0], 3), 20 * shade, np.uint8))
    return path


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace detection and solving; the test says who is found, and sees how often it was asked."""
    found = [1]
    found_calls: list[int] = []

    def capture(paths, cameras, detector, options, progress):
        found_calls.append(1)
        progress("solve", 1, 1)
        clips = [video.probe(path) for path in paths]
        return [of_several(capture_of(clips[0], person), clips) for person in found]

    monkeypatch.setattr(pipeline, "capture", capture)
    monkeypatch.setattr(deliver, "load_detector_of", lambda options: object())
    capture.calls = found_calls  # type: ignore[attr-defined]
    return found


def take_of(clip: Path, calibration: Path) -> Take:
    """Return the clip twice, as if two cameras had filmed it."""
    clips = [clip.with_name(f"dance_cam{number}.mp4") for number in (1, 2)]
    for each in clips:
        each.write_bytes(clip.read_bytes())
    return find_takes([str(each) for each in clips], calibration)[0]


def rig_file(folder: Path, focal: float = 900.0) -> Path:
    """Write two cameras that face each other."""
    cameras = [
        Camera(f"cam{number}", intrinsics_from_focal(focal, (1280, 720)), np.zeros(5), pose, (1280, 720))
        for number, pose in enumerate(
            (look_at(np.array([0.0, 1.0, z]), np.array([0.0, 1.0, 0.0])) for z in (-4.0, 4.0)), start=1
        )
    ]
    write_calibration(cameras, folder / "cams.json")
    return folder / "cams.json"


def calls() -> int:
    return len(pipeline.capture.calls)  # type: ignore[attr-defined]


def work(job: Job, order: Order | None = None):
    return deliver.worker(order or Order())(job, lambda *_: None)


def job_of(clip: Path, **changes) -> Job:
    return replace(Job(single(clip), clip.parent / "out" / "walk", (".bvh", ".npz")), **changes)


def test_results_overlay_and_report_are_written(clip: Path, people: list[int]) -> None:
    job = job_of(clip, overlay=clip.parent / "check")
    status, (facts,) = work(job)
    folder = clip.parent / "out"
    assert status == "done"
    assert sorted(path.name for path in folder.iterdir()) == ["walk.bvh", "walk.npz", "walk.report.json"]
    assert video.probe(clip.parent / "check.mp4").frames == FRAMES
    assert (folder / "walk.bvh").read_text().startswith("HIERARCHY")
    written = report.read(folder / "walk.report.json")
    assert written == facts
    assert written["outputs"] == {
        "walk.bvh": resume.checksum(folder / "walk.bvh"),
        "walk.npz": resume.checksum(folder / "walk.npz"),
        "../check.mp4": resume.checksum(clip.parent / "check.mp4"),
    }
    assert written["status"] == "finished"
    assert written["input"] == str(clip)
    assert written["input_sha256"] == resume.checksum(clip)
    assert written["options"]["person"] == "largest"
    assert written["options"]["unit"] == "cm"
    assert set(written["seconds"]) == {"solve", "export", "overlay"}
    assert written["versions"]["numpy"] == np.__version__
    assert set(written) <= set(report.KEYS)


def test_everybody_gets_files_under_their_own_number(clip: Path, people: list[int]) -> None:
    people[:] = [1, 4]
    _, reports = work(job_of(clip, is_per_person=True, suffixes=(".bvh",)))
    names = sorted(path.name for path in (clip.parent / "out").iterdir())
    assert names == ["walk_p1.bvh", "walk_p1.report.json", "walk_p4.bvh", "walk_p4.report.json"]
    assert [facts["people_written"] for facts in reports] == [2, 2]


def test_everybody_has_a_page_that_the_report_names(clip: Path, people: list[int]) -> None:
    people[:] = [1, 4]
    job = job_of(clip, is_per_person=True, suffixes=(".bvh",), page=clip.parent / "pages" / "walk")
    _, reports = work(job)
    pages = [clip.parent / "pages" / f"walk_p{person}.html" for person in people]
    for page, facts in zip(pages, reports, strict=True):
        assert facts["outputs"][f"../pages/{page.name}"] == resume.checksum(page)
        assert "viewer" in facts["seconds"]
        text = page.read_text(encoding="utf-8")
        assert "<title>walk.mp4</title>" in text
        assert f"person {facts['person']} of 2" in text
        assert str(clip.parent) not in text  # a page is for others: it names no folder of this machine
    assert work(job)[0] == "skipped"
    pages[1].unlink()
    assert work(job)[0] == "done"
    pages[0].write_text("edited")
    with pytest.raises(OutputError, match="--overwrite"):
        work(job)
    assert work(replace(job, page=None))[0] == "done"


def test_a_take_has_one_motion_and_an_overlay_for_each_camera(
    clip: Path, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple] = []
    pretended = pipeline.capture

    def capture(paths, cameras, *rest):
        given.append((list(paths), cameras))
        return pretended(paths, cameras, *rest)

    monkeypatch.setattr(pipeline, "capture", capture)
    take = take_of(clip, rig_file(clip.parent))
    job = Job(take, clip.parent / "out" / "dance", (".bvh",), clip.parent / "out" / "dance")
    status, (facts,) = work(job)
    assert status == "done"
    ((paths, calibration),) = given
    assert paths == list(take.clips)
    assert [camera.name for camera in calibration.cameras] == ["cam1", "cam2"]
    names = ["dance.bvh", "dance.cam1.overlay.mp4", "dance.cam2.overlay.mp4", "dance.report.json"]
    assert sorted(path.name for path in (clip.parent / "out").iterdir()) == names
    assert set(facts["outputs"]) == set(names[:3])
    assert facts["videos"] == {
        f"cam{number}": str(clip.parent / f"dance_cam{number}.mp4") for number in (1, 2)
    }
    assert facts["input"] == str(clip.parent / "dance")
    assert (facts["calibration"], facts["calibration_format"]) == (str(take.calibration), "cams.json")
    assert set(facts) <= set(report.KEYS)
    assert work(job)[0] == "skipped"


def test_a_take_is_made_again_when_a_video_or_its_cameras_change(clip: Path, people: list[int]) -> None:
    calibration = rig_file(clip.parent)
    job = Job(take_of(clip, calibration), clip.parent / "out" / "dance", (".bvh",))
    assert [work(job)[0], work(job)[0]] == ["done", "skipped"]
    calibration.write_text(calibration.read_text().replace("\n", "\n "))
    assert work(job)[0] == "skipped"  # the cameras are the same, whatever the file looks like
    rig_file(clip.parent, focal=901.0)
    assert [work(job)[0], work(job)[0]] == ["done", "skipped"]
    with video.write(job.take.clips[1], Fraction(FPS), SIZE) as append:
        for _ in range(FRAMES):
            append(np.full((SIZE[1], SIZE[0], 3), 99, np.uint8))
    assert [work(job)[0], work(job)[0]] == ["done", "skipped"]
    swapped = replace(job, take=replace(job.take, clips=job.take.clips[::-1]))
    assert work(swapped)[0] == "done"  # offsets are given in their order


def test_results_of_other_videos_of_the_folder_are_not_replaced(clip: Path, people: list[int]) -> None:
    take = take_of(clip, rig_file(clip.parent))
    job = Job(take, clip.parent / "out" / "dance", (".bvh",))
    work(job)
    third = clip.with_name("dance_cam3.mp4")
    third.write_bytes(clip.read_bytes())
    other = replace(job, take=replace(take, clips=(*take.clips[:1], third)))
    with video.write(third, Fraction(FPS), SIZE) as append:
        append(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    with pytest.raises(OutputError, match=r"dance\.bvh is there already"):
        work(other)


def test_a_calibration_that_is_none_is_said_before_the_detector_is_loaded(
    clip: Path, people: list[int]
) -> None:
    take = take_of(clip, clip.parent / "none.json")
    with pytest.raises(CalibrationError, match=r"none\.json"):
        work(Job(take, clip.parent / "out" / "dance", (".bvh",)))
    assert calls() == 0


def test_finished_work_is_skipped_and_changed_work_is_not(clip: Path, people: list[int]) -> None:
    job = job_of(clip)
    _, first = work(job)
    status, again = work(job)
    assert (status, list(again), calls()) == ("skipped", list(first), 1)
    assert work(job, Order(overwrite=True))[0] == "done"
    assert work(job, Order(options=Options(height=1.8)))[0] == "done"
    assert work(job, Order(options=Options(height=1.8), encoding=export.ExportOptions(unit="m")))[0] == "done"
    assert calls() == 4


def test_an_edited_result_stops_the_work_before_it_begins(clip: Path, people: list[int]) -> None:
    job = job_of(clip)
    work(job)
    (clip.parent / "out" / "walk.bvh").write_text("edited")
    with pytest.raises(OutputError, match=r"walk\.bvh is there already"):
        work(job)
    assert calls() == 1
    assert (clip.parent / "out" / "walk.bvh").read_text() == "edited"


@pytest.mark.parametrize("cut", [KeyboardInterrupt, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
@pytest.mark.parametrize("written", [0, 1])
def test_a_run_that_is_cut_off_while_writing_leaves_whole_files_and_goes_on(
    clip: Path, people: list[int], monkeypatch: pytest.MonkeyPatch, cut: BaseException, written: int
) -> None:
    job, real, count = job_of(clip), export.export, [0]

    def failing(*arguments, **options) -> None:
        if count[0] == written:
            raise cut
        count[0] += 1
        real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(export, "export", failing)
        with pytest.raises((KeyboardInterrupt, OSError)):
            work(job)
    left = {path.name for path in (clip.parent / "out").iterdir()}
    assert left <= {"walk.bvh", "walk.report.json"}
    assert ("walk.bvh" in left) == (written == 1)
    status, (facts,) = work(job)
    assert (status, set(facts["outputs"])) == ("done", {"walk.bvh", "walk.npz"})


def test_a_place_that_cannot_be_written_is_said_before_the_work(clip: Path, people: list[int]) -> None:
    (clip.parent / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write into"):
        work(job_of(clip, stem=clip.parent / "file" / "walk"))
    assert calls() == 0


@pytest.mark.parametrize("content", [b"", None])
def test_a_video_that_is_none_is_said_before_the_detector_is_loaded(
    clip: Path, people: list[int], content: bytes | None
) -> None:
    path = clip.parent / "other.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=r"other\.mp4"):
        work(job_of(path))
    assert list(clip.parent.iterdir()).count(clip.parent / "out") == 0


def test_the_detector_is_loaded_once_for_many_clips(
    clip: Path, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(deliver, "load_detector_of", lambda options: loaded.append(options.detector))
    doing = deliver.worker(Order())
    for name in ("a", "b"):
        doing(job_of(clip, stem=clip.parent / name), lambda *_: None)
    assert loaded == ["mediapipe"]


def test_an_unknown_detector_is_a_sentence(clip: Path) -> None:
    with pytest.raises(ConfigError, match="there is no detector 'mediapie'"):
        work(job_of(clip), Order(options=Options(detector="mediapie")))
