"""The command that exports a run for other programs, or for faster runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nlpkit.cli.terminal import talk


def export_run(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run's folder; default: the built-in classifier."),
    ] = None,
    to: Annotated[
        Literal["onnx", "onnx-int8", "onnx-int4", "openvino", "openvino-bf16", "merged"],
        typer.Option(
            help="onnx: ONNX Runtime on a CPU, with 8-bit or, for a chat model, 4-bit weights; "
            "openvino: OpenVINO, in bf16 if the processor has it; "
            "merged: a plain transformers model in safetensors, for vLLM, "
            "llama.cpp's converter and others."
        ),
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
