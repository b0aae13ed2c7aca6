"""What scoring needs of a model, and of many copies of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    from nlpkit.scoring.chunks import ChunkPlan
    from nlpkit.scoring.journal import Chunk


class ScoringModel(Protocol):
    """What is known of a model, wherever it computes."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change an answer, but for the budget."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that its predictions fill."""


class Predictor(ScoringModel, Protocol):
    """A model in this process; Classifier is one."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction for each text; the same list gives the same predictions."""


@runtime_checkable
class Tunable(Protocol):
    """A model whose speed on this machine depends on a number, which also decides the last bits of its answers."""

    budget: int
    """Tokens that are computed together."""

    def tune(self, texts: Sequence[str]) -> int:
        """The budget that is fastest for such texts, which it has from now on."""


@runtime_checkable
class Fleet(ScoringModel, Protocol):
    """Copies of a model in other processes, which score chunks for this one."""

    def plan(self, parts: Sequence[tuple[ChunkPlan, int]]) -> None:
        """Take note of what will be asked for, one after the other: each work, and how many records of it are done."""

    def chunks(self, work: ChunkPlan, *, done: int, budget: int | None) -> Generator[Chunk]:
        """The chunks after the first `done` records, in order."""
