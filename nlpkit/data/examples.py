"""Typed rows: what a task has made of a record. An example that exists is valid; nobody checks again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledText:
    """A labeled text: its label, or its value with the standard deviation of the ratings behind it."""

    text: str
    label: str | None = None
    value: float | None = None
    spread: float | None = None
    weight: float = 1.0
    """How much this example counts in the loss, such as the annotators' confidence."""
    group: str = ""
    """Whose scores a report shows by themselves, such as a language: the value of the column that
    `by` names."""
    where: str = ""
    """The file and the row that it came from, for messages."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its label, where it has one."""
        return (self.label,) if self.label else ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that it holds, which checks compare by size: its value, where it has one."""
        return tuple(number for number in (self.value,) if number is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSetText:
    """A text with all labels that apply to it: none, one or several, each named once."""

    text: str
    labels: tuple[str, ...]
    weight: float = 1.0
    """How much this example counts in the loss."""
    group: str = ""
    """Whose scores a report shows by themselves, such as a language: the value of the column that
    `by` names."""
    where: str = ""
    """The file and the row that it came from, for messages."""

    @property
    def label(self) -> str:
        """The labels in words."""
        return in_words(self.labels)

    @property
    def numbers(self) -> tuple[float, ...]:
        """No numbers."""
        return ()


TextExample: TypeAlias = LabeledText | LabelSetText
"""A text with its answer, as checks of data see it."""


def in_words(labels: Iterable[str]) -> str:
    """Return labels as a file and a page show them, such as "joy, love"; empty where none applies."""
    return ", ".join(labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one side said before the other spoke: `assistant` is the side that the model learns."""

    role: Role
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TextInput:
    """What a classifier reads: a text, or a turn with what was said before it and by whom. Equal inputs get
    equal answers.
    """

    text: str
    context: tuple[Turn, ...] = ()
    """The turns before it, oldest first."""
    speaker: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Turns of two sides that take each other's place, either of which may begin; no turn is empty."""

    turns: tuple[Turn, ...]
    system: str = ""
    """The system prompt: instructions, a persona, a topic."""
    id: str = ""
    """Equal for all parts and views of one conversation, so that a split keeps them on one side."""
    where: str = ""
    """The file and the row that it came from, for messages."""
