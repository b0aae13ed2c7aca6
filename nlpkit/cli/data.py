"""The command that checks data before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nlpkit.cli.options import Encoding, Json, Label, Text
from nlpkit.cli.terminal import talk


def check(
    data: Annotated[
        str,
        typer.Argument(help="Labelled rows: a file, hub:org/name, or a catalogue name.", show_default=False),
    ],
    text: Text = "text",
    label: Label = "label",
    test: Annotated[str | None, typer.Option(help="Held-out rows, to look for overlap with.")] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Count lengths in this model's tokens, such as minilm-l6; default: words."),
    ] = None,
    encoding: Encoding = None,
    pii: Annotated[
        Literal["patterns", "presidio"],
        typer.Option(help="What finds personal data; presidio: the extra pii."),
    ] = "patterns",
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots.")] = None,
    as_json: Json = False,
) -> None:
    """Look at labelled rows before training: balance, lengths, duplicates, contradictions, leaks, other scripts, personal data."""
    from nlpkit.evaluation.data_check import check_source

    report, bad = check_source(data, text=text, label=label, test=test, base=base, encoding=encoding, pii=pii)
    if html:
        from nlpkit.files import write_whole

        write_whole(html, report.to_html())
        talk(f"page: {html}")
    for row in bad[:10]:
        talk(f"unreadable: {row.where}: {row.reason}")
    if as_json:
        typer.echo(report.to_json())
    else:
        from rich.console import Console

        Console().print(report.to_terminal())
    if bad or report.worst == "error":
        raise typer.Exit(3)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: nlpkit check reviews.csv --label stars --html check.html")(check)
