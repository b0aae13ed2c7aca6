"""What scoring needs of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from nlpkit.tasks.answers.family import ColumnType
from nlpkit.tasks.prediction import Prediction


class ScoringModel(Protocol):
    """What is known of a model, wherever it computes."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer, but for the budget."""

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that its predictions fill, with their types."""


class Predictor(ScoringModel, Protocol):
    """A model in this process; Classifier is one."""

    def predict(self, texts: Sequence[Any]) -> list[Prediction]:
        """Return one prediction for each text or turn; the same list gives the same predictions."""


@runtime_checkable
class Tunable(Protocol):
    """A model whose speed on this machine depends on a number, which also decides the last bits of its
    answers.
    """

    budget: int
    """Max tokens per batch."""

    def tune(self, texts: Sequence[Any]) -> int:
        """Return the budget that is fastest for such texts, which the model has from now on."""
