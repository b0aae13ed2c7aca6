"""The commands for labels in words: a run without training, and the guide for annotators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nlpkit.cli.options import Label, Text
from nlpkit.cli.terminal import talk

CODEBOOK = typer.Argument(
    help="A YAML codebook, the name of a shipped one, or a run that has one.", show_default=False
)
CodebookName = Annotated[str, CODEBOOK]


def zero_shot(
    codebook: CodebookName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The run's folder.", show_default="runs/CODEBOOK")
    ] = None,
    reader: Annotated[str, typer.Option(help="embedding, likelihood or entailment.")] = "embedding",
    base: Annotated[
        str | None, typer.Option(help="The pretrained model.", show_default="the reader's own")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(help="Labeled rows: one half calibrates, the other is reported on.", show_default=False),
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Labeled rows to report on instead.", show_default=False)
    ] = None,
    text: Text = "text",
    label: Label = "label",
    ordered: Annotated[
        bool, typer.Option("--ordered", help="The labels run from negative to positive.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete a run of that name first.")] = False,
) -> None:
    """Make a run from labels in words, without training.

    It is scored, evaluated and served as any run. Labeled rows, if there are some, calibrate and measure it.
    """
    from nlpkit.training.train import train_seeds

    columns = {"text": text, "label": label}
    data: dict[str, Any] = {}
    if calibration is not None:
        data["calibration"] = [{"source": calibration, **columns}]
    if test is not None:
        data["test"] = [{"source": test, **columns}]
    folder = output or Path("runs") / Path(codebook).stem
    settings = {
        "recipe": "zero_shot",
        "name": folder.name,
        "output": str(folder.parent),
        "codebook": codebook,
        "task": {"kind": "polarity", "ordered": ordered},
        "reader": {"name": reader},
        "base": {"source": base},
        "data": data,
    }
    for run in train_seeds(settings, overwrite=overwrite, talk=talk):
        talk(f"run: {run.path}")
        if run.report.is_file():
            talk(f"report: {run.report}")


def guide(
    codebook: CodebookName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it there.", show_default="the terminal")
    ] = None,
) -> None:
    """Write a codebook as a guide for annotators, in Markdown."""
    from nlpkit.files import write_whole
    from nlpkit.reports.guide import annotators_guide
    from nlpkit.training.codebooks import find_codebook

    page = annotators_guide(find_codebook(codebook))
    if output is None:
        typer.echo(page, nl=False)
    else:
        write_whole(output, page)
        talk(f"guide: {output}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        "zero-shot",
        epilog="Example: nlpkit zero-shot sentiment --base multilingual-e5-small -o runs/words",
    )(zero_shot)
    app.command(epilog="Example: nlpkit guide banking77 -o guide.md")(guide)
