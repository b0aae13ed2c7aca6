"""Polarity: one label out of two, three, five stars, or any other set."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError, nearest
from nlpkit.settings import DataSource, Settings
from nlpkit.tasks.numbers import number_of, weight_of
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np

NEGATIVE_TO_POSITIVE = (
    ("negative", "neutral", "positive"),
    ("negative", "positive"),
    ("neg", "neu", "pos"),
    ("neg", "pos"),
)
"""Sets of names whose order from negative to positive is known without being told."""


def _strings(value: Any) -> Any:
    return tuple(str(one) for one in value) if isinstance(value, (list, tuple)) else value


class Polarity(Settings):
    """One label a text. `labels` run from the most negative to the most positive; left out, they are found in the data."""

    kind: Literal["polarity"] = "polarity"
    labels: Annotated[tuple[str, ...], BeforeValidator(_strings)] = ()
    ordered: bool = True
    """Whether the labels lie on a line; only then a signed score exists."""

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels) or len(labels) == 1:
            raise ValueError(f"expected at least two labels, each named once, found {list(labels)}")
        return labels

    @property
    def outputs(self) -> int:
        """The size of the classifier's head."""
        return len(self.labels)

    @property
    def metric(self) -> str:
        """The metric that chooses the best checkpoint."""
        return "macro_f1"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a scored file gains."""
        return ("label", *(("score",) if self.ordered else ()), *(f"p_{label}" for label in self.labels))

    @property
    def id2label(self) -> dict[int, str]:
        """What transformers calls each output."""
        return dict(enumerate(self.labels))

    def parse(self, record: Record, source: DataSource) -> LabeledText:
        """The example that a record holds.

        Raises:
            DataError: no such column, an empty text or label, or a label that the task does not know, with file and row.
        """
        text = text_of(record, source.text)
        label = self._label(record, source)
        if self.labels and label not in self.labels:
            hint = nearest(label, self.labels)
            raise DataError(
                f"{record.where}: column {source.label!r} holds the label {label!r}, which the task does not have{hint}"
            )
        return LabeledText(
            text=text, label=label, weight=weight_of(record, source.weight), where=record.where
        )

    def _label(self, record: Record, source: DataSource) -> str:
        if source.bins:
            if len(source.bins) != len(self.labels) - 1:
                found = f"{len(source.bins)} cut points in `bins` for {len(self.labels)} labels"
                raise DataError(
                    f"{source.source}: {found}; expected one fewer than labels, and the labels in the config"
                )
            return self.labels[bisect.bisect_left(source.bins, number_of(record, source.label))]
        held = record.fields.get(source.label)
        named = "" if held is None else str(held).strip()
        if not named:
            raise DataError(f"{record.where}: column {source.label!r} holds no label")
        return source.labels.get(named, named)

    def fitted(self, examples: Sequence[LabeledText]) -> Polarity:
        """The task with its labels: those of the config, or those that the data holds."""
        if self.labels:
            return self
        found = {str(example.label) for example in examples}
        if len(found) < 2:
            raise DataError(
                f"the training rows hold only the label {', '.join(map(repr, found))}; expected at least two"
            )
        for known in NEGATIVE_TO_POSITIVE:
            if found == {one for one in found if one.casefold() in known} and len(found) == len(known):
                return Polarity(labels=tuple(sorted(found, key=lambda one: known.index(one.casefold()))))
        if all(one.lstrip("-").replace(".", "", 1).isdecimal() for one in found):  # stars
            return Polarity(labels=tuple(sorted(found, key=float)))
        return Polarity(labels=tuple(sorted(found)), ordered=False)

    def target(self, example: LabeledText) -> list[float]:
        """What the loss compares with: the label's index."""
        return [float(self.labels.index(str(example.label)))]

    def decode(self, logits: np.ndarray, temperature: float) -> list[Prediction]:
        """The predictions that logits, (texts, labels), stand for."""
        import numpy as np
        from scipy.special import softmax

        probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
        scores = probabilities @ np.linspace(-1, 1, self.outputs)
        best = probabilities.argmax(axis=1)
        return [
            Prediction(
                label=self.labels[best[row]],
                score=float(scores[row]) if self.ordered else None,
                probabilities=dict(zip(self.labels, probabilities[row].tolist(), strict=True)),
            )
            for row in range(len(logits))
        ]
