"""Which columns a scored file has, and of which kind: the input's, as they were, then the model's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlpkit.data.records import Record
from nlpkit.data.records import columns_of as names_in
from nlpkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    from nlpkit.scoring.batches import Batch, TextRows

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
        """Refuse a record with a field that the output has no column for, or that the model's columns would replace.

        Raises:
            DataError: such a field is there.
        """
        if self.given is None:
            refuse_collision(record.fields, self.added, record.where)
            return
        extra = [name for name in record.fields if name not in self.given]
        if extra:
            raise DataError(
                f"{record.where}: column {extra[0]!r} is not in the rows that the table's columns were taken from; "
                "cure: write JSONL, or score a file instead of a stream"
            )


def refuse_collision(names: Iterable[str], added: Iterable[str], where: str) -> None:
    """Raise where an input column has the name of one that the model adds.

    Raises:
        ConfigError: the input has such a column.
    """
    taken = sorted(set(names) & set(added))
    if taken:
        raise ConfigError(
            f"{where}: has a column {taken[0]!r} already, which the scores would replace; "
            "cure: name the new columns differently, as with --prefix model_"
        )


def columns_of(
    source: TextRows, first: Batch | None, output_format: str, added: Mapping[str, Kind]
) -> Columns:
    """The columns of the output; JSON lines are read through once for them when the output is a table.

    Args:
        source: what is scored.
        first: the first rows of standard input, which can be read only once.
        output_format: what is written.
        added: the model's columns.

    Raises:
        ConfigError: the input has a column that the model adds.
    """
    schema = None
    given: dict[str, Kind] | None
    if source.format == "jsonl" and output_format == "jsonl":
        given = None
    elif source.path is None:
        given = survey(first.records if first else ())
    elif source.format in ("parquet", "arrow"):
        schema = _stored_schema(source.path, source.format)
        given = dict.fromkeys(schema.names, "json")
    elif source.format == "jsonl":
        given = survey(source.records([]))
    else:
        given = dict.fromkeys(names_in(source.path, format=source.format, encoding=source.encoding), "string")
    refuse_collision(given or (), added, source.name)
    return Columns(given=given, added=added, schema=schema)


def _stored_schema(path: Path, format: str) -> Any:
    import pyarrow.ipc
    import pyarrow.parquet

    if format == "parquet":
        return pyarrow.parquet.read_schema(path)
    with path.open("rb") as file:
        try:
            return pyarrow.ipc.open_file(file).schema
        except pyarrow.ArrowInvalid:
            file.seek(0)
            return pyarrow.ipc.open_stream(file).schema


def survey(records: Iterable[Record]) -> dict[str, Kind]:
    """The columns of some records, in the order they are first seen, with the narrowest kind that holds every value exactly."""
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
    found = sorts - {"null"}
    kinds: tuple[tuple[set[str], Kind], ...] = (
        ({"string"}, "string"),
        ({"bool"}, "bool"),
        ({"int", "long"}, "int"),
        ({"int", "float"}, "float"),
    )
    return next((kind for allowed, kind in kinds if found <= allowed), "json")


def json_text(value: object) -> str:
    """The value as JSON on one line; what JSON has no form for becomes text, and NaN becomes null."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return value
