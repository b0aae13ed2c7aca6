"""Command-line options whose choices are the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from nlpkit.errors import nearest
from nlpkit.models.runtimes import RuntimeRow


def runtime_option(
    rows: Mapping[str, RuntimeRow], text: str, *, extra: Mapping[str, str] | None = None
) -> Any:
    """Return an option that takes a runtime's name, and whose help lists them all.

    Args:
        rows: the table.
        text: what the option is for; the list follows it.
        extra: further names, each with its help.
    """
    helps = {**(extra or {}), **{row.name: row.help for row in rows.values()}}

    def parse(name: str) -> str:
        for each in name.split(","):
            if each not in helps:
                raise typer.BadParameter(f"{each!r} is none of {', '.join(helps)}{nearest(each, helps)}")
        return name

    def complete(start: str) -> list[str]:
        return [name for name in helps if name.startswith(start)]

    listed = "; ".join(f"{name}: {help}" for name, help in helps.items())
    return typer.Option(
        parser=parse, metavar=f"[{'|'.join(helps)}]", autocompletion=complete, help=f"{text} {listed}."
    )
