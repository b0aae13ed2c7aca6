"""The rows to score, in batches: records with a text in them, and the rows that cannot be scored."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

from nlpkit.data.examples import TextInput
from nlpkit.data.opened_file import OpenedFile
from nlpkit.data.pictures import post_of
from nlpkit.data.records import name_of, text_of
from nlpkit.data.rows import BadRow, Record
from nlpkit.errors import DataError, NlpkitError
from nlpkit.scoring.json_values import json_text
from nlpkit.scoring.turn_rows import TurnColumns, TurnHistory
from nlpkit.tasks.reading import group_of

_CHARACTERS = 8 << 20
"""Text of one batch, so that a file of very long texts takes no more memory than another."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The next rows of the input."""

    records: list[Record]
    """Those that can be scored, in order."""
    inputs: list[str | TextInput]
    """What the model is given for each of them."""
    bad: list[BadRow]
    read: int
    """Records that the reader gave for it, good or not."""


@dataclass(frozen=True, kw_only=True)
class TextRows:
    """The rows of a file that are scored by the text in one of their columns."""

    file: OpenedFile
    text: str
    """The column that holds the text."""
    skip: bool
    """Whether bad rows are collected; else the first one is an error."""
    turns: TurnColumns | None = None
    """What makes a row a turn, for a model that reads turns."""
    aspect: str | None = None
    """The column that holds the aspect, for a model that is asked about one."""
    image: str | None = None
    """The column that holds the picture, for a model that reads pictures; the text may then be missing."""
    by: str | None = None
    """The column that holds the group, for a model with a promise for each group."""

    def records(self, bad: list[BadRow] | None) -> Iterator[Record]:
        """Yield the readable rows, in order; the others go to `bad` as they are met, or are errors where it
        is None.
        """
        needed = (None if self.image else self.text, self.by)
        columns = [column for column in needed if column]
        return self.file.records(columns, on_bad=None if bad is None else bad.append)

    def batches(self, rows: int, *, done: int) -> Generator[Batch]:
        """Yield the rows after the first `done` records, cut at the same rows however often the reading was
        interrupted.
        """
        bad: list[BadRow] = []
        records = self.records(bad if self.skip else None)
        input_of = self._inputs()
        for record in islice(records, done):
            bad.clear()
            if self.turns:
                with contextlib.suppress(DataError):  # it was rejected in its turn
                    input_of(record)
        while batch := self._batch(islice(records, rows), bad, input_of):
            yield batch
            bad.clear()

    def _inputs(self) -> Callable[[Record], str | TextInput]:
        """Return what makes inputs of records, which are read in order."""
        if (aspect := self.aspect) is not None:
            return lambda record: TextInput(text=text_of(record, self.text), about=name_of(record, aspect))
        if (image := self.image) is not None:
            return partial(self._post, image)
        if (by := self.by) is not None:
            return lambda record: TextInput(text=text_of(record, self.text), group=group_of(record, by))
        if self.turns is None:
            return lambda record: text_of(record, self.text)
        history = TurnHistory(self.turns)
        return lambda record: history.input_of(record, self.text)

    def _post(self, image: str, record: Record) -> TextInput:
        text, picture = post_of(record, self.text, image)
        return TextInput(text=text, picture=picture, group=group_of(record, self.by) if self.by else "")

    def _batch(
        self, records: Iterator[Record], bad: list[BadRow], input_of: Callable[[Record], str | TextInput]
    ) -> Batch | None:
        """Split the next records into good and bad; `bad` fills while they are read. None after the last."""
        good: list[Record] = []
        inputs: list[str | TextInput] = []
        read = size = 0
        for record in records:
            read += 1
            try:
                inputs.append(input_of(record))
                good.append(record)
                size += weight_of(inputs[-1])
            except DataError as error:
                if not self.skip:
                    raise
                reason = str(error).removeprefix(record.where).lstrip(",: ")
                bad.append(
                    BadRow(file=record.file, row=record.row, reason=reason, raw=json_text(record.fields))
                )
            if size >= _CHARACTERS:
                break
        return Batch(records=good, inputs=inputs, bad=list(bad), read=read) if read or bad else None


def weight_of(given: str | TextInput) -> int:
    """Return how much memory an input takes, in characters of text or bytes of a picture."""
    picture = None if isinstance(given, str) else given.picture
    return len(plain(given)) + (len(picture.content) if picture else 0)


def plain(given: str | TextInput) -> str:
    """Return the text of an input, without the turns before it."""
    return given if isinstance(given, str) else given.text


def put_back(first: Batch | None, rest: Generator[Batch]) -> Generator[Batch]:
    """Yield a batch that was taken from the others, then the others."""
    with closing(rest):
        if first:
            yield first
        yield from rest


SLOW = 5.0
"""Seconds after which rows come so slowly that nothing is gained by waiting for more of them."""


class Pipe:
    """The batches of standard input, which can be read only once."""

    def __init__(self, batches: Generator[Batch]) -> None:
        self.batches: Generator[Batch] = batches

    def is_long(self, size: int) -> bool:
        """Return whether it holds at least so many characters of text: no more is read than that takes.

        What is read stays in `batches`. What goes wrong meanwhile is raised there, in its place.
        """
        taken: list[Batch] = []
        rest, failed, end = self.batches, None, time.monotonic() + SLOW
        while (known := sum(len(plain(given)) for batch in taken for given in batch.inputs)) < size:
            try:
                batch = next(rest, None) if time.monotonic() < end else None
            except NlpkitError as error:
                failed = error.with_traceback(None)  # whose frames hold the input open
                break
            if batch is None:
                break
            taken.append(batch)
        self.batches = _in_order(taken, failed, rest)
        return known >= size


def _in_order(taken: Sequence[Batch], failed: Exception | None, rest: Generator[Batch]) -> Generator[Batch]:
    with closing(rest):
        yield from taken
        if failed:
            raise failed
        yield from rest


def reject_lines(bad: Iterable[BadRow]) -> bytes:
    """Write rejected rows as JSON lines."""
    lines = (
        json.dumps({"file": row.file, "row": row.row, "reason": row.reason, "raw": row.raw}) for row in bad
    )
    return "".join(line + "\n" for line in lines).encode()
