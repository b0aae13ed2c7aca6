"""The command that checks data before training."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nlpkit.cli.options import (
    Annotators,
    Bot,
    ConversationColumn,
    Encoding,
    Format,
    Json,
    Label,
    Messages,
    Prompt,
    Reply,
    Shape,
    Speaker,
    System,
    Text,
    given,
    mapping_of,
    names_of,
)
from nlpkit.cli.terminal import as_options, bar, talk
from nlpkit.errors import ConfigError

if TYPE_CHECKING:
    from nlpkit.data.check_report import CheckReport


def check_data(
    data: Annotated[
        str,
        typer.Argument(
            help="Labeled rows, or conversations: a file, hub:org/name, or a catalog name.",
            show_default=False,
        ),
    ],
    text: Text = "text",
    label: Label = "label",
    labels: Annotated[
        str | None,
        typer.Option(help="The file's labels and what they are to be read as, as YAML."),
    ] = None,
    annotators: Annotators = None,
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
    doubts: Annotated[
        Path | None,
        typer.Option(
            help="Also write the rows whose label is likely wrong to this CSV, judged by a model on --base "
            "(default: minilm-l6); needs the extra noise."
        ),
    ] = None,
    shape: Shape = None,
    bot: Bot = None,
    system: System = None,
    messages: Messages = None,
    prompt: Prompt = None,
    reply: Reply = None,
    conversation: ConversationColumn = None,
    speaker: Speaker = None,
    html: Annotated[Path | None, typer.Option(help="Also write the report as a page with plots.")] = None,
    as_json: Json = False,
) -> None:
    """Check labeled rows or conversations before training: balance, lengths, duplicates, personal data.

    It also finds contradictions, overlap and texts in other scripts. The exit code is 3 if there are errors.
    """
    from nlpkit.config import validate
    from nlpkit.evaluation.conversation_check import check_conversations, holds_conversations
    from nlpkit.evaluation.data_check import check
    from nlpkit.files import refuse_path, write_whole
    from nlpkit.settings.data import ConversationSource

    inputs = {"the data": Path(data), **({"the test data": Path(test)} if test else {})}
    for path, hint in ((html, "--html check.html"), (doubts, "--doubts doubts.csv")):
        if path:
            refuse_path(path, inputs, hint=hint)
    named = given(
        shape=shape, bot=bot, system=system, messages=messages, prompt=prompt, reply=reply,
        conversation=conversation, speaker=speaker,
    )  # fmt: skip
    shared: dict[str, Any] = {"test": test, "base": base, "on_error": on_error, "pii": pii}
    if named or holds_conversations(data, label=label, format=format, encoding=encoding):
        if doubts:
            raise ConfigError("--doubts: conversations have no labels to doubt; hint: leave it out")
        fields = {**named, "source": data, "text": text, "format": format, "encoding": encoding}
        source = validate(fields, ConversationSource, where=Path(data))
        with as_options():
            report = check_conversations(source, **shared)
    else:
        columns: dict[str, Any] = {"text": text, "label": label, "labels": mapping_of(labels)}
        columns["annotators"] = names_of(annotators)
        with bar("reading") if doubts else nullcontext(lambda *done: None) as show:
            report = check(
                data, format=format, encoding=encoding, doubts=doubts,
                progress=lambda done, total: show(done, total, ""), **columns, **shared,
            )  # fmt: skip
    if html:
        write_whole(html, report.to_html())
        talk(f"page: {html}")
    if doubts:
        talk(f"doubts: {doubts}")
    _show(report, as_json)
    if report.worst == "error":
        raise typer.Exit(3)


def _show(report: CheckReport, as_json: bool) -> None:
    """Print the report, and on stderr the rows that could not be read or used."""
    from rich.console import Console

    for finding in report.findings:
        for row in finding.examples:
            if finding.kind == "unreadable":
                talk(f"unreadable: {row.where}: {row.note}")
            elif finding.kind == "unusable":
                talk(row.text)
    if as_json:
        typer.echo(report.to_json())
    else:
        Console().print(report.to_terminal())


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        "check",
        epilog="Examples: nlpkit check reviews.csv --label stars --html check.html   |   "
        "nlpkit check log.csv --conversation ticket --speaker author --text body --bot agent",
    )(check_data)
