"""The command that explains answers."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
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
    RuntimeChoice,
    Shape,
    Speaker,
    System,
    Text,
    given,
)
from nlpkit.cli.predict import split_run
from nlpkit.cli.terminal import COLORS, as_options, bar, escaped, skippable, talk
from nlpkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nlpkit.run import Run
    from nlpkit.trust.explained import Explained
    from nlpkit.trust.explained_file import ExplainedFile, ExplainedRow
    from nlpkit.trust.explainer import Explainer
    from nlpkit.trust.explanation import Explanation
    from nlpkit.trust.reply_explanation import ReplyExplanation

SHOWN = 12
"""Words or turns of an explanation that the terminal shows."""

BLOCK = "\u2588"
BAR = 12
"""Characters of the longest bar."""


@dataclass
class _Skipped:
    """What was passed over: how many rows, and the first reason."""

    rows: int = 0
    first: str = ""

    def __call__(self, reason: str, rows: int = 1) -> None:
        self.rows, self.first = self.rows + rows, self.first or reason


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What a run's explanations are made of, row by row."""

    name: str
    rows: Iterator[ExplainedRow]
    title: Callable[[Any], str]
    """Returns the first line of an explanation, as rich's markup."""
    unit: str
    """What a row is, in the plural."""


def explain(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] TEXT...|FILE",
            autocompletion=complete_runs,
            help="RUN: a run's folder; default: the built-in classifier. Texts, each in quotes; or a file. "
            "For the run of a chat model: messages that it replies to, or a file of conversations.",
        ),
    ],
    method: Annotated[
        Literal["occlusion", "gradients"],
        typer.Option(help="Leave out word after word, or integrate gradients (extra explain; torch)."),
    ] = "occlusion",
    label: Annotated[
        str | None, typer.Option(help="The label that is explained.", show_default="each that is given")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file for the explanations of a file: JSONL or CSV."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="A page for the explanations.")] = None,
    text: Text = "text",
    image: ImageColumn = None,
    format: Format = None,
    encoding: Encoding = None,
    on_error: OnError = "stop",
    runtime: RuntimeChoice = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    shape: Shape = None,
    bot: Bot = None,
    system: System = None,
    messages: Messages = None,
    prompt: Prompt = None,
    reply: Reply = None,
    conversation: ConversationColumn = None,
    speaker: Speaker = None,
    as_json: Json = False,
) -> None:
    """Explain answers: what each word adds, which few keep the answer, and without which it is another.

    For the run of a chat model: what each earlier turn adds to the last reply of a conversation.
    """
    from nlpkit.data.text_checks import counted
    from nlpkit.files import refuse_path
    from nlpkit.trust.explain import find_chat_run, load_for, refuse_for_replies
    from nlpkit.trust.explained_conversations import COLUMNS
    from nlpkit.trust.explained_file import ExplainedFile
    from nlpkit.trust.explainer import Explainer

    run, rest = split_run(arguments)
    file = _file(rest)
    if output and file is None:
        raise ConfigError("-o: is for the explanations of a file; hint: --json > explained.jsonl")
    if html:
        refuse_path(html, {"the input": Path(file)} if file and file != "-" else {}, hint="--html page.html")
        if html.exists() and not overwrite:
            raise ConfigError(f"{html}: is there already; hint: --overwrite, or another name")
    turns = given(
        shape=shape, bot=bot, system=system, messages=messages, prompt=prompt, reply=reply,
        conversation=conversation, speaker=speaker,
    )  # fmt: skip
    chat_run = find_chat_run(run)
    if turns and not (chat_run and file):
        raise ConfigError(
            f"--{next(iter(turns))}: is for a file of conversations and the run of a chat model; "
            "hint: leave it out"
        )
    if chat_run:
        refuse_for_replies(method=method, label=label, runtime=runtime, image=image)
    target = None
    if output:
        columns = COLUMNS if chat_run else ()
        target = ExplainedFile(output, str(file), format=format, columns=columns, overwrite=overwrite)
    reading = {"text": text, "format": format, "encoding": encoding}
    skipped = _Skipped()
    kept: list[Explained] = []
    with skippable(on_error) if file else nullcontext(), as_options() if chat_run else nullcontext():
        if chat_run:
            answers = _replies(chat_run, rest, file, {**reading, **turns, "on_bad": on_error}, skipped)
        else:
            explainer = Explainer(load_for(run, method, runtime), method=method, label=label)
            reading |= given(image=image, on_error=on_error)
            answers = _labels(explainer, rest, file, reading, skipped)
        rows = _written(answers, target) if target else _printed(answers, as_json, is_quiet=bool(html))
        for row in rows:
            kept += row.explanations if html else ()
    if html:
        _write_page(html, kept, answers.name, file or "")
    if skipped.rows:
        talk(f"{counted(skipped.rows)} skipped; the first: {skipped.first}")
        raise typer.Exit(5)


def _labels(
    explainer: Explainer, texts: list[str], file: str | None, reading: dict[str, Any], skipped: _Skipped
) -> _Answers:
    """Explain what a classifier answers."""
    from nlpkit.trust.explained_file import ExplainedRow, explained_rows

    if "image" in reading and not (file and explainer.classifier.reads_pictures):
        raise ConfigError("--image: is for a file and a run that reads pictures; hint: leave it out")

    def title(explanation: Explanation) -> str:
        about = "" if explanation.about == explanation.headline else f" {escaped(explanation.about)}"
        share = "" if explanation.about == "value" else f" {about} {explanation.share:.0%}"
        color = COLORS[explainer.classifier.shown(explanation.answer).tone]
        return f"[bold {color}]{escaped(explanation.headline)}[/]{share}  {escaped(explanation.text[:200])}"

    if file:
        rows = explained_rows(explainer, file, skipped=skipped, **reading)
    else:
        rows = (ExplainedRow(explanations=explanations) for explanations in explainer.explain(texts))
    return _Answers(name=explainer.classifier.name, rows=rows, title=title, unit="texts")


def _replies(
    run: Run, texts: list[str], file: str | None, reading: dict[str, Any], skipped: _Skipped
) -> _Answers:
    """Explain what a chat model replies, to messages or at the end of the conversations of a file."""
    from nlpkit.config import validate
    from nlpkit.data.examples import Conversation, Turn
    from nlpkit.settings.data import ConversationSource
    from nlpkit.trust.explained_conversations import explained_conversations
    from nlpkit.trust.explained_file import ExplainedRow
    from nlpkit.trust.reply_explainer import ReplyExplainer
    from nlpkit.trust.served_replies import ServedReplies

    source = validate({**reading, "source": file or ""}, ConversationSource, where=Path(file or ""))
    explainer = ReplyExplainer(ServedReplies.load(run))

    def title(explanation: ReplyExplanation) -> str:
        return f"[bold]{escaped(explanation.reply)}[/]\n  {escaped(explanation.facts)}"

    if file:
        rows = explained_conversations(explainer, source, skipped=skipped)
    else:
        asked = [
            Conversation(turns=(Turn(role="user", text=text),), where=f"text {number} of {len(texts)}")
            for number, text in enumerate(texts, 1)
        ]
        rows = (ExplainedRow(explanations=[explainer.explain(each)]) for each in asked)
    return _Answers(name=explainer.name, rows=rows, title=title, unit="conversations")


def _file(rest: list[str]) -> str | None:
    """Return the file that is to be explained; None for texts.

    Raises:
        DataError: it is spelled like a file, and is none.
    """
    from nlpkit.data.readers import ENDINGS

    first = rest[0]
    if len(rest) > 1:
        return None
    if first == "-" or os.path.isfile(first):
        return first
    if not any(map(str.isspace, first)) and first.lower().endswith(tuple(ENDINGS)):
        raise DataError(f"{first}: there is no such file; hint: a text has spaces, or give two texts")
    return None


def _written(answers: _Answers, target: ExplainedFile) -> Iterator[ExplainedRow]:
    """Write the rows into a file as they are explained, and yield them."""
    with target, bar("explaining") as show:
        for number, row in enumerate(answers.rows, 1):
            target.write(row)
            show(number, None, answers.unit)
            yield row


def _printed(answers: _Answers, as_json: bool, *, is_quiet: bool) -> Iterator[ExplainedRow]:
    """Print the rows as they are explained, and yield them."""
    import json

    for row in answers.rows:
        for explanation in row.explanations:
            if as_json:
                text = {"text": explanation.text} if explanation.parts_are == "words" else {}
                typer.echo(json.dumps({**text, **explanation.as_dict()}, ensure_ascii=False))
            elif not is_quiet:
                _show_explanation(explanation, answers.title(explanation))
        yield row


def _show_explanation(explanation: Explained, title: str) -> None:
    """Print an answer, a bar for each word or turn that counts, and what was found out."""
    from rich.console import Console

    screen = Console()
    screen.print(title, highlight=False, soft_wrap=True)
    ranked = explanation.by_weight
    largest = abs(ranked[0].weight or 1.0) if ranked else 1.0
    for part in ranked[:SHOWN]:
        weight = part.weight or 0.0
        color = "green" if weight > 0 else "red"
        filled = BLOCK * round(BAR * abs(weight) / largest)
        detail = f" ({part.detail})" if part.detail else ""
        line = f"  {weight:+7.2f} [{color}]{filled:<{BAR}}[/] {escaped(part.shown[:60])}{detail}"
        screen.print(line, highlight=False, soft_wrap=True)
    if len(ranked) > SHOWN:
        screen.print(f"  and {len(ranked) - SHOWN} {explanation.parts_are} that count less", highlight=False)
    for line in (*explanation.notes(), *explanation.findings()):
        screen.print(f"  {escaped(line)}", highlight=False, soft_wrap=True)


def _write_page(path: Path, explanations: list[Explained], run: str, source: str) -> None:
    from nlpkit.files import write_whole
    from nlpkit.trust.explanation_page import to_page

    write_whole(path, to_page(explanations, run=run, source=source))
    talk(f"page: {path}")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit explain 'a great film, but far too long'   |   "
        "nlpkit explain runs/mine reviews.csv -o explained.jsonl --html explained.html   |   "
        "nlpkit explain runs/chat conversations.jsonl"
    )(explain)
