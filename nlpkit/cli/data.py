"""The command that checks data before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nlpkit.cli.options import Encoding, Format, Json, Label, Text, mapping_of
from nlpkit.cli.terminal import talk


def check_data(
    data: Annotated[
        str,
        typer.Argument(help="Labeled rows: a file, hub:org/name, or a catalog name.", show_default=False),
    ],
    text: Text = "text",
    label: Label = "label",
    labels: Annotated[
        str | None,
        typer.Option(help="The file's labels and what they are to be read as, as YAML."),
    ] = None,
    test: Annotated[str | None, typer.Option(help="Held-out rows, to find overlap with.")] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Count lengths in the tokens of this base, such as minilm-l6. Default: in words."),
    ] = None,
    format: Format = None,
    encoding: Encoding = None,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="stop: rows that can't be read are an error; skip: they are a warning."),
    ] = "stop",
    pii: Annotated[
        Literal["patterns", "presidio"],
        typer.Option(help="How to find personal data; presidio needs the extra pii."),
    ] = "patterns",
    html: Annotated[Path | None, typer.Option(help="Also write the report as a page with plots.")] = None,
    as_json: Json = False,
) -> None:
    """Check labeled rows before training: balance, lengths, duplicates, overlap and personal data.

    It also finds contradictions and texts in other scripts. The exit code is 3 if there are errors.
    """
    from nlpkit.evaluation.data_check import check
    from nlpkit.files import refuse_path, write_whole

    if html:
        inputs = {"the data": Path(data), **({"the test data": Path(test)} if test else {})}
        refuse_path(html, inputs, hint="--html check.html")
    report = check(
        data,
        text=text,
        label=label,
        labels=mapping_of(labels),
        test=test,
        base=base,
        format=format,
        encoding=encoding,
        on_error=on_error,
        pii=pii,
    )
    if html:
        write_whole(html, report.to_html())
        talk(f"page: {html}")
    for finding in report.findings:
        for row in finding.examples if finding.kind == "unreadable" else ():
            talk(f"unreadable: {row.where}: {row.note}")
    if as_json:
        typer.echo(report.to_json())
    else:
        from rich.console import Console

        Console().print(report.to_terminal())
    if report.worst == "error":
        raise typer.Exit(3)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("check", epilog="Example: nlpkit check reviews.csv --label stars --html check.html")(
        check_data
    )
