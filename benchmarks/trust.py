"""Whether shares of labels and promises about errors hold, on real answers in draws with shifted shares.

Takes the predictions that an evaluation left in a run. Half of the rows, drawn anew each time, stand for the
labeled ones; from the other half a file is drawn whose labels have other shares.

Example: python -m benchmarks.trust tweets=runs/a/evaluation/test.predictions.parquet
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows, matrices
from nlpkit.trust.promise import promise
from nlpkit.trust.shares import FEWEST, SharesEstimator, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_ROWS = 500
MAX_ERRORS = (0.05, 0.1)
SHIFTS: Mapping[str, float | None] = {"none": None, "mild": 5.0, "strong": 1.0}
"""Concentration of the Dirichlet distribution that a file's shares are drawn from; None: as in the data."""


def read(path: Path) -> CalibrationRows:
    """Read the predictions of an evaluation."""
    from pyarrow import parquet

    rows = parquet.read_table(path).to_pylist()
    labels = [name.removeprefix("p_") for name in rows[0] if name.startswith("p_")]
    probabilities, given = matrices(rows, labels)
    truth = np.array([[label == row["truth"] for label in labels] for row in rows])
    return CalibrationRows(
        source=path.name, labels=tuple(labels), probabilities=probabilities, given=given, truth=truth
    )


def taken(rows: CalibrationRows, chosen: NDArray[Any]) -> CalibrationRows:
    """Return some of the rows."""
    return CalibrationRows(
        source=rows.source,
        labels=rows.labels,
        probabilities=rows.probabilities[chosen],
        given=rows.given[chosen],
        truth=rows.truth[chosen],
    )


def drawn(
    rows: CalibrationRows, concentration: float | None, random: np.random.Generator
) -> tuple[CalibrationRows, CalibrationRows]:
    """Return labeled rows, and a file whose labels have shares of their own."""
    order = random.permutation(len(rows))
    held, pool = taken(rows, order[: len(rows) // 2]), taken(rows, order[len(rows) // 2 :])
    shares = pool.truth.mean(axis=0)
    if concentration is not None:
        shares = random.dirichlet(np.full(len(rows.labels), concentration))
    by_label = [np.flatnonzero(column) for column in pool.truth.T]
    size = min(FILE_ROWS, len(pool))
    counts = random.multinomial(size, shares)
    # With replacement, as a rare label may be asked for more often than the pool holds it
    chosen = [random.choice(of, count) for of, count in zip(by_label, counts, strict=True)]
    return held, taken(pool, np.concatenate(chosen))


def errors(rows: CalibrationRows, threshold: float) -> float:
    """Return the share of wrong labels among those given; 0 where none is."""
    given = (rows.probabilities * rows.given).max(axis=1) >= threshold
    wrong = ~(rows.truth & rows.given).any(axis=1)
    return float(wrong[given].mean()) if given.any() else 0.0


def plain(held: CalibrationRows, max_error: float) -> float | None:
    """Return the lowest threshold whose share of errors on the labeled rows is small enough; None without."""
    certain = (held.probabilities * held.given).max(axis=1)
    thresholds = np.unique(np.quantile(certain, np.linspace(0, 0.99, 50)))
    return next((float(each) for each in thresholds if errors(held, each) <= max_error), None)


def measure(rows: CalibrationRows, *, draws: int, seed: int) -> list[dict[str, Any]]:
    """Return for each shift how often intervals and promises hold."""
    measured = []
    for name, concentration in SHIFTS.items():
        random = np.random.default_rng(seed)
        inside: list[bool] = []
        off: dict[str, list[float]] = {"share": [], "counted": [], "likeliest": []}
        kept: dict[str, list[bool]] = {f"{error:.0%}": [] for error in MAX_ERRORS}
        plain_kept: dict[str, list[bool]] = {f"{error:.0%}": [] for error in MAX_ERRORS}
        answered: dict[str, list[float]] = {f"{error:.0%}": [] for error in MAX_ERRORS}
        for _ in range(draws):
            held, file = drawn(rows, concentration, random)
            if held.truth.sum(axis=0).min() < FEWEST:
                raise DataError(f"{rows.source}: too few rows of a label; expected {2 * FEWEST} or more")
            tally = Tally(len(rows.labels), seed)
            tally.add(file.probabilities, file.given)
            real = file.truth.mean(axis=0)
            for share, true in zip(SharesEstimator(held).shares(tally), real, strict=True):
                inside.append(bool(share.low - 1e-9 <= true <= share.high + 1e-9))
                for way in off:
                    off[way].append(abs(getattr(share, way) - true))
            for error in MAX_ERRORS:
                key = f"{error:.0%}"
                if (threshold := plain(held, error)) is not None:
                    plain_kept[key].append(errors(file, threshold) <= error)
                try:
                    made = promise(held, tally, max_error=error)
                except DataError:
                    continue
                kept[key].append(errors(file, made.threshold) <= error)
                answered[key].append(made.answered)
        measured.append(
            {
                "shift": name,
                "intervals_hold": float(np.mean(inside)),
                "mean_error": {way: float(np.mean(each)) for way, each in off.items()},
                "promises": {
                    key: {
                        "given": len(kept[key]) / draws,
                        "kept": float(np.mean(kept[key])) if kept[key] else None,
                        "answered": float(np.mean(answered[key])) if answered[key] else None,
                        "plain_kept": float(np.mean(plain_kept[key])) if plain_kept[key] else None,
                    }
                    for key in kept
                },
            }
        )
    return measured


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _page(record: Mapping[str, Any]) -> list[str]:
    lines = [f"{record['draws']} draws each; files of {FILE_ROWS} texts."]
    for name, task in record["tasks"].items():
        rows = [
            (
                each["shift"],
                _share(each["intervals_hold"]),
                *(_share(off) for off in each["mean_error"].values()),
            )
            for each in task["measured"]
        ]
        head = ("shift", "intervals that hold", "mean error", "of counting", "of expectation maximization")
        lines += ["", f"## {name}: {task['rows']:,} rows", "", *table(head, rows), ""]
        promises = [
            (
                each["shift"],
                key,
                *(_share(made[what]) for what in ("given", "kept", "answered", "plain_kept")),
            )
            for each in task["measured"]
            for key, made in each["promises"].items()
        ]
        heads = (
            "shift",
            "errors at most",
            "promised in",
            "kept in",
            "texts answered",
            "plain threshold: kept in",
        )
        lines += table(heads, promises)
    return lines


def bench(
    predictions: Mapping[str, Path], *, draws: int, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write trust.json and trust.md, and return the results."""
    machine = Machine()
    tasks = {}
    for name, path in predictions.items():
        rows = read(path)
        tasks[name] = {"rows": len(rows), "measured": measure(rows, draws=draws, seed=1)}
        talk(f"{name}: done")
    record = {"draws": draws, "tasks": tasks}
    title = "Shares of labels and promises about errors, in draws from real answers"
    talk(save(results, "trust", record, title=title, machine=machine, lines=_page(record), timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("predictions", nargs="+", metavar="NAME=FILE.parquet")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    named = dict(each.split("=", 1) for each in asked.predictions)
    bench(
        {name: Path(path) for name, path in named.items()},
        draws=asked.draws,
        results=asked.results,
        talk=print,
    )


if __name__ == "__main__":
    main()
