"""What scoring needs of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from nlpkit.tasks.answers.family import ColumnType


class ScoringModel(Protocol):
    """What is known of a model, wherever it computes."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer, but for the budget."""

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that its predictions fill, with their types."""


class Answer(Protocol):
    """What a model says of a text; Prediction is one."""

    @property
    def partial(self) -> bool:
        """Whether not all of the text was read."""

    @property
    def is_unreadable(self) -> bool:
        """Whether so much of the text is unknown to the model that the answer means little."""

    @property
    def is_abstention(self) -> bool:
        """Whether no label is given, as the model is too uncertain."""

    def row(self) -> Mapping[str, Any]:
        """Return the output columns, by name."""


class Predictor(ScoringModel, Protocol):
    """A model in this process; Classifier is one."""

    def predict(self, texts: Sequence[Any]) -> Sequence[Answer]:
        """Return one answer for each text or turn; the same list gives the same answers."""


@runtime_checkable
class Tunable(Protocol):
    """A model whose speed on this machine depends on a number, which also decides the last bits of its
    answers.
    """

    budget: int
    """Max tokens per batch."""

    def tune(self, texts: Sequence[Any]) -> int:
        """Return the budget that is fastest for such texts, which the model has from now on."""
