"""Peak memory of `nlpkit score`, from ten thousand rows to a million.

The model is tiny and has random weights, so that a million rows take minutes. Memory that grows with the rows
shows all the same.

Example: python -m benchmarks.memory --rows 10000 50000 1000000
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from benchmarks.tiny import tiny_texts
from nlpkit.errors import NlpkitError

ROWS = (10_000, 50_000, 1_000_000)
RUNTIMES = ("onnx", "torch")
_BLOCK = 10_000


@dataclass(frozen=True, kw_only=True)
class Point:
    """One scoring in a process of its own."""

    runtime: str
    rows: int
    input_mb: float
    peak_mb: float
    seconds: float
    rows_per_second: float


def score_rows(run: str, rows: int, folder: Path, *, runtime: str, threads: int) -> Point:
    """Run `nlpkit score` on a CSV with so many rows."""
    source, target = folder / f"{rows}.csv", folder / f"{rows}-scored.csv"
    with source.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        file.writelines(_lines(rows))
    options = ["--runtime", runtime, "--threads", str(threads), "--json"]
    child = run_child(
        ["-m", "nlpkit", "score", run, str(source), "-o", str(target), *options], threads=threads
    )
    summary = json.loads(child.output)
    if summary["rows"] != rows:
        raise NlpkitError(f"{source}: {summary['rows']:,} rows scored, expected {rows:,}")
    size = source.stat().st_size / 1e6
    source.unlink()
    target.unlink()
    return Point(
        runtime=runtime,
        rows=rows,
        input_mb=size,
        peak_mb=child.peak_mb,
        seconds=summary["seconds"],
        rows_per_second=rows / summary["seconds"],
    )


def _lines(rows: int) -> Iterator[str]:
    for start in range(0, rows, _BLOCK):
        for number, text in enumerate(tiny_texts(min(_BLOCK, rows - start), seed=start), start=start):
            yield f"{number},{text}\n"


def bench(
    rows: Sequence[int],
    *,
    threads: int,
    results: Path,
    talk: Callable[[str], None],
    run: str | None = None,
    runtimes: Sequence[str] = RUNTIMES,
) -> dict[str, Any]:
    """Measure, write memory.json and memory.md, and return the results.

    run: a run of a tiny model; None: one is made.

    Raises:
        NlpkitError: a child process failed.
    """
    machine = Machine()
    points: list[Point] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = run or run_child(["-m", "benchmarks.tiny", str(folder)], threads=1).output.strip()
        # The export is made first, so that it does not count
        run_child(["-m", "nlpkit", "export", run], threads=1)
        for runtime in runtimes:
            for count in rows:
                points.append(point := score_rows(run, count, folder, runtime=runtime, threads=threads))
                talk(
                    f"{runtime}, {count:,} rows: {point.peak_mb:,.0f} MB, {point.rows_per_second:,.0f} rows/s"
                )
    grown = {runtime: _grown([point for point in points if point.runtime == runtime]) for runtime in runtimes}
    record = {"points": [asdict(point) for point in points], "grown": grown}
    cells = [
        (
            point.runtime,
            f"{point.rows:,}",
            f"{point.input_mb:,.1f}",
            f"{point.peak_mb:,.0f}",
            f"{point.rows_per_second:,.0f}",
        )
        for point in points
    ]
    notes = [
        f"{name}: from {rows[-2]:,} to {rows[-1]:,} rows the peak changes by {share:+.1%}."
        for name, share in grown.items()
    ]
    lines = [*table(("Runtime", "Rows", "Input MB", "Peak MB", "Rows/s"), cells), "", *notes]
    talk(
        save(
            results,
            "memory",
            record,
            title="Memory of `nlpkit score`, tiny model of random weights",
            machine=machine,
            lines=lines,
        )
    )
    return record


def _grown(points: Sequence[Point]) -> float:
    """Return the growth of the peak from the second longest file to the longest, as a share."""
    return points[-1].peak_mb / points[-2].peak_mb - 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(args.rows, threads=args.threads, results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
