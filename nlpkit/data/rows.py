"""A file of rows, its header, and its rows, good and bad, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.data.likely_columns import Values, missing
from nlpkit.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """A file of rows, or standard input (`path` is None), whose format is known."""

    path: Path | None
    name: str
    """What messages call it."""
    format: str
    encoding: str | None = None
    """As the user named it; None where the file's byte order mark decides, else UTF-8."""
    sheet: str | None = None
    """The sheet of a workbook that the user named."""

    @property
    def full_format(self) -> str:
        """The format as a user names it, with the sheet: `xlsx:2026`."""
        return self.format if self.sheet is None else f"{self.format}:{self.sheet}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a file says of its columns before its first row."""

    columns: tuple[str, ...]
    """The names; in JSON Lines the keys of the first rows, in the order of their appearance."""
    schema: Any = None
    """The Arrow schema, where the file has one."""
    is_typed: bool = False
    """Whether values have types that only reading shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One row: its fields, and the file and the row (counted from 1, the header not counted) it came from."""

    fields: Mapping[str, object]
    file: str
    row: int

    @property
    def where(self) -> str:
        """The place in words, for messages."""
        return f"{self.file}, row {self.row}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that cannot be read: where it is, why, and its text as far as it is known."""

    file: str
    row: int
    reason: str
    raw: str
    is_conversation: bool = False
    """Whether leaving it out leaves no hole in a conversation that other rows belong to."""

    @property
    def where(self) -> str:
        """The place in words, for messages."""
        return f"{self.file}, row {self.row}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """What a reader passed over because it is no row, such as the service messages of a chat."""

    file: str
    counts: Mapping[str, int]
    """What it is -> how often; empty where nothing was left out."""

    def __str__(self) -> str:
        return f"{self.file}: left out {self.words}"

    @property
    def words(self) -> str:
        """What it is, the most frequent first, each with its count."""
        most_first = sorted(self.counts, key=lambda kind: -self.counts[kind])
        return "; ".join(f"{kind}: {self.counts[kind]:,}" for kind in most_first)


Row: TypeAlias = Header | Record | BadRow | LeftOut
Stream: TypeAlias = Generator[Row]
"""What a reader yields: the header, then the rows; at the end what it left out, if anything."""


def require(
    columns: Collection[str], known: Iterable[str], *, file: str, hint: str = "", values: Values | None = None
) -> None:
    """Check that every one of `columns` is known.

    Args:
        columns: The names; a mapping says which option names each.
        known: The names of the file.
        file: What messages call it.
        hint: What else may be wrong.
        values: What the columns hold in the first rows, where it was read.

    Raises:
        DataError: one is unknown; the message holds the nearest name.
    """
    names = list(known)
    for column in columns:
        if column not in names:
            likely = hint or missing(column, columns, values or dict.fromkeys(names, ()))
            raise DataError(f"{file}: no column {column!r}{likely}")


def unreadable(value: object) -> str | None:
    """Say why the text in a value (also deep inside lists and objects) cannot be used; None where it can."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if reason := unreadable_text(part):
                return reason
        elif isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, (list, tuple)):
            waiting += part
    return None


def unreadable_text(text: str) -> str | None:
    """Say why a text cannot be used: it holds a NUL or half a character; None where it can."""
    if "\0" in text:
        return f"a NUL character (U+0000) at character {text.index(chr(0)) + 1}; hint: remove it"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half, at = ord(text[error.start]), error.start + 1
        # Undecodable bytes are carried as U+DC80..U+DCFF, so that their row is known.
        if 0xDC80 <= half <= 0xDCFF:
            return f"byte 0x{half - 0xDC00:02x} at character {at} does not fit the encoding"
        return f"half a character (the lone surrogate U+{half:04X}) at character {at}; hint: remove it"
    return None


def printable(raw: str) -> str:
    """Write what no file can hold (undecodable bytes, lone surrogates) as escapes."""
    return raw.encode("utf-8", "backslashreplace").decode()
