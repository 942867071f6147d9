"""What a person at the terminal sees while a batch runs: progress, findings, failures, a table at the end."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from mocaplift.batch import Outcome
from mocaplift.cli.summary import describe
from mocaplift.jobs import Job

# Without a terminal a line is written when a stage ends, and at most this often (s) while it goes on.
LINE_EVERY = 10.0
# Reading a smaller file than this (bytes) is over before anybody looks.
WORTH_A_BAR = 500e6


class Screen:
    """Prints a batch as it goes on.

    Args:
        is_quiet: print failures only.
        is_verbose: print the time of every stage.
        is_debug: print the traceback of every failure.
        to_stderr: leave standard output to a machine.
    """

    def __init__(
        self,
        *,
        is_quiet: bool = False,
        is_verbose: bool = False,
        is_debug: bool = False,
        to_stderr: bool = False,
    ) -> None:
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self.console = self.errors if to_stderr else Console(highlight=False, soft_wrap=True)
        self.is_quiet, self.is_verbose, self.is_debug = is_quiet, is_verbose, is_debug
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._stage, self._said = "", 0.0

    def begin(self, job: Job, place: int, total: int) -> None:
        """Print which take is begun and open its progress bars."""
        self.open((f"[{place}/{total}] " if total > 1 else "") + job.take.title)

    def open(self, title: str) -> None:
        """Print a title and make room for the progress bars of what follows."""
        self._stage = ""
        if self.is_quiet:
            return
        self.console.print(f"[bold]{escape(title)}[/bold]")
        if self.console.is_terminal:
            self._bars = Progress(
                TextColumn("  {task.description:<9}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            )
            self._bars.start()

    def close(self) -> None:
        """Remove the progress bars."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Move the bar of a stage, or, without a terminal, write a line now and then."""
        if self.is_quiet or (stage == "read" and (total or 0) < WORTH_A_BAR):
            return
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
            return
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._said = stage, now
        if (total is not None and done >= total) or now - self._said > LINE_EVERY:
            self._said = now
            of = "" if total is None else f" of {total}"
            self.console.print(f"  {stage} {done}{of}")

    def end(self, outcome: Outcome) -> None:
        """Close the bars and print what was found, or why not."""
        self.close()
        if outcome.status == "failed":
            self._print_failure(outcome)
        elif not self.is_quiet:
            self._print_success(outcome)

    def _print_failure(self, outcome: Outcome) -> None:
        is_bug = outcome.exit_code == 1 and outcome.error.startswith("unexpected")
        if outcome.trace and (is_bug or self.is_debug):
            self.errors.print(escape(outcome.trace.rstrip()))
        self.errors.print(f"[bold red]error:[/bold red] {escape(outcome.error)}")

    def _print_success(self, outcome: Outcome) -> None:
        if outcome.status == "interrupted":
            return
        for facts in outcome.reports:
            if outcome.status == "skipped":
                self.console.print(
                    f"  finished before: {escape(_written(facts))}; --overwrite makes it again"
                )
                continue
            lines = describe(facts)
            if self.is_verbose:
                lines += [
                    ("time", ", ".join(f"{name} {each:.1f} s" for name, each in facts["seconds"].items()))
                ]
            lines += [("wrote", f"{_written(facts)} ({outcome.seconds:.1f} s)")]
            for subject, text in lines:
                self.console.print(f"  [cyan]{subject:<9}[/cyan] {escape(text)}")

    def table(self, outcomes: Sequence[Outcome]) -> None:
        """Print what became of every take, where there are several."""
        if len(outcomes) < 2:
            if any(outcome.status == "interrupted" for outcome in outcomes):
                self.errors.print("interrupted; nothing half-written is left")
            return
        counts = {
            status: sum(outcome.status == status for outcome in outcomes)
            for status in ("done", "skipped", "failed", "interrupted", "not started")
        }
        what = "video" if all(len(each.job.take.clips) == 1 for each in outcomes) else "take"
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        if not self.is_quiet:
            shown = Table(box=None, pad_edge=False, header_style="bold")
            for column in (what, "", "s", "result"):
                shown.add_column(column, overflow="fold", justify="right" if column == "s" else "left")
            for each in outcomes:
                result = each.error or ", ".join(_written(facts) for facts in each.reports)
                shown.add_row(escape(each.job.take.short), each.status, f"{each.seconds:.1f}", escape(result))
            self.console.print(shown, soft_wrap=False)
        where = self.errors if counts["failed"] or counts["interrupted"] else self.console
        if not self.is_quiet or counts["failed"] or counts["interrupted"]:
            where.print(f"{len(outcomes)} {what}s: {said}")
        if counts["interrupted"]:
            self.errors.print("the same command again goes on where this one stopped")


def _written(facts) -> str:
    return ", ".join(Path(name).name for name in facts.get("outputs", {}))


def start_logging(screen: Screen) -> None:
    """Send the library's warnings, and with -v its information, to the screen."""
    level = logging.DEBUG if screen.is_debug else logging.INFO if screen.is_verbose else logging.WARNING
    handler: logging.Handler
    if screen.console.is_terminal:
        # The console that draws the bars knows how to write above them.
        handler = RichHandler(
            console=screen.console, show_time=False, show_path=screen.is_debug, markup=False
        )
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("mocaplift")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
