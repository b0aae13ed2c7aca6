"""The commands of the label loop: pick what to label next, and learn from the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import (
    LABELS,
    Annotators,
    Encoding,
    Format,
    Json,
    Label,
    OnError,
    Text,
    mapping_of,
    names_of,
)
from nlpkit.cli.terminal import as_options, bar, escaped, skippable, talk

label_app: typer.Typer = typer.Typer(
    help="Label what helps most: pick texts, learn from their labels, and see when to stop.",
    no_args_is_help=True,
)
RunFolder = Annotated[
    Path, typer.Argument(help="A run's folder, or default.", show_default=False, autocompletion=complete_runs)
]


@label_app.command(
    "next",
    epilog="Examples: nlpkit label next runs/mine reviews.csv -n 50 -o next.csv   |   "
    "nlpkit label next runs/words reviews.csv --aim shares -n 200 --blind -o next.csv",
)
def next_texts(
    run: RunFolder,
    file: Annotated[str, typer.Argument(help="Texts to pick from.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Write them there: .csv, .tsv, .jsonl, or .json for Label Studio."
        ),
    ] = Path("next.csv"),
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many texts.")] = 50,
    aim: Annotated[
        Literal["uncertain", "shares", "random"],
        typer.Option(help="What the labels are for: a better run, the shares of labels, or a comparison."),
    ] = "uncertain",
    labeled: Annotated[
        str | None, typer.Option(help="A file of texts that have labels: they are not asked about.")
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Leave out what the run makes of each text.")
    ] = False,
    text: Text = "text",
    label: Label = "label",
    format: Format = None,
    output_format: Annotated[
        str | None,
        typer.Option(
            help="csv, tsv, jsonl, label-studio, doccano, argilla or prodigy, if the name does not say it."
        ),
    ] = None,
    encoding: Encoding = None,
    on_error: OnError = "stop",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 1,
    as_json: Json = False,
) -> None:
    """Pick the texts to label next, and write them with an empty column for the label."""
    import json
    from dataclasses import asdict

    from nlpkit.data.text_checks import counted
    from nlpkit.labeling.next_texts import label_next

    with skippable(on_error), as_options(), bar("reading") as show:
        picked = label_next(
            run, file, output, count=count, aim=aim, labeled=labeled, blind=blind, text=text, label=label,
            format=format, output_format=output_format, encoding=encoding, on_error=on_error,
            overwrite=overwrite, seed=seed, progress=lambda rows: show(rows, None, "rows"),
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(asdict(picked), ensure_ascii=False))
    else:
        talk(f"{counted(picked.count, 'text')} of {counted(picked.rows)}: {picked.output}")
    if picked.labeled:
        talk(f"{counted(picked.labeled)} with a label already: not asked about")
    if not picked.knows_training:
        talk("the run keeps no hashes of its training texts: some of them may be among the texts picked")
    if picked.count < count:
        talk(
            f"warning: {picked.count:,} of {counted(count, 'text')}; all others are labeled or nearly equal "
            "to these"
        )
    if picked.bad:
        talk(f"{counted(picked.bad)} could not be used")
        raise typer.Exit(5)


@label_app.command(
    epilog="Examples: nlpkit label learn runs/mine next.csv   |   "
    "nlpkit label learn runs/words next.csv --held-out test.csv -o runs/first"
)
def learn(
    run: RunFolder,
    labeled: Annotated[str, typer.Argument(help="Texts with labels.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings that win over the run's config, as key.path=value.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The new run's folder.", show_default="RUN-2, RUN-3, ..."),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(help="Labeled rows to measure both runs on.", show_default="those of RUN's training"),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Points of accuracy that 100 labels have to be worth to go on.")
    ] = 0.5,
    text: Text = "text",
    label: Label = "label",
    labels: Annotated[
        str | None,
        typer.Option(help="The file's labels as the run calls them, as YAML.", rich_help_panel=LABELS),
    ] = None,
    annotators: Annotators = None,
    format: Format = None,
    encoding: Encoding = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete a run of that name first.")] = False,
    as_json: Json = False,
) -> None:
    """Train a new run with these labels added, compare it with the old one, and say whether to go on."""
    import json

    from nlpkit.config import yaml_value
    from nlpkit.errors import ConfigError
    from nlpkit.labeling.learn import label_learn
    from nlpkit.labeling.page import summary

    settings: dict[str, Any] = {}
    for override in overrides or []:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {override!r}: expected key=value, such as training.epochs=3")
        settings[key] = yaml_value(value, where=key)
    with as_options(labels=True), bar("training") as show:
        learned = label_learn(
            run, labeled, output=output, held_out=held_out, threshold=threshold, text=text, label=label,
            labels=mapping_of(labels), annotators=names_of(annotators), format=format, encoding=encoding,
            overwrite=overwrite, overrides=settings, talk=talk,
            progress=lambda at: show(at.done, at.total, "" if at.loss is None else f"loss {at.loss:.3f}"),
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(learned.last.as_dict(), ensure_ascii=False))
    else:
        for line in summary(learned.last):
            typer.echo(line)
    talk(f"run: {learned.run.path}")
    talk(f"page: {learned.page}")


@label_app.command(epilog="Example: nlpkit label shares next.csv")
def shares(
    file: Annotated[
        str,
        typer.Argument(help="What nlpkit label next --aim shares wrote, with labels.", show_default=False),
    ],
    text: Text = "text",
    label: Label = "label",
    format: Format = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Estimate the shares of labels from texts that were picked for it, with intervals."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from nlpkit.labeling.label_shares import label_shares

    with as_options():
        estimated = label_shares(file, text=text, label=label, format=format, encoding=encoding)
    if as_json:
        typer.echo(json.dumps([asdict(share) for share in estimated], ensure_ascii=False))
        return
    table = Table("label", "share", "95% interval", "labeled texts")
    for share in estimated:
        interval = f"{share.low:.1%} to {share.high:.1%}"
        table.add_row(escaped(share.label), f"{share.share:.1%}", interval, f"{share.labeled:,}")
    Console().print(table)


@label_app.command(
    "open",
    epilog="Examples: nlpkit label open runs/mine next.csv --rater anna   |   "
    "nlpkit label open runs/mine next.csv --rater ben --codebook labels.yaml",
)
def open_texts(
    run: RunFolder,
    file: Annotated[Path, typer.Argument(help="Texts to label.", show_default=False)],
    rater: Annotated[
        str, typer.Option(help="Who labels: becomes a part of a file's name.", show_default=False)
    ],
    codebook: Annotated[
        str | None,
        typer.Option(
            help="The order and descriptions of the labels: a YAML codebook, or a shipped one.",
            show_default="the run's",
        ),
    ] = None,
    text: Text = "text",
    label: Label = "label",
    format: Format = None,
    encoding: Encoding = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 0,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Label texts in the browser, one at a time; each answer is on the disk at once."""
    from nlpkit.cli.demo import demo_module
    from nlpkit.labeling.questions import open_questions

    with as_options():
        questions = open_questions(
            run, file, rater, codebook=codebook, text=text, label=label, format=format, encoding=encoding
        )
    demo_module("labeling").open_page(questions, port=port, browser=browser)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(label_app, name="label")
