"""`nlpkit score --ray` on two local nodes of one core each beside one process with one thread: the same texts, run and runtime, in turns.

Then the same with the driver killed and taken up again and a worker killed twice: the bytes are those of one process.

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

from benchmarks.machine import Machine
from benchmarks.nodes import NODES, cluster, cpu_seconds, workers
from benchmarks.results import FOLDER, save, table
from benchmarks.texts import rated_texts, write_texts
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import NlpkitError
from nlpkit.scoring.batches import TextRows
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.cluster import open_fleet
from nlpkit.scoring.journal import open_journal
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output_columns import plan_columns
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import CHUNK_ROWS, plan_file, score_file
from nlpkit.scoring.state import Chunk, InputDigest, State
from nlpkit.scoring.workers import read, unpacked
from nlpkit.scoring.writers import writer_of

SEED = 1
BUDGET = 512
SMALL_CHUNK = 512
"""Rows of a chunk: smaller than usual, so that there are many between the two moments that are compared."""
ONE, WIDE = "one process, one thread", f"Ray, {NODES} nodes of one core"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One scoring of all the texts."""

    method: str
    round: int
    rows_per_second: float
    """While every worker was at work, without loading and the last chunks."""
    cpu_seconds_per_1000: float
    """Of all processes, Ray's own included, in the same time, for 1,000 rows."""
    first_rows_after: float
    """Seconds from the start of the process to the first rows that are safe: imports, connection and loading."""
    seconds: float
    """The whole process."""


def bench(
    run: str | None, *, texts: int, rounds: int, runtime: str, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """What was found; it is written as ray.json and ray.md too.

    Raises:
        NlpkitError: a scoring failed, or its bytes are not those of one process.
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
            talk(f"killed {kills} times on the way: equal bytes")
        rates = limits(folder)
    found = {
        "texts": texts,
        "rounds": rounds,
        "runtime": runtime,
        "cluster_seconds": ready,
        "kills": kills,
        "chunk_rows": SMALL_CHUNK,
        **rates,
    }
    found |= {"turns": [asdict(turn) for turn in turns], "ratio": ratio(turns)}
    title = f"`nlpkit score --ray` on {NODES} nodes of one core and one process on {texts:,} texts, {runtime}, medians of {rounds} rounds"
    talk(save(results, "ray", found, title=title, machine=machine, lines=page(turns, found)))
    return found


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is scored and where."""

    run: str | None
    runtime: str
    folder: Path
    address: str
    root: int
    """The process whose children are the cluster."""

    def start(self, method: str, target: Path) -> subprocess.Popen[str]:
        """A scoring in a process of its own, which prints a `Turn` without its round."""
        said = {
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
            json.dumps({**said, **wide, "begun": time.time()}),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self, process: subprocess.Popen[str]) -> dict[str, float]:
        """What it printed.

        Raises:
            NlpkitError: it failed.
        """
        out, _ = process.communicate()
        if process.returncode:
            raise NlpkitError(f"a scoring ended with {process.returncode}; its message stands above")
        found: dict[str, float] = json.loads(out.splitlines()[-1])
        return found


def measure(job: Job, *, rounds: int, talk: Callable[[str], None]) -> list[Turn]:
    """Both in turns, the first of each round changing, so that a disturbance hits both alike; all make the same bytes."""
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
                refuse_other(target, whole)
                target.unlink()
    return turns


def limits(folder: Path) -> dict[str, float]:
    """Rows a second that the two things take which one process does for all: reading and cutting, by CPU, and writing, by the clock."""
    source = folder / "texts.csv"
    planned = plan_file(source, folder / "out.csv", ScoreOptions())
    rows = TextRows(file=planned.file, text="text", skip=False)
    columns = plan_columns(rows, (), "csv", {})
    work = ChunkPlan(
        rows=rows,
        columns=columns,
        writer=writer_of("csv", columns),
        names=(),
        prefix="",
        chunk_rows=CHUNK_ROWS,
    )
    before = time.process_time()
    counts = [batch.read for block in read([(work, 0)] * 5) for _, batch in unpacked(block)]
    reading = sum(counts) / (time.process_time() - before)
    data = (folder / "whole.csv").read_bytes()
    piece = data[: len(data) * CHUNK_ROWS // sum(counts) * 5]
    chunk = Chunk(data=piece, rejects=b"", read=CHUNK_ROWS, rows=CHUNK_ROWS, rejected=0, partly_read=0)
    begin = State(source=InputDigest.of(source), settings={})
    with open_journal(planned.output, folder / "out.csv", begin, overwrite=False) as journal:
        started = time.perf_counter()
        for _ in range(50):
            journal.commit(chunk)
    return {
        "reading_rows_per_second": reading,
        "writing_rows_per_second": 50 * CHUNK_ROWS / (time.perf_counter() - started),
    }


def refuse_other(target: Path, whole: Path) -> None:
    """Raise where two outputs differ.

    Raises:
        NlpkitError: they do.
    """
    if target.read_bytes() != whole.read_bytes():
        raise NlpkitError(f"{target}: its bytes are not those of {whole}")


def kill(job: Job, *, rows: int) -> int:
    """How many processes were killed in a scoring whose bytes are equal: the driver once, and then a worker twice."""
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
    refuse_other(target, job.folder / "whole.csv")
    return 3


def wait_for(target: Path, rows: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many rows are safe."""
    state = target.with_name(f"{target.name}.nlpkit") / "state.json"
    while not state.exists() or json.loads(state.read_text(encoding="utf-8"))["rows"] < rows:
        if process.poll() is not None:
            raise NlpkitError(f"a scoring ended before {rows:,} rows were safe")
        time.sleep(0.05)


def take_turn(said: dict[str, Any]) -> dict[str, float]:
    """What one scoring cost, in this process."""
    marks: list[tuple[int, float, float]] = []

    def tell(at: Progress) -> None:
        marks.append((at.rows, time.time(), cpu_seconds(said["root"])))

    load = functools.partial(Classifier.load, said["run"], runtime=said["runtime"], threads=1)
    options: dict[str, Any] = {"chunk_rows": SMALL_CHUNK, "budget": BUDGET, "progress": tell}
    if said["address"]:
        with open_fleet(load, said["address"]) as fleet:
            score_file(fleet, said["source"], said["target"], **options)
    else:
        score_file(load(), said["source"], said["target"], **options)
    # marks[0] is the beginning. Taken where every worker is at work: after the first chunks, which hold the loading, up to the last ones.
    (early, start, spent), (late, end, all_spent) = marks[NODES], marks[-1 - NODES]
    return {
        "rows_per_second": (late - early) / (end - start),
        "cpu_seconds_per_1000": (all_spent - spent) / (late - early) * 1000,
        "first_rows_after": marks[1][1] - said["begun"],
        "seconds": time.time() - said["begun"],
    }


def ratio(turns: Sequence[Turn]) -> dict[str, float]:
    """How many times as fast the nodes are, round by round, and by CPU seconds."""
    taken = {(turn.method, turn.round): turn for turn in turns}
    pairs = [(taken[ONE, number], taken[WIDE, number]) for number in sorted({turn.round for turn in turns})]
    wall = [wide.rows_per_second / one.rows_per_second for one, wide in pairs]
    cpu = [NODES * one.cpu_seconds_per_1000 / wide.cpu_seconds_per_1000 for one, wide in pairs]
    return {
        "median": statistics.median(wall),
        "low": min(wall),
        "high": max(wall),
        "cpu": statistics.median(cpu),
    }


def page(turns: Sequence[Turn], found: dict[str, Any]) -> list[str]:
    """The lines of the Markdown page."""
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
    times = found["ratio"]
    return [
        *table(("Method", *shown.values()), rows),
        "",
        f"- **{times['median']:.2f} times** one process ({times['low']:.2f} to {times['high']:.2f} over rounds); {times['cpu']:.2f} by "
        "CPU seconds, which is what it would be on cores that nothing else uses.",
        f"- Rows/s leave out the start: the cluster was up after {found['cluster_seconds']:.1f} s, and each scoring loads its workers "
        "anew.",
        f"- What one process does for all: reading and cutting {found['reading_rows_per_second']:,.0f} rows a CPU second, writing "
        f"{found['writing_rows_per_second']:,.0f} rows a second.",
        "- All outputs are equal byte by byte, also that of a scoring whose driver was killed once and workers twice.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a run's folder; default: the classifier that nlpkit carries")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="torch")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder that results go to")
    parser.add_argument("--turn", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    try:
        if asked.turn:
            print(json.dumps(take_turn(asked.turn)))
        else:
            bench(
                asked.run,
                texts=asked.texts,
                rounds=asked.rounds,
                runtime=asked.runtime,
                results=asked.results,
                talk=print,
            )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
