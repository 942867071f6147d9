"""`mocaplift VIDEO...`: from videos to motion files."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from mocaplift.cli.flags import (
    camera_flags,
    capture_flags,
    check_cameras,
    encoding,
    loudness_flags,
    output_flags,
    usual_format,
)
from mocaplift.options import Options


@click.command(options_metavar="[OPTIONS]")
@click.argument("videos", nargs=-1, metavar="VIDEO...")
@camera_flags
@output_flags
@click.option(
    "--overlay",
    metavar="PATH",
    help="Also write the video with keypoints and skeleton drawn in, for each camera: an .mp4 file, or a folder.",
)
@click.option(
    "--viewer",
    metavar="PATH",
    help="Also write a page for the browser, with motion and video, for each person: an .html file, or a folder.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object with all reports instead of text."
)
@capture_flags()
@loudness_flags
def capture(
    videos: tuple[str, ...],
    calib: Path | None,
    output: str | None,
    formats: tuple[str, ...],
    overwrite: bool,
    overlay: str | None,
    viewer: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **flags: Any,
) -> int:
    """Turn videos of people into motion files, with a report beside each.

    VIDEO is a file, a folder (all its videos) or a pattern such as takes/*.mp4. Each is captured by itself,
    or with --calib all together, as one take. Finished work is recognised and skipped when the same line is
    run again.
    """
    _check_videos(videos)
    usual = usual_format(flags)
    written = encoding(flags)
    options = Options(**flags)
    check_cameras(options, calib)
    from mocaplift import batch, deliver, export, jobs, takes
    from mocaplift.cli.screen import Screen, start_logging

    screen = Screen(is_quiet=quiet, is_verbose=verbose, is_debug=debug, to_stderr=as_json)
    start_logging(screen)
    order = deliver.Order(options, written, overwrite)
    planned = jobs.plan(
        takes.find_takes(videos, calib),
        output,
        formats,
        export.EXPORTERS,
        overlay=overlay,
        page=viewer,
        is_per_person=options.person == "all",
        usual=usual,
    )
    outcomes = batch.run(planned, deliver.worker(order), screen)
    screen.table(outcomes)
    if as_json:
        json.dump(batch.as_json(outcomes), sys.stdout, indent=2)
        sys.stdout.write("\n")
    return batch.exit_code(outcomes)


def _check_videos(videos: tuple[str, ...]) -> None:
    if not videos:
        raise click.UsageError("no video is named; name files, a folder or a pattern, as in takes/*.mp4")
