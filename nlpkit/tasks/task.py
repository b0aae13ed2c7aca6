"""What every task can do, and the table of those that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeAlias, Union

from pydantic import Field, ValidationError

from nlpkit.data.examples import TextInput
from nlpkit.data.records import Record
from nlpkit.errors import RunError, nearest
from nlpkit.tasks.answers.family import ClassifierFamily, Family, Head
from nlpkit.tasks.aspect_polarity import AspectPolarity
from nlpkit.tasks.aspects import Aspects
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.emotions import Emotions
from nlpkit.tasks.encoding import Encoded, Tokenizer
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.intents import Intents
from nlpkit.tasks.pictures import PictureEmotions, PicturePolarity
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.reading import Reading
from nlpkit.tasks.turn_emotions import TurnEmotions

if TYPE_CHECKING:
    import numpy as np


class Task(Protocol):
    """What a row means. All that is fitted to data is a field of the task, which run.json stores."""

    source_settings: ClassVar[Any]
    """What a data source of this task may hold, as a pydantic model."""
    training_settings: ClassVar[Any]
    """What its training may hold."""

    @property
    def kind(self) -> str: ...
    @property
    def family(self) -> Family: ...
    def read(self, path: Path, source: Any) -> Reading[Any]:
        """Read the examples of a file or folder."""

    def fit(self, examples: Sequence[Any]) -> Self:
        """Return the task with what it takes from the training rows, such as its labels."""

    def model_dump(self, *, mode: str = ...) -> dict[str, Any]: ...
    @classmethod
    def model_validate(cls, obj: Any) -> Self: ...


class TextTask(Task, Protocol):
    """A task that a classifier answers: a head on a base that reads inputs."""

    @property
    def family(self) -> ClassifierFamily: ...
    @property
    def head(self) -> Head: ...
    @property
    def turns(self) -> int | None:
        """How many turns before a turn it reads at most; None where it reads texts, not turns."""

    @property
    def reads_aspects(self) -> bool:
        """Whether it is asked about an aspect that is given with each text."""

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads the picture that stands with a text."""

    def parse(self, record: Record, source: Any) -> Any:
        """Return the example that a record holds."""

    def input(self, example: Any) -> TextInput:
        """Return what the model reads of an example: what is encoded, split by, and computed once where it
        is equal.
        """

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode inputs in windows of at most `max_tokens`."""

    def calibrate(self, logits: np.ndarray, examples: Sequence[Any], encoded: Sequence[Encoded]) -> Self:
        """Return the task with what it fits to held-out logits, such as its temperature."""

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded]) -> list[Prediction]:
        """Return the answers that outputs stand for: (inputs, head.outputs), or of a head for tokens (tokens
        of all windows, head.outputs).
        """


TEXT_TASKS: Mapping[str, type[TextTask]] = MappingProxyType(
    {
        "polarity": Polarity,
        "intensity": Intensity,
        "emotions": Emotions,
        "intents": Intents,
        "turn_emotions": TurnEmotions,
        "aspects": Aspects,
        "aspect_polarity": AspectPolarity,
        "picture_polarity": PicturePolarity,
        "picture_emotions": PictureEmotions,
    }
)
"""The tasks of classifiers. A new task is a module and its row here."""

TASKS: Mapping[str, type[Task]] = MappingProxyType({**TEXT_TASKS, "dialogue": Dialogue})

if TYPE_CHECKING:
    TextTaskSettings: TypeAlias = TextTask
    PictureTaskSettings: TypeAlias = TextTask
else:
    _OF_TEXTS, _OF_PICTURES = (
        tuple(task for task in TEXT_TASKS.values() if task.reads_pictures == reads) for reads in (False, True)
    )
    TextTaskSettings = Annotated[Union[_OF_TEXTS], Field(discriminator="kind")]  # noqa: UP007
    PictureTaskSettings = Annotated[Union[_OF_PICTURES], Field(discriminator="kind")]  # noqa: UP007
"""A task of texts, or of posts with pictures, as a config holds it: `kind` names its row in the table."""


ADAPTATION = "adaptation"
"""What stands in place of a task in the record of a run of the recipe adapt."""


def task_from(tree: Mapping[str, Any]) -> Task:
    """Return the task that a run recorded.

    Raises:
        RunError: this nlpkit does not know the task, or not all that it holds.
    """
    kind = str(tree.get("kind"))
    if kind == ADAPTATION:
        raise RunError(
            "this run holds an adapted base, which answers nothing by itself; "
            "hint: train on it, with the run's folder as base.source"
        )
    if kind not in TASKS:
        raise RunError(
            f"the run's task {kind!r} is unknown to this nlpkit{nearest(kind, TASKS)}; "
            "hint: pip install --upgrade nlpkit"
        )
    try:
        return TASKS[kind].model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise RunError(
                f"the run's task {kind!r} holds {field!r}, which this nlpkit does not know: "
                "a newer version made it; hint: pip install --upgrade nlpkit"
            ) from None
        raise RunError(f"the run's task {kind!r} is damaged: {field}: {first['msg']}") from None


def chat_task_from(tree: Mapping[str, Any]) -> Dialogue:
    """Return the task of a chat model's run.

    Raises:
        RunError: the run is one of a classifier, or its task is unknown.
    """
    task = task_from(tree)
    if not isinstance(task, Dialogue):
        raise RunError(f"a run of the task {task.kind!r}; expected a dialogue run")
    return task


def text_task_from(tree: Mapping[str, Any]) -> TextTask:
    """Return the task of a classifier's run.

    Raises:
        RunError: the run is one of a chat model, or its task is unknown.
    """
    task = task_from(tree)
    if task.kind not in TEXT_TASKS:
        raise RunError(f"this is a {task.kind} run, which has no labels; expected a sentiment run")
    return task  # type: ignore[return-value]  # a row of TEXT_TASKS
