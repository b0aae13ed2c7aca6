"""Whether an analysis finds what was planted in made files, and nothing else.

The answers are the built-in classifier's to tweets that it was not trained on. Of each true label, labeled
rows are drawn, and independently the rows of a file, whose shares are known for each product and week. In one
product negative texts rise in the middle, in another they fall later; or nothing differs and nothing changes.

Example: python -m benchmarks.analyze --draws 50
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from benchmarks.trust import shown
from benchmarks.tweets import by_built_in, unseen
from nlpkit.analysis.cells import ALL, Cell
from nlpkit.analysis.counts import count
from nlpkit.analysis.findings import Change, Findings, find
from nlpkit.analysis.passes import Passes
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.survey import survey
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.cell_shares import CellShares

ROWS, LABELED = 2_000, 1_000
"""Of the world, and labeled rows of a draw."""
WEEKS, FIRST = 30, date(2026, 3, 2)
PRODUCTS = ("kettle", "lamp", "radio", "toaster")
USUAL = {"negative": 0.35, "neutral": 0.3, "positive": 0.35}
PLANTED: Mapping[str, tuple[int, float]] = {"kettle": (12, 0.2), "radio": (20, -0.15)}
"""Product -> the first week of another share of negative texts, and by how much it differs; positive texts
make up for it."""
BLOCK = 200_000
"""Rows of a large file that are made at once."""
MADE, HELD_OUT = "made.parquet", "labeled.jsonl"
TODAY = date(2026, 11, 29)
KINDS = ("planted", "nothing")
"""Files with the planted changes, and files without any."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A made file and its truth."""

    path: Path
    weeks: np.ndarray
    products: np.ndarray
    truth: np.ndarray
    """(rows,): the number of the true label."""
    planted: Mapping[str, tuple[int, float]]

    def share(self, cell: Cell, label: int) -> float:
        """Return the true share of a label in a cell."""
        inside = np.ones(len(self.truth), dtype=bool)
        for _, value in cell.groups:
            inside &= self.products == PRODUCTS.index(value)
        if cell.period:
            inside &= self.weeks == WEEK_NAMES.index(cell.period)
        return float((self.truth[inside] == label).mean())


WEEK_NAMES = [(FIRST + timedelta(weeks=week)).strftime("%G-W%V") for week in range(WEEKS)]


def make(
    path: Path, world: CalibrationRows, texts: Sequence[str], *, rows: int, planted: bool, seed: int
) -> Made:
    """Write a scored file of made rows, with answers drawn from the world by the true label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng((seed, 2))
    weeks, products = random.integers(WEEKS, size=rows), random.integers(len(PRODUCTS), size=rows)
    changes = PLANTED if planted else {}
    chances = np.tile([USUAL[label] for label in world.labels], (rows, 1))
    negative, positive = (world.labels.index(label) for label in ("negative", "positive"))
    for product, (week, points) in changes.items():
        inside = (products == PRODUCTS.index(product)) & (weeks >= week)
        chances[inside, negative] += points
        chances[inside, positive] -= points
    truth = (random.random(rows)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1)
    drawn = np.empty(rows, dtype=np.int64)
    for label in range(len(world.labels)):
        inside = np.flatnonzero(truth == label)
        drawn[inside] = random.choice(np.flatnonzero(world.truth[:, label]), size=len(inside))
    dates = [str(FIRST + timedelta(weeks=int(week), days=int(day))) for week, day in
             zip(weeks, random.integers(7, size=rows), strict=True)]  # fmt: skip
    labels = np.array(world.labels)
    columns: dict[str, Any] = {
        "text": [texts[row] for row in drawn.tolist()],
        "product": [PRODUCTS[product] for product in products.tolist()],
        "date": dates,
        "true": labels[truth].tolist(),
        "label": labels[world.probabilities[drawn].argmax(axis=1)].tolist(),
        **{f"p_{label}": world.probabilities[drawn, number] for number, label in enumerate(world.labels)},
    }
    pq.write_table(pa.table(columns), path)
    return Made(path=path, weeks=weeks, products=products, truth=truth, planted=changes)


def found_in(made: Made, held: CalibrationRows, *, seed: int) -> Findings:
    """Return the figures that `nlpkit analyze` shows."""
    rows = ScoredRows(
        path=made.path, source=made.path, labels=held.labels, is_set=False, by=("product",), time="date"
    )
    passes = Passes(made.path.with_name("passes"), seed=seed)
    plan = survey(rows, passes, every="week", order=None, today=TODAY)
    listed = made.path.with_name("rows.parquet")
    counts = count(rows, plan, passes, listed=listed, progress=lambda done: None, seed=seed)
    return find(
        counts, plan, CellShares(len(held.labels), held, is_set=False, seed=seed), held.labels, seed=seed
    )


def is_planted(change: Change, made: Made) -> bool:
    """Return whether a change has the place, within a week, and the sign of one that was planted."""
    products = [change.cell.groups[0][1]] if change.cell.groups else list(made.planted)
    at = [WEEK_NAMES.index(change.earliest) - 1, WEEK_NAMES.index(change.latest) + 1]
    sign = {"negative": 1, "positive": -1}.get(change.label, 0)
    return any(
        at[0] <= week <= at[1] and points * sign * change.difference > 0
        for product, (week, points) in made.planted.items()
        if product in products
    )


def outcome(
    world: CalibrationRows, texts: Sequence[str], *, rows: int, planted: bool, seed: int
) -> dict[str, Any]:
    """Return what is found in one draw."""
    random = np.random.default_rng((seed, 1))
    held = world.taken(random.integers(len(world), size=LABELED))
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder) / "made.parquet", world, texts, rows=rows, planted=planted, seed=seed)
        findings = found_in(made, held, seed=seed)
    negative = held.labels.index("negative")
    products = [Cell(groups=(("product", name),)) for name in PRODUCTS]
    right = [change for change in findings.changes if is_planted(change, made)]
    true = {cell: made.share(cell, negative) for cell in products}
    return {
        "covered": {
            "all": _covered(findings, made, [ALL]),
            "products": _covered(findings, made, products),
            "weeks": _covered(findings, made, [cell for cell in findings.estimates if cell.period]),
        },
        "counted": np.mean([abs(_counted(findings, cell, negative) - true[cell]) for cell in products]),
        "corrected": np.mean(
            [abs(findings.estimates[cell].share[negative] - true[cell]) for cell in products]
        ),
        "found": {
            product: any(
                change.cell.groups == (("product", product),) and change.label == "negative"
                for change in right
            )
            for product in made.planted
        },
        "interval": [
            change.low <= made.planted[change.cell.groups[0][1]][1] <= change.high
            for change in right
            if change.label == "negative" and change.cell != ALL
        ],
        "false": len(findings.changes) > len(right),
        "differences": any(each.is_shown for each in findings.differences),
    }


def _counted(findings: Findings, cell: Cell, label: int) -> float:
    tally = findings.counts.of(cell)
    return float(tally.given[label] / tally.texts)


def _covered(findings: Findings, made: Made, cells: Sequence[Cell]) -> float:
    """Return how many intervals hold the true share, of all labels."""
    inside = [
        findings.estimates[cell].low[label] - 1e-9
        <= made.share(cell, label)
        <= findings.estimates[cell].high[label] + 1e-9
        for cell in cells
        for label in range(len(findings.labels))
    ]
    return float(np.mean(inside))


def _mean(outcomes: Sequence[Any]) -> Any:
    """Return the mean of each figure of the outcomes; None where there is none."""
    if isinstance(outcomes[0], Mapping):
        return {name: _mean([each[name] for each in outcomes]) for name in outcomes[0]}
    values = np.concatenate([np.atleast_1d(each) for each in outcomes])
    return float(values.mean()) if len(values) else None


def _page(record: Mapping[str, Any]) -> list[str]:
    planted, timed = record["planted"], record.get("whole")
    points = {
        name: [f"{100 * record[kind][name]:.1f}" for kind in KINDS] for name in ("corrected", "counted")
    }
    changes = [
        (f"change in {product} found ({100 * size:+.0f} points)", shown(planted["found"][product]), "")
        for product, (_, size) in PLANTED.items()
    ]
    rows = [
        ("intervals that hold the true share: all texts", *_both(record, lambda of: of["covered"]["all"])),
        ("of a product", *_both(record, lambda of: of["covered"]["products"])),
        ("of a week, or a product's week", *_both(record, lambda of: of["covered"]["weeks"])),
        ("mean error in a product, in points: corrected", *points["corrected"]),
        ("counted", *points["counted"]),
        *changes,
        ("intervals of these changes that hold the planted points", shown(planted["interval"]), ""),
        ("files with a change that was not planted", *_both(record, lambda of: of["false"])),
        ("files with a difference between products", *_both(record, lambda of: of["differences"])),
    ]
    lines = [
        f"{record['draws']} made files each of {record['rows']:,} rows, {len(PRODUCTS)} products and {WEEKS} "
        f"weeks, and {LABELED:,} labeled rows; answers of the built-in classifier to {record['world']:,} "
        "tweets that it was not trained on.",
        "",
        *table(("", "changes planted", "nothing planted"), rows),
    ]
    if timed:
        lines += [
            "",
            "Larger files with the planted changes, no two texts equal, scored before; `nlpkit analyze` in a "
            "process of its own, on one thread:",
            "",
            *table(
                ("rows", "seconds", "CPU seconds", "peak MB", "page, MB"),
                [
                    (
                        f"{each['rows']:,}",
                        f"{each['seconds']:.0f}",
                        f"{each['cpu_seconds']:.0f}",
                        f"{each['peak_mb']:.0f}",
                        f"{each['page'] / 1e6:.2f}",
                    )
                    for each in timed
                ],
            ),
            "",
            f"The first sentence of the last: {timed[-1]['sentence']}",
        ]
    return lines


def _both(record: Mapping[str, Any], of: Callable[[Mapping[str, Any]], float]) -> tuple[str, str]:
    planted, nothing = (shown(of(record[kind])) for kind in KINDS)
    return planted, nothing


def large_file(path: Path, world: CalibrationRows, texts: Sequence[str], *, rows: int) -> Path:
    """Write a scored file with the planted changes, no two texts of which are equal, block by block."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part, writer = path.with_name("part.parquet"), None
    for start in range(0, rows, BLOCK):
        make(part, world, texts, rows=min(BLOCK, rows - start), planted=True, seed=start)
        block = pq.read_table(part)
        varied = [f"{text} {number}" for number, text in enumerate(block["text"].to_pylist(), start=start)]
        block = block.set_column(0, "text", pa.array(varied))
        writer = writer or pq.ParquetWriter(path, block.schema)
        writer.write_table(block)
    if writer:
        writer.close()
    part.unlink()
    return path


def prepare(folder: Path, rows: int) -> None:
    """Write a large file, and the labeled rows for its shares."""
    _, tweets = unseen(ROWS, seed=1)
    large_file(folder / MADE, by_built_in(tweets), [tweet.text for tweet in tweets], rows=rows)
    lines = (json.dumps({"text": tweet.text, "label": tweet.label}) + "\n" for tweet in tweets[:LABELED])
    (folder / HELD_OUT).write_text("".join(lines), encoding="utf-8")


def whole(rows: int, folder: Path) -> dict[str, Any]:
    """Make one large file and analyze it, each in a process of its own; return time, memory and page."""
    run_child(["-m", "benchmarks.analyze", "--make", str(folder), "--rows", str(rows)], threads=1)
    page = folder / "report.html"
    child = run_child(
        ["-m", "nlpkit", "analyze", "default", str(folder / MADE), "-o", str(page), "--by", "product",
         "--time", "date", "--unit", "tweets", "--held-out", str(folder / HELD_OUT), "--json", "--overwrite"],
        threads=1,
    )  # fmt: skip
    return {
        "rows": rows,
        "seconds": child.seconds,
        "cpu_seconds": child.cpu_seconds,
        "peak_mb": child.peak_mb,
        "page": page.stat().st_size,
        "sentence": json.loads(child.output)["sentences"][0],
    }


def bench(
    world: CalibrationRows,
    tweets: Sequence[Any],
    *,
    draws: int,
    rows: int,
    large: Sequence[Mapping[str, Any]],
    results: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write analyze.json and analyze.md, and return the results.

    large: what `whole` measured.
    """
    machine = Machine()
    texts = [tweet.text for tweet in tweets]
    made = {
        kind: _mean(
            [
                outcome(world, texts, rows=rows, planted=kind == "planted", seed=seed)
                for seed in range(1, draws + 1)
            ]
        )
        for kind in KINDS
    }
    record: dict[str, Any] = {"draws": draws, "rows": rows, "world": len(world), **made}
    if large:
        record["whole"] = list(large)
    title = "Analysis of made files with planted changes"
    page = _page(record)
    talk(save(results, "analyze", record, title=title, machine=machine, lines=page, timed=bool(large)))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analyze", description=__doc__)
    parser.add_argument("--draws", type=int, default=50, help="files of each kind")
    parser.add_argument("--rows", type=int, default=20_000, help="of each of these files")
    parser.add_argument("--large", type=int, nargs="*", default=[200_000, 1_000_000],
                        help="rows of larger files, each analyzed as a whole")  # fmt: skip
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="only write a file of --rows there")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    if asked.make:
        prepare(asked.make, asked.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        large = [whole(rows, Path(folder)) for rows in asked.large]
    _, tweets = unseen(ROWS, seed=1)
    bench(
        by_built_in(tweets), tweets, draws=asked.draws, rows=asked.rows, large=large,
        results=asked.results, talk=print,
    )  # fmt: skip


if __name__ == "__main__":
    main()
