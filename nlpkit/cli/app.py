"""The `nlpkit` command: its groups of commands, each a module of this package, and how errors end it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Annotated

import typer

from nlpkit.cli import (
    analyze,
    chat,
    configs,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    label,
    predict,
    runs,
    score,
    serve,
    sources,
    train,
    trust,
    watch,
    zero_shot,
)
from nlpkit.cli.streams import (
    drop_output,
    flush_output,
    open_missing_streams,
    refuse_output,
    refuse_undecodable,
)
from nlpkit.cli.terminal import console, escaped
from nlpkit.errors import NlpkitError

app: typer.Typer = typer.Typer(
    help="Sentiment and dialogue from your own data: fine-tune with LoRA, measure with 95% intervals, "
    "score files of any size, chat with what you trained, and serve it.",
    epilog="First steps: nlpkit predict 'What a lovely day' | nlpkit score reviews.csv -o scored.csv | "
    "nlpkit config new reviews.csv | nlpkit chat",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

PANELS: dict[str, tuple[ModuleType, ...]] = {
    "Train and measure": (data, configs, train, label, zero_shot, evaluate),
    "Predict and score": (predict, score, analyze, trust, watch, explain, export),
    "Chat": (chat, serve, demo),
    "Runs, models and data sets": (runs, sources),
    "This machine": (doctor,),
}
"""The groups of commands in `nlpkit --help`."""


def _register(panel: str, module: ModuleType) -> None:
    group = typer.Typer()
    module.register(group)
    for command in group.registered_commands:
        command.rich_help_panel = panel
        app.registered_commands.append(command)
    for inner in group.registered_groups:
        inner.rich_help_panel = panel
        app.registered_groups.append(inner)


for _panel, _modules in PANELS.items():
    for _module in _modules:
        _register(_panel, _module)


WELCOME = """\
nlpkit: sentiment and dialogue from your own data. Train, measure, score files, chat, serve; no hub is needed.

  nlpkit predict "What a lovely day"    label a text with the built-in classifier
  nlpkit config new reviews.csv         write a config for your own labeled rows, to train on
  nlpkit chat                           talk to the built-in chat model

nlpkit --help lists all commands; nlpkit COMMAND --help shows an example; nlpkit doctor checks the machine."""


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from nlpkit import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(WELCOME)


def main() -> None:
    """Run the command; errors become one message and their exit code."""
    open_missing_streams()
    try:
        refuse_undecodable(sys.argv[1:])
        _run()
    except NlpkitError as error:
        console().print(f"[bold red]error:[/] {escaped(str(error))}", highlight=False, soft_wrap=True)
        drop_output()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        drop_output()
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    """Run the command, and write all of its output."""
    stdout = sys.stdout
    try:
        app()
    except SystemExit:
        if sys.stdout is not stdout:  # typer replaces it when whoever reads it has had enough
            sys.stdout = stdout
            raise BrokenPipeError from None
        flush_output()
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        refuse_output(error)
