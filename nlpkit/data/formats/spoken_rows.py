"""What the readers of conversations share: their columns, where one conversation ends, speakers' names, and
what is left out.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping
from datetime import UTC, datetime

from nlpkit.data.formats import json_lines
from nlpkit.data.formats.json_document import as_bytes
from nlpkit.data.formats.json_text import JsonText, Path
from nlpkit.data.rows import BadRow, DataFile, Header, LeftOut, Record, require, unreadable_text
from nlpkit.errors import DataError

SPOKEN = ("conversation", "speaker", "text")
"""Columns of a turn in a data set of dialogues."""
CHAT = ("conversation", "speaker", "time", "text")
"""Columns of a message in a chat; the time as it is written there."""
SILENCE = 6 * 60 * 60
"""Seconds without a message after which a new conversation begins."""

USER, ASSISTANT = "user", "assistant"

NO_TEXT = "messages without text, such as pictures"
DELETED = "deleted messages"
SERVICE = "service messages, such as calls"


def header(file: DataFile, columns: Collection[str], names: tuple[str, ...] = SPOKEN) -> Header:
    """Return the header of a format, which has the columns that are asked for.

    Raises:
        DataError: it lacks one.
    """
    roles = columns if isinstance(columns, Mapping) else {}
    lacking = next((column for column in columns if column not in names), None)
    hint = ""
    if lacking is not None and roles.get(lacking) == "label" and "label" not in names:
        hint = f"; {file.format} has the columns {', '.join(names)}, and no labels; hint: learn from it with"
        hint += " `recipe: dialogue`, or label its texts with nlpkit score"
    require(columns, names, file=file.name, hint=hint)
    return Header(columns=names)


def in_order(start: str, *patterns: re.Pattern[str]) -> bool:
    """Return whether patterns stand one after another, the first where the text starts."""
    at = 0
    for number, pattern in enumerate(patterns):
        match = pattern.search(start, at) if number else pattern.match(start)
        if match is None:
            return False
        at = match.end()
    return True


class Tally:
    """Counts what is left out."""

    def __init__(self, file: DataFile) -> None:
        self._name = file.name
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, times: int = 1) -> None:
        """Count what is left out, under its name in the plural."""
        self._counts[kind] += times

    def left_out(self) -> Iterator[LeftOut]:
        """Yield what was left out, if anything: the end of a stream."""
        counts = {kind: count for kind, count in self._counts.items() if count}
        if counts:
            yield LeftOut(file=self._name, counts=counts)


class Silences:
    """Cuts chats into conversations where nobody writes for hours."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}

    def conversation(self, chat: str, stamp: str, seconds: float) -> str:
        """Return the id of the conversation that a message belongs to: the chat and the time of the first."""
        id, before = self._last.get(chat, ("", float("-inf")))
        if seconds - before > SILENCE:
            id = f"{chat}, {stamp}" if chat else stamp
        self._last[chat] = (id, seconds)
        return id


class Names:
    """Gives each person one name, the first that is seen, and no two the same."""

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    def name(self, id: object, name: object) -> str:
        """Return the name of a person; a second person of that name is called by the id too."""
        key = str(id or name or "")
        if key not in self._by_id:
            called = str(name or id or "").strip()
            if self._taken.setdefault(called, key) != key:
                called = f"{called} ({key})"
            self._by_id[key] = called
        return self._by_id[key]


def seconds_of(stamp: object) -> float:
    """Return the seconds since 1970 of a time as ISO 8601 writes it.

    Raises:
        ValueError: it is none.
    """
    time = datetime.fromisoformat(str(stamp))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def spoken(fields: Mapping[str, object], *, file: str, row: int) -> Record | BadRow:
    """Return a row, bad where its text cannot be used."""
    for name, value in fields.items():
        if isinstance(value, str) and (reason := unreadable_text(value)):
            reason = f"column {name!r}: {reason}"
            return BadRow(file=file, row=row, reason=reason, raw=json.dumps(dict(fields), default=str))
    return Record(fields=fields, file=file, row=row)


def objects(
    file: DataFile, text: io.TextIOWrapper, rows: Collection[Path], names: Collection[Path] = ()
) -> Generator[tuple[Path, Record | BadRow | str]]:
    """Yield the objects of a JSON document at some paths, numbered from 1, and the texts at others, all with
    their paths.

    Raises:
        DataError: it is not JSON.
    """
    number = 0
    try:
        for path, value in (document := JsonText(text, "", file.name)).walk([*rows, *names]):
            if len(path) in {len(wanted) for wanted in names} and not value.startswith(("{", "[")):
                yield path, str(json.loads(value) or "")
                continue
            document.row = number = number + 1
            yield path, json_lines.parsed(as_bytes(value), file=file.name, row=number)
    except RecursionError as error:
        raise DataError(f"{file.name}: nested deeper than {json_lines.NESTING} levels") from error
