"""The command line: parse, call one function, print. `capture` is the verb where none is given.

Nothing heavy is imported until a verb runs, so that `mocaplift --help` answers at once.
"""

import difflib
import glob
import importlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import mocaplift
from mocaplift.errors import MocapliftError

INTERRUPTED = 130
UNEXPECTED = 1
# Verb -> module of this package that holds it, under the verb's name.
VERBS = {
    "capture": "capture",
    "detect": "stages",
    "lift": "stages",
    "fit": "stages",
    "export": "stages",
    "presets": "presets",
    "convert": "convert",
    "check": "check",
    "evaluate": "evaluate",
    "train": "train",
    "calibrate": "calibrate",
    "doctor": "doctor",
}
# Verbs that mean nothing without a file. A file of such a name, alone on the line, is the video.
_NEED_A_FILE = ("capture", "detect", "lift", "fit", "export", "convert", "check")
_EPILOG = """\b
Examples:
  mocaplift walk.mp4 -o walk.bvh
  mocaplift --calib cams.json cam*.mp4 -o take.bvh
  mocaplift takes/ -o results/ --format bvh,smpl --height 178cm
  mocaplift dance.mov --person all --preset blender --overlay check.mp4
"""


class Verbs(click.Group):
    """The verbs, each imported when it is used; a line without a verb is a capture."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, or None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"mocaplift.cli.{VERBS[cmd_name]}")
        return getattr(module, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return what is left of the line after the group's own flags, a verb put first."""
        return super().parse_args(ctx, with_verb(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags of a capture, which is what the line means without a verb, and then the verbs."""
        capture = self.get_command(ctx, "capture")
        assert capture is not None
        capture.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run the line and end the process with its exit code; every expected failure is one sentence."""
        extra["standalone_mode"] = False
        arguments = list(sys.argv[1:] if args is None else args)
        sys.exit(_guarded(lambda: super(Verbs, self).main(arguments, *rest, **extra), arguments))


def with_verb(args: Sequence[str]) -> list[str]:
    """Return the arguments with "capture" before them where they name no verb.

    Raises:
        UsageError: the first word is no file, but close to a verb.
    """
    if not args or args[0] in ("--help", "-h", "--version"):
        return list(args)
    first, rest = args[0], args[1:]
    if first in VERBS:
        is_video = (
            first in _NEED_A_FILE and Path(first).is_file() and not any(Path(each).exists() for each in rest)
        )
        return ["capture", *args] if is_video else list(args)
    looks_like_a_file = first.startswith("-") or Path(first).suffix or glob.has_magic(first) or "/" in first
    if not looks_like_a_file and not Path(first).exists():
        close = difflib.get_close_matches(first, VERBS, n=1)
        if close:
            raise click.UsageError(f"there is no file and no verb {first!r}; did you mean {close[0]!r}?")
    return ["capture", *args]


def _guarded(run: Any, arguments: Sequence[str]) -> int:
    """Return the exit code of a run, after saying what went wrong."""
    try:
        code = run()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        click.echo("interrupted; finished files are whole", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MocapliftError as error:
        if "--debug" in arguments:
            _print_trace()
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        sys.stderr.close()
        return UNEXPECTED
    except ImportError as error:
        return _explain_import(error, arguments)
    except Exception as error:
        _print_trace()
        click.echo(
            f"error: unexpected {type(error).__name__}: {error}. This is a bug in mocaplift "
            f"{mocaplift.__version__}; please report it with the lines above",
            err=True,
        )
        return UNEXPECTED


def _explain_import(error: ImportError, arguments: Sequence[str]) -> int:
    """Return the exit code of a missing package or system library, after saying what to install."""
    if "--debug" in arguments:
        _print_trace()
    advice = "reinstall mocaplift with pip; `mocaplift doctor` tells what is missing"
    if "cannot open shared object file" in str(error):
        advice = "OpenCV wants it; on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"
    click.echo(f"error: {error}; {advice}", err=True)
    return UNEXPECTED


def _print_trace() -> None:
    import traceback

    click.echo(traceback.format_exc(), err=True)


@click.group(
    cls=Verbs,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    options_metavar="",
    subcommand_metavar="VIDEO... [OPTIONS]  |  VERB ...",
)
@click.version_option(mocaplift.__version__, message="mocaplift %(version)s")
def cli() -> None:
    """Turn videos of people into clean 3D motion files.

    VIDEO is a file, a folder (all its videos) or a pattern such as takes/*.mp4. With --calib, several videos are
    one take, filmed by several cameras at once.
    """


def main() -> None:
    """Run the command line. A polite end of the process (SIGTERM) is treated as Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    cli(prog_name="mocaplift")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
