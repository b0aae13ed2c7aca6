"""JSON Lines: one object a line, values as JSON types. A row's number is its line's number; blank lines are passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import orjson

from nlpkit.data.encoding import encoding_for
from nlpkit.data.files import DataFile, opened_bytes, opened_text, readable
from nlpkit.data.rows import BadRow, Record, require, unreadable
from nlpkit.errors import nearest

NESTING = 100
"""How deep lists and objects may lie in each other."""

_BLOCK = 1 << 20
_HEAD = 20
"""Rows that are looked at to learn the columns."""

_MARK = b"\xef\xbb\xbf"
# What the fast parser accepts and we must look at twice: NUL, and integers that it would round to floats.
_SUSPECT = re.compile(rb"\\u0000|[0-9]{19}")
_NAMES = {
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def header(file: DataFile) -> list[str]:
    """The keys of the first rows, in the order of their appearance."""
    return _keys(list(islice(_objects(file), _HEAD)))


def rows(file: DataFile, *, columns: Sequence[str]) -> Iterator[Record | BadRow]:
    """The records of a file, in order; a row that cannot be read or lacks one of `columns` comes as a bad row."""
    objects = _objects(file)
    head = list(islice(objects, _HEAD))
    known = _keys(head)
    if known:
        require(columns, known, file=file.name)
    wanted = frozenset(columns)
    for one in chain(head, objects):
        if wanted and isinstance(one, Record) and not wanted <= one.fields.keys():
            yield _lacking(one, columns)
        else:
            yield one


def _keys(head: list[Record | BadRow]) -> list[str]:
    return list(dict.fromkeys(key for one in head if isinstance(one, Record) for key in one.fields))


def _lacking(record: Record, columns: Sequence[str]) -> BadRow:
    column = next(one for one in columns if one not in record.fields)
    reason = f"no column {column!r}{nearest(column, record.fields)}"
    return BadRow(
        file=record.file, row=record.row, reason=reason, raw=orjson.dumps(record.fields, default=str).decode()
    )


def _objects(file: DataFile) -> Iterator[Record | BadRow]:
    name, row = file.name, 0
    for block in _blocks(file):
        suspect = _SUSPECT.search(b"".join(block)) is not None
        for line in block:
            row += 1
            try:
                fields = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                if line.strip():
                    yield _unparsed(line, error, file=name, row=row)
                continue
            # As many `":` as fields: nothing nested, no key twice. Else look closely.
            if (
                type(fields) is dict
                and line.count(b'":') == len(fields)
                and line.count(b"[") < NESTING
                and not suspect
            ):
                yield Record(fields=fields, file=name, row=row)
            else:
                yield _looked_at(fields, line, file=name, row=row)


def _blocks(file: DataFile) -> Iterator[list[bytes]]:
    """The lines of a file as UTF-8, a megabyte or so at once."""
    with readable(file), opened_bytes(file) as stream:
        encoding = encoding_for(stream.peek(4), file.encoding)
        if encoding in ("utf-8", "utf-8-sig", "ascii"):
            if stream.peek(3).startswith(_MARK):
                stream.read(len(_MARK))
            while lines := stream.readlines(_BLOCK):
                yield lines
            return
    with readable(file), opened_text(file, newline="\n") as text:
        while block := text.readlines(_BLOCK):
            yield [line.encode("utf-8", "surrogatepass") for line in block]


def _looked_at(fields: object, line: bytes, *, file: str, row: int) -> Record | BadRow:
    raw, reason = line.decode().rstrip("\r\n"), _no_row(fields, row)
    if reason:
        return BadRow(file=file, row=row, reason=reason, raw=raw)
    try:
        # Unlike the fast parser, this one keeps integers of any size and lets us see keys that stand twice.
        exact: dict[str, object] = json.loads(line, object_pairs_hook=_once)
        reason = unreadable(exact)
    except _TwiceError as error:
        reason = f"the key {str(error)!r} stands there twice; cure: keep one"
    if reason:
        return BadRow(file=file, row=row, reason=reason, raw=raw)
    return Record(fields=exact, file=file, row=row)


def _no_row(fields: object, row: int) -> str | None:
    if isinstance(fields, dict):
        return f"nested deeper than {NESTING} levels" if _too_deep(fields) else None
    found = f'expected an object such as {{"text": ...}}, found {_NAMES[type(fields)]}'
    return found + _one_value() if row == 1 and isinstance(fields, list) else found


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(NESTING):
        # Level by level, because recursion is what deep nesting breaks, here and in everything that writes the row.
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
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
        return f"byte 0x{line[misfit.start]:02x} at byte {misfit.start + 1} of the line does not fit the encoding"
    # The first line of a list or of an indented object: it opens more than it closes.
    hint = (
        _one_value()
        if row == 1 and line.lstrip()[:1] in (b"[", b"{") and error.pos >= len(line.decode().rstrip())
        else ""
    )
    column = min(error.pos, len(line.decode().rstrip())) + 1
    return f"column {column}: not JSON: {error.msg}{hint}"


def _one_value() -> str:
    return "; the file seems to hold one JSON value; cure: write one object a line (JSON Lines)"
