"""Typed rows: what a task has made of a record. An example that exists is valid; nobody checks again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledText:
    """A text and what people said of it: a label, or a value with the spread of the ratings behind it."""

    text: str
    label: str | None = None
    value: float | None = None
    spread: float | None = None
    weight: float = 1.0
    """How much this example counts in the loss, such as the annotators' confidence."""
    where: str = ""
    """The file and the row that it came from, for messages."""
