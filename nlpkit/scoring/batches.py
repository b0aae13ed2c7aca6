"""The rows to score: records with a text in them, and the rows that cannot be scored."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nlpkit.data.records import BadRow, Record, read_records, text_of
from nlpkit.errors import DataError
from nlpkit.scoring.output_columns import json_text

_CHARACTERS = 8 << 20
"""Text of one batch, so that a file of very long texts takes no more memory than another."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The next rows of the input."""

    records: list[Record]
    """Those that can be scored, in order."""
    texts: list[str]
    bad: list[BadRow]
    read: int
    """Records that the reader gave for it, good or not."""


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """What is scored and how it is read."""

    path: Path | None
    """None is standard input, which can be read only once."""
    format: str
    encoding: str | None
    text_column: str
    skip: bool
    """Whether bad rows are collected; else the first one is an error."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path is None else str(self.path)

    def records(self, bad: list[BadRow] | None) -> Iterator[Record]:
        """All readable rows, in order; the others go to `bad` as they are met, or are errors where there is none."""
        return read_records(
            self.path or "-",
            format=self.format,
            encoding=self.encoding,
            columns=(self.text_column,),
            on_bad=None if bad is None else bad.append,
        )

    def batches(self, rows: int, *, done: int) -> Generator[Batch]:
        """The rows after the first `done` records, cut at the same places however often the reading was interrupted."""
        bad: list[BadRow] = []
        records = self.records(bad if self.skip else None)
        for _ in islice(records, done):
            bad.clear()
        while batch := self._batch(islice(records, rows), bad):
            yield batch
            bad.clear()

    def _batch(self, records: Iterator[Record], bad: list[BadRow]) -> Batch | None:
        """The next records, told apart; `bad` fills while they are read. None after the last."""
        good: list[Record] = []
        texts: list[str] = []
        read = size = 0
        for record in records:
            read += 1
            try:
                texts.append(text_of(record, self.text_column))
                good.append(record)
                size += len(texts[-1])
            except DataError as error:
                if not self.skip:
                    raise
                reason = str(error).removeprefix(record.where).lstrip(",: ")
                bad.append(
                    BadRow(file=record.file, row=record.row, reason=reason, raw=json_text(record.fields))
                )
            if size >= _CHARACTERS:
                break
        return Batch(records=good, texts=texts, bad=list(bad), read=read) if read or bad else None


def reject_lines(bad: Iterable[BadRow]) -> bytes:
    """The rejected rows as JSON lines."""
    lines = (
        json.dumps({"file": one.file, "row": one.row, "reason": one.reason, "raw": one.raw}) for one in bad
    )
    return "".join(line + "\n" for line in lines).encode()
