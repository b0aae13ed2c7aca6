"""Records: rows of a file or a folder, streamed, each with the place that it came from.

* read_records
  x delimited     CSV, TSV: every value is text, exactly as written ("NA", "null" and "007" too)
  x json_lines    JSON types
  x columnar      Parquet, Arrow: Python values
  x folders       files of one format, data sets saved by `datasets`

A row with a NUL character, half a character or bytes that do not fit the encoding is a bad row, whatever the format.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os.path import isdir  # unlike Path.is_dir, also answers for names that no file can have
from pathlib import Path
from types import ModuleType
from typing import Literal

from nlpkit.data.encoding import advice, detect_encoding
from nlpkit.data.files import DataFile, data_file, exists, format_of
from nlpkit.data.rows import BadRow, Record, printable, unreadable_text
from nlpkit.errors import DataError, nearest

__all__ = [
    "BadRow",
    "Record",
    "columns_of",
    "count_rows",
    "detect_encoding",
    "format_of",
    "read_records",
    "text_of",
]

_COUNTED = 8 << 20
"""Bytes of a text file that are counted; the rows of a larger one are estimated from them."""


def read_records(
    path: Path | str,
    *,
    format: str | None = None,
    encoding: str | None = None,
    columns: Sequence[str] = (),
    on_bad: Callable[[BadRow], None] | None = None,
) -> Iterator[Record]:
    """The records of a file, a folder or standard input (`-`), in order and in constant memory.

    Args:
        path: what to read.
        format: csv, tsv, tsv-plain (quotation marks mean nothing), jsonl, parquet or arrow; default: as the name tells.
        encoding: of text files; default: as the byte order mark tells, else UTF-8.
        columns: what must be there; a row of a JSON Lines file that lacks one is a bad row.
        on_bad: is given each bad row, which is then passed over; default: the first one is an error.

    Raises:
        DataError: the file cannot be read, lacks a column, holds no rows, or a row is bad; a quotation mark that is never closed
            ends the reading whatever `on_bad` is, because where the next row begins cannot be known.
        ConfigError: the format or the encoding that was said is not known.
    """
    if isdir(path):
        return _good(_folder_rows(Path(path), format, encoding, columns), str(path), encoding, on_bad)
    file = data_file(path, format=format, encoding=encoding)
    return _good(_reader(file).rows(file, columns=columns), file.name, encoding, on_bad)


def columns_of(path: Path | str, *, format: str | None = None, encoding: str | None = None) -> list[str]:
    """The column names; of JSON Lines the keys of the first 20 rows. Standard input cannot be asked: it can be read only once."""
    path = Path(path)
    if not isdir(path):
        file = data_file(path, format=format, encoding=encoding)
        if file.path is None:
            raise DataError("standard input: its columns cannot be known before its rows are read")
        return list(_reader(file).header(file))
    from nlpkit.data.formats import dataset_folders

    if dataset_folders.is_saved(path):
        return dataset_folders.saved_columns(path)
    files = dataset_folders.files_in(path, format=format, encoding=encoding)
    return list(_reader(files[0]).header(files[0])) if files else dataset_folders.other_columns(path)


def count_rows(path: Path | str, *, format: str | None = None) -> int | None:
    """How many rows there are, for a progress bar: exact for Parquet, Arrow and saved data sets, else an estimate from line ends.

    The estimate counts quoted line ends too and, of files over 8 MiB, only the first 8. None for standard input and where only
    reading tells.
    """
    path = Path(path)
    if not isdir(path):
        file = data_file(path, format=format, encoding=None)
        return _count(file)
    from nlpkit.data.formats import dataset_folders

    if dataset_folders.is_saved(path):
        return dataset_folders.saved_count(path)
    counts = [_count(file) for file in dataset_folders.files_in(path, format=format, encoding=None)]
    known = [one for one in counts if one is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def text_of(record: Record, column: str, *, empty: Literal["refuse", "allow"] = "refuse") -> str:
    """The text of a record, exactly as it is.

    Raises:
        DataError: the column is missing or holds no text (a number is none), or text that cannot be used, or nothing but space.
    """
    value = record.fields.get(column, record)
    if isinstance(value, str):
        # Most text passes both looks at once; only the rest is looked at more closely.
        if (not value.isascii() or "\0" in value) and (reason := unreadable_text(value)):
            raise DataError(f"{record.where}, column {column!r}: {reason}")
        if empty == "refuse" and not value.strip():
            raise DataError(
                f"{record.where}, column {column!r}: the text is empty; cure: fill it, or remove the row"
            )
        return value
    if value is record:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    raise DataError(f"{record.where}, column {column!r}: expected text, found {kind_of(value)}")


def kind_of(value: object) -> str:
    """What a value that is not text is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value!r:.40}; cure: write it as text"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"


def _reader(file: DataFile) -> ModuleType:
    """The module that reads the format; pyarrow is imported only where it is needed."""
    if file.format in ("parquet", "arrow"):
        from nlpkit.data.formats import columnar

        return columnar
    from nlpkit.data.formats import delimited, json_lines

    return json_lines if file.format == "jsonl" else delimited


def _good(
    rows: Iterator[Record | BadRow], name: str, encoding: str | None, on_bad: Callable[[BadRow], None] | None
) -> Iterator[Record]:
    empty = True
    for one in rows:
        empty = False
        if type(one) is Record:
            yield one
        elif isinstance(one, BadRow):
            if on_bad is None:
                raise DataError(f"{one.where}: {one.reason}{_cure(one, encoding)}")
            on_bad(replace(one, raw=printable(one.raw)))
    if empty:
        raise DataError(f"{name}: holds no rows")


def _cure(bad: BadRow, encoding: str | None) -> str:
    if "does not fit the encoding" not in bad.reason:
        return ""
    if encoding is not None:
        return f" {encoding}; cure: say another, --encoding"
    return advice(Path(bad.file)) if Path(bad.file).is_file() else "; cure: say the encoding, --encoding"


def _folder_rows(
    folder: Path, format: str | None, encoding: str | None, columns: Sequence[str]
) -> Iterator[Record | BadRow]:
    from nlpkit.data.formats import dataset_folders

    if dataset_folders.is_saved(folder):
        yield from dataset_folders.saved_rows(folder, columns=columns)
        return
    files = dataset_folders.files_in(folder, format=format, encoding=encoding)
    if not files:
        yield from dataset_folders.other_rows(folder, columns=columns)
        return
    # Keys of JSON Lines may differ from row to row; columns of tables may not differ from file to file.
    first = _reader(files[0]).header(files[0])
    for file in files[1:]:
        if file.format != "jsonl" and (found := _reader(file).header(file)) != first:
            raise DataError(
                f"{file.name}: expected the columns of {files[0].name} ({', '.join(first)}), found {', '.join(found)}"
            )
    for file in files:
        yield from _reader(file).rows(file, columns=columns)


def _count(file: DataFile) -> int | None:
    if file.path is None:
        return None
    exists(file.path)
    if file.format in ("parquet", "arrow"):
        from nlpkit.data.formats import columnar

        return columnar.count(file)
    return _count_lines(file.path, header=0 if file.format == "jsonl" else 1)


def _count_lines(path: Path, *, header: int) -> int:
    try:
        size = path.stat().st_size
        with path.open("rb") as packed:
            if path.suffix.lower() == ".gz":
                with gzip.open(packed) as unpacked:
                    start = unpacked.read(_COUNTED)
                read = packed.tell()
            else:
                start = packed.read(_COUNTED)
                read = len(start)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    lines = max(start.count(b"\n"), start.count(b"\r"))
    lines += bool(start) and not start.endswith((b"\n", b"\r"))
    return max(0, round(lines * max(1.0, size / max(read, 1))) - header)
