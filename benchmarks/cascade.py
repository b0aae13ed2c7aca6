"""A cascade next to its slow run alone: whole files scored in turns, and what it costs in accuracy.

Each reads the file as `nlpkit score` does, with the same threads. No threshold is chosen here: measure on
other rows than those that it was chosen on.

Example: python -m benchmarks.cascade sst2=runs/cascade,held-out.jsonl --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.classifiers.cascade import Cascade, is_doubted
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records
from nlpkit.metrics.intervals import NORMAL
from nlpkit.run import Run
from nlpkit.scoring.score import score_file

ROLES = ("fast", "slow", "cascade")


def measure(
    run: Path, data: Path, *, runtime: str, alone: str, threads: int, rounds: int, budget: int | None,
    label: str, talk: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Score the file with the cascade and with each of its runs alone, in turn.

    Args:
        run: the cascade.
        data: a file of texts and labels.
        runtime: of the cascade, and of its fast run alone.
        alone: the runtime of its slow run alone.
        threads: of each.
        rounds: how often each scores the file.
        budget: of each, as `nlpkit score --budget` takes it; by default what a file of that size gets.
        label: the column of the true labels.
        talk: gets lines for people.
    """
    paths = dict(zip(ROLES, (*Run(run).members, run), strict=True))
    runtimes = {"fast": runtime.partition(",")[0], "slow": alone, "cascade": runtime}
    classifiers = {
        role: Classifier.load(path, runtime=runtimes[role], threads=threads) for role, path in paths.items()
    }
    records = list(read_records(data))
    seconds: dict[str, list[float]] = {role: [] for role in ROLES}
    right: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            for role, classifier in classifiers.items():
                out = Path(folder) / f"{role}-{round_}.jsonl"
                before = time.perf_counter()
                score_file(classifier, data, out, prefix="model_", budget=budget)
                seconds[role].append(time.perf_counter() - before)
                rows = [record.fields for record in read_records(out)]
                right[role] = np.array([row["model_label"] == row[label] for row in rows])
                talk(f"round {round_ + 1}: {role}: {len(rows) / seconds[role][-1]:.0f} texts/s")
    cascade = cast("Cascade", classifiers["cascade"].model)
    doubted = [
        is_doubted(answer, cascade.threshold)
        for answer in cascade.fast.predict([str(record.fields["text"]) for record in records])
    ]
    lost = difference(right["slow"], right["cascade"])
    return {
        "texts": len(records),
        "runtime": runtime,
        "alone": alone,
        "budget": budget,
        "threads": threads,
        "seconds": seconds,
        "accuracy": {role: float(each.mean()) for role, each in right.items()},
        "lost": lost,
        "left_to_slow": float(np.mean(doubted)),
        "ratios": [slow / both for slow, both in zip(seconds["slow"], seconds["cascade"], strict=True)],
    }


def difference(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Return the accuracy of the first minus that of the second on the same rows, and its 95% interval."""
    each = first.astype(float) - second
    half = NORMAL * float(each.std(ddof=1)) / len(each) ** 0.5
    return [float(each.mean()), float(each.mean()) - half, float(each.mean()) + half]


def _page(record: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, task in record["tasks"].items():
        lost, low, high = (100 * value for value in task["lost"])
        ratios, texts = task["ratios"], task["texts"]
        rows = [
            (
                role,
                f"{texts / statistics.median(task['seconds'][role]):,.0f}",
                f"{task['accuracy'][role]:.1%}",
            )
            for role in ROLES
        ]
        lines += [
            f"## {name}",
            "",
            f"{texts:,} texts in a file, {task['runtime']}, the slow run alone {task['alone']}, "
            f"{task['threads']} threads, {f'--budget {budget}, ' if (budget := task['budget']) else ''}"
            f"{len(ratios)} rounds. "
            f"The cascade leaves {task['left_to_slow']:.1%} of the texts to its slow run and is "
            f"**{statistics.median(ratios):.1f} times** as fast as that alone ({min(ratios):.1f} to "
            f"{max(ratios):.1f} over rounds). "
            f"Points of accuracy lost: {lost:+.1f} ({low:+.1f} to {high:+.1f}, paired).",
            "",
            *table(("run", "texts/s", "accuracy"), rows),
            "",
        ]
    return lines[:-1]


def bench(
    cascades: Mapping[str, str], *, results: Path, talk: Callable[[str], None], **how: Any
) -> dict[str, Any]:
    """Measure, write cascade.json and cascade.md, and return the results; earlier ones of other data stay."""
    machine, measured = Machine(), {}
    for name, paths in cascades.items():
        run, data = map(Path, paths.split(","))
        measured[name] = measure(run, data, talk=talk, **how)
    record = {"tasks": earlier_tasks(results, "cascade") | measured}
    talk(save(results, "cascade", record, title="Fast and slow", machine=machine, lines=_page(record)))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cascade", description=__doc__)
    parser.add_argument(
        "cascades", nargs="+", metavar="NAME=RUN,FILE", help="a cascade; a file of `text` and labels"
    )
    parser.add_argument("--label", default="label")
    parser.add_argument("--runtime", default="onnx", help="of the cascade, or of its two runs: FAST,SLOW")
    parser.add_argument("--alone", help="runtime of the slow run alone; default: the cascade's one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, help="of each, as `nlpkit score --budget` takes it")
    parser.add_argument("--results", type=Path, default=FOLDER)
    how = vars(parser.parse_args(arguments))
    how["alone"] = how["alone"] or how["runtime"]
    named = dict(each.split("=", 1) for each in how.pop("cascades"))
    bench(named, talk=print, **how)


if __name__ == "__main__":
    main()
