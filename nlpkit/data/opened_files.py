"""A file opened by a reader of the table: its header read once, its rows streamed as often as needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from nlpkit.data.readers import READERS, data_file
from nlpkit.data.rows import BadRow, DataFile, Header, LeftOut, Record, Row, Stream, printable
from nlpkit.data.text_files import encoding_hint
from nlpkit.errors import DataError

EMPTY = "holds no rows"

OnBad = Callable[[BadRow], None]
"""Takes a row that cannot be read."""
OnLeftOut = Callable[[LeftOut], None]
"""Takes what a reader passed over."""


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
        first = next(stream, None)
        if first is None or isinstance(first, LeftOut):
            raise DataError(f"{file.name}: {EMPTY}{_besides(first)}")
    return OpenedFile(file=file, header=header)


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


def warn(left_out: LeftOut) -> None:
    """Log what was left out: shown on stderr where logging is not set up."""
    logging.getLogger("nlpkit").warning("%s", left_out)


def good_rows(
    rows: Iterator[Row],
    name: str,
    encoding: str | None,
    on_bad: OnBad | None,
    on_left_out: OnLeftOut | None = None,
) -> Iterator[Record]:
    """Yield the records among some rows; the bad ones go to `on_bad`, or the first is an error where that is
    None. What was left out goes to `on_left_out`, or is logged.

    Raises:
        DataError: there are no rows, or a row is bad and `on_bad` None.
    """
    empty = True
    left_out: LeftOut | None = None
    for row in rows:
        if isinstance(row, LeftOut):
            left_out = row
            (on_left_out or warn)(row)
            continue
        empty = False
        if type(row) is Record:
            yield row
        elif isinstance(row, BadRow):
            if on_bad is None:
                raise DataError(f"{row.where}: {row.reason}{hint_of(row, encoding)}")
            on_bad(replace(row, raw=printable(row.raw)))
    if empty:
        raise DataError(f"{name}: {EMPTY}{_besides(left_out)}")


def _besides(left_out: LeftOut | None) -> str:
    return f" besides what is left out: {left_out.words}" if left_out else ""


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
