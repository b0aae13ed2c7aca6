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
    def kind(self) -> str: ...  # noqa: D102
    @property
    def outputs(self) -> int: ...  # noqa: D102
    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def id2label(self) -> dict[int, str]: ...  # noqa: D102
    def parse(self, record: Record, source: DataSource) -> LabeledText: ...  # noqa: D102
    def fitted(self, examples: Sequence[LabeledText]) -> Task: ...  # noqa: D102
    def target(self, example: LabeledText) -> list[float]: ...  # noqa: D102
    def decode(self, logits: np.ndarray, temperature: float) -> list[Prediction]: ...  # noqa: D102
    def model_dump(self, *, mode: str = ...) -> dict[str, Any]: ...  # noqa: D102


TASKS: Mapping[str, type[Polarity] | type[Intensity]] = {"polarity": Polarity, "intensity": Intensity}


def task_from(tree: Mapping[str, Any]) -> Polarity | Intensity:
    """The task that a run recorded.

    Raises:
        RunError: this nlpkit does not know the task.
    """
    kind = str(tree.get("kind"))
    if kind not in TASKS:
        raise RunError(f"task {kind!r} is unknown to this nlpkit{nearest(kind, TASKS)}")
    return TASKS[kind].model_validate(tree)
