"""How often classifiers fail the suite of many phenomena: the built-in one, VADER, and any run.

python -m benchmarks.behavior                    the half to report on
python -m benchmarks.behavior --run RUN          another run too; may be repeated
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import vader
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import NlpkitError
from nlpkit.evaluation.behavior import SuiteResult, load_suite, run_suite
from nlpkit.evaluation.behavior_report import behavior_report, failure_score, kind_of, ranked

BUILT_IN = "default"
SEED = 1


def bench(runs: Sequence[str], *, suite: str, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Measure, write behavior.json and behavior.md, and return the results."""
    machine, cases = Machine(), load_suite(suite)
    measured: dict[str, SuiteResult] = {"VADER": run_suite(vader.predict, cases)}
    for name in (BUILT_IN, *runs):
        measured[Path(name).name] = run_suite(Classifier.load(name).predict, cases)
    report = behavior_report(
        measured[BUILT_IN], run=BUILT_IN, data=suite, seed=SEED, baseline=("VADER", measured["VADER"])
    )
    record = {
        "suite": suite,
        "cases": len(cases.cases),
        "test": report.baselines[0].tests["failed_mean"].model_dump(),
        "failures": {name: _dump(result) for name, result in measured.items()},
    }
    lines = [
        f"{len(cases.cases):,} cases of the suite `{suite}`: the share that fails, with its 95% interval "
        "(Wilson), worst test of the built-in classifier first.",
        "",
        *_table(measured),
    ]
    title = "The built-in classifier and VADER on what a reader takes for granted"
    talk(save(results, "behavior", record, title=title, machine=machine, lines=lines, timed=False))
    return record


def _table(measured: Mapping[str, SuiteResult]) -> list[str]:
    first = measured[BUILT_IN]
    kinds = {case.topic: (case.phenomenon, kind_of(case.relation)) for case in first.cases}
    means = [_mean(name, result) for name, result in measured.items()]
    rows: list[list[object]] = [["mean over tests", "", "", len(first.cases), *means]]
    for topic in ranked(first):
        shown = [
            failure_score(topic, result.topics[topic]).shown_with_interval for result in measured.values()
        ]
        rows.append([topic, *kinds[topic], first.topics[topic].of, *shown])
    return table(("Test", "Phenomenon", "Kind", "Cases", *measured), rows)


def _mean(name: str, result: SuiteResult) -> str:
    return behavior_report(result, run=name, data="", seed=SEED).scores["failed_mean"].shown_with_interval


def _dump(result: SuiteResult) -> dict[str, Any]:
    first = {failure.case.topic: failure for failure in reversed(result.failures)}
    return {
        "mean": result.mean,
        "tests": {topic: dataclasses.asdict(rate) for topic, rate in result.topics.items()},
        "examples": {
            topic: {"before": failure.case.before, "text": failure.case.text, "label": failure.label}
            for topic, failure in first.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.behavior",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", action="append", default=[], help="a run to measure too")
    parser.add_argument("--suite", default="behavior", help="one of nlpkit's, or a file of your own")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(args.run, suite=args.suite, results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
