"""What a search brings over the shipped defaults, on rows that no trial saw.

Each data set gets one search; a killed benchmark continues. Results are added to those of other data.

Example: python -m benchmarks.search sst2=train.jsonl,dev.jsonl --rows 600 --folder runs/search
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.report import Report
from nlpkit.search.search import hyperparameter_search

SPACE: Mapping[str, Any] = {
    "training.lr": {"low": 1e-4, "high": 5e-3, "log": True},
    "training.epochs": {"low": 1, "high": 6},
    "training.batch_size": [8, 16, 32],
    "training.label_smoothing": {"low": 0.0, "high": 0.2},
    "lora.rank": [4, 16, 64],
}
"""What is tried; the shipped defaults are the first trial."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is searched with: rows to train and choose on, and what is frozen so that a trial is cheap."""

    rows: int
    choose: float
    """The share of the rows that trials are compared on."""
    trials: int
    freeze: float
    base: str
    folder: Path


def config_of(name: str, train: str, test: str, setup: Setup) -> dict[str, Any]:
    """Return the config of a search: the shipped defaults, and the space."""
    return {
        "recipe": "sentiment",
        "name": name,
        "output": str(setup.folder),
        "task": {"kind": "intents"},
        "data": {
            "train": [{"source": train, "limit": setup.rows}],
            "validation": setup.choose,
            "test": [{"source": test}],
        },
        "base": {"source": setup.base, "max_tokens": 64},
        "training": {"freeze": setup.freeze, "metric": "accuracy"},
        "search": {"space": dict(SPACE), "trials": setup.trials},
    }


def measured(report: Report) -> dict[str, Any]:
    """Return what a search's report says of the best setting and of the defaults."""
    trials = next(
        section for section in report.sections if section.kind == "table" and section.id == "trials"
    )
    heads = [column.name for column in trials.columns]
    answer: dict[str, Any] = {
        "best": report.summary[0],
        "score": report.scores["accuracy"].model_dump(),
        "searched": report.scores["searched"].model_dump(),
        "optimism": report.scores["optimism"].model_dump(),
        "trials": [dict(zip(heads, row, strict=True)) for row in trials.rows],
        "seconds": sum(float(str(row[heads.index("seconds")])) for row in trials.rows),
    }
    for baseline in report.baselines:
        answer["defaults"] = baseline.scores["accuracy"].model_dump()
        answer["gain"] = baseline.tests["accuracy"].model_dump()
    return answer


def _page(tasks: Mapping[str, Any]) -> list[str]:
    rows, notes = [], []
    for name, task in tasks.items():
        score, searched = Score(**task["score"]), Score(**task["searched"])
        defaults = Score(**task["defaults"]) if "defaults" in task else score
        gain = _points(PairedTest(**task["gain"])) if "gain" in task else "0: the defaults are best"
        optimism = Score(**task["optimism"])
        rows.append(
            (
                name, len(task["trials"]), defaults.shown_with_interval, score.shown_with_interval, gain,
                f"{score.count:,}", searched.shown_with_interval, optimism.shown_with_interval,
            )
        )  # fmt: skip
        stopped = sum(trial["outcome"] == "stopped" for trial in task["trials"])
        notes.append(
            f"- {name}: {task['best']} {stopped} trials were stopped early. Rows: {task['rows']}, of which "
            f"{task['choose']:.0%} are chosen on. Lowest layers frozen: {task['freeze']:g}."
        )
    head = (
        "data", "trials", "accuracy of the defaults", "accuracy of the best", "gain, in points", "test rows",
        "searched score", "optimism",
    )  # fmt: skip
    return [*table(head, rows), "", *notes]


def _points(test: PairedTest) -> str:
    low, high = 100 * (test.low or 0.0), 100 * (test.high or 0.0)
    return f"{100 * (test.difference or 0.0):+.1f} ({low:+.1f} to {high:+.1f})"


def bench(
    name: str, train: str, test: str, setup: Setup, *, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Search on one data set, write search.json and search.md, and return the results."""
    machine, tasks = Machine(), earlier_tasks(results, "search")
    hyperparameter_search(config_of(name, train, test, setup), talk=talk)
    report = Report.from_json((setup.folder / f"{name}-search" / "report.json").read_text(encoding="utf-8"))
    about = {"rows": setup.rows, "choose": setup.choose, "freeze": setup.freeze}
    tasks[f"{name}, {setup.base}"] = {**about, **measured(report)}
    page = save(
        results, "search", {"tasks": tasks}, title="A search against the shipped defaults",
        machine=machine, lines=_page(tasks), timed=False,
    )  # fmt: skip
    talk(page)
    return tasks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("data", metavar="NAME=TRAIN,TEST")
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--choose", type=float, default=0.3)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--freeze", type=float, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/search"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    name, files = asked.data.split("=", 1)
    train, test = files.split(",")
    setup = Setup(
        rows=asked.rows, choose=asked.choose, trials=asked.trials, freeze=asked.freeze, base=asked.base,
        folder=asked.folder,
    )  # fmt: skip
    bench(name, train, test, setup, results=asked.results, talk=lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
