"""Files that hold rows: which format, how they are opened, and what they are when they are not what their name says."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from typing import BinaryIO, cast

from nlpkit.data.encoding import START, encoding_for, errors_for, marked_encoding, open_bytes
from nlpkit.errors import ConfigError, DataError, nearest

FORMATS = {
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "tsv-plain": (),  # tabs, and quotation marks that mean nothing
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather"),
}
"""Format -> the endings of names that tell it."""

PACKED = ("csv", "tsv", "tsv-plain", "jsonl")
"""Formats that may be gzip-compressed as a whole (`reviews.csv.gz`)."""

_BY_SUFFIX = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
_READABLE = ", ".join([*_BY_SUFFIX, "the text ones also with .gz"])

_MAGIC = (
    (b"\x1f\x8b", "is gzip-compressed; cure: let its name end in .gz"),
    (b"PAR1", "is a Parquet file; cure: let its name end in .parquet"),
    (b"ARROW1\0", "is an Arrow file; cure: let its name end in .arrow"),
    (b"PK\x03\x04", "is a zip archive or an Excel workbook; cure: unpack it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an Excel or Word file; cure: save it as CSV"),
    (b"%PDF", "is a PDF"),
    (b"\x89PNG", "is a picture"),
    (b"SQLite format 3", "is a SQLite database; cure: export the table as CSV"),
    (b"(\xb5/\xfd", "is zstd-compressed; cure: unpack it"),
    (b"BZh91AY", "is bzip2-compressed; cure: unpack it"),
    (b"\xfd7zXZ", "is xz-compressed; cure: unpack it"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """One file of rows, or standard input (`path` is None), with what was said about it."""

    path: Path | None
    name: str
    format: str
    encoding: str | None = None


def format_of(path: Path | str) -> str:
    """The format that a file's name tells: csv, tsv, jsonl, parquet or arrow; for a folder, `folder`.

    Raises:
        ConfigError: it is standard input, which has no name.
        DataError: the ending is not known.
    """
    if str(path) == "-":
        raise ConfigError(
            f"standard input has no name to tell its format; say it: --format {'|'.join(FORMATS)}"
        )
    path = Path(path)
    if isdir(path):
        return "folder"
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    found = _BY_SUFFIX.get(suffix)
    if found is None:
        ending = f"the ending {suffix!r}" if suffix else "a name without an ending"
        raise DataError(
            f"{path}: {ending} does not tell the format; expected {_READABLE}; cure: say it, --format"
        )
    if packed and found not in PACKED:
        raise DataError(f"{path}: a {found} file compresses its own columns; cure: unpack it with gunzip")
    return found


def data_file(path: Path | str, *, format: str | None, encoding: str | None) -> DataFile:
    """The file, with its format; it exists.

    Raises:
        ConfigError: an unknown format was said, or none for standard input.
        DataError: there is no such file, or its name does not tell the format.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(
            f"format {format!r} is not known{nearest(format, FORMATS)}; expected one of {', '.join(FORMATS)}"
        )
    if str(path) == "-":
        return DataFile(path=None, name="standard input", format=format or format_of(path), encoding=encoding)
    path = Path(path)
    exists(path)
    return DataFile(path=path, name=str(path), format=format or format_of(path), encoding=encoding)


def exists(path: Path) -> None:
    """Nothing, where the path exists.

    Raises:
        DataError: it does not; the message holds the nearest name beside it.
    """
    try:
        if path.exists():
            return
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else None
    except (OSError, ValueError) as error:  # a name with a NUL, a folder that may not be looked into
        raise DataError(f"{path}: cannot be opened: {error}") from error
    if beside is None:
        raise DataError(f"{path}: no such file: the folder {path.parent} does not exist")
    raise DataError(f"{path}: no such file{nearest(path.name, beside)}")


@contextmanager
def readable(file: DataFile) -> Iterator[None]:
    """Turns what goes wrong while a file is read into a DataError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file.name}: the gzip data is cut short or damaged ({error}); cure: fetch the file again"
        ) from error
    except UnicodeError as error:
        raise DataError(
            f"{file.name}: not {file.encoding or 'UTF-8'} text ({error}); cure: say the encoding, --encoding"
        ) from error
    except OSError as error:
        raise DataError(f"{file.name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def opened_bytes(file: DataFile) -> Iterator[io.BufferedReader]:
    """The bytes of a text file, which has been looked at: it is text. Standard input is left open."""
    stream: BinaryIO = sys.stdin.buffer if file.path is None else open_bytes(file.path)
    peekable = isinstance(stream, io.BufferedReader)
    buffered = cast(
        "io.BufferedReader", stream if peekable else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    try:
        _refuse_binary(buffered.peek(START)[:START], file)
        yield buffered
    finally:
        if file.path is not None:
            stream.close()
        elif not peekable:
            buffered.detach()


@contextmanager
def opened_text(file: DataFile, *, newline: str) -> Iterator[io.TextIOWrapper]:
    """The text of a file; bytes that do not fit the encoding are carried as lone surrogates."""
    with opened_bytes(file) as stream:
        encoding = encoding_for(stream.peek(4), file.encoding)
        text = io.TextIOWrapper(stream, encoding=encoding, errors=errors_for(encoding), newline=newline)
        try:
            yield text
        finally:
            # The wrapper would close standard input when it is collected.
            text.detach()


def _refuse_binary(start: bytes, file: DataFile) -> None:
    for magic, what in _MAGIC:
        if start.startswith(magic):
            raise DataError(f"{file.name}: expected {file.format} text, but it {what}")
    said = (file.encoding or marked_encoding(start) or "").lower().replace("_", "-")
    wide = said.startswith(("utf-16", "utf-32", "utf16", "utf32"))
    # A stray control character belongs to its row; a file full of them is no text at all.
    control = len(start) - len(start.translate(None, bytes([*range(9), *range(14, 27), *range(28, 32)])))
    if not wide and control * 10 > len(start):
        raise DataError(
            f"{file.name}: expected {file.format} text, found binary data (if it is UTF-16, say --encoding utf-16-le)"
        )
