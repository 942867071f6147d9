"""What earlier runs left: is it finished, is it ours, may it be replaced?

What is finished is decided by fingerprint - the videos' bytes, their cameras, the options, our version and
weights - and by the checksums of the results, never by whether a file of the right name exists.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import mocaplift
from mocaplift import report, weights
from mocaplift.calibrate import Calibration
from mocaplift.errors import InvalidData, OutputError, VideoError
from mocaplift.jobs import Job
from mocaplift.options import Options
from mocaplift.takes import VIDEO_SUFFIXES, Take

log = logging.getLogger(__name__)

_CHUNK = 1 << 20  # bytes read at a time for a checksum
# Options that name files: what counts is what is in them.
_FILE_OPTIONS = ("detector_config", "detector_weights")


def checksum_of_take(take: Take, progress: Callable[[str, int, int | None], None]) -> str:
    """Return the SHA-256 of a video's bytes, or of several videos' checksums in their order.

    Raises:
        VideoError: one of them does not exist, is a folder without videos, is empty, or cannot be read.
    """
    sums = [checksum_of_clip(clip, progress) for clip in take.clips]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def checksum_of_clip(clip: Path, progress: Callable[[str, int, int | None], None]) -> str:
    """Return the SHA-256 of a video's bytes.

    Raises:
        VideoError: it does not exist, is a folder without videos, is empty, or cannot be read.
    """
    if clip.is_dir():
        kinds = ", ".join(sorted(VIDEO_SUFFIXES))
        raise VideoError(f"{clip}: no videos in this folder; looked for {kinds}")
    if not clip.exists():
        raise VideoError(
            f"{clip}: no such file; check the spelling, or give a folder to capture all its videos"
        )
    try:
        if clip.stat().st_size == 0:
            raise VideoError(f"{clip}: the file is empty; copy it again from where it came")
        return checksum(clip, progress)
    except OSError as error:
        raise VideoError(f"{clip}: cannot be read ({error.strerror}); check its permissions") from error


def checksum(path: Path, progress: Callable[[str, int, int | None], None] | None = None) -> str:
    """Return the SHA-256 of a file's bytes, read in pieces.

    Raises:
        OSError: the file cannot be read.
    """
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress("read", done, max(total, done))
    return digest.hexdigest()


def checksum_of_calibration(calibration: Calibration) -> str:
    """Return the SHA-256 of what a calibration says, whatever files in whatever format say it."""
    said = {"unit": calibration.unit, "up": calibration.up, "sizes": calibration.sizes_known}
    digest = hashlib.sha256(json.dumps(said).encode())
    for camera in calibration.cameras:
        digest.update(json.dumps([camera.name, *camera.size]).encode())
        for array in (camera.intrinsics, camera.distortion, camera.cam_from_world):
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


def fingerprint(
    job: Job, content: str, options: Options, export: Mapping[str, Any], cameras: str | None = None
) -> str:
    """Return the checksum of everything that decides what a job's results hold.

    `content` is the checksum of the videos, `cameras` that of their calibration if they have one. Paths of the
    videos and the results do not count.
    """
    chosen = asdict(options)
    for name in _FILE_OPTIONS:
        if chosen[name] is not None and Path(chosen[name]).is_file():
            chosen[name] = checksum(Path(chosen[name]))
    facts = {
        "content": content,
        "cameras": cameras,
        "options": chosen,
        "export": dict(export),
        "suffixes": sorted(job.suffixes),
        "overlay": job.overlay is not None,
        "viewer": job.page is not None,
        "version": mocaplift.__version__,
        "weights": checksums_of_weights(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def checksums_of_weights() -> dict[str, str]:
    """Return the checksum of every weight file that would be found, by name."""
    return {name: weights.sha256(path) for name, path in weights.visible().items()}


def finished(job: Job, wanted: str) -> list[dict[str, Any]]:
    """Return the reports of a job that is done already, or nothing if any part of it is missing or changed.

    Done means: reports with this fingerprint for everybody it was made for, and every result they name has
    the checksum they state.
    """
    matching = [
        (path, facts)
        for path, facts in _reports(job)
        if facts["fingerprint"] == wanted and facts.get("status") == "finished"
    ]
    if not matching or len(matching) != matching[0][1].get("people_written"):
        return []
    whole = all(_is_unchanged(path, facts) for path, facts in matching)
    return [facts for _, facts in matching] if whole else []


def refuse_foreign(job: Job, content: str) -> None:
    """Raise unless every result that is there already may be replaced.

    That is so for what we made from these very videos and nobody changed since, and for what an interrupted run
    of ours began: both can be made again.

    Raises:
        OutputError: a result would replace somebody's work.
    """
    ours: set[Path] = set()
    named = sorted(str(clip.resolve()) for clip in job.take.clips)
    for path, facts in _reports(job):
        if facts.get("input_sha256") == content or _videos_of(facts) == named:
            ours.update(_own_files(path, facts))
    for path in job.existing():
        if path.resolve() not in ours:
            raise OutputError(
                f"{path} is there already, and mocaplift did not make it from {job.take.short} or it was changed "
                "since; give --overwrite to replace it, or another place with -o"
            )


def relative(path: Path, folder: Path) -> str:
    """Return the path as seen from a folder, so that results and report can be moved together."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return str(path.resolve())


def _reports(job: Job) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in job.reports():
        try:
            found.append((path, report.read(path)))
        except InvalidData as error:
            log.warning("%s", error)
    return found


def _videos_of(facts: Mapping[str, Any]) -> list[str]:
    """Return the paths of the videos that a report is about, sorted."""
    videos = facts.get("videos")
    return sorted(map(str, videos.values())) if isinstance(videos, dict) else [str(facts.get("input"))]


def _is_unchanged(path: Path, facts: Mapping[str, Any]) -> bool:
    outputs = facts.get("outputs") or {}
    return bool(outputs) and all(
        _has_checksum(path.parent / name, wanted) for name, wanted in outputs.items()
    )


def _own_files(path: Path, facts: Mapping[str, Any]) -> list[Path]:
    """Return the results a report names that are still as we wrote them, or that we were writing."""
    is_begun = facts.get("status") == "started"
    named = [(path.parent / name, wanted) for name, wanted in (facts.get("outputs") or {}).items()]
    return [each.resolve() for each, wanted in named if is_begun or _has_checksum(each, wanted)]


def _has_checksum(path: Path, wanted: str | None) -> bool:
    try:
        return wanted is not None and checksum(path) == wanted
    except OSError:
        return False
