"""`nlpkit score` beside transformers.pipeline: the same texts, weights and threads, in turns.

Example: python -m benchmarks.scoring --run runs/quickstart --texts 20000 --rounds 3 --threads 1 2
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Child, Machine, run_child
from benchmarks.results import FOLDER, save, table
from benchmarks.texts import rated_texts, read_column, write_texts
from nlpkit.errors import NlpkitError

SEED = 1
NLPKIT, PIPELINE = "nlpkit score", "transformers.pipeline, batch 32"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One scoring of all the texts in a process of its own."""

    method: str
    threads: int
    round: int
    seconds: float
    """Steady state: without start, imports and loading; nlpkit's with reading and writing the files, the pipeline's without."""
    texts_per_second: float
    process_seconds: float
    """The whole process."""
    cpu_seconds: float
    """The whole process, all threads."""
    peak_mb: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as fast nlpkit is, as the median over rounds of what two neighbouring turns gave."""

    threads: int
    median: float
    low: float
    high: float
    cpu: float
    """The pipeline's CPU seconds over nlpkit's: what is left of the ratio when other work disturbs."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike the answers are."""

    texts: int
    different_labels: int
    largest_difference: float
    """Of a probability."""

    @property
    def share(self) -> float:
        """Texts with another label, of all."""
        return self.different_labels / self.texts


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is scored and where the files of the measuring lie."""

    run: str | None
    folder: Path
    count: int
    labels: tuple[str, ...]
    temperature: float

    @property
    def texts(self) -> Path:
        """The input of both."""
        return self.folder / "texts.csv"

    @property
    def scored(self) -> Path:
        """What nlpkit wrote."""
        return self.folder / "nlpkit.csv"

    @property
    def logits(self) -> Path:
        """What the pipeline wrote."""
        return self.folder / "pipeline.csv"


def prepare(run: str | None, texts: Sequence[str], folder: Path) -> Bench:
    """The texts in a file, and the run's weights in a plain model for the pipeline."""
    facts = json.loads(run_child(["-m", "benchmarks.peer", "export", run or "", str(folder / "model")], threads=1).output)
    bench = Bench(run=run, folder=folder, count=len(texts), labels=tuple(facts["labels"]), temperature=facts["temperature"])
    write_texts(bench.texts, list(texts))
    return bench


def nlpkit_turn(bench: Bench, threads: int, number: int) -> Turn:
    """One `nlpkit score`, as anyone would type it."""
    run = [bench.run] if bench.run else []
    paths = [*run, str(bench.texts), "-o", str(bench.scored)]
    child = run_child(["-m", "nlpkit", "score", *paths, "--threads", str(threads), "--overwrite", "--json"], threads=threads)
    return _turn(NLPKIT, bench, threads, number, child)


def pipeline_turn(bench: Bench, threads: int, number: int) -> Turn:
    """One run of the pipeline over the same file."""
    paths = [str(bench.folder / "model"), str(bench.texts), str(bench.logits)]
    return _turn(PIPELINE, bench, threads, number, run_child(["-m", "benchmarks.peer", "pipeline", *paths], threads=threads))


def _turn(method: str, bench: Bench, threads: int, number: int, child: Child) -> Turn:
    seconds = float(json.loads(child.output)["seconds"])
    return Turn(
        method=method, threads=threads, round=number, seconds=seconds, texts_per_second=bench.count / seconds,
        process_seconds=child.seconds, cpu_seconds=child.cpu_seconds, peak_mb=child.peak_mb,
    )  # fmt: skip


def measure(bench: Bench, *, threads: Sequence[int], rounds: int, talk: Callable[[str], None]) -> list[Turn]:
    """Both methods in turns, the first of each round changing, so that a disturbance hits both alike."""
    turns = []
    for number in range(rounds):
        order = (nlpkit_turn, pipeline_turn) if number % 2 == 0 else (pipeline_turn, nlpkit_turn)
        for count in threads:
            for take in order:
                turns.append(turn := take(bench, count, number))
                talk(f"round {number + 1} of {rounds}, {count} threads: {turn.method}: {turn.texts_per_second:,.0f} texts/s")
    return turns


def ratio(turns: Sequence[Turn], threads: int) -> Ratio:
    """The ratio at a number of threads."""
    pairs = [
        (ours, theirs)
        for ours in turns
        for theirs in turns
        if (ours.method, theirs.method) == (NLPKIT, PIPELINE) and ours.round == theirs.round and ours.threads == theirs.threads == threads
    ]
    found = [theirs.seconds / ours.seconds for ours, theirs in pairs]
    cpu = [theirs.cpu_seconds / ours.cpu_seconds for ours, theirs in pairs]
    return Ratio(threads=threads, median=statistics.median(found), low=min(found), high=max(found), cpu=statistics.median(cpu))


def agreement(bench: Bench) -> Agreement:
    """The last output of nlpkit beside the pipeline's, text by text."""
    labels = read_column(bench.scored, "label")
    ours = list(zip(*(map(float, read_column(bench.scored, f"p_{label}")) for label in bench.labels), strict=True))
    logits = zip(*(map(float, read_column(bench.logits, label)) for label in bench.labels), strict=True)
    theirs = [_softmax(row, bench.temperature) for row in logits]
    best = [bench.labels[max(range(len(row)), key=row.__getitem__)] for row in theirs]
    return Agreement(
        texts=len(labels),
        different_labels=sum(one != other for one, other in zip(labels, best, strict=True)),
        largest_difference=max(abs(p - q) for mine, other in zip(ours, theirs, strict=True) for p, q in zip(mine, other, strict=True)),
    )


def _softmax(logits: Sequence[float], temperature: float) -> list[float]:
    exponents = [math.exp((one - max(logits)) / temperature) for one in logits]
    return [one / sum(exponents) for one in exponents]


def page(turns: Sequence[Turn], ratios: Sequence[Ratio], agreed: Agreement) -> list[str]:
    """The lines of the Markdown page."""
    rows = []
    for threads in sorted({turn.threads for turn in turns}):
        for method in (NLPKIT, PIPELINE):
            mine = [turn for turn in turns if (turn.method, turn.threads) == (method, threads)]
            rows.append([method, threads, *(_median(mine, name) for name in _SHOWN)])
    said = [
        f"- {one.threads} threads: **{one.median:.2f} times** the pipeline ({one.low:.2f} to {one.high:.2f} over rounds), "
        f"{one.cpu:.2f} by CPU seconds."
        for one in ratios
    ]
    same = (
        f"- Labels: {agreed.different_labels:,} of {agreed.texts:,} differ ({agreed.share:.3%}); "
        f"the largest difference of a probability is {agreed.largest_difference:.1e}."
    )
    return [*table(("Method", "Threads", *_SHOWN.values()), rows), "", *said, same]


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
    run: str | None, *, texts: int, rounds: int, threads: Sequence[int], results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:  # fmt: skip
    """What was found; it is written as scoring.json and scoring.md too.

    Raises:
        NlpkitError: a child process failed, or the run or the texts cannot be used.
    """
    machine = Machine()
    if machine.warning:
        talk(f"warning: {machine.warning}")
    with tempfile.TemporaryDirectory() as folder:
        setup = prepare(run, rated_texts(texts, seed=SEED), Path(folder))
        turns = measure(setup, threads=threads, rounds=rounds, talk=talk)
        agreed = agreement(setup)
    ratios = [ratio(turns, count) for count in threads]
    found = {
        "texts": texts, "rounds": rounds, "turns": [asdict(turn) for turn in turns], "ratios": [asdict(one) for one in ratios],
        "agreement": {**asdict(agreed), "share": agreed.share},
    }  # fmt: skip
    title = f"`nlpkit score` and transformers.pipeline on {texts:,} texts, fp32, medians of {rounds} rounds"
    talk(save(results, "scoring", found, title=title, machine=machine, lines=page(turns, ratios, agreed)))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run's folder; default: the classifier that nlpkit carries")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder that results go to")
    asked = parser.parse_args(arguments)
    try:
        bench(asked.run, texts=asked.texts, rounds=asked.rounds, threads=asked.threads, results=asked.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
