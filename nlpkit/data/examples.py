"""Typed rows: what a task has made of a record. An example that exists is valid; nobody checks again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant"]


GRID = 4
"""Cells of a picture on each side: what an explanation hides one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that stands with a text, as its file holds it. Equal pictures get equal answers."""

    content: bytes = field(repr=False)
    """A JPEG, PNG, WebP, GIF or BMP file."""
    hidden: frozenset[int] = frozenset()
    """Cells that a model sees as plain gray, numbered row by row from 0 to GRID * GRID - 1."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledText:
    """A labeled text: its label, or its value with the standard deviation of the ratings behind it."""

    text: str
    about: str = ""
    """The aspect that the label is about; empty where it is about the whole text."""
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
    annotations: tuple[str | float, ...] = ()
    """What several people answered, where that is known."""
    picture: Picture | None = None
    """The picture that stands with it; the text may then be empty."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its label, where it has one."""
        return (self.label,) if self.label else ()

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that it holds, which checks compare by size: its value, where it has one."""
        return tuple(number for number in (self.value,) if number is not None)

    @property
    def full_text(self) -> str:
        """All that a model reads of it: the text, its aspect if it has one, and the hash of its picture."""
        seen = (self.picture.sha256,) if self.picture else ()
        return "\n".join((*((self.about,) if self.about else ()), self.text, *seen))


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
    picture: Picture | None = None
    """The picture that stands with it; the text may then be empty."""

    @property
    def label(self) -> str:
        """The labels in words."""
        return in_words(self.labels)

    @property
    def numbers(self) -> tuple[float, ...]:
        """No numbers."""
        return ()

    @property
    def full_text(self) -> str:
        """All that a model reads of it: the text, and the hash of its picture."""
        return f"{self.text}\n{self.picture.sha256}" if self.picture else self.text


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Span:
    """A part of a text: the characters from `start` up to, without, `end`."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What is spoken of, what is said of it, and how that is meant."""

    aspect: Span
    opinion: Span | None
    """None where only the aspect is marked."""
    polarity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpinionText:
    """A text with the opinions in it: none, one or several, each named once."""

    text: str
    opinions: tuple[Opinion, ...]
    weight: float = 1.0
    """How much this example counts in the loss."""
    group: str = ""
    """Whose scores a report shows by themselves, such as a language: the value of the column that
    `by` names."""
    where: str = ""
    """The file and the row that it came from, for messages."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The polarities of its opinions, each once."""
        return tuple(dict.fromkeys(opinion.polarity for opinion in self.opinions))

    @property
    def label(self) -> str:
        """The polarities in words."""
        return in_words(self.labels)

    @property
    def numbers(self) -> tuple[float, ...]:
        """No numbers."""
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenTurn:
    """What one of any number of speakers said."""

    speaker: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LabeledTurn:
    """A turn of a conversation with its label, who speaks, and the turns before it, oldest first."""

    text: str
    label: str
    speaker: str
    context: tuple[SpokenTurn, ...] = ()
    conversation: str = ""
    """Equal for all turns of one conversation, so that a split keeps them on one side."""
    weight: float = 1.0
    where: str = ""
    """The file and the row that it came from, for messages."""
    group: str = ""
    """Whose scores a report shows by themselves; empty where it shows no groups."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its label."""
        return (self.label,)

    @property
    def numbers(self) -> tuple[float, ...]:
        """No numbers."""
        return ()

    @property
    def full_text(self) -> str:
        """All that a model reads of it: the turns before it, and its own text."""
        return "\n".join((*(turn.text for turn in self.context), self.text))


TextExample: TypeAlias = LabeledText | LabelSetText | LabeledTurn | OpinionText
"""A text with its answer, as checks of data see it."""


BETWEEN = ", "
"""What stands between labels; no label holds a comma."""


def in_words(labels: Iterable[str]) -> str:
    """Return labels as a file and a page show them, such as "joy, love"; empty where none applies."""
    return BETWEEN.join(labels)


def from_words(words: str) -> list[str]:
    """Return the labels that `in_words` wrote."""
    return words.split(BETWEEN) if words else []


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
    context: tuple[SpokenTurn, ...] = ()
    """The turns before it, oldest first."""
    speaker: str = ""
    about: str = ""
    """The aspect that is asked about; empty where the whole text is."""
    group: str = ""
    """The group whose promise holds for it, such as its language. Models don't read it."""
    picture: Picture | None = None
    """The picture that stands with it, for a model that reads pictures; the text may then be empty."""


TURN, ABOUT, PICTURE = "turn", "about", "picture_sha256"
"""The columns of `input_columns`."""
GROUP = "group"
"""The column that holds the group of a row, next to a run's answers to its held-out rows."""


def input_columns(given: TextInput) -> dict[str, str]:
    """Return the columns of a table that hold what is read with the text: who speaks and the turns before,
    as JSON, the aspect, and the hash of the picture.
    """
    before = [[turn.speaker, turn.text] for turn in given.context]
    is_turn = bool(before or given.speaker)
    turn = {TURN: json.dumps([given.speaker, before], ensure_ascii=False)} if is_turn else {}
    seen = {PICTURE: given.picture.sha256} if given.picture else {}
    return turn | ({ABOUT: given.about} if given.about else {}) | seen


def input_in(row: Mapping[str, str]) -> TextInput:
    """Return the input that a row of a table holds: its text, and what `input_columns` wrote, if anything."""
    speaker, before = json.loads(row[TURN]) if row.get(TURN) else ("", [])
    turns = tuple(SpokenTurn(speaker=name, text=text) for name, text in before)
    return TextInput(text=row["text"], context=turns, speaker=speaker, about=row.get(ABOUT) or "")


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
