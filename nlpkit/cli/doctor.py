"""The command that checks the machine."""

from __future__ import annotations

import typer

from nlpkit.cli.options import Json

COLORS = {"ok": "green", "note": "yellow", "failed": "bold red"}


def doctor(as_json: Json = False) -> None:
    """Check this machine: versions, extras, memory, GPU, cache and settings, and how to get what is missing.

    No network is used. The exit code is 1 if something fails that nlpkit can't do without.
    """
    import dataclasses
    import json

    from rich.console import Console
    from rich.markup import escape

    from nlpkit.doctor import Diagnosis, diagnose

    console = Console()
    checks: list[Diagnosis] = []
    for diagnosis in diagnose():
        checks.append(diagnosis)
        if not as_json:
            color = COLORS[diagnosis.status]
            line = f"[{color}]{diagnosis.status:<6}[/]  {diagnosis.name:<17}  {escape(diagnosis.message)}"
            hint = f"; hint: {escape(diagnosis.hint)}" if diagnosis.hint else ""
            console.print(f"{line}{hint}", highlight=False, soft_wrap=True)
    failed = any(diagnosis.status == "failed" for diagnosis in checks)
    if as_json:
        rows = [dataclasses.asdict(diagnosis) for diagnosis in checks]
        typer.echo(json.dumps({"ok": not failed, "checks": rows}))
    if failed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: nlpkit doctor")(doctor)
