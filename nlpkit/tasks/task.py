"""What every task can do, and the table of those that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record
from nlpkit.errors import RunError, nearest
from nlpkit.settings import DataSource
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np


class Task(Protocol):
    """Parse a record, set the target of an example, decode an answer, name the metric and the columns."""

    @property
    def kind(self) -> str: ...
    @property
    def outputs(self) -> int: ...
    @property
    def metric(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def id2label(self) -> dict[int, str]: ...
    def parse(self, record: Record, source: DataSource) -> LabeledText: ...
    def fitted(self, examples: Sequence[LabeledText]) -> Task: ...
    def target(self, example: LabeledText) -> list[float]: ...
    def decode(self, logits: np.ndarray, temperature: float) -> list[Prediction]: ...
    def model_dump(self, *, mode: str = ...) -> dict[str, Any]: ...


TASKS: Mapping[str, type[Polarity] | type[Intensity]] = {"polarity": Polarity, "intensity": Intensity}


def task_from(tree: Mapping[str, Any]) -> Polarity | Intensity:
    """The task that a run recorded.

    Raises:
        RunError: this nlpkit does not know the task.
    """
    kind = str(tree.get("kind"))
    if kind == "dialogue":
        raise RunError("this is a dialogue run, which has no labels; expected a sentiment run")
    if kind not in TASKS:
        raise RunError(f"task {kind!r} is unknown to this nlpkit{nearest(kind, TASKS)}")
    return TASKS[kind].model_validate(tree)
