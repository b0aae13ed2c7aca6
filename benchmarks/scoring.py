"""`nlpkit score` with each runtime, compared with transformers.pipeline and sentence-transformers.

All get the same texts, weights and threads, and take turns.

Example: python -m benchmarks.scoring --run runs/quickstart --corpus short --rounds 3 --threads 1 2
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from benchmarks.scoring_turns import PIPELINE, RUNTIMES, Bench, Turn, measure, prepare
from benchmarks.texts import long_reviews, rated_rows, read_column
from nlpkit.errors import NlpkitError

SEED = 1

CORPORA: Mapping[str, tuple[str, Callable[..., list[tuple[str, str]]], int]] = {
    "short": ("scoring", rated_rows, 20_000),
    "long": ("scoring-long", long_reviews, 2_000),
}
"""By corpus: the name of the results, the function that samples labeled texts, and how many."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as fast nlpkit is as a peer: the median over rounds."""

    method: str
    peer: str
    threads: int
    median: float
    low: float
    high: float
    cpu: float
    """The peer's CPU seconds over nlpkit's: a ratio that other work on the machine disturbs less."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well the answers of a method agree with the pipeline's."""

    method: str
    texts: int
    different_labels: int
    largest_difference: float
    """Of a probability."""
    accuracy: float | None
    """On the labels that people gave; None where the run does not have them all."""
    pipeline_accuracy: float | None
    """The accuracy of the pipeline."""

    @property
    def share(self) -> float:
        """Share of texts with another label."""
        return self.different_labels / self.texts


def ratio(turns: Sequence[Turn], method: str, peer: str, threads: int) -> Ratio:
    """Return the ratio at a number of threads."""
    pairs = [
        (ours, theirs)
        for ours in turns
        for theirs in turns
        if (ours.method, theirs.method) == (method, peer)
        and ours.round == theirs.round
        and ours.threads == theirs.threads == threads
    ]
    speed = [theirs.seconds / ours.seconds for ours, theirs in pairs]
    cpu = statistics.median(theirs.cpu_seconds / ours.cpu_seconds for ours, theirs in pairs)
    return Ratio(
        method=method,
        peer=peer,
        threads=threads,
        median=statistics.median(speed),
        low=min(speed),
        high=max(speed),
        cpu=cpu,
    )


def agreement(bench: Bench, method: str) -> Agreement:
    """Compare the last output of a method with the pipeline's, text by text."""
    labels = read_column(bench.scored(method), "label")
    ours = list(
        zip(
            *(map(float, read_column(bench.scored(method), f"p_{label}")) for label in bench.labels),
            strict=True,
        )
    )
    logits = zip(
        *(map(float, read_column(bench.scored(PIPELINE), label)) for label in bench.labels), strict=True
    )
    theirs = [_softmax(row, bench.temperature) for row in logits]
    best = [bench.labels[max(range(len(row)), key=row.__getitem__)] for row in theirs]
    return Agreement(
        method=method,
        texts=len(labels),
        different_labels=sum(label != expected for label, expected in zip(labels, best, strict=True)),
        largest_difference=max(
            abs(p - q)
            for mine, pipeline in zip(ours, theirs, strict=True)
            for p, q in zip(mine, pipeline, strict=True)
        ),
        accuracy=_accuracy(bench, labels),
        pipeline_accuracy=_accuracy(bench, best),
    )


def _accuracy(bench: Bench, labels: Sequence[str]) -> float | None:
    if not set(bench.truth) <= set(bench.labels):
        return None
    return sum(label == true for label, true in zip(labels, bench.truth, strict=True)) / bench.count


def _softmax(logits: Sequence[float], temperature: float) -> list[float]:
    exponents = [math.exp((logit - max(logits)) / temperature) for logit in logits]
    return [exponent / sum(exponents) for exponent in exponents]


def page(
    bench: Bench,
    turns: Sequence[Turn],
    ratios: Sequence[Ratio],
    agreed: Sequence[Agreement],
    limits: Mapping[int, float],
) -> list[str]:
    """Return the lines of the Markdown page."""
    rows = []
    for threads, limit in limits.items():
        for method in bench.methods:
            mine = [turn for turn in turns if (turn.method, turn.threads) == (method, threads)]
            share = (
                statistics.median(turn.texts_per_second for turn in mine) * bench.gflop / bench.count / limit
            )
            rows.append([method, threads, *(_median(mine, name) for name in _SHOWN), f"{share:.0%}"])
    head = ("Method", "Threads", *_SHOWN.values(), "Of the limit")
    faster = [
        f"- {ratio.threads} threads, {ratio.method}: **{ratio.median:.2f} times** {ratio.peer} "
        f"({ratio.low:.2f} to {ratio.high:.2f} over rounds), {ratio.cpu:.2f} by CPU seconds."
        for ratio in ratios
    ]
    same = [
        f"- {agreement.method}: {agreement.different_labels:,} of {agreement.texts:,} labels differ "
        f"from the pipeline's ({agreement.share:.2%}); the largest difference of a probability is "
        f"{agreement.largest_difference:.1e}"
        + (
            "."
            if agreement.accuracy is None
            else f"; right on {agreement.accuracy:.2%}, the pipeline on {agreement.pipeline_accuracy:.2%}."
        )
        for agreement in agreed
    ]
    if any(agreement.accuracy is not None for agreement in agreed):
        same.append(
            "- Right is what people said. It compares runtimes only: the run may be trained on these texts."
        )
    of = ", ".join(f"{limit:,.0f} GFLOP/s at {threads} threads" for threads, limit in limits.items())
    about = (
        f"The limit is what a text's float32 products need ({bench.gflop / bench.count:.3f} GFLOP on "
        "average, padding not counted) at the rate that this machine multiplies matrices of 2048 with: "
        f"{of}. 8 bits may pass it."
    )
    return [*table(head, rows), "", about, "", *faster, *same]


_SHOWN = {
    "texts_per_second": "Texts/s",
    "seconds": "Seconds",
    "process_seconds": "Whole process, s",
    "cpu_seconds": "CPU, s",
    "peak_mb": "Peak MB",
}


def _median(turns: Sequence[Turn], name: str) -> str:
    value = statistics.median(float(getattr(turn, name)) for turn in turns)
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def bench(
    run: str | None,
    *,
    corpus: str = "short",
    texts: int | None = None,
    rounds: int,
    threads: Sequence[int],
    results: Path,
    talk: Callable[[str], None],
    runtimes: Collection[str] = tuple(RUNTIMES.values()),
) -> dict[str, Any]:
    """Measure, write scoring.json and scoring.md (scoring-long for long texts), and return the results.

    Raises:
        NlpkitError: a child process failed, or the run or the texts cannot be used.
    """
    name, sample, usual = CORPORA[corpus]
    machine = Machine()
    if machine.warning:
        talk(f"warning: {machine.warning}")
    with tempfile.TemporaryDirectory() as folder:
        setup = prepare(run, sample(texts or usual, seed=SEED), Path(folder), talk, runtimes)
        limits = {
            count: json.loads(run_child(["-m", "benchmarks.roofline", "rate", str(count)], threads=1).output)
            for count in threads
        }
        turns = measure(setup, threads=threads, rounds=rounds, talk=talk)
        ours, peers = (
            [method for method in setup.methods if (method in RUNTIMES) == mine] for mine in (True, False)
        )
        agreed = [agreement(setup, method) for method in ours]
    ratios = [ratio(turns, method, peer, count) for count in threads for method in ours for peer in peers]
    record = {
        "corpus": corpus, "texts": setup.count, "gflop": setup.gflop, "rounds": rounds, "rates": limits,
        "turns": [asdict(turn) for turn in turns], "ratios": [asdict(ratio) for ratio in ratios],
        "agreement": [{**asdict(agreement), "share": agreement.share} for agreement in agreed],
    }  # fmt: skip
    title = f"`nlpkit score` and its peers on {setup.count:,} {corpus} texts, medians of {rounds} rounds"
    lines = page(setup, turns, ratios, agreed, {count: rate["limit"] for count, rate in limits.items()})
    talk(save(results, name, record, title=title, machine=machine, lines=lines))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a run's folder; default: the built-in classifier")
    parser.add_argument("--corpus", choices=list(CORPORA), default="short")
    parser.add_argument("--texts", type=int, help="how many; default: 20,000 short ones or 2,000 long ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(
            args.run,
            corpus=args.corpus,
            texts=args.texts,
            rounds=args.rounds,
            threads=args.threads,
            results=args.results,
            talk=print,
        )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
