"""The text of one JSON document, of which only the value that is being read is held."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import TextIO

from nlpkit.errors import DataError

LONGEST = 64 << 20
"""Characters in one value that is read as a whole."""

Path = tuple[str, ...]
"""The keys below which a value lies; EACH for an element of an array."""
EACH = "*"
"""Stands in a path for any key or element."""

_BLOCK = 1 << 16
_ESCAPE = 16
"""Characters before the end of a block in which a fault may be the end of the block."""
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # of any length: only where a value ends matters
_SPACE = " \t\r\n"


class JsonText:
    """A place in the text of a document, which moves from value to value."""

    def __init__(self, text: TextIO, start: str, name: str) -> None:
        self._text, self._held, self._at, self._name = text, start, 0, name
        self.row = 0
        """The row that is being read, for messages; 0 before the first."""

    def elements(self) -> Iterator[None]:
        """Enter the array that is next, and stop before each of its elements, which is then to be read."""
        self.take("[")
        if self.next_mark() == "]":
            self.take("]")
            return
        mark = ","
        while mark == ",":
            yield
            mark = self.take(",]")

    def members(self) -> Iterator[str]:
        """Enter the object that is next, and stop before each of its values, which is then to be read."""
        self.take("{")
        if self.next_mark() == "}":
            self.take("}")
            return
        mark = ","
        while mark == ",":
            if self.next_mark() != '"':
                raise self.wrong("expected a key in quotation marks")
            name = str(json.loads(self.value()))
            self.take(":")
            yield name
            mark = self.take(",}")

    def walk(self, wanted: Collection[Path]) -> Iterator[tuple[Path, str]]:
        """Yield the text of each value that lies below one of the wanted paths, with its path.

        Raises:
            DataError: the document is not JSON.
        """
        yield from self._walk((), wanted)
        if self.next_mark():
            raise self.wrong("text follows the end of the JSON document")

    def _walk(self, at: Path, wanted: Collection[Path]) -> Iterator[tuple[Path, str]]:
        if any(_fits(path, at) for path in wanted):
            yield at, self.value()
            return
        ahead = any(_fits(path[: len(at)], at) for path in wanted)
        mark = self.next_mark()
        if ahead and mark == "{":
            for name in self.members():
                yield from self._walk((*at, name), wanted)
        elif ahead and mark == "[":
            for _ in self.elements():
                yield from self._walk((*at, EACH), wanted)
        else:
            self.value()

    def value(self) -> str:
        """Return the text of the next value.

        Raises:
            DataError: it is not JSON, or too long.
        """
        self.next_mark()
        while True:
            try:
                end = _DECODER.raw_decode(self._held, self._at)[1]
            except json.JSONDecodeError as error:
                cut = "Unterminated" in error.msg or error.pos > len(self._held) - _ESCAPE
                if not cut or not self._read():
                    raise self.wrong(f"not JSON: {error.msg}") from error
            else:
                if end < len(self._held) or not self._read():  # a number may go on in the next block
                    value, self._at = self._held[self._at : end], end
                    return value

    def next_mark(self, *, after: int = 0) -> str:
        """Return the next character that is no space, and move to it, or look `after` it; "" at the end."""
        at = self._at + after
        while True:
            while at < len(self._held) and self._held[at] in _SPACE:
                at += 1
            if at < len(self._held):
                break
            at -= self._at
            if not self._read():
                return ""
        if not after:
            self._at = at
        return self._held[at]

    def take(self, marks: str) -> str:
        """Move behind the next character, which must be one of the marks, and return it.

        Raises:
            DataError: it is another one.
        """
        mark = self.next_mark()
        if not mark or mark not in marks:
            actual = repr(mark) if mark else "the end of the file"
            raise self.wrong(f"not JSON: expected {' or '.join(map(repr, marks))}, found {actual}")
        self._at += 1
        return mark

    def _read(self) -> bool:
        """Read as much again as is held, so that a long value is not parsed too often; False at the end."""
        held = self._held[self._at :]
        if len(held) > LONGEST:
            raise self.wrong("a value is too long, or a quotation mark is never closed")
        more = self._text.read(max(_BLOCK, len(held)))
        self._held, self._at = held + more, 0
        return bool(more)

    def wrong(self, reason: str) -> DataError:
        """Return the error that the document is wrong at the row at hand."""
        where = f"{self._name}, row {self.row}" if self.row else self._name
        return DataError(f"{where}: {reason}; hint: correct it, or read JSON Lines with --format jsonl")


def _fits(path: Path, at: Path) -> bool:
    return len(path) == len(at) and all(name in (EACH, key) for name, key in zip(path, at, strict=True))
