"""The command that scores files of any size."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
    AspectColumn,
    Check,
    ConversationColumn,
    Encoding,
    HeldOut,
    HeldOutLabel,
    ImageColumn,
    Json,
    PricePerMillion,
    RuntimeChoice,
    Speaker,
    Text,
    column,
    given,
    renamed,
    run_and_input,
)
from nlpkit.cli.scoring_models import Promised, scoring_models
from nlpkit.cli.terminal import (
    WithAddress,
    bar,
    resumable,
    show_summary,
    skippable,
    talk,
)
from nlpkit.errors import ConfigError

if TYPE_CHECKING:
    from nlpkit.scoring.options import ScoreOptions

OldText = Annotated[str | None, typer.Option("--text-column", hidden=True)]


def score(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN[,RUN...]] INPUT",
            autocompletion=complete_runs,
            help="No RUN: nlpkit's own classifier. Several answer together. INPUT: a file, a folder, or -.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="CSV, TSV, JSONL, Parquet or Arrow by its ending, .gz too; - is stdout.",
            show_default=False,
        ),
    ] = None,
    text: Text = "text",
    text_column: OldText = None,
    conversation: ConversationColumn = None,
    speaker: Speaker = None,
    aspect: AspectColumn = None,
    image: ImageColumn = None,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option(help="stop at the first bad row, or skip it into OUTPUT.rejects.jsonl (exit code 5)."),
    ] = "stop",
    rejects: Annotated[
        Path | None, typer.Option(help="The file for skipped rows, where OUTPUT.rejects.jsonl will not do.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Format of the input, where its name does not say it.")
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            help="Format of the output, where its name does not say it; or label-studio, doccano, argilla, "
            "prodigy: predictions to correct there."
        ),
    ] = None,
    encoding: Encoding = None,
    prefix: Annotated[
        str, typer.Option(help="Put before the new columns' names, if the input has the same ones.")
    ] = "",
    row_per: Annotated[
        Literal["text", "opinion"],
        typer.Option(help="Of a run of aspects: one row a text, or one an opinion that is found in it."),
    ] = "text",
    runtime: RuntimeChoice = "auto",
    threads: Annotated[
        int | None, typer.Option(help="Processor threads, or Ray's workers; default: all there are.", min=1)
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(help="Tokens a batch; default: the fastest here, measured at the start.", min=1),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]", help="Score on a Ray cluster: the one there, or here, started if need be."
        ),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Promise that at most this share of the labels is wrong, with 95% confidence: texts that "
            "are too uncertain get no label.",
            min=0.001,
            max=0.5,
        ),
    ] = None,
    sets: Annotated[
        float | None,
        typer.Option(
            help="Add a column with the labels that a text may have: it holds the true one for at least this "
            "share of the texts of each label. With a run that gives numbers: two columns, the ends of an "
            "interval that holds the true number so often.",
            min=0.5,
            max=0.999,
        ),
    ] = None,
    by: Annotated[
        str | None, column("groups, in each of which --max-error and --sets must hold, such as a language")
    ] = None,
    held_out: HeldOut = None,
    label: HeldOutLabel = None,
    raw_csv: Annotated[
        bool,
        typer.Option("--raw-csv", help="Leave cells that a spreadsheet would run as formulas as they are."),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the output, and whatever unfinished one is in the way."),
    ] = False,
    check: Check = False,
    price_per_million: PricePerMillion = None,
    as_json: Json = False,
) -> None:
    """Score a file of any size, or a folder: label, score and probabilities next to all columns of the input.

    A command that was killed resumes when it is run again.
    """
    from nlpkit.scoring.locations import plan_location
    from nlpkit.scoring.options import ScoreOptions

    run, source = run_and_input(paths)
    text = renamed(text, old="--text-column", given=text_column, new="--text")
    options = ScoreOptions(
        text=text, conversation=conversation, speaker=speaker, aspect=aspect, image=image, by=by,
        format=format, output_format=output_format, encoding=encoding, on_error=on_error, rejects=rejects,
        overwrite=overwrite, raw_csv=raw_csv, prefix=prefix, row_per=row_per,
    )  # fmt: skip
    if check:
        _preview(source, run, options, output, threads, ray, runtime, budget, price_per_million, as_json)
        return
    if output is None:
        raise ConfigError(
            "no output; expected -o FILE, as with -o scored.csv; hint: --check only looks ahead"
        )
    if price_per_million is not None:
        raise ConfigError("--price-per-million: is for a preview; hint: add --check")
    plan = plan_location(source, output, options)
    promised = _promised(source, options, max_error, sets, held_out, label)
    again = shlex.join(["nlpkit", *sys.argv[1:]]) if "-" not in (source, output) else None
    with (
        resumable(again),
        skippable(on_error),
        scoring_models(run, threads, ray, runtime, plan, promised) as classifier,
        bar("scoring") as show,
    ):
        summary = plan.score(
            classifier,
            budget=budget,
            progress=lambda at: show(at.rows, at.total, f"{at.rows_per_second:,.0f} rows/s"),
        )
    show_summary(summary, as_json)
    if summary.rejected:
        raise typer.Exit(5)


def _preview(
    source: str,
    run: str | None,
    options: ScoreOptions,
    output: str | None,
    threads: int | None,
    ray: str | None,
    runtime: str,
    budget: int | None,
    price: float | None,
    as_json: bool,
) -> None:
    """Say what a scoring will take, and score nothing but a few hundred rows."""
    import time

    from nlpkit.cli.preview import show_preview
    from nlpkit.scoring.locations import plan_location
    from nlpkit.scoring.preview import PreviewInput, checked_price, preview

    if ray is not None:
        raise ConfigError("--check: looks at this machine alone; hint: leave out --ray")
    checked_price(price)
    if output is not None:
        plan_location(source, output, options)  # refuses what the job would refuse
    started = time.perf_counter()
    with (
        scoring_models(run, threads, None, runtime, PreviewInput(source), None) as model,
        bar("reading") as show,
    ):
        loaded = time.perf_counter() - started
        looked = preview(
            source, model, options, loading_seconds=loaded, budget=budget, price_per_million=price,
            progress=lambda rows: show(rows, None, "rows"),
        )  # fmt: skip
    show_preview(looked, as_json, options.on_error)


def _promised(
    source: str,
    options: ScoreOptions,
    max_error: float | None,
    sets: float | None,
    held_out: str | None,
    label: str | None,
) -> Promised | None:
    """Return what makes the promises that were asked for; None where there are none."""
    if max_error is None and sets is None:
        if held_out or label or options.by:
            raise ConfigError(
                "--held-out, --label and --by: are for a promise; "
                "hint: add --max-error 0.05, or leave them out"
            )
        return None
    from nlpkit.scoring.labeling_writers import TASKS
    from nlpkit.trust.cautious import caution_for

    if options.output_format in TASKS:
        raise ConfigError(
            "--max-error, --sets: texts without a label, or with several, are no tasks of "
            f"{options.output_format}; hint: leave them out there"
        )
    fields = given(label=label)
    return partial(
        caution_for, file=source, max_error=max_error, sets=sets, held_out=held_out, talk=talk,
        by=options.by, text=options.text, format=options.format, encoding=options.encoding,
        skips_bad_rows=options.skips_bad_rows, **fields,
    )  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        cls=WithAddress,
        epilog="Examples: nlpkit score reviews.csv -o scored.csv   |   "
        "nlpkit score runs/mine reviews.parquet -o scored.parquet --text body --ray   |   "
        "nlpkit score runs/polarity,runs/emotions reviews.csv -o scored.csv   |   "
        "nlpkit score reviews.csv --check --price-per-million 0.15",
    )(score)
