"""CSV and TSV: every value is the text as it was written.

Rows are records, not lines: a quoted field may hold line ends. Blank lines are passed over. Spaces around
column names are dropped, and a column without a name is called by its number (`column 2`). A file whose rows
only fit another separator is read by that.
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any

from nlpkit.data.likely_columns import columns_as, without_header
from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, require, unreadable_text
from nlpkit.data.text_files import count_lines, encoding_hint, parsed_text
from nlpkit.errors import DataError

FIELD_LIMIT = 64 << 20
"""Characters in one field; a longer one means a quotation mark that is never closed."""

_BLOCK = 1 << 20
_START = 1 << 16
"""Characters from which the separator is found."""
_ROWS = 200
"""Rows from which it is found."""
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DIALECTS: dict[str, dict[str, Any]] = {
    "csv": {"delimiter": ","},
    "tsv": {"delimiter": "\t"},
    "tsv-plain": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
    "csv-no-header": {"delimiter": ","},
    "tsv-no-header": {"delimiter": "\t"},
}


class _Lines:
    """The lines of a text, read in blocks; `suspect` says that the row at hand may hold text that cannot be
    used.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.start = text.readlines(_START)
        """The first lines."""
        self._block: list[str] = []
        self._before = 0
        self._block_suspect = False
        self.suspect = False

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[str]]:
        # Checking a whole block at once costs next to nothing; checking each row would halve the speed.
        for block in chain([self.start], iter(lambda: self._text.readlines(_BLOCK), [])):
            self._before, self._block = self._before + len(self._block), block
            self._block_suspect = unreadable_text("".join(block)) is not None
            self.suspect = self.suspect or self._block_suspect
            yield block

    def last(self, number: int) -> str:
        """Return the line that was handed out last, given its number (from 1)."""
        return self._block[number - 1 - self._before].rstrip("\r\n")

    def row_done(self) -> None:
        """Forget what was suspect about the row at hand: a long one may have begun blocks ago."""
        self.suspect = self._block_suspect


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header of a file, then its rows in order; `columns` must be among its names."""
    return parsed_text(file, partial(_rows, file, columns))


def count(file: DataFile) -> int | None:
    """Estimate the number of rows by the line ends; None for standard input."""
    return None if file.path is None else max(0, count_lines(file.path) - _has_header(file))


def first_row(format: str, start: str) -> dict[str, object]:
    """Return the first row of a file that starts with a text; empty where the text does not hold it."""
    lines = list(io.StringIO(start, newline=""))
    names, values = islice(chain(_sample(lines, _dialect(lines, format)), ([], [])), 2)
    return {name.strip(): value for name, value in zip(names, values, strict=False)}


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    lines = _Lines(text)
    dialect = _dialect(lines.start, file.format)
    reader = _reader(lines, dialect)
    first, *rows = [*_sample(lines.start, dialect)] or [[]]
    if _has_header(file) or not first:
        names = _header(reader, file)
    else:
        names = [str(number) for number, _ in enumerate(first, 1)]
    if _has_header(file) and (options := without_header(names, rows, columns)) is not None:
        format = f"{file.format.removesuffix('-plain')}-no-header"
        raise no_header(names, format, options, file.name)
    values = columns_as([dict(zip(names, row, strict=False)) for row in rows], names)
    require(columns, names, file=file.name, hint=_wrong_delimiter(names, dialect), values=values)
    yield Header(columns=tuple(names))
    yield from _records(reader, lines, names, file)


def _has_header(file: DataFile) -> bool:
    return not file.format.endswith("-no-header")


def _dialect(start: list[str], format: str) -> dict[str, Any]:
    """Return how a file is to be read: by its format's separator, unless its rows only fit another one."""
    usual = _DIALECTS[format]
    if not any(_fit(_sample(start, usual))):
        for mark in _SEPARATORS:
            candidate = usual | {"delimiter": mark}
            if (fits := _fit(_sample(start, candidate))) and all(fits):
                return candidate
    return usual


def _fit(rows: Iterator[list[str]]) -> list[bool]:
    """Return for each row after the first whether it has the same number of fields, which is 2 or more."""
    first = next(rows, [])
    return [len(row) == len(first) > 1 for row in rows]


def _sample(start: list[str], dialect: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the first rows, until one that cannot be read."""
    try:
        yield from islice(filter(None, _reader(start, dialect)), _ROWS)
    except csv.Error:
        return


def _reader(lines: Iterable[str], dialect: dict[str, Any]) -> Any:
    # The limit belongs to the whole process and applies while reading: it is only ever raised, and left so.
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_LIMIT))
    return csv.reader(lines, strict=True, **dialect)


def _header(reader: Any, file: DataFile) -> list[str]:
    try:
        names: list[str] = next((values for values in reader if values), [])
    except csv.Error as error:
        raise DataError(f"{file.name}, header: {_syntax(error, 1)}") from error
    if not names:
        raise DataError(f"{file.name}: is empty; expected a header and rows")
    for number, name in enumerate(names, 1):
        if reason := unreadable_text(name):
            guessable = "byte 0x" in reason and file.path and not file.encoding
            hint = encoding_hint(file.path) if guessable and file.path else ""
            raise DataError(f"{file.name}, header, column {number}: {reason}{hint}")
    return column_names(names, file.name)


def column_names(names: Collection[str], file: str) -> list[str]:
    """Return the names in a header without spaces around them; a column without one is called by its number.

    Raises:
        DataError: two columns have the same name.
    """
    clean = [name.strip() or f"column {number}" for number, name in enumerate(names, 1)]
    if len(set(clean)) < len(clean):
        twice = next(name for number, name in enumerate(clean) if name in clean[:number])
        raise DataError(
            f"{file}, header: the column {twice!r} stands there twice; "
            "hint: give each column a name of its own"
        )
    return clean


def _records(reader: Any, lines: _Lines, names: list[str], file: DataFile) -> Iterator[Record | BadRow]:
    name, width, row, line = file.name, len(names), 0, reader.line_num + 1
    while True:
        try:
            for values in reader:
                if values:
                    row += 1
                    if len(values) == width and not lines.suspect:
                        yield Record(fields=dict(zip(names, values, strict=True)), file=name, row=row)
                    else:
                        yield _checked(values, names, line, file=name, row=row)
                        lines.row_done()
                line = reader.line_num + 1
            return
        except csv.Error as error:
            # Python's reader begins anew with the next line, so only this one is lost.
            row += 1
            reason = _syntax(error, line)
            if _never_closed(error):
                raise DataError(f"{name}, row {row}: {reason}") from error
            yield BadRow(file=name, row=row, reason=reason, raw=lines.last(reader.line_num))
            lines.row_done()
            line = reader.line_num + 1


def _checked(values: list[str], names: list[str], line: int, *, file: str, row: int) -> Record | BadRow:
    reason = None
    if len(values) != len(names):
        reason = (
            f"line {line}: expected {len(names)} fields, found {len(values)}; "
            "hint: quote fields that hold the separator"
        )
    else:
        for column, value in zip(names, values, strict=True):
            if fault := unreadable_text(value):
                reason = f"line {line}, column {column!r}: {fault}"
                break
    if reason is None:
        return Record(fields=dict(zip(names, values, strict=True)), file=file, row=row)
    return BadRow(file=file, row=row, reason=reason, raw=_as_csv(values))


def _as_csv(values: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue()


def _never_closed(error: csv.Error) -> bool:
    return "unexpected end of data" in str(error) or "field larger than" in str(error)


def _syntax(error: csv.Error, line: int) -> str:
    if _never_closed(error):
        return (
            f"line {line}: a quotation mark is opened and never closed; "
            "hint: close it, or double it where it is part of the text"
        )
    if "expected after" in str(error):
        return (
            f"line {line}: a quoted field goes on after its closing quotation mark; "
            "hint: double the quotation marks inside it "
            "(or, where a tab-separated file has no quoting, --format tsv-plain)"
        )
    return f"line {line}: {error}"


def no_header(names: list[str], format: str, options: str, file: str) -> DataError:
    """Return the error about a first row that looks like data, with the format and options that read it."""
    first = ", ".join(repr(name[:40]) for name in names[:4])
    return DataError(
        f"{file}: the first row looks like data, not like column names: {first}; "
        f"hint: --format {shlex.quote(format)}{options} (in a config, format: {format} and column numbers)"
    )


def _wrong_delimiter(names: list[str], dialect: dict[str, Any]) -> str:
    """Return a hint where the whole header came out as one column with another separator in it."""
    used = dialect["delimiter"]
    likely = next((mark for mark in _SEPARATORS if mark != used and mark in names[0]), None)
    if len(names) > 1 or likely is None:
        return ""
    hint = {",": "say --format csv", "\t": "say --format tsv"}.get(likely, "save the file with commas")
    return (
        f"; the header seems to be separated by {_SEPARATORS[likely]}, not {_SEPARATORS[used]}; hint: {hint}"
    )
