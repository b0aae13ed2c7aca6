"""Aspect polarity: how a text is meant towards an aspect that is given with it, one label a pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlpkit.data.examples import LabeledText, TextInput
from nlpkit.data.records import Record, name_of, text_of
from nlpkit.errors import DataError
from nlpkit.reports.usage import ASPECT_USAGE
from nlpkit.settings.data import AspectSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.encoding import Encoded, Tokenizer
from nlpkit.tasks.label_names import TwoOrMore, labels_in
from nlpkit.tasks.numbers import weight_of
from nlpkit.tasks.polarity import in_order, label_or_bin, labeled_columns
from nlpkit.tasks.reading import Reading, read_rows
from nlpkit.tasks.text_settings import TextSettings
from nlpkit.tasks.turn_encoding import encode_turns


class AspectPolarity(TextSettings):
    """One label for a text and an aspect: words of the text, or a category such as "service"."""

    kind: Literal["aspect_polarity"] = "aspect_polarity"
    labels: TwoOrMore = ()
    ordered: bool = True
    """Whether the labels lie on a line; only then a signed score exists."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Divides the logits, so that probabilities are right as often as they say: fitted after the training."""

    turns: ClassVar[int | None] = None
    reads_aspects: ClassVar[bool] = True
    source_settings: ClassVar[type[AspectSource]] = AspectSource
    training_settings: ClassVar[type[ClassifierTraining]] = ClassifierTraining

    @property
    def family(self) -> OneLabel:
        """One label a text and aspect."""
        return OneLabel(
            labels=self.labels, ordered=self.ordered, temperature=self.temperature, usage=ASPECT_USAGE
        )

    def parse(self, record: Record, source: AspectSource) -> LabeledText:
        """Return the example that a record holds.

        Raises:
            DataError: no such column, an empty text, aspect or label, or a label that the task does not
                know, with file and row.
        """
        return LabeledText(
            text=text_of(record, source.text),
            about=name_of(record, source.aspect),
            label=label_or_bin(record, source, self.labels),
            weight=weight_of(record, source.weight),
            where=record.where,
            annotations=annotated_labels(record, source, self.labels),
        )

    def read(self, path: Path, source: AspectSource) -> Reading[LabeledText]:
        """Read the examples of a file or folder."""
        return read_rows(self, path, source, labeled_columns(source) | {source.aspect: "aspect"})

    def fit(self, examples: Sequence[LabeledText]) -> AspectPolarity:
        """Return the task with its labels: those of the config, or those that the data holds."""
        if self.labels:
            return self
        labels, ordered = in_order(labels_in(examples))
        return self.model_copy(update={"labels": labels, "ordered": ordered})

    def input(self, example: LabeledText) -> TextInput:
        """Return the text with its aspect."""
        return TextInput(text=example.text, about=example.about)

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode each text behind its aspect, as a turn is encoded behind its speaker.

        Raises:
            DataError: a text comes without an aspect.
        """
        for given in inputs:
            if not given.about:
                raise DataError(
                    f"the text {given.text[:40]!r} comes without the aspect that this model is asked about; "
                    "hint: nlpkit score RUN FILE -o OUTPUT --aspect COLUMN, or in Python "
                    "TextInput(text=..., about=...)"
                )
        pairs = [TextInput(text=given.text, speaker=given.about) for given in inputs]
        return encode_turns(pairs, tokenizer, max_tokens)
