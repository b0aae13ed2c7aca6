"""The command that measures what more labels would bring."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nlpkit.cli.options import names_of
from nlpkit.cli.terminal import bar, resumable, talk
from nlpkit.errors import ConfigError


def learning_curve_of(
    config: Annotated[
        Path, typer.Argument(help="A YAML config, or the name of a shipped one.", show_default=False)
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Settings that win over the config's, as key.path=value.", show_default=False),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Numbers of labels, such as 100,300,1000,all.", show_default="all, a half, a quarter, ..."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How often rows are drawn for each size.")] = 3,
    check: Annotated[
        bool, typer.Option("--check", help="Stop after the preflight: nothing is trained or written.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete an earlier curve of that name first.")
    ] = False,
) -> None:
    """Train on some of the labeled rows, and estimate what twice as many would bring.

    The page is written to the folder NAME-curve. A command that was killed resumes when it is run again.
    """
    from nlpkit.search.learning_curve import learning_curve

    wanted = [size if size == "all" else _whole(size) for size in names_of(sizes)]
    with bar("training") as show, resumable(shlex.join(["nlpkit", *sys.argv[1:]])):
        report = learning_curve(
            config,
            wanted,  # type: ignore[arg-type]  # "all" is the only word
            draws=draws,
            check=check,
            overwrite=overwrite,
            given=overrides or [],
            talk=talk,
            progress=lambda at: show(at.done, at.total, "" if at.loss is None else f"loss {at.loss:.3f}"),
        )
    for line in report.summary if report else ():
        typer.echo(line)


def _whole(size: str) -> int:
    if not size.isdecimal():
        raise ConfigError(f"--sizes: {size!r}; expected whole numbers or all, such as --sizes 100,300,all")
    return int(size)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        "learning-curve",
        epilog="Examples: nlpkit learning-curve quickstart   |   "
        "nlpkit learning-curve mine.yaml --sizes 100,300,1000,all --draws 5",
    )(learning_curve_of)
