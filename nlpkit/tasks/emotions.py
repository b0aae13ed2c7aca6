"""Emotions: all labels that apply to a text, such as joy and surprise, or none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator

from nlpkit.data.examples import LabelSetText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings.data import LabelSetSource
from nlpkit.settings.training import LabelSetTraining
from nlpkit.tasks.answers.label_set import LabelSet
from nlpkit.tasks.label_names import Names, known_label, label_list, labels_in
from nlpkit.tasks.numbers import weight_of
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.text_settings import TextSettings


class Emotions(TextSettings):
    """Any number of labels a text. `labels` left out are found in the data."""

    kind: Literal["emotions"] = "emotions"
    labels: Names = ()
    precision: Annotated[float, Field(gt=0, le=1)] | None = None
    """Give a label only from the probability on at which so large a share of the given ones is right;
    default: the probability that gives the highest F1."""
    slope: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """With `offset`, turns outputs into probabilities that are right as often as they say: fitted after the
    training."""
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...] = ()
    """The probability above which each label is given: chosen after the training."""

    turns: ClassVar[int | None] = None
    source_settings: ClassVar[type[LabelSetSource]] = LabelSetSource
    training_settings: ClassVar[type[LabelSetTraining]] = LabelSetTraining

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError(f"expected each label named once, found {list(labels)}")
        if comma := next((label for label in labels if "," in label), None):
            raise ValueError(f"the label {comma!r} holds a comma, which stands between labels")
        return labels

    @property
    def family(self) -> LabelSet:
        """Several labels a text."""
        return LabelSet(
            labels=self.labels,
            slope=self.slope,
            offset=self.offset,
            thresholds=self.thresholds,
            precision=self.precision,
        )

    def parse(self, record: Record, source: LabelSetSource) -> LabelSetText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text, no list of labels, or a label that the task does not
                know, with file and row.
        """
        names = [source.labels.get(label, label) for label in label_list(record, source)]
        for label in names:
            known_label(label, self.labels, record.where, source.label)
        return LabelSetText(
            text=text_of(record, source.text),
            labels=tuple(dict.fromkeys(names)),
            weight=weight_of(record, source.weight),
            where=record.where,
        )

    def read(self, path: Path, source: LabelSetSource) -> Reading[LabelSetText]:
        """Read the examples of a file or folder."""
        return read_rows(self, path, source, self.columns(source))

    def columns(self, source: LabelSetSource) -> dict[str | None, str]:
        """Return the columns that a file must have, by their keys."""
        columns: dict[str | None, str] = {source.text: "text", source.weight: "weight"}
        return columns | (dict.fromkeys(source.label_columns, "label_columns") or {source.label: "label"})

    def fit(self, examples: Sequence[LabelSetText]) -> Self:
        """Return the task with its labels: those of the config, or those that the data holds."""
        if self.labels:
            return self
        labels = labels_in(examples)
        if not labels:
            raise DataError("the training rows hold no label; expected at least one")
        if comma := next((label for label in sorted(labels) if "," in label), None):
            raise DataError(
                f"the label {comma!r} holds a comma, which stands between labels in a scored file; "
                "hint: give it another name with `labels:` below the source in the config"
            )
        return self.model_copy(update={"labels": tuple(sorted(labels))})
