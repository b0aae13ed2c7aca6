"""Whether a model uses its context, as pictures: what each other history costs, and how far back it listens."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nlpkit.metrics.score import Score
from nlpkit.reports.dialogue_report import ContextUse, TurnsBack
from nlpkit.reports.dialogue_text import HISTORIES, gains
from nlpkit.reports.plots import HEIGHT, INK, SERIES, draw, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nlpkit.reports.plots import Axes

COLORS = (SERIES[0], SERIES[5])
"""The run, and its rival in grey, as on the scales of the page."""
MARKS = ("o", "s")
"""So that the two are told apart without colours."""


def gains_plot(models: Mapping[str, ContextUse]) -> str:
    """What another history than the true one costs, with intervals, the models of `models` below one another; empty without a gain."""
    measured = {
        who: {name: one.loss for name, one in gains(context).items() if one.loss.value is not None}
        for who, context in models.items()
    }
    shown = [name for name in HISTORIES if any(name in losses for losses in measured.values())]
    if not shown:
        return ""

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        axis.axvline(0, color=INK, linewidth=1.2)
        for number, (who, losses) in enumerate(measured.items()):
            shift = 0.36 * (number - (len(measured) - 1) / 2)
            rows = [(shown.index(name) + shift, loss) for name, loss in losses.items()]
            axis.barh(
                [at for at, _ in rows],
                [loss.value or 0.0 for _, loss in rows],
                height=0.32,
                color=COLORS[number % 2],
                alpha=0.35,
            )
            for at, loss in rows:
                _whisker(axis, at, loss, COLORS[number % 2], MARKS[number % 2])
            axis.plot([], [], MARKS[number % 2], color=COLORS[number % 2], label=short(who))
        axis.set_yticks(range(len(shown)), [textwrap.fill(HISTORIES[name].name, 16) for name in shown])
        axis.set(xlabel="nats a token lost", ylim=(len(shown) - 0.45, -0.55))
        axis.grid(visible=False, axis="y")
        axis.use_sticky_edges = (
            False  # bars would else end the picture at zero and cut the marks that stand there
        )
        axis.margins(x=0.08)
        figure.legend(loc="outside upper right", ncols=2)

    words = "; ".join(
        f"{who}, {HISTORIES[name].name}: {_said(loss)}"
        for who, losses in measured.items()
        for name, loss in losses.items()
    )
    return draw("context", f"Nats a token that another history costs: {words}", 1.15 * HEIGHT, paint)


def _whisker(axis: Axes, at: float, loss: Score, color: str, mark: str) -> None:
    if loss.low is not None and loss.high is not None:
        axis.plot([loss.low, loss.high], [at, at], color=color, linewidth=2, solid_capstyle="round")
    axis.plot([loss.value], [at], mark, color=color, markersize=6)


def turns_back_plot(models: Mapping[str, ContextUse]) -> str:
    """The loss by how many of the last turns a model sees, with a band for the interval; empty without two points."""
    curves = {
        who: [one for one in context.turns_back if one.loss.value is not None]
        for who, context in models.items()
    }
    turns = sorted({one.turns for points in curves.values() for one in points})
    if len(turns) < 2:
        return ""
    # Evenly spaced: the step from no turn to one says more than that from eight to twenty.
    places = {one: place for place, one in enumerate(turns)}

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        for number, (who, points) in enumerate(curves.items()):
            _curve(axis, places, points, color=COLORS[number % 2], mark=MARKS[number % 2], name=short(who))
        axis.set_xticks(range(len(turns)), [str(one) for one in turns])
        axis.set(xlabel="how many of the last turns it sees, at most", ylabel="loss, nats a token")
        axis.margins(y=0.15)
        axis.legend(loc="best")

    words = (
        f"{who}: " + ", ".join(f"{_said(one.loss)} with {one.turns}" for one in points)
        for who, points in curves.items()
        if points
    )
    return draw(
        "back",
        "Loss in nats a token by how many of the last turns the model sees: " + "; ".join(words),
        1.15 * HEIGHT,
        paint,
    )


def _curve(
    axis: Axes, places: Mapping[int, int], points: list[TurnsBack], *, color: str, mark: str, name: str
) -> None:
    axis.plot(
        [places[one.turns] for one in points],
        [one.loss.value for one in points],
        f"{mark}-",
        color=color,
        label=name,
        markersize=5,
    )
    banded = [one for one in points if one.loss.low is not None]
    axis.fill_between(
        [places[one.turns] for one in banded],
        [one.loss.low for one in banded],
        [one.loss.high for one in banded],
        color=color,
        alpha=0.18,
        linewidth=0,
    )


def _said(score: Score) -> str:
    return score.shown(score.value) + (f" ({score.interval})" if score.interval else "")
