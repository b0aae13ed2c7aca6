"""Intensity: how positive or negative as a number, learnt from the mean of human ratings and, if asked, from their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings import DataSource, Settings
from nlpkit.tasks.numbers import number_of, weight_of
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np


class Intensity(Settings):
    """A number a text, between `low` (most negative) and `high`; left out, they are the ends of what the data holds."""

    kind: Literal["intensity"] = "intensity"
    low: float | None = None
    high: float | None = None
    spread: bool = False
    """Also learn the spread of the ratings: how much people disagree about a text."""

    @model_validator(mode="after")
    def _range(self) -> Intensity:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must lie below high, found {self.low} and {self.high}")
        return self

    @property
    def outputs(self) -> int:
        """The size of the model's head: the mean, and the spread."""
        return 2 if self.spread else 1

    @property
    def metric(self) -> str:
        """The metric that chooses the best checkpoint."""
        return "pearson"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a scored file gains."""
        return ("value", *(("spread",) if self.spread else ()), "score")

    @property
    def id2label(self) -> dict[int, str]:
        """What transformers calls each output."""
        return dict(enumerate(("value", "spread")[: self.outputs]))

    def parse(self, record: Record, source: DataSource) -> LabeledText:
        """The example that a record holds.

        Raises:
            DataError: no such column, an empty text, or no number where one is expected, with file and row.
        """
        value = number_of(record, source.label)
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise DataError(
                f"{record.where}: column {source.label!r} holds {value}, outside the task's {self.low} to {self.high}"
            )
        if self.spread and source.spread is None:
            raise DataError(
                f"{source.source}: the task learns the spread of ratings; expected `spread:` to name its column"
            )
        return LabeledText(
            text=text_of(record, source.text),
            value=value,
            spread=number_of(record, source.spread) if source.spread else None,
            weight=weight_of(record, source.weight),
            where=record.where,
        )

    def fitted(self, examples: Sequence[LabeledText]) -> Intensity:
        """The task with its range: that of the config, or that of the data."""
        values = [example.value for example in examples if example.value is not None]
        low = min(values) if self.low is None else self.low
        high = max(values) if self.high is None else self.high
        if low >= high:
            raise DataError(f"all training rows hold the value {low}; expected a number that varies")
        return self.model_copy(update={"low": low, "high": high})

    def target(self, example: LabeledText) -> list[float]:
        """What the loss compares with: mean (and spread) on a scale where the range is [-1, 1]."""
        half = self._half
        scaled = [(float(example.value or 0.0) - self._middle) / half]
        return [*scaled, float(example.spread or 0.0) / half] if self.spread else scaled

    def decode(self, logits: np.ndarray, temperature: float) -> list[Prediction]:
        """The predictions that outputs, (texts, 1 or 2), stand for; a number has no temperature."""
        import numpy as np

        scores = np.clip(logits[:, 0].astype(np.float64), -1.0, 1.0)
        spreads = np.maximum(logits[:, -1].astype(np.float64), 0.0) * self._half
        return [
            Prediction(
                value=float(scores[row] * self._half + self._middle),
                spread=float(spreads[row]) if self.spread else None,
                score=float(scores[row]),
            )
            for row in range(len(logits))
        ]

    @property
    def _half(self) -> float:
        return ((self.high or 0.0) - (self.low or 0.0)) / 2

    @property
    def _middle(self) -> float:
        return ((self.high or 0.0) + (self.low or 0.0)) / 2
