"""Several seeds of one config: the mean of each metric and how far the seeds lie apart."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from nlpkit.evaluation.report import Report
from nlpkit.run import Run, write_whole


def summarize(folder: Path, runs: Sequence[Run]) -> str:
    """A table of mean and standard deviation of every metric on every data set, written to `seeds.json` and `seeds.md`, and as text."""
    found: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for path in sorted(run.evaluation.glob("*.json")):
            report = Report.from_json(path.read_text(encoding="utf-8"))
            for name, score in report.scores.items():
                if score.value is not None:
                    found.setdefault(report.data, {}).setdefault(name, []).append(score.value)
    table = {
        data: {
            name: {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else 0.0, "seeds": values}
            for name, values in metrics.items()
        }
        for data, metrics in found.items()
    }
    lines = [f"# {folder.name}: {len(runs)} seeds", "", "| data | metric | mean | sd | seeds |", "| --- | --- | --- | --- | --- |"]
    for data, metrics in table.items():
        for name, row in metrics.items():
            each = ", ".join(f"{value:.4f}" for value in found[data][name])
            lines.append(f"| {data} | {name} | {row['mean']:.4f} | {row['sd']:.4f} | {each} |")
    write_whole(folder / "seeds.json", json.dumps(table, indent=2) + "\n")
    write_whole(folder / "seeds.md", "\n".join(lines) + "\n")
    return "\n".join(lines[2:])
