"""Records: rows of a file or a folder, streamed, each with the place that it came from.

* read_records
  x readers            one file or standard input, by the table of readers
    x delimited        CSV, TSV: every value is text, exactly as written ("NA", "null" and "007" too)
    x labeled_lines    one text a line, with or without its label
    x json_lines       JSON types
    x json_document    JSON types: an array of rows, or an object that holds it under a key
    x labeling_tools   exports of Label Studio, doccano, Argilla, Prodigy: a label a row
    x xlsx             Excel: JSON types; dates are text
    x columnar         Parquet, Arrow: Python values
    x conversation_exports  chats, and data sets of dialogues: a row a message
  x dataset_folders    files of one format, data sets saved by `datasets`

A row with a NUL character, half a character or bytes that do not fit the encoding is a bad row, whatever the
format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from os.path import isdir  # unlike Path.is_dir, also answers for names that no file can have
from pathlib import Path
from typing import Literal

from nlpkit.data import dataset_folders
from nlpkit.data.file_format import format_of
from nlpkit.data.good_rows import OnBad, OnLeftOut, good_rows
from nlpkit.data.opened_file import find_file, header_of, rows_of
from nlpkit.data.readers import FOLDERS, READERS
from nlpkit.data.rows import BadRow, Record, unreadable_text
from nlpkit.data.text_files import detect_encoding
from nlpkit.errors import DataError, nearest

__all__ = [
    "BadRow",
    "Record",
    "columns_of",
    "count_rows",
    "detect_encoding",
    "read_records",
    "text_of",
]


def read_records(
    path: Path | str,
    *,
    format: str | None = None,
    encoding: str | None = None,
    columns: Collection[str] = (),
    on_bad: OnBad | None = None,
    on_left_out: OnLeftOut | None = None,
) -> Iterator[Record]:
    """Yield the records of a file, a folder or standard input (`-`), in order and in constant memory.

    Args:
        path: what to read.
        format: a name of the table of readers, such as csv, tsv-plain (quotation marks mean nothing) or
            csv-no-header; default: as the name shows.
        encoding: of text files; default: as the byte order mark shows, else UTF-8.
        columns: what must be there, or a mapping from it to the option that names it, for hints; a row of
            JSON Lines that lacks one is a bad row.
        on_bad: is given each bad row, which is then skipped; default: the first one is an error.
        on_left_out: is given what the reader of a format passes over, such as the service messages of a chat;
            default: it is logged as a warning.

    Raises:
        DataError: the file cannot be read, lacks a column, holds no rows, or a row is bad; a quotation mark
            that is never closed ends the reading whatever `on_bad` is, because where the next row begins
            cannot be known.
        ConfigError: the format or the encoding that was asked for is not known.
    """
    if _is_folder(path, format):
        rows = dataset_folders.rows_in(Path(path), format=format, encoding=encoding, columns=columns)
        return good_rows(rows, str(path), encoding, on_bad, on_left_out)
    file = find_file(path, format=format, encoding=encoding)
    return good_rows(rows_of(file, columns=columns), file.name, encoding, on_bad, on_left_out)


def _is_folder(path: Path | str, format: str | None) -> bool:
    """Find out whether a path is a folder of files, each read by itself."""
    return isdir(path) and (format or format_of(Path(path))) not in FOLDERS


def columns_of(path: Path | str, *, format: str | None = None, encoding: str | None = None) -> list[str]:
    """List the column names; of JSON Lines the keys of the first 20 rows.

    Raises:
        DataError: the file cannot be read, or is standard input, which can be read only once.
    """
    if _is_folder(path, format):
        return dataset_folders.columns_in(Path(path), format=format, encoding=encoding)
    file = find_file(path, format=format, encoding=encoding)
    if file.path is None:
        raise DataError("standard input: its columns cannot be known before its rows are read")
    return list(header_of(file).columns)


def count_rows(path: Path | str, *, format: str | None = None) -> int | None:
    """Count the rows, for a progress bar: exact for Parquet, Arrow and saved data sets, else estimated from
    line ends.

    The estimate counts quoted line ends too and, of files over 8 MiB, only the first 8. None for standard
    input and where only reading shows it.
    """
    if _is_folder(path, format):
        return dataset_folders.count_in(Path(path), format=format)
    file = find_file(path, format=format)
    return READERS[file.format].count(file)


def text_of(record: Record, column: str, *, empty: Literal["refuse", "allow"] = "refuse") -> str:
    """Return the text of a record, exactly as it is.

    Raises:
        DataError: the column is missing or holds no text (a number is none), or text that cannot be used, or
            nothing but space.
    """
    value = record.fields.get(column, record)
    if isinstance(value, str):
        # Most text passes both checks at once; only the rest is checked more closely.
        if (not value.isascii() or "\0" in value) and (reason := unreadable_text(value)):
            raise DataError(f"{record.where}, column {column!r}: {reason}")
        if empty == "refuse" and not value.strip():
            raise DataError(
                f"{record.where}, column {column!r}: the text is empty; hint: fill it, or remove the row"
            )
        return value
    if value is record:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    raise DataError(f"{record.where}, column {column!r}: expected text, found {kind_of(value)}")


def name_of(record: Record, column: str) -> str:
    """Return the name or the number in a column, without space around it.

    Raises:
        DataError: the column is missing or holds neither.
    """
    value = record.fields.get(column)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        held = "nothing" if value is None or value == "" else kind_of(value)
        raise DataError(f"{record.where}, column {column!r}: expected a name or a number, found {held}")
    return str(value).strip()


def kind_of(value: object) -> str:
    """Say in words what a value that is not text is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value!r:.40}; hint: write it as text"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return f"a {type(value).__name__}"
