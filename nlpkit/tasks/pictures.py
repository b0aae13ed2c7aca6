"""Polarity and emotions of posts: a text with a picture, either of which may be missing in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from nlpkit.data.examples import LabeledText, LabelSetText, TextInput
from nlpkit.data.pictures import post_of
from nlpkit.data.records import Record
from nlpkit.errors import DataError
from nlpkit.reports.usage import POST_USAGE
from nlpkit.settings.data import LabelSetSource, LabelSource, PictureLabelSetSource, PictureLabelSource
from nlpkit.tasks.answers.label_set import LabelSet
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.emotions import Emotions
from nlpkit.tasks.encoding import Encoded, Tokenizer
from nlpkit.tasks.polarity import Polarity, labeled_columns
from nlpkit.tasks.reading import Reading, read_rows

Post = TypeVar("Post", LabeledText, LabelSetText)

STAND_IN = "-"
"""The text of a post without one, while its label is parsed."""


class PicturePolarity(Polarity):
    """One label a post."""

    kind: Literal["picture_polarity"] = "picture_polarity"  # type: ignore[assignment]

    reads_pictures: ClassVar[bool] = True
    source_settings: ClassVar[type[LabelSource]] = PictureLabelSource

    @property
    def family(self) -> OneLabel:
        """One label a post."""
        return replace(super().family, usage=POST_USAGE)

    def parse(self, record: Record, source: Any) -> LabeledText:
        """Return the example that a record holds.

        Raises:
            DataError: as `Polarity.parse`; or it has neither text nor picture, or a picture that cannot be
                used.
        """
        text, picture = post_of(record, source.text, source.image)
        example = super().parse(_with_text(record, source, text), source)
        return replace(example, text=text, picture=picture)

    def read(self, path: Path, source: Any) -> Reading[LabeledText]:
        """Read the examples of a file or folder."""
        return _both_parts(read_rows(self, path, source, _labels_alone(labeled_columns(source))), source)

    def input(self, example: LabeledText) -> TextInput:
        """Return the text and the picture."""
        return TextInput(text=example.text, picture=example.picture)

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode texts, each with its picture."""
        return _with_pictures(super().encode(inputs, tokenizer, max_tokens), inputs)


class PictureEmotions(Emotions):
    """Any number of labels a post."""

    kind: Literal["picture_emotions"] = "picture_emotions"  # type: ignore[assignment]

    reads_pictures: ClassVar[bool] = True
    source_settings: ClassVar[type[LabelSetSource]] = PictureLabelSetSource

    @property
    def family(self) -> LabelSet:
        """Several labels a post."""
        return replace(super().family, usage=POST_USAGE)

    def parse(self, record: Record, source: Any) -> LabelSetText:
        """Return the example that a record holds.

        Raises:
            DataError: as `Emotions.parse`; or it has neither text nor picture, or a picture that cannot be
                used.
        """
        text, picture = post_of(record, source.text, source.image)
        example = super().parse(_with_text(record, source, text), source)
        return replace(example, text=text, picture=picture)

    def read(self, path: Path, source: Any) -> Reading[LabelSetText]:
        """Read the examples of a file or folder."""
        return _both_parts(read_rows(self, path, source, _labels_alone(self.columns(source))), source)

    def input(self, example: LabelSetText) -> TextInput:
        """Return the text and the picture."""
        return TextInput(text=example.text, picture=example.picture)

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode texts, each with its picture."""
        return _with_pictures(super().encode(inputs, tokenizer, max_tokens), inputs)


def _with_text(record: Record, source: Any, text: str) -> Record:
    return replace(record, fields={**record.fields, source.text: text or STAND_IN})


def _with_pictures(encoded: Sequence[Encoded], inputs: Sequence[TextInput]) -> list[Encoded]:
    return [replace(text, picture=given.picture) for text, given in zip(encoded, inputs, strict=True)]


def _labels_alone(columns: dict[str | None, str]) -> dict[str | None, str]:
    """Return the columns that each row must have: its text or its picture may be missing."""
    return {column: key for column, key in columns.items() if key != "text"}


def _both_parts(reading: Reading[Post], source: Any) -> Reading[Post]:
    """Refuse a source without any text, or without any picture: a column is misnamed."""
    for part, column, key in (("picture", source.image, "image"), ("text", source.text, "text")):
        if not any(getattr(example, part) for example in reading.examples):
            raise DataError(
                f"{source.source}: no row has a {part} in the column {column!r}; "
                f"hint: name the column, with `{key}:` below the source or --{key}"
            )
    return reading
