"""What the command shows on a terminal: progress bars, tables, answers, and how to resume it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from nlpkit.tasks.answers.showing import Shown


class WithAddress(TyperCommand):
    """A command whose `--ray` may stand alone: an address behind it belongs to it, a file does not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, after giving a bare `--ray` the empty value: this machine."""
        options = args[: args.index("--")] if "--" in args else args
        for index in [index for index, word in enumerate(options) if word == "--ray"]:
            if not re.fullmatch(r"[^/\\\s]+:\d+|ray://\S+", "".join(args[index + 1 : index + 2])):
                args = [*args[:index], "--ray=", *args[index + 1 :]]
        return super().parse_args(ctx, args)


def console() -> Console:
    """Return a console that writes to stderr."""
    from rich.console import Console

    return Console(stderr=True)


def escaped(text: str) -> str:
    """Return text for rich's console: its markup escaped, control characters replaced."""
    from rich.markup import escape

    return escape("".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text))


def printable(text: str) -> str:
    """Return text without the characters that could move a terminal's cursor or reorder what is read.

    Joiners of emoji and letters stay, so that they look as they were written. Other spaces and line ends
    become plain ones.
    """
    import unicodedata

    def replace(char: str) -> str:
        if char == "\t":
            return "    "
        category = unicodedata.category(char)
        if char in "\n\u200c\u200d" or category[0] in "LMNPS":
            return char
        return " " if category == "Zs" else "\n" if category in ("Zl", "Zp") else "\ufffd"

    return "".join(map(replace, text))


def write(text: str) -> None:
    """Write text to stdout at once, made printable."""
    import sys

    sys.stdout.write(printable(text))
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a dim line on stderr."""
    from rich.text import Text

    console().print(Text(printable(text), style="dim"), soft_wrap=True)


def talk(message: str) -> None:
    """Print a message on stderr; the \u27e6brackets\u27e7 of the preflight are colored."""
    colored = re.sub("\u27e6[^\u27e7]*\u27e7", lambda match: f"[green]{match[0]}[/]", escaped(message))
    console().print(colored, highlight=False, soft_wrap=True)


@contextmanager
def bar(what: str) -> Iterator[Any]:
    """Show a progress bar with the time left, if stderr is a terminal.

    It is no terminal in a notebook, which asks for colors all the same (FORCE_COLOR).
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    note = TextColumn("{task.fields[note]}")
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        note,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None, note="")

        def show(done: int, total: int | None, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield show


@contextmanager
def bytes_bar(name: str) -> Iterator[Any]:
    """Show a progress bar of a download, if stderr is a terminal."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def resumable(command: str | None) -> Iterator[None]:
    """Print how to resume a command that is stopped, by Ctrl-C or with another exit code by SIGTERM."""
    import signal

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        talk(f"stopped; the same command resumes from here: {command}" if command else "stopped")
        raise SystemExit(143 if interrupt.args else 130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def skippable(on_error: str, way: str = "--on-error skip", about: str = ", row ") -> Iterator[None]:
    """Add to the message about a bad row the way to skip it; `about` is what such a message holds."""
    try:
        yield
    except DataError as error:
        if on_error == "stop" and about in str(error) and "--on-error" not in str(error):
            raise DataError(f"{error}; or go past bad rows with {way}") from None
        raise


_KEY = re.compile(r"`(bot|messages|conversation|speaker|text|prompt|reply|system|format): ?([^`]*)`")
_LABELS = re.compile(r"put `labels: ([^`]*)` below the source in the config")


@contextmanager
def as_options(*, labels: bool = False) -> Iterator[None]:
    """Say keys of a config, which a message about data proposes, as options of the command.

    `labels`: the command has an option --labels.
    """
    try:
        yield
    except DataError as error:
        message = _KEY.sub(lambda key: f"--{key[1]} {key[2]}".rstrip(), str(error))
        if labels:
            message = _LABELS.sub(lambda mapping: f"--labels {shlex.quote(mapping[1])}", message)
        raise DataError(message) from None


def show_scores(report: Any) -> None:
    """Print a report's scores, and how they differ from those of each baseline on the same rows."""
    from rich.console import Console
    from rich.table import Table

    from nlpkit.reports.wording import COMPARED, baseline_rows

    table = Table("metric", "value", "95% interval", title=f"{escaped(report.run)} on {escaped(report.data)}")
    for name, score in report.scores.items():
        table.add_row(score.title or name, score.shown(score.value), score.interval)
    Console().print(table)
    for baseline in report.baselines:
        table = Table(*COMPARED, title=f"compared with {escaped(baseline.name)}")
        for row in baseline_rows(report.scores, baseline):
            table.add_row(*row)
        Console().print(table)


def show_warnings(report: Any) -> None:
    """Print on stderr whether the rows were trained on, and what makes the scores or the run useless."""
    from nlpkit.reports.keeping import warning_lines

    if report.overlap and not report.overlap.trained_on:
        talk(report.overlap.in_words(report.run, report.data_card.unit))
    for line in warning_lines(report):
        talk(line)


def show_summary(summary: Any, as_json: bool) -> None:
    if as_json:
        import dataclasses
        import json

        # stdout may be the scored rows themselves
        typer.echo(json.dumps(dataclasses.asdict(summary), default=str), err=summary.output is None)
        return
    from nlpkit.data.text_checks import counted

    resumed = f", of them {summary.resumed_from:,} from before" if summary.resumed_from else ""
    talk(
        f"{counted(summary.rows)} scored{resumed}, {summary.texts_per_second:,.0f} texts/s: "
        f"{summary.output or 'standard output'}"
    )
    if summary.written != summary.rows:
        talk(f"{counted(summary.written)} written: one an opinion, and one for each text without any")
    if summary.partly_read:
        talk(f"{counted(summary.partly_read, 'text')} too long to be read in full: windows were read")
    if summary.abstained:
        share = summary.abstained / summary.rows
        talk(f"{counted(summary.abstained, 'text')} ({share:.1%}) got no label: the model is too uncertain")
    warn_unreadable(summary.unreadable, summary.rows)
    if summary.guarded:
        talk(
            f"an apostrophe was put before {counted(summary.guarded, 'cell')} that a spreadsheet would run; "
            "hint: --raw-csv leaves each as it is"
        )
    if summary.rejected:
        talk(f"{counted(summary.rejected)} rejected: {summary.rejects}")


def warn_unreadable(scripts: Mapping[str, int], of: int) -> None:
    """Say how many of so many texts the model can't read, if there are any."""
    from nlpkit.data.text_language import unreadable_line

    if scripts:
        talk(
            f"warning: {unreadable_line(scripts, of)}; hint: name a run whose base knows their language, "
            "such as the built-in one for some 100 languages: nlpkit score multilingual INPUT -o OUTPUT"
        )


COLORS = {"positive": "green", "neutral": "yellow", "negative": "red"}


def show_answer(text: str, shown: Shown) -> None:
    """Print a text and the answer to it."""
    from rich.console import Console

    shares = "  ".join(f"{label} {share:.0%}" for label, share in shown.shares)
    signed = f"  score {shown.score:+.2f}" if shown.score is not None else ""
    headline = f"[bold {COLORS[shown.tone]}]{escaped(shown.headline):<10}[/]"
    line = f"{headline}{signed}  [dim]{escaped(shares)}[/]  {escaped(text[:200])}"
    Console().print(line, highlight=False, soft_wrap=True)


def show_sources(rows: list[dict[str, Any]], as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "MB", "license", "here", "what it is")
    for row in rows:
        name = row["name"] + "".join(f"\n  /{part}" for part in row["parts"])
        table.add_row(
            name,
            row["kind"],
            str(row["size_mb"]),
            row["license"],
            "yes" if row["cached"] else "no",
            row["about"],
        )
    Console().print(table)
