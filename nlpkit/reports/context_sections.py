"""Whether a chat model uses what was said: in sentences, as plots and as tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nlpkit.metrics.score import Score
from nlpkit.reports.reply_findings import ContextGain, ContextUse, ReplyFindings
from nlpkit.reports.sections import Cell, Column, Panel, Plot, Prose, Section, Series, Table
from nlpkit.reports.wording import in_brackets, short

Side: TypeAlias = Literal["above", "below", "even"]
GRAY = 5
"""The color of a baseline, as on the bars of the page."""


@dataclass(frozen=True, kw_only=True)
class Without:
    """How a history that is not the true one is called."""

    name: str
    start: str
    claims: Mapping[Side, str]


HISTORIES: dict[str, Without] = {
    "none": Without(
        name="none at all",
        start="Without its history",
        claims={
            "above": "it uses what was said",
            "even": "it is not shown to use its context",
            "below": "its history misleads it",
        },
    ),
    "other": Without(
        name="another conversation's",
        start="With the history of another conversation",
        claims={
            "above": "it uses what was said in this one",
            "even": "it is not shown to tell its conversation from another",
            "below": "its own history misleads it",
        },
    ),
    "shuffled": Without(
        name="its turns in another order",
        start="With its turns in another order",
        claims={
            "above": "it uses the order in which things were said",
            "even": "it is not shown to use the order of the turns",
            "below": "the true order misleads it",
        },
    ),
}
"""From what is easiest to what is hardest for a model."""

ANY_HISTORY = "a history helps it, though it is not shown that it must be the true one"


def context_sentences(findings: ReplyFindings) -> list[str]:
    """Return what each history but the true one costs the run, and what that shows."""
    ours, theirs = gains(findings.context), gains(findings.baseline_context)
    sentences = []
    for name, gain in ours.items():
        words = HISTORIES[name]
        if gain.loss.value is None:
            sentences.append(f"{words.start}: not measured, {gain.loss.undefined or 'no value'}.")
            continue
        shown = side(gain.loss)
        claim = words.claims[shown] if name != "none" or use_shown(ours) == shown else ANY_HISTORY
        baseline = theirs[name].loss if name in theirs else None
        fact = (
            f"{findings.baseline.name}: {_nats(baseline)}"
            if findings.baseline and baseline is not None and baseline.value is not None
            else ""
        )
        sentences.append(f"{words.start} it {_nats_with_interval(gain.loss, fact)}: {claim}.")
    return sentences


def use_shown(ours: Mapping[str, ContextGain]) -> Side:
    """Return what the first of the gains shows.

    Any history can help, as a sample of how people here speak: so another's must help less.
    """
    sides = [side(gain.loss) for gain in ours.values()]
    if sides[0] == "above" and "other" in ours and side(ours["other"].loss) != "above":
        return "even"
    return sides[0]


def gains(context: ContextUse) -> dict[str, ContextGain]:
    """Return the gains by history, from what is easiest to what is hardest."""
    by_history = {gain.history: gain for gain in context.gains}
    return {name: by_history[name] for name in HISTORIES if name in by_history}


def side(score: Score) -> Side:
    """Return on which side of zero the whole interval lies."""
    if score.low is None or score.high is None or score.low <= 0 <= score.high:
        return "even"
    return "above" if score.low > 0 else "below"


def _nats(score: Score) -> str:
    value = score.value or 0.0
    return f"{'gains' if value < 0 else 'loses'} {abs(value):.{_digits(value)}f}"


def _nats_with_interval(score: Score, fact: str) -> str:
    """Return `loses 0.41 nats a token (95% interval 0.36 to 0.46; base: loses 0.30)`; a loss below zero is a
    gain.
    """
    value = score.value or 0.0
    sign = -1 if value < 0 else 1
    low, high = sorted((sign * (score.low or 0.0), sign * (score.high or 0.0)))
    interval = (
        f"95% interval {low:.{_digits(value)}f} to {high:.{_digits(value)}f}"
        if score.low is not None and score.high is not None
        else ""
    )
    return f"{_nats(score)} nats a token{in_brackets(interval, fact)}"


def _digits(value: float) -> int:
    return 2 if abs(value) >= 0.1 else 3


def context(findings: ReplyFindings) -> Section | None:
    """Return what each other history costs, in sentences."""
    if not findings.context.gains and not findings.context.turns_back:
        return None
    return Prose(
        id="context",
        title="Does it use what was said?",
        nav="Use of context",
        note="How much worse it predicts what people answered when the history is taken away, exchanged or "
        "put in another "
        "order, replies and all else being the same. A model that ignores its context loses nothing; 0.1 "
        "nats make each "
        "token about 10% less likely.",
        sentences=tuple(context_sentences(findings)),
    )


def gains_plot(findings: ReplyFindings) -> Section | None:
    """Return what another history than the true one costs, with intervals; None if not measured."""
    measured = {
        who: {name: gain.loss for name, gain in gains(use).items() if gain.loss.value is not None}
        for who, use in findings.models.items()
    }
    shown = [name for name in HISTORIES if any(name in losses for losses in measured.values())]
    if not shown:
        return None
    words = "; ".join(
        f"{who}, {HISTORIES[name].name}: {loss.shown_with_interval}"
        for who, losses in measured.items()
        for name, loss in losses.items()
    )
    series = []
    for number, (who, losses) in enumerate(measured.items()):
        shift = 0.36 * (number - (len(measured) - 1) / 2)
        series.append(
            _series(
                who,
                number,
                mark="bars",
                points=[(shown.index(name) + shift, loss) for name, loss in losses.items()],
            )
        )
    return Plot(
        id="gains",
        title="What another history costs",
        under="context",
        note="With 95% intervals; one that reaches the line at 0 shows no use of context.",
        words=f"Nats a token that another history costs: {words}",
        panels=(
            Panel(
                series=tuple(series),
                names=tuple(textwrap.fill(HISTORIES[name].name, 16) for name in shown),
                x="nats a token lost",
                zero=True,
                horizontal=True,
            ),
        ),
        height=1.15,
        half=True,
    )


def turns_back_plot(findings: ReplyFindings) -> Section | None:
    """Return the loss by how many of the last turns a model sees; None without two points."""
    curves = {
        who: [point for point in use.turns_back if point.loss.value is not None]
        for who, use in findings.models.items()
    }
    turns = sorted({point.turns for points in curves.values() for point in points})
    if len(turns) < 2:
        return None
    # Evenly spaced: the step from no turn to one says more than that from eight to twenty.
    words = (
        f"{who}: " + ", ".join(f"{point.loss.shown_with_interval} with {point.turns}" for point in points)
        for who, points in curves.items()
        if points
    )
    series = [
        _series(
            who,
            number,
            mark="line",
            points=[(turns.index(point.turns), point.loss) for point in points],
        )
        for number, (who, points) in enumerate(curves.items())
    ]
    return Plot(
        id="back",
        title="How far back it listens",
        under="context",
        note="Lower is better; where the curve goes flat, older turns add nothing.",
        words=f"Loss in nats a token by how many of the last turns the model sees: {'; '.join(words)}",
        panels=(
            Panel(
                series=tuple(series),
                names=tuple(map(str, turns)),
                x="how many of the last turns it sees, at most",
                y="loss, nats a token",
            ),
        ),
        height=1.15,
        half=True,
    )


def gains_table(findings: ReplyFindings) -> Section | None:
    """Return what another history costs, in numbers."""
    ours, theirs = gains(findings.context), gains(findings.baseline_context)
    if not ours:
        return None
    rows: list[tuple[Cell, ...]] = []
    for name, gain in ours.items():
        baseline = theirs.get(name)
        losses: list[Cell] = [gain.loss]
        hits: list[Cell] = [gain.hits]
        if findings.baseline:
            losses.append(baseline.loss if baseline else None)
            hits.append(baseline.hits if baseline else None)
        rows.append((HISTORIES[name].name, *losses, *hits))
    heads = [f"{what}, {who}" for what in ("Loss", "hits@1") for who in findings.models]
    return Table(
        id="gains-table",
        title="What another history costs",
        under="context",
        folded=True,
        caption="Loss in nats a token and hits@1 lost, with 95% intervals",
        columns=(
            Column(name="History instead of the true one"),
            *(Column(name=head, number=True) for head in heads),
        ),
        rows=tuple(rows),
    )


def turns_back_table(findings: ReplyFindings) -> Section | None:
    """Return the loss by how many of the last turns a model sees, in numbers."""
    theirs = {point.turns: point.loss for point in findings.baseline_context.turns_back}
    if not findings.context.turns_back:
        return None
    rows = (
        (point.turns, point.loss, *((theirs.get(point.turns),) if findings.baseline else ()))
        for point in findings.context.turns_back
    )
    return Table(
        id="back-table",
        title="Loss by turns back",
        under="context",
        folded=True,
        caption="Loss in nats a token by turns seen, with 95% intervals",
        columns=(Column(name="Turns, at most"), *(Column(name=who, number=True) for who in findings.models)),
        rows=tuple(rows),
    )


def _series(
    who: str, number: int, *, mark: Literal["bars", "line"], points: list[tuple[float, Score]]
) -> Series:
    return Series(
        mark=mark,
        name=short(who),
        x=tuple(at for at, _ in points),
        y=tuple(loss.value or 0.0 for _, loss in points),
        low=tuple(loss.low for _, loss in points),
        high=tuple(loss.high for _, loss in points),
        color=GRAY if number else 0,
        symbol="s" if number else "o",
        width=0.32,
        opacity=0.35 if mark == "bars" else 1.0,
    )
