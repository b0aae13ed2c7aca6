"""What the figures of the results have in common: colors, panels, lines for what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, PEER, THIRD = "#2f6f9f", "#8f989f", "#c2703d"
GRAY = "#444444"


def figure_of(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many inches with one panel."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    return figure, axes


def panels_of(count: int) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with so many panels in a row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = list(figure.subplots(1, count))
    for axes in panels:
        bare(axes)
    return figure, panels


def bare(axes: Axes) -> None:
    """Take the frame away above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def aim(axes: Axes, value: float, name: str = "") -> None:
    """Draw what was promised, with its name where no bars cover it."""
    axes.axhline(value, color=GRAY, linewidth=0.8, linestyle="--")
    axes_and_data = ("axes fraction", "data")
    axes.annotate(
        name,
        (0.99, value),
        xytext=(0, -2),
        xycoords=axes_and_data,
        textcoords="offset points",
        va="top",
        ha="right",
        fontsize=8,
        color=GRAY,
    )


def legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend of a panel below all of them."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8
    )
