"""`mocaplift VIDEO...`: from videos to motion files."""

import json
import sys
from dataclasses import replace
from typing import Any

import click

from mocaplift.cli.flags import Names, capture_flags, loudness_flags
from mocaplift.options import Options


@click.command(options_metavar="[OPTIONS]")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...")
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help="A file, whose suffix is its format, or a folder; without it, beside each video.",
)
@click.option(
    "--format",
    "formats",
    type=Names(),
    default=(),
    metavar="NAMES",
    help="What to write, with commas between: bvh, smpl, npz.  [default bvh, or the suffix of -o]",
)
@click.option(
    "--preset",
    default="standard",
    metavar="NAME",
    help="Settings that suit a program: standard or blender.  [default standard]",
)
@click.option(
    "--units",
    type=click.Choice(["cm", "m"]),
    default=None,
    help="Unit of lengths in BVH files.  [default cm; the preset may say m]",
)
@click.option(
    "--rest-frame/--no-rest-frame",
    default=None,
    help="Put one frame of T-pose before the motion in BVH files.  [default no]",
)
@click.option(
    "--overlay",
    metavar="PATH",
    help="Also write the video with keypoints and skeleton drawn in: an .mp4 file, or a folder.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Make everything again, and replace files of the same name whoever made them.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object with all reports instead of text."
)
@capture_flags()
@loudness_flags
def capture(videos: tuple[str, ...], **flags: Any) -> int:
    """Turn videos of people into motion files, with a report beside each.

    VIDEO is a file, a folder (all its videos) or a pattern such as takes/*.mp4. Finished work is recognised
    and skipped when the same line is run again.
    """
    from mocaplift import batch, deliver, export, jobs
    from mocaplift.cli.screen import Screen, start_logging

    is_quiet, is_verbose, is_debug = (flags.pop(name) for name in ("quiet", "verbose", "debug"))
    start_logging(is_verbose=is_verbose, is_debug=is_debug)
    screen = Screen(is_quiet=is_quiet, is_verbose=is_verbose, is_debug=is_debug, to_stderr=flags["as_json"])
    own = {name: flags.pop(name) for name in ("output", "formats", "preset", "units", "rest_frame")}
    overlay, overwrite, as_json = (flags.pop(name) for name in ("overlay", "overwrite", "as_json"))
    options = Options(**flags)
    chosen = {"unit": own["units"], "rest_frame": own["rest_frame"]}
    encoding = replace(
        export.preset_named(own["preset"]),
        **{name: value for name, value in chosen.items() if value is not None},
    )
    planned = jobs.plan(
        jobs.find_clips(videos),
        own["output"],
        own["formats"],
        export.EXPORTERS,
        overlay=overlay,
        is_per_person=options.person == "all",
    )
    outcomes = batch.run(planned, deliver.worker(deliver.Order(options, encoding, overwrite)), screen)
    screen.table(outcomes)
    code = batch.exit_code(outcomes)
    if as_json:
        json.dump(batch.as_json(outcomes), sys.stdout, indent=2)
        sys.stdout.write("\n")
    return code
