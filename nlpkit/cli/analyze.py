"""The command that turns a file into a page with an answer."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
    Encoding,
    Format,
    HeldOut,
    HeldOutLabel,
    Json,
    RuntimeChoice,
    Text,
    given,
    names_of,
    run_and_input,
)
from nlpkit.cli.terminal import as_options, bar, resumable, skippable, talk
from nlpkit.errors import ConfigError

if TYPE_CHECKING:
    from nlpkit.analysis.check import AnalysisCheck


def analyze(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] INPUT",
            autocompletion=complete_runs,
            help="No RUN: nlpkit's own classifier. INPUT: a file or a folder of texts, which is scored "
            "first; or what nlpkit score made of one.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page, such as report.html.", show_default=False)
    ] = None,
    text: Text = "text",
    by: Annotated[
        str | None,
        typer.Option(help="The columns whose values get shares of their own, such as product,region."),
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column of dates.", show_default=False)] = None,
    every: Annotated[
        Literal["day", "week", "month", "year"] | None,
        typer.Option(help="The periods of the series.", show_default="as suits the dates"),
    ] = None,
    date_order: Annotated[
        Literal["day", "month"] | None,
        typer.Option(help="What comes first in 03/04/2026.", show_default="as the other dates show"),
    ] = None,
    about: Annotated[
        str | None,
        typer.Option(
            help="The label that the first sentence is about.", show_default="negative, or the most frequent"
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="What a row is, in the plural, such as reviews.")] = "texts",
    tables: Annotated[
        Path | None, typer.Option(help="The folder of tables.", show_default="report.tables")
    ] = None,
    mask: Annotated[
        bool,
        typer.Option(
            "--mask", help="Mask addresses, phone and card numbers and tokens in the texts that are shown."
        ),
    ] = False,
    words: Annotated[
        bool, typer.Option("--words/--no-words", help="Mark the words that drove the labels of shown texts.")
    ] = True,
    themes: Annotated[
        str,
        typer.Option(
            metavar="N|auto|none",
            help="Find so many themes in the texts, or as many as there are, with the sentence encoder "
            "minilm-l6.",
        ),
    ] = "none",
    aspects: Annotated[
        Path | None,
        typer.Option(help="A run that finds opinions: count their aspects.", show_default=False),
    ] = None,
    held_out: HeldOut = None,
    label: HeldOutLabel = None,
    runtime: RuntimeChoice = "auto",
    format: Format = None,
    encoding: Encoding = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the page, and answers that were made with other settings."),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say what scoring will take and what the page will hold. Writes nothing."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a page with an answer: shares with intervals, by groups and over time, and what to read.

    A command that was killed resumes when it is run again.
    """
    import json

    from nlpkit.analysis.analyze import analyze as run_analysis
    from nlpkit.analysis.check import check as check_analysis

    run, source = run_and_input(paths)
    scored = shlex.join(["nlpkit", "score", *paths, "-o", "scored.csv", "--on-error", "skip"])
    way = f"{scored}, then analyze scored.csv"
    if check:
        with as_options(), bar("reading") as show:
            checked = check_analysis(
                source, run, text=text, by=tuple(names_of(by)), time=time, every=every, date_order=date_order,
                about=about, themes=themes, aspects=aspects, runtime=runtime, format=format,
                encoding=encoding, talk=talk, progress=lambda what, done: show(done, None, what),
            )  # fmt: skip
        _show(checked, as_json, f"the analysis stops at the first; hint: {way}")
        return
    if output is None:
        raise ConfigError("no page; expected -o FILE, as with -o report.html; hint: --check only looks ahead")
    fields = given(label=label)
    with (
        skippable("stop", way, about=f"column {text!r}: "),
        as_options(),
        resumable(shlex.join(["nlpkit", *sys.argv[1:]])),
        bar("analyzing") as show,
    ):
        analysis = run_analysis(
            source, output, run, text=text, by=names_of(by), time=time,
            every=every, date_order=date_order, about=about, unit=unit, held_out=held_out, tables=tables,
            mask=mask, words=words, themes=themes, aspects=aspects,
            runtime=runtime, format=format, encoding=encoding, overwrite=overwrite,
            talk=talk, progress=lambda what, done, total: show(done, total, what), **fields,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(analysis.as_dict(), ensure_ascii=False))
    else:
        for sentence in analysis.sentences:
            typer.echo(sentence)
    for warning in analysis.warnings:
        talk(f"warning: {warning}")
    for note in analysis.notes:
        talk(note)
    talk(f"page: {analysis.page}; tables: {analysis.tables}")


def _show(checked: AnalysisCheck, as_json: bool, then: str) -> None:
    """Print what an analysis will take, and what its page will hold; `then` says what becomes of bad rows."""
    import json

    from nlpkit.analysis.changes import FEWEST_PERIODS
    from nlpkit.cli.preview import preview_lines, show_lines
    from nlpkit.trust.shares import FEWEST

    if as_json:
        typer.echo(json.dumps(checked.as_dict(), ensure_ascii=False))
        return
    lines = preview_lines(checked.scoring, then) if checked.scoring else []
    if checked.scoring is None:
        rows = "not known before they are read" if checked.rows is None else f"{checked.rows:,}"
        lines.append(("rows", f"{rows}; they hold answers, so that nothing is scored"))
    lines.append(("labels", ", ".join(checked.labels)))
    for column, groups in checked.groups.items():
        sizes = f"of {min(groups.values()):,} to {max(groups.values()):,} texts"
        empty = f"; {checked.empty[column]:,} rows are empty" if column in checked.empty else ""
        lines.append((column, f"{len(groups)} groups with shares of their own, {sizes}{empty}"))
    if checked.periods:
        lines.append(("dates", f"{sum(checked.periods.values()):,} rows, {checked.first} to {checked.last}"))
        enough = [texts for texts in checked.periods.values() if texts >= FEWEST]
        tested = "" if len(enough) >= FEWEST_PERIODS else "; too few to test for changes"
        lines.append(
            (
                f"periods ({checked.every})",
                f"{len(enough)} of {len(checked.periods)} have {FEWEST} texts or more{tested}",
            )
        )
    show_lines([*lines, *(("note", note) for note in checked.notes)])


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit analyze reviews.csv -o report.html   |   "
        "nlpkit analyze runs/mine reviews.csv -o report.html --by product,region --time date --every week"
    )(analyze)
