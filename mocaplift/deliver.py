"""One job from video to files: capture, export, overlay, report."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mocaplift
from mocaplift import detect, export, lift, overlay, pipeline, report, resume, weights
from mocaplift.batch import Progress, Status, Work
from mocaplift.files import check_folder
from mocaplift.jobs import Job
from mocaplift.options import Options
from mocaplift.values import Capture

# What the pipeline puts before the facts that a detector tells of itself.
_OF_DETECTOR = "detector_"


@dataclass(frozen=True)
class Order:
    """What is to be made of every clip: the options of the capture and those of its files."""

    options: Options = field(default_factory=Options)
    encoding: export.ExportOptions = field(default_factory=export.ExportOptions)
    overwrite: bool = False


def worker(order: Order) -> Work:
    """Return the work on one clip: skip it if it is finished, otherwise capture, export and report.

    The detector is loaded once, when the first clip needs it.

    Raises:
        ConfigError: the lifter does not exist.
    """
    detectors: list[detect.Detector] = []
    if order.options.lifter != lift.AUTO:
        lift.load_lifter(order.options.lifter)

    def work(job: Job, progress: Progress) -> tuple[Status, Sequence[Mapping[str, Any]]]:
        content = resume.checksum_of_clip(job.clip, progress)
        fingerprint = resume.fingerprint(job, content, order.options, asdict(order.encoding))
        before = [] if order.overwrite else resume.finished(job, fingerprint)
        if before:
            return "skipped", before
        if not order.overwrite:
            resume.refuse_foreign(job, content)
        for path in [job.report(0), *job.results(0).values()]:
            check_folder(path.parent)
        if not detectors:
            detectors.append(load_detector_of(order.options))
        with _kept_warnings() as said:
            captures = pipeline.capture([job.clip], None, detectors[0], order.options, progress)
        made = {
            "input_sha256": content,
            "fingerprint": fingerprint,
            "people_written": len(captures),
            "warnings": said,
        }
        return "done", [_deliver(each, job, order, made, progress) for each in captures]

    return work


def load_detector_of(options: Options) -> detect.Detector:
    """Return the detector that the options ask for.

    Raises:
        ConfigError: there is no such detector, or its config does not exist.
        MissingDependency: its package is not installed.
        WeightsError: its checkpoint cannot be used.
    """
    return detect.load_detector(options.detector, options.detector_weights, config=options.detector_config)


def _deliver(
    capture: Capture, job: Job, order: Order, made: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Write one person's results and report, and return the report.

    The report is written twice: before the results as "started", which lets a later run replace what an
    interrupt left, and after them with their checksums.
    """
    person = int(str(capture.report.get("person", 1)))
    files, place = job.results(person), job.report(person)
    found: dict[str, Any] = {
        key: value for key, value in capture.report.items() if not key.startswith(_OF_DETECTOR)
    }
    facts: dict[str, Any] = found | _facts_of_run(job, order, capture.report) | made
    names = {suffix: resume.relative(path, place.parent) for suffix, path in files.items()}
    report.write(place, facts | {"status": "started", "outputs": dict.fromkeys(names.values())})
    seconds = dict(facts.get("seconds") or {})
    try:
        for suffix, path in files.items():
            begun = time.monotonic()
            _write(capture, path, suffix, order, progress)
            stage = "overlay" if suffix == "overlay" else "export"
            seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - begun
    except Exception:
        if not any(path.exists() for path in files.values()):
            place.unlink(missing_ok=True)
        raise
    outputs = {names[suffix]: resume.checksum(path) for suffix, path in files.items()}
    facts |= {"status": "finished", "outputs": outputs, "seconds": seconds}
    report.write(place, facts)
    return report.ordered(facts)


def _write(capture: Capture, path: Path, suffix: str, order: Order, progress: Progress) -> None:
    if suffix == "overlay":
        overlay.draw(capture, path, progress=lambda done, total: progress("overlay", done, total))
    else:
        export.export(capture, path, order.encoding)


def _facts_of_run(job: Job, order: Order, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the report says of how a result was made; `found` is what the pipeline reports."""
    told = {
        key.removeprefix(_OF_DETECTOR): value for key, value in found.items() if key.startswith(_OF_DETECTOR)
    }
    sums, checkpoint = resume.checksums_of_weights(), Path(str(told.get("weights", "")))
    if checkpoint.is_file():
        sums[checkpoint.name] = weights.sha256(checkpoint)
    licences = {name: weights.read_header(path).get("licence") for name, path in weights.visible().items()}
    licences[str(found.get("detector", "detector"))] = told.pop("licence", None)
    return {
        "mocaplift": mocaplift.__version__,
        "input": str(job.clip.resolve()),
        "options": asdict(order.options) | asdict(order.encoding),
        "detector_facts": told,
        "versions": report.versions(),
        "weights": sums,
        "licences": licences,
    }


class _Warnings(logging.Handler):
    """Keeps the warnings of one clip for its report."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a sentence once."""
        if record.getMessage() not in self.said:
            self.said.append(record.getMessage())


@contextmanager
def _kept_warnings() -> Iterator[list[str]]:
    """Give the list to which the library's warnings are added while the block runs."""
    handler, logger = _Warnings(), logging.getLogger("mocaplift")
    logger.addHandler(handler)
    try:
        yield handler.said
    finally:
        logger.removeHandler(handler)
