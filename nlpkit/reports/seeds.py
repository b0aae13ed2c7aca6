"""Several seeds of one config: the mean of each metric and how far the seeds lie apart."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from nlpkit.files import write_whole
from nlpkit.metrics.score import Score
from nlpkit.reports.dialogue_report import ContextUse, DialogueReport
from nlpkit.reports.report import Report
from nlpkit.run import Run


def summarize(folder: Path, runs: Sequence[Run]) -> str:
    """A table of mean and standard deviation of every metric on every data set, written to `seeds.json` and `seeds.md`, and as text."""
    found: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for path in sorted(run.evaluation.glob("*.json")):
            report = _read(path.read_text(encoding="utf-8"))
            for name, score in _numbers(report):
                if score is not None and score.value is not None:
                    found.setdefault(report.data, {}).setdefault(name, []).append(score.value)
    table = {
        data: {
            name: {
                "mean": statistics.fmean(values),
                "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
                "seeds": values,
            }
            for name, values in metrics.items()
        }
        for data, metrics in found.items()
    }
    lines = [
        f"# {folder.name}: {len(runs)} seeds",
        "",
        "| data | metric | mean | sd | seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for data, metrics in table.items():
        for name, row in metrics.items():
            each = ", ".join(f"{value:.4f}" for value in found[data][name])
            lines.append(f"| {data} | {name} | {row['mean']:.4f} | {row['sd']:.4f} | {each} |")
    write_whole(folder / "seeds.json", json.dumps(table, indent=2) + "\n")
    write_whole(folder / "seeds.md", "\n".join(lines) + "\n")
    return "\n".join(lines[2:])


def _read(text: str) -> Report | DialogueReport:
    # Inside a JSON string these quotes would be escaped: no text of the data can pretend to be the kind.
    return DialogueReport.from_json(text) if '"kind": "dialogue"' in text else Report.from_json(text)


def _numbers(report: Report | DialogueReport) -> Iterator[tuple[str, Score | None]]:
    """The scores of a report by name; those of a dialogue run with what its context is worth, each beside its rival's."""
    if isinstance(report, Report):
        yield from report.scores.items()
        return
    theirs = {**report.rival.scores, **_gains(report.rival.context)} if report.rival else {}
    for name, score in {**report.scores, **_gains(report.context)}.items():
        yield name, score
        yield f"{name} (rival)", theirs.get(name)


def _gains(context: ContextUse) -> dict[str, Score]:
    losses = {f"loss gain over {one.history}": one.loss for one in context.gains}
    return losses | {f"hits@1 gain over {one.history}": one.hits for one in context.gains}
