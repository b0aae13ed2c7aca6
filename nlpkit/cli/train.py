"""The command that trains."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from nlpkit.cli.terminal import bar, resumable, talk


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
        self.epilog = "\n\n".join(paragraphs)
        super().format_help(ctx, formatter)


EXAMPLE = "Example: nlpkit train quickstart training.lr=3e-4 seeds='[1,2,3]'".replace("[", "\\[")


def _list_configs(wanted: bool) -> None:
    if not wanted:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nlpkit.training.shipped import shipped_configs

    table = Table("config", "recipe", "what it trains")
    for config in shipped_configs():
        table.add_row(config.name, config.recipe, Text(config.summary))
    Console().print(table)
    talk("try one: nlpkit train quickstart --check")
    raise typer.Exit


def train(
    config: Annotated[
        Path, typer.Argument(help="A YAML config, or the name of a shipped one.", show_default=False)
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Settings that win over the config's, as key.path=value.", show_default=False),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Stop after the preflight: nothing is trained or written.")
    ] = False,
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
    if folds:
        _cross_validate(config, overrides or [], folds, check=check, overwrite=overwrite)
        return
    from nlpkit.search.search import hyperparameter_search
    from nlpkit.training.train import read_training, train_seeds

    searched = "search" in read_training(config, overrides or []).tree
    with bar("trials" if searched else "training") as show, resumable(shlex.join(["nlpkit", *sys.argv[1:]])):
        runs = (hyperparameter_search if searched else train_seeds)(
            config,
            check=check,
            overwrite=overwrite,
            given=overrides or [],
            talk=talk,
            progress=lambda at: show(at.done, at.total, "" if at.loss is None else f"loss {at.loss:.3f}"),
        )
    for run in runs:
        talk(f"report: {run.report}")


def _cross_validate(config: Path, given: list[str], folds: int, *, check: bool, overwrite: bool) -> None:
    from nlpkit.search.folds import cross_validate

    with bar("training") as show, resumable(shlex.join(["nlpkit", *sys.argv[1:]])):
        report = cross_validate(
            config, folds, check=check, overwrite=overwrite, given=given, talk=talk,
            progress=lambda at: show(at.done, at.total, "" if at.loss is None else f"loss {at.loss:.3f}"),
        )  # fmt: skip
    for line in report.summary if report else ():
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(cls=WithConfigs)(train)
