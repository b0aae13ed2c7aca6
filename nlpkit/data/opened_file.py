"""A file opened by its reader: its header read once, its rows streamed as often as needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.readers import EMPTY, READERS, OnBad, count_file, data_file, good_rows, header_from, rows_of
from nlpkit.data.rows import DataFile, Header, Record
from nlpkit.errors import DataError


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
        header = header_from(stream)
        if next(stream, None) is None:
            raise DataError(f"{file.name}: {EMPTY}")
    return OpenedFile(file=file, header=header)
