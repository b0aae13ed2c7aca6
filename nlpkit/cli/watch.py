"""The command that watches a stream of texts for changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import Encoding, Format, Json, Text, column
from nlpkit.cli.terminal import as_options, bar, escaped, talk

if TYPE_CHECKING:
    from nlpkit.watching.watch import Watched

ALARM = 6
"""The exit code where something changed."""


def watch(
    run: Annotated[
        str,
        typer.Argument(help="A run's folder, or default.", show_default=False, autocompletion=complete_runs),
    ],
    stream: Annotated[
        str,
        typer.Argument(
            help="Texts in the order of time, scored by this run or not: a file, a folder, or -.",
            show_default=False,
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            help="Texts as they should be, a file or a folder: at least 200 rows that the run was not "
            "trained on.",
            show_default=False,
        ),
    ],
    state: Annotated[
        Path | None, typer.Option(help="A file that keeps where the watch stands, so that calls go on.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a page, such as watch.html.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Write figures for Prometheus, such as watch.prom.")
    ] = None,
    text: Text = "text",
    label: Annotated[str | None, column("the true labels of --against, if it has them")] = None,
    given: Annotated[str | None, column("the true labels of the stream, if it has them")] = None,
    time: Annotated[str | None, column("the dates of the stream")] = None,
    alarm_rate: Annotated[
        float,
        typer.Option(help="The probability of any false alarm, ever: in however many texts and calls."),
    ] = 0.01,
    format: Format = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Watch a stream of texts: label shift, covariate shift or loss of confidence.

    Exit code 6: something changed.
    """
    import json
    from dataclasses import asdict

    from nlpkit.files import refuse_path, write_whole
    from nlpkit.watching.page import to_metrics, watch_report
    from nlpkit.watching.watch import watch as watch_stream

    taken = {"the stream": Path(stream), "the reference": Path(against)}
    for path in filter(None, (state, output, metrics)):
        refuse_path(path, taken, hint="name another file")
        taken["written already"] = path
    with as_options(), bar("watching") as show:
        watched = watch_stream(
            run, stream, against=against, state=state, text=text, label=label, given=given, time=time,
            alarm_rate=alarm_rate, format=format, encoding=encoding,
            progress=lambda texts: show(texts, None, "texts"), talk=talk,
        )  # fmt: skip
    if output:
        write_whole(output, watch_report(watched).to_html())
    if metrics:
        write_whole(metrics, to_metrics(watched))
    if as_json:
        typer.echo(json.dumps(asdict(watched), ensure_ascii=False))
    else:
        _show(watched)
    for name in watched.skipped:
        talk(f"{name}: was watched by an earlier call")
    if watched.alarms:
        raise typer.Exit(ALARM)


def _show(watched: Watched) -> None:
    from rich.console import Console
    from rich.table import Table

    from nlpkit.watching.page import summary, tables

    screen = Console()
    for line in summary(watched):
        screen.print(escaped(line), highlight=False, soft_wrap=True)
    for table in tables(watched):
        shown = Table(*(column.name for column in table.columns))
        for row in table.rows:
            shown.add_row(*(escaped(str(cell)) for cell in row))
        screen.print(shown)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit watch runs/mine today.csv --against spring.csv --state watch.json   |   "
        "nlpkit watch runs/mine 2026/ --against spring.csv --label sentiment -o watch.html",
    )(watch)
