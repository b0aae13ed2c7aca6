"""The results as bars, beside their pages: python -m benchmarks.plots draws them anew from the JSON files that are kept."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER

OURS, PEER = "#2f6f9f", "#b0b7bd"

Bars = list[tuple[str, float, bool]]
"""Names, values, and whether each is nlpkit's."""


def _scoring(found: Mapping[str, Any]) -> tuple[str, Bars]:
    threads = max(turn["threads"] for turn in found["turns"])
    methods = dict.fromkeys(turn["method"] for turn in found["turns"])
    bars = [
        (
            method,
            _median(found["turns"], "texts_per_second", method=method, threads=threads),
            method.startswith("nlpkit"),
        )
        for method in methods
    ]
    return f"{found['texts']:,} {found['corpus']} texts, {threads} threads: texts a second", bars


def _startup(found: Mapping[str, Any]) -> tuple[str, Bars]:
    commands = dict.fromkeys(one["command"] for one in found["starts"])
    bars = [
        (command, _median(found["starts"], "seconds", command=command), command.startswith("nlpkit"))
        for command in commands
    ]
    return "from nothing to the answer: seconds", bars


def _memory(found: Mapping[str, Any]) -> tuple[str, Bars]:
    return "peak memory of scoring: MB", [
        (f"{one['runtime']}, {one['rows']:,} rows", one["peak_mb"], True) for one in found["points"]
    ]


def _median(rows: Sequence[Mapping[str, Any]], value: str, **where: object) -> float:
    return float(
        statistics.median(
            row[value] for row in rows if all(row[name] == wanted for name, wanted in where.items())
        )
    )


DRAWN: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, Bars]]] = {
    "scoring": _scoring, "scoring-long": _scoring, "startup": _startup, "memory": _memory,
}  # fmt: skip


def draw(folder: Path, name: str) -> Path:
    """The picture of one kept result."""
    from matplotlib.figure import Figure

    title, bars = DRAWN[name](json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    figure = Figure(figsize=(8, 0.6 + 0.42 * len(bars)), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh(
        [one[0] for one in bars], [one[1] for one in bars], color=[OURS if one[2] else PEER for one in bars]
    )
    axes.bar_label(drawn, fmt=lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2f}", padding=3)
    axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


def main() -> None:
    """All that are kept."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name in DRAWN:
        if (folder / f"{name}.json").is_file():
            print(draw(folder, name))


if __name__ == "__main__":
    main()
