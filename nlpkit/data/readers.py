"""The table of readers, and a file opened by one: its format found and its header read once, its rows
streamed as often as needed.

A format is one module in `formats/` and its row in READERS. Its `stream` yields the header of a file, then
its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from os.path import isdir  # unlike Path.is_dir, also answers for names that no file can have
from pathlib import Path

from nlpkit.data.formats import columnar, delimited, json_document, json_lines, labeled_lines, xlsx
from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, printable
from nlpkit.data.text_files import encoding_hint
from nlpkit.errors import ConfigError, DataError, nearest

EMPTY = "holds no rows"

OnBad = Callable[[BadRow], None]
"""Takes a row that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A file format: how its names end, and what reads it."""

    name: str
    endings: tuple[str, ...]
    """The endings of names that stand for it; none where it is only read when asked for."""
    stream: Callable[[DataFile, Collection[str]], Stream]
    """Yields the header, then the rows; the columns that are named must be there. A mapping of columns says
    which option names each."""
    count: Callable[[DataFile], int | None]
    """The number of rows, exact or estimated; None where only reading shows it."""
    is_text: bool = True
    """Whether a file may be gzip-compressed as a whole (`reviews.csv.gz`)."""
    is_regular: bool = True
    """Whether every row has the columns of the header."""


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


@dataclass(frozen=True, kw_only=True)
class OpenedFile:
    """A file whose header was read and whose first row was found: its rows can be streamed from the start,
    again and again.

    Of standard input, which can be read only once, nothing was read yet: `header` is None.
    """

    file: DataFile
    header: Header | None

    @property
    def path(self) -> Path | None:
        """None for standard input."""
        return self.file.path

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file.name

    @property
    def is_regular(self) -> bool:
        """Whether every row has the columns of the header."""
        return READERS[self.file.format].is_regular

    def records(self, columns: Collection[str] = (), on_bad: OnBad | None = None) -> Iterator[Record]:
        """Yield the records, as `read_records` does."""
        rows = rows_of(self.file, columns=columns)
        return good_rows(rows, self.name, self.file.encoding, on_bad)

    def count(self) -> int | None:
        """Count the rows, for a progress bar; None for standard input."""
        return count_file(self.file)


def open_file(
    path: Path | str, *, format: str | None = None, encoding: str | None = None, columns: Collection[str] = ()
) -> OpenedFile:
    """Find the format of a file and read its header and its first row, all in one pass.

    Args:
        path: a file that can be read again and again, or "-" for standard input, from which nothing is read.
        format: default: as the name shows.
        encoding: of text files; default: as the byte order mark shows, else UTF-8.
        columns: what must be there.

    Raises:
        DataError: the file cannot be read, lacks a column or holds no row.
        ConfigError: the format or the encoding that was asked for is not known.
    """
    file = data_file(path, format=format, encoding=encoding)
    if file.path is None:
        return OpenedFile(file=file, header=None)
    if file.path.is_dir():
        raise DataError(f"{path}: is a folder; expected a file")
    if not file.path.is_file():
        raise DataError(
            f"{path}: is not a regular file, and can be read only once; "
            "hint: pipe it in, and give - as the input"
        )
    with closing(READERS[file.format].stream(file, columns)) as stream:
        header = _header(stream)
        if next(stream, None) is None:
            raise DataError(f"{file.name}: {EMPTY}")
    return OpenedFile(file=file, header=header)


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
    return DataFile(
        path=path, name=str(path), format=format or format_of(path), encoding=encoding, sheet=sheet
    )


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
    return "folder" if isdir(path) else format_by_ending(path)


def format_by_ending(path: Path) -> str:
    """Return the format that the ending of a file's name stands for, whether or not there is such a file.

    Raises:
        DataError: the ending is not known.
    """
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    format = ENDINGS.get(suffix)
    if format is None:
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
        return _header(stream)


def count_file(file: DataFile) -> int | None:
    """Count the rows of a file, exactly or by estimate; None for standard input."""
    return READERS[file.format].count(file)


def rows_of(file: DataFile, *, columns: Collection[str]) -> Stream:
    """Yield the rows of a file or of standard input, good and bad, in order, without the header."""
    stream = READERS[file.format].stream(file, columns)
    _header(stream)
    yield from stream


def good_rows(
    rows: Iterator[Header | Record | BadRow], name: str, encoding: str | None, on_bad: OnBad | None
) -> Iterator[Record]:
    """Yield the records among some rows; the bad ones go to `on_bad`, or the first is an error where that is
    None.

    Raises:
        DataError: there are no rows, or a row is bad and `on_bad` None.
    """
    empty = True
    for row in rows:
        empty = False
        if type(row) is Record:
            yield row
        elif isinstance(row, BadRow):
            if on_bad is None:
                raise DataError(f"{row.where}: {row.reason}{hint_of(row, encoding)}")
            on_bad(replace(row, raw=printable(row.raw)))
    if empty:
        raise DataError(f"{name}: {EMPTY}")


def _header(stream: Stream) -> Header:
    """Take the header off a stream; the rest are rows."""
    header = next(stream)
    if not isinstance(header, Header):
        raise TypeError(f"a reader's stream began with {header!r}; expected its header")
    return header


def hint_of(bad: BadRow, encoding: str | None) -> str:
    """Return the hint that a bad row needs beyond its reason: which encoding to say; "" for others."""
    if "does not fit the encoding" not in bad.reason:
        return ""
    if encoding is not None:
        return f" {encoding}; hint: say another, --encoding"
    return (
        encoding_hint(Path(bad.file)) if Path(bad.file).is_file() else "; hint: say the encoding, --encoding"
    )
