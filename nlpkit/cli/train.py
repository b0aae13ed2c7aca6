"""The commands that train: one run or a search, folds, and a curve over the number of labels."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from nlpkit.cli.completion import complete_configs, complete_keys
from nlpkit.cli.configs import show_configs
from nlpkit.cli.options import names_of
from nlpkit.cli.terminal import bar, resumable, talk
from nlpkit.errors import ConfigError

Config = Annotated[
    Path,
    typer.Argument(
        help="A YAML config, or the name of a shipped one.",
        show_default=False,
        autocompletion=complete_configs,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings that win over the config's, as key.path=value.",
        show_default=False,
        autocompletion=complete_keys,
    ),
]
OnlyCheck = Annotated[
    bool, typer.Option("--check", help="Stop after the preflight: nothing is trained or written.")
]


class WithConfigs(TyperCommand):
    """A command whose help lists the recipes and the shipped configs."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; the lists are read now, not when the program starts."""
        from nlpkit.training.shipped import shipped_configs, shipped_recipes

        paragraphs = [
            EXAMPLE,
            "Recipes, as a config's `recipe:` names them:",
            *(f"  {name}: {escape(summary)}" for name, summary in shipped_recipes().items()),
            "Shipped configs; `nlpkit train NAME` runs one, `nlpkit train --list` describes them:",
            "  " + ", ".join(config.name for config in shipped_configs()),
        ]
        self.epilog: str | None = "\n\n".join(paragraphs)
        super().format_help(ctx, formatter)


EXAMPLE = "Example: nlpkit train quickstart training.lr=3e-4 seeds='[1,2,3]'".replace("[", "\\[")


def _list_configs(wanted: bool) -> None:
    if not wanted:
        return
    show_configs()
    talk("try one: nlpkit train quickstart --check")
    raise typer.Exit


@contextmanager
def _training(what: str) -> Iterator[dict[str, Any]]:
    """Yield what gets the lines and the steps of a training; say how it resumes where it is stopped."""
    with bar(what) as show, resumable(shlex.join(["nlpkit", *sys.argv[1:]])):
        yield {
            "talk": talk,
            "progress": lambda at: show(at.done, at.total, "" if at.loss is None else f"loss {at.loss:.3f}"),
        }


def train(
    config: Config,
    overrides: Overrides = None,
    check: OnlyCheck = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete a run of that name first.")] = False,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Cross-validate in so many folds: each row is predicted once."),
    ] = None,
    shipped: Annotated[
        bool,
        typer.Option(
            "--list", help="List the shipped configs, and exit.", is_eager=True, callback=_list_configs
        ),
    ] = False,
) -> None:
    """Train a model from a config, and measure it: the run and its report are written to a folder.

    A training that was killed resumes when the same command is run again. A config with `search:` tries
    settings, and trains with the best ones.
    """
    from nlpkit.search.folds import cross_validate
    from nlpkit.search.search import hyperparameter_search
    from nlpkit.training.train import read_training, train_seeds

    given: dict[str, Any] = {"check": check, "overwrite": overwrite, "given": overrides or []}
    if folds:
        with _training("training") as shown:
            report = cross_validate(config, folds, **given, **shown)
        _show(report)
        return
    searched = "search" in read_training(config, overrides or []).tree
    with _training("trials" if searched else "training") as shown:
        runs = (hyperparameter_search if searched else train_seeds)(config, **given, **shown)
    for run in runs:
        talk(f"report: {run.report}")


def learning_curve_of(
    config: Config,
    overrides: Overrides = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Numbers of labels, such as 100,300,1000,all.", show_default="all, a half, a quarter, ..."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How often rows are drawn for each size.")] = 3,
    check: OnlyCheck = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete an earlier curve of that name first.")
    ] = False,
) -> None:
    """Train on some of the labeled rows, and estimate what twice as many would bring.

    The page is written to the folder NAME-curve. A command that was killed resumes when it is run again.
    """
    from nlpkit.search.learning_curve import learning_curve

    wanted = [size if size == "all" else _whole(size) for size in names_of(sizes)]
    with _training("training") as shown:
        report = learning_curve(
            config,
            wanted,  # type: ignore[arg-type]  # "all" is the only word
            draws=draws,
            check=check,
            overwrite=overwrite,
            given=overrides or [],
            **shown,
        )
    _show(report)


def _whole(size: str) -> int:
    if not size.isdecimal():
        raise ConfigError(f"--sizes: {size!r}; expected whole numbers or all, such as --sizes 100,300,all")
    return int(size)


def _show(report: Any) -> None:
    """Print what a report found; without one, only the preflight was asked for."""
    for line in report.summary if report else ():
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(cls=WithConfigs)(train)
    app.command(
        "learning-curve",
        epilog="Examples: nlpkit learning-curve quickstart   |   "
        "nlpkit learning-curve mine.yaml --sizes 100,300,1000,all --draws 5",
    )(learning_curve_of)
