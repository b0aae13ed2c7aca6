"""Whether shares of labels, promises about errors and prediction sets hold, in draws from real answers.

Takes the predictions that an evaluation left in a run. All rows stand for the world: labeled rows are drawn
from them, and independently a file whose labels have other shares, both with replacement. Two halves of the
rows, without replacement, are measured too, although they are not independent: where one has fewer errors,
the other has more.

Example: python -m benchmarks.trust tweets=runs/a/evaluation/test.predictions.parquet@436
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows, kept_rows
from nlpkit.trust.prediction_sets import in_set, least_probabilities
from nlpkit.trust.promise import error_bounds, lowest_threshold
from nlpkit.trust.shares import FEWEST, Share, SharesEstimator, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_ROWS = 500
MAX_ERRORS = (0.05, 0.1)
COVERAGE = 0.9
SHIFTS: Mapping[str, float | None] = {
    "none": None,
    "slight": 10.0,
    "mild": 5.0,
    "medium": 2.0,
    "strong": 1.0,
    "extreme": 0.5,
    "none, halves": None,
}
"""Concentration of the Dirichlet distribution that a file's shares are drawn from; None: as in the data."""


def drawn(
    rows: CalibrationRows, labeled: int, shift: str, random: np.random.Generator
) -> tuple[CalibrationRows, CalibrationRows]:
    """Return labeled rows, and a file whose labels have shares of their own."""
    if "halves" in shift:
        order, half = random.permutation(len(rows)), len(rows) // 2
        return rows.taken(order[:half][:labeled]), rows.taken(order[half:][:FILE_ROWS])
    held, concentration = rows.taken(random.integers(len(rows), size=labeled)), SHIFTS[shift]
    shares = rows.truth.mean(axis=0)
    if concentration is not None:
        shares = random.dirichlet(np.full(len(rows.labels), concentration))
    by_label = [np.flatnonzero(column) for column in rows.truth.T]
    counts = random.multinomial(FILE_ROWS, shares)
    chosen = [random.choice(of, count) for of, count in zip(by_label, counts, strict=True)]
    return held, rows.taken(np.concatenate(chosen))


def errors(rows: CalibrationRows, answered: NDArray[Any]) -> float:
    """Return the share of wrong labels among the rows that are answered; 0 where none is."""
    wrong = ~(rows.truth & rows.given).any(axis=1)
    return float(wrong[answered].mean()) if answered.any() else 0.0


def certain(rows: CalibrationRows) -> NDArray[Any]:
    """Return the probability of the label that each row is given."""
    probabilities: NDArray[Any] = (rows.probabilities * rows.given).max(axis=1)
    return probabilities


def by_plain_threshold(held: CalibrationRows, file: CalibrationRows, error: float) -> NDArray[Any] | None:
    """Answer from the lowest threshold whose share of errors on the labeled rows is small enough."""
    thresholds = np.unique(np.quantile(certain(held), np.linspace(0, 0.99, 50)))
    for threshold in thresholds:
        if errors(held, certain(held) >= threshold) <= error:
            answered: NDArray[Any] = certain(file) >= threshold
            return answered
    return None


def by_single_sets(held: CalibrationRows, file: CalibrationRows, error: float) -> NDArray[Any]:
    """Answer where the set of plain split conformal prediction has one label."""
    sets = in_set(file.probabilities, file.given, least_probabilities(held, 1 - error, by_label=False))
    single: NDArray[Any] = sets.sum(axis=1) == 1
    return single


def sets_of(held: CalibrationRows, file: CalibrationRows, *, by_label: bool) -> tuple[float, float]:
    """Return the share of sets that hold the true label, and their mean size."""
    sets = in_set(file.probabilities, file.given, least_probabilities(held, COVERAGE, by_label=by_label))
    return float((sets & file.truth).any(axis=1).mean()), float(sets.sum(axis=1).mean())


def off(shares: Sequence[Share], real: NDArray[Any]) -> dict[str, list[float]]:
    """Return how far off each estimate of a label's share is, and whether its interval holds the share."""
    ways = ("share", "counted", "likeliest")
    pairs = list(zip(shares, real.tolist(), strict=True))
    errors_of = {way: [abs(getattr(share, way) - true) for share, true in pairs] for way in ways}
    return {"inside": [share.low - 1e-9 <= true <= share.high + 1e-9 for share, true in pairs], **errors_of}


def measure(rows: CalibrationRows, *, labeled: int, draws: int, seed: int) -> list[dict[str, Any]]:
    """Return for each shift how often intervals, promises and sets hold."""
    if rows.truth.sum(axis=0).min() < 3 * FEWEST * len(rows) / labeled:
        raise DataError(
            f"{rows.source}: too few rows of a label; expected {3 * FEWEST} among the labeled ones"
        )
    return [measured_shift(rows, shift, labeled=labeled, draws=draws, seed=seed) for shift in SHIFTS]


def measured_shift(
    rows: CalibrationRows, shift: str, *, labeled: int, draws: int, seed: int
) -> dict[str, Any]:
    """Return how often intervals, promises and sets hold in draws with one shift."""
    random = np.random.default_rng(seed)
    shares: dict[str, list[float]] = {}
    sets: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    rules: dict[float, dict[str, list[NDArray[Any] | None]]] = {
        error: {"promise": [], "plain": [], "single": []} for error in MAX_ERRORS
    }
    files = []
    for _ in range(draws):
        held, file = drawn(rows, labeled, shift, random)
        tally = Tally(len(rows.labels), seed)
        tally.add(file.probabilities, file.given)
        estimator = SharesEstimator(held)
        estimated = estimator.shares(tally)
        for way, values in off(estimated, file.truth.mean(axis=0)).items():
            shares.setdefault(way, []).extend(values)
        bounds = None if estimator.is_unlike(tally, estimated) else error_bounds(held, tally)
        for by_label, measured in sets.items():
            measured.append(sets_of(held, file, by_label=by_label))
        for error, answers in rules.items():
            least = None if bounds is None else lowest_threshold(*bounds, error)
            answers["promise"].append(None if least is None else certain(file) >= least)
            answers["plain"].append(by_plain_threshold(held, file, error))
            answers["single"].append(by_single_sets(held, file, error))
        files.append(file)
    return {
        "shift": shift,
        "intervals_hold": float(np.mean(shares.pop("inside"))),
        "mean_error": {way: float(np.mean(each)) for way, each in shares.items()},
        "promises": {
            f"{error:.0%}": {rule: _rule(files, answers, error) for rule, answers in of_error.items()}
            for error, of_error in rules.items()
        },
        "sets": {
            "class_conditional" if by_label else "plain": {
                "held_truth": float(np.mean([held for held, _ in measured])),
                "held_truth_lowest_5%": float(np.quantile([held for held, _ in measured], 0.05)),
                "size": float(np.mean([size for _, size in measured])),
            }
            for by_label, measured in sets.items()
        },
    }


def _rule(
    files: Sequence[CalibrationRows], answers: Sequence[NDArray[Any] | None], error: float
) -> dict[str, float | None]:
    made = [(file, answered) for file, answered in zip(files, answers, strict=True) if answered is not None]
    kept = [errors(file, answered) <= error for file, answered in made]
    return {
        "given": len(made) / len(files),
        "kept": float(np.mean(kept)) if kept else None,
        "answered": float(np.mean([answered.mean() for _, answered in made])) if made else None,
    }


def shown(value: float | None) -> str:
    """Return a share as the pages show it; a dash for none."""
    return "–" if value is None else f"{value:.1%}"


def _page(record: Mapping[str, Any]) -> list[str]:
    lines = [f"Files of {FILE_ROWS} texts."]
    for name, task in record["tasks"].items():
        rows = [
            (
                each["shift"],
                shown(each["intervals_hold"]),
                *(shown(off) for off in each["mean_error"].values()),
            )
            for each in task["measured"]
        ]
        head = ("shift", "intervals that hold", "mean error", "of counting", "of expectation maximization")
        lines += [
            "",
            f"## {name}: {task['rows']:,} rows, {task['labeled']:,} labeled, {task['draws']} draws each",
            "",
            *table(head, rows),
            "",
        ]
        lines += _promises(task["measured"])
        sets = [
            (each["shift"], kind, *map(shown, list(of.values())[:2]), f"{of['size']:.2f}")
            for each in task["measured"]
            for kind, of in each["sets"].items()
        ]
        titles = ("shift", f"sets at {COVERAGE:.0%}", "hold the truth", "in the lowest 5% of draws", "labels")
        lines += ["", *table(titles, sets)]
    return lines


def _promises(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    promises = [
        (
            each["shift"],
            key,
            *(shown(made["promise"][what]) for what in ("given", "kept", "answered")),
            *(shown(made[rule]["kept"]) for rule in ("plain", "single")),
        )
        for each in measured
        for key, made in each["promises"].items()
    ]
    heads = (
        "shift",
        "errors at most",
        "promised in",
        "kept in",
        "texts answered",
        "plain threshold: kept in",
        "sets of one label: kept in",
    )
    return table(heads, promises)


def bench(
    predictions: Mapping[str, str], *, draws: int, seed: int, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write trust.json and trust.md, and return the results; earlier ones of other data stay."""
    machine, tasks = Machine(), earlier_tasks(results, "trust")
    for name, path in predictions.items():
        file, _, count = path.partition("@")
        rows = kept_rows(Path(file), source=Path(file).name)
        labeled = int(count or len(rows) // 2)
        measured = measure(rows, labeled=labeled, draws=draws, seed=seed)
        tasks[name] = {"rows": len(rows), "labeled": labeled, "draws": draws, "measured": measured}
        talk(f"{name}: done")
    record = {"tasks": tasks}
    title = "Shares of labels and promises about errors, in draws from real answers"
    talk(save(results, "trust", record, title=title, machine=machine, lines=_page(record), timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("predictions", nargs="+", metavar="NAME=FILE.parquet[@LABELED]")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of the draws")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    named = dict(each.split("=", 1) for each in asked.predictions)
    bench(
        named,
        draws=asked.draws,
        seed=asked.seed,
        results=asked.results,
        talk=print,
    )


if __name__ == "__main__":
    main()
