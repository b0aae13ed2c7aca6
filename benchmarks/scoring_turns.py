"""Score the same texts by each method in turns, each in a process of its own."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Child, run_child
from benchmarks.texts import write_texts
from nlpkit.errors import NlpkitError

PIPELINE, ENCODE = "transformers.pipeline, batch 32", "sentence-transformers encode, batch 32"
RUNTIMES: Mapping[str, str] = {
    f"nlpkit score, {name}": name for name in ("torch", "onnx", "openvino", "openvino-bf16", "onnx-int8")
}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One scoring of all the texts in a process of its own."""

    method: str
    threads: int
    round: int
    seconds: float
    """Without start, imports and loading; nlpkit's include reading and writing files, the peers' don't."""
    texts_per_second: float
    process_seconds: float
    """The whole process."""
    cpu_seconds: float
    """The whole process, all threads."""
    peak_mb: float


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is scored, and the files of the benchmark."""

    run: str | None
    folder: Path
    truth: tuple[str, ...]
    """The label that people gave each text."""
    labels: tuple[str, ...]
    """The labels of the run."""
    temperature: float
    gflop: float
    """What all the texts need, in GFLOP."""
    methods: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of texts."""
        return len(self.truth)

    @property
    def texts(self) -> Path:
        """The input of all methods."""
        return self.folder / "texts.csv"

    @property
    def model(self) -> Path:
        """The run's weights as a plain model."""
        return self.folder / "model"

    def scored(self, method: str) -> Path:
        """Return the path of a method's output."""
        return self.folder / f"{method.replace(' ', '-')}.csv"


def prepare(
    run: str | None,
    rows: Sequence[tuple[str, str]],
    folder: Path,
    talk: Callable[[str], None],
    runtimes: Collection[str],
) -> Bench:
    """Write the texts, the run's weights as a plain model for the peers, and its exports into the cache."""
    facts = json.loads(
        run_child(["-m", "benchmarks.peer", "export", run or "", str(folder / "model")], threads=1).output
    )
    write_texts(folder / "texts.csv", [text for text, _ in rows])
    methods = [
        method
        for method, runtime in RUNTIMES.items()
        if runtime in runtimes and (runtime == "torch" or _exports(run, runtime, talk))
    ]
    work = run_child(
        ["-m", "benchmarks.roofline", "work", str(folder / "model"), str(folder / "texts.csv")], threads=1
    )
    methods.append(PIPELINE)
    if importlib.util.find_spec("sentence_transformers"):
        methods.append(ENCODE)
    else:
        talk("left out: sentence-transformers; hint: pip install 'nlpkit[bench]'")
    return Bench(
        run=run,
        folder=folder,
        truth=tuple(label for _, label in rows),
        labels=tuple(facts["labels"]),
        temperature=facts["temperature"],
        gflop=json.loads(work.output)["gflop"],
        methods=tuple(methods),
    )


def _exports(run: str | None, to: str, talk: Callable[[str], None]) -> bool:
    """Export the run into the cache, and return whether that worked; else the runtime is left out."""
    try:
        run_child(["-m", "nlpkit", "export", *([run] if run else []), "--to", to], threads=1)
    except NlpkitError:
        talk(f"left out: {to}; its reason stands above")
        return False
    return True


def take(bench: Bench, method: str, threads: int, number: int) -> Turn:
    """Score once by one method."""
    if method in RUNTIMES:
        paths = [*([bench.run] if bench.run else []), str(bench.texts), "-o", str(bench.scored(method))]
        options = ["--runtime", RUNTIMES[method], "--threads", str(threads), "--overwrite", "--json"]
        child = run_child(["-m", "nlpkit", "score", *paths, *options], threads=threads)
    elif method == PIPELINE:
        paths = [str(bench.model), str(bench.texts), str(bench.scored(method))]
        child = run_child(["-m", "benchmarks.peer", "pipeline", *paths], threads=threads)
    else:
        child = run_child(
            ["-m", "benchmarks.peer", "encode", str(bench.model), str(bench.texts)], threads=threads
        )
    return _turn(method, bench, threads, number, child)


def _turn(method: str, bench: Bench, threads: int, number: int, child: Child) -> Turn:
    seconds = float(json.loads(child.output)["seconds"])
    return Turn(
        method=method, threads=threads, round=number, seconds=seconds, texts_per_second=bench.count / seconds,
        process_seconds=child.seconds, cpu_seconds=child.cpu_seconds, peak_mb=child.peak_mb,
    )  # fmt: skip


def measure(bench: Bench, *, threads: Sequence[int], rounds: int, talk: Callable[[str], None]) -> list[Turn]:
    """Time all methods in turns.

    Each round begins with another method, so that other work on the machine affects all alike.
    """
    turns = []
    for number in range(rounds):
        start = number % len(bench.methods)
        for count in threads:
            for method in (*bench.methods[start:], *bench.methods[:start]):
                turns.append(turn := take(bench, method, count, number))
                talk(
                    f"round {number + 1} of {rounds}, {count} threads: {turn.method}: "
                    f"{turn.texts_per_second:,.0f} texts/s"
                )
    return turns
