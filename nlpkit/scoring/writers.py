"""Rows as the bytes of a file, a chunk at a time: what is appended for one chunk does not depend on the
others.

Text formats are appended as they will stand. Parquet and Arrow files cannot be cut back after a kill, so
their chunks are appended as an Arrow stream, which can, and turned into the format asked for at the end.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import ne
from pathlib import Path
from typing import IO, Any, Protocol

from nlpkit.data.spreadsheets import inert
from nlpkit.errors import DataError
from nlpkit.scoring.json_values import json_text
from nlpkit.scoring.output_columns import Columns

Row = Mapping[str, object]

_ROW_GROUP = 65_536
"""Rows of one Parquet row group, whatever the chunks were, unless their values are large."""
_ROW_GROUP_BYTES = 32 << 20


class RowWriter(Protocol):
    """How rows become bytes."""

    def header(self) -> bytes:
        """Return the bytes before the first row."""

    def rows(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return the bytes of these rows, and how many of their cells were guarded against spreadsheets."""

    def seal(self, partial: Path, whole: Path) -> Path:
        """Return the finished file, made of all the bytes: `partial` itself, or `whole`, written from it."""


def writer_of(name: str, columns: Columns, *, compress: bool = False, raw_csv: bool = False) -> RowWriter:
    """Return the writer of a format: csv, tsv, jsonl, parquet or arrow."""
    if name in ("parquet", "arrow"):
        return ColumnarWriter(columns, name)
    if name == "jsonl":
        return JsonLinesWriter(columns, compress=compress)
    return DelimitedWriter(columns, delimiter="\t" if name == "tsv" else ",", compress=compress, raw=raw_csv)


def _packed(text: str, *, compress: bool) -> bytes:
    data = text.encode("utf-8")
    # Members of a gzip file can follow each other; without a time the same rows make the same bytes.
    return gzip.compress(data, 6, mtime=0) if compress and data else data


class JsonLinesWriter:
    """JSON lines: every row keeps the fields it had."""

    def __init__(self, columns: Columns, *, compress: bool = False) -> None:
        self._columns, self._compress = columns, compress

    def header(self) -> bytes:
        """Return no bytes: JSON lines have no header."""
        return b""

    def rows(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return one line for each row."""
        return _packed("".join(json_text(row) + "\n" for row in rows), compress=self._compress), 0

    def seal(self, partial: Path, whole: Path) -> Path:
        """Return the file as it stands."""
        return partial


class DelimitedWriter:
    """CSV and TSV: UTF-8, quoted where needed, lines end in a newline alone."""

    def __init__(
        self, columns: Columns, *, delimiter: str, compress: bool = False, raw: bool = False
    ) -> None:
        self._names = [*(columns.given or {}), *columns.added]
        self._delimiter, self._compress = delimiter, compress
        self._safe = _as_is if raw else inert

    def header(self) -> bytes:
        """Return the line of column names."""
        return self._lines([[self._safe(name) for name in self._names]])

    def rows(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return one quoted line for each row."""
        cells = [[_cell(row.get(name)) for name in self._names] for row in rows]
        safe = [[self._safe(cell) for cell in row] for row in cells]
        guarded = sum(map(ne, chain.from_iterable(cells), chain.from_iterable(safe)))
        return self._lines(safe), guarded

    def seal(self, partial: Path, whole: Path) -> Path:
        """Return the file as it stands."""
        return partial

    def _lines(self, cells: list[list[str]]) -> bytes:
        sink = _Newlines()
        csv.writer(sink, delimiter=self._delimiter, lineterminator="\r\n").writerows(cells)
        return _packed("".join(sink.lines), compress=self._compress)


class _Newlines:
    """Takes the lines of csv.writer, which quotes a lone carriage return only if its own lines end in one."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line[:-2] + "\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    text = json_text(value)
    # Dates and the like come back from JSON as a quoted string: a cell needs no such quotes.
    return text[1:-1] if text.startswith('"') else text


def _as_is(text: str) -> str:
    return text


class ColumnarWriter:
    """Parquet and Arrow: typed columns."""

    def __init__(self, columns: Columns, name: str) -> None:
        self._name = name
        given = {} if columns.schema is not None else dict(columns.given or {})
        self._kinds = {**given, **columns.added}
        self._schema = _schema(columns)

    def header(self) -> bytes:
        """Return the schema, as an Arrow stream begins."""
        return bytes(self._schema.serialize())

    def rows(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return one record batch."""
        import pyarrow

        if not rows:
            return b"", 0
        texts = [name for name, kind in self._kinds.items() if kind == "json"]
        if texts:
            rows = [
                {**row, **{name: json_text(row[name]) for name in texts if row.get(name) is not None}}
                for row in rows
            ]
        try:
            batch = pyarrow.RecordBatch.from_pylist(rows, schema=self._schema)
        except (pyarrow.ArrowException, OverflowError) as error:
            raise DataError(
                f"the rows do not fit the columns of a {self._name} file: {error}; "
                "hint: write JSON Lines instead, with --output-format jsonl"
            ) from error
        return bytes(batch.serialize()), 0

    def seal(self, partial: Path, whole: Path) -> Path:
        """Turn the stream into the format."""
        import pyarrow.ipc

        with (
            partial.open("rb") as source,
            whole.open("wb") as sink,
            pyarrow.ipc.open_stream(source) as stream,
        ):
            if self._name == "arrow":
                self._arrow(stream, sink)
            else:
                self._parquet(stream, sink)
        return whole

    def _arrow(self, stream: Any, sink: IO[bytes]) -> None:
        import pyarrow.ipc

        with pyarrow.ipc.new_file(sink, self._schema) as writer:
            for batch in stream:
                writer.write_batch(batch)

    def _parquet(self, stream: Any, sink: IO[bytes]) -> None:
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(sink, self._schema, compression="zstd") as writer:
            for table in _row_groups(stream):
                writer.write_table(table, row_group_size=len(table))


def _row_groups(stream: Any) -> Iterator[Any]:
    """Gather the batches of a stream into tables of a good size for reading."""
    import pyarrow

    waiting: list[Any] = []
    rows = size = 0
    for batch in stream:
        waiting.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= _ROW_GROUP or size >= _ROW_GROUP_BYTES:
            yield pyarrow.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pyarrow.Table.from_batches(waiting)


def _schema(columns: Columns) -> Any:
    import pyarrow

    text = pyarrow.string()
    types = {
        "string": text,
        "json": text,
        "bool": pyarrow.bool_(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
    }
    if columns.schema is None:
        fields = [(name, types[kind]) for name, kind in (columns.given or {}).items()]
    else:
        # Without the metadata: it describes the input's columns only, and would mislead readers about the new
        # ones.
        fields = [(field.name, _undictionaried(field.type)) for field in columns.schema]
    fields += [(name, types[kind]) for name, kind in columns.added.items()]
    return pyarrow.schema(fields)


def _undictionaried(kind: Any) -> Any:
    """Return the type without dictionaries: their values would have to be known before the first chunk."""
    import pyarrow

    if pyarrow.types.is_dictionary(kind):
        return kind.value_type
    if pyarrow.types.is_struct(kind):
        return pyarrow.struct([(field.name, _undictionaried(field.type)) for field in kind])
    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_undictionaried(kind.value_type))
    return kind
