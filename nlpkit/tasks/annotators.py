"""What several people answered to one text, in records."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nlpkit.data.records import Record
from nlpkit.errors import DataError, nearest
from nlpkit.settings.data import AnnotatedSource, LabelSource
from nlpkit.tasks.label_names import known_label, parsed_list
from nlpkit.tasks.numbers import number_of


def annotated_labels(record: Record, source: LabelSource, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the label that each person gave, as the task calls it.

    Raises:
        DataError: no such column, or a label that the task does not know, with file and row.
    """
    return tuple(_label(record, column, value, source, labels) for column, value in _answers(record, source))


def _label(record: Record, column: str, value: Any, source: LabelSource, labels: Sequence[str]) -> str:
    if source.bins and labels:
        return labels[bisect.bisect_left(source.bins, _number(record, column, value))]
    name = str(value).strip()
    return known_label(source.labels.get(name, name), labels, record.where, column)


def annotated_numbers(record: Record, source: AnnotatedSource) -> tuple[float, ...]:
    """Return the number that each person gave.

    Raises:
        DataError: no such column, or no number, with file and row.
    """
    return tuple(_number(record, column, value) for column, value in _answers(record, source))


def _number(record: Record, column: str, value: Any) -> float:
    return number_of(replace(record, fields={column: value}), column)


def _answers(record: Record, source: AnnotatedSource) -> list[tuple[str, Any]]:
    """Return the answers that are there, each with its column: one a column, or a list in it."""
    answers = []
    for column in source.annotators:
        if column not in record.fields:
            raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
        held = parsed_list(record.fields[column])
        answers += [(column, value) for value in (held if isinstance(held, list) else [held])]
    return [(column, value) for column, value in answers if value is not None and str(value).strip()]
