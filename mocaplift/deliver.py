"""One job from videos to files: capture, export, overlays, page, report."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import mocaplift
from mocaplift import detect, export, lift, overlay, pipeline, report, resume, viewer, weights
from mocaplift.batch import Progress, Status, Work
from mocaplift.calibrate import Calibration, read_calibration
from mocaplift.files import check_folder
from mocaplift.jobs import Job
from mocaplift.options import Options
from mocaplift.values import Capture

# What the pipeline puts before the facts that a detector tells of itself.
_OF_DETECTOR = "detector_"


@dataclass(frozen=True)
class Order:
    """What is to be made of every take: the options of the capture and those of its files."""

    options: Options = field(default_factory=Options)
    encoding: export.ExportOptions = field(default_factory=export.ExportOptions)
    overwrite: bool = False


def worker(order: Order) -> Work:
    """Return the work on one take: skip it if it is finished, otherwise capture, export and report.

    The detector is loaded once, when the first take needs it.

    Raises:
        ConfigError: the lifter does not exist.
    """
    detectors: list[detect.Detector] = []
    if order.options.lifter != lift.AUTO:
        lift.load_lifter(order.options.lifter)

    def work(job: Job, progress: Progress) -> tuple[Status, Sequence[Mapping[str, Any]]]:
        content = resume.checksum_of_take(job.take, progress)
        rig = None if job.take.calibration is None else read_calibration(job.take.calibration)
        rig_sum = None if rig is None else resume.checksum_of_calibration(rig)
        fingerprint = resume.fingerprint(job, content, order.options, asdict(order.encoding), rig_sum)
        before = [] if order.overwrite else resume.finished(job, fingerprint)
        if before:
            return "skipped", before
        if not order.overwrite:
            resume.refuse_foreign(job, content)
        for path in [job.report(0), *job.files(0)]:
            check_folder(path.parent)
        if not detectors:
            detectors.append(load_detector_of(order.options))
        with _kept_warnings() as said:
            captures = pipeline.capture(job.take.clips, rig, detectors[0], order.options, progress)
        made = {
            "input_sha256": content,
            "fingerprint": fingerprint,
            "people_written": len(captures),
            "warnings": said,
            **({} if rig is None else _facts_of_rig(rig)),
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
    files, place = job.files(person), job.report(person)
    found: dict[str, Any] = {
        key: value for key, value in capture.report.items() if not key.startswith(_OF_DETECTOR)
    }
    facts: dict[str, Any] = found | _facts_of_run(job, order, capture) | made
    names = [resume.relative(path, place.parent) for path in files]
    report.write(place, facts | {"status": "started", "outputs": dict.fromkeys(names)})
    seconds = dict(facts.get("seconds") or {})
    try:
        for path in job.results(person).values():
            with _added(seconds, "export"):
                export.export(capture, path, order.encoding)
        for view, path in enumerate(job.overlays(person)):
            with _added(seconds, "overlay"):
                overlay.draw(capture, path, view=view, progress=partial(progress, _stage_of(job, view)))
        for path in job.pages(person):
            with _added(seconds, "viewer"):
                viewer.write(
                    capture, path, title=job.take.short, facts=facts, progress=partial(progress, "viewer")
                )
    except Exception:
        if not any(path.exists() for path in files):
            place.unlink(missing_ok=True)
        raise
    outputs = {name: resume.checksum(path) for name, path in zip(names, files, strict=True)}
    facts |= {"status": "finished", "outputs": outputs, "seconds": seconds}
    report.write(place, facts)
    return report.ordered(facts)


def _stage_of(job: Job, view: int) -> str:
    """Return what the progress bar of an overlay says."""
    return "overlay" if len(job.take.clips) == 1 else f"overlay {job.take.views[view]}"


def _facts_of_run(job: Job, order: Order, capture: Capture) -> dict[str, Any]:
    """Return what the report says of how a result was made."""
    take, found = job.take, capture.report
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
        "input": str(Path(take.label).resolve()),
        **({} if len(take.clips) == 1 else {"videos": _videos_of(capture)}),
        "options": asdict(order.options) | asdict(order.encoding),
        "detector_facts": told,
        "versions": report.versions(),
        "weights": sums,
        "licences": licences,
    }


def _videos_of(capture: Capture) -> dict[str, str]:
    """Return the path of every camera's video."""
    pairs = zip(capture.cameras, capture.clips, strict=True)
    return {camera.name: str(clip.path.resolve()) for camera, clip in pairs}


def _facts_of_rig(calibration: Calibration) -> dict[str, Any]:
    """Return what the report says of where the cameras come from."""
    return {"calibration": str(calibration.path.resolve()), "calibration_format": calibration.format}


class _Warnings(logging.Handler):
    """Keeps the warnings of one take for its report."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a sentence once."""
        if record.getMessage() not in self.said:
            self.said.append(record.getMessage())


@contextmanager
def _added(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the time spent in the block to a stage."""
    begun = time.monotonic()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.monotonic() - begun


@contextmanager
def _kept_warnings() -> Iterator[list[str]]:
    """Give the list to which the library's warnings are added while the block runs."""
    handler, logger = _Warnings(), logging.getLogger("mocaplift")
    logger.addHandler(handler)
    try:
        yield handler.said
    finally:
        logger.removeHandler(handler)
