"""Several readings of a text in one pass, compared with one run alone and with each after the other.

All compute by torch on one thread, in turn. The answers are compared with those of each run alone.

Example: python -m benchmarks.readings runs/polarity,runs/emotions,runs/intents,runs/aspects reviews.jsonl
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.readings import Readings
from nlpkit.data.records import read_records, text_of


def bench(
    runs: Sequence[str],
    texts: Sequence[str],
    *,
    rounds: int,
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write readings.json and readings.md, and return the results."""
    machine = Machine()
    alone = {run: Classifier.load(run, runtime="torch", threads=1) for run in runs}
    together = Readings.load(runs, threads=1)
    methods: dict[str, Callable[[Sequence[str]], Any]] = {
        classifier.name: classifier.predict for classifier in alone.values()
    }
    methods["together"] = together.predict
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for round_ in range(rounds):
        for name, predict in methods.items():
            before = time.process_time()
            predict(texts)
            seconds[name].append(time.process_time() - before)
            talk(f"round {round_ + 1}: {name}: {seconds[name][-1]:.2f} CPU seconds")
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    record = {
        "texts": len(texts),
        "rounds": rounds,
        "shared_layers": together.shared,
        "cpu_seconds": seconds,
        "changed_answers": _changed(alone.values(), together, texts),
        "ratio": ratio(medians),
    }
    page = save(
        results,
        "readings",
        record,
        title="Several readings in one pass",
        machine=machine,
        lines=_page(record),
    )
    talk(page)
    return record


def ratio(seconds: Mapping[str, float]) -> float:
    """Return the time of all together as a multiple of the mean time of one alone."""
    alone = [value for name, value in seconds.items() if name != "together"]
    return seconds["together"] / statistics.mean(alone)


def _changed(alone: Any, together: Readings, texts: Sequence[str]) -> dict[str, int]:
    """Return for each run how many texts it answers unlike the run alone."""
    answers = together.predict(texts)
    return {
        classifier.name: sum(
            answer != given.by_name[classifier.name]
            for answer, given in zip(classifier.predict(texts), answers, strict=True)
        )
        for classifier in alone
    }


def _page(record: Mapping[str, Any]) -> list[str]:
    medians = {name: statistics.median(each) for name, each in record["cpu_seconds"].items()}
    rows = [
        (
            name,
            record["shared_layers"].get(name, "–"),
            f"{value:.2f}",
            record["changed_answers"].get(name, "–"),
        )
        for name, value in medians.items()
    ]
    return [
        f"{record['texts']:,} texts, one thread, torch; median CPU seconds of {record['rounds']} rounds. "
        f"Together they take {record['ratio']:.2f} times as long as one alone, on average.",
        "",
        *table(("run", "layers shared with the first", "CPU seconds", "answers that differ"), rows),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readings", description=__doc__)
    parser.add_argument("runs", metavar="RUN,RUN,...")
    parser.add_argument("data", type=Path, help="a file with a column `text`")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    records = read_records(asked.data, columns={"text": "text"})
    texts = [text_of(record, "text") for record, _ in zip(records, range(asked.texts), strict=False)]
    bench(asked.runs.split(","), texts, rounds=asked.rounds, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
