"""Polarity: one label out of two, three, five stars, or any other set."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings.data import LabelSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.calibrator import Calibrator
from nlpkit.tasks.label_names import TwoOrMore, known_label, label_of, labels_in
from nlpkit.tasks.numbers import number_of, weight_of
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.text_settings import TextSettings

NEGATIVE_TO_POSITIVE = (
    ("negative", "neutral", "positive"),
    ("negative", "positive"),
    ("neg", "neu", "pos"),
    ("neg", "pos"),
)
"""Sets of labels whose order from negative to positive is known."""


class Polarity(TextSettings):
    """One label a text. `labels` run from the most negative to the most positive; left out, they are found
    in the data.
    """

    kind: Literal["polarity"] = "polarity"
    labels: TwoOrMore = ()
    ordered: bool = True
    """Whether the labels lie on a line; only then a signed score exists."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False, exclude_if=lambda value: value == 1.0)] = (
        1.0
    )
    """Divides the logits, so that probabilities are right as often as they say: fitted after the training."""

    calibrator: Annotated[Calibrator | None, Field(exclude_if=lambda value: value is None)] = None
    """What is done to the logits beyond that: fitted after the training, where it is of use."""

    turns: ClassVar[int | None] = None
    source_settings: ClassVar[type[LabelSource]] = LabelSource
    training_settings: ClassVar[type[ClassifierTraining]] = ClassifierTraining

    @property
    def family(self) -> OneLabel:
        """One label a text."""
        return OneLabel(
            labels=self.labels,
            ordered=self.ordered,
            temperature=self.temperature,
            calibrator=self.calibrator,
        )

    def parse(self, record: Record, source: LabelSource) -> LabeledText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text or label, or a label that the task does not know, with
                file and row.
        """
        text = text_of(record, source.text)
        label = label_or_bin(record, source, self.labels)
        return LabeledText(
            text=text,
            label=label,
            weight=weight_of(record, source.weight),
            where=record.where,
            annotations=annotated_labels(record, source, self.labels),
        )

    def read(self, path: Path, source: LabelSource) -> Reading[LabeledText]:
        """Read the examples of a file or folder."""
        return read_rows(self, path, source, labeled_columns(source))

    def fit(self, examples: Sequence[LabeledText]) -> Self:
        """Return the task with its labels: those of the config, or those that the data holds."""
        if self.labels:
            return self
        labels, ordered = in_order(labels_in(examples))
        return self.model_copy(update={"labels": labels, "ordered": ordered})


def label_or_bin(record: Record, source: LabelSource, labels: Sequence[str]) -> str:
    """Return the label that a record holds, or that its number falls into.

    Raises:
        DataError: the label is empty, or the task does not know it; or the cut points do not fit the labels.
    """
    if not source.bins:
        return known_label(label_of(record, source), labels, record.where, source.label)
    if len(source.bins) != len(labels) - 1:
        raise DataError(
            f"{source.source}: {len(source.bins)} cut points in `bins` for {len(labels)} labels; "
            "expected one fewer than labels, and the labels in the config"
        )
    return labels[bisect.bisect_left(source.bins, number_of(record, source.label))]


def labeled_columns(source: LabelSource) -> dict[str | None, str]:
    """Return the columns that a file of labeled rows must have, by their keys."""
    columns: dict[str | None, str] = {source.text: "text", source.label: "label", source.weight: "weight"}
    return columns | dict.fromkeys(source.annotators, "annotators")


def in_order(labels: Collection[str]) -> tuple[tuple[str, ...], bool]:
    """Return labels from the most negative to the most positive, and whether that order is known.

    Raises:
        DataError: there are fewer than two.
    """
    if len(labels) < 2:
        raise DataError(
            f"the training rows hold only the label {', '.join(map(repr, labels))}; expected at least two"
        )
    for known in NEGATIVE_TO_POSITIVE:
        if len(labels) == len(known) and all(label.casefold() in known for label in labels):
            return tuple(sorted(labels, key=lambda label: known.index(label.casefold()))), True
    if all(label.lstrip("-").replace(".", "", 1).isdecimal() for label in labels):  # stars
        return tuple(sorted(labels, key=float)), True
    return tuple(sorted(labels)), False
