"""The command that turns a run into what other programs, or faster ones, can load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlpkit.cli.terminal import talk


def export(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run's folder; default: the classifier that nlpkit carries."),
    ] = None,
    to: Annotated[
        Literal["onnx", "onnx-int8", "onnx-int4", "openvino", "openvino-bf16", "merged"],
        typer.Option(
            help="onnx: ONNX Runtime on a CPU, with 8-bit or, for a bot, 4-bit weights; openvino: OpenVINO, in bf16 where the processor "
            "has it; merged: a plain transformers model in safetensors, which vLLM and others serve and llama.cpp's converter reads."
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
        typer.Option(
            "--force", help="Keep an export that does not answer like the run, with that on its label."
        ),
    ] = False,
) -> None:
    """Export a run, its adapter merged, and prove that the export answers like it on held-out rows: else nothing is written."""
    typer.echo(str(_exported(run, to, output, force)))


def _exported(path: Path | None, to: Any, output: Path | None, force: bool) -> Path:
    from nlpkit.classifiers.export import export_run
    from nlpkit.classifiers.loading import default_run
    from nlpkit.classifiers.opening import place_of
    from nlpkit.errors import ConfigError
    from nlpkit.generation.export_chat import export_chat_model
    from nlpkit.run import Run
    from nlpkit.tasks.task import task_from

    run = default_run() if path is None else Run.open(path)
    if force and output is None:
        raise ConfigError(
            "an export that may answer otherwise does not go to the cache, where it would be taken unasked; cure: -o FOLDER"
        )
    if task_from(run.read().task).family.served_by == "chat model":
        if to.startswith("openvino"):
            raise ConfigError(
                f"{run.path}: OpenVINO is for classifiers here; expected onnx, onnx-int8, onnx-int4 or merged"
            )
        return export_chat_model(run, to, output, force=force, talk=talk)
    if to == "onnx-int4":
        raise ConfigError(f"{run.path}: 4 bits are for bots; expected onnx, onnx-int8 or merged")
    if output is None and to == "merged":
        raise ConfigError("a merged model goes to a folder of yours; cure: -o FOLDER")
    return export_run(run, to, output or place_of(run, to), force=force, talk=talk)


def register(app: typer.Typer) -> None:
    """Make it a command of the program."""
    app.command(
        epilog="Examples: nlpkit export runs/mine   |   nlpkit export runs/bot --to merged -o bot-merged"
    )(export)
