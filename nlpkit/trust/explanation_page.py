"""Explanations as one self-contained page: signs and lines show what colors show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlpkit.reports.html import environment
from nlpkit.trust.explanation import Explanation, Word

LEAST = 0.1
"""A word is marked whose weight is at least this part of the largest."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a text: a word with its mark, or what stands between words."""

    text: str
    kind: str = ""
    """`for` or `against` the claim, `unread`, or empty."""
    weight: str = ""
    """The weight of a marked word, with its sign."""
    strength: int = 0
    """From 0 to 100."""


def pieces_of(explanation: Explanation) -> list[Piece]:
    """Cut a text into its words and what stands between them."""
    text, at = explanation.text, 0
    largest = max((abs(word.weight) for word in explanation.by_weight if word.weight), default=1.0)
    pieces: list[Piece] = []
    for word in explanation.words:
        if text[at : word.start]:
            pieces.append(Piece(text=text[at : word.start]))
        pieces.append(_marked(word, largest))
        at = word.end
    return [*pieces, Piece(text=text[at:])] if text[at:] else pieces


def _marked(word: Word, largest: float) -> Piece:
    if word.weight is None:
        return Piece(text=word.text, kind="unread", weight="not read")
    if abs(word.weight) < LEAST * largest:
        return Piece(text=word.text)
    return Piece(
        text=word.text,
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
    rows = [(explanation, pieces_of(explanation)) for explanation in explanations]
    template = environment().get_template("explanations.html.jinja")
    return template.render(rows=rows, run=run, source=source)
