"""`nlpkit score --ray` on two local nodes of one core each, compared with one process with one thread.

Both score the same texts with the same run and runtime, and take turns. Then the driver is killed and
resumed, and a worker is killed twice: the output must equal that of one process, byte by byte.

Example: python -m benchmarks.ray_nodes --texts 20000 --rounds 3 --runtime onnx
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.driver_limits import limits
from benchmarks.machine import Machine
from benchmarks.nodes import NODES, cluster, cpu_seconds, workers
from benchmarks.results import FOLDER, save, table
from benchmarks.texts import rated_texts, write_texts
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import NlpkitError
from nlpkit.scoring.cluster import open_fleet
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import score_file

SEED = 1
BUDGET = 512
SMALL_CHUNK = 512
"""Rows of a chunk: smaller than usual, so that many fall between the two moments that are compared."""
ONE, WIDE = "one process, one thread", f"Ray, {NODES} nodes of one core"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One scoring of all the texts."""

    method: str
    round: int
    rows_per_second: float
    """While every worker computes, without loading and the last chunks."""
    cpu_seconds_per_1000: float
    """Of all processes in the same time, with Ray's own, for 1,000 rows."""
    first_rows_after: float
    """Seconds from the start of the process to the first saved rows: imports, connection and loading."""
    seconds: float
    """The whole process."""


def bench(
    run: str | None, *, texts: int, rounds: int, runtime: str, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write ray.json and ray.md, and return the results.

    Raises:
        NlpkitError: a scoring failed, or its output differs from that of one process.
    """
    machine = Machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder / "texts.csv", rated_texts(texts, seed=SEED))
        begun = time.perf_counter()
        with cluster() as (address, root):
            ready = time.perf_counter() - begun
            talk(f"{NODES} nodes are up after {ready:.1f} s")
            job = Job(run=run, runtime=runtime, folder=folder, address=address, root=root)
            turns = measure(job, rounds=rounds, talk=talk)
            kills = kill(job, rows=texts)
            talk(f"killed {kills} times: the output is equal")
        rates = limits(folder)
    record = {
        "texts": texts,
        "rounds": rounds,
        "runtime": runtime,
        "cluster_seconds": ready,
        "kills": kills,
        "chunk_rows": SMALL_CHUNK,
        **rates,
    }
    record |= {"turns": [asdict(turn) for turn in turns], "ratio": ratio(turns)}
    title = (
        f"`nlpkit score --ray` on {NODES} nodes of one core and one process on {texts:,} texts, {runtime}, "
        f"medians of {rounds} rounds"
    )
    talk(save(results, "ray", record, title=title, machine=machine, lines=page(turns, record)))
    return record


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is scored, and where."""

    run: str | None
    runtime: str
    folder: Path
    address: str
    root: int
    """The process whose children are the cluster."""

    def start(self, method: str, target: Path) -> subprocess.Popen[str]:
        """Start a scoring in a process of its own, which prints a `Turn` without its round."""
        options = {
            "run": self.run,
            "runtime": self.runtime,
            "source": str(self.folder / "texts.csv"),
            "target": str(target),
        }
        wide = (
            {"address": self.address, "root": self.root}
            if method == WIDE
            else {"address": None, "root": None}
        )
        command = [
            sys.executable,
            "-m",
            "benchmarks.ray_nodes",
            "--turn",
            json.dumps({**options, **wide, "begun": time.time()}),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self, process: subprocess.Popen[str]) -> dict[str, float]:
        """Wait for a scoring, and return what it printed.

        Raises:
            NlpkitError: the scoring failed.
        """
        out, _ = process.communicate()
        if process.returncode:
            raise NlpkitError(f"a scoring ended with {process.returncode}; its message stands above")
        turn: dict[str, float] = json.loads(out.splitlines()[-1])
        return turn


def measure(job: Job, *, rounds: int, talk: Callable[[str], None]) -> list[Turn]:
    """Time both in turns and compare their outputs.

    The first of each round changes, so that other work on the machine affects both alike.
    """
    turns: list[Turn] = []
    whole = job.folder / "whole.csv"
    for number in range(rounds):
        for method in (ONE, WIDE) if number % 2 == 0 else (WIDE, ONE):
            target = job.folder / "scored.csv"
            turns.append(turn := Turn(method=method, round=number, **job.finish(job.start(method, target))))
            talk(f"round {number + 1} of {rounds}: {method}: {turn.rows_per_second:,.0f} rows/s")
            if not whole.exists():
                target.rename(whole)
            else:
                refuse_difference(target, whole)
                target.unlink()
    return turns


def refuse_difference(target: Path, whole: Path) -> None:
    """Compare two outputs.

    Raises:
        NlpkitError: they differ.
    """
    if target.read_bytes() != whole.read_bytes():
        raise NlpkitError(f"{target}: its bytes are not those of {whole}")


def kill(job: Job, *, rows: int) -> int:
    """Kill the driver once and a worker twice, compare the output, and return the number of kills."""
    target = job.folder / "killed.csv"
    first = job.start(WIDE, target)
    wait_for(target, rows // 4, first)
    first.kill()
    first.communicate()
    second = job.start(WIDE, target)
    for part in (2, 3):
        wait_for(target, rows * part // 4, second)
        os.kill(workers(job.root)[0].pid, signal.SIGKILL)
    job.finish(second)
    refuse_difference(target, job.folder / "whole.csv")
    return 3


def wait_for(target: Path, rows: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many rows are saved."""
    state = target.with_name(f"{target.name}.nlpkit") / "state.json"
    while not state.exists() or json.loads(state.read_text(encoding="utf-8"))["rows"] < rows:
        if process.poll() is not None:
            raise NlpkitError(f"a scoring ended before {rows:,} rows were saved")
        time.sleep(0.05)


def take_turn(job: dict[str, Any]) -> dict[str, float]:
    """Score in this process, and return what it cost."""
    marks: list[tuple[int, float, float]] = []

    def mark(progress: Progress) -> None:
        marks.append((progress.rows, time.time(), cpu_seconds(job["root"])))

    load = functools.partial(Classifier.load, job["run"], runtime=job["runtime"], threads=1)
    options: dict[str, Any] = {"chunk_rows": SMALL_CHUNK, "budget": BUDGET, "progress": mark}
    if job["address"]:
        with open_fleet(load, job["address"]) as fleet:
            score_file(fleet, job["source"], job["target"], **options)
    else:
        score_file(load(), job["source"], job["target"], **options)
    # marks[0] is the beginning. The rate is taken while every worker computes: after the first chunks, which
    # include the loading, up to the last ones.
    (early, start, spent), (late, end, all_spent) = marks[NODES], marks[-1 - NODES]
    return {
        "rows_per_second": (late - early) / (end - start),
        "cpu_seconds_per_1000": (all_spent - spent) / (late - early) * 1000,
        "first_rows_after": marks[1][1] - job["begun"],
        "seconds": time.time() - job["begun"],
    }


def ratio(turns: Sequence[Turn]) -> dict[str, float]:
    """Return how many times as fast the nodes are, round by round, and by CPU seconds."""
    taken = {(turn.method, turn.round): turn for turn in turns}
    pairs = [(taken[ONE, number], taken[WIDE, number]) for number in sorted({turn.round for turn in turns})]
    wall = [wide.rows_per_second / single.rows_per_second for single, wide in pairs]
    cpu = [NODES * single.cpu_seconds_per_1000 / wide.cpu_seconds_per_1000 for single, wide in pairs]
    return {
        "median": statistics.median(wall),
        "low": min(wall),
        "high": max(wall),
        "cpu": statistics.median(cpu),
    }


def page(turns: Sequence[Turn], measured: dict[str, Any]) -> list[str]:
    """Return the lines of the Markdown page."""
    shown = {
        "rows_per_second": "Rows/s",
        "cpu_seconds_per_1000": "CPU s for 1,000 rows",
        "first_rows_after": "First rows after, s",
        "seconds": "Whole process, s",
    }
    rows = [
        [
            method,
            *(
                f"{statistics.median(getattr(turn, name) for turn in turns if turn.method == method):,.2f}"
                for name in shown
            ),
        ]
        for method in (ONE, WIDE)
    ]
    times = measured["ratio"]
    return [
        *table(("Method", *shown.values()), rows),
        "",
        f"- **{times['median']:.2f} times** one process ({times['low']:.2f} to {times['high']:.2f} over "
        f"rounds); {times['cpu']:.2f} by CPU seconds, which is what it would be on cores that nothing else "
        "uses.",
        f"- Rows/s leave out the start: the cluster was up after {measured['cluster_seconds']:.1f} s, and "
        "each scoring loads its workers anew.",
        f"- What one process does for all: reading and cutting {measured['reading_rows_per_second']:,.0f} "
        f"rows a CPU second, writing {measured['writing_rows_per_second']:,.0f} rows a second.",
        "- All outputs are equal byte by byte, also that of a scoring whose driver was killed once and "
        "workers twice.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a run's folder; default: the built-in classifier")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    parser.add_argument("--turn", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    try:
        if args.turn:
            print(json.dumps(take_turn(args.turn)))
        else:
            bench(
                args.run,
                texts=args.texts,
                rounds=args.rounds,
                runtime=args.runtime,
                results=args.results,
                talk=print,
            )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
