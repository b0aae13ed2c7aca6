"""Explanations as one self-contained page: signs and lines show what colors show."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.reports.html import environment
from nlpkit.reports.sections import Mark
from nlpkit.trust.explained import Explained, ExplainedPart

LEAST = 0.1
"""A word or turn is marked whose weight is at least this part of the largest."""

LEGEND = (
    "+ and a solid line: the word speaks for the label, or raises the number. "
    "\u2212 and a dashed line: it speaks against it, or lowers it. "
    "The value behind a word is what it adds, in log-odds of the label or in units of the number."
)
"""What the marks on words mean."""

TURNS_LEGEND = (
    "+ and a solid line: the turn makes the reply likelier. "
    "\u2212 and a dashed line: it makes it less likely. "
    "The value behind a turn is what it adds to the log-likelihood of the reply, in nats."
)
"""What the marks on turns mean."""


def marks_of(explanation: Explained) -> tuple[Mark, ...]:
    """Return the marks of the words or turns that count, and of those that were not read."""
    largest = max((abs(part.weight) for part in explanation.by_weight if part.weight), default=1.0)
    marks = (_mark(part, largest) for part in explanation.parts)
    return tuple(mark for mark in marks if mark is not None)


def _mark(part: ExplainedPart, largest: float) -> Mark | None:
    if part.weight is None:
        return Mark(start=part.start, end=part.end, name="effect", kind="unread", weight="not read")
    if abs(part.weight) < LEAST * largest:
        return None
    return Mark(
        start=part.start,
        end=part.end,
        name="effect",
        kind="for" if part.weight > 0 else "against",
        weight=f"{part.weight:+.2f}".replace("-", "\u2212"),
        strength=round(100 * abs(part.weight) / largest),
    )


def to_page(explanations: Sequence[Explained], *, run: str, source: str) -> str:
    """Return the page, whole: its style is inside it.

    Args:
        explanations: what is shown.
        run: the name of the run that answers.
        source: the name of the file; empty for texts.
    """
    rows = [(explanation, marks_of(explanation)) for explanation in explanations]
    legend = TURNS_LEGEND if any(each.parts_are == "turns" for each in explanations) else LEGEND
    template = environment().get_template("explanations.html.jinja")
    return template.render(rows=rows, run=run, source=source, legend=legend)
