"""Which columns a scored file has, and of which kind: the input's, as they were, then the model's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nlpkit.data.rows import Record
from nlpkit.errors import ConfigError, DataError
from nlpkit.scoring.batches import TextRows

Kind = Literal["string", "bool", "int", "float", "json"]
"""What a column of JSON values becomes in a table; `json` holds nested or mixed values as JSON text."""

_EXACT = 2**53
"""Whole numbers up to here are exact as floats, so a column may mix them with fractions."""
_INT64 = 2**63


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of an output. Without `given`, each row keeps its own fields, as in JSONL."""

    given: Mapping[str, Kind] | None
    added: Mapping[str, Kind]
    """The model's columns, by the names they have in the file."""
    schema: Any = None
    """The Arrow schema of the input's columns, where the input has one."""

    def check(self, record: Record) -> None:
        """Refuse a record with a field that the output has no column for, or that the model's columns would
        replace.

        Raises:
            DataError: such a field is there.
        """
        if self.given is None:
            refuse_collision(record.fields, self.added, record.where)
            return
        extra = [name for name in record.fields if name not in self.given]
        if extra:
            raise DataError(
                f"{record.where}: column {extra[0]!r} is not in the rows that gave the table its columns; "
                "hint: write JSON Lines with --output-format jsonl, or score a file instead of a stream"
            )


def refuse_collision(names: Iterable[str], added: Iterable[str], where: str) -> None:
    """Refuse an input column that has the name of one that the model adds.

    Raises:
        ConfigError: the input has such a column.
    """
    taken = sorted(set(names) & set(added))
    if taken:
        raise ConfigError(
            f"{where}: has a column {taken[0]!r} already, which the scores would replace; "
            "hint: name the new columns differently, as with --prefix model_"
        )


def plan_columns(
    rows: TextRows, first: Iterable[Record], output_format: str, added: Mapping[str, Kind]
) -> Columns:
    """Choose the columns of the output; JSON Lines are read through once for them when the output is a table.

    Args:
        rows: what is scored.
        first: the first records of standard input, which can be read only once.
        output_format: what is written.
        added: the model's columns.

    Raises:
        ConfigError: the input has a column that the model adds.
    """
    header = rows.file.header
    schema = header.schema if header else None
    given: dict[str, Kind] | None
    if output_format not in ("csv", "tsv", "parquet", "arrow") and not rows.file.is_regular:
        given = None
    elif header is None:
        given = survey(first)
    elif header.is_typed or not rows.file.is_regular:
        given = survey(rows.records([]))
    else:
        given = dict.fromkeys(header.columns, "string" if schema is None else "json")
    refuse_collision(given or (), added, rows.file.name)
    return Columns(given=given, added=added, schema=schema)


def survey(records: Iterable[Record]) -> dict[str, Kind]:
    """List the columns of some records as they are first seen, with the narrowest kind that holds every value
    exactly.
    """
    seen: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.fields.items():
            seen.setdefault(name, set()).add(_sort_of(value))
    return {name: _kind(sorts) for name, sorts in seen.items()}


def _sort_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        size = abs(value)
        return "int" if size <= _EXACT else "long" if size < _INT64 else "nested"
    return {str: "string", float: "float"}.get(type(value), "nested")


def _kind(sorts: set[str]) -> Kind:
    present = sorts - {"null"}
    kinds: tuple[tuple[set[str], Kind], ...] = (
        ({"string"}, "string"),
        ({"bool"}, "bool"),
        ({"int", "long"}, "int"),
        ({"int", "float"}, "float"),
    )
    return next((kind for allowed, kind in kinds if present <= allowed), "json")
