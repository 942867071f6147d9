"""How fast the product is, and how much memory it takes: one call of the command line, measured from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mocaplift import report
from mocaplift.errors import InvalidData, MissingDependency, VideoError
from mocaplift.evaluate.report import Row

# ru_maxrss counts kibibytes, on macOS bytes (getrusage(2) of both).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
MB = 1e6
_LAST_LINES = 5
_LAST_CHARACTERS = 300


class Run(NamedTuple):
    """One finished process."""

    seconds: float
    peak_bytes: int
    code: int
    output: str


def measured(command: Sequence[str]) -> Run:
    """Return how long a process took and how much memory it held at most, itself and its children apart.

    Raises:
        MissingDependency: this system does not count the memory of processes (Windows).
        InvalidData: the command could not be started.
    """
    if not hasattr(os, "wait4"):
        raise MissingDependency("this system cannot tell the memory of a process; run on Linux or macOS")
    with tempfile.TemporaryDirectory(prefix="mocaplift-run-") as folder:
        result, output = Path(folder) / "result.json", Path(folder) / "output.txt"
        with output.open("wb") as file:
            line = [sys.executable, "-m", "mocaplift.evaluate.launch", str(result), *command]
            launcher = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            try:
                launcher.wait()
            except BaseException:
                launcher.terminate()
                raise
        text = output.read_text(errors="replace")
        if not result.exists():
            raise InvalidData(f"{command[0]} could not be run: {text.strip()[-_LAST_CHARACTERS:]}")
        facts = json.loads(result.read_text())
    code = os.waitstatus_to_exitcode(facts["status"])
    return Run(facts["seconds"], facts["maxrss"] * _RSS_UNIT, code, text)


def speed(
    video: str | Path,
    *,
    lifters: Sequence[str] = ("smplify",),
    arguments: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Return frames per second of every stage and of the whole call, and the peak memory.

    The whole includes the start of Python, the loading of models, and the writing of a BVH file. Stages may
    overlap in time, so that the whole can be faster than their sum.

    Args:
        video: what to capture.
        lifters: the call is made once for each.
        arguments: further arguments of the command line.
        progress: told (calls done, all calls).

    Raises:
        VideoError: there is no such file.
        InvalidData: the call failed; the message ends with what it said.
        MissingDependency: this system does not count the memory of processes.
    """
    video = Path(video)
    if not video.is_file():
        raise VideoError(f"no such video: {video}")
    rows: list[Row] = []
    for done, lifter in enumerate(lifters, start=1):
        with tempfile.TemporaryDirectory(prefix="mocaplift-speed-") as folder:
            rows += _timed(video, lifter, arguments, Path(folder) / "out.bvh")
        if progress is not None:
            progress(done, len(lifters))
    return rows


def _timed(video: Path, lifter: str, arguments: Sequence[str], out: Path) -> list[Row]:
    command = [sys.executable, "-m", "mocaplift", "capture", str(video), "-o", str(out), "--lifter", lifter]
    run = measured([*command, *arguments])
    if run.code != 0:
        said = " / ".join(run.output.strip().splitlines()[-_LAST_LINES:])
        raise InvalidData(f"the capture of {video} ended with exit code {run.code}: {said}")
    facts = report.read(out.with_name(out.stem + ".report.json"))
    frames = int(facts["frames"])
    stages = {f"fps_{name}": frames / took for name, took in facts["seconds"].items() if took > 0}
    figures = {"fps_whole": frames / run.seconds, **stages}
    made = [_row(video, lifter, metric, value, "frames/s", frames) for metric, value in figures.items()]
    made.append(_row(video, lifter, "seconds_whole", run.seconds, "s", frames))
    return [*made, _row(video, lifter, "peak_memory", run.peak_bytes / MB, "MB", frames)]


def _row(video: Path, lifter: str, metric: str, value: float, unit: str, frames: int) -> Row:
    return Row("speed", video.stem, 1, lifter, metric, value, unit, frames)
