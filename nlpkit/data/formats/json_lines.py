"""JSON Lines: one object a line, values as JSON types. A row's number is its line's number; blank lines are
skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain, islice

import orjson

from nlpkit.data.likely_columns import columns_as
from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, require, unreadable
from nlpkit.data.text_files import count_lines, parsed_lines
from nlpkit.errors import nearest

NESTING = 100
"""How deep lists and objects may lie in each other."""

_HEAD = 20
"""Rows from which the columns are taken."""

# What the fast parser accepts and we must check again: NUL, and integers that it would round to floats.
_SUSPECT = re.compile(rb"\\u0000|[0-9]{19}")
KINDS = {
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
"""What a JSON value that is no object is, in words, by its type."""


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the keys of the first rows, then the rows; one that lacks one of `columns` is a bad row."""
    return parsed_lines(file, partial(rows, file.name, columns))


def count(file: DataFile) -> int | None:
    """Estimate the number of rows by the line ends; None for standard input."""
    return None if file.path is None else count_lines(file.path)


def rows(name: str, columns: Collection[str], blocks: Iterator[list[bytes]]) -> Stream:
    """Yield the keys of the first rows, then the rows; each is the bytes of one object, in UTF-8."""
    return headed(name, columns, _objects(name, blocks))


def headed(name: str, columns: Collection[str], objects: Iterator[Record | BadRow]) -> Stream:
    """Yield the keys of the first rows, then the rows; one that lacks one of `columns` is a bad row."""
    head = list(islice(objects, _HEAD))
    known = _keys(head)
    if known:
        rows_read = [row.fields for row in head if isinstance(row, Record)]
        require(columns, known, file=name, values=columns_as(rows_read, known))
    yield Header(columns=tuple(known))
    wanted = frozenset(columns)
    for row in chain(head, objects):
        if wanted and isinstance(row, Record) and not wanted <= row.fields.keys():
            yield _lacking(row, columns)
        else:
            yield row


def _keys(head: list[Record | BadRow]) -> list[str]:
    return list(dict.fromkeys(key for row in head if isinstance(row, Record) for key in row.fields))


def _lacking(record: Record, columns: Collection[str]) -> BadRow:
    column = next(column for column in columns if column not in record.fields)
    reason = f"no column {column!r}{nearest(column, record.fields)}"
    return BadRow(
        file=record.file, row=record.row, reason=reason, raw=orjson.dumps(record.fields, default=str).decode()
    )


def _objects(name: str, blocks: Iterator[list[bytes]]) -> Iterator[Record | BadRow]:
    row = 0
    for block in blocks:
        suspect = _SUSPECT.search(b"".join(block)) is not None
        for line in block:
            row += 1
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                if line.strip():
                    yield _unparsed(line, error, file=name, row=row)
                continue
            # As many `":` as fields: nothing nested, no key twice. Else check closely.
            if (
                type(fields) is dict
                and line.count(b'":') == len(fields)
                and line.count(b"[") < NESTING
                and not suspect
            ):
                yield Record(fields=fields, file=name, row=row)
            else:
                yield _checked(fields, line, file=name, row=row)


def parsed(line: bytes, *, file: str, row: int) -> Record | BadRow:
    """Return the row that a text of JSON is: an object, else a bad row."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _unparsed(line, error, file=file, row=row)
    return _checked(fields, line, file=file, row=row)


def _checked(fields: object, line: bytes, *, file: str, row: int) -> Record | BadRow:
    raw, reason = line.decode().rstrip("\r\n"), _no_row(fields, row)
    if reason:
        return BadRow(file=file, row=row, reason=reason, raw=raw)
    try:
        # Unlike the fast parser, this one keeps integers of any size and lets us see keys that stand twice.
        exact: dict[str, object] = json.loads(line, object_pairs_hook=_once)
        reason = unreadable(exact)
    except _TwiceError as error:
        reason = f"the key {str(error)!r} stands there twice; hint: keep one"
    if reason:
        return BadRow(file=file, row=row, reason=reason, raw=raw)
    return Record(fields=exact, file=file, row=row)


def _no_row(fields: object, row: int) -> str | None:
    if isinstance(fields, dict):
        return f"nested deeper than {NESTING} levels" if _too_deep(fields) else None
    reason = f'expected an object such as {{"text": ...}}, found {KINDS[type(fields)]}'
    holds_rows = row == 1 and isinstance(fields, list) and fields and isinstance(fields[0], dict)
    return reason + _one_value() if holds_rows else reason


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(NESTING):
        # Level by level, because recursion is what deep nesting breaks, here and in everything that writes
        # the row.
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


class _TwiceError(Exception):
    """A key that stands twice in one object."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return fields


def _unparsed(line: bytes, error: orjson.JSONDecodeError, *, file: str, row: int) -> BadRow:
    raw = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
    return BadRow(file=file, row=row, reason=_syntax(line, error, row), raw=raw)


def _syntax(line: bytes, error: orjson.JSONDecodeError, row: int) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as misfit:
        at = misfit.start
        return f"byte 0x{line[at]:02x} at byte {at + 1} of the line does not fit the encoding"
    # The first line of a list or of an indented object: it opens more than it closes.
    hint = (
        _one_value()
        if row == 1 and line.lstrip()[:1] in (b"[", b"{") and error.pos >= len(line.decode().rstrip())
        else ""
    )
    column = min(error.pos, len(line.decode().rstrip())) + 1
    return f"column {column}: not JSON: {error.msg}{hint}"


def _one_value() -> str:
    return "; the file seems to hold one JSON value; hint: say --format json (format: json in a config)"
