"""How far the time that `nlpkit score --check` estimates is from what the job then takes.

Preview and job run right after each other, in turn, on three files of different kind. Wall times differ where
other work shares the machine; processor seconds show the estimate by itself.

Example: python -m benchmarks.preview --rounds 3
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.texts import long_reviews, rated_texts, write_texts
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import read_records
from nlpkit.scoring.preview import preview
from nlpkit.scoring.score import score_file
from nlpkit.scoring.spent import Stopwatch
from nlpkit.sources import resolve

TWEETS, REVIEWS, MIX = "tweets", "film reviews", "a mix, most rows repeated"


def texts_of(kind: str, rows: int, *, seed: int) -> list[str]:
    """Return texts of one of the three kinds, in random order."""
    draws = random.Random(seed)
    if kind == TWEETS:
        records = read_records(resolve("tweets", kind="data"))
        return draws.sample(sorted({str(record.fields["text"]) for record in records}), rows)
    if kind == REVIEWS:
        return [text for text, _ in long_reviews(rows, seed=seed)]
    few = rows // 10
    different = [*rated_texts(few - few // 10, seed=seed), *texts_of(REVIEWS, few // 10, seed=seed)]
    return [draws.choice(different) for _ in range(rows)]


def measure(classifier: Classifier, file: Path, folder: Path) -> dict[str, Any]:
    """Return what a preview estimates and what the job takes."""
    watch = Stopwatch()
    looked = preview(file, classifier, loading_seconds=0)
    took = watch.spent()
    summary = score_file(classifier, file, folder / "scored.csv", overwrite=True)
    spent = watch.spent()
    return {
        "rows": summary.rows,
        "sampled": looked.sampled,
        "preview_cpu_seconds": took.cpu,
        "estimated_seconds": looked.seconds.value,
        "estimated_low": looked.seconds.low,
        "estimated_high": looked.seconds.high,
        "seconds": spent.wall,
        "estimated_cpu_seconds": looked.cpu_seconds,
        "cpu_seconds": spent.cpu,
        "estimated_rows": looked.rows,
        "estimated_tokens": None if looked.tokens is None else looked.tokens.value,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preview", description=__doc__)
    parser.add_argument("--rows", type=int, nargs=3, default=[5_000, 5_000, 20_000],
                        help="of tweets, film reviews and the mix")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    machine, classifier = Machine(), Classifier.load(threads=args.threads)
    files: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, rows in zip((TWEETS, REVIEWS, MIX), args.rows, strict=True):
            file = Path(name) / "texts.csv"
            write_texts(file, texts_of(kind, rows, seed=args.seed))
            for _ in range(args.rounds):
                files.setdefault(kind, []).append(measure(classifier, file, Path(name)))
                print(kind, files[kind][-1], flush=True)
    rows_of_table = [
        (
            kind, f"{first['rows']:,}", f"{each['sampled']:,}", f"{each['estimated_cpu_seconds']:.1f}",
            f"{each['cpu_seconds']:.1f}", f"{each['estimated_cpu_seconds'] / each['cpu_seconds']:.2f}",
            f"{each['estimated_seconds'] / each['seconds']:.2f}",
        )
        for kind, measured in files.items() for first in measured[:1] for each in measured
    ]  # fmt: skip
    heads = ("file", "rows", "sampled", "estimate, processor seconds", "job, processor seconds",
             "estimate / job, processor", "estimate / job, clock")  # fmt: skip
    lines = ["Each line is a preview and the job right after it.", "", *table(heads, rows_of_table)]
    print(save(args.results, "preview", {"files": files}, title="Time of a scoring, estimated before it",
               machine=machine, lines=lines))  # fmt: skip


if __name__ == "__main__":
    main()
