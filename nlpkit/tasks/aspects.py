"""Aspects: what a text speaks of, what it says of each, and how that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from nlpkit.data.examples import OpinionText, TextInput
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.settings.data import OpinionSource
from nlpkit.settings.training import TextTraining
from nlpkit.tasks.answers.spans import Spans
from nlpkit.tasks.encoding import Encoded, Tokenizer, encode_placed
from nlpkit.tasks.label_names import Names, known_label, labels_in
from nlpkit.tasks.numbers import weight_of
from nlpkit.tasks.opinion_rows import opinion_column, opinions_in
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.text_settings import TextSettings


class Aspects(TextSettings):
    """Triplets of aspect, opinion words and polarity, or aspects with a polarity each. `labels` (the
    polarities) left out are found in the data.
    """

    kind: Literal["aspects"] = "aspects"
    labels: Names = ()
    find: Literal["triplets", "terms"] = "triplets"
    """`terms`: aspects and their polarity alone, without the words that say it."""
    weights: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = ()
    """With `offset`, turns scores into probabilities: fitted after the training."""
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The probability above which an opinion is given: chosen after the training."""

    turns: ClassVar[int | None] = None
    source_settings: ClassVar[type[OpinionSource]] = OpinionSource
    training_settings: ClassVar[type[TextTraining]] = TextTraining

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels):
            raise ValueError(f"expected each polarity named once, found {list(labels)}")
        return labels

    @property
    def family(self) -> Spans:
        """Parts of the text."""
        return Spans(
            polarities=self.labels,
            pairs=self.find == "triplets",
            weights=self.weights,
            offset=self.offset,
            threshold=self.threshold,
        )

    def parse(self, record: Record, source: OpinionSource) -> OpinionText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text, no list of opinions, a span that the text does not have,
                or a polarity that the task does not know, with file and row.
        """
        text = text_of(record, source.text)
        opinions = opinions_in(record, source, text, needs_words=self.find == "triplets")
        for opinion in opinions:
            known_label(opinion.polarity, self.labels, record.where, opinion_column(record, source))
        return OpinionText(
            text=text, opinions=opinions, weight=weight_of(record, source.weight), where=record.where
        )

    def read(self, path: Path, source: OpinionSource) -> Reading[OpinionText]:
        """Read the examples of a file or folder."""
        return read_rows(self, path, source, {source.text: "text", source.weight: "weight"})

    def fit(self, examples: Sequence[OpinionText]) -> Aspects:
        """Return the task with its polarities: those of the config, or those that the data holds."""
        if self.labels:
            return self
        labels = labels_in(examples)
        if not labels:
            raise DataError("the training rows hold no opinion; expected at least one")
        return self.model_copy(update={"labels": tuple(sorted(labels))})

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode texts, with the place of each token."""
        return encode_placed([given.text for given in inputs], tokenizer, max_tokens)
