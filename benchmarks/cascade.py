"""A cascade next to its slow run alone: whole files scored in turns, and what it costs in accuracy.

Both compute by the same runtime with the same threads; each reads the file as `nlpkit score` does.

Example: python -m benchmarks.cascade runs/cascade held-out.jsonl --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records
from nlpkit.run import Run
from nlpkit.scoring.score import score_file


def bench(
    run: Path,
    data: Path,
    *,
    runtime: str,
    threads: int,
    rounds: int,
    label: str,
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write cascade.json and cascade.md, and return the results."""
    machine = Machine()
    members = {"fast": Run(run).members[0], "slow": Run(run).members[1], "cascade": run}
    classifiers = {
        name: Classifier.load(path, runtime=runtime, threads=threads) for name, path in members.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in members}
    right: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            for name, classifier in classifiers.items():
                out = Path(folder) / f"{name}-{round_}.jsonl"
                before = time.perf_counter()
                score_file(classifier, data, out, prefix="model_")
                seconds[name].append(time.perf_counter() - before)
                rows = [record.fields for record in read_records(out)]
                right[name] = statistics.mean(row["model_label"] == row[label] for row in rows)
                talk(f"round {round_ + 1}: {name}: {len(rows) / seconds[name][-1]:.0f} texts/s")
    record = {
        "texts": len(rows),
        "runtime": runtime,
        "threads": threads,
        "rounds": rounds,
        "seconds": seconds,
        "accuracy": right,
        "ratio": statistics.median(seconds["slow"]) / statistics.median(seconds["cascade"]),
    }
    talk(save(results, "cascade", record, title="Fast and slow", machine=machine, lines=_page(record)))
    return record


def _page(record: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, f"{record['texts'] / statistics.median(each):,.0f}", f"{record['accuracy'][name]:.1%}")
        for name, each in record["seconds"].items()
    ]
    return [
        f"{record['texts']:,} texts in a file, {record['runtime']}, {record['threads']} threads, median of "
        f"{record['rounds']} rounds. The cascade is {record['ratio']:.2f} times as fast as its slow run.",
        "",
        *table(("run", "texts/s", "accuracy"), rows),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cascade", description=__doc__)
    parser.add_argument("run", type=Path, help="a cascade")
    parser.add_argument("data", type=Path, help="a file with a column `text` and the labels")
    parser.add_argument("--label", default="label")
    parser.add_argument("--runtime", default="onnx")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    bench(
        asked.run,
        asked.data,
        runtime=asked.runtime,
        threads=asked.threads,
        rounds=asked.rounds,
        label=asked.label,
        results=asked.results,
        talk=print,
    )


if __name__ == "__main__":
    main()
