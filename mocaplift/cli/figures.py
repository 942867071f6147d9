"""`mocaplift evaluate figure`: MVLift on other figures than people, from made-up clips to a table."""

from pathlib import Path

import click

from mocaplift.cli.flags import loudness_flags


@click.command()
@click.argument("subject", type=click.Choice(["creature", "box"]))
@click.argument("cmu", type=click.Path(path_type=Path), metavar="[CMU_DIR]", required=False)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where clips, networks and the state of the training are kept; the same command goes on with them.",
)
@click.option("--rehearse", is_flag=True, help="Do everything, small and in a minute, to see that it works.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting, such as lines.loop.steps=5000; may be repeated.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the rows as one flat JSON list.",
)
@loudness_flags
def figure(
    subject: str,
    cmu: Path | None,
    work: Path,
    rehearse: bool,
    settings: tuple[str, ...],
    json_path: Path | None,
    **loudness: bool,
) -> None:
    """Train MVLift on 2D clips of another figure and score it against the clips' truth.

    The creature walks on four legs; its motions are made up. The box is carried by people of the CMU archives in
    CMU_DIR. Clips are made, the four stages trained on them, and held-out clips lifted.
    """
    from mocaplift.cli.screen import Screen, start_logging
    from mocaplift.cli.tables import show_rows
    from mocaplift.evaluate.report import ALL
    from mocaplift.train.config import override
    from mocaplift.train.figure_show import REHEARSAL, Showing, show

    asked = override(override(Showing(), REHEARSAL if rehearse else ()), settings)
    screen = Screen(is_quiet=loudness["quiet"], is_verbose=True, is_debug=loudness["debug"])
    start_logging(screen)
    screen.open(subject)
    try:
        rows = show(subject, asked, work, cmu, progress=screen.progress)
    finally:
        screen.close()
    show_rows(rows, json_path, told=[row for row in rows if row.sequence == ALL])
