"""`python -m benchmarks`: the speed, start and memory of scoring, of training and of the chat; `--quick` tries the scripts in minutes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import memory, scoring, startup
from benchmarks.machine import run_child
from benchmarks.results import FOLDER
from nlpkit.errors import NlpkitError


def run(*, model: str | None, quick: bool, results: Path | None) -> None:
    """Measure, print and write the results; a quick try writes none unless told where, and takes a tiny model unless told another."""
    with tempfile.TemporaryDirectory() as folder:
        if quick and model is None:
            model = run_child(["-m", "benchmarks.tiny", folder], threads=1).output.strip()
        results = results or (Path(folder) / "results" if quick else FOLDER)
        rounds, threads = (1, (1,)) if quick else (3, (1, 2))
        for corpus in ("short",) if quick else ("short", "long"):
            scoring.bench(model, corpus=corpus, texts=200 if quick else None, rounds=rounds, threads=threads, results=results, talk=print)
        startup.bench(rounds=1 if quick else 5, results=results, talk=print)
        memory.bench((1_000, 3_000) if quick else memory.ROWS, threads=1, results=results, talk=print)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--run", help="a run's folder; default: the classifier that nlpkit carries")
    parser.add_argument("--quick", action="store_true", help="few texts and a tiny model: the numbers mean nothing")
    parser.add_argument("--results", type=Path, help="the folder that results go to; default: benchmarks/results")
    asked = parser.parse_args(arguments)
    try:
        run(model=asked.run, quick=asked.quick, results=asked.results)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
