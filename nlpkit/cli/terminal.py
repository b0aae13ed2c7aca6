"""What the command shows on a terminal: bars, tables, coloured answers, and how a stopped one says how to go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from nlpkit.tasks.answers.family import Shown


class WithAddress(TyperCommand):
    """A command whose `--ray` may stand alone: an address behind it belongs to it, a file does not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, after a bare `--ray` was given the value that stands for this machine."""
        said = args[: args.index("--")] if "--" in args else args
        for place in [place for place, one in enumerate(said) if one == "--ray"]:
            if not re.fullmatch(r"[^/\\\s]+:\d+|ray://\S+", "".join(args[place + 1 : place + 2])):
                args = [*args[:place], "--ray=", *args[place + 1 :]]
        return super().parse_args(ctx, args)


def console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def safe(text: str) -> str:
    """Text for the terminal: no markup of ours, no control characters of theirs."""
    from rich.markup import escape

    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text))


def shown(text: str) -> str:
    """Text as it may stand on a terminal: without control characters and marks that reorder it, which could move the cursor or deceive.

    What joins emoji and letters stays, so that they look as they were written; all other spaces and line ends become plain ones.
    """
    import unicodedata

    def one_shown(one: str) -> str:
        if one == "\t":
            return "    "
        kind = unicodedata.category(one)
        if one in "\n\u200c\u200d" or kind[0] in "LMNPS":
            return one
        return " " if kind == "Zs" else "\n" if kind in ("Zl", "Zp") else "\ufffd"

    return "".join(map(one_shown, text))


def write(text: str) -> None:
    """Show text on stdout at once, as it is but for what a terminal would take for a command."""
    import sys

    sys.stdout.write(shown(text))
    sys.stdout.flush()


def note(text: str) -> None:
    """Say a line on stderr, paler than what is on stdout."""
    import sys

    line = shown(text)
    typer.echo(typer.style(line, dim=True) if sys.stderr.isatty() else line, err=True)


def talk(message: str) -> None:
    """Say something on stderr; what stands in \u27e6brackets\u27e7, as the preflight marks what is learnt, is coloured too."""
    shown = re.sub("\u27e6[^\u27e7]*\u27e7", lambda found: f"[green]{found[0]}[/]", safe(message))
    console().print(shown, highlight=False, soft_wrap=True)


@contextmanager
def bar(what: str) -> Iterator[Any]:
    """A progress bar with rate and time left on a terminal; elsewhere nothing."""
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
    screen = console()
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None, note="")

        def show(done: int, total: int | None, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield show


@contextmanager
def bytes_bar(name: str) -> Iterator[Any]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    screen = console()
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def resumable(command: str | None) -> Iterator[None]:
    """What a killed command says: how to go on. SIGTERM ends as Ctrl-C does, but with its own exit code."""
    import signal

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        talk(f"stopped; the same command goes on from here: {command}" if command else "stopped")
        raise SystemExit(143 if interrupt.args else 130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def skippable(on_error: str) -> Iterator[None]:
    """A bad row's message also says how to go past it."""
    try:
        yield
    except DataError as error:
        if on_error == "stop" and ", row " in str(error):
            raise DataError(f"{error}; or go past bad rows with --on-error skip") from None
        raise


def show_scores(report: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "value", "95% interval", title=f"{safe(report.run)} on {safe(report.data)}")
    for name, score in report.scores.items():
        table.add_row(score.title or name, score.shown(score.value), score.interval)
    Console().print(table)


def show_summary(summary: Any, as_json: bool) -> None:
    if as_json:
        import dataclasses
        import json

        # stdout may be the scored rows themselves
        typer.echo(json.dumps(dataclasses.asdict(summary), default=str), err=summary.output is None)
        return
    resumed = f", of them {summary.resumed_from:,} from before" if summary.resumed_from else ""
    talk(
        f"{summary.rows:,} rows scored{resumed}, {summary.texts_per_second:,.0f} texts/s: {summary.output or 'standard output'}"
    )
    if summary.partly_read:
        talk(
            f"{summary.partly_read:,} texts were too long to be read whole: windows spread over each were read"
        )
    if summary.rejected:
        talk(f"{summary.rejected:,} rows rejected: {summary.rejects}")


COLORS = {"positive": "green", "neutral": "yellow", "negative": "red"}


def show_answer(text: str, shown: Shown) -> None:
    """Print a text and the answer to it."""
    from rich.console import Console

    shares = "  ".join(f"{label} {share:.0%}" for label, share in shown.shares)
    signed = f"  score {shown.score:+.2f}" if shown.score is not None else ""
    line = f"[bold {COLORS[shown.tone]}]{safe(shown.headline):<10}[/]{signed}  [dim]{safe(shares)}[/]  {safe(text[:200])}"
    Console().print(line, highlight=False, soft_wrap=True)


def show_sources(rows: list[dict[str, Any]], as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "kind", "MB", "licence", "here", "what it is")
    for row in rows:
        name = row["name"] + "".join(f"\n  /{part}" for part in row["parts"])
        table.add_row(
            name,
            row["kind"],
            str(row["size_mb"]),
            row["licence"],
            "yes" if row["cached"] else "no",
            row["about"],
        )
    Console().print(table)
