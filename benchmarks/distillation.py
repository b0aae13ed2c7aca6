"""Completed runs of a distillation on the same held-out rows.

Example: python -m benchmarks.distillation --teacher RUN --students RUN... --plain RUN...

Accuracy and macro F1 come from the reports of the runs. Size and speed are those that `recipes/distill.py`
measured, in turn, in one process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.evaluation.distillation import DistillationReport
from nlpkit.reports.report import Report
from nlpkit.run import Run

METRICS = ("accuracy", "macro_f1")


def bench(
    teacher: Run, students: Sequence[Run], plain: Sequence[Run], *, results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure, write distillation.json and distillation.md, and return the results.

    Raises:
        ConfigError: the runs were not evaluated on the same rows.
    """
    groups = {"teacher": [teacher], "student": list(students), "plain": list(plain)}
    _refuse_other_rows([run for runs in groups.values() for run in runs])
    scores = {
        name: {metric: [_score(run, metric) for run in runs] for metric in METRICS}
        for name, runs in groups.items()
    }
    means = {name: statistics.fmean(by_metric["accuracy"]) for name, by_metric in scores.items()}
    gap = means["teacher"] - means["plain"]
    closed = (means["student"] - means["plain"]) / gap if gap > 0 else None
    tables = [
        DistillationReport.model_validate_json(run.distillation.read_text(encoding="utf-8"))
        for run in students
    ]
    rows = [_row(name, groups[name], scores[name], tables) for name in groups]
    record = {
        "runs": {name: [run.name for run in runs] for name, runs in groups.items()},
        "scores": scores,
        "gap_closed": closed,
        "speed": [{side.role: side.texts_per_second for side in timed.sides} for timed in tables],
    }
    title = "Distillation: a small base taught by a tuned large run, compared with both"
    lines = [*table(_HEAD, rows), "", *_notes(students[0].read().data, closed, tables[0])]
    talk(save(results, "distillation", record, title=title, machine=Machine(), lines=lines))
    return record


_HEAD = (
    "",
    "Base",
    "Runs",
    "Accuracy",
    "Each",
    "Macro-F1",
    "Weights",
    "MB",
    "Texts/s",
    "Times the teacher's",
)


def _notes(data: Mapping[str, Any], closed: float | None, timed: DistillationReport) -> list[str]:
    rows, extra = data["rows"], data["unlabelled"]  # an old name
    lines = [
        f"Means over runs of other seeds. {rows['validation']:,} validation rows, on which all checkpoints "
        f"were chosen too. The students were trained on {extra['rows']:,} texts without labels and "
        f"{rows['train']:,} with; {extra['near_held_out_dropped']:,} near-equal to validation rows "
        "were dropped."
    ]
    if closed is not None:
        lines.append(
            f"The students close {closed:.0%} of the gap in accuracy between the plain runs and the teacher."
        )
    speed = f"Speed: {timed.timed} texts, {timed.threads} threads, in turn in one process, medians; "
    return [*lines, f"{speed}MB in float32."]


def _row(
    name: str, runs: Sequence[Run], scores: dict[str, list[float]], tables: Sequence[DistillationReport]
) -> list[object]:
    sides = [{side.role: side for side in timed.sides} for timed in tables]
    ours = [by_role[name] for by_role in sides if name in by_role]
    accuracy, f1 = (statistics.fmean(scores[metric]) for metric in METRICS)
    each = ", ".join(f"{value:.1%}" for value in scores["accuracy"])
    shown: list[object] = [name, runs[0].read().base.source, len(runs), f"{accuracy:.1%}", each, f"{f1:.3f}"]
    if not ours:
        return [*shown, "", "", "", ""]
    ratio = statistics.median(
        by_role[name].texts_per_second / by_role["teacher"].texts_per_second
        for by_role in sides
        if name in by_role
    )
    speed = statistics.median(side.texts_per_second for side in ours)
    return [
        *shown,
        f"{ours[0].weights / 1e6:.1f}M",
        f"{ours[0].megabytes:.0f}",
        f"{speed:,.0f}",
        f"{ratio:.1f}",
    ]


def _score(run: Run, metric: str) -> float:
    report = Report.from_json((run.evaluation / "validation.json").read_text(encoding="utf-8"))
    value = report.scores[metric].value
    assert value is not None  # noqa: S101
    return value


def _refuse_other_rows(runs: Sequence[Run]) -> None:
    held = {str(run.path): run.read().data["sha256"]["validation"] for run in runs}
    first = next(iter(held))
    for path, digest in held.items():
        if digest != held[first]:
            raise ConfigError(f"{path}: evaluated on other validation rows than {first}; expected the same")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distillation", description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--students", type=Path, nargs="+", required=True)
    parser.add_argument("--plain", type=Path, nargs="+", required=True)
    parser.add_argument("--results", type=Path, default=FOLDER)
    args = parser.parse_args(arguments)
    try:
        opened = [[Run.open(path) for path in paths] for paths in ([args.teacher], args.students, args.plain)]
        bench(opened[0][0], opened[1], opened[2], results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
