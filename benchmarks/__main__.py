"""`python -m benchmarks`: measure scoring, start, memory, chat and Ray against their peers.

It takes hours; `--quick` tries the scripts in minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import chat, chat_start, fast_training, memory, plots, ray_nodes, scoring, startup
from benchmarks.machine import run_child
from benchmarks.results import FOLDER
from nlpkit.errors import NlpkitError


def quick(model: str | None, results: Path) -> None:
    """Run all scripts of scoring on few texts and few runtimes; the default is a tiny model."""
    with tempfile.TemporaryDirectory() as folder:
        model = model or run_child(["-m", "benchmarks.tiny", folder], threads=1).output.strip()
        scoring.bench(
            model, texts=200, rounds=1, threads=(1,), results=results, talk=print,
            runtimes=("torch", "onnx", "openvino", "onnx-int8"),
        )  # fmt: skip
        startup.bench(model, rounds=1, results=results, talk=print)
        memory.bench((1_000, 3_000), threads=1, results=results, talk=print, run=model, runtimes=("onnx",))
    for name in ("scoring", "startup", "memory"):
        plots.draw(results, name)


def full(model: str | None, results: Path, *, sst2: Path | None, work: Path) -> None:
    """Run everything that docs/benchmarks.md gives figures of; hours on two cores."""
    for corpus in scoring.CORPORA:
        scoring.bench(model, corpus=corpus, rounds=3, threads=(1, 2), results=results, talk=print)
    startup.bench(model, rounds=5, results=results, talk=print)
    memory.bench(memory.ROWS, threads=1, results=results, talk=print)
    for name in plots.DRAWN:
        plots.draw(results, name)
    ray_nodes.bench(model, texts=20_000, rounds=3, runtime="onnx", results=results, talk=print)
    chat.main(["--results", str(results)])
    chat_start.main(["--results", str(results)])
    if sst2:
        fast_training.main(["--data", str(sst2), "--work", str(work), "--results", str(results)])
    else:
        print("left out: training; hint: add --sst2 FOLDER, with train.jsonl and dev.jsonl")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--run", help="a run's folder; default: the built-in classifier")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few texts and a tiny model, to try the scripts; the numbers mean nothing and are not kept",
    )
    parser.add_argument(
        "--sst2",
        type=Path,
        help="a folder with train.jsonl and dev.jsonl of SST-2, for the benchmark of training",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("runs/bench"),
        help="the folder that a killed benchmark of training resumes from",
    )
    parser.add_argument(
        "--results", type=Path, help="the folder for the results; default: benchmarks/results"
    )
    args = parser.parse_args(arguments)
    try:
        if not args.quick:
            full(args.run, args.results or FOLDER, sst2=args.sst2, work=args.work)
            return
        with tempfile.TemporaryDirectory() as folder:
            quick(args.run, args.results or Path(folder))
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
