"""What can be left out of a text, and of the picture that stands with it: words, and cells of the picture.

A picture is drawn below its text as rows of signs, one a cell, so that whatever marks the words of a text
marks the cells of its picture too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeAlias

from nlpkit.data.examples import GRID, Span, TextInput
from nlpkit.trust.words import without

Asked: TypeAlias = str | TextInput
"""A text, or a text with a picture."""

SEEN, HIDDEN = "\u25a6", "\u25a1"
"""The signs of a cell."""

CELLS = GRID * GRID


def plain_text(given: Asked) -> str:
    """Return the text alone."""
    return given if isinstance(given, str) else given.text


def has_picture(given: Asked) -> bool:
    """Return whether there is a picture with it."""
    return not isinstance(given, str) and given.picture is not None


def shown_text(given: Asked) -> str:
    """Return the text, with its picture drawn below it."""
    if isinstance(given, str) or given.picture is None:
        return plain_text(given)
    signs = [HIDDEN if cell in given.picture.hidden else SEEN for cell in range(CELLS)]
    rows = [" ".join(signs[start : start + GRID]) for start in range(0, CELLS, GRID)]
    return "\n".join((given.text, *rows))


def cells_of(given: Asked) -> list[Span]:
    """Return where the cells of the picture stand in `shown_text`; none where there is no picture."""
    if not has_picture(given):
        return []
    first = len(plain_text(given)) + 1
    return [Span(start=first + 2 * cell, end=first + 2 * cell + 1) for cell in range(CELLS)]


def cell_name(cell: int) -> str:
    """Return what lists call a cell."""
    row, column = divmod(cell, GRID)
    return f"picture, row {row + 1}, column {column + 1}"


def left_of(given: Asked, parts: Sequence[Span], removed: Collection[int]) -> Asked:
    """Return what is left without some of the parts: the words of a text, then the cells of its picture."""
    if isinstance(given, str) or given.picture is None:
        return without(plain_text(given), parts, removed)
    words = len(parts) - CELLS
    hidden = frozenset(number - words for number in removed if number >= words)
    text = without(given.text, parts[:words], {number for number in removed if number < words})
    return replace(given, text=text, picture=replace(given.picture, hidden=hidden))
