"""Many takes in one call: one failure never stops the rest, and an interrupt loses nothing."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from mocaplift.errors import MocapliftError
from mocaplift.jobs import Job

# Exit codes of a call as a whole; those of single failures are on the errors.
SOME_FAILED = 6
INTERRUPTED = 130
UNEXPECTED = 1

Progress = Callable[[str, int, int | None], None]
Status = Literal["done", "skipped", "failed", "interrupted", "not started"]


@dataclass(frozen=True)
class Outcome:
    """What became of one take. `reports` has one entry a person; `trace` is the traceback of a failure."""

    job: Job
    status: Status
    reports: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    error: str = ""
    exit_code: int = 0
    trace: str = ""


@runtime_checkable
class Watcher(Protocol):
    """Who is told how a batch goes on."""

    def begin(self, job: Job, place: int, total: int) -> None:
        """Hear that take number `place` (from 1) of `total` is begun."""

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Hear how far a stage of the present take is; total is None where it is unknown."""

    def end(self, outcome: Outcome) -> None:
        """Hear what became of the present take."""


Work = Callable[[Job, Progress], tuple[Status, Sequence[Mapping[str, Any]]]]


def run(jobs: Sequence[Job], work: Work, watcher: Watcher) -> list[Outcome]:
    """Return what became of every job, in order. No failure stops the rest; an interrupt (Ctrl-C) does.

    Only the reports of finished takes are kept, so memory does not grow with the length of the batch.
    """
    outcomes: list[Outcome] = []
    try:
        for place, job in enumerate(jobs, start=1):
            watcher.begin(job, place, len(jobs))
            outcomes.append(_attempt(job, work, watcher.progress))
            watcher.end(outcomes[-1])
    except KeyboardInterrupt:
        stopped, *waiting = jobs[len(outcomes) :] or (None,)
        if stopped is not None:
            outcomes.append(Outcome(stopped, "interrupted", exit_code=INTERRUPTED))
            watcher.end(outcomes[-1])
            outcomes.extend(Outcome(job, "not started") for job in waiting)
    return outcomes


def _attempt(job: Job, work: Work, progress: Progress) -> Outcome:
    begun = time.monotonic()
    try:
        status, reports = work(job, progress)
        return Outcome(job, status, tuple(reports), time.monotonic() - begun)
    except MocapliftError as error:
        code, text, trace = error.exit_code, _placed(str(error), job), traceback.format_exc()
    except Exception as error:  # a bug of ours must not stop the other takes
        code, trace = UNEXPECTED, traceback.format_exc()
        text = f"unexpected {type(error).__name__}: {error}; this is a bug in mocaplift"
    return Outcome(job, "failed", (), time.monotonic() - begun, text, code, trace)


def _placed(text: str, job: Job) -> str:
    """Return a sentence that says which take it is about, as most do by themselves."""
    is_named = any(given.name in text for given in job.take.inputs)
    return text if is_named else f"{job.take.title}: {text}"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the exit code of a call: one take's own, 6 where some of several failed, 130 for Ctrl-C."""
    failures = [outcome for outcome in outcomes if outcome.status == "failed"]
    if any(outcome.status == "interrupted" for outcome in outcomes):
        return INTERRUPTED
    if not failures:
        return 0
    return failures[0].exit_code if len(outcomes) == 1 else SOME_FAILED


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the outcomes as plain values: `exit_code` and one entry a take with its reports or its error.

    `input` is the video, or of several cameras the take they show; `videos` are all of them.
    """
    clips = [
        {
            "input": each.job.take.label,
            "videos": [str(clip) for clip in each.job.take.clips],
            "status": each.status,
            "seconds": each.seconds,
            "error": each.error or None,
            "exit_code": each.exit_code,
            "reports": [dict(facts) for facts in each.reports],
        }
        for each in outcomes
    ]
    return {"exit_code": exit_code(outcomes), "clips": clips}
