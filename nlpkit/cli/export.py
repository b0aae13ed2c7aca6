"""The command that exports a run for other programs, or for faster runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpkit.classifiers.runtimes import EXPORTS
from nlpkit.cli.choices import runtime_option
from nlpkit.cli.completion import complete_runs
from nlpkit.cli.terminal import talk
from nlpkit.generation.runtimes import EXPORTS as CHAT_EXPORTS


def export_run(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run's folder; default: the built-in classifier.",
            autocompletion=complete_runs,
        ),
    ] = None,
    to: Annotated[
        str, runtime_option({**CHAT_EXPORTS, **EXPORTS}, "The runtime or format to export to.")
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="A new folder; default: the cache, where score, predict and chat look for it.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Keep an export that fails its parity check; its README says so."),
    ] = False,
) -> None:
    """Export a run with its adapter merged, once the export is verified on held-out rows."""
    from nlpkit.evaluation.export import export

    typer.echo(str(export(run, to, output, force=force, talk=talk)))


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        "export",
        epilog="Examples: nlpkit export runs/mine   |   nlpkit export runs/bot --to merged -o bot-merged",
    )(export_run)
