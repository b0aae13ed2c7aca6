"""Rows of a reference or of a stream, as the model reads and answers them, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.records import Record, read_records, text_of
from nlpkit.errors import DataError, RunError, nearest
from nlpkit.generation.decision_server import naming_rows
from nlpkit.tasks.numbers import number_of
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.answer_columns import labels_of, matrices
from nlpkit.watching.reference import TextAnswers

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 1024
CHECKED = 20
"""Scored rows that are answered anew, to see whether this run scored them."""
SAME = 0.01
"""How far probabilities of the same run may differ, by runtime and machine."""


def answered(
    classifier: Classifier,
    file: Path | str,
    *,
    text: str,
    truth: str | None = None,
    time: str | None = None,
    format: str | None = None,
    encoding: str | None = None,
) -> Iterator[tuple[TextAnswers, list[str]]]:
    """Yield texts with their answers, in batches, and their dates, which are none without a column of dates.

    Args:
        classifier: answers the texts that are not scored yet.
        file: rows in order.
        text: the column of texts.
        truth: the column of true labels.
        time: the column of dates.
        format: as the file's name shows by default.
        encoding: of a text file that is not UTF-8.

    Raises:
        DataError: a row is wrong, or there is none.
        RunError: the rows were scored by another run.
    """
    labels = labels_of(classifier.task.family)
    records = iter(read_records(file, format=format, encoding=encoding))
    is_checked = False
    while batch := list(islice(records, BATCH)):
        texts = [text_of(record, text) for record in batch]
        scored = _scored(batch, labels)
        if scored is None:
            with naming_rows(zip(texts, (record.where for record in batch), strict=True)):
                probabilities = probabilities_of(classifier.predict(texts), labels)
        else:
            probabilities = scored
            if not is_checked:
                _check(classifier, texts[:CHECKED], scored[:CHECKED], labels, batch[0].where)
        is_checked = True
        yield (
            TextAnswers(
                probabilities=probabilities, tokens=tokens_of(classifier, texts),
                truth=_truth(batch, truth, labels) if truth else None,
            ),
            [_cell(record, time) for record in batch] if time else [],
        )  # fmt: skip
    if not is_checked:
        raise DataError(f"{file}: no rows; expected texts")


def probabilities_of(predictions: Sequence[Prediction], labels: Sequence[str]) -> NDArray[Any]:
    """Return (texts, labels)."""
    return matrices([prediction.row() for prediction in predictions], labels)[0]


def tokens_of(classifier: Classifier, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text."""
    return [[token for window in each.windows for token in window] for each in classifier.encode(texts)]


def _scored(batch: Sequence[Record], labels: Sequence[str]) -> NDArray[Any] | None:
    """Return (rows, labels) of rows that hold their answers; None where the first does not."""
    columns = [f"p_{label}" for label in labels]
    if not batch[0].fields.keys() >= {"label", *columns}:
        return None
    return np.array([[number_of(record, name) for name in columns] for record in batch])


def _check(
    classifier: Classifier, texts: Sequence[str], scored: NDArray[Any], labels: Sequence[str], where: str
) -> None:
    if abs(probabilities_of(classifier.predict(texts), labels) - scored).max() > SAME:
        raise RunError(
            f"{where}: was scored by another run than {classifier.name}, whose answers differ; "
            "hint: the run that scored it, or the file without its columns p_..."
        )


def _truth(batch: Sequence[Record], column: str, labels: Sequence[str]) -> NDArray[Any]:
    cells = [_cell(record, column) for record in batch]
    for record, label in zip(batch, cells, strict=True):
        if label not in labels:
            raise DataError(
                f"{record.where}, column {column!r}: {label!r} is no label of the run{nearest(label, labels)}"
            )
    return np.array([labels.index(label) for label in cells])


def _cell(record: Record, column: str) -> str:
    """Return a cell as text; empty where it holds nothing."""
    if column not in record.fields:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    value = record.fields[column]
    return "" if value is None else str(value).strip()
