"""Numbers in records."""

from __future__ import annotations

import math

from nlpkit.data.records import Record
from nlpkit.errors import DataError, nearest


def number_of(record: Record, column: str) -> float:
    """Return the finite number that a column holds.

    Raises:
        DataError: no such column, or no number in it, with file and row.
    """
    if column not in record.fields:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    held = record.fields[column]
    try:
        value = float(held)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(held, bool) or not math.isfinite(value):
        raise DataError(f"{record.where}: column {column!r} holds {str(held)[:40]!r}; expected a number")
    return value


def weight_of(record: Record, column: str | None) -> float:
    """Return how much a row counts: 1 where there is no column for it, or nothing in it.

    Raises:
        DataError: no such column, or neither nothing nor a number from 0 up, with file and row.
    """
    if column is None or record.fields.get(column, 0.0) in (None, ""):
        return 1.0
    weight = number_of(record, column)
    if weight < 0:
        raise DataError(f"{record.where}: column {column!r} holds the weight {weight}; expected 0 or more")
    return weight
