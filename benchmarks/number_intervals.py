"""Whether intervals of numbers hold as often as they say, in draws from real answers.

Takes the predictions that an evaluation left in a run: labeled rows are drawn from them without replacement,
and the other rows are the file. With `--elsewhere`, the labeled rows are those of another evaluation.

Example: python -m benchmarks.number_intervals runs/intensity/evaluation/test.predictions.parquet \
    --elsewhere runs/intensity/evaluation/validation.predictions.parquet
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.trust.calibration_rows import ValueRows
from nlpkit.trust.prediction_sets import interval

COVERAGES = (0.8, 0.9, 0.95)


def read(path: Path) -> ValueRows:
    """Return the answers and the true numbers of a file of predictions."""
    held = parquet.read_table(path)
    values, truth = (held.column(name).to_numpy().astype(float) for name in ("value", "truth"))
    return ValueRows(source=str(path), values=values, truth=truth, spreads=None)


def measure(rows: ValueRows, *, labeled: int, draws: int, seed: int) -> dict[str, Any]:
    """Return for each coverage how often the number lies in its interval, draw by draw, and the widths."""
    random = np.random.default_rng(seed)
    held: dict[float, list[float]] = {coverage: [] for coverage in COVERAGES}
    widths: dict[float, list[float]] = {coverage: [] for coverage in COVERAGES}
    for _ in range(draws):
        order = random.permutation(len(rows.values))
        known, file = order[:labeled], order[labeled:]
        known_rows = ValueRows(
            source=rows.source, values=rows.values[known], truth=rows.truth[known], spreads=None
        )
        wrong = abs(rows.values[file] - rows.truth[file])
        for coverage in COVERAGES:
            reach = interval(known_rows, coverage).ratio
            held[coverage].append(float((wrong <= reach).mean()))
            widths[coverage].append(2 * reach)
    return {
        f"{coverage:.0%}": {
            "held": float(np.mean(held[coverage])),
            "lowest": float(np.quantile(held[coverage], 0.025)),
            "highest": float(np.quantile(held[coverage], 0.975)),
            "width": float(np.mean(widths[coverage])),
        }
        for coverage in COVERAGES
    }


def shifted(elsewhere: ValueRows, rows: ValueRows) -> dict[str, Any]:
    """Return for each coverage how often intervals from rows of another kind hold the number."""
    wrong = abs(rows.values - rows.truth)
    reaches = {coverage: interval(elsewhere, coverage).ratio for coverage in COVERAGES}
    return {
        f"{coverage:.0%}": {"held": float((wrong <= reach).mean()), "width": 2 * reach}
        for coverage, reach in reaches.items()
    }


def bench(
    data: Path,
    elsewhere: Path | None,
    *,
    labeled: int,
    draws: int,
    seed: int,
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write number-intervals.json and number-intervals.md, and return the results."""
    rows = read(data)
    record: dict[str, Any] = {
        "rows": len(rows.values),
        "labeled": labeled,
        "draws": draws,
        "like": measure(rows, labeled=labeled, draws=draws, seed=seed),
    }
    lines = [
        f"{record['rows']:,} rows: {labeled:,} labeled, the others the file, {draws} draws.",
        "",
        *table(
            ("intervals for", "hold the number in", "95% of the draws", "width"),
            [
                (name, f"{each['held']:.1%}", f"{each['lowest']:.1%} to {each['highest']:.1%}",
                 f"{each['width']:.2f}")
                for name, each in record["like"].items()
            ],
        ),
    ]  # fmt: skip
    if elsewhere is not None:
        labeled_rows = read(elsewhere)
        record |= {"elsewhere_rows": len(labeled_rows.values), "elsewhere": shifted(labeled_rows, rows)}
        lines += [
            "",
            f"Labeled rows of another kind ({len(labeled_rows.values):,}):",
            "",
            *table(
                ("intervals for", "hold the number in", "width"),
                [(name, f"{each['held']:.1%}", f"{each['width']:.2f}")
                 for name, each in record["elsewhere"].items()],
            ),
        ]  # fmt: skip
    page = save(
        results, "number-intervals", record, title="Intervals of numbers", machine=Machine(), lines=lines,
        timed=False,
    )  # fmt: skip
    talk(page)
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.number_intervals", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--elsewhere", type=Path)
    parser.add_argument("--labeled", type=int, default=500)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = vars(parser.parse_args(arguments))
    bench(asked.pop("data"), asked.pop("elsewhere"), **asked, talk=print)


if __name__ == "__main__":
    main()
