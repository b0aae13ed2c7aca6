"""Whether the promises of a cascade hold, in draws from real answers: what it loses, and about its errors.

All rows stand for the world: validation rows, labeled rows and a file are drawn from them independently, with
replacement. Two runs are given by the predictions that evaluations of the same rows left in them. By default
logistic regression on TF-IDF stands for the fast run, and the built-in classifier is the slow one, on tweets.

Example: python -m benchmarks.cascade_promises sst2=fast.predictions.parquet,slow.predictions.parquet
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from benchmarks.trust import FILE_ROWS, SHIFTS, certain, drawn, errors, shown
from benchmarks.tweets import World, world
from nlpkit.errors import DataError
from nlpkit.training.cascade import lowest, points
from nlpkit.trust.calibration_rows import CalibrationRows, kept_rows
from nlpkit.trust.promise import Bounds, lowest_threshold, refuse_unlike
from nlpkit.trust.shares import Tally

LOSES = (0.005, 0.01, 0.02, 0.05)
KEPT_AT = 0.02
"""The loss of the cascade about whose errors something is promised."""
MAX_ERRORS = (0.05, 0.1, 0.2)
SHIFTS_DRAWN = tuple(shift for shift in SHIFTS if "halves" not in shift)
ROWS, VALIDATION, LABELED = 3_000, 1_000, 1_000
TWEETS = "tweets, TF-IDF and built-in"


def right(rows: CalibrationRows) -> Any:
    """Return (rows,): whether each label is right."""
    return (rows.truth & rows.given).any(axis=1)


def together(fast: CalibrationRows, slow: CalibrationRows, threshold: float) -> CalibrationRows:
    """Return the answers of a cascade: the slow ones where the fast ones are less certain than that."""
    is_fast = (certain(fast) >= threshold)[:, None]
    return replace(
        slow,
        probabilities=np.where(is_fast, fast.probabilities, slow.probabilities),
        given=np.where(is_fast, fast.given, slow.given),
    )


def measure(fast: CalibrationRows, slow: CalibrationRows, *, draws: int, seed: int) -> dict[str, Any]:
    """Return how often what may be lost is not exceeded in the world, and how often promises are kept."""
    random = np.random.default_rng(seed)
    lost: dict[float, list[tuple[bool, float]]] = {loses: [] for loses in LOSES}
    made: dict[str, dict[float, list[tuple[bool, float]]]] = {
        shift: {error: [] for error in MAX_ERRORS} for shift in SHIFTS_DRAWN
    }
    for _ in range(draws):
        chosen = random.integers(len(slow), size=VALIDATION)
        known = points(certain(fast)[chosen], right(fast)[chosen], right(slow)[chosen])
        for loses in LOSES:
            try:
                threshold = lowest(known, VALIDATION, loses).threshold
            except DataError:
                continue
            world = together(fast, slow, threshold)
            is_kept = bool(right(slow).mean() - right(world).mean() <= loses)
            lost[loses].append((is_kept, float((certain(fast) < threshold).mean())))
            for shift in SHIFTS_DRAWN if loses == KEPT_AT else ():
                held, file = drawn(world, LABELED, shift, random)
                bounds = _bounds(held, file, seed)
                for error, outcomes in made[shift].items():
                    least = bounds and lowest_threshold(bounds.thresholds, bounds.bounds, error)
                    if least is not None:
                        answered = certain(file) >= least
                        outcomes.append((errors(file, answered) <= error, float(answered.mean())))
    cascades = len(lost[KEPT_AT])
    return {
        "accuracy": {"fast": float(right(fast).mean()), "slow": float(right(slow).mean())},
        "loses": {f"{loses:.1%}": _outcome(each, draws, "slow") for loses, each in lost.items()},
        "promises": {
            shift: {f"{error:.0%}": _outcome(each, cascades, "answered") for error, each in of.items()}
            for shift, of in made.items()
        },
    }


def _bounds(held: CalibrationRows, file: CalibrationRows, seed: int) -> Bounds | None:
    """Return what the errors of a file rarely exceed; None where its texts are not like the labeled rows."""
    tally = Tally(len(file.labels), seed)
    tally.add(file.probabilities, file.given)
    try:
        refuse_unlike(held, tally, max_error=1, is_set=False, seed=seed)
    except DataError:
        return None
    return Bounds.of(held, tally, is_set=False, seed=seed)


def _outcome(made: Sequence[tuple[bool, float]], draws: int, what: str) -> dict[str, float | None]:
    return {
        "made": len(made) / draws if draws else 0.0,
        "kept": float(np.mean([kept for kept, _ in made])) if made else None,
        what: float(np.mean([share for _, share in made])) if made else None,
    }


def _page(tasks: Mapping[str, Any]) -> list[str]:
    head = ("loses at most", "a threshold in", "loses no more in", "left to the slow one")
    titles = ("shift", "errors at most", "promised in", "kept in", "texts answered")
    lines: list[str] = []
    for name, task in tasks.items():
        losses = [(loses, *map(shown, of.values())) for loses, of in task["loses"].items()]
        promises = [
            (shift, error, *map(shown, of.values()))
            for shift, made in task["promises"].items()
            for error, of in made.items()
        ]
        accuracy = task["accuracy"]
        lines += [
            "",
            f"## {name}",
            "",
            f"{task['rows']:,} texts; {task['draws']} draws of {VALIDATION:,} validation rows. The fast run "
            f"is right on {accuracy['fast']:.1%}, the slow one on {accuracy['slow']:.1%}.",
            "",
            *table(head, losses),
            "",
            f"Of the cascades that lose at most {KEPT_AT:.0%}, about all answers together; {LABELED:,} "
            f"labeled rows, files of {FILE_ROWS} texts:",
            "",
            *table(titles, promises),
        ]
    return lines[1:]


def bench(
    worlds: Mapping[str, World], *, draws: int, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write cascade-promises.json and .md, and return the results; others stay."""
    machine, tasks = Machine(), earlier_tasks(results, "cascade-promises")
    for name, answers in worlds.items():
        measured = measure(answers.fast, answers.slow, draws=draws, seed=1)
        tasks[name] = {"rows": len(answers.slow), "draws": draws, **measured}
    record = {"tasks": tasks}
    title, page = "The promises of a cascade, in draws from real answers", _page(tasks)
    talk(save(results, "cascade-promises", record, title=title, machine=machine, lines=page, timed=False))
    return record


def kept_world(name: str, files: str) -> World:
    """Return what two runs answered to the same rows, by their predictions `FAST,SLOW`."""
    fast, slow = (kept_rows(Path(file), source=name) for file in files.split(","))
    if fast.labels != slow.labels or not np.array_equal(fast.truth, slow.truth):
        raise DataError(f"{name}: the two files do not hold the same rows; expected evaluations of one file")
    return World(fast=fast, slow=slow)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cascade_promises", description=__doc__)
    parser.add_argument("predictions", nargs="*", metavar="NAME=FAST.parquet,SLOW.parquet")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    named = dict(each.split("=", 1) for each in asked.predictions)
    worlds = {name: kept_world(name, files) for name, files in named.items()} or {TWEETS: world(ROWS, seed=1)}
    bench(worlds, draws=asked.draws, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
