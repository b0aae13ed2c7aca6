"""The scores of runs as their own reports have them, in one table: what was trained on what, for how long.

Of several runs, one a seed, the mean and the standard deviation. Results are added to those of other runs.

Example: python -m benchmarks.runs meld=runs/turn-emotions "meld, alone=runs/alone/seed-1,runs/alone/seed-2"
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.config import read_config
from nlpkit.reports.report import Report
from nlpkit.run import Run

SETTINGS = (
    "lora.rank",
    "base.layers",
    "base.max_tokens",
    "training.freeze",
    "training.epochs",
    "training.batch_size",
    "training.lr",
    "seed",
)


def facts(run: Run) -> dict[str, Any]:
    """Return what a run was made of, and its scores on test rows, or else on validation rows."""
    record, (config, _) = run.read(), read_config(run.config)
    tested, validated = run.evaluation / "test.json", run.evaluation / "validation.json"
    report = Report.from_json((tested if tested.exists() else validated).read_text(encoding="utf-8"))
    settings: dict[str, Any] = {"rows": "test"} if tested.exists() else {}
    for name in SETTINGS:
        value: Any = config
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            settings[name] = value
    return {
        "kind": report.task,
        "base": Path(record.base.source).name if record.base else "",
        "settings": settings,
        "train_seconds": report.cost.train_seconds,
        "scores": {
            name: score.model_dump() for name, score in report.scores.items() if score.value is not None
        },
    }


def of_seeds(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the facts of the first run, and the scores of all if there are more."""
    each = [facts(run) for run in runs]
    if len(each) == 1:
        return each[0]
    seconds = float(np.mean([of_run["train_seconds"] for of_run in each]))
    by_seed = {
        name: [of_run["scores"][name]["value"] for of_run in each]
        for name in each[0]["scores"]
        if all(name in of_run["scores"] for of_run in each)
    }
    return {**each[0], "train_seconds": seconds, "by_seed": by_seed}


def _scores(task: Mapping[str, Any]) -> str:
    if by_seed := task.get("by_seed"):
        return ", ".join(
            f"{name} {np.mean(values):.3f} (sd {np.std(values, ddof=1):.3f}: "
            f"{', '.join(f'{value:.3f}' for value in values)})"
            for name, values in by_seed.items()
        )
    return ", ".join(
        f"{name} {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
        for name, score in task["scores"].items()
        if score["low"] is not None
    )


def _page(tasks: Mapping[str, Any]) -> list[str]:
    head = ("run", "kind", "base", "settings", "minutes", "rows", "scores, 95% intervals or seeds")
    rows = []
    for name, task in tasks.items():
        settings = ", ".join(f"{key}={value}" for key, value in task["settings"].items())
        count = max((score["count"] for score in task["scores"].values()), default=0)
        minutes = "" if task["train_seconds"] is None else f"{task['train_seconds'] / 60:.0f}"
        rows.append((name, task["kind"], task["base"], settings, minutes, f"{count:,}", _scores(task)))
    note = (
        "Where rows=test stands, on test rows; else on the validation rows, which also chose the checkpoint, "
        "the calibration and the thresholds. Minutes are those of a machine that did other work too."
    )
    return [*table(head, rows), "", note]


def bench(runs: Mapping[str, str], *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Write runs.json and runs.md, and return the results; those of other runs stay."""
    machine, tasks = Machine(), earlier_tasks(results, "runs")
    tasks |= {
        name: of_seeds([Run.open(Path(path)) for path in paths.split(",")]) for name, paths in runs.items()
    }
    record = {"tasks": tasks}
    title = "Runs and their scores"
    talk(save(results, "runs", record, title=title, machine=machine, lines=_page(tasks), timed=False))
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN[,RUN]")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    bench(dict(each.split("=", 1) for each in asked.runs), results=asked.results, talk=print)


if __name__ == "__main__":
    main()
