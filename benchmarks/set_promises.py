"""Whether promises hold where a text has several labels or opinions, in draws from real answers.

Takes the predictions that an evaluation left in a run. All rows stand for the world: labeled rows are drawn
from them, and independently a file, both with replacement.

Example: python -m benchmarks.set_promises triplets=runs/aspects/evaluation/test.predictions.parquet@155

A second number after another @ is that of the file's texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from benchmarks.trust import FILE_ROWS, shown
from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows, kept_rows
from nlpkit.trust.promise import promise
from nlpkit.trust.shares import Tally

MAX_ERRORS = (0.05, 0.1, 0.2, 0.3)


def false_share(rows: CalibrationRows, least: float) -> float:
    """Return the share of false ones among what is given from a threshold on; 0 where nothing is."""
    given = rows.given & (rows.probabilities >= least)
    return float((given & ~rows.truth).sum() / max(given.sum(), 1))


def plain_threshold(held: CalibrationRows, error: float) -> float | None:
    """Return the lowest threshold whose share of false ones in the labeled rows is small enough."""
    thresholds = np.unique(np.quantile(held.probabilities[held.given], np.linspace(0, 0.99, 50)))
    return next((float(least) for least in thresholds if false_share(held, least) <= error), None)


def measure(rows: CalibrationRows, *, labeled: int, texts: int, draws: int, seed: int) -> dict[str, Any]:
    """Return for each share of errors how often a promise is made and kept, and how much is given."""
    random = np.random.default_rng(seed)
    made: dict[float, list[tuple[bool, float]]] = {error: [] for error in MAX_ERRORS}
    plain: dict[float, list[bool]] = {error: [] for error in MAX_ERRORS}
    for _ in range(draws):
        held, file = (rows.taken(random.integers(len(rows), size=size)) for size in (labeled, texts))
        tally = Tally(len(rows.labels), seed)
        tally.add(file.probabilities, file.given)
        for error in MAX_ERRORS:
            least = plain_threshold(held, error)
            if least is not None:
                plain[error].append(false_share(file, least) <= error)
            try:
                threshold = promise(held, tally, max_error=error, is_set=True).threshold
            except DataError:
                continue
            given = (file.given & (file.probabilities >= threshold)).sum() / file.given.sum()
            made[error].append((false_share(file, threshold) <= error, float(given)))
    return {
        f"{error:.0%}": {
            "promised": len(each) / draws,
            "kept": float(np.mean([kept for kept, _ in each])) if each else None,
            "given": float(np.mean([given for _, given in each])) if each else None,
            "plain_kept": float(np.mean(plain[error])) if plain[error] else None,
        }
        for error, each in made.items()
    }


def _page(tasks: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    head = ("errors at most", "promised in", "kept in", "of all that is given", "plain threshold: kept in")
    for name, task in tasks.items():
        about = (
            f"{task['rows']:,} rows, {task['labeled']:,} labeled, files of {task['texts']:,} texts, "
            f"{task['draws']} draws"
        )
        rows = [(error, *map(shown, measured.values())) for error, measured in task["measured"].items()]
        lines += ["", f"## {name}: {about}", "", *table(head, rows)]
    return lines


def bench(
    predictions: Mapping[str, str], *, draws: int, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write set-promises.json and .md, and return the results; earlier ones of other data stay."""
    machine, tasks = Machine(), earlier_tasks(results, "set-promises")
    for name, path in predictions.items():
        file, *counts = path.split("@")
        rows = kept_rows(Path(file), source=name)
        labeled, texts = map(int, [*counts, *map(str, (len(rows) // 2, FILE_ROWS)[len(counts) :])])
        measured = measure(rows, labeled=labeled, texts=texts, draws=draws, seed=1)
        about = {"rows": len(rows), "labeled": labeled, "texts": texts, "draws": draws}
        tasks[name] = {**about, "measured": measured}
        talk(f"{name}: done")
    title = "Promises about several labels or opinions a text, in draws from real answers"
    record = {"tasks": tasks}
    talk(save(results, "set-promises", record, title=title, machine=machine, lines=_page(tasks), timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.set_promises", description=__doc__)
    parser.add_argument("predictions", nargs="+", metavar="NAME=FILE.parquet[@LABELED[@TEXTS]]")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    named = dict(each.split("=", 1) for each in asked.predictions)
    bench(named, draws=asked.draws, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
