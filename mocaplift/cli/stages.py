"""One verb a stage, each reading and writing the .npz of a value: debugging is looking between two of them."""

from pathlib import Path

import click

from mocaplift.cli.flags import encoding, output_flags

_file = click.Path(path_type=Path)


@click.command()
@click.argument("motions", nargs=-1, required=True, metavar="MOTION.npz...")
@output_flags
def export(
    motions: tuple[str, ...],
    output: str | None,
    formats: tuple[str, ...],
    preset: str,
    units: str | None,
    rest_frame: bool | None,
    overwrite: bool,
) -> None:
    """Write saved captures or skeleton motions in other formats.

    MOTION.npz is what `capture --format npz` or `fit` wrote.
    """
    from mocaplift import jobs
    from mocaplift.errors import InvalidData, OutputError
    from mocaplift.export import EXPORTERS
    from mocaplift.export import export as write
    from mocaplift.store import load
    from mocaplift.values import Capture, SkeletonMotion

    chosen = encoding(preset, units, rest_frame)
    for job in jobs.plan([Path(each) for each in motions], output, formats, EXPORTERS):
        value = load(job.clip)
        if not isinstance(value, Capture | SkeletonMotion):
            raise InvalidData(
                f"{job.clip}: holds {type(value).__name__}, but a motion is needed; run `fit` on it"
            )
        for path in job.results(1).values():
            if path.exists() and not overwrite:
                raise OutputError(f"{path} is there already; give --overwrite to replace it, or another -o")
            write(value, path, chosen, inputs=[job.clip])
            click.echo(f"wrote {path}")
