"""Parquet and Arrow: values as Python values. What is damaged is named, as far as the format can tell."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, require, unreadable
from nlpkit.errors import DataError, NlpkitError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 1024
_UNREADABLE = object()
"""Stands for a value that is no text although its column says so."""


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header of a file, then its rows in order; rows with text that cannot be used are bad rows."""
    with _intact(file), _opened(file) as (schema, batches):
        names = _names(schema, file)
        require(columns, names, file=file.name)
        yield Header(columns=tuple(names), schema=schema)
        yield from batch_rows(batches, file=file.name)


def count(file: DataFile) -> int | None:
    """Count the rows exactly, without reading them; None for standard input."""
    if file.path is None:
        return None
    with _intact(file):
        if file.format == "parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(file.path) as parquet:
                return int(parquet.metadata.num_rows)
        with _opened(file) as (_, batches):
            return sum(int(batch.num_rows) for batch in batches)


def batch_rows(batches: Iterator[pa.RecordBatch], *, file: str) -> Iterator[Record | BadRow]:
    """Yield the rows of record batches, numbered from 1."""
    row = 0
    for batch in batches:
        names = batch.schema.names
        # A batch of an Arrow file may be as large as the file: only a slice of it becomes Python values at
        # once.
        for start in range(0, batch.num_rows, _BATCH):
            part = batch.slice(start, _BATCH)
            suspect = _suspect(part)
            table = [_values(column, suspect) for column in part.columns]
            for values in zip(*table, strict=True):
                row += 1
                fields = dict(zip(names, values, strict=True))
                if suspect and (reason := _reason(fields)):
                    raw = repr({name: value for name, value in fields.items() if value is not _UNREADABLE})
                    yield BadRow(file=file, row=row, reason=reason, raw=raw)
                else:
                    yield Record(fields=fields, file=file, row=row)


@contextmanager
def _intact(file: DataFile) -> Iterator[None]:
    """Turn whatever the Arrow library raises on a damaged file into a DataError that names the file."""
    try:
        yield
    except NlpkitError:
        raise
    except PermissionError as error:
        raise DataError(f"{file.name}: cannot be read: {error.strerror}") from error
    except (MemoryError, Exception) as error:  # Arrow documents no closed list of what a damaged file raises
        reason = str(error).strip().split("\n")[0][:200]
        if "encrypt" in reason.lower() or "decrypt" in reason.lower():
            raise DataError(f"{file.name}: is encrypted; hint: decrypt it first") from error
        kind = "Parquet" if file.format == "parquet" else "Arrow"
        raise DataError(
            f"{file.name}: damaged, or not {kind} at all: {reason}; hint: fetch or write the file again"
        ) from error


@contextmanager
def _opened(file: DataFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    if file.format == "parquet":
        import pyarrow.parquet as pq

        if file.path is None:
            raise DataError("standard input: Parquet cannot be read from a pipe; hint: save it to a file")
        _refuse_empty(file)
        with pq.ParquetFile(
            file.path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20
        ) as parquet:
            yield parquet.schema_arrow, parquet.iter_batches(batch_size=_BATCH, use_threads=False)
    else:
        with _opened_arrow(file) as reader:
            number = getattr(reader, "num_record_batches", None)
            yield (
                reader.schema,
                iter(reader) if number is None else (reader.get_batch(index) for index in range(number)),
            )


@contextmanager
def _opened_arrow(file: DataFile) -> Iterator[Any]:
    import pyarrow as pa

    if file.path is None:
        with pa.ipc.open_stream(sys.stdin.buffer) as reader:
            yield reader
        return
    _refuse_empty(file)
    with pa.OSFile(str(file.path)) as source:
        start = source.read(6)
        source.seek(0)
        if start.startswith(b"FEA1"):
            raise DataError(
                f"{file.name}: is of the old Feather version 1; hint: write it again as version 2"
            )
        with (pa.ipc.open_file if start == b"ARROW1" else pa.ipc.open_stream)(source) as reader:
            yield reader


def _refuse_empty(file: DataFile) -> None:
    if file.path is not None and file.path.is_file() and file.path.stat().st_size == 0:
        raise DataError(f"{file.name}: is empty")


def _names(schema: pa.Schema, file: DataFile) -> list[str]:
    names: list[str] = list(schema.names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"{file.name}: the column {twice!r} stands there twice; hint: give each column a name of its own"
        )
    return names


def _suspect(batch: pa.RecordBatch) -> bool:
    """Find out whether some text of the batch cannot be used. Raises what Arrow says of a damaged batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    misfit = False
    for column in batch.columns:
        try:
            # Without this check, offsets that a broken file holds would be followed out of the memory.
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            if "Invalid UTF8" not in str(error) or not _is_text(column.type):
                raise
            misfit = True
    return misfit or any(
        pc.any(pc.match_substring(texts, "\0")).as_py()
        for column in batch.columns
        for texts in _texts(column)
    )


def _texts(array: pa.Array) -> Iterator[pa.Array]:
    """Yield the text columns inside a column."""
    import pyarrow as pa

    kind = array.type
    if _is_text(kind):
        yield array.cast(pa.large_string()) if pa.types.is_string_view(kind) else array
    elif pa.types.is_dictionary(kind):
        yield from _texts(array.dictionary)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _texts(part)
    elif pa.types.is_map(kind):
        yield from _texts(array.keys)
        yield from _texts(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _texts(array.flatten())


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _values(column: pa.Array, suspect: bool) -> list[object]:
    if not suspect:
        values: list[object] = column.to_pylist()
        return values
    return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return _UNREADABLE


def _reason(fields: dict[str, object]) -> str | None:
    for name, value in fields.items():
        if value is _UNREADABLE:
            return f"column {name!r}: bytes that are not UTF-8"
        if fault := unreadable(value):
            return f"column {name!r}: {fault}"
    return None
