"""The command that measures a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
    CONVERSATIONS,
    LABELS,
    Annotators,
    AspectColumn,
    Bot,
    ConversationColumn,
    Encoding,
    Format,
    ImageColumn,
    Json,
    Messages,
    OnError,
    Prompt,
    Reply,
    Shape,
    Speaker,
    System,
    column,
    given,
    names_of,
)
from nlpkit.cli.terminal import as_options, bar, show_scores, show_warnings, skippable, talk


def evaluate_run(
    run: Annotated[
        Path, typer.Argument(help="A run's folder.", show_default=False, autocompletion=complete_runs)
    ],
    data: Annotated[
        str,
        typer.Argument(
            help="Held-out data: a file, hub:org/name, or a catalog name. For a chat model also "
            "chat-behavior, a suite of short conversations.",
            show_default=False,
        ),
    ],
    text: Annotated[str | None, column("the text", default="text")] = None,
    format: Format = None,
    encoding: Encoding = None,
    on_error: OnError = "stop",
    baseline: Annotated[
        Path | None, typer.Option(help="Another run to compare with on the same data.")
    ] = None,
    label: Annotated[str | None, column("the label or the number", LABELS, "label")] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="The file's labels as the run calls them, as YAML.", rich_help_panel=LABELS),
    ] = None,
    annotators: Annotators = None,
    bins: Annotated[
        str | None,
        typer.Option(
            help="Cut points that turn the file's numbers into the run's labels, as YAML.",
            rich_help_panel=LABELS,
        ),
    ] = None,
    by: Annotated[
        str | None, column("what the report also scores by itself, such as a language", LABELS)
    ] = None,
    shape: Shape = None,
    bot: Bot = None,
    system: System = None,
    messages: Messages = None,
    prompt: Prompt = None,
    reply: Reply = None,
    conversation: ConversationColumn = None,
    speaker: Speaker = None,
    aspect: AspectColumn = None,
    image: ImageColumn = None,
    items: Annotated[
        int | None,
        typer.Option(
            help="How many replies to measure on.", show_default="100", rich_help_panel=CONVERSATIONS
        ),
    ] = None,
    generate: Annotated[
        int | None,
        typer.Option(
            help="How many of them to generate too.", show_default="50", rich_help_panel=CONVERSATIONS
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a run on held-out data: scores with 95% intervals, and a report to share."""
    from nlpkit.config import yaml_value
    from nlpkit.evaluation.held_out import evaluate
    from nlpkit.reports.keeping import place
    from nlpkit.run import Run

    options = given(
        text=text, format=format, encoding=encoding, label=label,
        on_bad=None if on_error == "stop" else on_error,
        labels=None if labels is None else yaml_value(labels, where="--labels"),
        annotators=names_of(annotators) or None,
        by=by,
        bins=None if bins is None else yaml_value(bins, where="--bins"),
        shape=shape, bot=bot, system=system, messages=messages, prompt=prompt, reply=reply,
        conversation=conversation, speaker=speaker, aspect=aspect, image=image, items=items,
        generate=generate,
    )  # fmt: skip
    opened = Run.open(run)
    with skippable(on_error), as_options(labels=True), bar("measuring") as show:
        report = evaluate(
            opened,
            data,
            baseline=baseline,
            talk=talk,
            progress=lambda done, total: show(done, total, ""),
            **options,
        )
    if as_json:
        typer.echo(report.to_json())
    else:
        show_scores(report)
        talk(f"report: {place(opened, report.data, '.html')}")
    show_warnings(report)
    if report.left_out:
        raise typer.Exit(5)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        "evaluate",
        epilog="Examples: nlpkit evaluate runs/mine test.csv --label stars "
        "--labels '{1: negative, 5: positive}' --baseline runs/older   |   "
        "nlpkit evaluate runs/chat chats.jsonl --bot second --items 200   |   "
        "nlpkit evaluate runs/chat chat-behavior",
    )(evaluate_run)
