"""Intents: what a person wants, as one of many labels, or nothing that any of the labels stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings.data import LabelSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.label_names import Names, known_label, label_of, labels_in
from nlpkit.tasks.numbers import weight_of
from nlpkit.tasks.polarity import labeled_columns
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.scope import Scope
from nlpkit.tasks.text_settings import TextSettings


class Intents(TextSettings):
    """One label a text, or `outside`. `labels` left out are found in the data."""

    kind: Literal["intents"] = "intents"
    labels: Names = ()
    outside: Annotated[str, Field(min_length=1)] = "out of scope"
    """What rows are called that belong to no label, in data and answers. The data need not have any."""
    false_alarms: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """The share of texts with a label that may be taken for outside."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Divides the logits, so that probabilities are right as often as they say: fitted after the training."""
    learns_outside: bool = False
    """Whether the training rows hold texts outside: found in the data."""
    scope: Scope | None = None
    """How texts outside are recognized: fitted after the training."""

    turns: ClassVar[int | None] = None
    source_settings: ClassVar[type[LabelSource]] = LabelSource
    training_settings: ClassVar[type[ClassifierTraining]] = ClassifierTraining

    @model_validator(mode="after")
    def _distinct(self) -> Intents:
        names = (*self.labels, self.outside)
        if len(set(names)) < len(names) or len(self.labels) == 1:
            raise ValueError(
                f"expected at least two labels, each named once and none {self.outside!r}, "
                f"found {list(self.labels)}"
            )
        return self

    @property
    def family(self) -> OneLabel:
        """One label a text, or none."""
        return OneLabel(
            labels=self.labels,
            ordered=False,
            temperature=self.temperature,
            outside=self.outside,
            learns_outside=self.learns_outside,
            false_alarms=self.false_alarms,
            scope=self.scope,
        )

    def parse(self, record: Record, source: LabelSource) -> LabeledText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text or label, or a label that the task does not know, with
                file and row.
        """
        text = text_of(record, source.text)
        label = label_of(record, source)
        known = (*self.labels, self.outside) if self.labels else ()
        known_label(label, known, record.where, source.label)
        return LabeledText(
            text=text,
            label=label,
            weight=weight_of(record, source.weight),
            where=record.where,
            annotations=annotated_labels(record, source, known),
        )

    def read(self, path: Path, source: LabelSource) -> Reading[LabeledText]:
        """Read the examples of a file or folder."""
        return read_rows(self, path, source, labeled_columns(source))

    def fit(self, examples: Sequence[LabeledText]) -> Intents:
        """Return the task with its labels, and whether texts outside are learned."""
        names = labels_in(examples)
        if not self.labels and len(names - {self.outside}) < 2:
            raise DataError(
                f"the training rows hold the labels {', '.join(map(repr, sorted(names)))}; expected at least "
                f"two besides {self.outside!r}"
            )
        labels = self.labels or tuple(sorted(names - {self.outside}))
        return self.model_copy(update={"labels": labels, "learns_outside": self.outside in names})
