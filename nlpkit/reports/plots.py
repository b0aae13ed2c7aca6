"""Draws a `Plot` as a small inline SVG whose colors follow the page, so that one picture suits light, dark
and paper.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.reports.parts import Step
from nlpkit.reports.sections import Panel, Plot, Series
from nlpkit.reports.wording import short, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Axes: TypeAlias = Any
    Curves: TypeAlias = dict[str, list[tuple[int, float]]]

# Colors that nobody else uses, each replaced in the SVG by the page's variable of that name.
INK, MUTED, GRID, PAPER = "#010203", "#010204", "#010205", "#010206"
SERIES = ("#010301", "#010302", "#010303", "#010304", "#010305", "#010306")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", PAPER: "card"} | {
    color: f"s{number + 1}" for number, color in enumerate(SERIES)
}

_STYLE = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's font
    "svg.hashsalt": "nlpkit",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2,
}
WIDTH, HEIGHT = 4.8, 3.4
"""Inches of 72 CSS pixels: legible on a phone without scrolling, twice as large next to another on a desk."""
MANY_POINTS = 400
"""More points than these cannot be distinguished: hexagons, darker where more fall."""
MANY_STEPS = 25


def learning_curve(steps: Sequence[Step], unit: str = "texts") -> Plot | None:
    """Return losses above, the other validation metrics below; None without at least two points."""
    curves = [curve for curve in _curves(steps) if curve]
    if max((len(points) for curve in curves for points in curve.values()), default=0) < 2:
        return None
    ends = (
        f"{name} from {points[0][1]:.3f} to {points[-1][1]:.3f}"
        for curve in curves
        for name, points in curve.items()
    )
    panels = [
        Panel(
            series=tuple(
                Series(
                    mark="line",
                    name=name,
                    x=tuple(step for step, _ in points),
                    y=tuple(value for _, value in points),
                    color=number % len(SERIES),
                    symbol="o" if len(points) < MANY_STEPS else "",
                )
                for number, (name, points) in enumerate(curve.items())
            ),
            x="optimizer steps" if curve is curves[-1] else "",
        )
        for curve in curves
    ]
    return Plot(
        id="curve",
        title="Learning curve",
        nav="Learning curve",
        note=f"During training. The model never learned from validation {unit}.",
        words=f"Learning curve: {'; '.join(ends)}",
        panels=tuple(panels),
        height=1 if len(panels) == 1 else 1.4,
        half=True,
    )


def _curves(steps: Sequence[Step]) -> tuple[Curves, Curves]:
    """Return the losses, and the other metrics: points (step, value) by name."""
    losses: Curves = {}
    others: Curves = {}
    for step in steps:
        if step.loss is not None:
            losses.setdefault("training loss", []).append((step.step, step.loss))
        for name, value in step.metrics.items():
            title = "validation loss" if name == "loss" else short(name.replace("_", " "))
            (losses if "loss" in name else others).setdefault(title, []).append((step.step, value))
    return losses, others


def draw(plot: Plot) -> str:
    """Return an SVG element to stand in a page, with words for who cannot see it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    written = io.StringIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A label in a script that the measuring font lacks: the browser has a font for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, plot.height * HEIGHT), layout="constrained")
        _paint(figure, plot)
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a label with dollar signs is no formula
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _for_page(written.getvalue(), plot.id, plot.words)


def _paint(figure: Figure, plot: Plot) -> None:
    lines = -(-len(plot.panels) // plot.columns)
    heights = [plot.panels[line * plot.columns].height for line in range(lines)]
    grid = figure.subplots(lines, plot.columns, sharex=True, squeeze=False, height_ratios=heights).ravel()
    for axis, panel in zip(grid, plot.panels, strict=False):
        _panel(axis, panel, small=len(plot.panels) > 1)
    for axis in grid[len(plot.panels) :]:
        axis.set_axis_off()
    if plot.x:
        figure.supxlabel(plot.x, fontsize=10, color=MUTED)


def _panel(axis: Axes, panel: Panel, *, small: bool) -> None:
    if panel.diagonal is not None:
        ends = panel.x_range if panel.square and panel.x_range else (0, 1)
        axis.plot(ends, ends, "--", color=MUTED, linewidth=1, label=panel.diagonal or None)
    if panel.zero:
        axis.axvline(0, color=MUTED, linewidth=1.2, linestyle="-" if panel.horizontal else "--")
    for series in panel.series:
        _MARKS[series.mark](axis, series, panel)
    _scales(axis, panel, small=small)
    if any(series.name for series in panel.series):
        axis.legend(loc="best", ncols=min(2, len(panel.series)))


def _scales(axis: Axes, panel: Panel, *, small: bool) -> None:
    limits = {"xlim": panel.x_range, "ylim": panel.y_range, "xlabel": panel.x, "ylabel": panel.y}
    axis.set(**{name: value for name, value in limits.items() if value})
    if panel.title:
        axis.set_title(panel.title, loc="left")
    if panel.square:
        axis.set_aspect("equal")
    places = range(len(panel.names))
    if panel.horizontal:
        axis.set_yticks(places, panel.names)
        axis.set_ylim(len(panel.names) - 0.45, -0.55)
        axis.grid(visible=False, axis="y")
        # Bars would else end the picture at zero and cut the marks that stand there.
        axis.use_sticky_edges = False
        axis.margins(x=0.08)
    elif panel.names:
        axis.set_xticks(places, panel.names)
        axis.margins(y=0.15)
    elif all(series.mark == "line" for series in panel.series):
        axis.margins(y=0.2)
        axis.locator_params(axis="x", integer=True)
    if small and all(series.mark in ("bars", "histogram") for series in panel.series):
        axis.locator_params(axis="y", nbins=3)


def _line(axis: Axes, series: Series, panel: Panel) -> None:
    color = SERIES[series.color % len(SERIES)]
    style = f"{series.symbol}-"
    axis.plot(series.x, series.y, style, color=color, label=series.name or None, markersize=4)
    banded = [
        (at, low, high)
        for at, low, high in zip(series.x, series.low, series.high, strict=False)
        if low is not None and high is not None
    ]
    if banded:
        axis.fill_between(*zip(*banded, strict=True), color=color, alpha=0.18, linewidth=0)


def _bars(axis: Axes, series: Series, panel: Panel) -> None:
    color = SERIES[series.color % len(SERIES)]
    style = {"color": color, "alpha": series.opacity}
    if not panel.horizontal:
        axis.bar(series.x, series.y, width=series.width, label=series.name or None, **style)
        return
    axis.barh(series.x, series.y, height=series.width, **style)
    for at, value, low, high in zip(series.x, series.y, series.low, series.high, strict=True):
        if low is not None and high is not None:
            axis.plot([low, high], [at, at], color=color, linewidth=2, solid_capstyle="round")
        axis.plot([value], [at], series.symbol, color=color, markersize=6)
    axis.plot([], [], series.symbol, color=color, label=series.name or None)


def _histogram(axis: Axes, series: Series, panel: Panel) -> None:
    axis.stairs(
        series.y,
        series.x,
        fill=True,
        color=SERIES[series.color % len(SERIES)],
        linewidth=0,
        alpha=series.opacity,
        label=series.name or None,
    )


def _points(axis: Axes, series: Series, panel: Panel) -> None:
    color = SERIES[series.color % len(SERIES)]
    if len(series.x) <= MANY_POINTS:
        axis.scatter(series.x, series.y, s=14, color=color, alpha=0.6, linewidths=0)
        return
    import numpy as np

    extent = {"extent": (*panel.x_range, *panel.y_range)} if panel.x_range and panel.y_range else {}
    hexagons = axis.hexbin(series.x, series.y, gridsize=28, mincnt=1, linewidths=0, **extent)
    counts = np.asarray(hexagons.get_array())
    # Opacity instead of a color map: it works on light and on dark.
    hexagons.set_array(None)
    hexagons.set_facecolor(color)
    hexagons.set_alpha(0.15 + 0.85 * (counts / counts.max()) ** 0.5)


_MARKS = {"line": _line, "bars": _bars, "histogram": _histogram, "points": _points}


def _for_page(svg: str, name: str, words: str) -> str:
    """Return the bare element: ids that no other picture has, the page's colors and font, and a name for
    screen readers.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r' id="(?![pmhC][0-9_]*[0-9a-f]{6,}")[^"]*"| font-family: [^;"]*;', "", svg)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(
        r"(fill|stroke): (#0102\d\d|#0103\d\d)",
        lambda match: f"{match[1]}: var(--{_VARIABLES[match[2]]})",
        svg,
    )
    label, namespace = html.escape(visible(words)), "http://www.w3.org/1999/xlink"
    return re.sub(
        r'<svg[^>]*?(viewBox="[^"]*")[^>]*>',
        lambda match: f'<svg role="img" aria-label="{label}" {match[1]} xmlns:xlink="{namespace}">',
        svg,
        count=1,
    )
