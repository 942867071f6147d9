"""`mocaplift doctor`: what is installed, what works, what could be added."""

import json
from dataclasses import asdict

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> int:
    """Look whether everything a capture needs is here and works; exit code 1 if not."""
    from rich.console import Console
    from rich.markup import escape

    from mocaplift.doctor import examine, is_well

    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2))
        return 0 if is_well(findings) else 1
    console = Console(highlight=False, soft_wrap=True)
    colours = {"ok": "green", "broken": "red", "missing": "dim"}
    for each in findings:
        state = f"[{colours[each.state]}]{each.state:<8}[/]"
        console.print(f"{each.subject:<10} {state} {escape(each.text)}")
    console.print(
        "everything that a capture needs is here" if is_well(findings) else "a capture will not work yet"
    )
    return 0 if is_well(findings) else 1
