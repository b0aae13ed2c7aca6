"""What a check of data finds: counts of each part, and findings with rows to look at."""

from __future__ import annotations

import unicodedata
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["error", "warning", "info"]
GRAVEST_FIRST: tuple[Severity, ...] = ("error", "warning", "info")
SHOWN = 160
"""Characters of a text that a report shows."""


class Frozen(BaseModel):
    """A part of a report that cannot be changed."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class Lengths(Frozen):
    """How long texts are, in tokens or words."""

    mean: float
    percentiles: dict[str, float]
    """`p5`, `p50`, `p95`, `p99` and `max`."""
    over_window: float | None
    """Share of texts longer than the model's window; None where no window was given."""
    histogram: tuple[int, ...]
    """Texts in each bin of the report's `edges`; the last bin holds all longer ones too."""


class DialogueCounts(Frozen):
    """What conversations hold."""

    turns: int
    """Messages of one side in a row count as one turn."""
    replies: int
    """Turns of the side that is learned."""
    speakers: dict[str, int]
    """How many messages each speaker has, by the name or the role in the file."""


class PartCounts(Frozen):
    """One of train, validation, test."""

    rows: int
    """Rows, or conversations."""
    labels: dict[str, int]
    values: dict[str, float] | None
    """`min`, `mean` and `max` of the values, for an intensity."""
    lengths: Lengths | None
    dialogue: DialogueCounts | None = None
    """Of conversations."""


class Excerpt(Frozen):
    """A row to look at: its text cut, cleaned of control characters, personal data masked."""

    part: str
    where: str
    text: str
    note: str = ""


class Finding(Frozen):
    """Something to know before training, and what to do about it."""

    kind: str
    severity: Severity
    part: str
    """The part it is about, or two of them ("train, test")."""
    rows: int
    message: str
    hint: str
    examples: tuple[Excerpt, ...] = ()


def shown(text: str, width: int = SHOWN) -> str:
    """Return the text on one line, cut to `width`, without what could drive a terminal or reverse the
    writing.
    """
    line = " ".join("".join(map(_harmless, text[: 4 * width])).split())
    return line if len(line) <= width and len(text) <= 4 * width else line[: width - 3].rstrip() + "..."


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs"):  # control characters and halves of surrogate pairs leave a trace
        return " " if character.isspace() else "\ufffd"
    return "" if category[0] == "C" else character  # bidi overrides, zero-width, private and unassigned


def cells(example: Excerpt) -> tuple[str, ...]:
    """List what is shown of an example: where it is, a note, its text."""
    return tuple(cell for cell in (example.where or example.part, example.note, example.text) if cell)
