"""What texts without labels are worth to a labeled task: the same training on an adapted base, or with
self-training, and on the base as it was.

Labels are drawn by the seed, the same for both bases. A killed benchmark goes on; results are added to those
of other data, bases and methods.

Example: python -m benchmarks.adaptation tweets=texts.jsonl,train.jsonl,dev.jsonl --method masked
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.data.records import read_records
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.run import Run
from nlpkit.training.train import train, train_seeds

ACCURACY: Metric[Ratio] = ratio_metric(
    lambda right: right, name="accuracy", title="Accuracy", meaning="mean over seeds", percent=True
)
"""Of rows, each with the share of the seeds that get it right."""


ENOUGH = 1000
"""With fewer labels there are more epochs: as many batches as with so many."""

SELF_TRAINING = "self_training"
"""In place of a method of adaptation: the texts are labeled by the run, on the base as it was."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is adapted, how, and what is trained on it."""

    base: str
    method: str
    labels: Sequence[int]
    """How many labeled rows are trained and chosen on; 0 for all."""
    seeds: Sequence[int]
    epochs: float
    max_tokens: int
    folder: Path
    adaptation: Mapping[str, Any]
    """More settings of the recipe adapt, or of the self-training."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What the texts without labels are used for."""

    method: str
    source: str
    """The base to train on."""
    settings: Mapping[str, Any]
    """More settings of the training."""
    minutes: float
    """What came before the training."""
    facts: Mapping[str, Any]


def way_of(name: str, texts: str, setup: Setup) -> Way:
    """Return how the texts are used; a base is adapted unless it is there."""
    if setup.method == SELF_TRAINING:
        own = {SELF_TRAINING: {"unlabelled": texts, **setup.adaptation}}  # an old name
        return Way(method=setup.method, source=setup.base, settings=own, minutes=0.0, facts={})
    run = adapted(name, texts, setup)
    record = run.read()
    return Way(
        method=record.task["method"],
        source=str(run.path),
        settings={},
        minutes=record.cost["train_seconds"] / 60,
        facts={"texts": record.data["rows"]["train"], "held_out": record.data["measured"]},
    )


def adapted(name: str, texts: str, setup: Setup) -> Run:
    """Return the adapted base, trained unless it is there."""
    data = {"unlabelled": [{"source": texts}]}  # an old name
    return train(
        {"recipe": "adapt", "name": f"{name}-{setup.method}", "output": str(setup.folder), "data": data},
        base={"source": setup.base, "max_tokens": setup.max_tokens},
        method=setup.method,
        **setup.adaptation,
    )


def right_rows(
    name: str, source: str, rows: int, files: Sequence[str], setup: Setup, settings: Mapping[str, Any]
) -> tuple[list[np.ndarray], float]:
    """Train a sentiment run a seed on so many labels; return which dev rows each gets right, (rows,), and the
    mean minutes of a training.
    """
    from pyarrow import parquet

    right, seconds = [], []
    epochs = setup.epochs * max(1.0, ENOUGH / (rows or ENOUGH))
    for seed in setup.seeds:
        subset = {"subset": {"rows": rows, "draw": seed}} if rows else {}
        (run,) = train_seeds(
            {"recipe": "sentiment", "name": f"{name}-{rows or 'all'}-{seed}", "output": str(setup.folder)},
            task={"kind": "intents"},
            data={"train": files[0], "validation": 0.2, "test": [{"source": files[1]}], **subset},
            base={"source": source, "max_tokens": setup.max_tokens},
            training={"epochs": epochs, "metric": "accuracy", "precision": "fastest"},
            seed=seed,
            seeds=[seed],
            **settings,
        )
        seconds.append(run.read().cost["train_seconds"])
        columns = parquet.read_table(run.evaluation / "test.predictions.parquet").to_pydict()
        right.append(np.array(columns["truth"]) == np.array(columns["label"]))
    return right, float(np.mean(seconds)) / 60


def compare(before: Sequence[np.ndarray], after: Sequence[np.ndarray], seed: int = 1) -> dict[str, Any]:
    """Return mean accuracies over seeds and the gain, with intervals from resampling the dev rows."""
    old, new = (Ratio.of(np.mean(each, axis=0)) for each in (before, after))
    scores = (bootstrap(each, [ACCURACY], seed=seed)["accuracy"].model_dump() for each in (old, new))
    return {
        **dict(zip(("before", "after"), scores, strict=True)),
        "gain": paired(ACCURACY, new, old, seed=seed).model_dump(),
        "by_seed": [float(b.mean() - a.mean()) for a, b in zip(before, after, strict=True)],
    }


def _page(tasks: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, task in tasks.items():
        for labels, gained in task["labels"].items():
            old, new, gain = Score(**gained["before"]), Score(**gained["after"]), PairedTest(**gained["gain"])
            ends = 100 * (gain.low or 0.0), 100 * (gain.high or 0.0)
            points = f"{100 * (gain.difference or 0.0):+.1f} ({ends[0]:+.1f} to {ends[1]:+.1f})"
            each = ", ".join(f"{100 * value:+.1f}" for value in gained["by_seed"])
            shown = old.shown_with_interval, new.shown_with_interval
            rows.append((name, labels, *shown, points, each, f"{new.count:,}", f"{gained['minutes']:+.1f}"))
    head = (
        "data, base, method", "labels", "accuracy without the texts", "with them", "gain, in points",
        "gain by seed", "dev rows", "minutes more",
    )  # fmt: skip
    note = "Means over seeds; intervals from resampling dev rows, on which no checkpoint was chosen."
    return [*table(head, rows), "", note]


def bench(
    name: str, files: Sequence[str], setup: Setup, *, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write adaptation.json and adaptation.md for each number of labels; return the results."""
    machine, tasks, page = Machine(), earlier_tasks(results, "adaptation"), ""
    way = way_of(name, files[0], setup)
    task = tasks.setdefault(f"{name}, {setup.base}, {way.method}", {"labels": {}})
    task |= {**way.facts, "train_rows": sum(1 for _ in read_records(Path(files[1])))}
    for rows in setup.labels:
        before, plain = right_rows(f"{name}-plain", setup.base, rows, files[1:], setup, {})
        after, more = right_rows(f"{name}-{setup.method}", way.source, rows, files[1:], setup, way.settings)
        gained = compare(before, after) | {"minutes": way.minutes + more - plain}
        task["labels"][f"{rows:,}" if rows else "all"] = gained
        page = save(
            results, "adaptation", {"tasks": tasks}, title="What texts without labels bring",
            machine=machine, lines=_page(tasks), timed=False,
        )  # fmt: skip
    talk(page)
    return tasks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptation", description=__doc__)
    parser.add_argument("data", metavar="NAME=TEXTS,TRAIN,DEV")
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--method", choices=("masked", "contrastive", SELF_TRAINING), default="masked")
    parser.add_argument("--labels", type=int, nargs="+", default=(100, 1000, 0), help="0: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--adapt-epochs", type=float, default=1)
    parser.add_argument("--min-probability", type=float, default=0.8, help="of a text in self-training")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-adaptation"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    name, files = asked.data.split("=", 1)
    setup = Setup(
        base=asked.base, method=asked.method, labels=asked.labels, seeds=asked.seeds, epochs=asked.epochs,
        max_tokens=asked.max_tokens, folder=asked.folder,
        adaptation={"min_probability": asked.min_probability}
        if asked.method == SELF_TRAINING
        else {"training": {"epochs": asked.adapt_epochs, "precision": "fastest"}},
    )  # fmt: skip
    bench(name, files.split(","), setup, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
