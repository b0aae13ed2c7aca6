"""What the gaps between groups are before and after a run is mended, from the reports of `nlpkit audit`.

Each report must have been made with `--compare` and the run as it was. Where an audit of labeled texts lies
next to it, its accuracy is reported too.

Example: python -m benchmarks.mend swaps=runs/swaps/evaluation/audit.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Table

BEFORE = "as it is"


def gaps_in(report: Report) -> dict[str, dict[str, float]]:
    """Return the gap of each group in the run that was audited, and in the one that it is compared with."""
    (groups,) = (each for each in report.sections if isinstance(each, Table) and each.id == "groups")
    names = [column.name for column in groups.columns]
    own, before = names.index("Gap"), next(at for at, name in enumerate(names) if name.startswith("Gap of"))
    return {
        "after": {str(row[0]): float(str(row[own])) for row in groups.rows},
        "before": {str(row[0]): float(str(row[before])) for row in groups.rows},
    }


def bench(reports: Mapping[str, str], *, results: Path, talk: Callable[[str], None]) -> dict[str, Any]:
    """Read the reports, write mend.json and mend.md, and return the results."""
    gaps: dict[str, dict[str, float]] = {}
    accuracies: dict[str, str] = {}
    for name, path in reports.items():
        for labeled in sorted(Path(path).parent.glob("audit-*.json")):
            summary = Report.from_json(labeled.read_text(encoding="utf-8")).summary
            accuracies[name] = " ".join(summary[-2:])
        pair = gaps_in(Report.from_json(Path(path).read_text(encoding="utf-8")))
        gaps = {BEFORE: pair["before"], **gaps, name: pair["after"]}
    rows = [
        (group, *(f"{of_run[group]:+.3f}" for of_run in gaps.values()))
        for group in sorted(gaps[BEFORE], key=lambda group: -abs(gaps[BEFORE][group]))
    ]
    title, lines = "Gaps between groups, before and after", table(("group", *gaps), rows)
    lines += ["", *(f"- {name}: {text}" for name, text in accuracies.items())]
    result = {"gaps": gaps, "accuracy": accuracies}
    talk(save(results, "mend", result, title=title, machine=Machine(), lines=lines, timed=False))
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mend", description=__doc__)
    parser.add_argument("reports", nargs="+", metavar="NAME=audit.json")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    bench(dict(each.split("=", 1) for each in asked.reports), results=asked.results, talk=print)


if __name__ == "__main__":
    main()
