"""What is shown of any explanation: of a text with its words, or of a reply with the turns before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar


class ExplainedPart(Protocol):
    """A word or a turn, and what it adds."""

    @property
    def start(self) -> int:
        """Its first character in what is shown."""

    @property
    def end(self) -> int:
        """The character after its last one."""

    @property
    def shown(self) -> str:
        """What lists call it."""

    @property
    def detail(self) -> str:
        """What else lists say of its weight."""

    @property
    def weight(self) -> float | None:
        """What it adds; None where the model did not read it."""


class Explained(Protocol):
    """An explanation of an answer or of a reply."""

    @property
    def text(self) -> str:
        """What is shown with marks on its parts."""

    @property
    def headline(self) -> str:
        """What is explained."""

    @property
    def facts(self) -> str:
        """What is known of it, in a line."""

    @property
    def parts_are(self) -> str:
        """`words` or `turns`."""

    @property
    def parts(self) -> Sequence[ExplainedPart]:
        """All parts in their order."""

    @property
    def by_weight(self) -> Sequence[ExplainedPart]:
        """Those that add or take something, the heaviest first."""

    def notes(self) -> list[str]:
        """Return what a reader must know first."""

    def findings(self) -> list[str]:
        """Return what was found out."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""


AnyPart = TypeVar("AnyPart", bound=ExplainedPart)


def heaviest_first(parts: Sequence[AnyPart]) -> list[AnyPart]:
    """Return the parts that add or take something, those that do most first."""
    return sorted((part for part in parts if part.weight), key=lambda part: -abs(float(part.weight or 0)))
