"""The table of readers, and how the format of a file is found: by its content, else by its name.

A format is one module in `formats/` and its row in READERS. Its `stream` yields the header of a file, then
its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from os.path import isdir  # unlike Path.is_dir, also answers for names that no file can have
from pathlib import Path

from nlpkit.data.formats import (
    columnar,
    delimited,
    json_document,
    json_lines,
    labeled_lines,
    labeling_tools,
    xlsx,
)
from nlpkit.data.formats.conversation_exports import EXPORTS, unread
from nlpkit.data.rows import DataFile, Header, Record, Stream
from nlpkit.data.text_files import start_of
from nlpkit.errors import ConfigError, DataError, nearest


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A file format: how its names end, and what reads it."""

    name: str
    endings: tuple[str, ...]
    """The endings of names that stand for it; none where only its content or the user says so."""
    stream: Callable[[DataFile, Collection[str]], Stream]
    """Yields the header, then the rows; the columns that are named must be there. A mapping of columns says
    which option names each."""
    count: Callable[[DataFile], int | None]
    """The number of rows, exact or estimated; None where only reading shows it."""
    is_text: bool = True
    """Whether a file may be gzip-compressed as a whole (`reviews.csv.gz`)."""
    is_regular: bool = True
    """Whether every row has the columns of the header."""
    found_in: tuple[str, ...] = ()
    """The endings of names under which it is found by its content."""
    fits: Callable[[str], bool] = lambda start: False
    """Whether a file that starts with this text is certainly of this format."""
    fits_folder: Callable[[Path], bool] | None = None
    """Whether a folder is certainly one export in this format; None where only files are read."""
    recognizes: Callable[[Mapping[str, object]], bool] | None = None
    """Whether the first row of a JSON, CSV or TSV file shows for certain that the file is of this format."""


READERS = {
    reader.name: reader
    for reader in (
        Reader(name="csv", endings=(".csv",), stream=delimited.stream, count=delimited.count),
        Reader(name="tsv", endings=(".tsv", ".tab"), stream=delimited.stream, count=delimited.count),
        # tabs, and quotation marks that mean nothing
        Reader(name="tsv-plain", endings=(), stream=delimited.stream, count=delimited.count),
        # columns are called by their numbers, from 1
        Reader(name="csv-no-header", endings=(), stream=delimited.stream, count=delimited.count),
        Reader(name="tsv-no-header", endings=(), stream=delimited.stream, count=delimited.count),
        # one text a line
        *(
            Reader(name=name, endings=(), stream=labeled_lines.stream, count=labeled_lines.count)
            for name in labeled_lines.FORMATS
        ),
        Reader(
            name="jsonl",
            endings=(".jsonl", ".ndjson"),
            stream=json_lines.stream,
            count=json_lines.count,
            is_regular=False,
        ),
        Reader(
            name="json",
            endings=(".json",),
            stream=json_document.stream,
            count=json_document.count,
            is_regular=False,
        ),
        # exports of labeling tools
        *(
            Reader(
                name=name,
                endings=(),
                stream=labeling_tools.stream,
                count=labeling_tools.count,
                is_regular=False,
                recognizes=recognizes,
            )
            for name, (_, recognizes) in labeling_tools.FORMATS.items()
        ),
        Reader(
            name="parquet",
            endings=(".parquet", ".pq"),
            stream=columnar.stream,
            count=columnar.count,
            is_text=False,
        ),
        Reader(
            name="arrow",
            endings=(".arrow", ".feather"),
            stream=columnar.stream,
            count=columnar.count,
            is_text=False,
        ),
        # exports and data sets of conversations, found by their content
        *(
            Reader(
                name=export.name,
                endings=(),
                stream=export.stream,
                count=lambda file: None,
                found_in=export.found_in,
                fits=export.fits,
                fits_folder=export.fits_folder,
            )
            for export in EXPORTS
        ),
        # a colon and a sheet's name may follow; `.xls` names a workbook of either kind
        Reader(
            name="xlsx",
            endings=(".xlsx", ".xlsm", ".xls"),
            stream=xlsx.stream,
            count=xlsx.count,
            is_text=False,
        ),
        Reader(name="xlsx-no-header", endings=(), stream=xlsx.stream, count=xlsx.count, is_text=False),
    )
}
"""Format -> what reads it."""

ENDINGS = {ending: reader.name for reader in READERS.values() for ending in reader.endings}
"""Ending of a name -> the format that it stands for."""

FOLDERS = frozenset(reader.name for reader in READERS.values() if reader.fits_folder)
"""Formats of which a whole folder is one export."""


def data_file(path: Path | str, *, format: str | None, encoding: str | None) -> DataFile:
    """Find the format of a file that exists.

    Raises:
        ConfigError: an unknown format was asked for, or none for standard input.
        DataError: there is no such file, or its name does not show the format.
    """
    format, sheet = (None, None) if format is None else split_format(format)
    if format is not None and format not in READERS:
        raise ConfigError(
            f"format {format!r} is not known{nearest(format, READERS)}; expected one of {', '.join(READERS)}"
        )
    if str(path) == "-":
        return DataFile(path=None, name="standard input", format=format or format_of(path), encoding=encoding)
    path = Path(path)
    exists(path)
    if format is None:
        return by_content(DataFile(path=path, name=str(path), format=format_of(path), encoding=encoding))
    return DataFile(path=path, name=str(path), format=format, encoding=encoding, sheet=sheet)


SHOWN_BY_CONTENT = ("csv", "tsv", "json", "jsonl")
"""Formats of which a first row may show that the file is of another one."""


def by_content(file: DataFile) -> DataFile:
    """Return a file with the format that its first row shows, where that is certain, else with its own."""
    if file.format not in SHOWN_BY_CONTENT or file.path is None or not file.path.is_file():
        return file
    try:
        with closing(rows_of(file, columns=())) as rows:
            fields = next((row.fields for row in rows if isinstance(row, Record)), {})
    except DataError:  # whoever reads the file will say so
        return file
    names = (reader.name for reader in READERS.values() if reader.recognizes and reader.recognizes(fields))
    return replace(file, format=next(names, file.format))


def split_format(format: str) -> tuple[str, str | None]:
    """Split a format such as `xlsx:2026` into its name and the sheet of a workbook, where it names one."""
    name, mark, sheet = format.partition(":")
    return (name, sheet) if mark and name in xlsx.FORMATS else (format, None)


def format_of(path: Path | str) -> str:
    """Return the format that a file's name stands for, such as csv; for a folder, `folder`.

    Raises:
        ConfigError: it is standard input, which has no name.
        DataError: the ending is not known.
    """
    if str(path) == "-":
        raise ConfigError(
            f"standard input has no name that shows its format; hint: say it, --format {'|'.join(READERS)}"
        )
    path = Path(path)
    return format_by_content(path) or ("folder" if isdir(path) else format_by_ending(path))


def format_by_content(path: Path) -> str | None:
    """Return the format that a file or a folder is certainly of by what it holds; None where that is open."""
    if isdir(path):
        return next(
            (reader.name for reader in READERS.values() if reader.fits_folder and reader.fits_folder(path)),
            None,
        )
    likely = [reader for reader in READERS.values() if _suffix(path) in reader.found_in]
    start = start_of(path) if likely and path.is_file() else ""  # a pipe would be waited for
    return next((reader.name for reader in likely if reader.fits(start)), None)


def _suffix(path: Path) -> str:
    """Return the ending of a name, without .gz."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def format_by_ending(path: Path) -> str:
    """Return the format that the ending of a file's name stands for, whether or not there is such a file.

    Raises:
        DataError: the ending is not known.
    """
    packed, suffix = path.suffix.lower() == ".gz", _suffix(path)
    format = ENDINGS.get(suffix)
    if format is None:
        if reason := unread(suffix, start_of(path) if path.is_file() else ""):
            raise DataError(f"{path}: {reason}")
        ending = f"the ending {suffix!r}" if suffix else "a name without an ending"
        known = ", ".join([*ENDINGS, "the text ones also with .gz"])
        raise DataError(
            f"{path}: {ending} does not show the format; expected {known}; "
            f"hint: say it, as with --format {_likely(path)}"
        )
    if packed and not READERS[format].is_text:
        raise DataError(f"{path}: a {format} file compresses its own columns; hint: unpack it with gunzip")
    return format


def _likely(path: Path) -> str:
    """Return the format of lines that a file seems to be of by its first line; csv where there is none."""
    if not path.is_file():  # a pipe would be waited for
        return "csv"
    try:
        with path.open(encoding="utf-8") as text:
            return labeled_lines.likely(text.readline(1 << 12).rstrip("\n"))
    except (OSError, ValueError):
        return "csv"


def exists(path: Path) -> None:
    """Check that a path exists.

    Raises:
        DataError: it does not; the message holds the nearest name in its folder.
    """
    try:
        if path.exists():
            return
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else None
    except (OSError, ValueError) as error:  # a name with a NUL, a folder that may not be read
        raise DataError(f"{path}: cannot be opened: {error}") from error
    if names is None:
        raise DataError(f"{path}: no such file: the folder {path.parent} does not exist")
    raise DataError(f"{path}: no such file{nearest(path.name, names)}")


def header_of(file: DataFile) -> Header:
    """Read the header of a file.

    Raises:
        DataError: it cannot be read.
    """
    with closing(READERS[file.format].stream(file, ())) as stream:
        return header_from(stream)


def count_file(file: DataFile) -> int | None:
    """Count the rows of a file, exactly or by estimate; None for standard input."""
    return READERS[file.format].count(file)


def rows_of(file: DataFile, *, columns: Collection[str]) -> Stream:
    """Yield the rows of a file or of standard input, good and bad, in order, without the header."""
    stream = READERS[file.format].stream(file, columns)
    header_from(stream)
    yield from stream


def header_from(stream: Stream) -> Header:
    """Take the header off a stream; the rest are rows."""
    header = next(stream)
    if not isinstance(header, Header):
        raise TypeError(f"a reader's stream began with {header!r}; expected its header")
    return header
