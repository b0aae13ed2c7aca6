"""Plots as small inline SVGs whose colours follow the page, so that one picture suits light, dark and paper."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.score import Bin
from nlpkit.reports.report import Histogram, Step
from nlpkit.reports.wording import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Axes: TypeAlias = Any
    Curves: TypeAlias = dict[str, list[tuple[int, float]]]

# Colours that nobody else uses, each replaced in the SVG by the page's variable of that name.
INK, MUTED, GRID, PAPER = "#010203", "#010204", "#010205", "#010206"
SERIES = ("#010301", "#010302", "#010303", "#010304", "#010305", "#010306")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", PAPER: "card"} | {
    one: f"s{number + 1}" for number, one in enumerate(SERIES)
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
"""Inches of 72 CSS pixels: legible on a phone without scrolling, twice as large beside another on a desk."""
PANELS = 12


def learning_curve(steps: Sequence[Step]) -> str:
    """Losses above, the other validation metrics below; empty without at least two points."""
    panels = [panel for panel in _curves(steps) if panel]
    if max((len(points) for panel in panels for points in panel.values()), default=0) < 2:
        return ""

    def paint(figure: Figure) -> None:
        axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            for number, (name, points) in enumerate(panel.items()):
                marker = "o" if len(points) < 25 else ""
                axis.plot(
                    *zip(*points, strict=True),
                    color=SERIES[number % len(SERIES)],
                    label=name,
                    marker=marker,
                    markersize=4,
                )
            axis.legend(ncols=2, loc="best")
            axis.margins(y=0.2)
        axes[-1].set_xlabel("optimizer steps")
        axes[-1].locator_params(axis="x", integer=True)

    ends = (
        f"{name} from {points[0][1]:.3f} to {points[-1][1]:.3f}"
        for panel in panels
        for name, points in panel.items()
    )
    return draw(
        "learning-curve",
        "Learning curve: " + "; ".join(ends),
        HEIGHT if len(panels) == 1 else 1.4 * HEIGHT,
        paint,
    )


def _curves(steps: Sequence[Step]) -> tuple[Curves, Curves]:
    """The losses, and the other metrics: points (step, value) by name."""
    losses: Curves = {}
    others: Curves = {}
    for one in steps:
        if one.loss is not None:
            losses.setdefault("training loss", []).append((one.step, one.loss))
        for name, value in one.metrics.items():
            title = "validation loss" if name == "loss" else short(name.replace("_", " "))
            (losses if "loss" in name else others).setdefault(title, []).append((one.step, value))
    return losses, others


def reliability_diagram(bins: Sequence[Bin]) -> str:
    """Accuracy against confidence above, how many texts have each confidence below; empty without rows."""
    full = [one for one in bins if one.confidence is not None and one.accuracy is not None]
    if not full:
        return ""

    def paint(figure: Figure) -> None:
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
        middles, width = [(one.low + one.high) / 2 for one in full], full[0].high - full[0].low
        upper.bar(middles, [one.accuracy for one in full], width=0.9 * width, color=SERIES[0], alpha=0.35)
        upper.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="exactly as sure as right")
        upper.plot(
            [one.confidence for one in full],
            [one.accuracy for one in full],
            "o-",
            color=SERIES[0],
            markersize=4,
            label="this run",
        )
        upper.set(ylabel="share that is right", ylim=(0, 1.03), xlim=(0, 1.01))
        upper.legend(loc="upper left")
        lower.bar(middles, [one.count for one in full], width=0.9 * width, color=SERIES[0], alpha=0.7)
        lower.set(xlabel="confidence in the label given", ylabel="texts")
        lower.locator_params(axis="y", nbins=3)

    words = (
        f"confidence {one.low:.2f} to {one.high:.2f}: {one.accuracy:.0%} of {one.count} right" for one in full
    )
    return draw("reliability", "Reliability diagram: " + "; ".join(words), 1.4 * HEIGHT, paint)


def histograms(found: Sequence[Histogram]) -> str:
    """How the probabilities spread: two labels in one picture, more in a panel each; empty without labels."""
    if not any(sum(one.counts) for one in found):
        return ""
    shown = found[:PANELS]
    words = "Histograms of probabilities: " + "; ".join(
        f"{one.name}, {sum(one.counts)} texts" for one in shown
    )
    if len(found) == 2:
        return draw("histograms", words, 1.4 * HEIGHT, lambda figure: _together(figure, found))
    return draw(
        "histograms",
        words,
        max(1.4 * HEIGHT, 1.5 * -(-len(shown) // 2) + 0.5),
        lambda figure: _apart(figure, shown),
    )


def _together(figure: Figure, found: Sequence[Histogram]) -> None:
    axis = figure.subplots()
    for number, one in enumerate(found):
        _bars(axis, one, SERIES[number], alpha=0.55, label=f"truly {short(one.name)}")
    highest = max(max(one.counts) for one in found)
    axis.set(
        xlabel=f"probability of {short(found[1].name)}", ylabel="texts", xlim=(0, 1), ylim=(0, 1.25 * highest)
    )
    axis.legend(loc="upper center")


def _apart(figure: Figure, found: Sequence[Histogram]) -> None:
    panels = figure.subplots(-(-len(found) // 2), 2, sharex=True, squeeze=False).ravel()
    for number, (axis, one) in enumerate(zip(panels, found, strict=False)):
        _bars(axis, one, SERIES[number % len(SERIES)], alpha=0.7)
        axis.set_title(f"truly {short(one.name)}", loc="left")
        axis.set_xlim(0, 1)
        axis.locator_params(axis="y", nbins=3)
    for axis in panels[len(found) :]:
        axis.set_axis_off()
    figure.supxlabel("probability given to the true label", fontsize=10, color=MUTED)


def _bars(axis: Axes, one: Histogram, color: str, **style: Any) -> None:
    axis.stairs(one.counts, one.edges, fill=True, color=color, linewidth=0, **style)


def short(label: str) -> str:
    """A name that fits a legend."""
    label = visible(label)
    return label if len(label) <= 24 else label[:23] + "…"


def residuals(found: Histogram) -> str:
    """How far off, and to which side."""

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        _bars(axis, found, SERIES[0], alpha=0.7)
        axis.axvline(0, color=MUTED, linewidth=1, linestyle="--")
        axis.set(xlabel="predicted minus true", ylabel="texts")

    words = f"Histogram of {sum(found.counts)} errors between {found.edges[0]:.2f} and {found.edges[-1]:.2f}"
    return draw("residuals", words, 1.3 * HEIGHT, paint)


def scatter(points: Sequence[tuple[float, float]]) -> str:
    """Predicted against true values: points while they can be told apart, else hexagons, darker where more fall."""
    if not points:
        return ""
    true, predicted = zip(*points, strict=True)
    low, high = min(true + predicted), max(true + predicted)
    margin = 0.03 * (high - low) or 1.0
    ends = (low - margin, high + margin)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        axis.plot(ends, ends, "--", color=MUTED, linewidth=1)
        if len(points) <= 400:
            axis.scatter(true, predicted, s=14, color=SERIES[0], alpha=0.6, linewidths=0)
        else:
            _hexagons(axis, true, predicted, ends)
        axis.set(xlabel="true value", ylabel="predicted value", xlim=ends, ylim=ends, aspect="equal")

    words = f"Predicted against true values of {len(points)} texts; the dashed line is a perfect prediction"
    return draw("scatter", words, 1.3 * HEIGHT, paint)


def _hexagons(
    axis: Axes, true: Sequence[float], predicted: Sequence[float], ends: tuple[float, float]
) -> None:
    import numpy as np

    found = axis.hexbin(true, predicted, gridsize=28, extent=(*ends, *ends), mincnt=1, linewidths=0)
    counts = np.asarray(found.get_array())
    # Opacity instead of a colour map: it works on light and on dark.
    found.set_array(None)
    found.set_facecolor(SERIES[0])
    found.set_alpha(0.15 + 0.85 * (counts / counts.max()) ** 0.5)


def draw(name: str, words: str, height: float, paint: Callable[[Figure], None]) -> str:
    """An SVG element to stand in a page; `words` say the same to who cannot see it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    written = io.StringIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A label in a script that the measuring font lacks: the browser has a font for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure)
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a label with dollar signs is no formula
        figure.savefig(
            written,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    return _for_page(written.getvalue(), name, words)


def _for_page(svg: str, name: str, words: str) -> str:
    """The bare element: ids that no other picture has, the page's colours and font, and a name for screen readers."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r' id="(?![pmhC][0-9_]*[0-9a-f]{6,}")[^"]*"| font-family: [^;"]*;', "", svg)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(
        r"(fill|stroke): (#0102\d\d|#0103\d\d)",
        lambda found: f"{found[1]}: var(--{_VARIABLES[found[2]]})",
        svg,
    )
    return re.sub(
        r'<svg[^>]*?(viewBox="[^"]*")[^>]*>',
        lambda found: (
            f'<svg role="img" aria-label="{html.escape(visible(words))}" {found[1]} xmlns:xlink="http://www.w3.org/1999/xlink">'
        ),
        svg,
        count=1,
    )
