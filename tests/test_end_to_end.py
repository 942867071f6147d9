"""The product as a user runs it: a real video, the real detector, real files, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mocaplift import kinematics, report, store, video
from mocaplift.values import Capture

SAMPLE = Path(__file__).parents[1] / "sample_videos" / "walk.mp4"
SECONDS = 2.0  # of the sample: enough for two steps
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample clips are not here"),
]


def mocaplift(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mocaplift", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Capture the first seconds of the sample once, in every format and with an overlay."""
    folder = tmp_path_factory.mktemp("made")
    done = mocaplift(
        SAMPLE,
        "-o",
        "out.bvh",
        "--format",
        "smpl,npz",
        "--overlay",
        "check.mp4",
        "--end",
        SECONDS,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_prints_what_it_found_and_assumed(made: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    shown = made[1].stdout
    for word in ("30 fps", "1280 x 720", "static", "--focal sets it", "--height sets it", "wrote", "out.bvh"):
        assert word in shown
    assert "\x1b" not in shown
    assert "Traceback" not in made[1].stderr


def test_the_bvh_has_every_frame_at_the_exact_rate(
    made: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    text = (made[0] / "out.bvh").read_text()
    clip = video.probe(SAMPLE, end=SECONDS)
    assert int(text.partition("Frames:")[2].split()[0]) == clip.frames
    assert float(text.partition("Frame Time:")[2].split()[0]) == pytest.approx(1 / float(clip.fps), rel=1e-9)
    numbers = np.array(
        [line.split() for line in text.partition("Frame Time:")[2].splitlines()[1:]], dtype=float
    )
    assert numbers.shape[0] == clip.frames
    assert np.isfinite(numbers).all()


def test_the_motion_stands_on_the_floor_and_is_whole(
    made: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    capture = store.load(made[0] / "out.npz")
    assert isinstance(capture, Capture)
    points = kinematics.joints_of(capture.motion).xyz
    assert np.isfinite(points).all()
    height = np.ptp(points[..., 1], axis=1)
    assert 1.2 < np.median(height) < 2.0  # m, lowest to highest joint of a person who walks
    assert abs(np.percentile(points[..., 1].min(axis=1), 5)) < 0.15  # m: ankles and toes are near y = 0
    assert np.hypot(*points[0, 0, [0, 2]]) < 0.5  # m: it starts near the origin


def test_the_smpl_file_has_the_fields_of_amass(made: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    arrays = np.load(made[0] / "out.smpl.npz")
    frames = video.probe(SAMPLE, end=SECONDS).frames
    assert arrays["poses"].shape[0] == arrays["trans"].shape[0] == frames
    assert float(arrays["mocap_framerate"]) == pytest.approx(30.0)


def test_the_overlay_is_a_video_of_the_same_length(
    made: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    overlay, clip = video.probe(made[0] / "check.mp4"), video.probe(SAMPLE, end=SECONDS)
    assert (overlay.frames, overlay.fps, overlay.size) == (clip.frames, clip.fps, clip.size)
    drawn, plain = next(iter(video.frames(overlay))), next(iter(video.frames(clip)))
    assert np.abs(drawn.astype(int) - plain.astype(int)).max() > 100


def test_the_report_is_complete_and_documented(made: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    facts = report.read(made[0] / "out.report.json")
    assert set(facts) <= set(report.KEYS)
    of_several = re.compile("videos|calibration|sync_|camera_(seen_share|reprojection)")
    assert {key for key in set(report.KEYS) - set(facts) if not of_several.match(key)} == set()
    assert set(facts["outputs"]) == {"out.bvh", "out.smpl.npz", "out.npz", "check.mp4"}
    assert set(facts["licences"]) >= {"mediapipe", "body", "pose-prior"}
    assert all(facts["licences"].values())
    assert {"detect", "lift", "fit", "clean", "export", "overlay"} <= set(facts["seconds"])
    assert (facts["focal_source"], facts["scale_source"]) == ("prior", "prior")


def test_a_second_run_has_nothing_to_do(made: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder = made[0]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    begun = time.monotonic()
    again = mocaplift(
        SAMPLE,
        "-o",
        "out.bvh",
        "--format",
        "smpl,npz",
        "--overlay",
        "check.mp4",
        "--end",
        SECONDS,
        cwd=folder,
    )
    assert again.returncode == 0, again.stderr
    assert "finished before" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert time.monotonic() - begun < 30


def test_one_bad_video_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "a broken.mp4").write_text("no video")
    (tmp_path / "takes" / "walk.mp4").symlink_to(SAMPLE)
    done = mocaplift("takes", "-o", "results/", "--end", "1", "--json", cwd=tmp_path)
    assert done.returncode == 6
    told = json.loads(done.stdout)
    assert told["exit_code"] == 6
    assert [clip["status"] for clip in told["clips"]] == ["failed", "done"]
    assert "a broken.mp4" in told["clips"][0]["error"]
    assert told["clips"][1]["reports"][0]["frames"] == 30
    assert "2 videos: 1 done, 1 failed" in done.stderr
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["walk.bvh", "walk.report.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_half_written_and_the_batch_goes_on(
    tmp_path: Path, end: signal.Signals
) -> None:
    for name in ("first.mp4", "second.mp4"):
        (tmp_path / name).symlink_to(SAMPLE)
    line = ["first.mp4", "second.mp4", "-o", "results/", "--end", "1"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "mocaplift", *line],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.STDOUT,
        # What runs the tests in the background may have told its children to ignore interrupts.
        preexec_fn=lambda: signal.signal(end, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        for shown in running.stdout:
            if "[2/2]" in shown:
                running.send_signal(end)
                break
        rest = running.stdout.read()
        assert running.wait(timeout=120) == 130, rest
    assert "1 done, 1 interrupted" in rest
    assert "Traceback" not in rest
    results = tmp_path / "results"
    assert sorted(path.name for path in results.iterdir()) == ["first.bvh", "first.report.json"]
    again = mocaplift(*line, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "1 done, 1 skipped" in again.stdout
    assert sorted(path.name for path in results.iterdir()) == [
        "first.bvh",
        "first.report.json",
        "second.bvh",
        "second.report.json",
    ]


def test_the_stages_one_by_one_make_the_same_motion(
    made: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    for line in (
        ["detect", SAMPLE, "-o", "walk.keypoints.npz", "--end", str(SECONDS)],
        ["lift", "walk.keypoints.npz"],
        ["fit", "walk.keypoints.npz"],
        ["export", "walk.motion.npz", "-o", "walk.bvh"],
    ):
        done = mocaplift(*line, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    whole, staged = store.load(made[0] / "out.npz"), store.load(tmp_path / "walk.motion.npz")
    apart = kinematics.joints_of(whole.motion).xyz - kinematics.joints_of(staged.motion).xyz
    assert np.abs(apart).max() < 1e-3  # m
    assert store.load(tmp_path / "walk.lifted.npz").xyz.shape[0] == len(whole.motion.root)
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")
