"""The figures of what reports show: audit, behavior, explanations, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.figures import GRAY, OURS, PEER, THIRD, figure_of, legend_below, panels_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = {
    "none": "nothing",
    "temperature": "temperature",
    "bias": "bias",
    "vector": "vector",
    "isotonic": "isotonic",
}
WORST = 20
"""Tests of behavior that the figure shows."""


def mend(result: Mapping[str, Any]) -> Figure:
    """The gap of each group, before and after."""
    gaps = result["gaps"]
    figure, axes = figure_of(7, 4)
    colors = (PEER, THIRD, OURS)[-len(gaps) :]
    for (name, of_run), color in zip(gaps.items(), colors, strict=True):
        sizes = sorted((abs(gap) for gap in of_run.values()), reverse=True)
        axes.plot(range(1, len(sizes) + 1), sizes, color=color, marker="o", markersize=3, label=name)
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.set_xlabel(f"the {len(next(iter(gaps.values())))} groups, the largest gap of each run first")
    axes.set_ylabel("gap: difference of mean scores (-1 to 1)")
    axes.legend(frameon=False)
    return figure


def behavior(result: Mapping[str, Any]) -> Figure:
    """The tests that the built-in classifier or another reader fails most."""
    failures = {who: of["tests"] for who, of in result["failures"].items()}
    rates = {
        who: {name: 100 * test["count"] / test["of"] for name, test in tests.items()}
        for who, tests in failures.items()
    }
    own = next(who for who in rates if who != "VADER")
    names = sorted(rates[own], key=lambda name: -rates[own][name])[:WORST]
    figure, axes = figure_of(7.5, 0.8 + 0.26 * len(names))
    for row, name in enumerate(names):
        ends = [of[name] for of in rates.values()]
        axes.plot([min(ends), max(ends)], [row, row], color="#dfe3e6", zorder=1)
    colors = (PEER, OURS, THIRD)
    for (who, of), color in zip(rates.items(), colors, strict=False):
        label = f"{who}: {100 * result['failures'][who]['mean']:.1f}% on average of all {len(of)} tests"
        axes.scatter(
            [of[name] for name in names], range(len(names)), color=color, s=26, label=label, zorder=2
        )
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(-2, 102)
    axes.set_xlabel(f"cases that fail, %: the {WORST} tests that {own} fails most")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1), fontsize=8)
    return figure


def explain(result: Mapping[str, Any]) -> Figure:
    """How faithful explanations are, next to random orders of the same words."""
    figure, panels = panels_of(3)
    measures = {
        "comprehensiveness": "without the heaviest words\n(higher is better)",
        "sufficiency": "with these words alone\n(lower is better)",
        "deletion": "one word after the other left out\n(lower is better)",
    }
    for axes, (measure, title) in zip(panels, measures.items(), strict=True):
        methods = result["methods"]
        for at, (kind, name, color) in enumerate(
            (("mean", "by the explanation", OURS), ("random", "random orders", PEER))
        ):
            spots = [row + 0.38 * (at - 0.5) for row in range(len(methods))]
            values = [of[measure][kind] for of in methods.values()]
            bars = axes.bar(spots, values, width=0.36, color=color, label=name)
            axes.bar_label(bars, fmt="%.2f", fontsize=8)
        axes.set_xticks(range(len(methods)), list(methods))
        axes.set_ylim(0, 0.7)
        axes.set_title(f"{measure}:\n{title}", loc="left", fontsize=9)
    panels[0].set_ylabel("share of the probability")
    legend_below(figure, panels[0])
    return figure


def calibration(result: Mapping[str, Any]) -> Figure:
    """The calibration error of each way, and which one a training takes."""
    # Several labels a text have ways of their own
    tasks = {name: task for name, task in result["tasks"].items() if set(METHODS) <= set(task["methods"])}
    figure, axes = figure_of(8, 3.4)
    for at, task in enumerate(tasks.values()):
        for method, (key, of) in enumerate((key, task["methods"][key]) for key in METHODS):
            error = of["equal_mass_calibration_error"]
            color = OURS if key == task["chosen"] else PEER
            axes.bar(at + 0.16 * (method - 2), 100 * error["value"], width=0.14, color=color)
            axes.vlines(
                at + 0.16 * (method - 2), 100 * error["low"], 100 * error["high"], color=GRAY, linewidth=0.8
            )
    axes.set_xticks(
        range(len(tasks)),
        [f"{name}\n{task['labels']} labels, {task['rows']:,} rows" for name, task in tasks.items()],
    )
    axes.set_ylim(0)
    axes.set_ylabel("calibration error, points")
    words = ", ".join(METHODS.values())
    axes.set_title(f"From the left: {words}. Blue: what a training takes.", loc="left", fontsize=10)
    return figure


FIGURES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Figure]]] = {
    "mend": ("mend", mend),
    "behavior": ("behavior", behavior),
    "explain": ("explain", explain),
    "calibration": ("calibration", calibration),
}
"""Figure -> the result that it is drawn of, and how."""
