"""The page of the simulated label loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.results import table


def page_of(tasks: Mapping[str, Any]) -> list[str]:
    """Return the lines of the page of all data sets."""
    lines: list[str] = []
    for name, task in tasks.items():
        about = f"{task['pool']:,} texts without a label, {task['labels']} labels, {task['test']:,} texts to "
        lines += [f"## {name}", "", f"{about}measure on; {task['draws']} draws.", ""]
        head = ("choice", "mean accuracy", "against random, points", "after 100 labels", "after 550")
        rows = []
        for way, curve in task["curves"].items():
            against = task["against_random"].get(way)
            rows.append((
                way, f"{np.mean(curve[1:]):.1f}%", _signed(against) if against else "",
                f"{curve[1]:.1f}%", f"{curve[-1]:.1f}%",
            ))  # fmt: skip
        lines += [*table(head, rows), ""]
        stops = [
            (rule, f"{each['labels']:.0f}", _signed(each["regret"])) for rule, each in task["stops"].items()
        ]
        lines += [*table(("stop", "labels, mean", "regret, points"), stops), ""]
        ways = [
            (way, *(f"{100 * each[key]:.1f}" for key in ("half_width", "error", "coverage")))
            for way, each in task["shares"].items()
        ]
        shown = ("100 labels drawn", "half of the interval, points", "error, points", "holds the share, %")
        lines += [*table(shown, ways), ""]
    return lines[:-1]


def _signed(interval: Sequence[float]) -> str:
    value, low, high = (f"{each:+.2f}".replace("-", "\u2212") for each in interval)
    return f"{value} ({low} to {high})"
