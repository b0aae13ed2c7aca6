"""Excel workbooks: a sheet's rows, with numbers, texts and truth values as they are, and dates as ISO text.

A row's number is its number in the sheet, counted from the header; rows without a value are skipped. Of a
formula the value that was last computed is read, and of merged cells only the first one holds the value.
"""

from __future__ import annotations

import json
import re
import shlex
import warnings
import zipfile
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import islice
from typing import Any

from nlpkit.data.formats.delimited import column_names, no_header
from nlpkit.data.likely_columns import columns_as, without_header
from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, require, unreadable
from nlpkit.errors import DataError, NlpkitError

LARGE = 64 << 20
"""Bytes of a part of the workbook, unpacked, from which its compression ratio is checked."""
LARGEST = 16 << 20
"""Bytes of a part that is held in memory as a tree."""
STRINGS = 512 << 20
"""Bytes of the texts of all cells, which are held in memory."""
DENSEST = 100
"""Times that a large part may be smaller packed than unpacked."""

_STREAMED = re.compile(r"worksheets/|pivotcache|externallinks|drawings/|media/", re.IGNORECASE)
_ROWS_OF_EXCEL = 1 << 20
_BLOCK = 256
_HEAD = 200
_ERROR = re.compile(
    r"#(N/A|DIV/0!|NAME\?|GETTING_DATA|(NULL|VALUE|REF|NUM|SPILL|CALC|FIELD|BLOCKED|UNKNOWN|CONNECT)!)"
)
_CONTROL = re.compile(r"_x(00[01][0-9A-Fa-f])_")
_OLD = b"\xd0\xcf\x11\xe0"

Cells = tuple[object, ...]


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header of a sheet, then its rows in order; `columns` must be among its names."""
    with _intact(file), _opened(file) as workbook, closing(_sheet_rows(_sheet(workbook, file))) as rows:
        head = list(islice(rows, _HEAD))
        if not head:
            raise DataError(f"{file.name}: is empty; expected a header and rows")
        names, before = _header(head, file, columns)
        values = columns_as([dict(zip(names, cells, strict=False)) for _, cells in head[1:]], names)
        require(columns, names, file=file.name, values=values)
        yield Header(columns=tuple(names), is_typed=True)
        checked = partial(_row, names=names, columns=frozenset(columns), file=file.name)
        for number, cells in head if before == 0 else head[1:]:
            yield checked(number - before, cells)
        for number, cells in rows:
            yield checked(number - before, cells)


def count(file: DataFile) -> int | None:
    """Return None: only reading shows how many rows there are."""
    return None


def _header(head: list[tuple[int, Cells]], file: DataFile, columns: Collection[str]) -> tuple[list[str], int]:
    """Return the names of the columns, and the number of the row that holds them; 0 where none does."""
    (number, cells), *rows = head
    if file.format == "xlsx-no-header":
        return [str(column) for column in range(1, max(len(cells) for _, cells in head) + 1)], 0
    names = column_names([_text(cell) for cell in cells], file.name)
    texts = [[_text(cell) for cell in cells] for _, cells in rows]
    full = [row + [""] * (len(names) - len(row)) for row in texts]
    if (options := without_header(names, full, columns)) is not None:
        format = replace(file, format="xlsx-no-header").full_format
        raise no_header(names, format, options, file.name)
    return names, number


def _row(
    number: int, cells: Cells, *, names: list[str], columns: frozenset[str], file: str
) -> Record | BadRow:
    fields = dict(zip(names, (*cells, *[None] * (len(names) - len(cells))), strict=False))
    if reason := _fault(cells, fields, columns):
        return BadRow(file=file, row=number, reason=reason, raw="\t".join(map(_text, cells)))
    return Record(fields=fields, file=file, row=number)


def _fault(cells: Cells, fields: dict[str, object], columns: frozenset[str]) -> str | None:
    """Say why a row cannot be used; None where it can."""
    if len(cells) > len(fields):
        return (
            f"a value in column {len(cells)}, where the header names {len(fields)}; "
            "hint: name the column in the header, or remove the value"
        )
    for name, value in fields.items():
        if name in columns and isinstance(value, str) and _ERROR.fullmatch(value):
            return f"column {name!r}: the cell holds the error {value}; hint: correct the formula"
        if reason := unreadable(value):
            return f"column {name!r}: {reason}"
    return None


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _sheet(workbook: Any, file: DataFile) -> Any:
    """Return the sheet that is named, else the only one that holds rows.

    Raises:
        DataError: there is no such sheet, none holds rows, or several do.
    """
    sheets = {sheet.title: sheet for sheet in workbook.worksheets}
    if file.sheet in sheets:
        return sheets[file.sheet]
    filled = [title for title, sheet in sheets.items() if _is_filled(sheet)]
    if not filled:
        raise DataError(f"{file.name}: holds no rows")
    if len(filled) == 1 and file.sheet is None:
        return sheets[filled[0]]
    fault = "several sheets hold rows:" if file.sheet is None else f"no sheet {file.sheet!r}; it holds"
    format = replace(file, sheet=filled[0]).full_format
    raise DataError(
        f"{file.name}: {fault} {', '.join(map(repr, filled))}; hint: name one, as with "
        f"--format {shlex.quote(format)} (in a config, format: {json.dumps(format, ensure_ascii=False)})"
    )


def _is_filled(sheet: Any) -> bool:
    with closing(_sheet_rows(sheet)) as rows:
        return next(rows, None) is not None


def _sheet_rows(sheet: Any) -> Generator[tuple[int, Cells]]:
    """Yield the rows that hold a value, each with its number, without the empty cells at its end."""
    sheet.reset_dimensions()  # what a file says of its size is often wrong
    rows = enumerate(sheet.iter_rows(max_row=_ROWS_OF_EXCEL, values_only=True), 1)
    while block := _next_rows(rows):
        for number, cells in block:
            values = tuple(map(_value, cells))
            width = next((at for at in range(len(values), 0, -1) if values[at - 1] is not None), 0)
            if width:
                yield number, values[:width]


def _next_rows(rows: Iterator[tuple[int, Cells]]) -> list[tuple[int, Cells]]:
    with warnings.catch_warnings():  # openpyxl warns of styles and rules that say nothing of the values
        warnings.simplefilter("ignore")
        return list(islice(rows, _BLOCK))


def _value(cell: object) -> object:
    if isinstance(cell, str):
        return _CONTROL.sub(lambda code: chr(int(code[1], 16)), cell) if "_x00" in cell else cell or None
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta) else cell


@contextmanager
def _intact(file: DataFile) -> Iterator[None]:
    """Turn whatever a damaged workbook raises into a DataError that names the file."""
    try:
        yield
    except NlpkitError:
        raise
    except PermissionError as error:
        raise DataError(f"{file.name}: cannot be read: {error.strerror}") from error
    except Exception as error:  # openpyxl lets through what its many parts raise on a damaged file
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
        raise DataError(
            f"{file.name}: damaged, or no Excel workbook at all: {reason}; hint: save it again, or as CSV"
        ) from error


@contextmanager
def _opened(file: DataFile) -> Iterator[Any]:
    from openpyxl import load_workbook

    if file.path is None:
        raise DataError("standard input: a workbook cannot be read from a pipe; hint: save it to a file")
    with file.path.open("rb") as opened:
        if opened.read(4) == _OLD:
            raise DataError(
                f"{file.name}: is a workbook of the old kind (.xls), or locked with a password; "
                "hint: save it as .xlsx without a password, or as CSV"
            )
        _refuse_bombs(opened, file.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            workbook = load_workbook(opened, read_only=True, data_only=True, keep_links=False)
        with closing(workbook):
            yield workbook


def _refuse_bombs(opened: Any, name: str) -> None:
    """Refuse a workbook of which a part would grow beyond measure; no part can be larger than it says.

    Raises:
        DataError: a part is too large.
    """
    with zipfile.ZipFile(opened) as archive:
        for part in archive.infolist():
            dense = part.file_size > LARGE and part.file_size > DENSEST * part.compress_size
            is_held = part.filename.endswith((".xml", ".rels")) and not _STREAMED.search(part.filename)
            most = STRINGS if "sharedstrings" in part.filename.casefold() else LARGEST
            if dense or (is_held and part.file_size > most):
                raise DataError(
                    f"{name}: its part {part.filename!r} unpacks to {part.file_size:,} bytes; "
                    "hint: save the rows as CSV"
                )
