"""The results as charts: `python -m benchmarks.plots` draws them again from the JSON files."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks import report_plots, trust_plots
from benchmarks.figures import OURS, PEER
from benchmarks.results import FOLDER

Bars = list[tuple[str, float, bool]]
"""Names, values, and whether each is nlpkit's."""


def _scoring(result: Mapping[str, Any]) -> tuple[str, Bars]:
    threads = max(turn["threads"] for turn in result["turns"])
    methods = dict.fromkeys(turn["method"] for turn in result["turns"])
    bars = [
        (
            method,
            _median(result["turns"], "texts_per_second", method=method, threads=threads),
            method.startswith("nlpkit"),
        )
        for method in methods
    ]
    return f"{result['texts']:,} {result['corpus']} texts, {threads} threads: texts a second", bars


def _startup(result: Mapping[str, Any]) -> tuple[str, Bars]:
    commands = dict.fromkeys(start["command"] for start in result["starts"])
    bars = [
        (command, _median(result["starts"], "seconds", command=command), command.startswith("nlpkit"))
        for command in commands
    ]
    return "from nothing to the answer: seconds", bars


def _memory(result: Mapping[str, Any]) -> tuple[str, Bars]:
    return "peak memory of scoring: MB", [
        (f"{point['runtime']}, {point['rows']:,} rows", point["peak_mb"], True) for point in result["points"]
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


COLORS = 48
"""So many keep a picture small."""
FIGURES = {**trust_plots.FIGURES, **report_plots.FIGURES}
"""Figure of the pages on trust -> the result that it is drawn of, and how."""


def draw(folder: Path, name: str) -> Path:
    """Draw the chart of one result, and return its path."""
    from matplotlib.figure import Figure

    title, bars = DRAWN[name](json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    figure = Figure(figsize=(8, 0.6 + 0.42 * len(bars)), layout="constrained")
    axes = figure.subplots()
    names, values, ours = zip(*bars, strict=True)
    drawn = axes.barh(names, values, color=[OURS if own else PEER for own in ours])
    axes.bar_label(drawn, fmt=lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.2f}", padding=3)
    axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path


def draw_figure(folder: Path, name: str) -> Path:
    """Draw a figure of the pages on trust, and return its path."""
    from PIL import Image

    result, make = FIGURES[name]
    figure = make(json.loads((folder / f"{result}.json").read_text(encoding="utf-8")))
    path = folder / f"{name}.png"
    drawn = BytesIO()
    figure.savefig(drawn, dpi=100)
    Image.open(drawn).convert("RGB").quantize(COLORS).save(path, optimize=True)
    return path


def main() -> None:
    """Draw the charts of all results."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name in DRAWN:
        if (folder / f"{name}.json").is_file():
            print(draw(folder, name))
    for name, (result, _) in FIGURES.items():
        if (folder / f"{result}.json").is_file():
            print(draw_figure(folder, name))


if __name__ == "__main__":
    main()
