"""Rows of a file, good and bad, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nlpkit.errors import DataError, nearest


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

    @property
    def where(self) -> str:
        """The place in words, for messages."""
        return f"{self.file}, row {self.row}"


def require(columns: Iterable[str], known: Iterable[str], *, file: str, hint: str = "") -> None:
    """Nothing, where every one of `columns` is known.

    Raises:
        DataError: one is not; the message holds the nearest name.
    """
    names = list(known)
    for column in columns:
        if column not in names:
            raise DataError(f"{file}: no column {column!r}{hint}{nearest(column, names)}")


def unreadable(value: object) -> str | None:
    """Why the text in a value (also deep inside lists and objects) cannot be used, or None where it can."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if reason := unreadable_text(one):
                return reason
        elif isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            waiting += one
    return None


def unreadable_text(text: str) -> str | None:
    """Why a text cannot be used: it holds a NUL or half a character; None where it can."""
    if "\0" in text:
        return f"a NUL character (U+0000) at character {text.index(chr(0)) + 1}; cure: remove it"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half, at = ord(text[error.start]), error.start + 1
        # Undecodable bytes are carried as U+DC80..U+DCFF, so that their row is known.
        if 0xDC80 <= half <= 0xDCFF:
            return f"byte 0x{half - 0xDC00:02x} at character {at} does not fit the encoding"
        return f"half a character (the lone surrogate U+{half:04X}) at character {at}; cure: remove it"
    return None


def printable(raw: str) -> str:
    """The text with what no file can hold (undecodable bytes, lone surrogates) written as escapes."""
    return raw.encode("utf-8", "backslashreplace").decode()
