"""The figures of the promises about answers, from the JSON files of their benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.cascade_promises import TWEETS
from benchmarks.figures import OURS, PEER, THIRD, aim, figure_of, legend_below, panels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORPORA = {"sst2": "film sentences (SST-2)", "tweets": "tweets, three labels"}


def shares(result: Mapping[str, Any]) -> Figure:
    """How far off shares are, corrected and counted, by how much the file's shares differ."""
    figure, panels = panels_of(2)
    for axes, (corpus, rows) in zip(panels, _shifts(result), strict=True):
        for way, name, color in (("counted", "counting labels", PEER), ("share", "nlpkit shares", OURS)):
            _line(axes, rows, [100 * row["mean_error"][way] for row in rows], name, color)
        axes.set_title(CORPORA[corpus], loc="left", fontsize=10)
        axes.set_ylim(0)
        axes.set_xlabel("shift of the labels between labeled rows and file")
    panels[0].set_ylabel("mean error of a label's share, in points")
    panels[0].legend(frameon=False)
    return figure


def promises(result: Mapping[str, Any]) -> Figure:
    """How often promises of at most 10% errors are kept, next to two common rules."""
    figure, panels = panels_of(2)
    rules = (
        ("promise", "nlpkit score --max-error 0.1", OURS),
        ("plain", "threshold from the labeled rows alone", THIRD),
        ("single", "conformal sets of one label", PEER),
    )
    for axes, (corpus, rows) in zip(panels, _shifts(result), strict=True):
        for rule, name, color in rules:
            kept = [100 * (row["promises"]["10%"][rule]["kept"] or 0) for row in rows]
            _line(axes, rows, kept, name, color)
        aim(axes, 95, "promised: 95%")
        axes.set_title(CORPORA[corpus], loc="left", fontsize=10)
        axes.set_ylim(0, 104)
        axes.set_xlabel("shift of the labels between labeled rows and file")
    panels[0].set_ylabel("draws in which it is kept, %")
    legend_below(figure, panels[0])
    return figure


def sets(result: Mapping[str, Any]) -> Figure:
    """How often sets hold the true label: on average, and in the lowest twentieth of the draws."""
    figure, panels = panels_of(2)
    kinds = (
        ("class_conditional", "nlpkit: bounds of each label", OURS),
        ("plain", "one bound for all", PEER),
    )
    for axes, (corpus, rows) in zip(panels, _shifts(result), strict=True):
        for kind, name, color in kinds:
            held = [100 * row["sets"][kind]["held_truth"] for row in rows]
            _line(axes, rows, held, name, color)
            lowest = [100 * row["sets"][kind]["held_truth_lowest_5%"] for row in rows]
            axes.plot(
                range(len(rows)), lowest, color=color, linestyle=":", label=f"{name}, lowest 5% of draws"
            )
        aim(axes, 90, "promised: 90%")
        axes.set_title(CORPORA[corpus], loc="left", fontsize=10)
        axes.set_ylim(80, 96)
        axes.set_xlabel("shift of the labels between labeled rows and file")
    panels[0].set_ylabel("sets that hold the true label, %")
    legend_below(figure, panels[0])
    return figure


def groups(result: Mapping[str, Any]) -> Figure:
    """How often all groups keep a promise, and how many texts of each get a label."""
    figure, (left, right) = panels_of(2)
    made = result["promises"]
    rules = {"in every group": ("with --by", OURS), "in the whole file": ("without", PEER)}
    for at, (rule, (name, color)) in enumerate(rules.items()):
        kept = [100 * (of["rules"][rule]["kept"] or 0) for of in made.values()]
        spots = [row + 0.38 * (at - 0.5) for row in range(len(made))]
        bars = left.bar(spots, kept, width=0.36, color=color, label=name)
        labels = [f"{value:.0f}" if of["rules"][rule]["made"] else "refused" for value, of in zip(
            kept, made.values(), strict=True)]  # fmt: skip
        left.bar_label(bars, labels, fontsize=8)
    aim(left, 95)
    left.set_xticks(range(len(made)), [f"at most {error}" for error in made])
    left.set_ylim(0, 112)
    left.set_ylabel("draws in which all groups keep it, %")
    left.set_title("kept in all five topics (dashed: 95%, as promised)", loc="left", fontsize=10)
    loosest = list(made)[-1]
    order = sorted(result["groups"], key=lambda group: made[loosest]["groups"][group]["answered"] or 0)
    answered = [100 * (made[loosest]["groups"][group]["answered"] or 0) for group in order]
    bars = right.barh(order, answered, color=OURS)
    right.bar_label(bars, fmt="%.0f%%", fontsize=8, padding=2)
    right.set_xlim(0, 112)
    right.set_xlabel("texts that get a label, %")
    right.set_title(f"what at most {loosest} errors cost each topic", loc="left", fontsize=10)
    legend_below(figure, left)
    return figure


def cascade(result: Mapping[str, Any]) -> Figure:
    """What a loss of accuracy saves, and how often no more is lost."""
    figure, (left, right) = panels_of(2)
    losses = {loss: of for loss, of in result["tasks"][TWEETS]["loses"].items() if of["made"]}
    bars = left.bar(list(losses), [100 * of["slow"] for of in losses.values()], color=OURS, width=0.6)
    left.bar_label(bars, fmt="%.0f%%", fontsize=8)
    left.set_ylim(0, 110)
    left.set_ylabel("texts that the slow run must read, %")
    bars = right.bar(list(losses), [100 * of["kept"] for of in losses.values()], color=OURS, width=0.6)
    right.bar_label(bars, fmt="%.0f%%", fontsize=8)
    aim(right, 95)
    right.set_title("and is it kept (dashed: 95%, as promised)", loc="left", fontsize=10)
    left.set_title("what a loss saves", loc="left", fontsize=10)
    right.set_ylim(0, 110)
    right.set_ylabel("draws in which no more is lost, %")
    for axes in (left, right):
        axes.set_xlabel("accuracy that may be lost")
    return figure


def card(result: Mapping[str, Any]) -> Figure:
    """The errors among the surest answers, and what can be promised about them."""
    figure, axes = figure_of(6, 3.4)
    curve = result["curve"]
    answered = [100 * share for share in curve["answered"]]
    axes.plot(answered, [100 * share for share in curve["bound"]], color=OURS, label="what can be promised")
    axes.plot(
        answered, [100 * share for share in curve["errors"]], color=PEER, label="errors in the labeled rows"
    )
    axes.set_xlim(0, 100)
    axes.set_ylim(0)
    axes.set_xlabel("texts that get a label, the surest first, %")
    axes.set_ylabel("labels that are wrong, %")
    axes.legend(frameon=False, loc="upper left")
    return figure


FIGURES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Figure]]] = {
    "trust-shares": ("trust", shares),
    "trust-promises": ("trust", promises),
    "trust-sets": ("trust", sets),
    "group-promises": ("group-promises", groups),
    "cascade-promises": ("cascade-promises", cascade),
    "card-promises": ("group-promises", card),
}
"""Figure -> the result that it is drawn of, and how."""


def _shifts(result: Mapping[str, Any]) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Return for each corpus what was measured in independent draws, by shift."""
    return [
        (corpus, [row for row in result["tasks"][corpus]["measured"] if "halves" not in row["shift"]])
        for corpus in CORPORA
    ]


def _line(
    axes: Axes, rows: Sequence[Mapping[str, Any]], values: Sequence[float], name: str, color: str
) -> None:
    axes.plot(range(len(rows)), values, color=color, marker="o", markersize=4, label=name)
    axes.set_xticks(range(len(rows)), [row["shift"] for row in rows])
