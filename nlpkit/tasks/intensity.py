"""Intensity: how positive or negative as a number, learned from the mean of human ratings and, if asked,
from their deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import model_validator

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings.data import NumberSource
from nlpkit.settings.training import TextTraining
from nlpkit.tasks.annotators import annotated_numbers
from nlpkit.tasks.answers.number import Number
from nlpkit.tasks.numbers import number_of, weight_of
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.text_settings import TextSettings


class Intensity(TextSettings):
    """A number a text, between `low` (most negative) and `high`; left out, they are the ends of what the
    data holds.
    """

    kind: Literal["intensity"] = "intensity"
    low: float | None = None
    high: float | None = None
    spread: bool = False
    """Also learn the standard deviation of the ratings: how much people disagree about a text."""

    @model_validator(mode="after")
    def _range(self) -> Intensity:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must lie below high, found {self.low} and {self.high}")
        return self

    turns: ClassVar[int | None] = None
    source_settings: ClassVar[type[NumberSource]] = NumberSource
    training_settings: ClassVar[type[TextTraining]] = TextTraining

    @property
    def family(self) -> Number:
        """A number a text."""
        return Number(low=self.low or 0.0, high=self.high or 0.0, spread=self.spread)

    def parse(self, record: Record, source: NumberSource) -> LabeledText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text, or no number where one is expected, with file and row.
        """
        value = number_of(record, source.label)
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise DataError(
                f"{record.where}: column {source.label!r} holds {value}, outside the task's {self.low} to "
                f"{self.high}"
            )
        if self.spread and source.spread is None:
            raise DataError(
                f"{source.source}: the task learns the standard deviation of the ratings; expected "
                "`spread:` to name its column"
            )
        return LabeledText(
            text=text_of(record, source.text),
            value=value,
            spread=number_of(record, source.spread) if source.spread else None,
            weight=weight_of(record, source.weight),
            where=record.where,
            annotations=annotated_numbers(record, source),
        )

    def read(self, path: Path, source: NumberSource) -> Reading[LabeledText]:
        """Read the examples of a file or folder."""
        columns: dict[str | None, str] = {source.text: "text", source.label: "label"}
        columns |= {source.spread: "spread", source.weight: "weight"}
        columns |= dict.fromkeys(source.annotators, "annotators")
        return read_rows(self, path, source, columns)

    def fit(self, examples: Sequence[LabeledText]) -> Intensity:
        """Return the task with its range: that of the config, or that of the data."""
        values = [number for example in examples for number in example.numbers]
        low = min(values) if self.low is None else self.low
        high = max(values) if self.high is None else self.high
        if low >= high:
            raise DataError(f"all training rows hold the value {low}; expected a number that varies")
        return self.model_copy(update={"low": low, "high": high})
