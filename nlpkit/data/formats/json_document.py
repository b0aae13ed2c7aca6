"""One JSON document: an array of rows, or an object that holds such an array under a key.

Each row is cut out of the text and read as a line of JSON Lines is, so that both obey the same rules. A file
that turns out to hold JSON Lines is read as such.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TextIO

from nlpkit.data.formats import json_lines
from nlpkit.data.formats.json_text import JsonText
from nlpkit.data.rows import DataFile, Stream
from nlpkit.data.text_files import parsed_text
from nlpkit.errors import DataError

_BLOCK = 1 << 16
_LINE = 1 << 20
"""Characters of the first line, which shows whether the file is JSON Lines."""
_ROWS = 256
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # of any length: only where a value ends matters


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the keys of the first rows, then the rows; one that lacks one of `columns` is a bad row."""
    return parsed_text(file, partial(_rows, file, columns))


def count(file: DataFile) -> int | None:
    """Return None: only reading shows how many rows there are."""
    return None


def first_row(start: str) -> dict[str, object]:
    """Return the first row of a file that starts with a text; empty where the text does not hold it."""
    text = io.StringIO(start)
    lines = _first_lines(text)
    rows = iter(lines) if _is_json_lines(lines, ()) else _Document(text, "".join(lines), "").rows()
    try:
        fields = json.loads(next((row for row in rows if not row.isspace()), "{}"))
    except (DataError, ValueError, RecursionError):
        return {}  # reading the file says what is wrong
    return fields if isinstance(fields, dict) else {}


def _rows(file: DataFile, columns: Collection[str], text: TextIO) -> Stream:
    lines = _first_lines(text)
    if _is_json_lines(lines, columns):
        blocks = chain([lines], iter(lambda: text.readlines(_BLOCK), []))
        return (yield from json_lines.rows(file.name, columns, ([*map(as_bytes, block)] for block in blocks)))
    document = _Document(text, "".join(lines), file.name)
    rows = json_lines.rows(file.name, columns, document.blocks())
    try:
        yield from rows
    except RecursionError as error:
        raise DataError(f"{file.name}: nested deeper than {json_lines.NESTING} levels") from error


def _first_lines(text: TextIO) -> list[str]:
    """Read up to the second line that is not blank; of a long first line only the start."""
    lines: list[str] = []
    while sum(not line.isspace() for line in lines) < 2 and (line := text.readline(_LINE)):
        lines.append(line)
        if not line.endswith(("\n", "\r")):
            break
    return lines


def _is_json_lines(lines: Sequence[str], columns: Collection[str]) -> bool:
    first, *rest = [line.strip() for line in lines if not line.isspace()] or [""]
    if first[:1] not in ("[", "{"):
        return True
    if first[0] == "[" or not first.endswith("}"):
        return False
    try:
        fields = _DECODER.decode(first)
    except json.JSONDecodeError as error:
        return error.pos < len(first)
    except RecursionError:
        return True
    return bool(rest) or not _holds_rows(fields) or (bool(columns) and fields.keys() >= set(columns))


def _holds_rows(fields: dict[str, object]) -> bool:
    """Find out whether a list of objects lies in an object, or in an object inside it."""
    waiting: list[object] = [fields]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            return True
    return False


def as_bytes(text: str) -> bytes:
    """Return a text as UTF-8, bytes that did not fit its encoding as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


class _Document:
    """The rows of a document."""

    def __init__(self, text: TextIO, start: str, name: str) -> None:
        self._text, self._name = JsonText(text, start, name), name
        self._key: tuple[str, ...] | None = None

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the rows, some at once.

        Raises:
            DataError: the document is not JSON, or holds no rows, or rows under several keys.
        """
        block: list[bytes] = []
        for row in self.rows():
            block.append(as_bytes(row))
            if len(block) == _ROWS:
                yield block
                block = []
        if self._text.next_mark():
            raise self._text.wrong("text follows the end of the JSON document")
        if block:
            yield block
        elif self._key is None:
            raise DataError(
                f"{self._name}: no list of rows in the JSON object; expected "
                '[{"text": ...}, ...] or {"data": [{"text": ...}, ...]}; '
                f"hint: name the rows, as with jq -c '.[]' {shlex.quote(self._name)} > rows.jsonl"
            )

    def rows(self) -> Iterator[str]:
        """Yield the rows."""
        return self._array(()) if self._text.next_mark() == "[" else self._object(())

    def _array(self, key: tuple[str, ...]) -> Iterator[str]:
        """Yield the rows of the array that is next."""
        if self._key is not None:
            first, second = (".".join(names) for names in (self._key, key))
            path = "".join(f"[{json.dumps(name)}]" for name in self._key)
            raise DataError(
                f"{self._name}: holds rows under the keys {first!r} and {second!r}; hint: write "
                f"one to a file of its own, as with jq -c '.{path}[]' {shlex.quote(self._name)} > rows.jsonl"
            )
        self._key = key
        for _ in self._text.elements():
            self._text.row += 1
            yield self._text.value()

    def _object(self, key: tuple[str, ...]) -> Iterator[str]:
        """Yield the rows that lie in an object; its other values are passed over."""
        for name in self._text.members():
            yield from self._member((*key, name))

    def _member(self, key: tuple[str, ...]) -> Iterator[str]:
        start = self._text.next_mark()
        if start == "{" and len(key) < json_lines.NESTING:
            yield from self._object(key)
        elif start == "[" and self._text.next_mark(after=1) == "{":
            yield from self._array(key)
        else:
            self._text.value()
