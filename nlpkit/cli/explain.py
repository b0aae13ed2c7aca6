"""The command that explains answers."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlpkit.cli.options import Encoding, Format, Json, OnError, RuntimeChoice, Text
from nlpkit.cli.score import split_run
from nlpkit.cli.terminal import COLORS, bar, escaped, skippable, talk
from nlpkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nlpkit.trust.explained_file import ExplainedFile, ExplainedRow
    from nlpkit.trust.explainer import Explainer
    from nlpkit.trust.explanation import Explanation

SHOWN = 12
"""Words of an explanation that the terminal shows."""

BLOCK = "\u2588"
BAR = 12
"""Characters of the longest bar."""


def explain(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] TEXT...|FILE",
            help="RUN: a run's folder; default: the built-in classifier. Texts, each in quotes; or a file.",
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
    format: Format = None,
    encoding: Encoding = None,
    on_error: OnError = "stop",
    runtime: RuntimeChoice = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    as_json: Json = False,
) -> None:
    """Explain answers: what each word adds, which few keep the answer, and without which it is another."""
    from nlpkit.trust.explain import load_for
    from nlpkit.trust.explained_file import ExplainedFile, explained_rows
    from nlpkit.trust.explainer import Explainer

    run, rest = split_run(arguments)
    file = _file(rest)
    if output and file is None:
        raise ConfigError("-o: is for the explanations of a file; hint: --json > explained.jsonl")
    if html and html.exists() and not overwrite:
        raise ConfigError(f"{html}: is there already; hint: --overwrite, or another name")
    skipped: list[str] = []
    kept: list[Explanation] = []
    with ExitStack() as stack:
        target = ExplainedFile(output, str(file), format=format, overwrite=overwrite) if output else None
        explainer = Explainer(load_for(run, method, runtime), method=method, label=label)
        if file is None:
            rows: Iterator[list[Explanation]] = explainer.explain(rest)
        else:
            stack.enter_context(skippable(on_error))
            explained = explained_rows(
                explainer, file, text=text, format=format, encoding=encoding, on_error=on_error,
                skipped=skipped.append,
            )  # fmt: skip
            rows = _written(explained, stack.enter_context(target) if target else None)
        show = stack.enter_context(bar("explaining")) if target else None
        for number, explanations in enumerate(rows, 1):
            kept += explanations if html else ()
            if show:
                show(number, None, "texts")
            else:
                _show(explainer, explanations, as_json, is_quiet=html is not None)
    if html:
        _write_page(html, kept, explainer.classifier.name, file or "")
    if skipped:
        talk(f"{len(skipped):,} rows skipped; the first: {skipped[0]}")
        raise typer.Exit(5)


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


def _written(rows: Iterator[ExplainedRow], target: ExplainedFile | None) -> Iterator[list[Explanation]]:
    """Yield the explanations of rows, each after it is written."""
    for row in rows:
        if target is not None:
            target.write(row)
        yield row.explanations


def _show(explainer: Explainer, explanations: list[Explanation], as_json: bool, *, is_quiet: bool) -> None:
    import json

    for explanation in explanations:
        if as_json:
            typer.echo(json.dumps({"text": explanation.text, **explanation.as_dict()}, ensure_ascii=False))
        elif not is_quiet:
            _show_explanation(explanation, explainer.classifier.shown(explanation.answer).tone)


def _show_explanation(explanation: Explanation, tone: str) -> None:
    """Print an answer, a bar for each word that counts, and what was found out."""
    from rich.console import Console

    screen = Console()
    about = "" if explanation.about == explanation.headline else f" {escaped(explanation.about)}"
    shares = "" if explanation.about == "value" else f" {about} {explanation.share:.0%}"
    headline = f"[bold {COLORS[tone]}]{escaped(explanation.headline)}[/]{shares}"
    screen.print(f"{headline}  {escaped(explanation.text[:200])}", highlight=False, soft_wrap=True)
    ranked = explanation.by_weight
    largest = abs(ranked[0].weight or 1.0) if ranked else 1.0
    for word in ranked[:SHOWN]:
        weight = word.weight or 0.0
        color = "green" if weight > 0 else "red"
        filled = BLOCK * round(BAR * abs(weight) / largest)
        line = f"  {weight:+7.2f} [{color}]{filled:<{BAR}}[/] {escaped(word.text[:60])}"
        screen.print(line, highlight=False, soft_wrap=True)
    if len(ranked) > SHOWN:
        screen.print(f"  and {len(ranked) - SHOWN} words that count less", highlight=False)
    for line in (*explanation.notes(), *explanation.findings()):
        screen.print(f"  {escaped(line)}", highlight=False, soft_wrap=True)


def _write_page(path: Path, explanations: list[Explanation], run: str, source: str) -> None:
    from nlpkit.files import refuse_path, write_whole
    from nlpkit.trust.explanation_page import to_page

    refuse_path(path, {"the input": Path(source)} if source not in ("", "-") else {}, hint="--html page.html")
    write_whole(path, to_page(explanations, run=run, source=source))
    talk(f"page: {path}")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit explain 'a great film, but far too long'   |   "
        "nlpkit explain runs/mine reviews.csv -o explained.jsonl --html explained.html"
    )(explain)
