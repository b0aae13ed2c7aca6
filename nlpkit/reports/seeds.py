"""Several seeds of one config: the mean of each metric and how far the seeds lie apart."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from nlpkit.files import write_whole
from nlpkit.metrics.score import Score
from nlpkit.reports.report import Report
from nlpkit.run import Run


def summarize(folder: Path, runs: Sequence[Run]) -> str:
    """Return a table of mean and standard deviation of every metric on every data set.

    It is written to `seeds.json` and `seeds.md` too.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for path in sorted(run.evaluation.glob("*.json")):
            report = Report.from_json(path.read_text(encoding="utf-8"))
            for name, score in _numbers(report):
                if score.value is not None:
                    values.setdefault(report.data, {}).setdefault(name, []).append(score.value)
    table = {
        data: {
            name: {
                "mean": statistics.fmean(seeds),
                "sd": statistics.stdev(seeds) if len(seeds) > 1 else 0.0,
                "seeds": seeds,
            }
            for name, seeds in metrics.items()
        }
        for data, metrics in values.items()
    }
    lines = [
        f"# {folder.name}: {len(runs)} seeds",
        "",
        "| data | metric | mean | sd | seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for data, metrics in table.items():
        for name, row in metrics.items():
            each = ", ".join(f"{value:.4f}" for value in values[data][name])
            lines.append(f"| {data} | {name} | {row['mean']:.4f} | {row['sd']:.4f} | {each} |")
    write_whole(folder / "seeds.json", json.dumps(table, indent=2) + "\n")
    write_whole(folder / "seeds.md", "\n".join(lines) + "\n")
    return "\n".join(lines[2:])


def _numbers(report: Report) -> Iterator[tuple[str, Score]]:
    """Yield the scores of a report by name, each followed by its baselines'."""
    baselines = [
        (baseline.name if baseline.constant else "baseline", baseline.scores | baseline.details)
        for baseline in report.baselines
    ]
    for name, score in (report.scores | report.details).items():
        yield name, score
        for baseline, scores in baselines:
            if name in scores:
                yield f"{name} ({baseline})", scores[name]
