"""A file whose format was found by what it begins with: opened, and streamed as often as needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.file_format import format_of, split_format
from nlpkit.data.good_rows import EMPTY, OnBad, besides, good_rows
from nlpkit.data.readers import READERS
from nlpkit.data.rows import DataFile, Header, LeftOut, Record, Stream
from nlpkit.data.text_files import start_of
from nlpkit.errors import ConfigError, DataError, nearest


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
        return READERS[self.file.format].count(self.file)


def find_file(path: Path | str, *, format: str | None = None, encoding: str | None = None) -> DataFile:
    """Find the format of a file that exists.

    Raises:
        ConfigError: an unknown format was asked for, or none for standard input.
        DataError: there is no such file, or neither what it holds nor its name shows the format.
    """
    format, sheet = (None, None) if format is None else split_format(format)
    if format is not None and format not in READERS:
        raise ConfigError(
            f"format {format!r} is not known{nearest(format, READERS)}; expected one of {', '.join(READERS)}"
        )
    if str(path) == "-":
        if format is None:
            raise ConfigError(
                "standard input has no name that shows its format; "
                f"hint: say it, --format {'|'.join(READERS)}"
            )
        return DataFile(path=None, name="standard input", format=format, encoding=encoding)
    path = Path(path)
    _refuse_missing(path)
    if format is None:
        format = format_of(path, start_of(path, encoding))
    return DataFile(path=path, name=str(path), format=format, encoding=encoding, sheet=sheet)


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
    file = find_file(path, format=format, encoding=encoding)
    if file.path is None:
        return OpenedFile(file=file, header=None)
    if file.path.is_dir():
        raise DataError(f"{path}: is a folder; expected a file")
    if not file.path.is_file():
        raise DataError(
            f"{path}: is not a regular file, and can be read only once; "
            "hint: pipe it in, and give - as the input"
        )
    header, rows = READERS[file.format].opened(file, columns)
    with closing(rows):
        first = next(rows, None)
    if first is None or isinstance(first, LeftOut):
        raise DataError(f"{file.name}: {EMPTY}{besides(first)}")
    return OpenedFile(file=file, header=header)


def _refuse_missing(path: Path) -> None:
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


def rows_of(file: DataFile, *, columns: Collection[str]) -> Stream:
    """Yield the rows of a file or of standard input, good and bad, in order, without the header."""
    _, rows = READERS[file.format].opened(file, columns)
    yield from rows


def header_of(file: DataFile) -> Header:
    """Read the header of a file.

    Raises:
        DataError: it cannot be read.
    """
    header, rows = READERS[file.format].opened(file, ())
    rows.close()
    return header
