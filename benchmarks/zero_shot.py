"""How good labels in words are without any training, as they are and calibrated on half of the rows.

Temperature and biases are fitted on one half and measured on the other, both ways round. Results are added to
those of other data and readers.

Example: python -m benchmarks.zero_shot tweets=val.jsonl --codebook tweet-emotions --reader likelihood
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.classifiers.zero_shot import zero_shot_classifier
from nlpkit.data.examples import LabeledText
from nlpkit.metrics.calibration import EQUAL_MASS_ERROR, fit_bias, fit_temperature
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.score import Score
from nlpkit.models.label_readers import READERS, ReaderSettings
from nlpkit.settings.data import DataSource
from nlpkit.tasks.intents import Intents
from nlpkit.tasks.reading import read_examples
from nlpkit.training.codebooks import find_codebook

MEASURED = (ACCURACY, MACRO_F1, EQUAL_MASS_ERROR)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is read, and by what."""

    rows: Sequence[LabeledText]
    codebook: str
    reader: ReaderSettings
    base: str | None


def measure(asked: Asked, *, seed: int) -> dict[str, Any]:
    """Return accuracy, macro F1 and calibration error with and without calibration, and the time a text."""
    book = find_codebook(asked.codebook)
    classifier = zero_shot_classifier(book, base=asked.base, reader=asked.reader)
    started = time.process_time()
    logits = classifier.logits([row.text for row in asked.rows])
    seconds = time.process_time() - started
    truth = np.array([book.names.index(str(row.label)) for row in asked.rows])
    fitted = np.empty_like(logits)
    halves = np.random.default_rng(seed).permutation(len(truth)) % 2
    for half in (0, 1):
        here, there = halves == half, halves != half
        bias = fit_bias(logits[there], truth[there])
        fitted[here] = (logits[here] + bias) / fit_temperature(logits[there] + bias, truth[there])
    return {
        "rows": len(truth),
        "base": classifier.name,
        "cpu_seconds_a_text": seconds / len(truth),
        "as it is": _scores(book.names, truth, logits, seed=seed),
        "calibrated": _scores(book.names, truth, fitted, seed=seed),
    }


def _scores(labels: tuple[str, ...], truth: Any, logits: Any, *, seed: int) -> dict[str, Any]:
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    outcomes = LabelOutcomes(
        labels=labels, truth=truth, probabilities=likely / likely.sum(axis=1, keepdims=True)
    )
    return {name: score.model_dump() for name, score in bootstrap(outcomes, MEASURED, seed=seed).items()}


def _page(tasks: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, task in tasks.items():
        for way in ("as it is", "calibrated"):
            scores = [Score.model_validate(task[way][metric.name]) for metric in MEASURED]
            shown = [score.shown_with_interval for score in scores]
            rows.append((name, task["rows"], way, *shown, f"{task['cpu_seconds_a_text']:.2f}"))
    head = ("data and reader", "rows", "", "accuracy", "macro F1", "calibration error", "CPU seconds a text")
    return ["In brackets: 95% intervals.", "", *table(head, rows)]


def bench(name: str, asked: Asked, *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write zero-shot.json and zero-shot.md, and return the results."""
    machine, tasks = Machine(), earlier_tasks(results, "zero-shot")
    measured = measure(asked, seed=1)
    tasks[f"{name}, {measured['base']}"] = measured
    page = save(
        results, "zero-shot", {"tasks": tasks}, title="Labels in words, without training", machine=machine,
        lines=_page(tasks), timed=False,
    )  # fmt: skip
    talk(page)
    return tasks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zero_shot", description=__doc__)
    parser.add_argument("data", metavar="NAME=FILE")
    parser.add_argument("--codebook", required=True)
    parser.add_argument("--reader", choices=tuple(READERS), default="embedding")
    parser.add_argument("--base")
    parser.add_argument("--rows", type=int, help="so many rows, drawn at random; default: all")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    name, file = asked.data.split("=", 1)
    task = Intents(labels=find_codebook(asked.codebook).names)
    rows: list[Any] = list(read_examples(task, (DataSource(source=file),), seed=1).examples)
    if asked.rows:
        rows = random.Random(1).sample(rows, min(asked.rows, len(rows)))
    reader = ReaderSettings(name=asked.reader)
    setup = Asked(rows=rows, codebook=asked.codebook, reader=reader, base=asked.base)
    bench(name, setup, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
