"""`mocaplift presets`: what the presets set, and how their files are imported."""

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
def presets(names: tuple[str, ...]) -> None:
    """Tell what each preset sets and what to click in the program it is for.

    Without a NAME, all of them.
    """
    from mocaplift.export.guides import GUIDES, guide_to

    click.echo("\n\n".join(guide_to(name) for name in names or GUIDES))
