"""The table of readers: a format is one module in `formats/` and its row here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nlpkit.data.formats import (
    columnar,
    delimited,
    json_document,
    json_lines,
    labeled_lines,
    labeling_tools,
    suite,
    xlsx,
)
from nlpkit.data.formats.conversation_exports import EXPORTS
from nlpkit.data.rows import DataFile, Header, Stream


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
    has_sheets: bool = False
    """Whether a colon and the name of a sheet may follow the name of the format, as in `xlsx:2026`."""
    found_in: tuple[str, ...] = ()
    """The endings of names under which it is found by its content."""
    fits: Callable[[str], bool] = lambda start: False
    """Whether a file that starts with this text is certainly of this format."""
    fits_folder: Callable[[Path], bool] | None = None
    """Whether a folder is certainly one export in this format; None where only files are read."""
    looks_like: Callable[[str], bool] = lambda line: False
    """Whether a first line looks like one of this format, though another is possible."""

    def opened(self, file: DataFile, columns: Collection[str]) -> tuple[Header, Stream]:
        """Open a file, and return its header and its rows, which are to be closed."""
        rows = self.stream(file, columns)
        header = next(rows)
        if not isinstance(header, Header):
            raise TypeError(f"the reader of {self.name} began with {header!r}; expected a header")
        return header, rows


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
            Reader(
                name=name,
                endings=(),
                stream=labeled_lines.stream,
                count=labeled_lines.count,
                found_in=labeled_lines.FOUND_IN.get(name, ()),
                fits=partial(labeled_lines.fits, name),
                looks_like=looks_like,
            )
            for name, (_, _, looks_like) in labeled_lines.FORMATS.items()
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
                found_in=(".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson"),
                fits=partial(labeling_tools.fits, name),
            )
            for name in labeling_tools.FORMATS
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
        # sentences by templates, found by their content
        Reader(
            name=suite.SUITE,
            endings=(),
            stream=suite.stream,
            count=lambda file: None,
            found_in=(".yaml", ".yml"),
            fits=suite.fits,
            fits_folder=suite.fits_folder,
        ),
        # `.xls` names a workbook of either kind
        Reader(
            name="xlsx",
            endings=(".xlsx", ".xlsm", ".xls"),
            stream=xlsx.stream,
            count=xlsx.count,
            is_text=False,
            has_sheets=True,
        ),
        Reader(
            name="xlsx-no-header",
            endings=(),
            stream=xlsx.stream,
            count=xlsx.count,
            is_text=False,
            has_sheets=True,
        ),
    )
}
"""Format -> what reads it."""

ENDINGS = {ending: reader.name for reader in READERS.values() for ending in reader.endings}
"""Ending of a name -> the format that it stands for."""

FOLDERS = frozenset(reader.name for reader in READERS.values() if reader.fits_folder)
"""Formats of which a whole folder is one export."""
