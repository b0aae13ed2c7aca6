"""Time of a command from its start to its answer, each time in a fresh process.

Example: python -m benchmarks.startup --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine, run_child
from benchmarks.results import FOLDER, save, table
from nlpkit.errors import NlpkitError

TEXT = "What a lovely day"


def commands(run: Sequence[str], model: str) -> Mapping[str, Sequence[str]]:
    """Return what is timed: nlpkit with a run, and the pipeline with its weights as a plain model."""
    predict = ("-m", "nlpkit", "predict", *run, TEXT, "--runtime")
    return {
        "nlpkit --help": ("-m", "nlpkit", "--help"),
        "nlpkit predict, onnx": (*predict, "onnx"),
        "nlpkit predict, torch": (*predict, "torch"),
        "transformers.pipeline": ("-m", "benchmarks.peer", "first", model, TEXT),
    }


@dataclass(frozen=True, kw_only=True)
class Start:
    """One command, from its start to its end."""

    command: str
    seconds: float
    cpu_seconds: float
    peak_mb: float


def bench(run: str | None, *, rounds: int, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write startup.json and startup.md, and return the results.

    Raises:
        NlpkitError: a command failed.
    """
    machine = Machine()
    given = [run] if run else []
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        run_child(["-m", "nlpkit", "export", *given], threads=1)  # the timed commands use the cached export
        run_child(["-m", "benchmarks.peer", "export", run or "", folder], threads=1)
        timed = commands(given, folder)
        for _ in range(rounds):
            for command, arguments in timed.items():
                child = run_child(arguments, threads=1)
                starts.append(
                    Start(
                        command=command,
                        seconds=child.seconds,
                        cpu_seconds=child.cpu_seconds,
                        peak_mb=child.peak_mb,
                    )
                )
    rows = []
    for command in timed:
        mine = [start for start in starts if start.command == command]
        median = [
            statistics.median(getattr(start, name) for start in mine)
            for name in ("seconds", "cpu_seconds", "peak_mb")
        ]
        rows.append([command, f"{median[0]:.2f}", f"{median[1]:.2f}", f"{median[2]:.0f}"])
    record = {"rounds": rounds, "starts": [asdict(start) for start in starts]}
    lines = table(("Command", "Seconds", "CPU, s", "Peak MB"), rows)
    title = f"From nothing to the first answer, one thread, medians of {rounds} rounds"
    talk(save(results, "startup", record, title=title, machine=machine, lines=lines))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a run's folder; default: the built-in classifier")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(args.run, rounds=args.rounds, results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
