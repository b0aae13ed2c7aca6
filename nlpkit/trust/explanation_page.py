"""Explanations as one self-contained page: signs and lines show what colors show."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.reports.html import environment
from nlpkit.reports.sections import Mark
from nlpkit.trust.explanation import Explanation, Word

LEAST = 0.1
"""A word is marked whose weight is at least this part of the largest."""

LEGEND = (
    "+ and a solid line: the word speaks for the label, or raises the number. "
    "\u2212 and a dashed line: it speaks against it, or lowers it. "
    "The value behind a word is what it adds, in log-odds of the label or in units of the number."
)
"""What the marks mean."""


def marks_of(explanation: Explanation) -> tuple[Mark, ...]:
    """Return the marks of the words that count, and of those that were not read."""
    largest = max((abs(word.weight) for word in explanation.by_weight if word.weight), default=1.0)
    marks = (_mark(word, largest) for word in explanation.words)
    return tuple(mark for mark in marks if mark is not None)


def _mark(word: Word, largest: float) -> Mark | None:
    if word.weight is None:
        return Mark(start=word.start, end=word.end, name="effect", kind="unread", weight="not read")
    if abs(word.weight) < LEAST * largest:
        return None
    return Mark(
        start=word.start,
        end=word.end,
        name="effect",
        kind="for" if word.weight > 0 else "against",
        weight=f"{word.weight:+.2f}".replace("-", "\u2212"),
        strength=round(100 * abs(word.weight) / largest),
    )


def to_page(explanations: Sequence[Explanation], *, run: str, source: str) -> str:
    """Return the page, whole: its style is inside it.

    Args:
        explanations: what is shown.
        run: the name of the run that answers.
        source: the name of the file; empty for texts.
    """
    rows = [(explanation, marks_of(explanation)) for explanation in explanations]
    template = environment().get_template("explanations.html.jinja")
    return template.render(rows=rows, run=run, source=source, legend=LEGEND)
