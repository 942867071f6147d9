"""Speed is measured on a process of its own: time, memory, failure."""

import json
import sys
from pathlib import Path

import pytest

from mocaplift.errors import InvalidData, VideoError
from mocaplift.evaluate import speed


def test_a_process_is_timed_and_weighed():
    run = speed.measured(
        [sys.executable, "-c", "import time; b = bytearray(200_000_000); time.sleep(0.3); print('done')"]
    )
    assert run.code == 0 and run.output == "done\n"
    assert 0.3 <= run.seconds < 10
    # 200 MB of zeroed pages are not touched until written: bytearray writes them.
    assert 200e6 < run.peak_bytes < 400e6


def test_each_process_has_its_own_peak():
    speed.measured([sys.executable, "-c", "b = bytearray(200_000_000)"])
    assert speed.measured([sys.executable, "-c", "pass"]).peak_bytes < 100e6


def test_the_callers_own_memory_does_not_count():
    held = bytearray(200_000_000)
    assert speed.measured([sys.executable, "-c", "pass"]).peak_bytes < 100e6
    assert len(held) == 200_000_000


def test_a_command_that_does_not_exist_is_said():
    with pytest.raises(InvalidData, match="no-such-command could not be run"):
        speed.measured(["no-such-command"])


def fake_run(frames: int, seconds: float, code: int = 0):
    """A capture that leaves a report as the product does."""

    def measured(command):
        out = Path(command[command.index("-o") + 1])
        report = {"fingerprint": "x", "frames": frames, "seconds": {"detect": 4.0, "fit": 2.0, "clean": 0.0}}
        out.with_name(out.stem + ".report.json").write_text(json.dumps(report))
        return speed.Run(seconds, 512_000_000, code, "one\nno person found\n")

    return measured


def test_rows_are_frames_per_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    video = tmp_path / "walk.mp4"
    video.touch()
    monkeypatch.setattr(speed, "measured", fake_run(frames=120, seconds=8.0))
    rows = speed.speed(video, lifters=["a", "b"])
    assert {row.lifter for row in rows} == {"a", "b"}
    assert {row.metric: (row.value, row.unit) for row in rows if row.lifter == "a"} == {
        "fps_whole": (15.0, "frames/s"),
        "fps_detect": (30.0, "frames/s"),
        "fps_fit": (60.0, "frames/s"),
        "seconds_whole": (8.0, "s"),
        "peak_memory": (512.0, "MB"),
    }


def test_failures_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(VideoError, match=r"nowhere\.mp4"):
        speed.speed(tmp_path / "nowhere.mp4")
    video = tmp_path / "empty.mp4"
    video.touch()
    monkeypatch.setattr(speed, "measured", fake_run(frames=1, seconds=1.0, code=4))
    with pytest.raises(InvalidData, match=r"exit code 4.*no person found"):
        speed.speed(video)
