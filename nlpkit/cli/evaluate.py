"""The command that measures a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpkit.cli.options import Encoding, Format, Json, Label, Text
from nlpkit.cli.terminal import bar, show_scores, talk


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    data: Annotated[
        str,
        typer.Argument(help="Held-out rows: a file, hub:org/name, or a catalogue name.", show_default=False),
    ],
    text: Text = "text",
    label: Label = "label",
    labels: Annotated[str, typer.Option(help="What the file calls a label: what the run calls it.")] = "{}",
    bins: Annotated[
        str, typer.Option(help="Cut points that turn the file's numbers into the run's labels.")
    ] = "[]",
    shape: Annotated[
        str, typer.Option(help="Conversations: messages, sharegpt, alpaca, pairs, turns, or auto.")
    ] = "auto",
    bot: Annotated[
        str | None, typer.Option(help="Conversations: whom the bot is: a name, first, second or each.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="Conversations: the column of what the bot is told beforehand.")
    ] = None,
    items: Annotated[int, typer.Option(help="Conversations: how many replies to ask about.", min=1)] = 100,
    generate: Annotated[int, typer.Option(help="Conversations: to how many of them to reply.", min=0)] = 50,
    format: Format = None,
    encoding: Encoding = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Another run, to compare with on the same rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a run on held-out rows or conversations: every number with its 95% interval, a report to show around."""
    from nlpkit.config import settings_from
    from nlpkit.evaluation.evaluate import evaluate as measure
    from nlpkit.reports.keeping import place
    from nlpkit.run import Run
    from nlpkit.settings import DialogueEvaluation
    from nlpkit.tasks.task import task_from

    opened, other = Run.open(run), Run.open(baseline) if baseline else None
    task = task_from(opened.read().task)
    values = {"source": data, "text": text, "label": label, "format": format, "encoding": encoding}
    values |= {"shape": shape, "bot": bot, "system": system}
    source = settings_from(
        task.source_settings,
        {key: value for key, value in values.items() if key in task.source_settings.model_fields},
        {
            key: value
            for key, value in {"labels": labels, "bins": bins}.items()
            if key in task.source_settings.model_fields
        },
    )
    with bar("measuring") as show:
        report = measure(
            opened,
            source,
            baseline=other,
            settings=DialogueEvaluation(items=items, generate=generate),
            talk=talk,
            progress=lambda done, total: show(done, total, ""),
        )
    if as_json:
        typer.echo(report.to_json())
        return
    show_scores(report)
    talk(f"report: {place(opened, report.data, '.html')}")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit evaluate runs/mine test.csv --label stars --labels '{1: negative, 5: positive}' "
        "--baseline runs/older   |   nlpkit evaluate runs/bot chats.jsonl --bot second --items 200"
    )(evaluate)
