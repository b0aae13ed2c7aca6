"""Rows of a reference or of a stream, as the model reads and answers them, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import Record, read_records, text_of
from nlpkit.errors import DataError, RunError, nearest
from nlpkit.generation.decision_server import naming_rows
from nlpkit.tasks.numbers import number_of
from nlpkit.trust.answer_columns import labels_of, matrices
from nlpkit.watching.reference import TextAnswers

BATCH = 1024
CHECKED = 20
"""Scored rows that are answered anew, to see whether this run scored them."""
SAME = 0.01
"""How far probabilities of the same run may differ, by runtime and machine."""


@dataclass(frozen=True, kw_only=True)
class WatchedRows:
    """How rows are read.

    Args:
        classifier: answers the texts that are not scored yet.
    """

    classifier: Classifier
    text: str
    truth: str | None = None
    """The column of true labels."""
    time: str | None = None
    """The column of dates."""
    format: str | None = None
    encoding: str | None = None

    def batches(self, file: Path | str) -> Iterator[tuple[TextAnswers, list[str]]]:
        """Yield texts with their answers, and their dates, which are none without a column of dates.

        Raises:
            DataError: a row is wrong, or there is none.
            RunError: the rows were scored by another run.
        """
        labels = labels_of(self.classifier.task.family)
        records: Iterable[Record] = read_records(file, format=self.format, encoding=self.encoding)
        rest = iter(records)
        is_first = True
        while batch := list(islice(rest, BATCH)):
            texts = [text_of(record, self.text) for record in batch]
            encoded = self.classifier.encode(texts)
            yield (
                TextAnswers(
                    probabilities=self._probabilities(batch, texts, labels, check=is_first),
                    tokens=[[token for window in each.windows for token in window] for each in encoded],
                    truth=self._truth(batch, labels),
                ),
                [_cell(record, self.time) for record in batch] if self.time else [],
            )
            is_first = False
        if is_first:
            raise DataError(f"{file}: no rows; expected texts")

    def _probabilities(
        self, batch: Sequence[Record], texts: Sequence[str], labels: Sequence[str], *, check: bool
    ) -> Any:
        columns = [f"p_{label}" for label in labels]
        if not batch[0].fields.keys() >= {"label", *columns}:
            with naming_rows(zip(texts, (record.where for record in batch), strict=True)):
                answers = self.classifier.predict(texts)
            return matrices([answer.row() for answer in answers], labels)[0]
        rows = [
            {"label": record.fields.get("label"), **{name: number_of(record, name) for name in columns}}
            for record in batch
        ]
        scored = matrices(rows, labels)[0]
        if check:
            anew = matrices([each.row() for each in self.classifier.predict(texts[:CHECKED])], labels)[0]
            if abs(anew - scored[:CHECKED]).max() > SAME:
                raise RunError(
                    f"{batch[0].where}: was scored by another run than {self.classifier.name}, whose answers "
                    "differ; hint: the run that scored it, or the file without its columns p_..."
                )
        return scored

    def _truth(self, batch: Sequence[Record], labels: Sequence[str]) -> Any:
        import numpy as np

        if self.truth is None:
            return None
        cells = [(_cell(record, self.truth), record.where) for record in batch]
        for label, where in cells:
            if label not in labels:
                raise DataError(
                    f"{where}, column {self.truth!r}: {label!r} is no label of the run"
                    f"{nearest(label, labels)}"
                )
        return np.array([labels.index(label) for label, _ in cells])


def _cell(record: Record, column: str) -> str:
    """Return a cell as text; empty where it holds nothing."""
    if column not in record.fields:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    value = record.fields[column]
    return "" if value is None else str(value).strip()
